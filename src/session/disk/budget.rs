//! How many payload bytes wait for a disk thread, and who has to wait for that.
//!
//! Over the high mark sockets are not read; they are again once the queue is below the low mark. The gap keeps
//! hundreds of connections from stopping and starting with each block. The state is derived from the count under the
//! watch's own lock after every change of the count, so no order of changes leaves a waiter behind.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use crate::inspect::{WatchReceiver, WatchSender, watch};
use crate::limits::{DISK_QUEUE_HIGH_BYTES, DISK_QUEUE_LOW_BYTES};

/// Whether there is room for more payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Open,
    Full,
}

/// The bytes in the disk queue, shared by all connections.
#[derive(Debug)]
pub struct DiskBudget {
    queued_bytes: AtomicU64,
    room: WatchSender<Room>,
    reader: WatchReceiver<Room>,
}

impl DiskBudget {
    /// An empty queue.
    pub fn new() -> Self {
        let (room, reader) = watch("room in the disk queue", Room::Open);
        Self { queued_bytes: AtomicU64::new(0), room, reader }
    }

    /// Payload bytes that wait for a disk thread.
    pub fn queued_bytes(&self) -> u64 {
        self.queued_bytes.load(SeqCst)
    }

    /// Whether sockets must wait now.
    pub fn is_full(&self) -> bool {
        self.room.latest() == Room::Full
    }

    /// Waits, before reading from a socket, until the queue has room. Returns at once where it has.
    pub async fn wait_for_room(&self) {
        let reached = self.reader.clone().wait_until(|room| *room == Room::Open).await;
        debug_assert!(reached.is_ok(), "the sender lives as long as self");
    }

    pub(super) fn add(&self, bytes: u64) {
        let queued = self.queued_bytes.fetch_add(bytes, SeqCst) + bytes;
        if queued > DISK_QUEUE_HIGH_BYTES {
            self.derive_room();
        }
    }

    pub(super) fn remove(&self, bytes: u64) {
        let queued = self.queued_bytes.fetch_sub(bytes, SeqCst) - bytes;
        // Skipping where the room is open loses nothing: whoever is about to close it reads the count anew.
        if queued <= DISK_QUEUE_LOW_BYTES && self.is_full() {
            self.derive_room();
        }
    }

    fn derive_room(&self) {
        self.room.set_if(|room| {
            let queued = self.queued_bytes();
            let derived = if queued > DISK_QUEUE_HIGH_BYTES {
                Room::Full
            } else if queued <= DISK_QUEUE_LOW_BYTES {
                Room::Open
            } else {
                *room
            };
            std::mem::replace(room, derived) != derived
        });
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
