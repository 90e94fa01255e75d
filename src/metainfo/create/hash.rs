//! Hashing the files of a torrent in one pass over them, with memory for one buffer and the hashes.

use std::io::Read;

use sha1::{Digest, Sha1};

use super::tree::{Plan, Source};
use super::{CreateError, shown};
use crate::limits::{BLOCK_BYTES, CREATE_READ_BYTES};
use crate::metainfo::info::{Kind, layer_root};
use crate::metainfo::merkle::{Hash, height_for};
use crate::metainfo::verify::BlockHasher;

/// The hashes of a torrent.
#[derive(Clone, Debug, Default)]
pub(super) struct Hashed {
    /// SHA-1 of each piece, side by side; pad files of a hybrid included. Empty for v2.
    pub(super) pieces: Vec<u8>,
    /// For each file of the plan: its v2 half, `None` for v1 and for empty files.
    pub(super) trees: Vec<Option<FileTree>>,
    /// For each file of the plan: bytes of padding after it. 0 unless hybrid.
    pub(super) padding_bytes: Vec<u64>,
}

/// The v2 hashes of a file.
#[derive(Clone, Debug)]
pub(super) struct FileTree {
    /// Root of its tree.
    pub(super) root: Hash,
    /// Hash of each piece, where it has more than one.
    pub(super) layer: Vec<u8>,
}

/// Hashes every file, telling `progress` after each buffer.
pub(super) fn hash_files<R: Read>(
    plan: &Plan,
    piece_length: u32,
    kind: Kind,
    open: impl Fn(&Source) -> std::io::Result<R>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Hashed, CreateError> {
    let (mut done, all) = (0, plan.payload_bytes());
    let mut hashed = Hashed::default();
    let mut v1 = (kind != Kind::V2).then(|| Pieces::new(piece_length));
    let mut buffer = vec![0; CREATE_READ_BYTES];
    let last_with_bytes = plan.files.iter().rposition(|source| source.bytes > 0);
    for (at, source) in plan.files.iter().enumerate() {
        let mut v2 = (kind != Kind::V1 && source.bytes > 0).then(|| FileHasher::new(piece_length));
        let unreadable = |error| CreateError::Unreadable { path: shown(&source.path), error };
        let mut reader = open(source).map_err(unreadable)?;
        let mut rest = source.bytes;
        loop {
            let count = reader.read(&mut buffer).map_err(unreadable)?;
            rest = match rest.checked_sub(count as u64) {
                Some(rest) if count > 0 || rest == 0 => rest,
                Some(_) | None => return Err(CreateError::Changed { path: shown(&source.path) }),
            };
            if count == 0 {
                break;
            }
            v1.iter_mut().for_each(|pieces| pieces.update(&buffer[..count]));
            v2.iter_mut().for_each(|file| file.update(&buffer[..count]));
            done += count as u64;
            progress(done, all);
        }
        let pads = kind == Kind::Hybrid && Some(at) < last_with_bytes;
        let padding =
            if pads { source.bytes.next_multiple_of(piece_length.into()) - source.bytes } else { 0 };
        v1.iter_mut().for_each(|pieces| pieces.pad(padding));
        hashed.padding_bytes.push(padding);
        hashed.trees.push(v2.map(|file| file.finish(source.bytes)));
    }
    hashed.pieces = v1.map(Pieces::finish).unwrap_or_default();
    Ok(hashed)
}

/// SHA-1 of each piece of a stream.
struct Pieces {
    piece_length: usize,
    filled_bytes: usize,
    hasher: Sha1,
    hashes: Vec<u8>,
}

impl Pieces {
    fn new(piece_length: u32) -> Self {
        Self { piece_length: piece_length as usize, filled_bytes: 0, hasher: Sha1::new(), hashes: Vec::new() }
    }

    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.piece_length - self.filled_bytes));
            self.hasher.update(now);
            self.filled_bytes += now.len();
            bytes = later;
            if self.filled_bytes == self.piece_length {
                self.close();
            }
        }
    }

    fn pad(&mut self, mut bytes: u64) {
        let zeros = [0; BLOCK_BYTES as usize];
        while bytes > 0 {
            let now = usize::try_from(bytes).unwrap_or(zeros.len()).min(zeros.len());
            self.update(&zeros[..now]);
            bytes -= now as u64;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.filled_bytes > 0 {
            self.close();
        }
        self.hashes
    }

    fn close(&mut self) {
        self.hashes.extend_from_slice(&self.hasher.finalize_reset());
        self.filled_bytes = 0;
    }
}

/// The merkle tree of a file, cut into pieces as it grows.
struct FileHasher {
    blocks: BlockHasher,
    piece_length: u32,
    layer: Vec<u8>,
}

impl FileHasher {
    fn new(piece_length: u32) -> Self {
        Self { blocks: BlockHasher::default(), piece_length, layer: Vec::new() }
    }

    fn update(&mut self, bytes: &[u8]) {
        let piece_blocks = u64::from(self.piece_length / BLOCK_BYTES);
        let layer = &mut self.layer;
        self.blocks.update(bytes, |tree| {
            if tree.leaves() == piece_blocks {
                layer.extend(std::mem::take(tree).root(height_for(piece_blocks), [0; 32]));
            }
        });
    }

    fn finish(mut self, file_bytes: u64) -> FileTree {
        let piece_height = height_for(u64::from(self.piece_length / BLOCK_BYTES));
        let tree = self.blocks.finish(|_| ());
        if file_bytes <= u64::from(self.piece_length) {
            let height = height_for(file_bytes.div_ceil(u64::from(BLOCK_BYTES)));
            let whole = self.layer.first_chunk().copied();
            return FileTree { root: whole.unwrap_or_else(|| tree.root(height, [0; 32])), layer: Vec::new() };
        }
        if tree.leaves() > 0 {
            self.layer.extend(tree.root(piece_height, [0; 32]));
        }
        FileTree { root: layer_root(&self.layer, piece_height), layer: self.layer }
    }
}
