//! The tables behind the reports.
//!
//! Each table has a lock of its own, held for one map operation. Entries are counted handles: the thing itself holds
//! one, so counters are touched without any lock. Nothing that runs code of a caller happens under a table's lock.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::channel::{Receiver, Sender, channel};
use super::counters::{LockEntry, QueueEntry, SemaphoreEntry};
use super::entry::TaskEntry;
use super::mark::millis_since;
use super::owner::OwnerEntry;
use super::report::TaskPanic;
use super::waits::{On, Wait};
use crate::contract::{
    LockReport, OwnerReport, QueueReport, SemaphoreReport, TaskId, TaskName, TaskReport, TaskState, WaitKind,
    WaitReport, WaitingTask,
};
use crate::limits::{ENDED_TASKS_KEPT, PANIC_QUEUE, PANIC_TEXT_BYTES_MAX, WATCHDOG_TASKS_PER_HOLD};

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

/// A number for another task.
pub(super) fn next_task() -> TaskId {
    TaskId(NEXT_ID.fetch_add(1, Relaxed))
}

/// A task begins.
pub(super) fn insert(entry: &Arc<TaskEntry>) {
    TASKS.lock().live.insert(entry.id.0, Arc::clone(entry));
}

/// A task that runs.
pub(super) fn live(id: TaskId) -> Option<Arc<TaskEntry>> {
    TASKS.lock().live.get(&id.0).map(Arc::clone)
}

/// A task has ended.
pub(super) fn ended(entry: &Arc<TaskEntry>) {
    let oldest = {
        let mut tasks = TASKS.lock();
        tasks.live.remove(&entry.id.0);
        tasks.ended.push_back(Arc::clone(entry));
        if tasks.ended.len() > ENDED_TASKS_KEPT { tasks.ended.pop_front() } else { None }
    };
    drop(oldest);
    if let Some(text) = entry.panic() {
        let TaskName { id, name, site, torrent } = entry.named();
        tell_panic(&TaskPanic { id, name, site, torrent, text: text.to_owned() });
    }
}

/// In an order of their own: a `select!` asks its futures in a random one, and those who wait alike are to look alike.
pub(super) fn wait_reports(waits: &[Wait]) -> Vec<WaitReport> {
    let mut waits: Vec<WaitReport> = waits.iter().map(wait_report).collect();
    waits.sort_by(|one, other| (one.kind, &one.site, &one.on).cmp(&(other.kind, &other.site, &other.on)));
    waits
}

/// A wait with the name of what is waited for.
pub(super) fn wait_report(wait: &Wait) -> WaitReport {
    let name = |label: &Label| label.name.clone();
    let named = match wait.on {
        On::Named(name) => Some(Cow::Borrowed(name)),
        On::Id(_) => None,
    };
    let on = match wait.kind {
        WaitKind::Lock => LOCKS.get(wait.id()).map(|lock| name(&lock.label)),
        WaitKind::QueueSend | WaitKind::QueueReceive => QUEUES.get(wait.id()).map(|queue| name(&queue.label)),
        WaitKind::Semaphore => SEMAPHORES.get(wait.id()).map(|semaphore| name(&semaphore.label)),
        WaitKind::Child => task_name(TaskId(wait.id())).map(|task| task.name),
        WaitKind::Reply
        | WaitKind::Watch
        | WaitKind::SocketRead
        | WaitKind::SocketWrite
        | WaitKind::Timer
        | WaitKind::Signal
        | WaitKind::Terminal => named,
    };
    WaitReport { kind: wait.kind, on, site: format!("{}:{}", wait.site.file(), wait.site.line()) }
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
    let mut senders = waiting_for(WaitKind::QueueSend);
    let queues = QUEUES.alive();
    queues.iter().map(|entry| entry.report(senders.remove(&entry.id).unwrap_or_default())).collect()
}

/// All semaphores, oldest first.
pub fn semaphores() -> Vec<SemaphoreReport> {
    let mut waiters = waiting_for(WaitKind::Semaphore);
    let semaphores = SEMAPHORES.alive();
    semaphores.iter().map(|entry| entry.report(waiters.remove(&entry.id).unwrap_or_default())).collect()
}

/// The tasks that wait for something of a kind, by its number; those who have waited longest first, as they are served.
fn waiting_for(kind: WaitKind) -> BTreeMap<u64, Vec<WaitingTask>> {
    let mut waiting: BTreeMap<u64, Vec<WaitingTask>> = BTreeMap::new();
    for task in tasks_where(|_| true) {
        let Some(since) = task.waits_since() else { continue };
        for wait in task.waits().iter().filter(|wait| wait.kind == kind && wait.id() != 0) {
            let site = format!("{}:{}", wait.site.file(), wait.site.line());
            let waits = WaitingTask { task: task.id, site, waited_ms: millis_since(since) };
            waiting.entry(wait.id()).or_default().push(waits);
        }
    }
    waiting.values_mut().for_each(|tasks| tasks.sort_by_key(|task| std::cmp::Reverse(task.waited_ms)));
    waiting
}

/// All owners, oldest first.
pub fn owners() -> Vec<OwnerReport> {
    OWNERS.alive().iter().map(|entry| entry.report()).collect()
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
    live(id).map(|entry| entry.named())
}

/// What stands for the name of a task that has ended, or was not started here.
pub(super) fn no_task(id: TaskId) -> TaskName {
    TaskName { id, name: "a task that has ended".into(), site: String::new(), torrent: None }
}

/// Panics of tasks and threads from now on. A subscriber that does not keep up misses some; [`tasks`] has them still.
#[track_caller]
pub fn subscribe_panics() -> Receiver<TaskPanic> {
    let (sender, receiver) = channel("panics of tasks", PANIC_QUEUE);
    PANIC_SUBSCRIBERS.lock().push(sender);
    receiver
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

fn tell_panic(panic: &TaskPanic) {
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
pub(super) static OWNERS: Table<OwnerEntry> = Table::new();
static PANIC_SUBSCRIBERS: Mutex<Vec<Sender<TaskPanic>>> = Mutex::new(Vec::new());

thread_local! {
    static CURRENT_THREAD: u64 = NEXT_ID.fetch_add(1, Relaxed);
}
