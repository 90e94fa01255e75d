//! A thread that looks at the registry for what does not go on: polls that do not end, locks that are not given back,
//! full queues that nobody serves, queues with something in them whose taker nobody woke, and tasks and threads that wait
//! for each other in a circle.
//!
//! It is a thread of the system, so it works while every worker of the runtime is held. What is watched pays little for
//! it: marks of a coarse clock, and what a task waits for, kept once a poll. Whether a lock, a queue or a task stands still
//! is seen from counters that have not moved since the last look. Whoever waits for a socket, a timer or an answer is
//! never told of, nor whoever waits for a queue that is empty; threads and closures that may block are looked at for
//! circles alone.
//!
//! A process that was stopped, or a machine that ran nothing, is not taken for a stuck program: time in which the watchdog
//! itself did not run counts for nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::counters::LockEntry;
use super::graph::Graph;
use super::mark::{Ticker, micros, now_mark, time_all};
use super::noting::is_noting;
use super::owner::OwnerEntry;
use super::registry::{self, LOCKS, OWNERS, QUEUES, no_task, task_name, tasks_where};
use super::task::{blocking, spawn_thread};
use crate::contract::{Dump, DumpKind, DumpRows, Stuck, StuckThing, TaskId, WaitKind};
use crate::limits::{
    WATCHDOG_FULL_MAX, WATCHDOG_HOLD_MAX, WATCHDOG_LATE_MAX, WATCHDOG_LOOKS_PER_BOUND, WATCHDOG_POLL_MAX,
    WATCHDOG_TOLD_MAX,
};

/// How long each thing may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// One poll of a task.
    pub poll: Duration,
    /// Having a lock.
    pub hold: Duration,
    /// A queue turning senders away while nobody takes from it.
    pub full: Duration,
    /// An owner leaving what is in its queue.
    pub late: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            poll: WATCHDOG_POLL_MAX,
            hold: WATCHDOG_HOLD_MAX,
            full: WATCHDOG_FULL_MAX,
            late: WATCHDOG_LATE_MAX,
        }
    }
}

/// What the watchdog tells, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is over its bound.
    Began(Stuck),
    /// It has gone on since.
    Ended(Stuck),
}

/// A watchdog that works until this is dropped.
#[derive(Debug)]
pub struct Watchdog {
    /// Its thread ends when this end is gone.
    _alive: Sender<()>,
}

/// Watches over every task, lock and queue of the process. `tell` runs on the watchdog's thread and must wait for nobody.
#[track_caller]
pub fn watch_over(bounds: Bounds, tell: impl FnMut(Told) + Send + 'static) -> io::Result<Watchdog> {
    let (alive, gone) = channel();
    let interval = bounds.poll.min(bounds.hold).min(bounds.full) / WATCHDOG_LOOKS_PER_BOUND;
    let (looked_at, told, ticker) = (now_mark(), BTreeMap::new(), Ticker::new());
    let mut watch = Watch { bounds, interval, runs_since: &RUNS_SINCE, tell, told, looked_at };
    spawn_thread("watchdog", move || {
        while blocking(WaitKind::Timer, || gone.recv_timeout(interval)) == Err(RecvTimeoutError::Timeout) {
            if !is_noting() {
                continue;
            }
            let now = now_mark();
            ticker.tick(now);
            watch.look(now);
        }
    })?;
    Ok(Watchdog { _alive: alive })
}

/// Everything that is stuck now. Locks and queues are among it only where a watchdog works.
pub fn stuck() -> Vec<Stuck> {
    let found = find(&Bounds::default(), RUNS_SINCE.load(Relaxed), &BTreeMap::new(), now_mark());
    found.into_values().collect()
}

/// A look at the program from within. It waits for no task and no lock of the program, so a free thread is all it needs.
pub fn dump(kind: DumpKind) -> Dump {
    time_all();
    let rows = match kind {
        DumpKind::Tasks => DumpRows::Tasks(registry::tasks()),
        DumpKind::Locks => DumpRows::Locks(registry::locks()),
        DumpKind::Queues => DumpRows::Queues(registry::queues()),
        DumpKind::Semaphores => DumpRows::Semaphores(registry::semaphores()),
        DumpKind::Owners => DumpRows::Owners(registry::owners()),
        DumpKind::Waits => DumpRows::Waits(Graph::look().blocked()),
    };
    Dump { stuck: stuck(), rows }
}

/// One thing over its bound, once: the next poll of the same task is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// A task, and which of its polls.
    Poll(TaskId, u64),
    /// A lock, and which of its takings.
    Hold(u64, u64),
    /// A queue, and how much had been taken from it.
    Full(u64, u64),
    /// A task that was not woken, and how often it had been polled.
    Forgotten(TaskId, u64),
    /// An owner.
    Late(TaskId),
    /// The first task of a circle, and the mark since which all of it waits.
    Circle(TaskId, u64),
}

/// The state of a watchdog.
struct Watch<T> {
    bounds: Bounds,
    interval: Duration,
    runs_since: &'static AtomicU64,
    tell: T,
    /// What was told and has not ended, and the mark since which it lasts.
    told: BTreeMap<Key, Stuck>,
    looked_at: u64,
}

impl<T: FnMut(Told)> Watch<T> {
    fn look(&mut self, now: u64) {
        let slept = now.saturating_sub(self.looked_at);
        if slept > micros(self.interval + self.bounds.poll) {
            self.runs_since.fetch_max(now, Relaxed);
        }
        self.looked_at = now;
        note_what_stands_still(now);
        let mut found = find(&self.bounds, self.runs_since.load(Relaxed), &self.told, now);
        let ended: Vec<Key> = self.told.keys().filter(|key| !found.contains_key(key)).copied().collect();
        for key in ended {
            if let Some(mut stuck) = self.told.remove(&key) {
                stuck.lasted_ms = unix_ms().saturating_sub(stuck.since_unix_ms);
                (self.tell)(Told::Ended(stuck));
            }
        }
        found.retain(|key, _| !self.told.contains_key(key));
        for (key, stuck) in found.into_iter().take(WATCHDOG_TOLD_MAX) {
            (self.tell)(Told::Began(stuck.clone()));
            self.told.insert(key, stuck);
        }
    }
}

fn note_what_stands_still(now: u64) {
    LOCKS.alive().iter().for_each(|lock| lock.note(now));
    QUEUES.alive().iter().for_each(|queue| queue.note(now));
    tasks_where(|_| true).iter().for_each(|task| task.note(now));
}

/// All that is over its bound, and all of `told` that lasts still: time that nobody had counts for none of them, but does
/// not end them either.
fn find(bounds: &Bounds, runs_since: u64, told: &BTreeMap<Key, Stuck>, now: u64) -> BTreeMap<Key, Stuck> {
    let (found, explained) = (BTreeMap::new(), BTreeSet::new());
    let mut search = Search { bounds, runs_since, told, now, found, explained };
    let locks = LOCKS.alive();
    search.holds(&locks);
    search.polls(&locks);
    search.jams();
    search.forgotten();
    search.late_owners();
    search.circles();
    search.found
}

/// What one look has found so far.
struct Search<'a> {
    bounds: &'a Bounds,
    runs_since: u64,
    told: &'a BTreeMap<Key, Stuck>,
    now: u64,
    found: BTreeMap<Key, Stuck>,
    /// Tasks that hold or wait for a lock which is told of: they are told of with it.
    explained: BTreeSet<TaskId>,
}

impl Search<'_> {
    fn is_over(&self, key: &Key, since: u64, bound: Duration) -> bool {
        self.told.contains_key(key) || self.now.saturating_sub(since.max(self.runs_since)) >= micros(bound)
    }

    fn is_explained(&self, key: &Key, task: TaskId) -> bool {
        self.explained.contains(&task) && !self.told.contains_key(key)
    }

    fn add(&mut self, key: Key, since: u64, what: StuckThing) {
        let lasted_ms = self.now.saturating_sub(since) / 1000;
        let since_unix_ms = unix_ms().saturating_sub(lasted_ms);
        self.found.insert(key, Stuck { what, since_unix_ms, lasted_ms });
    }

    fn holds(&mut self, locks: &[Arc<LockEntry>]) {
        for lock in locks {
            let Some((taking, since)) =
                lock.hold().and_then(|taking| Some((taking, lock.seen.since(Some(taking))?)))
            else {
                continue;
            };
            let key = Key::Hold(lock.id, taking);
            if self.is_over(&key, since, self.bounds.hold) {
                self.explained.extend(lock.waiters().iter().map(|waiter| waiter.task));
                self.explained.extend(lock.holder());
                self.add(key, since, hold(lock));
            }
        }
    }

    fn polls(&mut self, locks: &[Arc<LockEntry>]) {
        for task in tasks_where(|task| task.polled_since().is_some()) {
            // It may have come back meanwhile.
            let Some((poll, since)) = task.polled_since() else { continue };
            let key = Key::Poll(task.id, poll);
            if !self.is_over(&key, since, self.bounds.poll) || self.is_explained(&key, task.id) {
                continue;
            }
            let waits_for =
                locks.iter().find(|lock| lock.waiters().iter().any(|waiter| waiter.task == task.id));
            if let Some(lock) = waits_for {
                // No holder has it for long; one of those who wait stands for all.
                self.explained.extend(lock.waiters().iter().map(|waiter| waiter.task));
            }
            let waits_for = waits_for.map(|lock| lock.label.name.clone());
            self.add(key, since, StuckThing::Poll { task: task.named(), waits_for });
        }
    }

    fn jams(&mut self) {
        for queue in QUEUES.alive() {
            let Some((taken, since)) =
                queue.jam().and_then(|taken| Some((taken, queue.seen.since(Some(taken))?)))
            else {
                continue;
            };
            let key = Key::Full(queue.id, taken);
            if self.is_over(&key, since, self.bounds.full) {
                let (name, site) = (queue.label.name.clone(), queue.label.site());
                self.add(key, since, StuckThing::Full { queue: name, site, capacity: queue.capacity });
            }
        }
    }

    fn forgotten(&mut self) {
        for task in tasks_where(|task| task.forgotten_since().is_some()) {
            let (Some((poll, since)), Some(queue)) = (task.forgotten_since(), task.forgotten()) else {
                continue;
            };
            let key = Key::Forgotten(task.id, poll);
            if self.is_over(&key, since, self.bounds.hold) {
                let (name, site, items) = (queue.label.name.clone(), queue.label.site(), queue.depth());
                self.add(key, since, StuckThing::Forgotten { task: task.named(), queue: name, site, items });
            }
        }
    }

    fn late_owners(&mut self) {
        for owner in OWNERS.alive() {
            let Some(since) = owner.queue.oldest_since() else { continue };
            // One that is behind takes items all the while: it is late as long as the oldest is too old, whichever that is.
            let key = Key::Late(owner.task);
            let from = if self.told.contains_key(&key) { since } else { since.max(self.runs_since) };
            let is_late = self.now.saturating_sub(from) >= micros(self.bounds.late);
            if is_late && !self.is_explained(&key, owner.task) {
                self.add(key, since, late(&owner));
            }
        }
    }

    fn circles(&mut self) {
        let graph = Graph::look();
        for cycle in graph.cycles() {
            let key = Key::Circle(cycle.tasks[0], cycle.since);
            if self.is_over(&key, cycle.since, self.bounds.hold) {
                self.add(key, cycle.since, StuckThing::Deadlock { chain: graph.chain(&cycle) });
            }
        }
    }
}

fn late(owner: &OwnerEntry) -> StuckThing {
    StuckThing::Late {
        task: task_name(owner.task).unwrap_or_else(|| no_task(owner.task)),
        queue: owner.queue.label.name.clone(),
        items: owner.queue.depth(),
    }
}

fn hold(lock: &Arc<LockEntry>) -> StuckThing {
    StuckThing::Hold {
        lock: lock.label.name.clone(),
        site: lock.label.site(),
        taken_at: lock.taken_at(),
        holder: lock.holder().and_then(task_name),
        waiters: lock.waiters().into_iter().filter_map(|waiter| task_name(waiter.task)).collect(),
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The mark since which the process is known to have been running: what lasts from before counts from here.
static RUNS_SINCE: AtomicU64 = AtomicU64::new(0);

#[cfg(test)]
mod tests;
