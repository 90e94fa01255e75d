//! A recording as a file: a head that says what it is, a digest against damage, and what was recorded.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::machine::Subject;
use crate::limits::RECORDING_FILE_BYTES_MAX;
use crate::units::{Time, TorrentId};

/// What such a file begins with; the last byte is the version of the format.
const MAGIC: &[u8; 17] = b"unchoke recording";
const FORMAT: u8 = 4;
const DIGEST_BYTES: usize = 32;

/// A recording of one torrent, or of a magnet whose metadata was not here yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The program that made it. Another one may have other states.
    pub version: String,
    /// Of what.
    pub subject: Subject,
    /// Of which torrent.
    pub torrent: TorrentId,
    /// Its info dictionary as it came; empty of a magnet.
    pub info: Bytes,
    /// Passkeys and addresses have stand-ins.
    pub redacted: bool,
    /// When its first state was written.
    pub began: Time,
    /// When its last state was written.
    pub ended: Time,
    /// What was recorded, in order. The state that a part begins with is the one that the part before it ends in.
    pub parts: Vec<Part>,
    /// The state that the last part ends in.
    pub end_state: Bytes,
}

/// A state and what came after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The state, as [`crate::engine::torrent::Torrent::write_state`] gives it.
    pub state: Bytes,
    /// Entries, one behind the other.
    pub entries: Bytes,
}

/// Why bytes are not a recording that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It begins otherwise.
    #[error("it is not a recording; make one with `unchoke dump recorder`")]
    NotOne,
    /// Another version of the format.
    #[error(
        "it has version {0} of the format, and this program reads version {FORMAT}; use the program that made it"
    )]
    Format(u8),
    /// Cut short or changed.
    #[error("it is damaged; make or copy it again")]
    Damaged,
    /// Longer than any recording.
    #[error("it has more than {RECORDING_FILE_BYTES_MAX} bytes, which no recording has")]
    TooLong,
}

impl Recording {
    /// The file.
    ///
    /// # Errors
    /// It could not be encoded, which is a bug.
    pub fn to_bytes(&self) -> Result<Vec<u8>, postcard::Error> {
        let body = postcard::to_allocvec(self)?;
        let mut file = Vec::with_capacity(MAGIC.len() + 1 + DIGEST_BYTES + body.len());
        file.extend_from_slice(MAGIC);
        file.push(FORMAT);
        file.extend_from_slice(&Sha256::digest(&body));
        file.extend_from_slice(&body);
        Ok(file)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is none, or is damaged.
    pub fn from_bytes(file: &[u8]) -> Result<Self, FileError> {
        if file.len() as u64 > RECORDING_FILE_BYTES_MAX {
            return Err(FileError::TooLong);
        }
        let rest = file.strip_prefix(MAGIC).ok_or(FileError::NotOne)?;
        let (format, rest) = rest.split_first().ok_or(FileError::Damaged)?;
        if *format != FORMAT {
            return Err(FileError::Format(*format));
        }
        let (digest, body) = rest.split_at_checked(DIGEST_BYTES).ok_or(FileError::Damaged)?;
        if Sha256::digest(body).as_slice() != digest {
            return Err(FileError::Damaged);
        }
        postcard::from_bytes(body).map_err(|_| FileError::Damaged)
    }
}

/// The digest of a state, in hex digits: two states that have the same are identical.
pub(super) fn digest_of(state: &[u8]) -> String {
    Sha256::digest(state).iter().map(|byte| format!("{byte:02x}")).collect()
}
