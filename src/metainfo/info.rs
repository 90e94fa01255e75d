//! What is shared: names, files, pieces and their hashes, as the info dictionary says.
//!
//! All pieces make one space of bytes; each file has an offset in it. In a v1 torrent files follow each
//! other, with pad files (BEP 47) as files of their own; in a v2-only torrent every file starts a piece, so
//! its last piece may be short (BEP 52). `layout` maps between the two; `verifier` gives the hash of a piece.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::error::MetainfoError;
use super::merkle::{Hash, Merkle, height_for, padding_at};
use super::path::SafePath;
use super::verify::PieceHasher;
use crate::contract::Untrusted;
use crate::limits::BLOCK_BYTES;
use crate::units::{FileIndex, InfoHashV1, InfoHashV2, PieceIndex, TorrentId};

/// Which protocol versions describe a torrent (BEP 3, BEP 52).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// SHA-1 pieces.
    V1,
    /// SHA-256 trees.
    V2,
    /// Both, in one info dictionary.
    Hybrid,
}

impl Kind {
    /// The stable word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::Hybrid => "hybrid",
        }
    }
}

/// The name of a torrent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name<'a> {
    /// Made safe as a path part is.
    pub(super) safe: &'a str,
    /// As the torrent spells it.
    pub(super) spelled: &'a [u8],
}

/// One entry of the list of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path below the save folder; the first part is the torrent's name where it has several files.
    pub path: SafePath,
    /// The same as the torrent spells it, part by part, where that differs: what web servers know it by.
    pub(super) spelled: Option<Box<[Box<[u8]>]>>,
    /// Its length; 0 for a symbolic link.
    pub bytes: u64,
    /// Where it starts in the space of pieces.
    pub offset: u64,
    /// Padding (BEP 47): all zero bytes, never requested, never written.
    pub pad: bool,
    /// Marked executable (BEP 47).
    pub executable: bool,
    /// Marked hidden (BEP 47).
    pub hidden: bool,
    /// Where it points if it is a symbolic link (BEP 47), below the save folder as `path` is.
    pub symlink: Option<SafePath>,
    /// Root of its merkle tree (BEP 52).
    pub pieces_root: Option<Hash>,
}

impl File {
    /// A plain empty file below the torrent's name.
    pub(super) fn below<'a>(name: Name<'a>, parts: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let path = SafePath::from_parts(std::iter::once(name.safe.as_bytes()).chain(parts.clone()));
        let spelled = std::iter::once(name.spelled).chain(parts);
        let same = spelled.clone().eq(path.parts().map(str::as_bytes));
        // Parts that no server can be asked for are left as they are made safe.
        let usable = !spelled.clone().any(|part| matches!(part, b"" | b"." | b".."));
        let spelled = (!same && usable).then(|| spelled.map(Box::from).collect());
        Self { spelled, ..Self::empty(path) }
    }

    /// A plain empty file.
    pub(super) fn empty(path: SafePath) -> Self {
        Self {
            path,
            spelled: None,
            bytes: 0,
            offset: 0,
            pad: false,
            executable: false,
            hidden: false,
            symlink: None,
            pieces_root: None,
        }
    }

    /// Its path as the torrent spells it, part by part; the first is the torrent's name where `path` has it.
    pub fn spelled_parts(&self) -> Vec<&[u8]> {
        match &self.spelled {
            Some(parts) => parts.iter().map(AsRef::as_ref).collect(),
            None => self.path.parts().map(str::as_bytes).collect(),
        }
    }

    /// Gives it another path, whatever the torrent calls it.
    pub(super) fn rename(&mut self, path: SafePath) {
        if self.spelled.is_none() {
            self.spelled = Some(self.path.parts().map(|part| part.as_bytes().into()).collect());
        }
        self.path = path;
    }

    /// Where it ends in the space of pieces.
    pub fn end(&self) -> u64 {
        self.offset + self.bytes
    }
}

/// An info dictionary that passed every check.
#[derive(Clone, Debug)]
pub struct Info {
    /// Name of the torrent, made safe as a path part is; the info-hash in hex where nothing of it was usable.
    pub name: Untrusted,
    /// Which versions describe it.
    pub kind: Kind,
    /// Its v1 info-hash, if it has one.
    pub info_hash_v1: Option<InfoHashV1>,
    /// Its v2 info-hash, if it has one.
    pub info_hash_v2: Option<InfoHashV2>,
    /// Bytes of a piece.
    pub piece_length: u32,
    /// Peers may come from trackers only (BEP 27).
    pub private: bool,
    /// The tracker it was made for, as some private trackers want.
    pub source: Option<Untrusted>,
    /// Its files in order, pad files and symbolic links included.
    pub files: Vec<File>,
    /// The dictionary as it came.
    pub(super) raw: Bytes,
    /// SHA-1 of each piece; empty in a v2-only torrent.
    pub(super) pieces: Bytes,
    /// SHA-256 of each piece of a file, for the files larger than a piece whose layer is known.
    pub(super) layers: BTreeMap<FileIndex, Bytes>,
    pub(super) piece_count: u32,
}

impl Info {
    /// No torrent at all: stands where a written state has been read, until what it belongs to is put there.
    pub(crate) fn none() -> Arc<Self> {
        Arc::new(Self {
            name: Untrusted::default(),
            kind: Kind::V1,
            info_hash_v1: None,
            info_hash_v2: None,
            piece_length: 0,
            private: false,
            source: None,
            files: Vec::new(),
            raw: Bytes::new(),
            pieces: Bytes::new(),
            layers: BTreeMap::new(),
            piece_count: 0,
        })
    }

    /// What the torrent is known by.
    pub fn id(&self) -> TorrentId {
        TorrentId(self.swarm_hashes().first().copied().expect("a torrent has at least one info-hash"))
    }

    /// The info-hashes to announce and to shake hands with, v1 first; a v2 one cut to 20 bytes (BEP 52).
    pub fn swarm_hashes(&self) -> Vec<[u8; 20]> {
        let v1 = self.info_hash_v1.map(|hash| hash.0);
        v1.into_iter().chain(self.info_hash_v2.map(|hash| hash.truncated())).collect()
    }

    /// The dictionary byte by byte, as peers are served it (BEP 9).
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// Bytes to download in all, pad files aside.
    pub fn payload_bytes(&self) -> u64 {
        self.files.iter().filter(|file| !file.pad).map(|file| file.bytes).sum()
    }

    /// How many pieces there are.
    pub fn piece_count(&self) -> u32 {
        self.piece_count
    }

    /// A hasher that knows the right hash of the piece; a hybrid is judged by its v1 hashes. `None` where the
    /// piece layer is not known (v2), or there is no such piece.
    pub fn verifier(&self, piece: PieceIndex) -> Option<PieceHasher> {
        match self.kind {
            Kind::V1 | Kind::Hybrid => self.verifier_v1(piece),
            Kind::V2 => self.verifier_v2(piece),
        }
    }

    /// As [`Self::verifier`], by every hash that is known: a hybrid must satisfy both (a mismatch of one
    /// alone means that the torrent contradicts itself).
    pub fn verifier_of_all(&self, piece: PieceIndex) -> Option<PieceHasher> {
        match (self.verifier_v1(piece), self.verifier_v2(piece)) {
            (Some(v1), Some(v2)) => Some(v1.and(v2)),
            (v1, v2) => v1.or(v2),
        }
    }

    /// A hasher by the SHA-1 of the piece.
    pub fn verifier_v1(&self, piece: PieceIndex) -> Option<PieceHasher> {
        let hash = self.pieces.get(piece.at().checked_mul(20)?..)?.first_chunk()?;
        Some(PieceHasher::v1(*hash))
    }

    /// A hasher by the merkle tree of the piece. Bytes of padding that follow the file are not looked at.
    pub fn verifier_v2(&self, piece: PieceIndex) -> Option<PieceHasher> {
        let start = self.piece_start(piece)?;
        let (index, file) = self.file_at(start)?;
        let root = file.pieces_root?;
        let file_bytes = (file.end() - start).min(u64::from(self.piece_length));
        let file_bytes = u32::try_from(file_bytes).expect("not more than a piece, a u32");
        if file.bytes <= u64::from(self.piece_length) {
            let height = height_for(file.bytes.div_ceil(u64::from(BLOCK_BYTES)));
            return Some(PieceHasher::v2(root, file_bytes, height));
        }
        let of_file = usize::try_from((start - file.offset) / u64::from(self.piece_length)).ok()?;
        let hash = self.layers.get(&index)?.get(of_file * 32..)?.first_chunk()?;
        Some(PieceHasher::v2(*hash, file_bytes, self.piece_height()))
    }

    /// The piece layer of a file (BEP 52): 32 bytes for each of its pieces. `None` where it is not known or
    /// not needed.
    pub fn piece_layer(&self, file: FileIndex) -> Option<&Bytes> {
        self.layers.get(&file)
    }

    /// Takes a piece layer, from `piece layers` or from a peer, for every file with this root that is larger
    /// than a piece. It is proved against the root before it is kept.
    pub fn add_piece_layer(&mut self, root: &Hash, layer: Bytes) -> Result<(), MetainfoError> {
        let holders: Vec<FileIndex> =
            self.file_indices().filter(|index| self.files[index.at()].pieces_root == Some(*root)).collect();
        self.add_layer_of(root, &holders, &layer)
    }

    /// As [`Self::add_piece_layer`], where the files with this root are known.
    pub(super) fn add_layer_of(
        &mut self,
        root: &Hash,
        holders: &[FileIndex],
        layer: &Bytes,
    ) -> Result<(), MetainfoError> {
        let invalid = |what| Err(MetainfoError::InvalidPieceLayer { what });
        if holders.is_empty() {
            return invalid("it belongs to no file");
        }
        let piece_length = u64::from(self.piece_length);
        let large = holders.iter().filter(|index| self.files[index.at()].bytes > piece_length);
        let mut proved = false;
        for index in large {
            let pieces = self.files[index.at()].bytes.div_ceil(piece_length);
            if layer.len() as u64 != pieces * 32 {
                return invalid("it has the wrong number of hashes");
            }
            if !proved && layer_root(layer, self.piece_height()) != *root {
                return invalid("it does not hash to the root of its file");
            }
            proved = true;
            self.layers.insert(*index, layer.clone());
        }
        Ok(())
    }

    /// All indices of [`Self::files`].
    pub fn file_indices(&self) -> impl Iterator<Item = FileIndex> + use<> {
        (0..u32::try_from(self.files.len()).expect("files are bounded by FILES_MAX")).map(FileIndex)
    }

    /// Levels of a piece's merkle tree above its blocks.
    fn piece_height(&self) -> u32 {
        height_for(u64::from(self.piece_length / BLOCK_BYTES))
    }
}

/// The root that a piece layer hashes to: absent pieces at the right count as pieces of absent blocks.
pub(super) fn layer_root(layer: &[u8], piece_height: u32) -> Hash {
    let mut tree = Merkle::default();
    layer.as_chunks().0.iter().for_each(|hash| tree.push(*hash));
    let height = height_for(tree.leaves());
    tree.root(height, padding_at(piece_height))
}
