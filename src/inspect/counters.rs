//! Counters of what tasks share: locks, queues and semaphores.
//!
//! The thing itself holds its entry and counts with relaxed atomics; whoever reads the registry sees each counter as it
//! is, not all of them at one instant.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use super::mark::{Seen, millis_since, now_mark, now_nanos};
use super::noting::is_noting;
use super::registry::{LOCKS, Label, QUEUES, SEMAPHORES};
use super::waits::current_task;
use crate::contract::{LockReport, QueueKind, QueueReport, SemaphoreReport, TaskId, WaitingTask};
use crate::limits::{LOCKS_PER_SAMPLE, QUEUE_LOOKS_KEPT};

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
    fn report(&self) -> WaitingTask {
        let Self { task, site, since } = *self;
        WaitingTask { task, site: place(site), waited_ms: millis_since(since) }
    }
}

fn place(site: &Location<'_>) -> String {
    format!("{}:{}", site.file(), site.line())
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
    /// The line that took it last.
    taken_at: Mutex<Option<&'static Location<'static>>>,
    /// Nanoseconds.
    longest_hold: AtomicU64,
    longest_wait: AtomicU64,
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
            taken_at: Mutex::new(None),
            longest_hold: AtomicU64::new(0),
            longest_wait: AtomicU64::new(0),
            waiters: Mutex::new(Vec::new()),
            seen: Seen::default(),
        })
    }

    /// Runs what waits for the lock, the task counted among those who do.
    pub(super) fn waited_for<T>(&self, site: &'static Location<'static>, wait: impl FnOnce() -> T) -> T {
        let began = now_nanos();
        let task = current_task();
        if let Some(task) = task {
            self.waiters.lock().push(Waiter { task, site, since: now_mark() });
        }
        let result = wait();
        if let Some(task) = task {
            self.waiters.lock().retain(|waiter| waiter.task != task);
        }
        // The one who had it had it as long at least, or several did one after the other.
        self.longest_wait.fetch_max(now_nanos().saturating_sub(began), Relaxed);
        result
    }

    /// It is taken here; gives when, where this holding is timed.
    pub(super) fn taken(&self, thread: u64, site: &'static Location<'static>) -> Option<u64> {
        if !is_noting() {
            return None;
        }
        let before = self.acquisitions.fetch_add(1, Relaxed);
        *self.taken_at.lock() = Some(site);
        self.thread.store(thread, Relaxed);
        self.task.store(current_task().map_or(0, |task| task.0), Relaxed);
        before.is_multiple_of(LOCKS_PER_SAMPLE).then(now_nanos)
    }

    /// It is about to be given back.
    pub(super) fn given_back(&self, taken: Option<u64>) {
        if !is_noting() {
            return;
        }
        self.task.store(0, Relaxed);
        self.thread.store(0, Relaxed);
        if let Some(taken) = taken {
            self.longest_hold.fetch_max(now_nanos().saturating_sub(taken), Relaxed);
        }
    }

    /// Notes what the watchdog sees of it: so long has it been held at least.
    pub(super) fn note(&self, now: u64) {
        let hold = self.hold();
        self.seen.note(hold, now);
        if let Some(since) = self.seen.since(hold) {
            self.longest_hold.fetch_max(now.saturating_sub(since) * 1000, Relaxed);
        }
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

    /// The line that took it, while it is held.
    pub(super) fn taken_at(&self) -> Option<String> {
        self.hold()?;
        self.taken_at.lock().map(place)
    }

    pub(super) fn report(&self) -> LockReport {
        let held = self.thread.load(Relaxed) != 0;
        LockReport {
            name: self.label.name.clone(),
            site: self.label.site(),
            held,
            holder: self.holder(),
            held_ms: self.seen.since(self.hold()).map(millis_since),
            holder_site: self.taken_at(),
            waiters: self.waiters().iter().map(Waiter::report).collect(),
            acquisitions: self.acquisitions.load(Relaxed),
            contended: self.contended.load(Relaxed),
            longest_hold_us: self.longest_hold.load(Relaxed) / 1000,
            longest_wait_us: self.longest_wait.load(Relaxed) / 1000,
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
    /// Nothing more is let in; what is in it may still be taken out.
    closed: AtomicBool,
    /// The end that takes out is gone, and what was in it with it.
    unread: AtomicBool,
    /// The task that takes out, as it was last seen; 0: none of ours.
    receiver: AtomicU64,
    pub(super) seen: Seen,
    /// How much had been put in at the last looks of the watchdog, and when those were. Nobody else touches it but who
    /// reports.
    looks: Mutex<VecDeque<(u64, u64)>>,
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
            closed: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            receiver: AtomicU64::new(0),
            seen: Seen::default(),
            looks: Mutex::new(VecDeque::new()),
        })
    }

    /// Counts an item that is about to go in: before it does, so that depth is never below zero.
    pub(super) fn sent(&self) {
        if !is_noting() {
            return;
        }
        let sends = self.sends.fetch_add(1, Relaxed) + 1;
        self.high_water.fetch_max(sends.saturating_sub(self.receives.load(Relaxed)), Relaxed);
    }

    /// Counts items that came out.
    pub(super) fn received(&self, items: usize) {
        if !is_noting() {
            return;
        }
        self.receives.fetch_add(items as u64, Relaxed);
        if items > 0 && self.refused.load(Relaxed) {
            self.refused.store(false, Relaxed);
        }
    }

    /// Counts a sender that found no room.
    pub(super) fn found_full(&self) {
        if !is_noting() {
            return;
        }
        self.full.fetch_add(1, Relaxed);
        self.refused.store(true, Relaxed);
    }

    /// The task on this thread is the one that takes out.
    pub(super) fn is_received_here(&self) {
        if !is_noting() {
            return;
        }
        self.receiver.store(current_task().map_or(0, |task| task.0), Relaxed);
    }

    /// The task that takes out.
    pub(super) fn receiver(&self) -> Option<TaskId> {
        let task = self.receiver.load(Relaxed);
        (task != 0 && !self.closed.load(Relaxed)).then_some(TaskId(task))
    }

    /// The one who takes out wants no more.
    pub(super) fn close(&self) {
        self.closed.store(true, Relaxed);
    }

    /// The one who takes out is gone: nothing can get in, and what was in it goes too.
    pub(super) fn lose_reader(&self) {
        self.close();
        self.unread.store(true, Relaxed);
    }

    /// What stays the same while it turns senders away and nobody takes from it; `None`: that is not so.
    pub(super) fn jam(&self) -> Option<u64> {
        let receives = self.receives.load(Relaxed);
        let is_full = self.sends.load(Relaxed).saturating_sub(receives) >= self.capacity;
        let is_jammed = is_full && self.refused.load(Relaxed) && !self.closed.load(Relaxed);
        is_jammed.then_some(receives)
    }

    /// Notes what the watchdog sees of it.
    pub(super) fn note(&self, now: u64) {
        self.seen.note(self.jam(), now);
        let (sends, receives) = (self.sends.load(Relaxed), self.receives.load(Relaxed));
        let mut looks = self.looks.lock();
        // What was put in before them has been taken out, but for one look that says since when.
        while looks.front().is_some_and(|(sends, _)| *sends <= receives) {
            looks.pop_front();
        }
        if sends > receives && looks.back().is_none_or(|(before, _)| *before < sends) {
            // Of many, the first is what counts.
            if looks.len() >= QUEUE_LOOKS_KEPT {
                looks.remove(1);
            }
            looks.push_back((sends, now));
        }
    }

    /// The mark of the look by which its oldest item was in it; `None`: it is empty, or was at the last look.
    pub(super) fn oldest_since(&self) -> Option<u64> {
        if self.unread.load(Relaxed) {
            return None;
        }
        let receives = self.receives.load(Relaxed);
        self.looks.lock().iter().find(|(sends, _)| *sends > receives).map(|(_, at)| *at)
    }

    /// Items in it.
    pub(super) fn depth(&self) -> u64 {
        if self.unread.load(Relaxed) {
            return 0;
        }
        self.sends.load(Relaxed).saturating_sub(self.receives.load(Relaxed))
    }

    pub(super) fn report(&self, senders: Vec<WaitingTask>) -> QueueReport {
        QueueReport {
            name: self.label.name.clone(),
            site: self.label.site(),
            kind: if self.unread.load(Relaxed) { QueueKind::Nobody } else { self.kind },
            depth: self.depth(),
            capacity: self.capacity,
            sends: self.sends.load(Relaxed),
            full: self.full.load(Relaxed),
            high_water: self.high_water.load(Relaxed),
            full_ms: self.seen.since(self.jam()).map(millis_since),
            oldest_ms: self.oldest_since().map(millis_since),
            receiver: self.receiver(),
            senders,
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
    taken: AtomicU64,
    acquisitions: AtomicU64,
    pub(super) contended: AtomicU64,
    /// Nanoseconds.
    longest_hold: AtomicU64,
    longest_wait: AtomicU64,
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
            longest_hold: AtomicU64::new(0),
            longest_wait: AtomicU64::new(0),
        })
    }

    /// A permit goes out; gives when, where this holding is timed.
    pub(super) fn goes_out(&self) -> Option<u64> {
        self.taken.fetch_add(1, Relaxed);
        let before = self.acquisitions.fetch_add(1, Relaxed);
        before.is_multiple_of(LOCKS_PER_SAMPLE).then(now_nanos)
    }

    /// A permit comes back.
    pub(super) fn comes_back(&self, went_out: Option<u64>) {
        self.taken.fetch_sub(1, Relaxed);
        if let Some(went_out) = went_out {
            self.longest_hold.fetch_max(now_nanos().saturating_sub(went_out), Relaxed);
        }
    }

    /// A permit was waited for since then.
    pub(super) fn waited_since(&self, began: u64) {
        self.longest_wait.fetch_max(now_nanos().saturating_sub(began), Relaxed);
    }

    pub(super) fn report(&self, waiters: Vec<WaitingTask>) -> SemaphoreReport {
        SemaphoreReport {
            name: self.label.name.clone(),
            site: self.label.site(),
            permits: self.permits,
            taken: self.taken.load(Relaxed),
            acquisitions: self.acquisitions.load(Relaxed),
            contended: self.contended.load(Relaxed),
            waiters,
            longest_hold_us: self.longest_hold.load(Relaxed) / 1000,
            longest_wait_us: self.longest_wait.load(Relaxed) / 1000,
        }
    }
}

impl Drop for SemaphoreEntry {
    fn drop(&mut self) {
        SEMAPHORES.remove(self.id);
    }
}
