//! What is asked of a webseed, and what comes back.

use crate::contract::Untrusted;
use crate::units::{FetchId, FileIndex, WebseedKey};

/// Bytes to ask a webseed for: blocks that follow each other, and where they lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Its name.
    pub id: FetchId,
    /// Of which webseed.
    pub webseed: WebseedKey,
    /// Where the bytes lie, in order, without gaps.
    pub parts: Vec<FetchPart>,
    /// The length of each block, in order; together as long as the parts.
    pub blocks: Vec<u32>,
    /// How many bytes may come before `FetchCredit` allows more; `None`: all.
    pub credit: Option<u64>,
    /// Whether a person named the webseed: then it may be where only we can reach it, whatever its URL looks like.
    pub by_hand: bool,
}

/// A part of what a fetch brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchPart {
    /// Zeros of a pad file (BEP 47): made, not fetched.
    Zeros {
        /// How many.
        bytes: u64,
    },
    /// A range of a file (BEP 19).
    File {
        /// Which file.
        file: FileIndex,
        /// Its URL.
        url: String,
        /// First byte of the range.
        offset: u64,
        /// Length of the range.
        bytes: u64,
        /// Length of the whole file.
        file_bytes: u64,
    },
    /// A range of a piece (BEP 17): the URL says which, the body is those bytes.
    Piece {
        /// The URL with its query.
        url: String,
        /// Length of the body.
        bytes: u64,
    },
}

impl FetchPart {
    /// The file that it is a range of, if it is one.
    pub const fn file(&self) -> Option<FileIndex> {
        match self {
            Self::File { file, .. } => Some(*file),
            Self::Zeros { .. } | Self::Piece { .. } => None,
        }
    }

    /// How many bytes it brings.
    pub const fn bytes(&self) -> u64 {
        match self {
            Self::Zeros { bytes } | Self::File { bytes, .. } | Self::Piece { bytes, .. } => *bytes,
        }
    }
}

/// What the head of a webseed's answer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FetchHead {
    /// Its status.
    pub status: u16,
    /// The protocol, such as `HTTP/1.1`.
    pub protocol: &'static str,
    /// Microseconds from the request to it.
    pub latency_us: u64,
    /// Bytes of its body that come before those that were asked for, where the server ignores ranges.
    pub skip_bytes: u64,
}

/// A head as it is read from a recording, whose protocol becomes one of the words that clients use.
#[derive(serde::Deserialize)]
struct WrittenHead {
    status: u16,
    protocol: String,
    latency_us: u64,
    skip_bytes: u64,
}

impl<'de> serde::Deserialize<'de> for FetchHead {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let WrittenHead { status, protocol, latency_us, skip_bytes } =
            WrittenHead::deserialize(deserializer)?;
        let known = ["HTTP/1.1", "HTTP/1.0", "HTTP/2", "HTTP/3"];
        let protocol = known.into_iter().find(|known| *known == protocol).unwrap_or("HTTP/1.1");
        Ok(Self { status, protocol, latency_us, skip_bytes })
    }
}

/// Why a webseed did not give what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{message}")]
pub struct FetchError {
    /// What follows from it.
    pub kind: FetchErrorKind,
    /// The file that was asked for, where it is about one.
    pub file: Option<FileIndex>,
    /// The status of the answer, where there was one.
    pub status: Option<u16>,
    /// How long the server wants to be left alone (Retry-After), in seconds.
    pub retry_after_s: Option<u64>,
    /// What went wrong, for people.
    pub message: Untrusted,
}

/// The kinds of webseed failures that are treated differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum FetchErrorKind {
    /// The server does not have that file, or another one in its place: others may be good.
    NotThere,
    /// The server is busy or broken: 429, 5xx, connecting, TLS, a body that ends early, silence.
    Trouble,
    /// It must not be asked at all: where it leads is forbidden, or its URL is none.
    Forbidden,
}
