//! What the engine tells without being asked.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::inspection::Stuck;
use super::snapshot::TorrentState;
use super::untrusted::Untrusted;
use crate::units::{PieceIndex, Time, TorrentId};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, on the engine's clock.
    pub at: Time,
    /// The torrent it belongs to; `None`: the whole program.
    pub torrent: Option<TorrentId>,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// How much an event matters to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The ordinary course of things, one of many.
    Detail,
    /// A milestone.
    Info,
    /// Something failed and is retried or worked around.
    Warning,
    /// Something failed and needs a person.
    Error,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A torrent came into the list.
    Added {
        /// Its name.
        name: Untrusted,
    },
    /// A torrent left the list.
    Removed,
    /// A torrent changed state.
    State {
        /// From.
        from: TorrentState,
        /// To.
        to: TorrentState,
    },
    /// All wanted pieces are here and on disk.
    Completed,
    /// A piece passed its hash and is on disk.
    PieceDone {
        /// Which.
        piece: PieceIndex,
    },
    /// A piece failed its hash.
    PieceFailed {
        /// Which.
        piece: PieceIndex,
        /// How many peers contributed to it.
        contributors: u32,
    },
    /// A check ended.
    Checked {
        /// Pieces that are right.
        have: u32,
        /// Pieces looked at.
        checked: u32,
    },
    /// A peer is connected and has shaken hands.
    PeerConnected {
        /// Its address.
        address: SocketAddr,
        /// What it calls itself.
        client: Untrusted,
    },
    /// A peer went, or was sent away.
    PeerGone {
        /// Its address.
        address: SocketAddr,
        /// Why.
        reason: Untrusted,
    },
    /// A peer will not be talked to again.
    PeerBanned {
        /// Its address.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// A peer let its requests time out.
    PeerSnubbed {
        /// Its address.
        address: SocketAddr,
        /// Requests that timed out.
        requests: u32,
    },
    /// A tracker answered an announce.
    TrackerAnswered {
        /// Its URL, redacted.
        url: Untrusted,
        /// Peers it named.
        peers: u32,
        /// A warning it sent.
        warning: Option<Untrusted>,
    },
    /// A tracker did not answer, or refused.
    TrackerFailed {
        /// Its URL, redacted.
        url: Untrusted,
        /// Why.
        error: Untrusted,
        /// Seconds until the next try.
        retry_s: u64,
    },
    /// A webseed did not give what it was asked for.
    WebseedFailed {
        /// Its URL, redacted.
        url: Untrusted,
        /// Why, with the file where it is about one.
        error: Untrusted,
        /// Seconds until it is asked again; `None`: it is asked for other files at once.
        retry_s: Option<u64>,
    },
    /// Nothing good is left on a webseed.
    WebseedBanned {
        /// Its URL, redacted.
        url: Untrusted,
        /// Why.
        reason: Untrusted,
    },
    /// Reading or writing failed.
    DiskFailed {
        /// What was tried on which file, the system's error and what to do.
        message: Untrusted,
    },
    /// The front end was too slow: this many events are missing before this one.
    Dropped {
        /// How many.
        count: u64,
    },
    /// The engine's own state contradicts itself, which the debug switch looks for. A defect; nothing was stopped.
    Inconsistent {
        /// What was found where something else is due.
        what: Untrusted,
    },
    /// One turn of an owner took longer than `limits::TURN_SLOW`.
    SlowTurn {
        /// How long.
        millis: u64,
        /// The input that took longest.
        input: String,
    },
    /// A task, a lock or a queue has not gone on for longer than it may.
    Stuck(Stuck),
    /// What was stuck goes on again.
    Unstuck(Stuck),
    /// A line for people.
    Notice {
        /// How much it matters.
        severity: Severity,
        /// The line.
        message: Untrusted,
    },
}

impl EventKind {
    /// How much it matters.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::PieceDone { .. } | Self::PeerConnected { .. } | Self::PeerGone { .. } => Severity::Detail,
            Self::Added { .. }
            | Self::Removed
            | Self::State { .. }
            | Self::Completed
            | Self::Checked { .. }
            | Self::Unstuck(_)
            | Self::TrackerAnswered { .. } => Severity::Info,
            Self::PieceFailed { .. }
            | Self::PeerBanned { .. }
            | Self::PeerSnubbed { .. }
            | Self::TrackerFailed { .. }
            | Self::WebseedFailed { .. }
            | Self::WebseedBanned { .. }
            | Self::SlowTurn { .. }
            | Self::Stuck(_)
            | Self::Dropped { .. } => Severity::Warning,
            Self::DiskFailed { .. } | Self::Inconsistent { .. } => Severity::Error,
            Self::Notice { severity, .. } => *severity,
        }
    }
}
