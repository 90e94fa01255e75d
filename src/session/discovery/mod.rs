//! Asking the outside for peers and torrents: trackers over HTTP and UDP, and .torrent files by URL.
//!
//! Everything here only asks and reads; when to ask and what an answer means is the engine's. Invariants: every request
//! ends in bounded time and memory, redirects never lead from a public host to a private one, and a slow host or a
//! hanging resolver holds up nobody else. The session calls it for `Effect::Announce`, `Effect::Scrape` and for adding
//! a torrent by URL.

mod address;
mod clients;
mod fetch;
mod http;
mod redirect;
mod resolve;
mod tracker_client;
mod tracker_udp;
mod turns;

pub use fetch::{FetchError, fetch_torrent};
pub use http::Http;
pub use tracker_client::TrackerClient;

pub(in crate::session) use address::Allowed;
pub(in crate::session) use clients::Clients;
pub(in crate::session) use http::HttpError;
pub(in crate::session) use redirect::{Route, follow};

use std::net::IpAddr;
use std::time::Duration;

use crate::limits;

/// How asking behaves: the defaults are those of `limits`; tests on loopback shorten them.
#[derive(Clone, Copy, Debug)]
pub struct DiscoverySettings {
    /// The local address to ask from.
    pub bind: Option<IpAddr>,
    /// Bound of resolving a name.
    pub resolve: Duration,
    /// Bound of connecting, TLS included.
    pub connect: Duration,
    /// Bound of silence while an answer comes.
    pub idle: Duration,
    /// Bound of a whole announce or scrape over HTTP.
    pub http_total: Duration,
    /// Bound of a whole announce or scrape over UDP.
    pub udp_total: Duration,
    /// The wait before the first resend of a datagram; doubles with each (BEP 15).
    pub udp_resend: Duration,
    /// Bound of saying goodbye to a tracker.
    pub stop: Duration,
    /// Bound of fetching a .torrent.
    pub torrent_total: Duration,
}

impl Default for DiscoverySettings {
    fn default() -> Self {
        Self {
            bind: None,
            resolve: limits::RESOLVE_WAIT,
            connect: limits::HTTP_CONNECT_WAIT,
            idle: limits::HTTP_IDLE_WAIT,
            http_total: limits::TRACKER_HTTP_WAIT,
            udp_total: limits::TRACKER_UDP_WAIT,
            udp_resend: limits::TRACKER_UDP_RESEND,
            stop: limits::TRACKER_STOP_WAIT,
            torrent_total: limits::TORRENT_FETCH_WAIT,
        }
    }
}
