//! Making torrents: v1, v2 and hybrid, from a file, a folder or memory.
//!
//! The same input gives the same info-hash everywhere: files are sorted, and entries whose name starts with a
//! dot are left out of every kind, because lava_torrent's builder, which makes the v1 torrents, leaves them
//! out. It knows neither trees nor pad files, so v2 and hybrid torrents are hashed and written here, and so
//! is anything made from memory. What was made is read back and compared with what was asked for before it is
//! handed out. The only part of `metainfo` that reads files; nothing else is kept in memory than hashes.

mod bencode;
mod hash;
mod tree;
mod v1;
mod write;

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use self::hash::hash_files;
use self::tree::{Plan, Source};
use super::info::Kind;
use super::parse::parse;
use crate::contract::Untrusted;
use crate::limits::{
    BLOCK_BYTES, CREATE_PIECES_TARGET, PIECE_LENGTH_CREATE_MAX, PIECE_LENGTH_MAX, PIECES_MAX,
    TORRENT_BYTES_MAX,
};

/// What to put into a torrent besides its files.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which versions describe it.
    pub kind: Kind,
    /// Bytes of a piece; `None`: chosen by the size of the payload.
    pub piece_length: Option<u32>,
    /// Announce URLs, each a tier of its own.
    pub trackers: Vec<String>,
    /// Web servers that hold the files (BEP 19).
    pub webseeds: Vec<String>,
    /// Who may hand out peers.
    pub privacy: Privacy,
    /// A remark for people.
    pub comment: Option<String>,
    /// The program that makes it.
    pub created_by: Option<String>,
    /// When it is made, in seconds since the Unix epoch. It is not part of the info-hash.
    pub creation_date: Option<i64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            kind: Kind::V1,
            piece_length: None,
            trackers: Vec::new(),
            webseeds: Vec::new(),
            privacy: Privacy::Public,
            comment: None,
            created_by: None,
            creation_date: None,
        }
    }
}

/// Who may hand out peers of a torrent (BEP 27).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Privacy {
    /// Anyone.
    #[default]
    Public,
    /// Its trackers alone.
    Private,
}

/// A torrent that was made.
#[derive(Clone, Debug)]
pub struct Created {
    /// The .torrent file.
    pub torrent: Vec<u8>,
    /// Entries that were left out because their name starts with a dot.
    pub left_out: Vec<PathBuf>,
}

/// Why a torrent was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {error}; check that it exists and that you may read it")]
    Unreadable {
        /// Which.
        path: Untrusted,
        /// Why.
        error: io::Error,
    },
    /// There is no byte to share.
    #[error(
        "{path} holds no data (entries whose name starts with a dot do not count); name a file or folder that does"
    )]
    Empty {
        /// Which file or folder.
        path: Untrusted,
    },
    /// A name that other systems could not store as it is.
    #[error("{path} cannot be shared under its name: {reason}; rename it first")]
    UnusableName {
        /// Which file or folder.
        path: Untrusted,
        /// Why.
        reason: &'static str,
    },
    /// A device, a socket, a pipe, or a symbolic link to a folder.
    #[error(
        "{path} is neither a file nor a folder (links to folders are not followed); move it out of the way first"
    )]
    NotAFile {
        /// Which.
        path: Untrusted,
    },
    /// A piece length that is not allowed.
    #[error(
        "piece length {bytes} cannot be used: give a power of two from 16384 (16 KiB) to 268435456 (256 MiB)"
    )]
    PieceLength {
        /// What was asked for.
        bytes: u32,
    },
    /// The payload has too many pieces or files of this size.
    #[error(
        "the torrent would have {pieces} pieces of {piece_length} bytes, more than clients accept; give a larger piece length"
    )]
    TooManyPieces {
        /// How many.
        pieces: u64,
        /// Of how many bytes.
        piece_length: u32,
    },
    /// A file grew, shrank or went away meanwhile.
    #[error("{path} changed while it was read; try again when nothing writes to it")]
    Changed {
        /// Which.
        path: Untrusted,
    },
    /// The v1 builder failed.
    #[error("cannot make a v1 torrent of {path}: {reason}")]
    Builder {
        /// Of what.
        path: Untrusted,
        /// What it says.
        reason: String,
    },
}

/// Makes a torrent of a file or folder. `progress` is told how many bytes of how many are hashed.
pub fn create(
    path: &Path,
    options: &Options,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Created, CreateError> {
    let (plan, left_out) = tree::walk(path)?;
    let piece_length = choose_piece_length(&plan, options)?;
    progress(0, plan.payload_bytes());
    let torrent = match options.kind {
        Kind::V1 => v1::build(path, &plan, piece_length, options)?,
        Kind::V2 | Kind::Hybrid => {
            let hashed = hash_files(&plan, piece_length, options.kind, |source| source.open(), progress)?;
            write::torrent(&plan, &hashed, piece_length, options)
        }
    };
    progress(plan.payload_bytes(), plan.payload_bytes());
    prove(&torrent, &plan, path)?;
    Ok(Created { torrent, left_out })
}

/// Makes a torrent of named bytes; one file whose name is that of the torrent makes a single-file torrent.
/// File names may have several parts, joined by `/`.
pub fn from_memory(
    name: &str,
    piece_length: u32,
    files: &[(&str, &[u8])],
    kind: Kind,
) -> Result<Vec<u8>, CreateError> {
    let options = Options { kind, piece_length: Some(piece_length), ..Options::default() };
    from_memory_with(name, files, &options)
}

/// As [`from_memory`], with everything that may be chosen.
pub fn from_memory_with(
    name: &str,
    files: &[(&str, &[u8])],
    options: &Options,
) -> Result<Vec<u8>, CreateError> {
    let plan = Plan::of_memory(name, files)?;
    let piece_length = choose_piece_length(&plan, options)?;
    let open = |source: &Source| {
        let found = files.iter().find(|(path, _)| *path == source.path.to_string_lossy());
        found.map(|(_, bytes)| *bytes).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    let hashed = hash_files(&plan, piece_length, options.kind, open, &mut |_, _| ())?;
    Ok(write::torrent(&plan, &hashed, piece_length, options))
}

/// The piece length asked for if it is allowed, else one that gives about a thousand to two thousand pieces.
fn choose_piece_length(plan: &Plan, options: &Options) -> Result<u32, CreateError> {
    let bytes = plan.payload_bytes();
    let piece_length = match options.piece_length {
        Some(asked) if asked.is_power_of_two() && (BLOCK_BYTES..=PIECE_LENGTH_MAX).contains(&asked) => asked,
        Some(asked) => return Err(CreateError::PieceLength { bytes: asked }),
        None => {
            let about = bytes
                .div_ceil(CREATE_PIECES_TARGET)
                .clamp(BLOCK_BYTES.into(), PIECE_LENGTH_CREATE_MAX.into());
            u32::try_from(about.next_power_of_two()).unwrap_or(PIECE_LENGTH_CREATE_MAX)
        }
    };
    let of_each = |source: &Source| source.bytes.div_ceil(u64::from(piece_length));
    let pieces = match options.kind {
        Kind::V1 => bytes.div_ceil(u64::from(piece_length)),
        Kind::V2 | Kind::Hybrid => plan.files.iter().map(of_each).sum(),
    };
    if pieces > u64::from(PIECES_MAX) || pieces * 52 > TORRENT_BYTES_MAX as u64 {
        return Err(CreateError::TooManyPieces { pieces, piece_length });
    }
    Ok(piece_length)
}

/// Reads a torrent back: it must be valid, and list exactly the files that were found.
fn prove(torrent: &[u8], plan: &Plan, path: &Path) -> Result<(), CreateError> {
    let read = parse(Bytes::copy_from_slice(torrent))
        .map_err(|error| CreateError::Builder { path: shown(path), reason: error.to_string() })?;
    let listed = read.info.files.iter().filter(|file| !file.pad).map(|file| file.bytes);
    if listed.eq(plan.files.iter().map(|source| source.bytes)) {
        Ok(())
    } else {
        Err(CreateError::Changed { path: shown(path) })
    }
}

fn shown(path: &Path) -> Untrusted {
    Untrusted::new(path.to_string_lossy())
}

#[cfg(test)]
mod tests;
