//! Whatever a request of a webseed is waiting for, it ends within a second of whatever ends it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use unchoke::contract::{AddRequest, Answer, Command, RemoveData, Source, WebseedAction, WebseedState};
use unchoke::limits;
use unchoke::metainfo::{Kind, create};
use unchoke::session::{Handle, Running};
use unchoke::units::{Rate, TorrentId, WebseedKey};

use crate::session::{add, engine, request};

/// In what state a request is when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The server takes the connection and says nothing, not even what TLS begins with.
    Handshake,
    /// It was asked and does not answer.
    Head,
    /// It sent a part of the body and no more.
    Body,
    /// The rate limit allows no byte yet.
    Credit,
    /// It asked to be left alone for a while.
    BackOff,
}

/// What ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    RemoveWebseed,
    Disable,
    Pause,
    RemoveTorrent,
    Shutdown,
}

/// A server that stops at one stage.
struct Server {
    address: SocketAddr,
    /// Connections taken, and those of them that are open.
    taken: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

impl Server {
    async fn start(stage: Stage) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (taken, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (Arc::clone(&taken), Arc::clone(&open));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (taken, open) = (Arc::clone(&counts.0), Arc::clone(&counts.1));
                taken.fetch_add(1, SeqCst);
                open.fetch_add(1, SeqCst);
                tokio::spawn(async move {
                    serve(stream, stage).await;
                    open.fetch_sub(1, SeqCst);
                });
            }
        });
        Self { address, taken, open }
    }

    fn url(&self, stage: Stage) -> String {
        let scheme = if stage == Stage::Handshake { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }
}

/// Answers as the stage wants it, then waits for the other end to close.
async fn serve(mut stream: TcpStream, stage: Stage) {
    let mut head = Vec::new();
    if stage != Stage::Handshake {
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            head.push(byte);
        }
    }
    let answer = match stage {
        Stage::Handshake | Stage::Head | Stage::Credit => String::new(),
        Stage::BackOff => {
            "HTTP/1.1 503 Busy\r\nretry-after: 60\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                .to_owned()
        }
        Stage::Body => {
            let head = String::from_utf8(head).unwrap();
            let range = head.lines().find_map(|line| line.strip_prefix("range: bytes=")).unwrap();
            let (first, last) = range.split_once('-').unwrap();
            let bytes = last.parse::<u64>().unwrap() - first.parse::<u64>().unwrap() + 1;
            let head = "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes ";
            format!("{head}{range}/*\r\ncontent-length: {bytes}\r\n\r\nx")
        }
    };
    if stream.write_all(answer.as_bytes()).await.is_err() || stage == Stage::BackOff {
        return;
    }
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await.is_ok_and(|bytes| bytes > 0) {}
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let wait = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), wait).await.is_ok(), "{what}");
}

async fn webseed_state(handle: &Handle, torrent: TorrentId) -> (WebseedState, Option<u16>) {
    match handle.request(Command::Detail(torrent)).await.unwrap() {
        Answer::Detail(detail) => {
            (detail.webseeds[0].state, detail.webseeds[0].requests.first().and_then(|one| one.status))
        }
        other => panic!("{other:?}"),
    }
}

/// Waits until the request is where the stage has it.
async fn reach(stage: Stage, server: &Server, handle: &Handle, torrent: TorrentId) {
    let due = match stage {
        Stage::Handshake | Stage::Head | Stage::Credit => (WebseedState::Active, None),
        Stage::Body => (WebseedState::Active, Some(206)),
        Stage::BackOff => (WebseedState::BackingOff, None),
    };
    if stage != Stage::Credit {
        until("the server is asked", || server.taken.load(SeqCst) > 0).await;
    }
    let there = async {
        while webseed_state(handle, torrent).await != due {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), there).await.is_ok(), "{stage:?} is reached");
}

/// What is left of the webseed says that nothing is asked of it.
async fn assert_ended(what: End, handle: &Handle, torrent: TorrentId) {
    let rows = match handle.request(Command::Detail(torrent)).await {
        Ok(Answer::Detail(detail)) => Some(detail.webseeds.clone()),
        Ok(other) => panic!("{other:?}"),
        Err(_) => None,
    };
    match (what, rows.as_deref()) {
        (End::RemoveTorrent, None) | (End::RemoveWebseed, Some([])) => {}
        (End::Disable, Some([row])) => assert_eq!(row.state, WebseedState::Disabled),
        (End::Pause, Some([row])) => assert_ne!(row.state, WebseedState::Active),
        (what, rows) => panic!("{what:?}: {rows:?}"),
    }
    let requests: usize = rows.iter().flatten().map(|row| row.requests.len()).sum();
    assert_eq!(requests, 0, "{what:?}");
}

/// Another torrent gets all the places that there are at the host.
async fn assert_its_place_is_free(url: &str, torrent: &[u8], handle: &Handle) {
    let other = AddRequest {
        source: Source::Bytes(torrent.to_vec()),
        webseeds: ["a/", "b/"].map(|folder| format!("{url}{folder}")).to_vec(),
        ..request(Vec::new())
    };
    let other = add(handle, other).await;
    let all = async {
        loop {
            let Answer::Detail(detail) = handle.request(Command::Detail(other)).await.unwrap() else {
                panic!()
            };
            let requests: usize = detail.webseeds.iter().map(|row| row.requests.len()).sum();
            if requests == limits::HOST_REQUESTS as usize {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(2), all).await.is_ok(), "all places are free");
}

async fn end(end: End, handle: &Handle, running: Running, torrent: TorrentId) -> Option<Running> {
    let webseed = |action| Command::Webseed { torrent, action };
    let command = match end {
        End::RemoveWebseed => webseed(WebseedAction::Remove(WebseedKey(0))),
        End::Disable => webseed(WebseedAction::Disable(WebseedKey(0))),
        End::Pause => Command::Pause(torrent),
        End::RemoveTorrent => Command::Remove { torrent, data: RemoveData::Keep },
        End::Shutdown => Command::Shutdown,
    };
    handle.request(command).await.unwrap();
    if end != End::Shutdown {
        return Some(running);
    }
    running.ended().await.unwrap();
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_44_in_each_state_of_a_request_whatever_ends_it_does_so_within_a_second() {
    // Large enough for eight requests at a time.
    let other = create::from_memory("other", 1 << 20, &[("a.bin", &vec![0; 40 << 20])], Kind::V1).unwrap();
    for stage in [Stage::Handshake, Stage::Head, Stage::Body, Stage::Credit, Stage::BackOff] {
        for what in [End::RemoveWebseed, End::Disable, End::Pause, End::RemoveTorrent, End::Shutdown] {
            let folder = tempfile::tempdir().unwrap();
            let server = Server::start(stage).await;
            let (handle, running) = engine(folder.path()).await;
            if stage == Stage::Credit {
                let limits = Command::SetLimits { down: Some(Rate(1)), up: None };
                handle.request(limits).await.unwrap();
            }
            let torrent = AddRequest { webseeds: vec![server.url(stage)], ..request(Vec::new()) };
            let torrent = add(&handle, torrent).await;
            reach(stage, &server, &handle, torrent).await;
            let ended = async {
                let running = end(what, &handle, running, torrent).await;
                until("all connections are closed", || server.open.load(SeqCst) == 0).await;
                running
            };
            let ended = tokio::time::timeout(Duration::from_secs(1), ended).await;
            let running = ended.unwrap_or_else(|_| panic!("{stage:?}, {what:?}: it ends within a second"));
            if let Some(running) = running {
                assert_ended(what, &handle, torrent).await;
                if stage != Stage::BackOff {
                    assert_its_place_is_free(&server.url(stage), &other, &handle).await;
                }
                crate::session::end(handle, running).await;
            }
        }
    }
}
