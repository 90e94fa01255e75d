//! What is asked of one peer: requests on the wire, how many there may be, and when they are overdue.

use std::collections::VecDeque;
use std::time::Duration;

use super::rate::RateMeter;
use crate::limits;
use crate::units::{BlockIndex, PieceIndex, Time};

/// A request on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Outstanding {
    pub(in crate::engine) piece: PieceIndex,
    pub(in crate::engine) block: BlockIndex,
    pub(in crate::engine) sent_at: Time,
}

/// The requests of one peer and the size of its pipeline.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Requests {
    outstanding: VecDeque<Outstanding>,
    /// Cancelled or timed out, and perhaps still under way: such a block is taken, not counted as unasked.
    forgotten: VecDeque<(PieceIndex, BlockIndex)>,
    pipeline: u32,
    /// Doubling per round trip until the rate stops growing with it.
    slow_start: bool,
    /// The most requests this peer queues (BEP 10 `reqq`).
    queue_max: u32,
    snubbed: bool,
    last_block_at: Option<Time>,
}

impl Requests {
    pub(in crate::engine) fn new() -> Self {
        Self {
            outstanding: VecDeque::new(),
            forgotten: VecDeque::new(),
            pipeline: limits::PIPELINE_START,
            slow_start: true,
            queue_max: limits::PEER_QUEUE_ASSUMED,
            snubbed: false,
            last_block_at: None,
        }
    }

    /// The peer told how many requests it queues.
    pub(in crate::engine) fn set_queue_max(&mut self, requests: u32) {
        self.queue_max = requests.clamp(1, limits::PIPELINE_MAX);
    }

    /// The most requests this peer queues.
    pub(in crate::engine) fn queue_max(&self) -> u32 {
        self.queue_max
    }

    /// How many requests were cancelled or timed out and may still be answered.
    pub(in crate::engine) fn given_up(&self) -> u32 {
        u32::try_from(self.forgotten.len()).unwrap_or(u32::MAX)
    }

    /// How many requests there may be on the wire.
    pub(in crate::engine) fn pipeline(&self) -> u32 {
        if self.snubbed { 1 } else { self.pipeline.min(self.queue_max) }
    }

    /// How many more may go out now.
    pub(in crate::engine) fn free(&self) -> u32 {
        self.pipeline().saturating_sub(self.count())
    }

    pub(in crate::engine) fn count(&self) -> u32 {
        u32::try_from(self.outstanding.len()).unwrap_or(u32::MAX)
    }

    pub(in crate::engine) fn is_snubbed(&self) -> bool {
        self.snubbed
    }

    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = &Outstanding> {
        self.outstanding.iter()
    }

    /// A request goes out.
    pub(in crate::engine) fn sent(&mut self, piece: PieceIndex, block: BlockIndex, now: Time) {
        self.outstanding.push_back(Outstanding { piece, block, sent_at: now });
    }

    /// A block came; says whether it was on the wire, forgotten, or never asked for.
    pub(in crate::engine) fn arrived(&mut self, piece: PieceIndex, block: BlockIndex, now: Time) -> Asked {
        if self.take(piece, block) {
            self.last_block_at = Some(now);
            self.snubbed = false;
            if self.slow_start {
                self.pipeline = (self.pipeline + 1).min(limits::PIPELINE_MAX);
            }
            let asked_before = self.forgotten.contains(&(piece, block));
            return if asked_before { Asked::Twice } else { Asked::Yes };
        }
        match self.forgotten.iter().position(|&entry| entry == (piece, block)) {
            Some(at) => {
                self.forgotten.remove(at);
                self.last_block_at = Some(now);
                self.snubbed = false;
                Asked::Forgotten
            }
            None => Asked::Never,
        }
    }

    /// A request was rejected; says whether it was on the wire, given up before, or never made. With the fast extension
    /// every cancel is answered too, by the block or by a reject (BEP 6): where a block was given up and asked for again,
    /// the first reject is for the first request.
    pub(in crate::engine) fn rejected(&mut self, piece: PieceIndex, block: BlockIndex) -> Asked {
        if let Some(at) = self.forgotten.iter().position(|&entry| entry == (piece, block)) {
            self.forgotten.remove(at);
            return Asked::Forgotten;
        }
        if self.take(piece, block) { Asked::Yes } else { Asked::Never }
    }

    /// Takes a request off the wire; says whether it was there.
    pub(in crate::engine) fn take(&mut self, piece: PieceIndex, block: BlockIndex) -> bool {
        let at = self.outstanding.iter().position(|entry| entry.piece == piece && entry.block == block);
        at.is_some_and(|at| self.outstanding.remove(at).is_some())
    }

    /// Takes a request off the wire that was cancelled; its block may still come.
    pub(in crate::engine) fn cancel(&mut self, piece: PieceIndex, block: BlockIndex) -> bool {
        let was_there = self.take(piece, block);
        if was_there {
            self.forget(piece, block);
        }
        was_there
    }

    /// Takes all requests off the wire; their blocks will not come (choked without the fast extension).
    pub(in crate::engine) fn drop_all(&mut self) -> Vec<Outstanding> {
        self.outstanding.drain(..).collect()
    }

    /// Takes all requests off the wire as overdue and marks the peer as snubbing; late blocks are still taken.
    pub(in crate::engine) fn time_out(&mut self) -> Vec<Outstanding> {
        let overdue = self.drop_all();
        overdue.iter().for_each(|entry| self.forget(entry.piece, entry.block));
        self.snubbed = true;
        self.slow_start = false;
        self.pipeline = limits::PIPELINE_MIN;
        overdue
    }

    /// When the requests on the wire become overdue if nothing comes; `None` while there are none.
    pub(in crate::engine) fn overdue_at(&self) -> Option<Time> {
        let oldest = self.outstanding.front()?.sent_at;
        let since = self.last_block_at.map_or(oldest, |block| block.max(oldest));
        Some(since + limits::REQUEST_TIMEOUT)
    }

    /// Sizes the pipeline to the peer's rate: enough requests for `limits::PIPELINE_SPAN` of it.
    pub(in crate::engine) fn resize(&mut self, now: Time, rate: &RateMeter) {
        let blocks_per_s = rate.rate(now).0 / u64::from(limits::BLOCK_BYTES);
        let wanted =
            u128::from(blocks_per_s) * limits::PIPELINE_SPAN.as_millis() / Duration::from_secs(1).as_millis();
        let wanted =
            u32::try_from(wanted).unwrap_or(u32::MAX).clamp(limits::PIPELINE_MIN, limits::PIPELINE_MAX);
        if self.slow_start && self.pipeline > 2 * wanted.max(limits::PIPELINE_START) {
            self.slow_start = false;
        }
        if !self.slow_start {
            self.pipeline = wanted;
        }
    }

    fn forget(&mut self, piece: PieceIndex, block: BlockIndex) {
        if self.forgotten.len() >= limits::FORGOTTEN_REQUESTS_MAX {
            self.forgotten.pop_front();
        }
        self.forgotten.push_back((piece, block));
    }
}

/// How a block that came relates to what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Asked {
    /// It was on the wire.
    Yes,
    /// It was on the wire, and had been given up before: which of the two requests it answers is not known, and the
    /// other one may still be answered.
    Twice,
    /// It was asked for, then cancelled or given up.
    Forgotten,
    /// It was never asked for.
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: PieceIndex = PieceIndex(3);

    #[test]
    fn a_late_block_is_taken_and_ends_the_snub() {
        let mut requests = Requests::new();
        requests.sent(PIECE, BlockIndex(0), Time::ZERO);
        assert_eq!(requests.overdue_at(), Some(Time::ZERO + limits::REQUEST_TIMEOUT));
        assert_eq!(requests.time_out().len(), 1);
        assert!(requests.is_snubbed());
        assert_eq!(requests.pipeline(), 1);
        let late = Time::ZERO + limits::REQUEST_TIMEOUT * 2;
        assert_eq!(requests.arrived(PIECE, BlockIndex(0), late), Asked::Forgotten);
        assert!(!requests.is_snubbed());
        assert_eq!(requests.arrived(PIECE, BlockIndex(0), late), Asked::Never);
        // It begins small again, and grows with its rate, not with its blocks.
        assert_eq!(requests.pipeline(), limits::PIPELINE_MIN);
        requests.sent(PIECE, BlockIndex(1), late);
        assert_eq!(requests.arrived(PIECE, BlockIndex(1), late), Asked::Yes);
        assert_eq!(requests.pipeline(), limits::PIPELINE_MIN);
    }

    #[test]
    fn of_what_was_given_up_the_latest_is_remembered_and_no_more_than_a_bound() {
        let mut requests = Requests::new();
        let count = u32::try_from(limits::FORGOTTEN_REQUESTS_MAX).unwrap() + 1;
        for block in (0..count).map(BlockIndex) {
            requests.sent(PIECE, block, Time::ZERO);
            requests.cancel(PIECE, block);
        }
        assert_eq!(requests.forgotten.len(), limits::FORGOTTEN_REQUESTS_MAX);
        assert_eq!(requests.arrived(PIECE, BlockIndex(0), Time::ZERO), Asked::Never);
        assert_eq!(requests.arrived(PIECE, BlockIndex(count - 1), Time::ZERO), Asked::Forgotten);
    }

    #[test]
    fn a_block_that_was_given_up_and_asked_for_again_answers_one_of_two_requests() {
        let mut requests = Requests::new();
        requests.sent(PIECE, BlockIndex(0), Time::ZERO);
        assert!(requests.cancel(PIECE, BlockIndex(0)));
        requests.sent(PIECE, BlockIndex(0), Time::ZERO);
        assert_eq!(requests.arrived(PIECE, BlockIndex(0), Time::ZERO), Asked::Twice);
        assert_eq!(requests.arrived(PIECE, BlockIndex(0), Time::ZERO), Asked::Forgotten);
        assert_eq!(requests.arrived(PIECE, BlockIndex(0), Time::ZERO), Asked::Never);
    }

    #[test]
    fn a_reject_answers_the_cancel_before_the_second_request() {
        let mut requests = Requests::new();
        requests.sent(PIECE, BlockIndex(0), Time::ZERO);
        assert!(requests.cancel(PIECE, BlockIndex(0)));
        requests.sent(PIECE, BlockIndex(0), Time::ZERO);
        assert_eq!(requests.rejected(PIECE, BlockIndex(0)), Asked::Forgotten);
        assert_eq!(requests.count(), 1, "the second request is still on the wire");
        assert_eq!(requests.rejected(PIECE, BlockIndex(0)), Asked::Yes);
        assert_eq!(requests.rejected(PIECE, BlockIndex(0)), Asked::Never);
    }

    #[test]
    fn the_pipeline_grows_with_blocks_and_obeys_the_peers_queue() {
        let mut requests = Requests::new();
        for block in 0..500 {
            requests.sent(PIECE, BlockIndex(block), Time::ZERO);
            requests.arrived(PIECE, BlockIndex(block), Time::ZERO);
        }
        assert_eq!(requests.pipeline(), limits::PEER_QUEUE_ASSUMED);
        requests.set_queue_max(10);
        assert_eq!(requests.pipeline(), 10);
    }

    #[test]
    fn the_pipeline_stops_doubling_where_the_rate_does_not_follow_and_then_follows_the_rate() {
        let mut requests = Requests::new();
        for block in 0..200 {
            requests.sent(PIECE, BlockIndex(block), Time::ZERO);
            requests.arrived(PIECE, BlockIndex(block), Time::ZERO);
        }
        let grown = requests.pipeline();
        assert!(grown > 2 * limits::PIPELINE_START);
        // Nothing flows: twice what that would need is far exceeded.
        requests.resize(Time::ZERO, &RateMeter::default());
        assert_eq!(requests.pipeline(), limits::PIPELINE_MIN);
        requests.sent(PIECE, BlockIndex(0), Time::ZERO);
        requests.arrived(PIECE, BlockIndex(0), Time::ZERO);
        assert_eq!(requests.pipeline(), limits::PIPELINE_MIN, "blocks alone make it grow no more");
        let mut meter = RateMeter::default();
        let second = Time::from_micros(1_000_000);
        meter.add(second, 100 * u64::from(limits::BLOCK_BYTES));
        requests.resize(second, &meter);
        assert!(requests.pipeline() > limits::PIPELINE_MIN);
    }

    #[test]
    fn silence_counts_from_the_last_block_and_any_block_ends_a_snub() {
        let mut requests = Requests::new();
        let later = Time::from_micros(5_000_000);
        requests.sent(PIECE, BlockIndex(0), Time::ZERO);
        requests.sent(PIECE, BlockIndex(1), Time::ZERO);
        requests.arrived(PIECE, BlockIndex(0), later);
        assert_eq!(requests.overdue_at(), Some(later + limits::REQUEST_TIMEOUT));
        requests.time_out();
        requests.sent(PIECE, BlockIndex(2), later);
        assert_eq!(requests.arrived(PIECE, BlockIndex(2), later), Asked::Yes);
        assert!(!requests.is_snubbed());
        requests.time_out();
        requests.sent(PIECE, BlockIndex(3), later);
        requests.cancel(PIECE, BlockIndex(3));
        requests.sent(PIECE, BlockIndex(4), Time::ZERO);
        let much_later = Time::from_micros(60_000_000);
        assert_eq!(requests.arrived(PIECE, BlockIndex(3), much_later), Asked::Forgotten);
        assert_eq!(requests.overdue_at(), Some(much_later + limits::REQUEST_TIMEOUT), "a late block counts");
    }

    #[test]
    fn a_slow_peer_has_a_short_pipeline() {
        let mut requests = Requests::new();
        let mut meter = RateMeter::default();
        requests.time_out();
        requests.arrived(PIECE, BlockIndex(0), Time::ZERO);
        for second in 0..20u64 {
            meter.add(Time::from_micros(second * 1_000_000), 32 * 1024);
        }
        requests.resize(Time::from_micros(20_000_000), &meter);
        assert!(requests.pipeline <= 8, "{}", requests.pipeline);
    }
}
