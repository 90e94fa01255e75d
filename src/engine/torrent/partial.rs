//! The blocks of one piece that is not whole: free, on the wire, in memory, or on disk.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::engine::peers::ban::{Sender, SentBlock};
use crate::limits::BLOCK_BYTES;
use crate::metainfo::Info;
use crate::units::{BlockIndex, ConnectionId, PieceIndex, WebseedKey};

/// Where one block is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Block {
    /// Nobody is asked for it.
    Free,
    /// On the wire to this many peers.
    Requested(u8),
    /// Here.
    Memory {
        #[serde(with = "crate::codec::payload")]
        data: Bytes,
        from: Sender,
    },
    /// Here, and being written.
    Writing {
        #[serde(with = "crate::codec::payload")]
        data: Bytes,
        from: Sender,
    },
    /// Written; not verified.
    Disk,
    /// Part of a pad file: zeros, never asked for (BEP 47).
    Pad,
}

/// Who alone may give the blocks of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) enum Owner {
    /// A peer.
    Peer(ConnectionId),
    /// A webseed.
    Webseed(WebseedKey),
}

impl Owner {
    /// The peer, where it is one.
    pub(in crate::engine) fn peer(self) -> Option<ConnectionId> {
        match self {
            Self::Peer(connection) => Some(connection),
            Self::Webseed(_) => None,
        }
    }
}

/// The blocks of one piece.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Partial {
    blocks: Vec<Block>,
    free: u32,
    requested: u32,
    here: u32,
    /// No free block lies before this one.
    free_from: usize,
    memory_bytes: u64,
    /// The piece failed before: only this one may give its blocks.
    pub(in crate::engine) exclusive: Option<Owner>,
}

/// What an arriving block was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Arrival {
    /// Of use.
    Taken {
        /// Other peers that are asked for it too.
        other_holders: u8,
    },
    /// Here already.
    Duplicate,
}

impl Partial {
    /// All blocks free, pad blocks aside. `has_pads`: the torrent has pad files, so spans must be looked at.
    pub(in crate::engine) fn new(info: &Info, piece: PieceIndex, has_pads: bool) -> Self {
        let piece_bytes = info.piece_bytes(piece);
        let is_pad = |block: u32| {
            let begin = block * BLOCK_BYTES;
            let length = BLOCK_BYTES.min(piece_bytes - begin);
            has_pads && info.spans(piece, begin, length).all(|span| span.pad)
        };
        let blocks: Vec<Block> = (0..piece_bytes.div_ceil(BLOCK_BYTES))
            .map(|block| if is_pad(block) { Block::Pad } else { Block::Free })
            .collect();
        let free = count_of(&blocks, |block| *block == Block::Free);
        Self { blocks, free, requested: 0, here: 0, free_from: 0, memory_bytes: 0, exclusive: None }
    }

    pub(in crate::engine) fn free(&self) -> u32 {
        self.free
    }

    pub(in crate::engine) fn requested(&self) -> u32 {
        self.requested
    }

    /// Bytes held in memory and not being written.
    pub(in crate::engine) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Blocks that are here, in memory or on disk.
    pub(in crate::engine) fn here(&self) -> u32 {
        self.here
    }

    /// Whose blocks are here.
    pub(in crate::engine) fn senders(&self) -> BTreeSet<Sender> {
        let sent = self.blocks.iter().filter_map(|block| match block {
            Block::Memory { from, .. } | Block::Writing { from, .. } => Some(*from),
            Block::Free | Block::Requested(_) | Block::Disk | Block::Pad => None,
        });
        sent.collect()
    }

    /// Whether nothing is here and nothing on the wire.
    pub(in crate::engine) fn is_untouched(&self) -> bool {
        self.requested == 0 && self.here == 0
    }

    /// Marks up to `count` free blocks as on the wire and gives them, in order.
    pub(in crate::engine) fn request(&mut self, count: u32) -> Vec<BlockIndex> {
        let most = count.min(self.free) as usize;
        let mut taken = Vec::with_capacity(most);
        while taken.len() < most {
            let Some(slot) = self.blocks.get_mut(self.free_from) else { break };
            if *slot == Block::Free {
                *slot = Block::Requested(1);
                taken.push(BlockIndex(index32(self.free_from)));
            }
            self.free_from += 1;
        }
        let taken_count = index32(taken.len());
        self.free -= taken_count;
        self.requested += taken_count;
        taken
    }

    /// Marks free blocks that follow each other, from the first free one at or behind `from` on, as on the wire and gives
    /// them, at most `most`.
    pub(in crate::engine) fn request_run(&mut self, from: BlockIndex, most: u32) -> Vec<BlockIndex> {
        let mut taken = Vec::new();
        for (at, slot) in self.blocks.iter_mut().enumerate().skip(from.at()) {
            match slot {
                Block::Free if taken.len() < most as usize => {
                    *slot = Block::Requested(1);
                    taken.push(BlockIndex(index32(at)));
                }
                Block::Pad => {}
                _ if taken.is_empty() && *slot != Block::Free => {}
                _ => break,
            }
        }
        let count = index32(taken.len());
        self.free -= count;
        self.requested += count;
        taken
    }

    /// Whether a block is free, or part of a pad file.
    pub(in crate::engine) fn is_free_or_pad(&self, block: BlockIndex) -> bool {
        matches!(self.blocks.get(block.at()), Some(Block::Free | Block::Pad))
    }

    /// Marks one block as on the wire where it is free; says whether it was.
    pub(in crate::engine) fn request_one(&mut self, block: BlockIndex) -> bool {
        let is_free = self.blocks.get(block.at()) == Some(&Block::Free);
        if is_free {
            self.blocks[block.at()] = Block::Requested(1);
            self.free -= 1;
            self.requested += 1;
        }
        is_free
    }

    /// Blocks on the wire to fewer than `holders_max` peers, fewest holders first (end-game).
    pub(in crate::engine) fn busy(&self, holders_max: u8) -> Vec<BlockIndex> {
        let mut busy: Vec<(u8, u32)> = (0u32..)
            .zip(&self.blocks)
            .filter_map(|(at, block)| match block {
                Block::Requested(holders) if *holders < holders_max => Some((*holders, at)),
                Block::Requested(_)
                | Block::Free
                | Block::Memory { .. }
                | Block::Writing { .. }
                | Block::Disk
                | Block::Pad => None,
            })
            .collect();
        busy.sort_unstable();
        busy.into_iter().map(|(_, at)| BlockIndex(at)).collect()
    }

    /// One more peer is asked for a block that is on the wire.
    pub(in crate::engine) fn request_again(&mut self, block: BlockIndex) {
        if let Some(Block::Requested(holders)) = self.blocks.get_mut(block.at()) {
            *holders = holders.saturating_add(1);
        }
    }

    /// One peer is no longer asked for a block.
    pub(in crate::engine) fn release(&mut self, block: BlockIndex) {
        let Some(slot) = self.blocks.get_mut(block.at()) else { return };
        if let Block::Requested(holders) = slot {
            *holders = holders.saturating_sub(1);
            if *holders == 0 {
                *slot = Block::Free;
                self.free += 1;
                self.free_from = self.free_from.min(block.at());
                self.requested -= 1;
            }
        }
    }

    /// A block came, from a peer that was asked for it or had been.
    pub(in crate::engine) fn arrived(
        &mut self,
        block: BlockIndex,
        data: Bytes,
        from: Sender,
        asked: Holder,
    ) -> Arrival {
        let Some(slot) = self.blocks.get_mut(block.at()) else { return Arrival::Duplicate };
        let other_holders = match slot {
            Block::Free => {
                self.free -= 1;
                0
            }
            Block::Requested(holders) => {
                self.requested -= 1;
                holders.saturating_sub(u8::from(asked == Holder::Counted))
            }
            Block::Memory { .. } | Block::Writing { .. } | Block::Disk | Block::Pad => {
                return Arrival::Duplicate;
            }
        };
        self.here += 1;
        self.memory_bytes += data.len() as u64;
        *slot = Block::Memory { data, from };
        Arrival::Taken { other_holders }
    }

    /// Takes the blocks in memory for writing; they stay readable until written.
    pub(in crate::engine) fn start_writing(&mut self) -> Vec<(u32, Bytes)> {
        let mut blocks = Vec::new();
        for (at, slot) in (0u32..).zip(&mut self.blocks) {
            if let Block::Memory { data, from } = slot {
                blocks.push((at * BLOCK_BYTES, data.clone()));
                *slot = Block::Writing { data: data.clone(), from: *from };
            }
        }
        self.memory_bytes = 0;
        blocks
    }

    /// Blocks were written, or could not be: in the latter case they are in memory as before.
    pub(in crate::engine) fn writing_ended(&mut self, begins: Option<&[u32]>) {
        for (at, slot) in (0u32..).zip(&mut self.blocks) {
            let Block::Writing { data, from } = slot else { continue };
            match begins {
                Some(begins) if begins.contains(&(at * BLOCK_BYTES)) => *slot = Block::Disk,
                Some(_) => {}
                None => {
                    self.memory_bytes += data.len() as u64;
                    *slot = Block::Memory { data: data.clone(), from: *from };
                }
            }
        }
    }

    /// Whether all blocks are here or pads.
    pub(in crate::engine) fn is_whole(&self) -> bool {
        self.free == 0 && self.requested == 0
    }

    /// The blocks in memory, ascending, with who sent them.
    pub(in crate::engine) fn into_sent_blocks(self) -> Vec<SentBlock> {
        let mut sent = Vec::with_capacity(self.blocks.len());
        for (at, block) in (0u32..).zip(self.blocks) {
            if let Block::Memory { data, from } | Block::Writing { data, from } = block {
                sent.push(SentBlock { begin: at * BLOCK_BYTES, from, data });
            }
        }
        sent
    }

    /// Puts the blocks of an earlier attempt to store back (the disk refused): those in memory, and those that were on disk
    /// before, as [`Self::disk_bits`] gave them.
    pub(in crate::engine) fn restore(&mut self, sent: &[SentBlock], written: &[u8]) {
        self.mark_on_disk(written);
        for block in sent {
            let at = BlockIndex(block.begin / BLOCK_BYTES);
            self.arrived(at, block.data.clone(), block.from, Holder::NotCounted);
        }
    }

    /// One bit a block, high bit first: on disk.
    pub(in crate::engine) fn disk_bits(&self) -> Option<Vec<u8>> {
        let mut bits = vec![0u8; self.blocks.len().div_ceil(8)];
        for (at, block) in self.blocks.iter().enumerate() {
            if *block == Block::Disk {
                bits[at / 8] |= 0x80 >> (at % 8);
            }
        }
        bits.iter().any(|byte| *byte != 0).then_some(bits)
    }

    /// Marks the blocks of `bits` (as `disk_bits` gives them) as on disk; spare bits are ignored.
    pub(in crate::engine) fn mark_on_disk(&mut self, bits: &[u8]) {
        for (at, slot) in self.blocks.iter_mut().enumerate() {
            let set = bits.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0);
            if set && *slot == Block::Free {
                *slot = Block::Disk;
                self.free -= 1;
                self.here += 1;
            }
        }
    }

    /// How many peers are asked for a block.
    pub(in crate::engine) fn holders(&self, block: BlockIndex) -> u8 {
        match self.blocks.get(block.at()) {
            Some(Block::Requested(holders)) => *holders,
            Some(Block::Free | Block::Memory { .. } | Block::Writing { .. } | Block::Disk | Block::Pad)
            | None => 0,
        }
    }

    /// The blocks on the wire.
    pub(in crate::engine) fn on_the_wire(&self) -> impl Iterator<Item = BlockIndex> + '_ {
        let requested = self.blocks.iter().enumerate();
        requested
            .filter(|(_, block)| matches!(block, Block::Requested(_)))
            .map(|(at, _)| BlockIndex(index32(at)))
    }

    /// Whether every count is what the blocks say.
    pub(in crate::engine) fn is_consistent(&self) -> bool {
        let is_here =
            |block: &Block| matches!(block, Block::Memory { .. } | Block::Writing { .. } | Block::Disk);
        let in_memory = self.blocks.iter().map(|block| match block {
            Block::Memory { data, .. } => data.len() as u64,
            Block::Free | Block::Requested(_) | Block::Writing { .. } | Block::Disk | Block::Pad => 0,
        });
        let first_free = self.blocks.iter().position(|block| *block == Block::Free);
        self.free == count_of(&self.blocks, |block| *block == Block::Free)
            && self.requested == count_of(&self.blocks, |block| matches!(block, Block::Requested(_)))
            && self.here == count_of(&self.blocks, is_here)
            && self.memory_bytes == in_memory.sum::<u64>()
            && first_free.is_none_or(|first| first >= self.free_from)
    }
}

/// Whether a peer that sent a block is counted among those asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Holder {
    /// It is.
    Counted,
    /// It was given up before, or never asked.
    NotCounted,
}

fn index32(at: usize) -> u32 {
    u32::try_from(at).expect("a piece has at most PIECE_LENGTH_MAX / BLOCK_BYTES blocks")
}

fn count_of(blocks: &[Block], test: impl Fn(&Block) -> bool) -> u32 {
    index32(blocks.iter().filter(|block| test(block)).count())
}
