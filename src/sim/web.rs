//! Webseeds: servers with latency and a rate, that refuse, stall, close midway, lack files or have other versions of them.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::events::Happening;
use super::world::{NodeId, World};
use crate::contract::Untrusted;
use crate::engine::budget::HostMessage;
use crate::engine::io::{Fetch, FetchError, FetchErrorKind, FetchHead, FetchPart, HostAsk, HostKey, Input};
use crate::units::{FetchId, FileIndex, Time};

/// Blocks that arrive together.
const BLOCKS_PER_ARRIVAL: usize = 4;

/// A server.
#[derive(Clone, Debug)]
pub struct WebServer {
    /// From a request to the head of its answer.
    pub latency: Duration,
    /// Bytes per second of one request.
    pub bps: u64,
    /// What it does wrong.
    pub fault: WebFault,
    /// Files that it does not have.
    pub lacking: BTreeSet<FileIndex>,
    /// Files of which it has another version.
    pub stale: BTreeSet<FileIndex>,
    /// When it was asked, and by whom.
    pub asked: Vec<(Time, NodeId)>,
    /// Payload bytes that it sent.
    pub sent_bytes: u64,
}

impl WebServer {
    /// One that does everything right.
    pub fn good() -> Self {
        Self {
            latency: Duration::from_millis(20),
            bps: 2_000_000,
            fault: WebFault::None,
            lacking: BTreeSet::new(),
            stale: BTreeSet::new(),
            asked: Vec::new(),
            sent_bytes: 0,
        }
    }
}

/// What a server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebFault {
    /// Nothing.
    None,
    /// It answers with a status, and says how many seconds to wait.
    Refuses {
        /// The status.
        status: u16,
        /// Retry-After.
        retry_after_s: Option<u64>,
    },
    /// It sends so many bytes of each request and then no more, for the shell's 20 s.
    StallsAfter(u64),
    /// It sends so many bytes of each request and closes.
    ClosesAfter(u64),
    /// It is not there.
    Down,
}

/// How long a server may be silent before the shell gives a request up.
const SILENCE: Duration = Duration::from_secs(20);

/// A request under way.
#[derive(Debug)]
pub(super) struct WebRequest {
    server: usize,
    blocks: VecDeque<Bytes>,
    sent_bytes: u64,
    credit: Option<u64>,
    /// It waits for credit.
    waits: bool,
    error: Option<FetchError>,
}

impl World {
    /// Adds a server; gives the URL of its webseed.
    pub fn add_web_server(&mut self, server: WebServer) -> String {
        self.web.push(server);
        format!("http://web{}.sim/", self.web.len() - 1)
    }

    /// A server.
    pub fn web_server(&mut self, number: usize) -> &mut WebServer {
        &mut self.web[number]
    }

    pub(super) fn begin_fetch(&mut self, id: NodeId, fetch: Fetch) {
        let now = self.now;
        let number = fetch.parts.iter().find_map(server_of).unwrap_or(0);
        let Some(server) = self.web.get_mut(number) else { return };
        server.asked.push((now, id));
        let (latency, fault) = (server.latency, server.fault);
        let lacking =
            fetch.parts.iter().filter_map(FetchPart::file).find(|file| server.lacking.contains(file));
        let stale = server.stale.clone();
        let error = match (fault, lacking) {
            (WebFault::Refuses { status, retry_after_s }, _) => {
                Some(failed(FetchErrorKind::Trouble, first_file(&fetch), Some(status), retry_after_s))
            }
            (WebFault::Down, _) => Some(failed(FetchErrorKind::Trouble, None, None, None)),
            (_, Some(file)) => Some(failed(FetchErrorKind::NotThere, Some(file), Some(404), None)),
            (_, None) => None,
        };
        let bytes = self.bytes_of(&fetch, &stale);
        let mut blocks = VecDeque::with_capacity(fetch.blocks.len());
        let mut at = 0;
        for length in &fetch.blocks {
            let end = at + *length as usize;
            blocks.push_back(bytes.slice(at..end));
            at = end;
        }
        let request = WebRequest {
            server: number,
            blocks: if error.is_some() { VecDeque::new() } else { blocks },
            sent_bytes: 0,
            credit: fetch.credit,
            waits: false,
            error,
        };
        let Some(node) = self.engine_mut(id) else { return };
        node.fetches.insert(fetch.id, request);
        let epoch = node.epoch;
        if fault != WebFault::Down {
            let status = match fault {
                WebFault::Refuses { status, .. } => status,
                _ if lacking.is_some() => 404,
                _ => 206,
            };
            let head = FetchHead { status, protocol: "HTTP/1.1", latency_us: 1000, skip_bytes: 0 };
            self.input_after(latency, id, Input::FetchAnswered { fetch: fetch.id, head });
        }
        self.events.push(now + latency, Happening::WebStep { node: id, epoch, fetch: fetch.id });
    }

    /// The bytes that a server has in place of what is asked for.
    fn bytes_of(&self, fetch: &Fetch, stale: &BTreeSet<FileIndex>) -> Bytes {
        let mut bytes = Vec::new();
        for part in &fetch.parts {
            let length = usize::try_from(part.bytes()).expect("a request is small");
            match part {
                FetchPart::File { file, offset, .. } if !stale.contains(file) => {
                    bytes.extend_from_slice(&self.payload.file_range(file.at(), *offset, length));
                }
                FetchPart::File { .. } => bytes.extend(std::iter::repeat_n(0xaa, length)),
                FetchPart::Zeros { .. } | FetchPart::Piece { .. } => {
                    bytes.extend(std::iter::repeat_n(0, length));
                }
            }
        }
        bytes.into()
    }

    /// The next blocks of a request arrive, or it ends.
    pub(super) fn web_step(&mut self, id: NodeId, epoch: u32, fetch: FetchId) {
        let now = self.now;
        let Some(node) = self.engine_mut(id).filter(|node| node.epoch == epoch) else { return };
        let Some(request) = node.fetches.get_mut(&fetch) else { return };
        let server = request.server;
        let mut blocks = Vec::new();
        while blocks.len() < BLOCKS_PER_ARRIVAL
            && let Some(next) = request.blocks.front()
        {
            let bytes = next.len() as u64;
            if request.credit.is_some_and(|credit| credit < bytes) {
                break;
            }
            request.credit = request.credit.map(|credit| credit - bytes);
            request.sent_bytes += bytes;
            blocks.extend(request.blocks.pop_front());
        }
        let (sent, done, error) = (request.sent_bytes, request.blocks.is_empty(), request.error.clone());
        request.waits = blocks.is_empty() && !done;
        let waits = request.waits;
        let bytes: u64 = blocks.iter().map(|block| block.len() as u64).sum();
        self.web[server].sent_bytes += bytes;
        let (fault, bps) = (self.web[server].fault, self.web[server].bps.max(1));
        let cut = match fault {
            WebFault::StallsAfter(most) if sent >= most && !done => Some(SILENCE),
            WebFault::ClosesAfter(most) if sent >= most && !done => Some(Duration::ZERO),
            _ => None,
        };
        if !blocks.is_empty() {
            self.input_after(Duration::ZERO, id, Input::Fetched { fetch, blocks });
        }
        if let Some(after) = cut {
            let error = failed(FetchErrorKind::Trouble, None, None, None);
            self.end_web_request(id, fetch);
            self.input_after(after, id, Input::FetchEnded { fetch, result: Err(error) });
        } else if done {
            self.end_web_request(id, fetch);
            self.input_after(
                Duration::ZERO,
                id,
                Input::FetchEnded { fetch, result: error.map_or(Ok(()), Err) },
            );
        } else if !waits {
            let takes = Duration::from_micros((bytes * 1_000_000 / bps).max(1));
            self.events.push(now + takes, Happening::WebStep { node: id, epoch, fetch });
        }
    }

    pub(super) fn credit_fetch(&mut self, id: NodeId, fetch: FetchId, bytes: u64) {
        let now = self.now;
        let Some(node) = self.engine_mut(id) else { return };
        let epoch = node.epoch;
        let Some(request) = node.fetches.get_mut(&fetch) else { return };
        request.credit = request.credit.map(|credit| credit.saturating_add(bytes));
        if std::mem::take(&mut request.waits) {
            self.events.push(now, Happening::WebStep { node: id, epoch, fetch });
        }
    }

    pub(super) fn end_web_request(&mut self, id: NodeId, fetch: FetchId) {
        if let Some(node) = self.engine_mut(id) {
            node.fetches.remove(&fetch);
        }
    }

    /// Places at hosts that an engine has.
    pub fn places_held(&self, id: NodeId) -> u32 {
        self.engine(id).map_or(0, |node| node.places.held(node.torrent.id()))
    }

    /// Says something of a host to those who hand out places, and hands on what they say.
    pub(super) fn tell_host_desk(&mut self, id: NodeId, host: &HostKey, ask: HostAsk) {
        let now = self.now();
        let Some(node) = self.engine_mut(id) else { return };
        node.places.take(now, node.torrent.id(), host, ask);
        for HostMessage { torrent: _, host, news } in node.places.messages() {
            self.input_after(Duration::ZERO, id, Input::Host { host, news });
        }
    }
}

/// The server of a part's URL.
fn server_of(part: &FetchPart) -> Option<usize> {
    let (FetchPart::File { url, .. } | FetchPart::Piece { url, .. }) = part else { return None };
    url.strip_prefix("http://web")?.split('.').next()?.parse().ok()
}

fn first_file(fetch: &Fetch) -> Option<FileIndex> {
    fetch.parts.iter().find_map(FetchPart::file)
}

fn failed(
    kind: FetchErrorKind,
    file: Option<FileIndex>,
    status: Option<u16>,
    retry_after_s: Option<u64>,
) -> FetchError {
    let message =
        status.map_or("the connection was closed".to_owned(), |status| format!("HTTP status {status}"));
    FetchError { kind, file, status, retry_after_s, message: Untrusted::new(message) }
}
