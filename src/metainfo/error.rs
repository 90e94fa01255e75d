//! Why bytes are not a torrent: one named class per rule, so that a person or a test can tell which was
//! broken.

/// Why bytes are not a torrent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetainfoError {
    /// More bytes than any torrent needs.
    #[error("the torrent has {bytes} bytes; at most {bytes_max} are read")]
    TooLarge {
        /// How many there are.
        bytes: usize,
        /// How many are read.
        bytes_max: usize,
    },
    /// Not bencode (BEP 3), or not in canonical form where a v2 torrent must be (BEP 52).
    #[error("invalid bencoding at byte {at}: {what}")]
    InvalidBencoding {
        /// Where.
        at: usize,
        /// Which rule of bencode is broken.
        what: &'static str,
    },
    /// Lists or dictionaries nested too deep.
    #[error("bencoded nesting depth exceeded: more than {depth_max} levels")]
    DepthExceeded {
        /// How many levels are read.
        depth_max: usize,
    },
    /// More values than any torrent needs.
    #[error("too many bencoded values: more than {tokens_max}")]
    TooManyTokens {
        /// How many are read.
        tokens_max: usize,
    },
    /// The outermost value is not a dictionary.
    #[error("the torrent file is not a dictionary")]
    NotADictionary,
    /// No `info`, or it is not a dictionary.
    #[error("missing or invalid 'info' in the torrent file")]
    MissingInfo,
    /// `meta version` is one that nobody has defined.
    #[error("unsupported 'meta version' {version}")]
    UnsupportedVersion {
        /// What it says.
        version: i64,
    },
    /// No `name`, or it is not text; or a file entry has no path.
    #[error("missing name: {of}")]
    MissingName {
        /// Which entry.
        of: &'static str,
    },
    /// A path, or the target of a symbolic link, is not a list of texts.
    #[error("invalid path of file {file}: it is not a list of texts")]
    InvalidName {
        /// Position of the file, from 0.
        file: usize,
    },
    /// No `piece length`, or one that is not allowed (v2: a power of two of at least 16 KiB).
    #[error("invalid or missing 'piece length'")]
    MissingPieceLength,
    /// A length is missing, not a number, negative or too large, or nothing is left to download at all.
    #[error("invalid length of {of}")]
    InvalidLength {
        /// Of what.
        of: &'static str,
    },
    /// The list of files is empty.
    #[error("no files in the torrent")]
    NoFiles,
    /// More files than we handle.
    #[error("too many files: more than {files_max}")]
    TooManyFiles {
        /// How many are handled.
        files_max: usize,
    },
    /// An entry of `files` or `file tree` does not have the shape of one.
    #[error("invalid file entry: {what}")]
    InvalidFileEntry {
        /// What is wrong.
        what: &'static str,
    },
    /// No `pieces`, or it is not a string.
    #[error("invalid or missing 'pieces'")]
    MissingPieces,
    /// `pieces` does not hold 20 bytes for each piece.
    #[error("incorrect number of piece hashes: {bytes} bytes for {pieces} pieces")]
    IncorrectHashes {
        /// Bytes of `pieces`.
        bytes: usize,
        /// Pieces by the file lengths.
        pieces: u32,
    },
    /// More pieces than we handle.
    #[error("too many pieces: more than {pieces_max}")]
    TooManyPieces {
        /// How many are handled.
        pieces_max: u32,
    },
    /// Too many files share a path.
    #[error("too many duplicate file names")]
    TooManyDuplicates,
    /// The v1 and v2 halves of a hybrid describe other files.
    #[error("the v1 and v2 file lists do not match")]
    InconsistentFiles,
    /// A v2 file says that it is padding.
    #[error("a file in the v2 file tree has the pad attribute")]
    InvalidPadFile,
    /// A v2 file that is not empty has no (or an all-zero) `pieces root`.
    #[error("a v2 file entry has no root hash")]
    MissingPiecesRoot,
    /// `piece layers` has an entry that fits no file, has the wrong size or does not hash to its root.
    #[error("a piece layer is invalid: {what}")]
    InvalidPieceLayer {
        /// What is wrong.
        what: &'static str,
    },
    /// `meta version` is 2 but there is no `file tree`.
    #[error("missing 'file tree' in a v2 torrent")]
    MissingFileTree,
}
