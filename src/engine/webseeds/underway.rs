//! A request of a webseed that is under way, and the blocks that it holds.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use crate::engine::io::{FetchHead, FetchPart, HostKey};
use crate::limits::{self, BLOCK_BYTES};
use crate::units::{BlockIndex, FetchId, FileIndex, PieceIndex, Time, WebseedKey};

/// A request.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Underway {
    pub(in crate::engine) id: FetchId,
    pub(in crate::engine) webseed: WebseedKey,
    pub(in crate::engine) host: HostKey,
    /// The first piece asked for.
    pub(in crate::engine) first: PieceIndex,
    /// The blocks that are still to come, ascending.
    pending: VecDeque<Pending>,
    /// How many of them it holds.
    held: usize,
    /// The files that it is asked for, padding aside.
    pub(in crate::engine) files: Vec<FileIndex>,
    pub(in crate::engine) bytes: u64,
    pub(in crate::engine) received_bytes: u64,
    pub(in crate::engine) began: Time,
    pub(in crate::engine) last_byte_at: Time,
    pub(in crate::engine) status: Option<u16>,
    /// No byte came for `limits::FETCH_STALL`: its blocks are free for others.
    pub(in crate::engine) stalled: bool,
    /// Bytes that it may bring, beyond those that came, under a rate limit.
    pub(in crate::engine) credit: Option<u64>,
    /// Bytes that it has to throw away before those that it was asked for, and has no credit for yet.
    pub(in crate::engine) skip_bytes: u64,
}

/// A block that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Pending {
    piece: PieceIndex,
    block: BlockIndex,
    /// Whether the request counts among those that are asked for it.
    held: bool,
}

/// The next block of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct NextBlock {
    pub(in crate::engine) piece: PieceIndex,
    pub(in crate::engine) block: BlockIndex,
    pub(in crate::engine) held: bool,
}

impl Underway {
    /// A request that begins and holds all of its blocks.
    pub(in crate::engine) fn new(
        now: Time,
        (id, webseed, host): (FetchId, WebseedKey, HostKey),
        blocks: &[(PieceIndex, BlockIndex)],
        parts: &[FetchPart],
    ) -> Self {
        let pending = blocks.iter().map(|&(piece, block)| Pending { piece, block, held: true }).collect();
        Self {
            id,
            webseed,
            host,
            first: blocks.first().map_or(PieceIndex(0), |(piece, _)| *piece),
            held: blocks.len(),
            pending,
            files: parts.iter().filter_map(FetchPart::file).collect(),
            bytes: parts.iter().map(FetchPart::bytes).sum(),
            received_bytes: 0,
            began: now,
            last_byte_at: now,
            status: None,
            stalled: false,
            credit: None,
            skip_bytes: 0,
        }
    }

    /// The head of an answer came.
    pub(in crate::engine) fn answered(&mut self, now: Time, head: FetchHead) {
        self.status = Some(head.status);
        self.last_byte_at = now;
        if let Some(credit) = &mut self.credit {
            let covered = head.skip_bytes.min(*credit);
            *credit -= covered;
            self.skip_bytes += head.skip_bytes - covered;
        }
    }

    /// The block that comes next.
    pub(in crate::engine) fn take_next(&mut self) -> Option<NextBlock> {
        let Pending { piece, block, held } = self.pending.pop_front()?;
        self.held -= usize::from(held);
        Some(NextBlock { piece, block, held })
    }

    /// The piece of the next block, and the last piece.
    pub(in crate::engine) fn pieces_to_come(&self) -> Option<(PieceIndex, PieceIndex)> {
        Some((self.pending.front()?.piece, self.pending.back()?.piece))
    }

    /// The next block's place.
    pub(in crate::engine) fn next_place(&self) -> Option<(PieceIndex, BlockIndex)> {
        self.pending.front().map(|next| (next.piece, next.block))
    }

    /// The blocks that it holds, ascending.
    pub(in crate::engine) fn held(&self) -> impl Iterator<Item = (PieceIndex, BlockIndex)> + '_ {
        self.pending.iter().filter(|next| next.held).map(|next| (next.piece, next.block))
    }

    /// Whether it has blocks to bring and holds none of them: nobody waits for the rest.
    pub(in crate::engine) fn is_pointless(&self) -> bool {
        !self.pending.is_empty() && self.held == 0
    }

    /// Holds a block no more; says whether it did.
    pub(in crate::engine) fn give_up(&mut self, piece: PieceIndex, block: BlockIndex) -> bool {
        let at = self.pending.binary_search_by_key(&(piece, block), |next| (next.piece, next.block));
        at.is_ok_and(|at| !self.give_up_range(at..at + 1).is_empty())
    }

    /// Holds no block of a piece any more; gives those that it held.
    pub(in crate::engine) fn give_up_piece(&mut self, piece: PieceIndex) -> Vec<(PieceIndex, BlockIndex)> {
        let from = self.pending.partition_point(|next| next.piece < piece);
        let to = self.pending.partition_point(|next| next.piece <= piece);
        self.give_up_range(from..to)
    }

    /// Holds nothing behind the first `kept` blocks any more; gives what it held there.
    pub(in crate::engine) fn give_up_behind(&mut self, kept: usize) -> Vec<(PieceIndex, BlockIndex)> {
        self.give_up_range(kept.min(self.pending.len())..self.pending.len())
    }

    fn give_up_range(&mut self, range: Range<usize>) -> Vec<(PieceIndex, BlockIndex)> {
        let held = self.pending.range_mut(range).filter(|next| next.held);
        let given_up: Vec<(PieceIndex, BlockIndex)> = held
            .map(|next| {
                next.held = false;
                (next.piece, next.block)
            })
            .collect();
        self.held -= given_up.len();
        given_up
    }

    /// Blocks that it does not hold and will bring all the same.
    pub(in crate::engine) fn not_held(&self) -> Vec<(PieceIndex, BlockIndex)> {
        self.pending.iter().filter(|next| !next.held).map(|next| (next.piece, next.block)).collect()
    }

    /// Holds a block again.
    pub(in crate::engine) fn hold(&mut self, piece: PieceIndex, block: BlockIndex) {
        let at = self.pending.binary_search_by_key(&(piece, block), |next| (next.piece, next.block));
        if let Ok(at) = at {
            self.held += usize::from(!std::mem::replace(&mut self.pending[at].held, true));
        }
    }

    /// Bytes a second since it began.
    pub(in crate::engine) fn bps(&self, now: Time) -> u64 {
        let micros = u64::try_from(now.since(self.began).as_micros()).unwrap_or(u64::MAX).max(1000);
        self.received_bytes.saturating_mul(1_000_000) / micros
    }

    /// How many blocks it brings within a span at the rate it has had; at least one.
    pub(in crate::engine) fn blocks_within(&self, now: Time, span: Duration) -> usize {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let bytes = self.bps(now).saturating_mul(millis) / 1000;
        usize::try_from(bytes / u64::from(BLOCK_BYTES)).unwrap_or(usize::MAX).max(1)
    }

    /// Whether it has gone on long enough to tell how fast it is.
    pub(in crate::engine) fn has_shown_its_rate(&self, now: Time) -> bool {
        now.since(self.began) >= limits::FETCH_RATE_SHOWN
    }

    /// How many blocks it holds.
    pub(in crate::engine) fn held_blocks(&self) -> usize {
        self.held
    }

    /// Whether it waits for a server that is silent, and not for its share of a rate limit.
    pub(in crate::engine) fn is_silent(&self, now: Time) -> bool {
        let next_block = u64::from(BLOCK_BYTES).min(self.bytes - self.received_bytes);
        let waits_for_credit = self.skip_bytes > 0 || self.credit.is_some_and(|credit| credit < next_block);
        !waits_for_credit && now.since(self.last_byte_at) >= limits::FETCH_STALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn underway() -> Underway {
        let blocks: Vec<(PieceIndex, BlockIndex)> = (0..3)
            .flat_map(|piece| (0..2).map(move |block| (PieceIndex(piece), BlockIndex(block))))
            .collect();
        Underway::new(
            Time::ZERO,
            (FetchId(1), WebseedKey(0), "http://h:80".into()),
            &blocks,
            &[FetchPart::Zeros { bytes: 6 * 16384 }],
        )
    }

    #[test]
    fn what_is_given_up_comes_all_the_same_and_is_not_held() {
        let mut fetch = underway();
        assert!(fetch.give_up(PieceIndex(0), BlockIndex(1)) && !fetch.give_up(PieceIndex(0), BlockIndex(1)));
        assert!(!fetch.give_up(PieceIndex(7), BlockIndex(0)));
        assert_eq!(fetch.give_up_piece(PieceIndex(1)).len(), 2);
        assert_eq!(fetch.give_up_behind(5), [(PieceIndex(2), BlockIndex(1))]);
        assert_eq!(fetch.held().count(), 2);
        assert!(fetch.take_next().unwrap().held && !fetch.take_next().unwrap().held);
        assert!(!fetch.is_pointless());
        assert_eq!(fetch.give_up_behind(0), [(PieceIndex(2), BlockIndex(0))]);
        assert!(fetch.is_pointless());
        fetch.hold(PieceIndex(2), BlockIndex(1));
        assert!(!fetch.is_pointless());
    }
}
