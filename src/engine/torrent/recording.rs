//! A torrent's whole state as bytes and back, for recordings: the same inputs bring what is read to the same state.
//!
//! Payload is written as its length, the info dictionary not at all: it never changes. Pictures, comparisons of the debug
//! switch and their caches are no part of the state: nothing that a torrent does follows from them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Torrent;
use crate::engine::io::Input;
use crate::metainfo::Info;
use crate::units::PieceIndex;

/// What the engine sees of payload: digests of the blocks of a piece that some peer lied about. A replay, which has no
/// payload, is told them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockDigests {
    /// The piece.
    pub piece: PieceIndex,
    /// First byte of each block, and its digest.
    pub blocks: Vec<(u32, u64)>,
}

impl Torrent {
    /// Its state. Call it between turns, when all effects have been taken.
    pub fn write_state(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_allocvec(self)
    }

    /// A torrent in a state that was written.
    pub fn read_state(info: Arc<Info>, state: &[u8]) -> Result<Self, postcard::Error> {
        let mut torrent: Self = postcard::from_bytes(state)?;
        torrent.pieces.put_info(Arc::clone(&info))?;
        torrent.info = info;
        Ok(torrent)
    }

    /// What the engine will see of payload when it takes this input, if anything.
    pub fn block_digests(&self, input: &Input) -> Option<BlockDigests> {
        let piece = match input {
            Input::PieceMismatch { piece } => *piece,
            Input::PieceStored { piece } if self.bans.is_suspect(*piece) => *piece,
            _ => return None,
        };
        let blocks = self.storing.sent_blocks(piece);
        let blocks = blocks.iter().map(|block| (block.begin, self.bans.digest(&block.data))).collect();
        Some(BlockDigests { piece, blocks })
    }

    /// Says what [`Self::block_digests`] said when it was recorded, before the same input.
    pub fn put_block_digests(&mut self, digests: &BlockDigests) {
        for block in self.storing.sent_blocks_mut(digests.piece) {
            if let Some((_, digest)) = digests.blocks.iter().find(|(begin, _)| *begin == block.begin) {
                block.carry(*digest);
            }
        }
    }
}
