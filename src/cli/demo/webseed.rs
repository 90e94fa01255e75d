//! The demo's webseed: files of one torrent over HTTP on loopback (BEP 19), slowly, and failing when it is asked to.
//!
//! One connection is one request. It knows the files by their paths and serves nothing else.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::chaos::{Failing, fails};
use super::payload::MappedPayload;
use super::tracker::percent_decoded;
use crate::inspect;
use crate::limits::{
    DEMO_CLIENTS_MAX, DEMO_PATIENCE, DEMO_REQUEST_BYTES_MAX, DEMO_WEBSEED_BYTES, DEMO_WEBSEED_PAUSE,
};

/// A port on which nothing is served yet: the torrent names it before there is a torrent to serve.
pub(super) struct Webseed {
    listener: TcpListener,
}

impl Webseed {
    /// Takes a free port.
    pub(super) async fn bind() -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await? })
    }

    /// What the torrent names.
    pub(super) fn url(&self) -> io::Result<String> {
        Ok(format!("http://{}/", self.listener.local_addr()?))
    }

    /// Serves the files of a torrent until the program ends.
    pub(super) fn serve(self, payload: MappedPayload, failing: Failing) {
        let serve = accept(self.listener, Arc::new(payload), failing);
        inspect::spawn("demo webseed: accept", serve).detach();
    }
}

async fn accept(listener: TcpListener, payload: Arc<MappedPayload>, failing: Failing) {
    let places = inspect::Semaphore::new("demo webseed: clients", DEMO_CLIENTS_MAX);
    loop {
        let place = places.acquire().await;
        let Ok((stream, _)) = inspect::reading(listener.accept()).await else {
            inspect::sleep(DEMO_PATIENCE).await;
            continue;
        };
        let (payload, failing) = (Arc::clone(&payload), Arc::clone(&failing));
        let answer = async move {
            // A client that goes away, or does not speak HTTP, gets nothing and costs nothing.
            let _ = serve(stream, &payload, &failing).await;
            drop(place);
        };
        inspect::spawn("demo webseed: request", answer).detach();
    }
}

async fn serve(mut stream: TcpStream, payload: &MappedPayload, failing: &Failing) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        let read = inspect::timeout(DEMO_PATIENCE, stream.read_buf(&mut request)).await??;
        if read == 0 || request.len() > DEMO_REQUEST_BYTES_MAX {
            return Ok(());
        }
    }
    if fails(failing) {
        return refuse(&mut stream, "503 Service Unavailable").await;
    }
    let files = payload.files_by_path();
    let Some(Asked { file, range }) = Asked::read(&request, &files) else {
        return refuse(&mut stream, "404 Not Found").await;
    };
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {}-{}/{}\r\nConnection: close\r\n\r\n",
        range.len(),
        range.start,
        range.end.saturating_sub(1),
        file.len()
    );
    stream.write_all(head.as_bytes()).await?;
    for part in file[range].chunks(DEMO_WEBSEED_BYTES) {
        stream.write_all(part).await?;
        // It must not be the fastest, or there would be nothing to look at.
        inspect::sleep(DEMO_WEBSEED_PAUSE).await;
        if fails(failing) {
            return Ok(());
        }
    }
    stream.shutdown().await
}

async fn refuse(stream: &mut TcpStream, status: &str) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.shutdown().await
}

/// What a request asks for.
struct Asked<'a> {
    file: &'a [u8],
    range: Range<usize>,
}

impl<'a> Asked<'a> {
    /// `None` where there is no such file, or no such part of it.
    fn read(request: &[u8], files: &BTreeMap<String, &'a [u8]>) -> Option<Self> {
        let request = std::str::from_utf8(request).ok()?;
        let mut lines = request.split("\r\n");
        let path = lines.next()?.strip_prefix("GET /")?.split(' ').next()?;
        let path = String::from_utf8(percent_decoded(path.as_bytes())?).ok()?;
        let file = *files.get(&path)?;
        let range = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("range").then_some(value.trim())
        });
        let range = match range {
            Some(range) => {
                let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
                let end =
                    if last.is_empty() { file.len() } else { last.parse::<usize>().ok()?.checked_add(1)? };
                first.parse().ok()?..end.min(file.len())
            }
            None => 0..file.len(),
        };
        (range.start < range.end).then_some(Self { file, range })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_a_known_file_is_served_and_nothing_else() {
        let files = BTreeMap::from([("a b/c.txt".to_owned(), &b"0123456789"[..])]);
        let asked = |request: &str| {
            Asked::read(request.as_bytes(), &files).map(|asked| asked.file[asked.range].to_vec())
        };
        let get = |line: &str| asked(&format!("GET /a%20b/c.txt HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n"));
        assert_eq!(get("range: bytes=2-4").unwrap(), b"234");
        assert_eq!(get("Range: bytes=7-").unwrap(), b"789");
        assert_eq!(get("Range: bytes=7-99").unwrap(), b"789");
        assert_eq!(get("Accept: */*").unwrap(), b"0123456789");
        for odd in ["Range: bytes=10-12", "Range: bytes=4-2", "Range: bytes=x-2", "Range: lines=1-2"] {
            assert_eq!(get(odd), None, "{odd}");
        }
        assert_eq!(asked("GET /../../etc/passwd HTTP/1.1\r\n\r\n"), None);
        assert_eq!(asked("PUT /a%20b/c.txt HTTP/1.1\r\n\r\n"), None);
    }
}
