//! Where a webseed may lead us, and what it is told.

use super::*;
use crate::limits;

use FetchErrorKind::{Forbidden, Trouble};

const WHOLE: u64 = 3_000;

fn whole(url: String) -> Fetch {
    fetch(vec![file(url, 0, WHOLE, WHOLE)], 1000)
}

fn good() -> Script {
    Script::File(payload(WHOLE as usize))
}

#[tokio::test]
async fn paths_arrive_as_they_were_written() {
    let target = "/a%20b/%23x/%3F%25/%C3%A9;v=1/~(x)+&'";
    let server = Server::start([(target, good())]).await;
    assert_eq!(run(client(), whole(server.url(target))).await.result, Ok(()));
    let seen = &server.seen()[0];
    assert_eq!(seen.target(), target);
    assert_eq!(seen.header("range"), Some("bytes=0-2999"));
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    assert_eq!(seen.header("user-agent"), Some(concat!("unchoke/", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test]
async fn credentials_go_to_their_own_origin_only() {
    let other = Server::start([("/g", good())]).await;
    let away: &'static str = other.url("/g").leak();
    let server = Server::start([("/here", redirect("/f")), ("/f", good()), ("/away", redirect(away))]).await;
    let url = |path: &str| format!("http://us%40er:pa%3Ass@{}{path}", server.address);
    for path in ["/f", "/here", "/away"] {
        assert_eq!(run(client(), whole(url(path))).await.result, Ok(()), "{path}");
    }
    // us@er:pa:ss
    let basic = Some("Basic dXNAZXI6cGE6c3M=");
    assert!(server.seen().iter().all(|seen| seen.header("authorization") == basic));
    assert_eq!(server.seen().len(), 4);
    assert_eq!(other.seen().len(), 1);
    assert_eq!(other.seen()[0].header("authorization"), None);
    assert_eq!(other.seen()[0].header("referer"), None);
    assert_eq!(other.seen()[0].header("range"), Some("bytes=0-2999"));
}

#[tokio::test]
async fn redirects_do_not_lead_anywhere() {
    let server = Server::start([
        ("/cloud", redirect("http://169.254.169.254/latest/meta-data")),
        ("/file", redirect("file:///etc/passwd")),
        ("/query", redirect("/f?reboot=1")),
        ("/loop", redirect("/loop")),
        ("/f", good()),
        ("/5", redirect("/4")),
        ("/4", redirect("/3")),
        ("/3", redirect("/2")),
        ("/2", redirect("/1")),
        ("/1", redirect("/f")),
        ("/6", redirect("/5")),
        ("/f?reboot=1", good()),
    ])
    .await;
    for path in ["/cloud", "/file", "/query"] {
        let (kind, message) = run(client(), whole(server.url(path))).await.failed();
        assert!(kind == Forbidden && message.contains("blocked by policy"), "{path}: {message}");
    }
    for path in ["/loop", "/6"] {
        let (kind, message) = run(client(), whole(server.url(path))).await.failed();
        let why = format!("more than {} redirects", limits::HTTP_REDIRECTS_MAX);
        assert!(kind == Trouble && message.contains(&why), "{path}: {message}");
    }
    assert_eq!(run(client(), whole(server.url("/5"))).await.result, Ok(()));
}

#[tokio::test]
async fn a_torrent_cannot_make_us_send_queries_to_what_only_we_reach() {
    let of_piece = "/s?info_hash=x&piece=1&ranges=0-9";
    let sly = "/s?info_hash=1&cmd=reboot&info_hash=x&piece=1&ranges=0-9";
    let server = Server::start([("/f?a=b", good()), (of_piece, good()), (sly, good())]);
    let server = server.await;
    let (kind, message) = run(client(), whole(server.url("/f?a=b"))).await.failed();
    assert!(kind == Forbidden && message.contains("must not be asked"), "{message}");
    let by_hand = Fetch { by_hand: true, ..whole(server.url("/f?a=b")) };
    assert_eq!(run(client(), by_hand).await.result, Ok(()));
    let piece = |path: &str| fetch(vec![FetchPart::Piece { url: server.url(path), bytes: WHOLE }], 1000);
    assert_eq!(run(client(), piece(of_piece)).await.result, Ok(()));
    for other in [
        sly,
        "/s?a&info_hash=x&piece=1&ranges=0-9",
        "/s?info_hash=x&piece=reboot&ranges=0-9",
        "/s?info_hash=x&piece=1&ranges=0-9;reboot",
        "/s?info_hash=x",
    ] {
        assert_eq!(run(client(), piece(other)).await.failed().0, Forbidden, "{other}");
    }
    assert_eq!(server.seen().len(), 2, "the others were not even asked");
}

#[tokio::test]
async fn what_is_no_url_of_ours_is_forbidden() {
    for url in ["", "/relative", "ftp://seed.example/f", "http://", "http://169.254.169.254/f"] {
        let by_hand = Fetch { by_hand: true, ..whole(url.to_owned()) };
        assert_eq!(run(client(), by_hand).await.failed().0, Forbidden, "{url}");
    }
}

#[tokio::test]
async fn failures_to_connect_are_named() {
    let server = Server::start([("/f", Script::Raw(b"nonsense\r\n\r\n".to_vec()))]).await;
    let secure = format!("https://{}/f", server.address);
    // A plain server waits for the end of a head, which no TLS greeting has; this one answers at once.
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain_url = format!("https://{}/f", plain.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad\r\n\r\n").await.unwrap();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut Vec::new()).await;
    });
    let (kind, message) = run(client(), whole(plain_url)).await.failed();
    assert!(kind == Trouble && message.contains("TLS failed"), "{message}");
    let (kind, message) = run(impatient_for_heads(), whole(secure)).await.failed();
    assert!(kind == Trouble && message.contains("no answer in"), "{message}");
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed_url = format!("http://{}/f", closed.local_addr().unwrap());
    drop(closed);
    let (kind, message) = run(client(), whole(closed_url)).await.failed();
    assert!(kind == Trouble && message.contains("refused"), "{message}");
    let (kind, message) = run(client(), whole(server.url("/f"))).await.failed();
    assert!(kind == Trouble && message.contains("HTTP"), "{message}");
}
