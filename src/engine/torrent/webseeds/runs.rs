//! Which blocks one request of a webseed is for.

use super::super::Torrent;
use super::super::partial::Owner;
use crate::contract::{PieceLevel, PieceSequence};
use crate::limits::{self, BLOCK_BYTES};
use crate::units::{BlockIndex, PieceIndex, WebseedKey};

/// A run of pieces, and where in the first of them it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: PieceIndex,
    /// About how many bytes of it are free.
    bytes: u64,
}

impl Torrent {
    /// How many bytes the next request of a webseed is to have.
    pub(super) fn fetch_bytes(&self, key: WebseedKey) -> u64 {
        let bps = self.webseeds.get(key).and_then(|webseed| webseed.fetch_bps);
        let bytes =
            bps.map_or(limits::FETCH_BYTES_FIRST, |bps| bps.saturating_mul(limits::FETCH_SPAN.as_secs()));
        bytes.clamp(u64::from(BLOCK_BYTES), limits::FETCH_BYTES_MAX)
    }

    /// The longest run of free pieces of the most urgent level, as far as it is looked for.
    pub(super) fn choose_run(&self, key: WebseedKey) -> Option<Run> {
        let webseed = self.webseeds.get(key)?;
        let order = self.pieces.order();
        let target = self.fetch_bytes(key);
        for level in order.levels() {
            let plain = matches!(level, PieceLevel::Low | PieceLevel::Normal | PieceLevel::High);
            let in_order = !plain || order.sequence() == PieceSequence::InOrder;
            let from = if in_order { PieceIndex(0) } else { webseed.cursor };
            let members = order.members(level);
            let behind = members.iter_common_from(webseed.have(), from);
            let before =
                members.iter_common_from(webseed.have(), PieceIndex(0)).take_while(|piece| *piece < from);
            let pieces = behind.chain(before).filter(|piece| self.may_fetch(*piece));
            let best = self.longest_run(pieces.take(limits::FETCH_VISITS_MAX), target, in_order);
            if best.is_some() {
                return best;
            }
        }
        None
    }

    /// The first run that is as long as wanted, else the longest; the first of all where the order counts.
    fn longest_run(
        &self,
        pieces: impl Iterator<Item = PieceIndex>,
        target: u64,
        in_order: bool,
    ) -> Option<Run> {
        let mut best: Option<Run> = None;
        let mut current: Option<(Run, PieceIndex)> = None;
        for piece in pieces {
            let bytes = self.free_bytes(piece);
            let joins = |last: PieceIndex| last.0 + 1 == piece.0 && self.is_free_at_both_ends(last, piece);
            let run = match current {
                Some((run, last)) if joins(last) => Run { bytes: run.bytes + bytes, ..run },
                Some(_) if in_order => break,
                Some(_) | None => Run { first: piece, bytes },
            };
            current = Some((run, piece));
            if best.is_none_or(|best| run.bytes > best.bytes) {
                best = Some(run);
            }
            if run.bytes >= target {
                break;
            }
        }
        best
    }

    fn free_bytes(&self, piece: PieceIndex) -> u64 {
        let whole = self.info.piece_bytes(piece);
        match self.pieces.partial(piece) {
            Some(partial) => u64::from(partial.free().saturating_mul(BLOCK_BYTES).min(whole)),
            None => u64::from(whole),
        }
    }

    /// Whether the last block of one piece and the first of the next are free.
    fn is_free_at_both_ends(&self, one: PieceIndex, next: PieceIndex) -> bool {
        let last = BlockIndex(self.info.piece_bytes(one).div_ceil(BLOCK_BYTES).saturating_sub(1));
        let free =
            |piece, block| self.pieces.partial(piece).is_none_or(|partial| partial.is_free_or_pad(block));
        free(one, last) && free(next, BlockIndex(0))
    }

    /// Whether a webseed may be asked for a piece: one that failed before is asked of one sender alone.
    pub(in crate::engine::torrent) fn may_fetch(&self, piece: PieceIndex) -> bool {
        let Some(partial) = self.pieces.partial(piece) else { return true };
        let owner = partial.exclusive.and_then(Owner::peer).and_then(|owner| self.connections.get(&owner));
        let reserved = owner.is_some_and(|owner| owner.may_request() && !owner.requests.is_snubbed());
        let mixed = self.bans.is_suspect(piece) && partial.requested() > 0;
        !reserved && !mixed
    }

    /// Holds free blocks that follow each other, until there are enough of them or the run ends.
    pub(super) fn hold_run(&mut self, key: WebseedKey, run: Run) -> Vec<(PieceIndex, BlockIndex, u32)> {
        let target = self.fetch_bytes(key);
        let level = self.pieces.level(run.first);
        let mut blocks = Vec::new();
        let (mut bytes, mut parts) = (0u64, 0);
        let mut piece = run.first;
        loop {
            let most = u32::try_from((target - bytes).div_ceil(u64::from(BLOCK_BYTES))).unwrap_or(u32::MAX);
            let mut taken = self.hold_blocks(key, piece, most);
            let fitting = self.blocks_within_parts(piece, &taken, &mut parts);
            let left_out: Vec<_> = taken.drain(fitting..).map(|block| (piece, block)).collect();
            self.free_blocks(&left_out);
            for &block in &taken {
                let length = self.block_bytes(piece, block);
                bytes += u64::from(length);
                blocks.push((piece, block, length));
            }
            let next = PieceIndex(piece.0 + 1);
            let goes_on = !taken.is_empty()
                && left_out.is_empty()
                && bytes < target
                && parts < limits::FETCH_PARTS_MAX
                && self.pieces.order().has(next)
                && self.pieces.level(next) == level
                && self.webseeds.get(key).is_some_and(|webseed| webseed.have().has(next))
                && self.may_fetch(next)
                && self.reaches_the_end(piece, taken.last().copied())
                && self.pieces.partial(next).is_none_or(|partial| partial.is_free_or_pad(BlockIndex(0)));
            if !goes_on {
                return blocks;
            }
            piece = next;
        }
    }

    /// How many of these blocks a request may bring: each file that begins in one is asked for by itself. Of the first
    /// block of a request all of them are, or none where there are too many even so.
    fn blocks_within_parts(&self, piece: PieceIndex, blocks: &[BlockIndex], parts: &mut usize) -> usize {
        for (at, &block) in blocks.iter().enumerate() {
            let spans = self.info.spans(piece, block.0 * BLOCK_BYTES, self.block_bytes(piece, block));
            let more = spans.take(limits::FETCH_BLOCK_PARTS_MAX + 1).count();
            let first = *parts == 0;
            let most = if first { limits::FETCH_BLOCK_PARTS_MAX } else { limits::FETCH_PARTS_MAX };
            // A file that goes on from the block before is one part with it.
            let all = if first { more } else { *parts + more - 1 };
            if all > most {
                return at;
            }
            *parts = all;
        }
        blocks.len()
    }

    fn hold_blocks(&mut self, key: WebseedKey, piece: PieceIndex, most: u32) -> Vec<BlockIndex> {
        let suspect = self.bans.is_suspect(piece);
        if suspect && self.pieces.partial(piece).is_some() {
            // Blocks of two senders would leave it open again who lied.
            self.pieces.forget_blocks(piece);
        }
        self.pieces.with_partial(piece, |partial| {
            if suspect {
                partial.exclusive = Some(Owner::Webseed(key));
            }
            partial.request_run(BlockIndex(0), if suspect { u32::MAX } else { most })
        })
    }

    /// Whether nothing but padding lies behind a block of a piece.
    fn reaches_the_end(&self, piece: PieceIndex, last: Option<BlockIndex>) -> bool {
        let Some(last) = last else { return false };
        let (begin, end) = ((last.0 + 1) * BLOCK_BYTES, self.info.piece_bytes(piece));
        begin >= end || self.info.spans(piece, begin, end - begin).all(|span| span.pad)
    }
}
