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
use std::task::Poll;
use std::time::Instant;

use parking_lot::Mutex;

use super::channel::{Receiver, Sender, channel};
use super::counters::{LockEntry, QueueEntry, SemaphoreEntry};
use super::mark::{Seen, millis_since, now_mark};
use super::report::TaskPanic;
use super::waits::{Wait, Waits, watching};
use crate::contract::{
    LockReport, QueueReport, SemaphoreReport, TaskId, TaskKind, TaskName, TaskReport, TaskState, WaitKind,
    WaitReport,
};
use crate::limits::{
    ENDED_TASKS_KEPT, PANIC_QUEUE, PANIC_TEXT_BYTES_MAX, WAITS_PER_TASK, WATCHDOG_TASKS_PER_HOLD,
};
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
    /// Counters of polls: written by the thread that polls it, which is one at a time.
    polls: AtomicU64,
    busy_us: AtomicU64,
    longest_poll_us: AtomicU64,
    /// The mark at which the poll that is running began; 0: none is.
    poll_began: AtomicU64,
    /// The mark at which the last poll ended; 0: there was none.
    poll_ended: AtomicU64,
    wakes: AtomicU64,
    /// It was woken since its last poll began.
    woken: AtomicBool,
    waits: Mutex<Waits>,
    /// Whether there is anything in `waits`.
    has_waits: AtomicBool,
    pub(super) seen: Seen,
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
            longest_poll_us: AtomicU64::new(0),
            poll_began: AtomicU64::new(0),
            poll_ended: AtomicU64::new(0),
            wakes: AtomicU64::new(0),
            woken: AtomicBool::new(true),
            waits: Mutex::new([None; WAITS_PER_TASK]),
            has_waits: AtomicBool::new(false),
            seen: Seen::default(),
            end: OnceLock::new(),
        });
        TASKS.lock().live.insert(entry.id.0, Arc::clone(&entry));
        entry
    }

    /// The line that started it.
    pub(super) fn site(&self) -> &'static Location<'static> {
        self.label.site
    }

    /// Runs one poll of the task, and keeps what it waits for after it.
    pub(super) fn poll<T>(&self, poll: impl FnOnce() -> Poll<T>) -> Poll<T> {
        self.woken.store(false, Relaxed);
        let (polled, waits) = self.run(|| watching(poll));
        if let Some(waits) = waits {
            let (some, had_some) = (waits[0].is_some(), self.has_waits.load(Relaxed));
            if some || had_some {
                *self.waits.lock() = waits;
            }
            if some != had_some {
                self.has_waits.store(some, Relaxed);
            }
        }
        polled
    }

    /// Runs one poll of the task, or its whole closure.
    pub(super) fn run<T>(&self, poll: impl FnOnce() -> T) -> T {
        let before = CURRENT_TASK.replace(self.id.0);
        let began = now_mark();
        self.poll_began.store(began, Relaxed);
        let result = poll();
        let took = now_mark().saturating_sub(began);
        // One thread at a time polls it: no count is lost to another.
        self.polls.store(self.polls.load(Relaxed) + 1, Relaxed);
        self.busy_us.store(self.busy_us.load(Relaxed) + took, Relaxed);
        if took > self.longest_poll_us.load(Relaxed) {
            self.longest_poll_us.store(took, Relaxed);
        }
        self.poll_ended.store(began + took, Relaxed);
        self.poll_began.store(0, Relaxed);
        CURRENT_TASK.set(before);
        result
    }

    /// It is woken.
    pub(super) fn wake(&self) {
        self.wakes.fetch_add(1, Relaxed);
        self.woken.store(true, Relaxed);
    }

    /// What it waits for; nothing while it runs or after its end.
    pub(super) fn waits(&self) -> Vec<Wait> {
        let runs = self.poll_began.load(Relaxed) != 0 && self.kind == TaskKind::Task;
        if runs || self.end.get().is_some() {
            return Vec::new();
        }
        self.waits.lock().iter().flatten().copied().collect()
    }

    /// The mark since which it waits for what it said; `None` while it runs.
    pub(super) fn waits_since(&self) -> Option<u64> {
        let ended = self.poll_ended.load(Relaxed);
        (ended != 0 && !self.woken_or_polled()).then_some(ended)
    }

    /// The queue that it waits for though something is in it, and nobody has woken it; with what stays the same as long
    /// as that is so.
    pub(super) fn forgotten(&self) -> Option<(u64, Arc<QueueEntry>)> {
        if self.kind != TaskKind::Task || self.woken_or_polled() || self.end.get().is_some() {
            return None;
        }
        let polls = self.polls.load(Relaxed);
        let waits = *self.waits.lock();
        let mut received = waits.iter().flatten().filter(|wait| wait.kind == WaitKind::QueueReceive);
        let queue = received.find_map(|wait| QUEUES.get(wait.on).filter(|queue| queue.depth() > 0))?;
        Some((polls, queue))
    }

    /// Whether it is about to go on.
    fn woken_or_polled(&self) -> bool {
        self.kind == TaskKind::Task && (self.woken.load(Relaxed) || self.poll_began.load(Relaxed) != 0)
    }

    /// Waits on a thread or in a closure that may block; the runtime's tasks say so by their futures.
    pub(super) fn blocked<T>(&self, wait: Wait, block: impl FnOnce() -> T) -> T {
        self.poll_ended.store(now_mark(), Relaxed);
        self.waits.lock()[0] = Some(wait);
        let result = block();
        self.waits.lock()[0] = None;
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

    fn state(&self, waits: &[Wait]) -> TaskState {
        if let Some(end) = self.end.get() {
            return end.clone();
        }
        let polled = self.poll_began.load(Relaxed) != 0;
        match self.kind {
            TaskKind::Blocking | TaskKind::Thread if polled && waits.is_empty() => TaskState::Running,
            TaskKind::Task if polled => TaskState::Running,
            TaskKind::Task if self.woken.load(Relaxed) => TaskState::Ready,
            TaskKind::Task | TaskKind::Blocking | TaskKind::Thread => TaskState::Waiting,
        }
    }

    fn report(&self) -> TaskReport {
        let began = self.poll_began.load(Relaxed);
        let waits = self.waits();
        let state = self.state(&waits);
        let ended = self.poll_ended.load(Relaxed);
        let waited_ms = (ended != 0 && state == TaskState::Waiting).then(|| millis_since(ended));
        TaskReport {
            id: self.id,
            name: self.label.name.clone(),
            kind: self.kind,
            site: self.label.site(),
            parent: self.parent,
            age_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            polls: self.polls.load(Relaxed),
            busy_us: self.busy_us.load(Relaxed),
            longest_poll_us: self.longest_poll_us.load(Relaxed),
            wakes: self.wakes.load(Relaxed),
            torrent: self.torrent,
            peer: None,
            ready_us: 0,
            frames: Vec::new(),
            poll_ms: (began != 0).then(|| millis_since(began)),
            state,
            waits: in_order(waits.iter().map(wait_report).collect()),
            waited_ms,
        }
    }
}

/// In an order of their own: a `select!` asks its futures in a random one, and those who wait alike are to look alike.
fn in_order(mut waits: Vec<WaitReport>) -> Vec<WaitReport> {
    waits.sort_by(|one, other| (one.kind, &one.site, &one.on).cmp(&(other.kind, &other.site, &other.on)));
    waits
}

/// A wait with the name of what is waited for.
pub(super) fn wait_report(wait: &Wait) -> WaitReport {
    let name = |label: &Label| label.name.clone();
    let on = match wait.kind {
        WaitKind::Lock => LOCKS.get(wait.on).map(|lock| name(&lock.label)),
        WaitKind::QueueSend | WaitKind::QueueReceive => QUEUES.get(wait.on).map(|queue| name(&queue.label)),
        WaitKind::Semaphore => SEMAPHORES.get(wait.on).map(|semaphore| name(&semaphore.label)),
        WaitKind::Child => task_name(TaskId(wait.on)).map(|task| task.name),
        WaitKind::Reply
        | WaitKind::Watch
        | WaitKind::SocketRead
        | WaitKind::SocketWrite
        | WaitKind::Timer => wait.name.map(Cow::Borrowed),
    };
    WaitReport { kind: wait.kind, on, site: format!("{}:{}", wait.site.file(), wait.site.line()) }
}

/// Runs what blocks this thread; whoever was started here is said to wait meanwhile.
pub(super) fn while_blocked<T>(wait: Wait, block: impl FnOnce() -> T) -> T {
    let task = current_task().and_then(|task| TASKS.lock().live.get(&task.0).map(Arc::clone));
    match task.filter(|task| task.kind != TaskKind::Task) {
        Some(task) => task.blocked(wait, block),
        None => block(),
    }
}

/// All tasks and threads that run, then the last ones that ended; each in the order of their start or end.
pub fn tasks() -> Vec<TaskReport> {
    let entries: Vec<Arc<TaskEntry>> = {
        let tasks = TASKS.lock();
        tasks.live.values().chain(tasks.ended.iter()).cloned().collect()
    };
    let mut reports: Vec<TaskReport> = entries.iter().map(|entry| entry.report()).collect();
    // Whoever waits for a lock blocks its thread, and is in a poll still.
    for lock in LOCKS.alive() {
        for waiter in lock.waiters() {
            let Some(report) = reports.iter_mut().find(|report| report.id == waiter.task) else { continue };
            report.state = TaskState::Waiting;
            report.waits = vec![wait_report(&Wait::new(WaitKind::Lock, lock.id, waiter.site))];
            report.waited_ms = Some(millis_since(waiter.since));
        }
    }
    reports
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

    pub(super) fn get(&self, id: u64) -> Option<Arc<E>> {
        self.entries.lock().get(&id)?.upgrade()
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
