//! The tables behind the reports.
//!
//! Each table has a lock of its own, held for one map operation. Entries are counted handles: the thing itself holds
//! one, so counters are touched without any lock. Nothing that runs code of a caller happens under a table's lock.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use parking_lot::Mutex;

use super::channel::{Receiver, Sender, channel};
use super::counters::{LockEntry, QueueEntry, SemaphoreEntry};
use super::mark::{mark, micros, millis_since};
use super::report::{SemaphoreReport, TaskPanic};
use crate::contract::{LockReport, QueueReport, TaskId, TaskKind, TaskName, TaskReport, TaskState};
use crate::limits::{ENDED_TASKS_KEPT, PANIC_QUEUE, PANIC_TEXT_BYTES_MAX, WATCHDOG_TASKS_PER_HOLD};
use crate::units::TorrentId;

/// Name and place of a registered thing.
#[derive(Debug)]
pub(super) struct Label {
    pub(super) name: Cow<'static, str>,
    pub(super) site: &'static Location<'static>,
}

impl Label {
    pub(super) fn site(&self) -> String {
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
    torrent: Option<TorrentId>,
    started: Instant,
    polls: AtomicU64,
    busy_us: AtomicU64,
    /// The mark at which the poll that is running began; 0: none is.
    poll_began: AtomicU64,
    end: OnceLock<TaskState>,
}

impl TaskEntry {
    /// Registers a task; [`TaskEntry::end`] takes it out again. It works for the torrent that it is said to, else for
    /// that of the task which starts it.
    pub(super) fn register(
        name: Cow<'static, str>,
        site: &'static Location<'static>,
        kind: TaskKind,
        torrent: Option<TorrentId>,
    ) -> Arc<Self> {
        let parent = current_task();
        let torrent = torrent.or_else(|| TASKS.lock().live.get(&parent?.0)?.torrent);
        let entry = Arc::new(Self {
            id: TaskId(NEXT_ID.fetch_add(1, Relaxed)),
            label: Label { name, site },
            kind,
            parent,
            torrent,
            started: Instant::now(),
            polls: AtomicU64::new(0),
            busy_us: AtomicU64::new(0),
            poll_began: AtomicU64::new(0),
            end: OnceLock::new(),
        });
        TASKS.lock().live.insert(entry.id.0, Arc::clone(&entry));
        entry
    }

    /// Runs one poll of the task, or its whole closure.
    pub(super) fn run<T>(&self, poll: impl FnOnce() -> T) -> T {
        let before = CURRENT_TASK.replace(self.id.0);
        let start = Instant::now();
        self.poll_began.store(mark(start), Relaxed);
        let result = poll();
        self.polls.fetch_add(1, Relaxed);
        self.busy_us.fetch_add(micros(start.elapsed()), Relaxed);
        self.poll_began.store(0, Relaxed);
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

    /// The mark at which the poll that is running began, where a task should be back from it soon.
    pub(super) fn polled_since(&self) -> Option<u64> {
        let began = self.poll_began.load(Relaxed);
        (began != 0 && self.kind == TaskKind::Task).then_some(began)
    }

    /// How reports about something else name it.
    pub(super) fn named(&self) -> TaskName {
        let Self { id, label, torrent, .. } = self;
        TaskName { id: *id, name: label.name.clone(), site: label.site(), torrent: *torrent }
    }

    fn report(&self) -> TaskReport {
        let began = self.poll_began.load(Relaxed);
        let now = if began == 0 { TaskState::Waiting } else { TaskState::Running };
        let state = self.end.get().cloned().unwrap_or(now);
        TaskReport {
            id: self.id,
            name: self.label.name.clone(),
            kind: self.kind,
            site: self.label.site(),
            parent: self.parent,
            age_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            polls: self.polls.load(Relaxed),
            busy_us: self.busy_us.load(Relaxed),
            torrent: self.torrent,
            poll_ms: (began != 0).then(|| millis_since(began)),
            state,
        }
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

/// The tasks of which `wanted` says so, oldest first. It is asked under the table's lock, which is let go now and then.
pub(super) fn tasks_where(wanted: impl Fn(&TaskEntry) -> bool) -> Vec<Arc<TaskEntry>> {
    let mut found = Vec::new();
    let mut next = 0;
    loop {
        let tasks = TASKS.lock();
        let mut looked_at = 0;
        for (id, entry) in tasks.live.range(next..).take(WATCHDOG_TASKS_PER_HOLD) {
            if wanted(entry) {
                found.push(Arc::clone(entry));
            }
            next = id + 1;
            looked_at += 1;
        }
        if looked_at < WATCHDOG_TASKS_PER_HOLD {
            return found;
        }
    }
}

/// The name of a task that runs.
pub(super) fn task_name(id: TaskId) -> Option<TaskName> {
    let entry = TASKS.lock().live.get(&id.0).map(Arc::clone);
    entry.map(|entry| entry.named())
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

/// Things that live as long as somebody holds them.
pub(super) struct Table<E> {
    entries: Mutex<BTreeMap<u64, Weak<E>>>,
}

impl<E> Table<E> {
    const fn new() -> Self {
        Self { entries: Mutex::new(BTreeMap::new()) }
    }

    pub(super) fn register(&self, make: impl FnOnce(u64) -> E) -> Arc<E> {
        let id = NEXT_ID.fetch_add(1, Relaxed);
        let entry = Arc::new(make(id));
        self.entries.lock().insert(id, Arc::downgrade(&entry));
        entry
    }

    pub(super) fn remove(&self, id: u64) {
        self.entries.lock().remove(&id);
    }

    /// Handles leave the lock before they are dropped: the last one takes the lock again to go.
    pub(super) fn alive(&self) -> Vec<Arc<E>> {
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
pub(super) static LOCKS: Table<LockEntry> = Table::new();
pub(super) static QUEUES: Table<QueueEntry> = Table::new();
pub(super) static SEMAPHORES: Table<SemaphoreEntry> = Table::new();
static PANIC_SUBSCRIBERS: Mutex<Vec<Sender<TaskPanic>>> = Mutex::new(Vec::new());

thread_local! {
    static CURRENT_TASK: Cell<u64> = const { Cell::new(0) };
    static CURRENT_THREAD: u64 = NEXT_ID.fetch_add(1, Relaxed);
}
