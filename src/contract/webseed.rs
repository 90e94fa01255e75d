//! Webseeds as front ends see them and act on them.

use serde::{Deserialize, Serialize};

use super::untrusted::Untrusted;
use crate::units::{FileIndex, PieceIndex, Rate, WebseedKey};

/// One webseed of a torrent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebseedRow {
    /// Its number in the torrent, as actions name it.
    pub key: WebseedKey,
    /// Its URL, redacted.
    pub url: Untrusted,
    /// How it is asked.
    pub kind: WebseedKind,
    /// Who named it.
    pub origin: WebseedOrigin,
    /// How it stands.
    pub state: WebseedState,
    /// Seconds until it is asked again; only while it backs off.
    pub retry_s: Option<u64>,
    /// Requests under way.
    pub requests: Vec<WebseedRequestRow>,
    /// At most this many at a time.
    pub requests_max: u32,
    /// Requests that could begin if the host had a free place for them.
    pub waiting_for_host: u32,
    /// Payload bytes per second from it.
    pub down_bps: Rate,
    /// Payload bytes from it in this run.
    pub downloaded_bytes: u64,
    /// Bytes from it that were of no use: here already, or of a piece that failed.
    pub wasted_bytes: u64,
    /// The last status of an answer.
    pub last_status: Option<u16>,
    /// What went wrong last, with the file where it was about one.
    pub last_error: Option<Untrusted>,
    /// From a request to the head of its answer, at the last answer.
    pub latency_ms: Option<u32>,
    /// The protocol of the last answer, such as `HTTP/1.1`.
    pub protocol: Option<String>,
    /// Connections that its requests take: over HTTP/2 one for all, else one each.
    pub connections: u32,
    /// Failures in a row.
    pub failures: u32,
    /// Files that it does not have, or has wrongly.
    pub files_lacking: u32,
}

/// How a webseed is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebseedKind {
    /// Ranges of files (BEP 19, `url-list`).
    UrlList,
    /// Ranges of pieces (BEP 17, `httpseeds`).
    HttpSeed,
}

/// Who named a webseed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebseedOrigin {
    /// The torrent or the magnet.
    Torrent,
    /// A person.
    Manual,
}

/// How a webseed stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebseedState {
    /// Nothing is asked of it.
    Idle,
    /// Requests are under way.
    Active,
    /// It failed and is left alone for a while.
    BackingOff,
    /// A person switched it off.
    Disabled,
    /// Nothing good is left on it; `last_error` has the reason.
    Banned,
}

impl WebseedState {
    /// The stable word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Active => "active",
            Self::BackingOff => "backing_off",
            Self::Disabled => "disabled",
            Self::Banned => "banned",
        }
    }
}

/// A request of a webseed that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebseedRequestRow {
    /// The first piece that it brings bytes of.
    pub first: PieceIndex,
    /// The last one.
    pub last: PieceIndex,
    /// The file that its next byte lies in.
    pub file: Option<FileIndex>,
    /// Bytes asked for.
    pub bytes: u64,
    /// Bytes that came.
    pub received_bytes: u64,
    /// Since it began.
    pub age_ms: u64,
    /// Since the last byte, or since it began.
    pub silent_ms: u64,
    /// The status of its answer; `None` before that.
    pub status: Option<u16>,
    /// No byte came for so long that its blocks are free for others.
    pub stalled: bool,
}

/// What a person can do with a torrent's webseeds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebseedAction {
    /// Adds one (BEP 19); one that is there already is asked again at once.
    Add(String),
    /// Takes one away.
    Remove(WebseedKey),
    /// Forgets what failed, and asks again at once.
    Retry(WebseedKey),
    /// Switches one off: nothing is asked of it until it is switched on.
    Disable(WebseedKey),
    /// Switches one on.
    Enable(WebseedKey),
    /// Sets how many requests of it are under way at a time, from 1 to `limits::WEBSEED_REQUESTS_CAP`.
    Limit(WebseedKey, u32),
}
