//! The one door of a torrent's owner: what can happen to it, and what it wants done.

mod fetch;
mod host;
mod input;
mod kind;

use std::net::SocketAddr;

use bytes::Bytes;

use crate::codec::peer::{BlockRequest, Message};
use crate::codec::tracker::AnnounceRequest;
use crate::contract::{Direction, DownloadOrder, EventKind, Priority, Untrusted, WebseedAction};
use crate::units::{ConnectionId, FetchId, FileIndex, PeerId, PieceIndex};

pub use fetch::{Fetch, FetchError, FetchErrorKind, FetchHead, FetchPart};
pub use host::{HostAsk, HostKey, HostNews, HostRest};
pub use input::Input;

/// What a person can ask of one torrent.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub enum TorrentCommand {
    /// Stop transfers and checks; connections are closed.
    Pause,
    /// Start again.
    Resume,
    /// Set levels of files, all as one change.
    SetPriority(Vec<(FileIndex, Priority)>),
    /// Set in which order pieces are fetched.
    SetOrder(DownloadOrder),
    /// Hash everything on disk again.
    Recheck,
    /// Give bytes of a file when they are here, and fetch them and what follows before all others. Answered by
    /// [`Effect::AnswerRead`].
    Read(ReadRequest),
    /// Nobody waits for the answers of a reader any more.
    EndRead(ReaderId),
    /// Announce to all trackers now.
    Announce,
    /// Add trackers, each as a tier of its own.
    AddTrackers(Vec<String>),
    /// Do something with webseeds.
    Webseed(WebseedAction),
    /// Say goodbye to trackers, save, and close everything: the torrent is being removed or the program ends.
    Stop,
}

/// Somebody on this machine who reads a file while it is downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct ReaderId(pub u64);

/// What a reader wants next. Asking again moves it; a reader that asks no more is forgotten after
/// `limits::READER_IDLE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ReadRequest {
    /// Who.
    pub reader: ReaderId,
    /// Of which file.
    pub file: FileIndex,
    /// First byte, from the start of the file.
    pub offset: u64,
    /// At most this many bytes; fewer at the end of the file, and where a piece ends after some.
    pub bytes_max: u32,
    /// How many bytes behind those it will want soon.
    pub ahead_bytes: u64,
}

/// Why a read cannot be answered with bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is no such file, or it is a pad file.
    #[error("the torrent has no such file")]
    NoSuchFile,
    /// Too many readers at once.
    #[error("{0} readers read from this torrent already")]
    TooMany(usize),
    /// The disk did not give what is here.
    #[error("{0}")]
    Disk(DiskError),
}

/// Whom a read from disk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum BlockReader {
    /// A peer that asked.
    Peer(ConnectionId),
    /// A reader on this machine.
    Local(ReaderId),
}

/// A connection that is up.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct NewConnection {
    /// Its name from now on.
    pub connection: ConnectionId,
    /// The other end.
    pub address: SocketAddr,
    /// Who called.
    pub direction: Direction,
    /// What the peer calls itself.
    pub peer_id: PeerId,
    /// The reserved bytes of its handshake.
    pub reserved: [u8; 8],
}

/// Reading or writing payload failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{message}")]
pub struct DiskError {
    /// What kind of trouble it is; decides what happens next.
    pub kind: DiskErrorKind,
    /// What was tried, on which file, the system's words and what to do.
    pub message: Untrusted,
}

/// The kinds of disk trouble that are treated differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum DiskErrorKind {
    /// No space, or quota reached: downloading stops, seeding goes on, retried.
    Full,
    /// Not permitted, or read-only.
    Denied,
    /// The file, or the part of it that was asked for, is not there.
    Missing,
    /// Anything else.
    Other,
}

/// What hashing a piece from disk found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum HashOutcome {
    /// Right bytes.
    Match,
    /// Wrong bytes.
    Mismatch,
    /// A file is missing or too short.
    NoData,
    /// Reading failed.
    Failed(DiskError),
}

/// A tracker of one torrent: its position when it was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct TrackerKey(pub u32);

/// Something a torrent wants done. The shell does it and decides nothing.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Open a connection and shake hands; answered by `Connected` or `ConnectFailed`.
    Connect {
        /// Where.
        address: SocketAddr,
    },
    /// Send a message. Never waits: the shell's control queue takes it, or the connection is closed as not draining.
    Send {
        /// The connection.
        connection: ConnectionId,
        /// The message.
        message: Message,
    },
    /// Send a block; goes out after all control messages. Answered by `Sent`.
    SendBlock {
        /// The connection.
        connection: ConnectionId,
        /// The piece.
        piece: PieceIndex,
        /// First byte, from the start of the piece.
        begin: u32,
        /// The block.
        data: Bytes,
    },
    /// Close a connection; no `Closed` follows.
    Disconnect {
        /// The connection.
        connection: ConnectionId,
    },
    /// Hash a piece whose blocks are all here and, if right, write it. Blocks not in the list are read from disk.
    /// Answered by `PieceStored`, `PieceMismatch` or `StoreFailed`.
    StorePiece {
        /// The piece.
        piece: PieceIndex,
        /// First byte and bytes of each block in memory, ascending.
        blocks: Vec<(u32, Bytes)>,
    },
    /// Write blocks of a piece that is not whole, to free memory or before a stop. Answered by `BlocksWritten` or
    /// `WriteFailed`.
    WriteBlocks {
        /// The piece.
        piece: PieceIndex,
        /// First byte and bytes of each block, ascending.
        blocks: Vec<(u32, Bytes)>,
    },
    /// Hash a piece from disk. Answered by `PieceHashed`.
    HashPiece {
        /// The piece.
        piece: PieceIndex,
    },
    /// Read a range of a stored piece; it may span many blocks. Answered by `BlocksRead`.
    ReadBlocks {
        /// Whom it is for.
        reader: BlockReader,
        /// The range.
        range: BlockRequest,
    },
    /// Files became wanted or unwanted: nothing is made on disk for those that nobody wants.
    FilesWanted {
        /// Files whose level was off and is not.
        wanted: Vec<FileIndex>,
        /// Files whose level was not off and is.
        unwanted: Vec<FileIndex>,
    },
    /// Sync the payload written so far, then save the record: never the other way round. Answered by `ResumeSaved`.
    SaveResume {
        /// Counts up.
        generation: u64,
        /// What to save.
        record: Box<ResumeRecord>,
    },
    /// Announce to a tracker. Answered by `Announced`.
    Announce {
        /// Which tracker.
        tracker: TrackerKey,
        /// Its URL.
        url: String,
        /// The announce.
        request: AnnounceRequest,
    },
    /// Ask for counts (BEP 48).
    Scrape {
        /// Which tracker.
        tracker: TrackerKey,
        /// Its URL.
        url: String,
        /// The swarm.
        info_hash: [u8; 20],
    },
    /// Transfers wait for the shared budget; answered by `Granted`.
    WantGrant {
        /// Bytes to send.
        up: bool,
        /// Bytes to request.
        down: bool,
    },
    /// Tell the shared budget how many connections there are and could be; answered by `Slots`, where they are scarce.
    AskSlots(SlotAsk),
    /// Ask a webseed for bytes; answered by `FetchAnswered` any number of times, `Fetched` and one `FetchEnded`.
    Fetch(Box<Fetch>),
    /// A fetch may bring more bytes (rate limits).
    FetchCredit {
        /// Which request.
        fetch: FetchId,
        /// How many more.
        bytes: u64,
    },
    /// Drop a request of a webseed; no `FetchEnded` follows.
    EndFetch {
        /// Which request.
        fetch: FetchId,
    },
    /// Tell the shared budget of a webseed's host; answered by `Host`.
    Host {
        /// The host.
        host: HostKey,
        /// What it is to know.
        ask: HostAsk,
    },
    /// Bytes for a reader: the start of what it asked for, as far as one piece goes; empty at the end of the file.
    AnswerRead {
        /// Who asked.
        reader: ReaderId,
        /// The bytes.
        result: Result<Bytes, ReadError>,
    },
    /// Tell the front ends.
    Notify(EventKind),
    /// The torrent has said its goodbyes (after [`TorrentCommand::Stop`]): its owner may end.
    Stopped,
}

/// Connections of a torrent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SlotAsk {
    /// That are up, or being called.
    pub has: u32,
    /// That it could have, those included; 0 where it neither calls nor takes calls.
    pub wishes: u32,
}

/// What a torrent needs in order to go on where it was. Only synced data is claimed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ResumeRecord {
    /// One bit a piece, high bit first: verified and on disk.
    pub have: Vec<u8>,
    /// One bit a piece, high bit first: known to be have or missing. The others were never looked at.
    pub known: Vec<u8>,
    /// Pieces of which some blocks are on disk: one bit a block, high bit first. Not verified.
    pub partial: Vec<(PieceIndex, Vec<u8>)>,
    /// One level a file, pad files included.
    pub priorities: Vec<Priority>,
    /// In which order pieces are fetched.
    pub order: DownloadOrder,
    /// Stopped by the user.
    pub paused: bool,
    /// Payload bytes received over all runs.
    pub downloaded_bytes: u64,
    /// Payload bytes sent over all runs.
    pub uploaded_bytes: u64,
    /// Addresses to call first next time.
    pub peers: Vec<SocketAddr>,
    /// Addresses never to be called again.
    pub banned: Vec<super::peers::ban::BannedPeer>,
    /// What people did with its webseeds.
    pub webseeds: WebseedChoices,
}

/// What people did with the webseeds of a torrent, by URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WebseedChoices {
    /// Added by hand.
    pub added: Vec<String>,
    /// Taken away, though the torrent names them.
    pub removed: Vec<String>,
    /// Switched off.
    pub disabled: Vec<String>,
}
