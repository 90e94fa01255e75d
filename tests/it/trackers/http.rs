use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use unchoke::codec::tracker::{RetryIn, TrackerError};
use unchoke::session::discovery::{DiscoverySettings, FetchError, Http, fetch_torrent};

use super::{client, impatient, request};

const PEERS: &[u8] = b"d8:completei1e10:incompletei2e8:intervali900e5:peers6:\x0a\x00\x00\x01\x1a\xe1e";

/// Reads a request and gives its head.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// A server that answers each request with what `answer` makes of its head; gives its address.
async fn server(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let head = read_head(&mut stream).await;
                // The client may hang up in the middle: that is what some tests are about.
                let _ = stream.write_all(&answer(&head)).await;
            });
        }
    });
    address.to_string()
}

fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

fn redirect(target: &str) -> Vec<u8> {
    response("302 Found", &format!("location: {target}\r\n"), b"")
}

/// What an announce to a server with this one answer gives.
async fn announce_to(answer: Vec<u8>) -> Result<usize, TrackerError> {
    let host = server(move |_| answer.clone()).await;
    let client = client(DiscoverySettings::default());
    let answer = client.announce(&format!("http://{host}/announce"), &request()).await;
    answer.map(|answer| answer.peers.len())
}

fn is_blocked(result: &Result<usize, TrackerError>) -> bool {
    matches!(result, Err(TrackerError::Network(why)) if why.starts_with("blocked by policy"))
}

/// 20 MB of zeros in gzip: one literal, then copies of 258 bytes from one byte before, in fixed Huffman codes.
fn gzip_bomb() -> Vec<u8> {
    let mut bits: Vec<bool> = Vec::new();
    let mut push = |value: u32, count: u32| bits.extend((0..count).map(|bit| value >> bit & 1 == 1));
    push(0b1, 1); // the last block
    push(0b01, 2); // fixed codes
    push(0b0000_1100, 8); // literal 0: 00110000, high bit first
    for _ in 0..80_000 {
        push(0b1010_0011, 8); // length 258: 11000101, high bit first
        push(0, 5); // distance 1
    }
    let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    for byte in bits.chunks(8) {
        bomb.push(byte.iter().rev().fold(0, |sum, bit| sum << 1 | u8::from(*bit)));
    }
    bomb
}

#[tokio::test]
async fn an_announce_sends_exact_bytes_and_reads_peers() {
    let host = server(|head| {
        let right = head
            .starts_with("GET /announce?passkey=x&info_hash=%00%FF%20%25aaaaaaaaaaaaaaaa&peer_id=-UK0010-")
            && head.contains(concat!("user-agent: unchoke/", env!("CARGO_PKG_VERSION")))
            && head.contains("&event=started HTTP/1.1");
        if right { response("200 OK", "", PEERS) } else { response("400 Bad", "", b"") }
    })
    .await;
    let client = client(DiscoverySettings::default());
    let answer = client.announce(&format!("http://{host}/announce?passkey=x"), &request()).await.unwrap();
    assert_eq!(answer.peers, ["10.0.0.1:6881".parse().unwrap()]);
    assert_eq!(answer.interval_s, Some(900));
}

#[tokio::test]
async fn a_scrape_reads_counts() {
    let body = b"d5:filesd20:\x00\xff %aaaaaaaaaaaaaaaad8:completei3e10:downloadedi9e10:incompletei1eeee";
    let host = server(|head| {
        assert!(head.starts_with("GET /scrape?info_hash=%00%FF"), "{head}");
        response("200 OK", "", body)
    })
    .await;
    let client = client(DiscoverySettings::default());
    let counts = client.scrape(&format!("http://{host}/announce"), &request().info_hash).await.unwrap();
    assert_eq!((counts.seeds, counts.leeches, counts.downloads), (3, 1, 9));
}

#[tokio::test]
async fn a_web_page_and_an_error_status_are_named() {
    let page = announce_to(response("200 OK", "", b"<!DOCTYPE html><p>parked")).await;
    assert_eq!(page, Err(TrackerError::Malformed("the answer is a web page".to_owned())));
    let missing = announce_to(response("404 Not Found", "", b"<html>no")).await;
    assert_eq!(missing, Err(TrackerError::Status(404)));
    let gone = announce_to(response("410 Gone", "", b"")).await;
    assert_eq!(gone, Err(TrackerError::Status(410)));
}

#[tokio::test]
async fn a_refusal_counts_whatever_its_status() {
    let body = b"d14:failure reason3:no!8:retry in5:nevere";
    let refused = TrackerError::Refused { reason: "no!".to_owned(), retry: Some(RetryIn::Never) };
    assert_eq!(announce_to(response("200 OK", "", body)).await, Err(refused.clone()));
    assert_eq!(announce_to(response("403 Forbidden", "", body)).await, Err(refused));
}

#[tokio::test]
async fn a_gzip_bomb_is_cut_after_inflating() {
    let bomb = gzip_bomb();
    assert!(bomb.len() < 200_000);
    let cut = announce_to(response("200 OK", "content-encoding: gzip\r\n", &bomb)).await;
    assert_eq!(cut, Err(TrackerError::Malformed("the answer is larger than 1048576 bytes".to_owned())));
}

#[tokio::test]
async fn twenty_megabytes_are_cut() {
    let cut = announce_to(response("200 OK", "", &vec![b'd'; 20 << 20])).await;
    assert_eq!(cut, Err(TrackerError::Malformed("the answer is larger than 1048576 bytes".to_owned())));
}

#[tokio::test]
async fn an_endless_drip_ends_at_the_bound() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        let mut drip = tokio::time::interval(Duration::from_millis(20));
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        while stream.write_all(b"d").await.is_ok() {
            drip.tick().await;
        }
    });
    let outcome = client(impatient()).announce(&format!("http://{host}/announce"), &request()).await;
    assert!(matches!(outcome, Err(TrackerError::TimedOut(_))), "{outcome:?}");
}

#[tokio::test]
async fn redirects_are_followed_but_not_anywhere() {
    let good =
        server(
            |head| {
                if head.contains("/moved") { response("200 OK", "", PEERS) } else { redirect("/moved") }
            },
        );
    let client = client(DiscoverySettings::default());
    let moved = client.announce(&format!("http://{}/announce", good.await), &request()).await;
    assert_eq!(moved.map(|answer| answer.peers.len()), Ok(1));
    assert!(is_blocked(&announce_to(redirect("http://169.254.169.254/latest/meta-data")).await));
    assert!(is_blocked(&announce_to(redirect("file:///etc/passwd")).await));
    assert!(is_blocked(&announce_to(redirect("/announce")).await), "a loop");
}

#[tokio::test]
async fn a_torrent_cannot_make_us_call_other_paths_of_this_machine() {
    let host = server(|_| response("200 OK", "", PEERS)).await;
    let client = client(DiscoverySettings::default());
    for url in [format!("http://{host}/shutdown"), "http://169.254.169.254/announce".to_owned()] {
        let outcome = client.announce(&url, &request()).await;
        assert!(matches!(&outcome, Err(TrackerError::BadUrl(why)) if why.contains("policy")), "{outcome:?}");
    }
    let other = client.announce("wss://t.example/announce", &request()).await;
    assert!(matches!(other, Err(TrackerError::BadUrl(_))));
}

#[tokio::test]
async fn a_closed_port_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/announce", listener.local_addr().unwrap());
    drop(listener);
    let outcome = client(DiscoverySettings::default()).announce(&url, &request()).await;
    assert!(matches!(&outcome, Err(TrackerError::Network(why)) if why.contains("refused")), "{outcome:?}");
}

#[tokio::test]
async fn a_tls_failure_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 this is not https\r\n\r\n").await.unwrap();
        // Held open until the client gives up, so that what it sees is the answer and not the end.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let client = client(DiscoverySettings::default());
    let outcome = client.announce(&format!("https://{host}/announce"), &request()).await;
    assert!(
        matches!(&outcome, Err(TrackerError::Network(why)) if why.starts_with("TLS failed")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn at_most_fifty_announces_are_under_way_and_none_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/announce", listener.local_addr().unwrap());
    let most = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&most);
    tokio::spawn(async move {
        // The first fifty are answered only when all of them are here, so that the count reaches its top.
        let mut held = Vec::new();
        let open = Arc::new(AtomicUsize::new(0));
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            read_head(&mut stream).await;
            held.push(stream);
            if held.len() < 50 && counted.load(Ordering::SeqCst) < 50 {
                continue;
            }
            for mut stream in held.drain(..) {
                open.fetch_sub(1, Ordering::SeqCst);
                stream.write_all(&response("200 OK", "", PEERS)).await.unwrap();
            }
        }
    });
    let client = client(DiscoverySettings::default());
    let asks = (0..80).map(|_| {
        let (client, url) = (client.clone(), url.clone());
        tokio::spawn(async move { client.announce(&url, &request()).await.unwrap().peers.len() })
    });
    for ask in asks.collect::<Vec<_>>() {
        assert_eq!(ask.await.unwrap(), 1);
    }
    assert_eq!(most.load(Ordering::SeqCst), 50);
}

#[tokio::test]
async fn a_torrent_is_fetched_and_what_is_none_is_named() {
    let host = server(|head| match head.split(' ').nth(1).unwrap() {
        "/good.torrent" => response("200 OK", "", b"d4:infodee"),
        "/login?passkey=secret" => response("200 OK", "", b"<html>log in"),
        "/text" => response("200 OK", "", b"hello"),
        _ => response("404 Not Found", "", b""),
    })
    .await;
    let http = Http::new(DiscoverySettings::default());
    let fetch = async |path: &str| fetch_torrent(&http, &format!("http://{host}{path}")).await;
    assert_eq!(fetch("/good.torrent").await.as_deref(), Ok(&b"d4:infodee"[..]));
    let page = fetch("/login?passkey=secret").await.unwrap_err();
    assert!(matches!(page, FetchError::WebPage { .. }) && !page.to_string().contains("secret"), "{page}");
    assert!(matches!(fetch("/text").await, Err(FetchError::NotATorrent { bytes: 5, .. })));
    assert!(matches!(fetch("/none").await, Err(FetchError::Status { status: 404, .. })));
    assert!(matches!(fetch_torrent(&http, "ftp://t/x").await, Err(FetchError::Http { .. })));
}
