//! Bodies: blocks, pace, silence, and the end of it all.

use super::*;
use crate::limits;

#[tokio::test]
async fn blocks_go_across_chunks_parts_and_pads() {
    let (a, b) = (payload(70_001), payload(5_003));
    for chunk in [1_000_000, 16_384, 777] {
        let server =
            Server::start([("/a", Script::Chunked(a.clone(), chunk)), ("/b", Script::File(b.clone()))]);
        let server = server.await;
        let parts = vec![
            file(server.url("/a"), 1, 70_000, 70_001),
            FetchPart::Zeros { bytes: 40_003 },
            file(server.url("/b"), 0, 0, 5_003),
            file(server.url("/b"), 0, 5_003, 5_003),
            FetchPart::Zeros { bytes: 9 },
        ];
        let expected = [&a[1..], &[0; 40_003], &b, &[0; 9]].concat();
        for block_bytes in [16_384, 1_001, 1 << 20] {
            let outcome = run(client(), fetch(parts.clone(), block_bytes)).await;
            assert_eq!(outcome.result, Ok(()));
            assert_eq!(outcome.heads.len(), 2);
            assert!(outcome.bytes() == expected, "chunks of {chunk}, blocks of {block_bytes}");
        }
    }
}

#[tokio::test]
async fn zeros_alone_ask_nobody() {
    let outcome = run(client(), fetch(vec![FetchPart::Zeros { bytes: 100_000 }], 16_384)).await;
    assert_eq!((outcome.result.clone(), outcome.bytes()), (Ok(()), vec![0; 100_000]));
}

#[tokio::test]
async fn parts_of_one_host_share_a_connection() {
    let bytes = payload(30_000);
    for script in [Script::File(bytes.clone()), Script::Chunked(bytes.clone(), 999)] {
        let server = Server::start([("/f", script)]).await;
        let parts = (0..3).map(|part| file(server.url("/f"), part * 10_000, 10_000, 30_000)).collect();
        let client = client();
        let outcome = run(client.clone(), fetch(parts, 16_384)).await;
        assert_eq!((outcome.result.clone(), outcome.bytes()), (Ok(()), bytes.clone()));
        let again = run(client, fetch(vec![file(server.url("/f"), 0, 100, 30_000)], 16_384)).await;
        assert_eq!(again.result, Ok(()));
        let connections: Vec<_> = server.seen().iter().map(|seen| seen.connection).collect();
        assert_eq!(connections, [0, 0, 0, 0]);
    }
}

#[tokio::test]
async fn silence_ends_a_fetch_and_keeps_what_came() {
    let bytes = payload(10_000);
    let mut raw = response("206 Partial Content", "content-range: bytes 0-9999/10000\r\n", &bytes);
    raw.truncate(raw.len() - 7_500);
    let server =
        Server::start([("/f", Script::Stall(raw)), ("/head", Script::Stall(b"HTTP/1.1 2".to_vec()))]).await;
    let outcome = run(
        impatient_for_bytes(Duration::from_millis(50)),
        fetch(vec![file(server.url("/f"), 0, 10_000, 10_000)], 1000),
    )
    .await;
    let (kind, message) = outcome.failed();
    assert!(kind == FetchErrorKind::Trouble, "{message}");
    assert!(message.ends_with("the body ended after 2500 of 10000 bytes: no byte for 0.05 s"), "{message}");
    assert_eq!(outcome.bytes(), bytes[..2000]);
    let outcome =
        run(impatient_for_heads(), fetch(vec![file(server.url("/head"), 0, 10_000, 10_000)], 1000)).await;
    let (kind, message) = outcome.failed();
    assert!(kind == FetchErrorKind::Trouble && message.contains("no answer in"), "{message}");
    assert!(outcome.heads.is_empty());
}

#[tokio::test]
async fn no_more_comes_than_there_is_credit_for_and_waiting_for_it_is_no_silence() {
    let total = 32 << 20;
    let server = Server::start([("/f", Script::File(payload(total)))]).await;
    let part = file(server.url("/f"), 0, total as u64, total as u64);
    let silence = Duration::from_millis(150);
    let client = impatient_for_bytes(silence);
    let mut running = Running::start(client, Fetch { credit: Some(10_500), ..fetch(vec![part], 1000) });
    let mut came = 0;
    for (credit, expected) in [(0, 10), (500, 11), (0, 11), (5_250, 16)] {
        running.handle.credit(credit);
        while came < expected {
            if let Input::Fetched { blocks, .. } = running.next().await {
                came += blocks.len();
            }
        }
        tokio::time::sleep(2 * silence).await;
        assert!(running.inbox.try_recv().is_err());
        assert_eq!(came, expected);
    }
    assert!(server.written_bytes() < 24 << 20, "the server waits for us: {}", server.written_bytes());
}

#[tokio::test]
async fn nothing_is_asked_without_credit() {
    let server = Server::start([("/f", Script::File(payload(100)))]).await;
    let fetch = Fetch { credit: Some(0), ..fetch(vec![file(server.url("/f"), 0, 100, 100)], 100) };
    let mut running = Running::start(client(), fetch);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(server.seen().is_empty());
    running.handle.credit(100);
    assert!(matches!(running.next().await, Input::FetchAnswered { .. }));
    assert!(matches!(running.next().await, Input::Fetched { .. }));
    assert!(matches!(running.next().await, Input::FetchEnded { result: Ok(()), .. }));
}

#[tokio::test]
async fn one_fetch_leaves_the_owners_queue_to_others() {
    let bytes = payload(1 << 20);
    let server = Server::start([("/f", Script::File(bytes.clone()))]).await;
    let part = file(server.url("/f"), 0, bytes.len() as u64, bytes.len() as u64);
    let mut running = Running::start(client(), fetch(vec![part], 1000));
    let mut waiting = Vec::new();
    while waiting.len() < limits::WEBSEED_INPUTS_MAX {
        waiting.push(running.inbox.recv().await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(running.inbox.try_recv().is_err(), "none comes while these wait");
    let mut came = 0;
    let mut count = |said: ToDriver| {
        let ToDriver::Heard(heard) = said else { panic!("{said:?}") };
        match heard.input() {
            Input::Fetched { blocks, .. } => {
                assert!(blocks.len() <= limits::WEBSEED_BLOCKS_PER_INPUT_MAX);
                came += blocks.len();
            }
            Input::FetchAnswered { .. } => {}
            Input::FetchEnded { result, .. } => assert_eq!(result, Ok(())),
            other => panic!("{other:?}"),
        }
    };
    waiting.into_iter().for_each(&mut count);
    while let Some(said) = running.inbox.recv().await {
        count(said);
    }
    assert_eq!(came, bytes.len().div_ceil(1000));
}

#[tokio::test]
async fn dropping_the_handle_closes_the_connection_at_once() {
    let head = response("206 Partial Content", "content-range: bytes 0-9999/10000\r\n", &payload(10_000));
    let server = Server::start([
        ("/body", Script::Stall(head[..head.len() - 5_000].to_vec())),
        ("/head", Script::Stall(Vec::new())),
    ])
    .await;
    for path in ["/body", "/head"] {
        let mut running =
            Running::start(client(), fetch(vec![file(server.url(path), 0, 10_000, 10_000)], 1000));
        let asked = server.seen().len();
        if path == "/body" {
            while !matches!(running.next().await, Input::Fetched { .. }) {}
        }
        let wait = async |done: &dyn Fn() -> bool| {
            while !done() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        wait(&|| server.open() == 1 && server.seen().len() >= asked).await;
        drop(running.handle);
        let closed = tokio::time::timeout(Duration::from_secs(1), wait(&|| server.open() == 0)).await;
        assert!(closed.is_ok(), "{path}: it is closed within a second");
        while let Some(said) = running.inbox.recv().await {
            let ToDriver::Heard(heard) = said else { panic!("{said:?}") };
            assert!(!matches!(heard.input(), Input::FetchEnded { .. }), "no end follows");
        }
    }
}
