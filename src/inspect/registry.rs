//! The tables behind the reports.
//!
//! Each table has a lock of its own, held for one map operation. Entries are counted handles: the thing itself holds
//! one, so counters are touched without any lock. Nothing that runs code of a caller happens under a table's lock.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::channel::{Receiver, Sender, channel};
use super::report::{SemaphoreReport, TaskPanic};
use crate::contract::{LockReport, QueueKind, QueueReport, TaskId, TaskKind, TaskReport, TaskState};
use crate::limits::{ENDED_TASKS_KEPT, PANIC_QUEUE, PANIC_TEXT_BYTES_MAX};

/// Name and place of a registered thing.
#[derive(Debug)]
pub(super) struct Label {
    pub(super) name: Cow<'static, str>,
    pub(super) site: &'static Location<'static>,
}

impl Label {
    fn site(&self) -> String {
        format!("{}:{}", self.site.file(), self.site.line())
    }
}

/// Counters of a task.
#[derive(Debug)]
pub(super) struct TaskEntry {
    pub(super) id: TaskId,
    label: Label,
    kind: TaskKind,
    parent: Option<TaskId>,
    started: Instant,
    polls: AtomicU64,
    busy_us: AtomicU64,
    running: AtomicBool,
    end: OnceLock<TaskState>,
}

impl TaskEntry {
    /// Registers a task; [`TaskEntry::end`] takes it out again.
    pub(super) fn register(
        name: Cow<'static, str>,
        site: &'static Location<'static>,
        kind: TaskKind,
    ) -> Arc<Self> {
        let entry = Arc::new(Self {
            id: TaskId(NEXT_ID.fetch_add(1, Relaxed)),
            label: Label { name, site },
            kind,
            parent: current_task(),
            started: Instant::now(),
            polls: AtomicU64::new(0),
            busy_us: AtomicU64::new(0),
            running: AtomicBool::new(false),
            end: OnceLock::new(),
        });
        TASKS.lock().live.insert(entry.id.0, Arc::clone(&entry));
        entry
    }

    /// Runs one poll of the task, or its whole closure.
    pub(super) fn run<T>(&self, poll: impl FnOnce() -> T) -> T {
        let before = CURRENT_TASK.replace(self.id.0);
        self.running.store(true, Relaxed);
        let start = Instant::now();
        let result = poll();
        self.polls.fetch_add(1, Relaxed);
        self.busy_us.fetch_add(micros(start.elapsed()), Relaxed);
        self.running.store(false, Relaxed);
        CURRENT_TASK.set(before);
        result
    }

    /// Records how it ended; the first call counts.
    pub(super) fn end(self: &Arc<Self>, end: TaskState) {
        if self.end.set(end).is_err() {
            return;
        }
        let oldest = {
            let mut tasks = TASKS.lock();
            tasks.live.remove(&self.id.0);
            tasks.ended.push_back(Arc::clone(self));
            if tasks.ended.len() > ENDED_TASKS_KEPT { tasks.ended.pop_front() } else { None }
        };
        drop(oldest);
        if let Some(TaskState::Panicked(text)) = self.end.get() {
            tell_panic(TaskPanic {
                id: self.id,
                name: self.label.name.clone(),
                site: self.label.site(),
                text: text.clone(),
            });
        }
    }

    fn report(&self) -> TaskReport {
        let state = self.end.get().cloned().unwrap_or(if self.running.load(Relaxed) {
            TaskState::Running
        } else {
            TaskState::Waiting
        });
        TaskReport {
            id: self.id,
            name: self.label.name.clone(),
            kind: self.kind,
            site: self.label.site(),
            parent: self.parent,
            age_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            polls: self.polls.load(Relaxed),
            busy_us: self.busy_us.load(Relaxed),
            state,
        }
    }
}

/// Counters of a lock.
#[derive(Debug)]
pub(super) struct LockEntry {
    id: u64,
    pub(super) label: Label,
    /// The thread that holds it; 0: nobody.
    pub(super) thread: AtomicU64,
    /// The task that holds it; 0: nobody, or none of ours.
    pub(super) task: AtomicU64,
    pub(super) acquisitions: AtomicU64,
    pub(super) contended: AtomicU64,
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
        })
    }

    fn report(&self) -> LockReport {
        let task = self.task.load(Relaxed);
        LockReport {
            name: self.label.name.clone(),
            site: self.label.site(),
            held: self.thread.load(Relaxed) != 0,
            holder: (task != 0).then_some(TaskId(task)),
            acquisitions: self.acquisitions.load(Relaxed),
            contended: self.contended.load(Relaxed),
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
    id: u64,
    label: Label,
    kind: QueueKind,
    capacity: u64,
    sends: AtomicU64,
    receives: AtomicU64,
    full: AtomicU64,
    high_water: AtomicU64,
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
    }

    /// Counts a sender that found no room.
    pub(super) fn found_full(&self) {
        self.full.fetch_add(1, Relaxed);
    }

    fn report(&self) -> QueueReport {
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
    id: u64,
    label: Label,
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

    fn report(&self) -> SemaphoreReport {
        SemaphoreReport {
            name: self.label.name.clone(),
            site: self.label.site(),
            permits: self.permits,
            taken: self.taken.load(Relaxed),
            acquisitions: self.acquisitions.load(Relaxed),
            contended: self.contended.load(Relaxed),
        }
    }
}

impl Drop for SemaphoreEntry {
    fn drop(&mut self) {
        SEMAPHORES.remove(self.id);
    }
}

/// All tasks and threads that run, then the last ones that ended; each in the order of their start or end.
pub fn tasks() -> Vec<TaskReport> {
    let entries: Vec<Arc<TaskEntry>> = {
        let tasks = TASKS.lock();
        tasks.live.values().chain(tasks.ended.iter()).cloned().collect()
    };
    entries.iter().map(|entry| entry.report()).collect()
}

/// All locks, oldest first.
pub fn locks() -> Vec<LockReport> {
    LOCKS.alive().iter().map(|entry| entry.report()).collect()
}

/// All queues, oldest first.
pub fn queues() -> Vec<QueueReport> {
    QUEUES.alive().iter().map(|entry| entry.report()).collect()
}

/// All semaphores, oldest first.
pub fn semaphores() -> Vec<SemaphoreReport> {
    SEMAPHORES.alive().iter().map(|entry| entry.report()).collect()
}

/// Panics of tasks and threads from now on. A subscriber that does not keep up misses some; [`tasks`] has them still.
#[track_caller]
pub fn subscribe_panics() -> Receiver<TaskPanic> {
    let (sender, receiver) = channel("panics of tasks", PANIC_QUEUE);
    PANIC_SUBSCRIBERS.lock().push(sender);
    receiver
}

/// The task that runs on this thread.
pub(super) fn current_task() -> Option<TaskId> {
    let id = CURRENT_TASK.get();
    (id != 0).then_some(TaskId(id))
}

/// A number for this thread, above 0.
pub(super) fn current_thread() -> u64 {
    CURRENT_THREAD.with(|thread| *thread)
}

/// The text of a panic's payload, cut to a bound.
pub(super) fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.as_str()
    } else {
        "a panic without a text"
    };
    let mut kept = PANIC_TEXT_BYTES_MAX.min(text.len());
    while !text.is_char_boundary(kept) {
        kept -= 1;
    }
    text[..kept].to_owned()
}

fn tell_panic(panic: TaskPanic) {
    // Senders are cloned out: sending wakes a task, which is not for under the lock.
    let subscribers: Vec<Sender<TaskPanic>> = {
        let mut all = PANIC_SUBSCRIBERS.lock();
        all.retain(|sender| !sender.is_closed());
        all.clone()
    };
    for subscriber in subscribers {
        // A full subscriber is counted by its queue's report.
        drop(subscriber.try_send(panic.clone()));
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Things that live as long as somebody holds them.
struct Table<E> {
    entries: Mutex<BTreeMap<u64, Weak<E>>>,
}

impl<E> Table<E> {
    const fn new() -> Self {
        Self { entries: Mutex::new(BTreeMap::new()) }
    }

    fn register(&self, make: impl FnOnce(u64) -> E) -> Arc<E> {
        let id = NEXT_ID.fetch_add(1, Relaxed);
        let entry = Arc::new(make(id));
        self.entries.lock().insert(id, Arc::downgrade(&entry));
        entry
    }

    fn remove(&self, id: u64) {
        self.entries.lock().remove(&id);
    }

    /// Handles leave the lock before they are dropped: the last one takes the lock again to go.
    fn alive(&self) -> Vec<Arc<E>> {
        let entries = self.entries.lock();
        let weak: Vec<Weak<E>> = entries.values().cloned().collect();
        drop(entries);
        weak.iter().filter_map(Weak::upgrade).collect()
    }
}

struct Tasks {
    live: BTreeMap<u64, Arc<TaskEntry>>,
    ended: VecDeque<Arc<TaskEntry>>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);
static TASKS: Mutex<Tasks> = Mutex::new(Tasks { live: BTreeMap::new(), ended: VecDeque::new() });
static LOCKS: Table<LockEntry> = Table::new();
static QUEUES: Table<QueueEntry> = Table::new();
static SEMAPHORES: Table<SemaphoreEntry> = Table::new();
static PANIC_SUBSCRIBERS: Mutex<Vec<Sender<TaskPanic>>> = Mutex::new(Vec::new());

thread_local! {
    static CURRENT_TASK: Cell<u64> = const { Cell::new(0) };
    static CURRENT_THREAD: u64 = NEXT_ID.fetch_add(1, Relaxed);
}
