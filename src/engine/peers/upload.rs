//! What one peer asks of us: a bounded queue, served in contiguous runs, with a bounded number of bytes under way.

use std::collections::VecDeque;

use crate::codec::peer::BlockRequest;
use crate::limits;
use crate::units::PieceIndex;

/// The queue of one peer's requests.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct UploadQueue {
    waiting: VecDeque<BlockRequest>,
    /// Handed to the disk as one read, not sent yet.
    reading: Vec<BlockRequest>,
    /// Handed to the connection, not yet taken by the kernel.
    unsent_bytes: u64,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Queued {
    /// It waits.
    Yes,
    /// The queue is full.
    Full,
    /// The same request waits already.
    Duplicate,
}

impl UploadQueue {
    pub(in crate::engine) fn push(&mut self, request: BlockRequest) -> Queued {
        if self.waiting.len() >= limits::UPLOAD_QUEUE_MAX {
            Queued::Full
        } else if self.waiting.back() == Some(&request) {
            Queued::Duplicate
        } else {
            self.waiting.push_back(request);
            Queued::Yes
        }
    }

    /// Takes a waiting request out; says whether it was there. One that is being read is sent all the same.
    pub(in crate::engine) fn cancel(&mut self, request: BlockRequest) -> bool {
        let at = self.waiting.iter().position(|waiting| *waiting == request);
        at.is_some_and(|at| self.waiting.remove(at).is_some())
    }

    /// Takes out everything that waits (the peer is choked).
    pub(in crate::engine) fn clear(&mut self) -> Vec<BlockRequest> {
        self.waiting.drain(..).collect()
    }

    /// The piece of the request that waits longest.
    pub(in crate::engine) fn next_piece(&self) -> Option<PieceIndex> {
        self.waiting.front().map(|request| request.piece)
    }

    /// Takes out what waits for a piece. What is being read is answered all the same.
    pub(in crate::engine) fn drop_piece(&mut self, piece: PieceIndex) -> Vec<BlockRequest> {
        let waiting = std::mem::take(&mut self.waiting);
        let (dropped, kept): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|request| request.piece == piece);
        self.waiting = kept.into();
        dropped
    }

    pub(in crate::engine) fn len(&self) -> u32 {
        u32::try_from(self.waiting.len() + self.reading.len()).unwrap_or(u32::MAX)
    }

    /// Whether a read may start: one at a time, and only while little waits for the kernel.
    pub(in crate::engine) fn may_read(&self) -> bool {
        self.reading.is_empty()
            && !self.waiting.is_empty()
            && self.unsent_bytes < limits::UPLOAD_UNSENT_BYTES_MAX
    }

    /// Takes the next requests that lie side by side in one piece, as one range to read of at most `budget_bytes`
    /// (but at least one request).
    pub(in crate::engine) fn next_read(&mut self, budget_bytes: u64) -> Option<BlockRequest> {
        let first = self.waiting.pop_front()?;
        let mut range = first;
        self.reading.push(first);
        let most = budget_bytes.min(u64::from(limits::UPLOAD_READ_BYTES_MAX));
        while let Some(next) = self.waiting.front() {
            let adjacent = next.piece == range.piece && next.begin == range.begin + range.length;
            if !adjacent || u64::from(range.length) + u64::from(next.length) > most {
                break;
            }
            range.length += next.length;
            self.reading.extend(self.waiting.pop_front());
        }
        Some(range)
    }

    /// The read is done: the requests it was for.
    pub(in crate::engine) fn read_done(&mut self) -> Vec<BlockRequest> {
        std::mem::take(&mut self.reading)
    }

    /// Bytes went to the connection.
    pub(in crate::engine) fn handed_over(&mut self, bytes: u64) {
        self.unsent_bytes += bytes;
    }

    /// Bytes went to the kernel.
    pub(in crate::engine) fn drained(&mut self, bytes: u64) {
        self.unsent_bytes = self.unsent_bytes.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(block: u32) -> BlockRequest {
        BlockRequest { piece: PieceIndex(0), begin: block * limits::BLOCK_BYTES, length: limits::BLOCK_BYTES }
    }

    #[test]
    fn neighbours_are_read_as_one_range() {
        let mut queue = UploadQueue::default();
        for block in [0, 1, 2, 7] {
            assert_eq!(queue.push(request(block)), Queued::Yes);
        }
        let range = queue.next_read(u64::MAX).unwrap();
        assert_eq!((range.begin, range.length), (0, 3 * limits::BLOCK_BYTES));
        assert!(!queue.may_read());
        assert_eq!(queue.read_done().len(), 3);
        assert_eq!(queue.next_read(1).unwrap(), request(7));
    }

    #[test]
    fn a_flood_is_bounded() {
        let mut queue = UploadQueue::default();
        let accepted = (0..10_000).filter(|&block| queue.push(request(block)) == Queued::Yes).count();
        assert_eq!(accepted, limits::UPLOAD_QUEUE_MAX);
    }

    #[test]
    fn nothing_more_is_read_while_the_socket_is_stuck() {
        let mut queue = UploadQueue::default();
        queue.push(request(0));
        queue.handed_over(limits::UPLOAD_UNSENT_BYTES_MAX);
        assert!(!queue.may_read());
        queue.drained(1);
        assert!(queue.may_read());
    }
}
