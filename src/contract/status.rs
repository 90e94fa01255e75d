//! All torrents in one report, for one who is to find out why they do not go on: what their owners say, and what was
//! published last of those who say nothing.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::inspection::Stuck;
use super::runs::Blocked;
use super::snapshot::{EngineStatus, PeerRow, TorrentRow, TrackerRow};
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
}
