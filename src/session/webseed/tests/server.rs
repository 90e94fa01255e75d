//! A scripted web server: one answer for each path.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How a path is answered.
#[derive(Clone, Debug)]
pub(super) enum Script {
    /// A file: ranges where they are asked, as a good server does.
    File(Vec<u8>),
    /// A file whose ranges come in chunks of this many bytes (Transfer-Encoding).
    Chunked(Vec<u8>, usize),
    /// These bytes, head and all, whatever was asked; then the connection is closed.
    Raw(Vec<u8>),
    /// These bytes, then nothing, with the connection open.
    Stall(Vec<u8>),
}

/// A request that came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Which connection it came over.
    pub(super) connection: usize,
    pub(super) head: String,
}

impl Seen {
    pub(super) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

#[derive(Debug, Default)]
struct Log {
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    written_bytes: AtomicU64,
}

/// A running server; it ends with its runtime.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    log: Arc<Log>,
}

impl Server {
    pub(super) async fn start(scripts: impl IntoIterator<Item = (&'static str, Script)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Log::default());
        let scripts: BTreeMap<&str, Script> = scripts.into_iter().collect();
        let shared = Arc::new((scripts, Arc::clone(&log)));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let (scripts, log) = &*shared;
                    log.open.fetch_add(1, SeqCst);
                    let connection = log.connections.fetch_add(1, SeqCst);
                    serve(stream, connection, scripts, log).await;
                    log.open.fetch_sub(1, SeqCst);
                });
            }
        });
        Self { address, log }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.log.seen.lock().unwrap().clone()
    }

    /// Connections that are open now.
    pub(super) fn open(&self) -> usize {
        self.log.open.load(SeqCst)
    }

    pub(super) fn written_bytes(&self) -> u64 {
        self.log.written_bytes.load(SeqCst)
    }
}

async fn serve(mut stream: TcpStream, connection: usize, scripts: &BTreeMap<&str, Script>, log: &Log) {
    loop {
        let Some(head) = read_head(&mut stream).await else { return };
        let seen = Seen { connection, head };
        log.seen.lock().unwrap().push(seen.clone());
        let script = scripts.get(seen.target()).cloned();
        let script = script.unwrap_or_else(|| Script::Raw(response("404 Not Found", "", b"no")));
        let (bytes, then) = match script {
            Script::File(file) => (file_answer(&seen, &file, None), Then::Next),
            Script::Chunked(file, chunk) => (file_answer(&seen, &file, Some(chunk)), Then::Next),
            Script::Raw(bytes) => (bytes, Then::Close),
            Script::Stall(bytes) => (bytes, Then::Hold),
        };
        for part in bytes.chunks(64 * 1024) {
            if stream.write_all(part).await.is_err() {
                return;
            }
            log.written_bytes.fetch_add(part.len() as u64, SeqCst);
        }
        match then {
            Then::Next => {}
            Then::Close => return,
            Then::Hold => {
                let _ = stream.read_u8().await;
                return;
            }
        }
    }
}

/// What follows an answer.
enum Then {
    Next,
    Close,
    Hold,
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// A range of a file, or all of it.
fn file_answer(seen: &Seen, file: &[u8], chunk_bytes: Option<usize>) -> Vec<u8> {
    let range = seen.header("range").map(|range| {
        let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        first.parse::<usize>().unwrap()..last.parse::<usize>().unwrap() + 1
    });
    let (status, headers, body) = match range {
        Some(range) => {
            let (first, last, total) = (range.start, range.end - 1, file.len());
            let header = format!("content-range: bytes {first}-{last}/{total}\r\n");
            ("206 Partial Content", header, &file[range])
        }
        None => ("200 OK", String::new(), file),
    };
    let Some(chunk_bytes) = chunk_bytes else {
        return response(status, &headers, body);
    };
    let head = format!("HTTP/1.1 {status}\r\n{headers}transfer-encoding: chunked\r\n\r\n");
    let chunk = |chunk: &[u8]| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
    let mut answer = head.into_bytes();
    body.chunks(chunk_bytes).for_each(|part| answer.extend(chunk(part)));
    answer.extend(b"0\r\n\r\n");
    answer
}

/// An answer with its right length.
pub(super) fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    [format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n").as_bytes(), body].concat()
}

pub(super) fn redirect(target: &str) -> Script {
    Script::Raw(response("302 Found", &format!("location: {target}\r\nconnection: close\r\n"), b""))
}
