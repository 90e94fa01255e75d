//! A relay between us and a peer that notes when each request passes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::process::loopback;

const HANDSHAKE_BYTES: usize = 68;
const REQUEST: u8 = 6;

/// A request that passed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) piece: u32,
}

/// The relay. Its threads end with the connections.
pub(crate) struct WireTap {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl WireTap {
    /// Relays whoever calls to the peer at this port.
    pub(crate) fn start(peer: u16) -> Self {
        let listener = TcpListener::bind(loopback(0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        std::thread::spawn(move || {
            for caller in listener.incoming().map_while(Result::ok) {
                let Ok(called) = TcpStream::connect(loopback(peer)) else { return };
                let _ = (caller.set_nodelay(true), called.set_nodelay(true));
                let (from_peer, to_us) = (called.try_clone().unwrap(), caller.try_clone().unwrap());
                std::thread::spawn(move || relay(from_peer, to_us, |_| {}));
                let notes = Arc::clone(&notes);
                std::thread::spawn(move || {
                    let mut reader = FrameReader::default();
                    relay(caller, called, |bytes| reader.take(bytes, &notes));
                });
            }
        });
        Self { port, seen }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The requests that we have sent so far.
    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, mut note: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 {
            break;
        }
        note(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
}

/// Cuts what we send into messages and notes the requests among them.
#[derive(Default)]
struct FrameReader {
    bytes: Vec<u8>,
    shook_hands: bool,
}

impl FrameReader {
    fn take(&mut self, bytes: &[u8], notes: &Mutex<Vec<Seen>>) {
        self.bytes.extend_from_slice(bytes);
        if !self.shook_hands {
            if self.bytes.len() < HANDSHAKE_BYTES {
                return;
            }
            self.bytes.drain(..HANDSHAKE_BYTES);
            self.shook_hands = true;
        }
        let mut at = 0;
        while let Some(head) = self.bytes.get(at..at + 4) {
            let end = at + 4 + u32::from_be_bytes(head.try_into().unwrap()) as usize;
            let Some(message) = self.bytes.get(at + 4..end) else { break };
            if let [REQUEST, a, b, c, d, ..] = *message {
                let seen = Seen { at: Instant::now(), piece: u32::from_be_bytes([a, b, c, d]) };
                notes.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
            }
            at = end;
        }
        self.bytes.drain(..at);
    }
}
