//! An HTTP tracker that gives every caller the same answer and remembers what it was asked.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::process::loopback;

/// How long a caller may take to send its request.
const REQUEST_MAX: Duration = Duration::from_secs(5);
/// Longest request head that is read; an announce is a few hundred bytes.
const REQUEST_BYTES_MAX: usize = 16 * 1024;

pub(crate) struct StubTracker {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl StubTracker {
    /// A tracker that answers every announce with this peer, compact (BEP 23).
    pub(crate) fn with_peer(peer: SocketAddr) -> Self {
        let SocketAddr::V4(peer) = peer else { panic!("compact answers of the stub are IPv4") };
        let mut body = b"d8:intervali5e12:min intervali5e5:peers6:".to_vec();
        body.extend_from_slice(&peer.ip().octets());
        body.extend_from_slice(&peer.port().to_be_bytes());
        body.push(b'e');
        Self::answering("text/plain", body)
    }

    /// A tracker that knows nobody.
    pub(crate) fn without_peers() -> Self {
        Self::answering("text/plain", b"d8:intervali5e12:min intervali5e5:peers0:e".to_vec())
    }

    /// A server that answers every request with this body.
    pub(crate) fn answering(content_type: &'static str, body: Vec<u8>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                if let Some(line) = read_request_line(&mut stream) {
                    // The end of the stub: its own call from `drop`.
                    if line.starts_with("STOP ") {
                        return;
                    }
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            }
        });
        Self { port, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/announce", self.port)
    }

    /// The request lines so far, oldest first.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for StubTracker {
    fn drop(&mut self) {
        if let Ok(mut stream) = std::net::TcpStream::connect(loopback(self.port)) {
            let _ = stream.write_all(b"STOP / HTTP/1.0\r\n\r\n");
        }
    }
}

fn read_request_line(stream: &mut std::net::TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(REQUEST_MAX)).ok()?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = stream.read(&mut chunk).ok()?;
        if count == 0 || bytes.len() > REQUEST_BYTES_MAX {
            return None;
        }
        bytes.extend_from_slice(&chunk[..count]);
    }
    String::from_utf8_lossy(&bytes).lines().next().map(str::to_owned)
}
