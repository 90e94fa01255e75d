//! Servers that answer wrongly, or say no.

use super::*;
use crate::limits;

use FetchErrorKind::{NotThere, Trouble};

/// Bytes 1000 to 2999 of 10,000, answered with these bytes.
async fn answered(raw: Vec<u8>) -> Outcome {
    run_script(Script::Raw(raw), 1000, 2000, 10_000).await
}

fn partial(content_range: &str, body: &[u8]) -> Vec<u8> {
    response("206 Partial Content", &format!("content-range: {content_range}\r\n"), body)
}

#[tokio::test]
async fn a_range_is_used_whether_its_total_is_told_or_not() {
    let file = payload(10_000);
    for range in ["bytes 1000-2999/10000", "bytes 1000-2999/*", "Bytes 1000-2999/10000"] {
        let outcome = answered(partial(range, &file[1000..3000])).await;
        assert_eq!(outcome.result, Ok(()), "{range}");
        assert_eq!(outcome.bytes(), file[1000..3000], "{range}");
        assert_eq!(outcome.heads.len(), 1);
        assert_eq!((outcome.heads[0].status, outcome.heads[0].protocol), (206, "HTTP/1.1"));
        assert!(outcome.heads[0].latency_us > 0);
    }
}

#[tokio::test]
async fn another_range_than_asked_is_not_used() {
    let body = payload(2000);
    let cases = [
        ("bytes 0-1999/10000", "the server sends bytes 0-1999, asked were 1000-2999"),
        ("bytes 1000-1999/10000", "the server sends bytes 1000-1999, asked were 1000-2999"),
        ("bytes 1000-3999/10000", "the server sends bytes 1000-3999, asked were 1000-2999"),
        ("bytes 1000-2999/10001", "the file on the server has 10001 bytes, that of the torrent 10000"),
        ("bytes */10000", "the server sends what is no range of bytes: bytes */10000"),
        ("pages 1-2/3", "the server sends what is no range of bytes: pages 1-2/3"),
        ("bytes +1000-2999/10000", "no range of bytes"),
    ];
    for (range, why) in cases {
        let outcome = answered(partial(range, &body)).await;
        let (kind, message) = outcome.failed();
        assert!(outcome.blocks.is_empty() && kind == NotThere && message.contains(why), "{message}");
        assert_eq!(outcome.result.unwrap_err().file, Some(FileIndex(7)));
    }
    let silent = answered(response("206 Partial Content", "", &body)).await;
    assert_eq!(silent.failed().0, NotThere);
    let encoded = "content-range: bytes 1000-2999/10000\r\ncontent-encoding: gzip\r\n";
    let encoded = answered(response("206 Partial Content", encoded, &body)).await;
    let (kind, message) = encoded.failed();
    assert!(kind == NotThere && message.contains("gzip"), "{message}");
}

#[tokio::test]
async fn the_whole_file_in_place_of_a_range_is_used_where_that_is_cheap() {
    let file = payload(10_000);
    let outcome = answered(response("200 OK", "", &file)).await;
    assert_eq!((outcome.result.clone(), outcome.bytes()), (Ok(()), file[1000..3000].to_vec()));
    let all = run_script(Script::Raw(response("200 OK", "", &file)), 0, 10_000, 10_000).await;
    assert_eq!((all.result.clone(), all.bytes()), (Ok(()), file.clone()));
    let (kind, message) = answered(response("200 OK", "", &file[..9_999])).await.failed();
    assert!(kind == NotThere && message.contains("9999 bytes") && message.contains("10000"), "{message}");
    let far = limits::WEBSEED_SKIP_BYTES_MAX + 1;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", far + 10).into_bytes();
    let (kind, message) = run_script(Script::Raw(head), far, 10, far + 10).await.failed();
    assert!(kind == NotThere && message.contains("ignores ranges"), "{message}");
}

#[tokio::test]
async fn a_body_that_ends_early_gives_what_came_and_is_named() {
    let file = payload(10_000);
    let mut cut = partial("bytes 1000-2999/10000", &file[1000..3000]);
    cut.truncate(cut.len() - 500);
    let short = partial("bytes 1000-2999/10000", &file[1000..2500]);
    for raw in [cut, short] {
        let outcome = answered(raw).await;
        let (kind, message) = outcome.failed();
        assert!(kind == Trouble && message.contains("ended after 1500 of 2000 bytes"), "{message}");
        assert_eq!(outcome.bytes(), file[1000..2000], "the one block that is whole");
        assert_eq!(outcome.result.unwrap_err().status, Some(206));
    }
}

#[tokio::test]
async fn bytes_past_the_range_are_ignored() {
    let file = payload(10_000);
    let outcome = answered(partial("bytes 1000-2999/10000", &file[1000..9000])).await;
    assert_eq!((outcome.result.clone(), outcome.bytes()), (Ok(()), file[1000..3000].to_vec()));
}

#[tokio::test]
async fn statuses_that_say_the_file_is_not_there_are_about_the_file() {
    for (line, status) in [
        ("404 Not Found", 404),
        ("403 Forbidden", 403),
        ("401 Unauthorized", 401),
        ("410 Gone", 410),
        ("416 Range Not Satisfiable", 416),
        ("451 No", 451),
        ("418 Teapot", 418),
    ] {
        let outcome = answered(response(line, "retry-after: 5\r\n", b"")).await;
        let (kind, message) = outcome.failed();
        assert!(kind == NotThere && message.contains(&format!("/f: HTTP status {status}")), "{message}");
        let error = outcome.result.unwrap_err();
        assert_eq!((error.file, error.status, error.retry_after_s), (Some(FileIndex(7)), Some(status), None));
        assert_eq!(outcome.heads[0].status, status);
    }
}

#[tokio::test]
async fn busy_servers_say_for_how_long() {
    let date = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:51:37 GMT\r\n";
    for (line, headers, status, wait) in [
        ("503 Busy", "retry-after: 120\r\n", 503, Some(120)),
        ("503 Busy", date, 503, Some(120)),
        ("503 Busy", "retry-after: 9999999\r\n", 503, Some(limits::WEBSEED_RETRY_AFTER_MAX.as_secs())),
        ("429 Too Many", "retry-after: 7\r\n", 429, Some(7)),
        ("429 Too Many", "", 429, None),
        ("500 Broken", "", 500, None),
        ("304 Not Modified", "", 304, None),
    ] {
        let outcome = answered(response(line, headers, b"")).await;
        let error = outcome.result.unwrap_err();
        assert_eq!((error.kind, error.status, error.retry_after_s), (Trouble, Some(status), wait), "{line}");
    }
}

#[tokio::test]
async fn a_piece_is_asked_as_bep_17_says() {
    let bytes = payload(5_000);
    let server = Server::start([
        ("/s?info_hash=%01&piece=3&ranges=0-4999", Script::Raw(response("200 OK", "", &bytes))),
        ("/s?info_hash=%01&piece=4&ranges=0-4999", Script::Raw(response("503 Busy", "", b"45\r\n"))),
        (
            "/s?info_hash=%01&piece=5&ranges=0-4999",
            Script::Raw(response("503 Busy", "retry-after: 9\r\n", b"busy")),
        ),
        ("/s?info_hash=%01&piece=6&ranges=0-4999", Script::Raw(response("200 OK", "", b"short"))),
    ])
    .await;
    let piece = async |number: u32| {
        let url = server.url(&format!("/s?info_hash=%01&piece={number}&ranges=0-4999"));
        run(client(), fetch(vec![FetchPart::Piece { url, bytes: 5_000 }], 1000)).await
    };
    let whole = piece(3).await;
    assert_eq!((whole.result.clone(), whole.bytes()), (Ok(()), bytes.clone()));
    assert_eq!(server.seen()[0].header("range"), None);
    let busy = piece(4).await.result.unwrap_err();
    assert_eq!((busy.kind, busy.retry_after_s, busy.file), (Trouble, Some(45), None));
    assert_eq!(piece(5).await.result.unwrap_err().retry_after_s, Some(9));
    let (kind, message) = piece(6).await.failed();
    assert!(kind == NotThere && message.contains("sends 5 bytes, asked were 5000"), "{message}");
    assert!(!message.contains("info_hash"), "{message}");
}
