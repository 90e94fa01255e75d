//! What is asked of a tracker and what it answers, whichever way it is carried (HTTP: BEP 3, 7, 23, 31; UDP: BEP 15, 41).

use std::net::{IpAddr, SocketAddr};

use crate::limits::{BLOCK_BYTES, TRACKER_TEXT_BYTES_MAX};

/// Why an announce is made (BEP 3, BEP 21's `paused`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum AnnounceEvent {
    /// The regular round.
    Periodic,
    /// The first of a run.
    Started,
    /// The download has just become complete.
    Completed,
    /// The last of a run.
    Stopped,
}

/// An announce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnounceRequest {
    /// The swarm: a v1 info-hash or a truncated v2 one.
    pub info_hash: [u8; 20],
    /// Our peer id.
    pub peer_id: [u8; 20],
    /// The TCP port peers reach us at.
    pub port: u16,
    /// Payload bytes sent in this run.
    pub uploaded_bytes: u64,
    /// Payload bytes received in this run.
    pub downloaded_bytes: u64,
    /// Payload bytes still missing; `u64::MAX` where not known (a magnet).
    pub left_bytes: u64,
    /// Why.
    pub event: AnnounceEvent,
    /// How many peers we want.
    pub num_want: u32,
    /// The same for all announces of a run, so that a tracker knows us behind another address (BEP 7).
    pub key: u32,
}

/// A tracker's answer to an announce.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AnnounceAnswer {
    /// Seconds to the next announce, as sent; the engine clamps it.
    pub interval_s: Option<u64>,
    /// Least seconds between announces, as sent.
    pub min_interval_s: Option<u64>,
    /// Complete peers.
    pub seeds: Option<u32>,
    /// Incomplete peers.
    pub leeches: Option<u32>,
    /// Completed downloads.
    pub downloads: Option<u32>,
    /// Peers, unusable addresses (port 0, unspecified) left out.
    pub peers: Vec<SocketAddr>,
    /// `warning message`.
    pub warning: Option<String>,
    /// Our address as the tracker sees it (BEP 24): one vote, never truth.
    pub external_address: Option<IpAddr>,
}

/// A tracker's answer to a scrape, for one torrent (BEP 48).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ScrapeAnswer {
    /// Complete peers.
    pub seeds: u32,
    /// Incomplete peers.
    pub leeches: u32,
    /// Completed downloads.
    pub downloads: u32,
}

/// When a tracker that refused may be asked again (BEP 31's `retry in`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum RetryIn {
    /// After this many minutes.
    Minutes(u64),
    /// Never.
    Never,
}

/// Why a tracker gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
pub enum TrackerError {
    /// The tracker refused, with its own words.
    #[error("refused: {reason}")]
    Refused {
        /// Its words; hostile text.
        reason: String,
        /// BEP 31.
        retry: Option<RetryIn>,
    },
    /// What it sent is not an answer.
    #[error("not a tracker's answer: {0}")]
    Malformed(String),
    /// HTTP status other than 200.
    #[error("HTTP status {0}")]
    Status(u16),
    /// Connecting, resolving or TLS failed.
    #[error("{0}")]
    Network(String),
    /// No answer in time.
    #[error("no answer in {0} s")]
    TimedOut(u64),
    /// The URL cannot be used: scheme, host or policy.
    #[error("{0}")]
    BadUrl(String),
}

/// Whether an address can be a peer's: port 0, unspecified and group addresses are nobody's.
pub(super) fn usable_peer(address: &SocketAddr) -> bool {
    let nobody = match address.ip() {
        IpAddr::V4(ip) => ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast(),
    };
    address.port() != 0 && !nobody
}

/// Bytes left as a tracker is told. A size not known yet goes out as one block, so that we count as a leech; trackers
/// that keep it in a signed number would refuse `u64::MAX`.
pub(super) fn left_as_sent(left_bytes: u64) -> u64 {
    if left_bytes == u64::MAX { u64::from(BLOCK_BYTES) } else { left_bytes }
}

/// A tracker's words, cut to what we keep.
pub(super) fn cut_text(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(TRACKER_TEXT_BYTES_MAX)]).into_owned();
    while text.len() > TRACKER_TEXT_BYTES_MAX {
        text.pop();
    }
    text
}
