//! What is known of one task: counters that whoever polls it keeps, and what it waits for.
//!
//! A poll costs a few relaxed loads and stores, and no look at a clock but the one in some that is timed. How long a poll
//! has been going on, and since when a task waits, is known from the looks of the watchdog.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::counters::QueueEntry;
use super::mark::{Seen, millis_since, now_mark, now_nanos, sample_of, tick};
use super::registry::{self, Label, QUEUES, wait_reports};
use super::waits::{Outer, Wait, Waits, current_task, enter, leave, said, stands_for};
use crate::contract::{TaskId, TaskKind, TaskName, TaskReport, TaskState, WaitKind};
use crate::limits::WAITS_PER_TASK;
use crate::units::TorrentId;

/// For whom a task works.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject {
    pub(super) torrent: Option<TorrentId>,
    pub(super) peer: Option<SocketAddr>,
}

impl From<TorrentId> for Subject {
    fn from(torrent: TorrentId) -> Self {
        Self { torrent: Some(torrent), peer: None }
    }
}

impl From<SocketAddr> for Subject {
    /// Of the torrent that the task works for which starts it.
    fn from(peer: SocketAddr) -> Self {
        Self { torrent: None, peer: Some(peer) }
    }
}

/// A poll that runs.
#[derive(Debug)]
pub(super) struct Polling {
    outer: Outer,
    /// How many polls the timing of this one stands for; 0: it is not timed.
    stands_for: u64,
    began: u64,
}

/// Counters of a task.
#[derive(Debug)]
pub(super) struct TaskEntry {
    pub(super) id: TaskId,
    label: Label,
    pub(super) kind: TaskKind,
    parent: Option<TaskId>,
    pub(super) torrent: Option<TorrentId>,
    /// Few tasks have one.
    peer: Option<Box<SocketAddr>>,
    /// The mark at which it was started.
    started: u64,
    /// Twice the number of polls that have ended, and one more while one runs. Written by the thread that polls it, which
    /// is one at a time, as what follows is.
    phase: AtomicU64,
    /// Nanoseconds.
    busy: AtomicU64,
    ready: AtomicU64,
    longest_poll: AtomicU64,
    /// The tick at which the last poll ended; 0: there was none.
    poll_ended: AtomicU64,
    /// Near enough: of two threads that wake it at the same moment one may be lost. No wake costs an exclusive access for
    /// this.
    wakes: AtomicU64,
    /// Woken since its last poll began, or never polled.
    woken: AtomicBool,
    /// When it was woken, where its next poll is timed; 0: it was not, or is not.
    woken_at: AtomicU64,
    waits: Mutex<Waits>,
    /// Stands for what is in `waits`.
    waits_stand_for: AtomicU64,
    /// A poll that goes on, or a wake-up that was lost, as the watchdog saw it.
    seen: Seen,
    end: OnceLock<Box<TaskState>>,
}

impl TaskEntry {
    /// Registers a task; [`TaskEntry::end`] takes it out again. It works for the torrent that it is said to, else for
    /// that of the task which starts it; a thread for none.
    pub(super) fn register(
        name: Cow<'static, str>,
        site: &'static Location<'static>,
        kind: TaskKind,
        subject: Subject,
    ) -> Arc<Self> {
        let parent = current_task();
        // A thread outlives the task that happened to start it, and serves everybody.
        let of_parent = || match kind {
            TaskKind::Thread => None,
            _ => registry::live(parent?)?.torrent,
        };
        let torrent = subject.torrent.or_else(of_parent);
        let entry = Arc::new(Self {
            id: registry::next_task(),
            label: Label { name, site },
            kind,
            parent,
            torrent,
            peer: subject.peer.map(Box::new),
            started: now_mark(),
            phase: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            ready: AtomicU64::new(0),
            longest_poll: AtomicU64::new(0),
            poll_ended: AtomicU64::new(0),
            wakes: AtomicU64::new(0),
            woken: AtomicBool::new(true),
            woken_at: AtomicU64::new(0),
            waits: Mutex::new([None; WAITS_PER_TASK]),
            waits_stand_for: AtomicU64::new(0),
            seen: Seen::default(),
            end: OnceLock::new(),
        });
        registry::insert(&entry);
        entry
    }

    /// The line that started it.
    pub(super) fn site(&self) -> &'static Location<'static> {
        self.label.site
    }

    /// A poll begins; [`TaskEntry::end_poll`] must follow.
    #[inline]
    pub(super) fn begin_poll(&self) -> Polling {
        self.woken.store(false, Relaxed);
        let phase = self.phase.load(Relaxed);
        self.phase.store(phase + 1, Relaxed);
        let stands_for = sample_of(phase / 2);
        let began = if stands_for != 0 {
            now_nanos()
        } else {
            // A wake-up that was to be timed is of a poll that is not any more.
            if self.woken_at.load(Relaxed) != 0 {
                self.woken_at.store(0, Relaxed);
            }
            0
        };
        Polling { outer: enter(self.id.0), stands_for, began }
    }

    /// The poll ends; what was said in it is what the task waits for, if it does.
    #[inline]
    pub(super) fn end_poll(&self, polling: Polling, waits: bool) {
        let before = self.waits_stand_for.load(Relaxed);
        let now = if waits { stands_for() } else { 0 };
        if now != before {
            *self.waits.lock() = if waits { said() } else { [None; WAITS_PER_TASK] };
            self.waits_stand_for.store(now, Relaxed);
        }
        leave(polling.outer);
        if polling.stands_for != 0 {
            self.time(polling.stands_for, polling.began);
        }
        self.poll_ended.store(tick(), Relaxed);
        self.phase.store(self.phase.load(Relaxed) + 1, Relaxed);
    }

    /// Runs a whole closure, which must not panic.
    pub(super) fn run<T>(&self, closure: impl FnOnce() -> T) -> T {
        let polling = self.begin_poll();
        let result = closure();
        self.end_poll(polling, false);
        result
    }

    #[cold]
    fn time(&self, stands_for: u64, began: u64) {
        let took = now_nanos().saturating_sub(began);
        add(&self.busy, took * stands_for);
        if took > self.longest_poll.load(Relaxed) {
            self.longest_poll.store(took, Relaxed);
        }
        match self.woken_at.swap(0, Relaxed) {
            // It was woken in the middle of this poll.
            woken if woken == 0 || woken >= began => {}
            woken => add(&self.ready, (began - woken) * stands_for),
        }
    }

    /// It is woken.
    pub(super) fn wake(&self) {
        self.woken.store(true, Relaxed);
        self.wakes.store(self.wakes.load(Relaxed) + 1, Relaxed);
        if sample_of(self.phase.load(Relaxed).div_ceil(2)) != 0 && self.woken_at.load(Relaxed) == 0 {
            self.woken_at.store(now_nanos(), Relaxed);
        }
    }

    /// What it waits for; nothing while it runs or after its end.
    pub(super) fn waits(&self) -> Vec<Wait> {
        let runs = self.is_polled() && self.kind == TaskKind::Task;
        if runs || self.end.get().is_some() {
            return Vec::new();
        }
        self.waits.lock().iter().flatten().copied().collect()
    }

    /// The mark since which it waits for what it said; `None` while it runs.
    pub(super) fn waits_since(&self) -> Option<u64> {
        let ended = self.poll_ended.load(Relaxed);
        (ended != 0 && !self.is_about_to_go_on()).then_some(ended)
    }

    /// The queue that it waits for though something is in it, and nobody has woken it.
    pub(super) fn forgotten(&self) -> Option<Arc<QueueEntry>> {
        if self.kind != TaskKind::Task || self.is_about_to_go_on() || self.end.get().is_some() {
            return None;
        }
        let waits = *self.waits.lock();
        let mut received = waits.iter().flatten().filter(|wait| wait.kind == WaitKind::QueueReceive);
        received.find_map(|wait| QUEUES.get(wait.id()).filter(|queue| queue.depth() > 0))
    }

    /// Notes what the watchdog sees of it at `now`: a poll that runs, or a wake-up that was lost.
    pub(super) fn note(&self, now: u64) {
        let phase = self.phase.load(Relaxed);
        let stands = self.kind == TaskKind::Task && (phase % 2 == 1 || self.forgotten().is_some());
        self.seen.note(stands.then_some(phase), now);
    }

    /// The poll that runs, and the mark since which the watchdog has seen it, where a task should be back from it soon.
    pub(super) fn polled_since(&self) -> Option<(u64, u64)> {
        let phase = self.phase.load(Relaxed);
        let runs = phase % 2 == 1 && self.kind == TaskKind::Task;
        if runs { Some((phase, self.seen.since(Some(phase))?)) } else { None }
    }

    /// The poll since which it has been forgotten, and the mark since which the watchdog has seen so.
    pub(super) fn forgotten_since(&self) -> Option<(u64, u64)> {
        let phase = self.phase.load(Relaxed);
        if phase.is_multiple_of(2) { Some((phase, self.seen.since(Some(phase))?)) } else { None }
    }

    fn is_polled(&self) -> bool {
        self.phase.load(Relaxed) % 2 == 1
    }

    /// It was woken since its last poll began, or was never polled.
    fn is_woken(&self) -> bool {
        self.woken.load(Relaxed)
    }

    fn is_about_to_go_on(&self) -> bool {
        self.kind == TaskKind::Task && (self.is_woken() || self.is_polled())
    }

    /// Waits on a thread or in a closure that may block; the runtime's tasks say so by their futures.
    pub(super) fn blocked<T>(&self, wait: Wait, block: impl FnOnce() -> T) -> T {
        self.poll_ended.store(tick(), Relaxed);
        self.waits.lock()[0] = Some(wait);
        let result = block();
        self.waits.lock()[0] = None;
        result
    }

    /// Records how it ended; the first call counts.
    pub(super) fn end(self: &Arc<Self>, end: TaskState) {
        if self.end.get().is_none() && self.end.set(Box::new(end)).is_ok() {
            registry::ended(self);
        }
    }

    /// The text of its panic, if it ended by one.
    pub(super) fn panic(&self) -> Option<&str> {
        match self.end.get()?.as_ref() {
            TaskState::Panicked(text) => Some(text),
            _ => None,
        }
    }

    /// How reports about something else name it.
    pub(super) fn named(&self) -> TaskName {
        let Self { id, label, torrent, .. } = self;
        TaskName { id: *id, name: label.name.clone(), site: label.site(), torrent: *torrent }
    }

    fn state(&self, waits: &[Wait]) -> TaskState {
        if let Some(end) = self.end.get() {
            return end.as_ref().clone();
        }
        match self.kind {
            TaskKind::Blocking | TaskKind::Thread if self.is_polled() && waits.is_empty() => {
                TaskState::Running
            }
            TaskKind::Task if self.is_polled() => TaskState::Running,
            TaskKind::Task if self.is_woken() => TaskState::Ready,
            TaskKind::Task | TaskKind::Blocking | TaskKind::Thread => TaskState::Waiting,
        }
    }

    pub(super) fn report(&self) -> TaskReport {
        let waits = self.waits();
        let state = self.state(&waits);
        let ended = self.poll_ended.load(Relaxed);
        let waited_ms = (ended != 0 && state == TaskState::Waiting).then(|| millis_since(ended));
        let deepest = waits.iter().filter_map(|wait| wait.frame).max_by_key(|frame| frame.depth());
        let micros = |nanos: &AtomicU64| nanos.load(Relaxed) / 1000;
        TaskReport {
            id: self.id,
            name: self.label.name.clone(),
            kind: self.kind,
            site: self.label.site(),
            parent: self.parent,
            age_ms: millis_since(self.started),
            polls: self.phase.load(Relaxed) / 2,
            busy_us: micros(&self.busy),
            ready_us: micros(&self.ready),
            longest_poll_us: micros(&self.longest_poll),
            wakes: self.wakes.load(Relaxed),
            torrent: self.torrent,
            peer: self.peer.as_deref().copied(),
            poll_ms: self.polled_since().map(|(_, since)| millis_since(since)),
            state,
            waits: wait_reports(&waits),
            waited_ms,
            frames: deepest.map_or_else(Vec::new, |frame| frame.reports()),
        }
    }
}

/// One thread at a time counts: nothing is lost to another.
fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Relaxed).saturating_add(more), Relaxed);
}
