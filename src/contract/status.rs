//! All torrents in one report, for one who is to find out why they do not go on: what their owners say, and what was
//! published last of those who say nothing.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::EventKind;
use super::inspection::{OwnerReport, Stuck};
use super::runs::Blocked;
use super::snapshot::{EngineStatus, PeerRow, TorrentRow, TrackerRow};
use super::vitals::TorrentVitals;
use super::webseed::WebseedRow;
use crate::units::Time;

/// The program and all its torrents.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusReport {
    /// When the rows were published, on the engine's clock.
    pub at: Time,
    /// The whole program.
    pub engine: EngineStatus,
    /// For how long the task that keeps the list was asked in vain, in milliseconds; `None`: it answered.
    pub control_silent_ms: Option<u64>,
    /// Everything that is stuck.
    pub stuck: Vec<Stuck>,
    /// How all owners serve their queues, those of torrents too.
    #[serde(default)]
    pub owners: Vec<OwnerReport>,
    /// All torrents, those with most bytes left first.
    pub torrents: Vec<TorrentReport>,
}

/// One torrent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TorrentReport {
    /// Its line in the list: its owner's own, or what was published last.
    #[serde(flatten)]
    pub row: Arc<TorrentRow>,
    /// What its owner said.
    pub owner: OwnerSays,
}

/// What the owner of a torrent says when it is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerSays {
    /// What it knows.
    Inside(Box<TorrentInside>),
    /// Nothing, for as long as it was waited for: it is stuck, or far behind.
    Silent {
        /// How long that was.
        waited_ms: u64,
    },
    /// It is just being removed.
    Gone,
    /// It was not asked: the list is long, or nobody answers who passes questions on.
    NotAsked,
}

/// What only the owner of a torrent knows of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TorrentInside {
    /// Bytes per piece; 0 while a magnet's metadata is unknown.
    pub piece_length: u32,
    /// The folder its payload is saved into.
    pub save_dir: PathBuf,
    /// Trackers only (BEP 27).
    pub private: bool,
    /// How many events its log holds: the latest ones.
    #[serde(default)]
    pub log_events: u64,
    /// How many of those are of something that went wrong, by what.
    #[serde(default)]
    pub failures: Vec<(FailureKind, u64)>,
    /// How many files, pad files aside.
    pub files: u64,
    /// Its pieces as runs: a count and letters each, see `report::status`.
    pub piece_states: String,
    /// Why wanted missing pieces are not requested, and how many.
    pub blocked: Vec<(Blocked, u64)>,
    /// How many connected peers have the rarest wanted missing piece.
    pub rarest_availability: Option<u32>,
    /// Its trackers.
    pub trackers: Vec<TrackerRow>,
    /// Its webseeds.
    pub webseeds: Vec<WebseedRow>,
    /// Its connections.
    pub peers: Vec<PeerRow>,
    /// What only this report tells of it and its connections.
    #[serde(default)]
    pub vitals: TorrentVitals,
}

/// What went wrong for a torrent, as its log tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A piece failed its hash.
    PieceFailed,
    /// A peer was banned.
    PeerBanned,
    /// A peer let its requests time out.
    PeerSnubbed,
    /// A tracker did not answer, or refused.
    TrackerFailed,
    /// A webseed did not give what it was asked for, or was banned.
    WebseedFailed,
    /// Reading or writing failed.
    DiskFailed,
    /// A turn of its owner took long.
    SlowTurn,
    /// Something of it did not go on.
    Stuck,
}

impl FailureKind {
    /// What an event is a failure of, if it is one.
    pub const fn of(event: &EventKind) -> Option<Self> {
        Some(match event {
            EventKind::PieceFailed { .. } => Self::PieceFailed,
            EventKind::PeerBanned { .. } => Self::PeerBanned,
            EventKind::PeerSnubbed { .. } => Self::PeerSnubbed,
            EventKind::TrackerFailed { .. } => Self::TrackerFailed,
            EventKind::WebseedFailed { .. } | EventKind::WebseedBanned { .. } => Self::WebseedFailed,
            EventKind::DiskFailed { .. } => Self::DiskFailed,
            EventKind::SlowTurn { .. } => Self::SlowTurn,
            EventKind::Stuck(_) => Self::Stuck,
            EventKind::Added { .. }
            | EventKind::Removed
            | EventKind::State { .. }
            | EventKind::Completed
            | EventKind::PieceDone { .. }
            | EventKind::Checked { .. }
            | EventKind::PeerConnected { .. }
            | EventKind::PeerGone { .. }
            | EventKind::TrackerAnswered { .. }
            | EventKind::Dropped { .. }
            | EventKind::Inconsistent { .. }
            | EventKind::Unstuck(_)
            | EventKind::Notice { .. } => return None,
        })
    }

    /// It in words, for a number behind them.
    pub const fn words(self) -> &'static str {
        match self {
            Self::PieceFailed => "pieces failed their hash",
            Self::PeerBanned => "peers banned",
            Self::PeerSnubbed => "peers snubbed",
            Self::TrackerFailed => "announces failed",
            Self::WebseedFailed => "webseed requests failed",
            Self::DiskFailed => "disk calls failed",
            Self::SlowTurn => "slow turns",
            Self::Stuck => "times stuck",
        }
    }
}
