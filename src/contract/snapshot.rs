//! How things stand: the list for every screen, and one torrent in full for the detail tabs.
//!
//! Field names of [`TorrentRow`], [`FileRow`] and [`super::PieceRun`] are the stable keys of `--json`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::policy::DownloadOrder;
use super::runs::PieceRuns;
use super::untrusted::Untrusted;
use super::vitals::ReservedBits;
use super::webseed::WebseedRow;
use crate::units::{ConnectionId, FileIndex, PieceIndex, Rate, Time, TorrentId};

/// How things stand at one instant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// The instant.
    pub at: Time,
    /// The whole program.
    pub engine: EngineStatus,
    /// All torrents, in the order they were added.
    pub torrents: Vec<Arc<TorrentRow>>,
    /// The watched torrent (`Command::Watch`) in full.
    pub detail: Option<Arc<TorrentDetail>>,
}

/// The program as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineStatus {
    /// The TCP port peers reach us at.
    pub listen_port: u16,
    /// The peer id of this run (BEP 20); what is not printable ASCII as `\x00`.
    #[serde(default)]
    pub peer_id: String,
    /// What our handshakes announce.
    #[serde(default)]
    pub reserved: ReservedBits,
    /// Connections to peers that all torrents may have together.
    #[serde(default)]
    pub connections_max: u32,
    /// Payload bytes per second from all peers.
    pub down_bps: Rate,
    /// Payload bytes per second to all peers.
    pub up_bps: Rate,
    /// The limit on `down_bps`.
    pub down_limit: Option<Rate>,
    /// The limit on `up_bps`.
    pub up_limit: Option<Rate>,
    /// Bytes that wait for a disk thread.
    pub disk_queue_bytes: u64,
    /// Free bytes where payload is saved; `None` where the system does not say.
    pub disk_free_bytes: Option<u64>,
    /// The folder payload is saved into unless a torrent says otherwise.
    pub save_dir: PathBuf,
    /// Whether the engine's own state is compared with what follows from scratch.
    #[serde(default)]
    pub debug: bool,
}

/// One line of the torrent list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TorrentRow {
    /// Its identity.
    pub id: TorrentId,
    /// Its name.
    pub name: Untrusted,
    /// What it is doing.
    pub state: TorrentState,
    /// Why it is not doing more: a stable word, or the error's text in state `error`.
    pub cause: Option<Untrusted>,
    /// Bytes of wanted files that are here and verified.
    pub done_bytes: u64,
    /// Bytes of wanted files.
    pub wanted_bytes: u64,
    /// Bytes of all files, pad files aside.
    pub total_bytes: u64,
    /// In which order its pieces are fetched.
    pub order: DownloadOrder,
    /// Payload bytes per second in.
    pub down_bps: Rate,
    /// Payload bytes per second out.
    pub up_bps: Rate,
    /// Payload bytes ever received, over all runs.
    pub downloaded_bytes: u64,
    /// Payload bytes ever sent, over all runs.
    pub uploaded_bytes: u64,
    /// Peer counts.
    pub peers: PeerCounts,
    /// Webseed counts.
    pub webseeds: WebseedCounts,
    /// Piece counts.
    pub pieces: PieceCounts,
    /// Block requests on the wire to peers; webseeds have their own.
    pub requests_in_flight: u32,
    /// Bytes of this torrent that wait for a disk thread.
    pub disk_queue_bytes: u64,
    /// Bytes received that were of no use: duplicates, unasked for, or of a failed piece.
    pub wasted_bytes: u64,
    /// Pieces that came whole and failed their hash, in this run.
    #[serde(default)]
    pub hash_failures: u64,
    /// The TCP port peers reach us at.
    pub listen_port: u16,
    /// Seconds since the Unix epoch when it was added.
    pub added_unix_s: u64,
}

/// What a torrent is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TorrentState {
    /// A magnet whose metadata is not here yet.
    Metadata,
    /// Hashing what is on disk before anything else can happen.
    Checking,
    /// Wanted pieces are missing.
    #[default]
    Downloading,
    /// Every piece is here.
    Seeding,
    /// Every wanted piece is here, others are deselected.
    Finished,
    /// Stopped by the user.
    Paused,
    /// Stopped by a failure that `cause` names.
    Error,
}

impl TorrentState {
    /// The stable word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Checking => "checking",
            Self::Downloading => "downloading",
            Self::Seeding => "seeding",
            Self::Finished => "finished",
            Self::Paused => "paused",
            Self::Error => "error",
        }
    }
}

/// How many peers, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerCounts {
    /// Connected.
    pub connected: u32,
    /// Connected and complete.
    pub seeds: u32,
    /// Being connected to.
    pub half_open: u32,
    /// Connected and letting us download.
    pub unchoked_us: u32,
    /// Known by address, connected or not.
    pub known: u32,
    /// Addresses that are not talked to again, for lies.
    #[serde(default)]
    pub banned: u32,
}

/// How many webseeds, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebseedCounts {
    /// Answering a request now.
    pub active: u32,
    /// Waiting after a failure.
    pub backing_off: u32,
}

/// How many pieces, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceCounts {
    /// All.
    pub total: u32,
    /// Verified and on disk.
    pub have: u32,
    /// Of a wanted file.
    pub wanted: u32,
    /// Wanted, missing, and with a block that may be asked of a connected peer now.
    pub requestable: u32,
    /// With a block on the wire.
    pub requested: u32,
    /// Being hashed from disk, or waiting for it.
    pub checking: u32,
    /// Neither known to be here nor known to be missing.
    pub unknown: u32,
}

/// How much a file or piece is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Not wanted.
    Off,
    /// After all others.
    Low,
    /// The ordinary level.
    #[default]
    Normal,
    /// Before all others.
    High,
}

impl Priority {
    /// All levels, lowest first.
    pub const ALL: [Self; 4] = [Self::Off, Self::Low, Self::Normal, Self::High];

    /// The stable word for it, as the command line takes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }

    /// The level that a word of the command line names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.word() == word)
    }
}

/// One torrent in full, for the detail tabs and `ctl`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TorrentDetail {
    /// Its line in the list.
    pub row: Arc<TorrentRow>,
    /// Bytes per piece.
    pub piece_length: u32,
    /// The folder its payload is saved into.
    pub save_dir: PathBuf,
    /// The torrent's comment.
    pub comment: Option<Untrusted>,
    /// Trackers only (BEP 27).
    pub private: bool,
    /// Its files, pad files aside.
    pub files: Vec<FileRow>,
    /// Its connections.
    pub peers: Vec<PeerRow>,
    /// Its trackers, tier by tier.
    pub trackers: Vec<TrackerRow>,
    /// Its webseeds.
    #[serde(default)]
    pub webseeds: Vec<WebseedRow>,
    /// All pieces as runs of equal state, in order and without gaps.
    pub runs: PieceRuns,
    /// How many connected peers have the rarest wanted missing piece; `None` where nothing is missing.
    pub rarest_availability: Option<u32>,
    /// Its latest events, oldest first.
    pub log: Vec<LogLine>,
}

/// One event as the log tab shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Seconds since the Unix epoch.
    pub unix_s: u64,
    /// The event.
    #[serde(flatten)]
    pub event: super::event::Event,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRow {
    /// Position in the torrent, pad files counted.
    pub index: FileIndex,
    /// Path below the save folder, parts joined by `/`.
    pub path: Untrusted,
    /// Its length.
    pub bytes: u64,
    /// How much of it is verified.
    pub done_bytes: u64,
    /// How much it is wanted.
    pub priority: Priority,
    /// Its first and last piece; `None` for an empty file.
    pub pieces: Option<(PieceIndex, PieceIndex)>,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerRow {
    /// The connection.
    pub connection: ConnectionId,
    /// Its address.
    pub address: SocketAddr,
    /// What it calls itself (handshake `v`, else read from its peer id).
    pub client: Untrusted,
    /// How we learned of it.
    pub source: PeerSource,
    /// Who called.
    pub direction: Direction,
    /// Choke and interest, both ways.
    pub flags: PeerFlags,
    /// How many of the torrent's pieces it has.
    pub pieces_have: u32,
    /// Payload bytes per second from it.
    pub down_bps: Rate,
    /// Payload bytes per second to it.
    pub up_bps: Rate,
    /// Payload bytes from it on this connection.
    pub downloaded_bytes: u64,
    /// Payload bytes to it on this connection.
    pub uploaded_bytes: u64,
    /// Our requests on the wire to it.
    pub requests_out: u32,
    /// How many requests we would keep on the wire to it.
    pub pipeline: u32,
    /// Its requests that wait for us.
    pub requests_in: u32,
    /// Seconds since it connected.
    pub connected_s: u64,
    /// Seconds since its last message.
    pub last_message_s: u64,
}

/// How a peer came to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerSource {
    /// A tracker named it.
    Tracker,
    /// It called us.
    Incoming,
    /// A person, or a magnet's `x.pe`, named it.
    Manual,
    /// It was connected in an earlier run.
    Resume,
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// They called us.
    Incoming,
    /// We called them.
    Outgoing,
}

/// Choke and interest, both ways, and the rest of a peer's one-letter flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerFlags {
    /// We want something it has.
    pub we_are_interested: bool,
    /// We do not let it download.
    pub we_choke: bool,
    /// It wants something we have.
    pub they_are_interested: bool,
    /// It does not let us download.
    pub they_choke: bool,
    /// It let requests time out.
    pub snubbed: bool,
    /// It was unchoked in turn rather than for its rate.
    pub optimistic: bool,
    /// It has every piece.
    pub seed: bool,
    /// Both ends speak the fast extension (BEP 6).
    pub fast: bool,
    /// Both ends speak the extension protocol (BEP 10).
    pub extended: bool,
}

/// One tracker URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerRow {
    /// Its URL, redacted.
    pub url: Untrusted,
    /// Its tier, from 0 (BEP 12).
    pub tier: u32,
    /// How it stands.
    pub state: TrackerState,
    /// The last failure or warning.
    pub message: Option<Untrusted>,
    /// Seconds until the next announce; `None` where none is planned.
    pub next_announce_s: Option<u64>,
    /// Seconds since the last answer.
    pub last_answer_s: Option<u64>,
    /// Peers it named last.
    pub peers: u32,
    /// Complete peers it counts.
    pub seeds: Option<u32>,
    /// Incomplete peers it counts.
    pub leeches: Option<u32>,
    /// Completed downloads it counts.
    pub downloads: Option<u32>,
}

/// How a tracker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackerState {
    /// Not asked yet.
    Idle,
    /// An announce is under way.
    Announcing,
    /// The last announce was answered.
    Working,
    /// The last announce failed; it is retried.
    Failing,
    /// It said never to come back (BEP 31), or its scheme is not supported.
    Off,
}
