//! What a front end can ask of the engine, and what it gets back.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bytes::FileBytes;
use super::inspection::{Dump, DumpKind};
use super::policy::OrderChange;
use super::snapshot::{EngineStatus, Priority, TorrentDetail, TorrentRow};
use super::status::StatusReport;
use super::untrusted::Untrusted;
use super::vitals::TorrentVitals;
use super::webseed::WebseedAction;
use crate::units::{FileIndex, Rate, Time, TorrentId};

/// A request of a front end. Each gets exactly one [`Answer`] or [`Refusal`], after it has taken effect.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Reads a source and says what it holds, without adding it (the file-choice step). Gives [`Answer::Preview`].
    Preview(Source),
    /// Adds a torrent. Gives [`Answer::Added`].
    Add(Box<AddRequest>),
    /// Stops transfers; a check is stopped too and goes on with `Resume`.
    Pause(TorrentId),
    /// Starts transfers again.
    Resume(TorrentId),
    /// Forgets a torrent.
    Remove {
        /// Which one.
        torrent: TorrentId,
        /// Whether its payload goes too.
        data: RemoveData,
    },
    /// Sets file priorities; all changes take effect as one, later ones winning.
    SetPriority {
        /// Which torrent.
        torrent: TorrentId,
        /// The changes, in order.
        changes: Vec<PriorityChange>,
    },
    /// Sets in which order pieces are fetched; of a magnet too, whose torrent will have it.
    SetOrder {
        /// Which torrent.
        torrent: TorrentId,
        /// What of it changes.
        order: OrderChange,
    },
    /// Gives bytes of a file as soon as they are here, and has them and what follows fetched before all others, wanted
    /// or not. Gives [`Answer::Bytes`]; there is no limit to the wait but that of whoever waits.
    Read {
        /// Which torrent.
        torrent: TorrentId,
        /// A number of the asker's own. Reads of one number are one reader, who is now at the place of the latest.
        #[serde(default)]
        reader: u32,
        /// Which file.
        file: FileIndex,
        /// First byte, from the start of the file.
        offset: u64,
        /// At most this many bytes; fewer come at the end of the file, and where a piece ends after some.
        bytes_max: u32,
        /// How many bytes behind those will be asked for soon.
        #[serde(default)]
        ahead_bytes: u64,
    },
    /// Hashes everything on disk again.
    Recheck(TorrentId),
    /// Announces to all trackers now.
    Announce(TorrentId),
    /// Tells the engine of a peer found by hand.
    AddPeer {
        /// Which torrent.
        torrent: TorrentId,
        /// Where it listens.
        address: SocketAddr,
    },
    /// Does something with the webseeds of a torrent.
    Webseed {
        /// Which torrent.
        torrent: TorrentId,
        /// What.
        action: WebseedAction,
    },
    /// Sets the program-wide rate limits; `None` lifts one.
    SetLimits {
        /// Bytes per second from all peers together.
        down: Option<Rate>,
        /// Bytes per second to all peers together.
        up: Option<Rate>,
    },
    /// Switches the comparison of the engine's own state on or off, for all torrents ([`super::EventKind::Inconsistent`]).
    SetDebug(bool),
    /// Names the torrent whose detail snapshots are to carry.
    Watch(Option<TorrentId>),
    /// All torrents. Gives [`Answer::List`].
    List,
    /// The program as a whole. Gives [`Answer::Status`].
    Status,
    /// One torrent in full. Gives [`Answer::Detail`].
    Detail(TorrentId),
    /// One torrent with what only reports tell. Gives [`Answer::Vitals`].
    Vitals(TorrentId),
    /// The program from within: what is stuck, and all tasks, locks or queues. Gives [`Answer::Dump`].
    Dump(DumpKind),
    /// All torrents, each from within where its owner answers. Gives [`Answer::Report`].
    Report,
    /// What the flight recorder has of a torrent, as a file for `unchoke replay`, with passkeys and addresses. Gives
    /// [`Answer::Bytes`].
    Recording(TorrentId),
    /// Saves everything, tells the trackers and ends the program.
    Shutdown,
}

/// Where a torrent comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A .torrent file.
    Path(PathBuf),
    /// An http or https URL of a .torrent file.
    Url(String),
    /// A magnet link (BEP 9) or a bare info-hash of 40 or 64 hex digits.
    Magnet(String),
    /// The bytes of a .torrent file.
    Bytes(Vec<u8>),
}

impl Source {
    /// Tells by its look what a word of the command line or a pasted line is.
    pub fn guess(text: &str) -> Self {
        let text = text.trim();
        let lower = text.to_ascii_lowercase();
        let is_hash = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if lower.starts_with("magnet:") {
            Self::Magnet(text.to_owned())
        } else if lower.starts_with("http://") || lower.starts_with("https://") {
            Self::Url(text.to_owned())
        } else if is_hash {
            let kind = if text.len() == 40 { "btih:" } else { "btmh:1220" };
            Self::Magnet(format!("magnet:?xt=urn:{kind}{text}"))
        } else {
            Self::Path(PathBuf::from(text))
        }
    }
}

/// What to add and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddRequest {
    /// The torrent.
    pub source: Source,
    /// The folder that payload is saved into; `None`: the configured one.
    pub save_dir: Option<PathBuf>,
    /// Priorities to start with.
    pub priorities: Vec<PriorityChange>,
    /// Whether it starts at once.
    pub start: StartState,
    /// In which order pieces are fetched, where that is not to stay as it is.
    #[serde(default)]
    pub order: OrderChange,
    /// Peers known by hand.
    pub peers: Vec<SocketAddr>,
    /// Trackers beyond the torrent's own, as tiers of their own.
    pub trackers: Vec<String>,
    /// Webseeds beyond the torrent's own (BEP 19).
    #[serde(default)]
    pub webseeds: Vec<String>,
}

impl AddRequest {
    /// For everything of a source, at once.
    pub fn of(source: Source) -> Self {
        Self {
            source,
            save_dir: None,
            priorities: Vec::new(),
            start: StartState::Running,
            order: OrderChange::default(),
            peers: Vec::new(),
            trackers: Vec::new(),
            webseeds: Vec::new(),
        }
    }
}

/// Whether an added torrent starts at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartState {
    /// Transfers at once.
    Running,
    /// Waits for `Resume`.
    Paused,
}

/// Whether removing a torrent removes its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoveData {
    /// Payload stays on disk.
    Keep,
    /// Payload files, and the folders that become empty, are deleted.
    Delete,
}

/// Files chosen, and the level they are set to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorityChange {
    /// Which files.
    pub files: FileChoice,
    /// Their new level.
    pub level: Priority,
}

/// A choice of files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileChoice {
    /// Every file.
    All,
    /// By position in the torrent.
    Indices(Vec<FileIndex>),
    /// By path as `show` prints it, or a glob over it (`*` within a part, `**` across parts, `?`).
    Glob(String),
}

/// What a command came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It has taken effect.
    Done,
    /// The torrent is in the list.
    Added {
        /// Its identity.
        torrent: TorrentId,
        /// True where it was in the list before; its trackers and peers were merged.
        already: bool,
    },
    /// What the source holds.
    Preview(Arc<TorrentPreview>),
    /// The list.
    List(Vec<Arc<TorrentRow>>),
    /// The program as a whole.
    Status {
        /// The instant, on the engine's clock.
        at: Time,
        /// How it stands.
        engine: EngineStatus,
    },
    /// One torrent in full.
    Detail(Arc<TorrentDetail>),
    /// One torrent in full, and what only reports tell.
    Vitals(Arc<TorrentDetail>, Box<TorrentVitals>),
    /// The program from within.
    Dump(Box<Dump>),
    /// All torrents from within.
    Report(Box<StatusReport>),
    /// Bytes of a file, at least one; none at its end.
    Bytes(FileBytes),
}

/// What a torrent says of itself before it is added.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TorrentPreview {
    /// Its identity.
    pub torrent: TorrentId,
    /// Its name.
    pub name: Untrusted,
    /// Payload bytes, pad files aside.
    pub total_bytes: u64,
    /// Bytes per piece.
    pub piece_length: u32,
    /// Number of pieces; 0 while a magnet's metadata is unknown.
    pub pieces: u32,
    /// Trackers only (BEP 27).
    pub private: bool,
    /// Its files, pad files aside; empty while a magnet's metadata is unknown.
    pub files: Vec<FilePreview>,
}

/// A file of a torrent that is not added yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FilePreview {
    /// Position in the torrent.
    pub index: FileIndex,
    /// Path below the save folder.
    pub path: Untrusted,
    /// Its length.
    pub bytes: u64,
}

/// Why a command was not carried out: what was tried, on what, and what the user can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// One line, already safe to show.
    pub message: String,
}

impl Refusal {
    /// A refusal with this line.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}
