//! The blocks of one claimed info dictionary, as they come (BEP 9). Memory is taken per block, never per claim.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::engine::peers::ban::{Sender, SentBlock};
use crate::limits::BLOCK_BYTES;
use crate::metainfo::Magnet;
use crate::units::ConnectionId;

/// What is put together: a size that peers claim, by all who claim it or, after a lie, by one of them alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(super) struct Claim {
    /// Bytes of the whole dictionary, as claimed.
    pub(super) total_bytes: u32,
    /// The only peer whose blocks count.
    pub(super) alone: Option<ConnectionId>,
}

impl Claim {
    /// How many blocks there would be.
    pub(super) fn blocks(self) -> u32 {
        self.total_bytes.div_ceil(BLOCK_BYTES)
    }

    /// Bytes of a block; `None` where there is no such block.
    pub(super) fn block_bytes(self, block: u32) -> Option<usize> {
        let begin = block.checked_mul(BLOCK_BYTES)?;
        let left = self.total_bytes.checked_sub(begin).filter(|left| *left > 0)?;
        Some(left.min(BLOCK_BYTES) as usize)
    }
}

/// The blocks that are here.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Assembly {
    blocks: BTreeMap<u32, (SocketAddr, Bytes)>,
}

impl Assembly {
    /// How many blocks are here.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.blocks.len()).unwrap_or(u32::MAX)
    }

    /// Bytes of memory it holds.
    pub(super) fn bytes(&self) -> usize {
        self.blocks.values().map(|(_, data)| data.len()).sum()
    }

    pub(super) fn has(&self, block: u32) -> bool {
        self.blocks.contains_key(&block)
    }

    /// Keeps a block of the right length. It is copied out of the receive buffer, which it would otherwise hold whole.
    pub(super) fn put(&mut self, block: u32, from: SocketAddr, data: &[u8]) {
        self.blocks.entry(block).or_insert_with(|| (from, Bytes::copy_from_slice(data)));
    }

    /// Whether the whole of it hashes to every info-hash of the magnet.
    pub(super) fn is_of(&self, magnet: &Magnet) -> bool {
        let blocks = || self.blocks.values().map(|(_, data)| data);
        let v1 = magnet.info_hash_v1.is_none_or(|wanted| {
            let hash = blocks().fold(Sha1::new(), |hasher, data| hasher.chain_update(data));
            <[u8; 20]>::from(hash.finalize()) == wanted.0
        });
        v1 && magnet.info_hash_v2.is_none_or(|wanted| {
            let hash = blocks().fold(Sha256::new(), |hasher, data| hasher.chain_update(data));
            <[u8; 32]>::from(hash.finalize()) == wanted.0
        })
    }

    /// The whole of it in one piece.
    pub(super) fn joined(&self) -> Bytes {
        let mut whole = BytesMut::with_capacity(self.bytes());
        self.blocks.values().for_each(|(_, data)| whole.extend_from_slice(data));
        whole.freeze()
    }

    /// Who sent what, to find out who lied.
    pub(super) fn sent_blocks(&self) -> Vec<SentBlock> {
        self.blocks
            .iter()
            .map(|(block, (from, data))| SentBlock {
                begin: block * BLOCK_BYTES,
                from: Sender::Peer(*from),
                data: data.clone(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_block_is_what_is_left() {
        let claim = Claim { total_bytes: 2 * BLOCK_BYTES + 1, alone: None };
        assert_eq!(claim.blocks(), 3);
        assert_eq!(
            [0, 2, 3, u32::MAX].map(|block| claim.block_bytes(block)),
            [Some(BLOCK_BYTES as usize), Some(1), None, None]
        );
        let exact = Claim { total_bytes: BLOCK_BYTES, alone: None };
        assert_eq!((exact.blocks(), exact.block_bytes(1)), (1, None));
    }
}
