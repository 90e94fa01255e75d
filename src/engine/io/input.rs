//! What can happen to a torrent.

use std::net::SocketAddr;

use bytes::Bytes;

use super::{
    BlockReader, DiskError, FetchError, FetchHead, HashOutcome, HostKey, HostNews, NewConnection,
    TorrentCommand, TrackerKey,
};
use crate::codec::peer::{BlockRequest, Message};
use crate::codec::tracker::{AnnounceAnswer, ScrapeAnswer, TrackerError};
use crate::contract::{PeerSource, Untrusted};
use crate::units::{ConnectionId, FetchId, PieceIndex};

/// Something that happened to a torrent.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub enum Input {
    /// A person asked.
    Command(TorrentCommand),
    /// Addresses of peers became known.
    PeersFound {
        /// How.
        source: PeerSource,
        /// Where they listen.
        addresses: Vec<SocketAddr>,
    },
    /// A connection is up and both handshakes are done.
    Connected(NewConnection),
    /// A connection asked for by [`super::Effect::Connect`] did not come up.
    ConnectFailed {
        /// Where.
        address: SocketAddr,
        /// Why, for people.
        reason: String,
    },
    /// Messages of a peer, in the order they came.
    Messages {
        /// The connection.
        connection: ConnectionId,
        /// The messages.
        messages: Vec<Message>,
    },
    /// Bytes of blocks (`Effect::SendBlock`) left for the kernel.
    Sent {
        /// The connection.
        connection: ConnectionId,
        /// Payload bytes.
        payload_bytes: u64,
    },
    /// A connection ended.
    Closed {
        /// The connection.
        connection: ConnectionId,
        /// Why, for people.
        reason: String,
    },
    /// [`super::Effect::StorePiece`]: it passed its hash and was written.
    PieceStored {
        /// The piece.
        piece: PieceIndex,
    },
    /// [`super::Effect::StorePiece`]: it failed its hash; nothing was written.
    PieceMismatch {
        /// The piece.
        piece: PieceIndex,
    },
    /// [`super::Effect::StorePiece`] failed for another reason than its hash.
    StoreFailed {
        /// The piece.
        piece: PieceIndex,
        /// Why.
        error: DiskError,
    },
    /// [`super::Effect::WriteBlocks`] failed. The same piece may be on its way to being stored whole meanwhile.
    WriteFailed {
        /// The piece.
        piece: PieceIndex,
        /// Why.
        error: DiskError,
    },
    /// [`super::Effect::WriteBlocks`] is done.
    BlocksWritten {
        /// The piece.
        piece: PieceIndex,
        /// First byte of each block written.
        begins: Vec<u32>,
    },
    /// [`super::Effect::HashPiece`] is done.
    PieceHashed {
        /// The piece.
        piece: PieceIndex,
        /// What was found.
        outcome: HashOutcome,
    },
    /// [`super::Effect::ReadBlocks`] is done.
    BlocksRead {
        /// Whom it is for.
        reader: BlockReader,
        /// The range read.
        range: BlockRequest,
        /// The bytes, exactly as many as asked for.
        #[serde(with = "crate::codec::payload::result")]
        result: Result<Bytes, DiskError>,
    },
    /// [`super::Effect::SaveResume`] is done: the data is synced and the record is in the store.
    ResumeSaved {
        /// Which one.
        generation: u64,
        /// What failed, if anything.
        result: Result<(), DiskError>,
    },
    /// A tracker's answer to [`super::Effect::Announce`].
    Announced {
        /// Which tracker.
        tracker: TrackerKey,
        /// The answer.
        result: Result<AnnounceAnswer, TrackerError>,
    },
    /// A tracker's answer to [`super::Effect::Scrape`].
    Scraped {
        /// Which tracker.
        tracker: TrackerKey,
        /// The answer.
        result: Result<ScrapeAnswer, TrackerError>,
    },
    /// The head of an answer to [`super::Effect::Fetch`] came, or of one of its parts.
    FetchAnswered {
        /// Which request.
        fetch: FetchId,
        /// What the head said.
        head: FetchHead,
    },
    /// Blocks of [`super::Effect::Fetch`], in its order.
    Fetched {
        /// Which request.
        fetch: FetchId,
        /// The blocks, each as long as was asked for.
        #[serde(with = "crate::codec::payload::list")]
        blocks: Vec<Bytes>,
    },
    /// [`super::Effect::Fetch`] is done or failed; nothing more comes of it.
    FetchEnded {
        /// Which request.
        fetch: FetchId,
        /// What failed, if anything.
        result: Result<(), FetchError>,
    },
    /// The shared budget grants places at a webseed's host, or says that it failed.
    Host {
        /// The host.
        host: HostKey,
        /// What is new.
        news: HostNews,
    },
    /// The shared budget grants bytes to send and to request, on top of what is left of earlier grants.
    Granted {
        /// Payload bytes we may send; `None`: no limit.
        up_bytes: Option<u64>,
        /// Payload bytes we may request; `None`: no limit.
        down_bytes: Option<u64>,
    },
    /// The shared budget says how many connections there may be, half-open ones counted.
    Slots {
        /// At most so many.
        most: u32,
    },
    /// The instant named by `next_deadline` has come.
    Deadline,
    /// A task that served this torrent panicked, which is a bug of ours.
    TaskFailed {
        /// Which task, and with what words.
        cause: Untrusted,
    },
}

impl Input {
    /// Whether the turn that takes it may cost by the piece or by the file of the torrent.
    pub fn may_be_long(&self) -> bool {
        match self {
            Self::Command(command) => !matches!(command, TorrentCommand::Read(_)),
            Self::Messages { messages, .. } => {
                let all = |message: &Message| matches!(message, Message::Bitfield(_) | Message::HaveNone);
                messages.iter().any(all)
            }
            // A peer that goes is taken out of the counts of all pieces that it had.
            Self::Closed { .. } | Self::PieceMismatch { .. } | Self::Deadline | Self::TaskFailed { .. } => {
                true
            }
            Self::PeersFound { .. }
            | Self::Connected(_)
            | Self::ConnectFailed { .. }
            | Self::Sent { .. }
            | Self::PieceStored { .. }
            | Self::StoreFailed { .. }
            | Self::WriteFailed { .. }
            | Self::BlocksWritten { .. }
            | Self::PieceHashed { .. }
            | Self::BlocksRead { .. }
            | Self::ResumeSaved { .. }
            | Self::Announced { .. }
            | Self::Scraped { .. }
            | Self::FetchAnswered { .. }
            | Self::Fetched { .. }
            | Self::FetchEnded { .. }
            | Self::Host { .. }
            | Self::Granted { .. }
            | Self::Slots { .. } => false,
        }
    }

    /// One word for it, for reports of slow turns.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::PeersFound { .. } => "peers found",
            Self::Connected(_) => "connected",
            Self::ConnectFailed { .. } => "connect failed",
            Self::Messages { .. } => "messages",
            Self::Sent { .. } => "sent",
            Self::Closed { .. } => "closed",
            Self::PieceStored { .. } => "piece stored",
            Self::PieceMismatch { .. } => "piece mismatch",
            Self::StoreFailed { .. } => "store failed",
            Self::WriteFailed { .. } => "write failed",
            Self::BlocksWritten { .. } => "blocks written",
            Self::PieceHashed { .. } => "piece hashed",
            Self::BlocksRead { .. } => "blocks read",
            Self::ResumeSaved { .. } => "resume saved",
            Self::Announced { .. } => "announced",
            Self::Scraped { .. } => "scraped",
            Self::FetchAnswered { .. } => "webseed answered",
            Self::Fetched { .. } => "webseed blocks",
            Self::FetchEnded { .. } => "webseed ended",
            Self::Host { .. } => "webseed host",
            Self::Granted { .. } => "granted",
            Self::Slots { .. } => "connection slots",
            Self::Deadline => "deadline",
            Self::TaskFailed { .. } => "task failed",
        }
    }
}
