//! Hashing a piece as its bytes come and saying whether it is the right one.
//!
//! A v1 piece has one SHA-1 (BEP 3). A v2 piece is a merkle tree over 16 KiB blocks (BEP 52): the root of the
//! file where the file is not larger than a piece, else a node of its piece layer. Made by `Info::verifier`.

use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::merkle::{Hash, Merkle};
use crate::limits::BLOCK_BYTES;

/// Hashes the bytes of one piece, in order, in parts of any size.
#[derive(Clone)]
pub struct PieceHasher {
    v1: Option<(Sha1, [u8; 20])>,
    v2: Option<TreeHasher>,
}

/// The v2 half.
#[derive(Clone)]
struct TreeHasher {
    block: BlockHasher,
    /// Bytes of the file that are still to come; what follows them in the piece is padding and not hashed.
    rest_bytes: u32,
    height: u32,
    expected: Hash,
}

impl PieceHasher {
    /// A hasher for a v1 piece.
    pub(super) fn v1(expected: [u8; 20]) -> Self {
        Self { v1: Some((Sha1::new(), expected)), v2: None }
    }

    /// A hasher for a v2 piece with this many bytes of its file, in a tree of this height.
    pub(super) fn v2(expected: Hash, file_bytes: u32, height: u32) -> Self {
        let tree = TreeHasher { block: BlockHasher::default(), rest_bytes: file_bytes, height, expected };
        Self { v1: None, v2: Some(tree) }
    }

    /// One hasher that wants both to be right.
    pub(super) fn and(self, other: Self) -> Self {
        Self { v1: self.v1.or(other.v1), v2: self.v2.or(other.v2) }
    }

    /// Takes the next bytes of the piece.
    pub fn update(&mut self, bytes: &[u8]) {
        if let Some((hasher, _)) = &mut self.v1 {
            hasher.update(bytes);
        }
        if let Some(tree) = &mut self.v2 {
            let of_file = &bytes[..bytes.len().min(tree.rest_bytes as usize)];
            tree.rest_bytes -= u32::try_from(of_file.len()).expect("not more than rest_bytes, a u32");
            tree.block.update(of_file, |_| ());
        }
    }

    /// Whether the bytes are those of the piece.
    pub fn finish(self) -> bool {
        let v1_right =
            self.v1.is_none_or(|(hasher, expected)| <[u8; 20]>::from(hasher.finalize()) == expected);
        let v2_right = self.v2.is_none_or(|tree| {
            tree.rest_bytes == 0 && tree.block.finish(|_| ()).root(tree.height, [0; 32]) == tree.expected
        });
        v1_right && v2_right
    }
}

/// Cuts a stream of bytes into 16 KiB blocks and builds the tree of their hashes.
#[derive(Clone, Default)]
pub(super) struct BlockHasher {
    hasher: Sha256,
    filled_bytes: usize,
    tree: Merkle,
}

impl BlockHasher {
    /// Takes the next bytes; `full` is called after each whole block, with the tree, which it may take.
    pub(super) fn update(&mut self, mut bytes: &[u8], mut full: impl FnMut(&mut Merkle)) {
        while !bytes.is_empty() {
            let room = BLOCK_BYTES as usize - self.filled_bytes;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.hasher.update(now);
            self.filled_bytes += now.len();
            bytes = later;
            if self.filled_bytes == BLOCK_BYTES as usize {
                self.close_block();
                full(&mut self.tree);
            }
        }
    }

    /// Takes the last block as it is; `full` is called if there was one.
    pub(super) fn finish(mut self, mut full: impl FnMut(&mut Merkle)) -> Merkle {
        if self.filled_bytes > 0 {
            self.close_block();
            full(&mut self.tree);
        }
        self.tree
    }

    fn close_block(&mut self) {
        self.tree.push(self.hasher.finalize_reset().into());
        self.filled_bytes = 0;
    }
}
