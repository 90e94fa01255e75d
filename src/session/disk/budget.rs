//! How many payload bytes wait for a disk thread, and who has to wait for that.
//!
//! Where all torrents together are over the high mark, sockets of those are not read that have more than a little
//! waiting themselves; they are again once either queue is below its low mark. So a torrent whose disk takes nothing
//! stops its own sockets: what it holds of the common queue costs the others the room to hold more than a little, and
//! theirs moves on. The gap between the marks keeps hundreds of connections from stopping and starting with each block.
//! The state is derived from the count under the watch's own lock after every change of the count, so no order of
//! changes leaves a waiter behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use crate::inspect::{WatchReceiver, WatchSender, watch};
use crate::limits::{
    DISK_OWN_QUEUE_HIGH_BYTES, DISK_OWN_QUEUE_LOW_BYTES, DISK_QUEUE_HIGH_BYTES, DISK_QUEUE_LOW_BYTES,
};

/// Whether there is room for more payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Open,
    Full,
}

/// The bytes in a queue against two marks.
#[derive(Debug)]
pub(super) struct Gauge {
    bytes: AtomicU64,
    high: u64,
    low: u64,
    room: WatchSender<Room>,
    reader: WatchReceiver<Room>,
}

impl Gauge {
    /// For what all torrents have waiting.
    pub(super) fn of_all() -> Self {
        Self::new("room in the disk queue", DISK_QUEUE_HIGH_BYTES, DISK_QUEUE_LOW_BYTES)
    }

    fn of_one() -> Self {
        Self::new(
            "room in the disk queue for one torrent",
            DISK_OWN_QUEUE_HIGH_BYTES,
            DISK_OWN_QUEUE_LOW_BYTES,
        )
    }

    fn new(name: &'static str, high: u64, low: u64) -> Self {
        let (room, reader) = watch(name, Room::Open);
        Self { bytes: AtomicU64::new(0), high, low, room, reader }
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(SeqCst)
    }

    fn is_full(&self) -> bool {
        self.room.latest() == Room::Full
    }

    async fn wait_for_room(&self) {
        let reached = self.reader.clone().wait_until(|room| *room == Room::Open).await;
        debug_assert!(reached.is_ok(), "the sender lives as long as self");
    }

    fn add(&self, bytes: u64) {
        let queued = self.bytes.fetch_add(bytes, SeqCst) + bytes;
        if queued > self.high {
            self.derive_room();
        }
    }

    fn remove(&self, bytes: u64) {
        let queued = self.bytes.fetch_sub(bytes, SeqCst) - bytes;
        // Skipping where the room is open loses nothing: whoever is about to close it reads the count anew.
        if queued <= self.low && self.is_full() {
            self.derive_room();
        }
    }

    fn derive_room(&self) {
        self.room.set_if(|room| {
            let queued = self.bytes();
            let derived = if queued > self.high {
                Room::Full
            } else if queued <= self.low {
                Room::Open
            } else {
                *room
            };
            std::mem::replace(room, derived) != derived
        });
    }
}

/// The bytes in the disk queue as one torrent's connections see them.
#[derive(Debug)]
pub struct DiskBudget {
    all: Arc<Gauge>,
    own: Gauge,
}

impl DiskBudget {
    /// An empty queue, shared with nobody.
    pub fn new() -> Self {
        Self::beside(Arc::new(Gauge::of_all()))
    }

    /// That of one more torrent.
    pub(super) fn beside(all: Arc<Gauge>) -> Self {
        Self { all, own: Gauge::of_one() }
    }

    /// Payload bytes of this torrent that wait for a disk thread.
    pub fn queued_bytes(&self) -> u64 {
        self.own.bytes()
    }

    /// Whether the torrent's sockets must wait now.
    pub fn is_full(&self) -> bool {
        self.all.is_full() && self.own.is_full()
    }

    /// Waits, before reading from a socket, until the queue has room. Returns at once where it has.
    pub async fn wait_for_room(&self) {
        tokio::select! {
            () = self.own.wait_for_room() => {}
            () = self.all.wait_for_room() => {}
        }
    }

    pub(super) fn add(&self, bytes: u64) {
        self.own.add(bytes);
        self.all.add(bytes);
    }

    pub(super) fn remove(&self, bytes: u64) {
        self.own.remove(bytes);
        self.all.remove(bytes);
    }
}

impl Default for DiskBudget {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;

    use super::*;
    use crate::inspect;

    #[test]
    fn sockets_wait_above_the_high_mark_until_below_the_low_one() {
        let budget = DiskBudget::new();
        budget.add(DISK_QUEUE_HIGH_BYTES);
        assert!(budget.wait_for_room().now_or_never().is_some());
        budget.add(1);
        assert!(budget.wait_for_room().now_or_never().is_none());
        budget.remove(2);
        assert!(budget.wait_for_room().now_or_never().is_none(), "between the marks nothing changes");
        budget.remove(DISK_QUEUE_HIGH_BYTES - DISK_QUEUE_LOW_BYTES);
        assert!(budget.wait_for_room().now_or_never().is_some());
    }

    #[test]
    fn what_one_torrent_has_waiting_leaves_the_others_a_little() {
        let all = Arc::new(Gauge::of_all());
        let [hung, other] = [(); 2].map(|()| DiskBudget::beside(Arc::clone(&all)));
        hung.add(DISK_QUEUE_HIGH_BYTES + 1);
        assert!(hung.is_full() && hung.wait_for_room().now_or_never().is_none());
        for _ in 0..3 {
            other.add(DISK_OWN_QUEUE_HIGH_BYTES);
            assert!(!other.is_full() && other.wait_for_room().now_or_never().is_some());
            other.add(1);
            assert!(other.is_full() && other.wait_for_room().now_or_never().is_none());
            other.remove(DISK_OWN_QUEUE_HIGH_BYTES + 1);
            assert!(!other.is_full() && other.wait_for_room().now_or_never().is_some());
        }
        assert_eq!((hung.queued_bytes(), other.queued_bytes()), (DISK_QUEUE_HIGH_BYTES + 1, 0));
    }

    #[tokio::test]
    async fn no_waiter_is_left_behind_by_racing_threads() {
        let budget = Arc::new(DiskBudget::new());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let budget = Arc::clone(&budget);
                let work = move || {
                    for _ in 0..2000 {
                        budget.add(DISK_QUEUE_HIGH_BYTES);
                        budget.remove(DISK_QUEUE_HIGH_BYTES);
                    }
                };
                inspect::spawn_thread("racer", work).unwrap()
            })
            .collect();
        let waiter = inspect::spawn("waiter", {
            let budget = Arc::clone(&budget);
            async move { budget.wait_for_room().await }
        });
        for thread in threads {
            thread.join().unwrap();
        }
        waiter.await.unwrap();
        assert!(!budget.is_full());
        assert_eq!(budget.queued_bytes(), 0);
    }
}
