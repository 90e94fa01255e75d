//! UDP trackers: a connection id first, then the question, each sent again until it is answered (BEP 15).

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::Instant;
use url::Url;

use super::DiscoverySettings;
use super::address::Allowed;
use super::resolve::Resolver;
use crate::codec::tracker::{AnnounceAnswer, AnnounceRequest, ScrapeAnswer, TrackerError};
use crate::codec::tracker_udp::{
    Family, Reply, ReplyError, decode, encode_announce, encode_connect, encode_scrape,
};
use crate::inspect::{self, Lock};
use crate::limits::{TRACKER_CONNECTION_LIFE, TRACKER_CONNECTIONS_MAX, TRACKER_DATAGRAM_BYTES_MAX};

/// Asks UDP trackers.
#[derive(Debug)]
pub(super) struct UdpTrackers {
    settings: DiscoverySettings,
    resolver: Resolver,
    connections: Lock<BTreeMap<SocketAddr, Connection>>,
}

/// A connection id and when it was given.
#[derive(Clone, Copy, Debug)]
struct Connection {
    id: u64,
    since: Instant,
}

/// A socket that hears one tracker only: the kernel drops datagrams from any other source.
struct Line {
    socket: UdpSocket,
    family: Family,
    buffer: Vec<u8>,
}

impl UdpTrackers {
    pub(super) fn new(settings: DiscoverySettings, resolver: Resolver) -> Self {
        Self { settings, resolver, connections: Lock::new("udp tracker connection ids", BTreeMap::new()) }
    }

    pub(super) async fn announce(
        &self,
        tracker: &Url,
        request: &AnnounceRequest,
        total: Option<Duration>,
    ) -> Result<AnnounceAnswer, TrackerError> {
        let path_and_query = path_and_query(tracker);
        let question = |id, transaction| encode_announce(id, transaction, request, &path_and_query);
        match self.ask(tracker, total, &question).await? {
            Reply::Announced(answer) => Ok(answer),
            other => Err(not_asked(&other)),
        }
    }

    pub(super) async fn scrape(
        &self,
        tracker: &Url,
        info_hash: &[u8; 20],
    ) -> Result<ScrapeAnswer, TrackerError> {
        let question = |id, transaction| encode_scrape(id, transaction, info_hash);
        match self.ask(tracker, None, &question).await? {
            Reply::Scraped(answer) => Ok(answer),
            other => Err(not_asked(&other)),
        }
    }

    /// Asks one address of each family in turn, which share the time there is.
    async fn ask(
        &self,
        tracker: &Url,
        total: Option<Duration>,
        question: &(impl Fn(u64, u32) -> Vec<u8> + Sync),
    ) -> Result<Reply, TrackerError> {
        let total = total.unwrap_or(self.settings.udp_total);
        let bad = |why: &str| TrackerError::BadUrl(why.to_owned());
        let port = tracker.port().filter(|port| *port != 0).ok_or_else(|| bad("the URL names no port"))?;
        let host = tracker.host_str().ok_or_else(|| bad("the URL names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let found = inspect::frame("resolve the host", self.resolver.lookup(host, port, Allowed::Any)).await;
        let addresses =
            self.one_of_each_family(found.map_err(|error| TrackerError::Network(error.to_string()))?);
        let share = total / u32::try_from(addresses.len()).unwrap_or(1).max(1);
        let mut outcome = Err(TrackerError::Network(format!("{host} has no address of our bound family")));
        for address in addresses {
            outcome = inspect::timeout(share, inspect::reading(self.ask_address(address, question)))
                .await
                .unwrap_or(Err(TrackerError::TimedOut(share.as_secs())));
            if outcome.is_ok() || matches!(outcome, Err(TrackerError::Refused { .. })) {
                break;
            }
        }
        outcome
    }

    /// IPv4 first: more of the swarm is there.
    fn one_of_each_family(&self, found: Vec<SocketAddr>) -> Vec<SocketAddr> {
        let first = |is_v4: bool| {
            let bindable = self.settings.bind.is_none_or(|bind| bind.is_ipv4() == is_v4);
            found.iter().copied().find(|address| bindable && address.is_ipv4() == is_v4)
        };
        [first(true), first(false)].into_iter().flatten().collect()
    }

    /// Sends again after 15 s, 30 s and so on, with a new connection id where the old one has aged; the caller bounds
    /// the whole.
    async fn ask_address(
        &self,
        address: SocketAddr,
        question: &impl Fn(u64, u32) -> Vec<u8>,
    ) -> Result<Reply, TrackerError> {
        let mut line = self.line(address).await.map_err(|error| network(address, &error))?;
        let mut wait = self.settings.udp_resend;
        loop {
            let cached = self.connection(address);
            let id = match cached {
                Some(id) => Some(id),
                None => inspect::frame("connect", self.connect(address, &mut line, wait)).await?,
            };
            if let Some(id) = id {
                match line.exchange(address, |transaction| question(id, transaction), wait).await? {
                    // Most likely the tracker restarted and does not know the id: once more with a new one.
                    Some(Reply::Refused(_)) if cached.is_some() => {
                        self.forget(address);
                        continue;
                    }
                    Some(Reply::Refused(reason)) => {
                        return Err(TrackerError::Refused { reason, retry: None });
                    }
                    Some(reply) => return Ok(reply),
                    None => {}
                }
            }
            wait *= 2;
        }
    }

    async fn connect(
        &self,
        address: SocketAddr,
        line: &mut Line,
        wait: Duration,
    ) -> Result<Option<u64>, TrackerError> {
        match line.exchange(address, encode_connect, wait).await? {
            None => Ok(None),
            Some(Reply::Connected(id)) => {
                self.remember(address, id);
                Ok(Some(id))
            }
            Some(Reply::Refused(reason)) => Err(TrackerError::Refused { reason, retry: None }),
            Some(other @ (Reply::Announced(_) | Reply::Scraped(_))) => Err(not_asked(&other)),
        }
    }

    async fn line(&self, address: SocketAddr) -> std::io::Result<Line> {
        let (any, family) = match address {
            SocketAddr::V4(_) => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), Family::V4),
            SocketAddr::V6(_) => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), Family::V6),
        };
        let socket = UdpSocket::bind((self.settings.bind.unwrap_or(any), 0)).await?;
        socket.connect(address).await?;
        Ok(Line { socket, family, buffer: vec![0; TRACKER_DATAGRAM_BYTES_MAX] })
    }

    fn connection(&self, address: SocketAddr) -> Option<u64> {
        let connections = self.connections.lock();
        let known = connections.get(&address)?;
        (known.since.elapsed() < TRACKER_CONNECTION_LIFE).then_some(known.id)
    }

    fn remember(&self, address: SocketAddr, id: u64) {
        let mut connections = self.connections.lock();
        if connections.len() >= TRACKER_CONNECTIONS_MAX {
            connections.retain(|_, known| known.since.elapsed() < TRACKER_CONNECTION_LIFE);
        }
        if connections.len() < TRACKER_CONNECTIONS_MAX {
            connections.insert(address, Connection { id, since: Instant::now() });
        }
    }

    fn forget(&self, address: SocketAddr) {
        self.connections.lock().remove(&address);
    }
}

impl Line {
    /// Sends a question and waits for its answer; `None` where none came in time. What belongs to another transaction
    /// is passed over, so a forged datagram has to guess 32 bits.
    async fn exchange(
        &mut self,
        address: SocketAddr,
        question: impl FnOnce(u32) -> Vec<u8>,
        wait: Duration,
    ) -> Result<Option<Reply>, TrackerError> {
        let transaction = random();
        self.socket.send(&question(transaction)).await.map_err(|error| network(address, &error))?;
        let until = Instant::now() + wait;
        loop {
            let Ok(received) = inspect::timeout_at(until, self.socket.recv(&mut self.buffer)).await else {
                return Ok(None);
            };
            let length = received.map_err(|error| network(address, &error))?;
            match decode(&self.buffer[..length], transaction, self.family) {
                Ok(reply) => return Ok(Some(reply)),
                Err(ReplyError::NotOurs) => {}
                Err(error @ ReplyError::Malformed { .. }) => {
                    return Err(TrackerError::Malformed(error.to_string()));
                }
            }
        }
    }
}

/// What BEP 41 sends along.
fn path_and_query(tracker: &Url) -> String {
    let mut text = tracker.path().to_owned();
    if let Some(query) = tracker.query() {
        text.push('?');
        text.push_str(query);
    }
    text
}

fn network(address: SocketAddr, error: &std::io::Error) -> TrackerError {
    TrackerError::Network(format!("{address}: {error}"))
}

fn not_asked(reply: &Reply) -> TrackerError {
    let what = match reply {
        Reply::Connected(_) => "a connect",
        Reply::Announced(_) => "an announce",
        Reply::Scraped(_) => "a scrape",
        Reply::Refused(_) => "nothing",
    };
    TrackerError::Malformed(format!("it answered {what} that was not asked"))
}

/// A number that an outsider cannot foresee: keyed by the system's randomness.
fn random() -> u32 {
    let [a, b, c, d, ..] = RandomState::new().hash_one(0u8).to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
