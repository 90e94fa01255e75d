//! Counters of what tasks share: locks, queues and semaphores.
//!
//! The thing itself holds its entry and counts with relaxed atomics; whoever reads the registry sees each counter as it
//! is, not all of them at one instant.

use std::borrow::Cow;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use super::mark::{Seen, millis_since, now_mark};
use super::registry::{LOCKS, Label, QUEUES, SEMAPHORES, current_task};
use crate::contract::{LockReport, LockWaiter, QueueKind, QueueReport, SemaphoreReport, TaskId};

/// A task that waits for a lock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    pub(super) task: TaskId,
    /// The line that takes it.
    pub(super) site: &'static Location<'static>,
    /// The mark since which it waits.
    pub(super) since: u64,
}

impl Waiter {
    fn report(&self) -> LockWaiter {
        let Self { task, site, since } = *self;
        LockWaiter { task, site: format!("{}:{}", site.file(), site.line()), waited_ms: millis_since(since) }
    }
}

/// Counters of a lock.
#[derive(Debug)]
pub(super) struct LockEntry {
    pub(super) id: u64,
    pub(super) label: Label,
    /// The thread that holds it; 0: nobody.
    pub(super) thread: AtomicU64,
    /// The task that holds it; 0: nobody, or none of ours.
    pub(super) task: AtomicU64,
    pub(super) acquisitions: AtomicU64,
    pub(super) contended: AtomicU64,
    /// The tasks that wait for it.
    waiters: Mutex<Vec<Waiter>>,
    pub(super) seen: Seen,
}

impl LockEntry {
    pub(super) fn register(name: Cow<'static, str>, site: &'static Location<'static>) -> Arc<Self> {
        LOCKS.register(|id| Self {
            id,
            label: Label { name, site },
            thread: AtomicU64::new(0),
            task: AtomicU64::new(0),
            acquisitions: AtomicU64::new(0),
            contended: AtomicU64::new(0),
            waiters: Mutex::new(Vec::new()),
            seen: Seen::default(),
        })
    }

    /// Runs what waits for the lock, the task counted among those who do.
    pub(super) fn waited_for<T>(&self, site: &'static Location<'static>, wait: impl FnOnce() -> T) -> T {
        let Some(task) = current_task() else { return wait() };
        let since = now_mark();
        self.waiters.lock().push(Waiter { task, site, since });
        let result = wait();
        self.waiters.lock().retain(|waiter| waiter.task != task);
        result
    }

    /// The tasks that wait for it, in the order in which they came.
    pub(super) fn waiters(&self) -> Vec<Waiter> {
        self.waiters.lock().clone()
    }

    /// What stays the same while one holder has it; `None`: nobody does.
    pub(super) fn hold(&self) -> Option<u64> {
        (self.thread.load(Relaxed) != 0).then(|| self.acquisitions.load(Relaxed))
    }

    /// The task that holds it.
    pub(super) fn holder(&self) -> Option<TaskId> {
        let task = self.task.load(Relaxed);
        (task != 0).then_some(TaskId(task))
    }

    pub(super) fn report(&self) -> LockReport {
        LockReport {
            name: self.label.name.clone(),
            site: self.label.site(),
            held: self.thread.load(Relaxed) != 0,
            holder: self.holder(),
            held_ms: self.seen.since(self.hold()).map(millis_since),
            holder_site: None,
            waiters: self.waiters().iter().map(Waiter::report).collect(),
            acquisitions: self.acquisitions.load(Relaxed),
            contended: self.contended.load(Relaxed),
            longest_hold_us: 0,
            longest_wait_us: 0,
        }
    }
}

impl Drop for LockEntry {
    fn drop(&mut self) {
        LOCKS.remove(self.id);
    }
}

/// Counters of a queue.
#[derive(Debug)]
pub(super) struct QueueEntry {
    pub(super) id: u64,
    pub(super) label: Label,
    kind: QueueKind,
    pub(super) capacity: u64,
    sends: AtomicU64,
    receives: AtomicU64,
    full: AtomicU64,
    high_water: AtomicU64,
    /// A sender has found no room since something was last taken out.
    refused: AtomicBool,
    /// Nobody will take anything out any more.
    abandoned: AtomicBool,
    /// The task that takes out, as it was last seen; 0: none of ours.
    receiver: AtomicU64,
    pub(super) seen: Seen,
}

impl QueueEntry {
    pub(super) fn register(
        name: Cow<'static, str>,
        site: &'static Location<'static>,
        kind: QueueKind,
        capacity: usize,
    ) -> Arc<Self> {
        QUEUES.register(|id| Self {
            id,
            label: Label { name, site },
            kind,
            capacity: capacity as u64,
            sends: AtomicU64::new(0),
            receives: AtomicU64::new(0),
            full: AtomicU64::new(0),
            high_water: AtomicU64::new(0),
            refused: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            receiver: AtomicU64::new(0),
            seen: Seen::default(),
        })
    }

    /// Counts an item that is about to go in: before it does, so that depth is never below zero.
    pub(super) fn sent(&self) {
        let sends = self.sends.fetch_add(1, Relaxed) + 1;
        self.high_water.fetch_max(sends.saturating_sub(self.receives.load(Relaxed)), Relaxed);
    }

    /// Counts items that came out.
    pub(super) fn received(&self, items: usize) {
        self.receives.fetch_add(items as u64, Relaxed);
        if items > 0 && self.refused.load(Relaxed) {
            self.refused.store(false, Relaxed);
        }
    }

    /// Counts a sender that found no room.
    pub(super) fn found_full(&self) {
        self.full.fetch_add(1, Relaxed);
        self.refused.store(true, Relaxed);
    }

    /// The task on this thread is the one that takes out.
    pub(super) fn is_received_here(&self) {
        self.receiver.store(current_task().map_or(0, |task| task.0), Relaxed);
    }

    /// The task that takes out.
    pub(super) fn receiver(&self) -> Option<TaskId> {
        let task = self.receiver.load(Relaxed);
        (task != 0 && !self.abandoned.load(Relaxed)).then_some(TaskId(task))
    }

    /// The one who takes out is gone.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Relaxed);
    }

    /// What stays the same while it turns senders away and nobody takes from it; `None`: that is not so.
    pub(super) fn jam(&self) -> Option<u64> {
        let receives = self.receives.load(Relaxed);
        let is_full = self.sends.load(Relaxed).saturating_sub(receives) >= self.capacity;
        let is_jammed = is_full && self.refused.load(Relaxed) && !self.abandoned.load(Relaxed);
        is_jammed.then_some(receives)
    }

    /// Items in it.
    pub(super) fn depth(&self) -> u64 {
        self.sends.load(Relaxed).saturating_sub(self.receives.load(Relaxed))
    }

    pub(super) fn report(&self) -> QueueReport {
        let receives = self.receives.load(Relaxed);
        let sends = self.sends.load(Relaxed);
        QueueReport {
            name: self.label.name.clone(),
            site: self.label.site(),
            kind: self.kind,
            depth: sends.saturating_sub(receives),
            capacity: self.capacity,
            sends,
            full: self.full.load(Relaxed),
            high_water: self.high_water.load(Relaxed),
            full_ms: self.seen.since(self.jam()).map(millis_since),
            oldest_ms: None,
            receiver: self.receiver(),
        }
    }
}

impl Drop for QueueEntry {
    fn drop(&mut self) {
        QUEUES.remove(self.id);
    }
}

/// Counters of a semaphore.
#[derive(Debug)]
pub(super) struct SemaphoreEntry {
    pub(super) id: u64,
    pub(super) label: Label,
    permits: u64,
    pub(super) taken: AtomicU64,
    pub(super) acquisitions: AtomicU64,
    pub(super) contended: AtomicU64,
}

impl SemaphoreEntry {
    pub(super) fn register(
        name: Cow<'static, str>,
        site: &'static Location<'static>,
        permits: usize,
    ) -> Arc<Self> {
        SEMAPHORES.register(|id| Self {
            id,
            label: Label { name, site },
            permits: permits as u64,
            taken: AtomicU64::new(0),
            acquisitions: AtomicU64::new(0),
            contended: AtomicU64::new(0),
        })
    }

    pub(super) fn report(&self) -> SemaphoreReport {
        SemaphoreReport {
            name: self.label.name.clone(),
            site: self.label.site(),
            permits: self.permits,
            taken: self.taken.load(Relaxed),
            acquisitions: self.acquisitions.load(Relaxed),
            contended: self.contended.load(Relaxed),
            waiters: Vec::new(),
        }
    }
}

impl Drop for SemaphoreEntry {
    fn drop(&mut self) {
        SEMAPHORES.remove(self.id);
    }
}
