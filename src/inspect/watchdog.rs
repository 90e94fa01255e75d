//! A thread that looks at the registry for what does not go on: polls that do not end, locks that are not given back,
//! full queues that nobody serves.
//!
//! It is a thread of the system, so it works while every worker of the runtime is held. What is watched pays nothing for
//! it: a task's mark is a store beside a clock reading that is there anyway, and whether a lock or a queue stands still is
//! seen from counters that have not moved since the last look. Whoever waits for a socket, a timer or a message is in no
//! poll and is never told of; threads and closures that may block are not looked at.
//!
//! A process that was stopped, or a machine that ran nothing, is not taken for a stuck program: time in which the watchdog
//! itself did not run counts for nobody.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::counters::LockEntry;
use super::mark::{mark, micros};
use super::registry::{self, LOCKS, QUEUES, task_name, tasks_where};
use super::task::spawn_thread;
use crate::contract::{Dump, DumpKind, DumpRows, Stuck, StuckThing, TaskId};
use crate::limits::{
    WATCHDOG_FULL_MAX, WATCHDOG_HOLD_MAX, WATCHDOG_LOOKS_PER_BOUND, WATCHDOG_POLL_MAX, WATCHDOG_TOLD_MAX,
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
}

impl Default for Bounds {
    fn default() -> Self {
        Self { poll: WATCHDOG_POLL_MAX, hold: WATCHDOG_HOLD_MAX, full: WATCHDOG_FULL_MAX }
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
    let (looked_at, told) = (mark(Instant::now()), BTreeMap::new());
    let mut watch = Watch { bounds, interval, runs_since: &RUNS_SINCE, tell, told, looked_at };
    spawn_thread("watchdog", move || {
        while gone.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
            watch.look(mark(Instant::now()));
        }
    })?;
    Ok(Watchdog { _alive: alive })
}

/// Everything that is stuck now. Locks and queues are among it only where a watchdog works.
pub fn stuck() -> Vec<Stuck> {
    let found = find(&Bounds::default(), RUNS_SINCE.load(Relaxed), &BTreeMap::new(), mark(Instant::now()));
    found.into_values().collect()
}

/// A look at the program from within. It waits for no task and no lock of the program, so a free thread is all it needs.
pub fn dump(kind: DumpKind) -> Dump {
    let rows = match kind {
        DumpKind::Tasks => DumpRows::Tasks(registry::tasks()),
        DumpKind::Locks => DumpRows::Locks(registry::locks()),
        DumpKind::Queues => DumpRows::Queues(registry::queues()),
    };
    Dump { stuck: stuck(), rows }
}

/// One thing over its bound, once: the next poll of the same task is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// A task and the mark its poll began at.
    Poll(TaskId, u64),
    /// A lock, and which of its takings.
    Hold(u64, u64),
    /// A queue, and how much had been taken from it.
    Full(u64, u64),
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
    for lock in LOCKS.alive() {
        lock.seen.note(lock.hold(), now);
    }
    for queue in QUEUES.alive() {
        queue.seen.note(queue.jam(), now);
    }
}

/// All that is over its bound, and all of `told` that lasts still: time that nobody had counts for none of them, but does
/// not end them either.
fn find(bounds: &Bounds, runs_since: u64, told: &BTreeMap<Key, Stuck>, now: u64) -> BTreeMap<Key, Stuck> {
    let is_over = |key: &Key, since: u64, bound: Duration| {
        told.contains_key(key) || now.saturating_sub(since.max(runs_since)) >= micros(bound)
    };
    let locks = LOCKS.alive();
    let mut found = BTreeMap::new();
    let mut add = |key, since: u64, what| {
        let lasted_ms = now.saturating_sub(since) / 1000;
        found.insert(key, Stuck { what, since_unix_ms: unix_ms().saturating_sub(lasted_ms), lasted_ms });
    };
    let held_up = tasks_where(|task| {
        task.polled_since().is_some_and(|since| is_over(&Key::Poll(task.id, since), since, bounds.poll))
    });
    for task in held_up {
        // It may have come back meanwhile.
        let Some(since) = task.polled_since() else { continue };
        let key = Key::Poll(task.id, since);
        if is_over(&key, since, bounds.poll) {
            let waits_for = locks.iter().find(|lock| lock.waiters().contains(&task.id));
            let waits_for = waits_for.map(|lock| lock.label.name.clone());
            add(key, since, StuckThing::Poll { task: task.named(), waits_for });
        }
    }
    for lock in &locks {
        let Some((taking, since)) =
            lock.hold().and_then(|taking| Some((taking, lock.seen.since(Some(taking))?)))
        else {
            continue;
        };
        let key = Key::Hold(lock.id, taking);
        if is_over(&key, since, bounds.hold) {
            add(key, since, hold(lock));
        }
    }
    for queue in QUEUES.alive() {
        let Some((taken, since)) =
            queue.jam().and_then(|taken| Some((taken, queue.seen.since(Some(taken))?)))
        else {
            continue;
        };
        let key = Key::Full(queue.id, taken);
        if is_over(&key, since, bounds.full) {
            let (name, site) = (queue.label.name.clone(), queue.label.site());
            add(key, since, StuckThing::Full { queue: name, site, capacity: queue.capacity });
        }
    }
    found
}

fn hold(lock: &Arc<LockEntry>) -> StuckThing {
    StuckThing::Hold {
        lock: lock.label.name.clone(),
        site: lock.label.site(),
        holder: lock.holder().and_then(task_name),
        waiters: lock.waiters().into_iter().filter_map(task_name).collect(),
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The mark since which the process is known to have been running: what lasts from before counts from here.
static RUNS_SINCE: AtomicU64 = AtomicU64::new(0);

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::super::{Lock, channel as queue, spawn, spawn_blocking, spawn_for};
    use super::*;
    use crate::contract::TaskName;
    use crate::units::TorrentId;

    const BOUND: Duration = Duration::from_millis(150);
    const BOUNDS: Bounds = Bounds { poll: BOUND, hold: BOUND, full: BOUND };
    const PATIENCE: Duration = Duration::from_secs(10);

    /// What a watchdog with short bounds tells.
    struct Heard {
        _watchdog: Watchdog,
        told: std::sync::mpsc::Receiver<Told>,
    }

    fn watch() -> Heard {
        let (telling, told) = channel();
        let watchdog = watch_over(BOUNDS, move |it| drop(telling.send(it))).unwrap();
        Heard { _watchdog: watchdog, told }
    }

    impl Heard {
        /// The next thing that `pick` knows; other tests of this process are told of too.
        fn wait<T>(&self, mut pick: impl FnMut(Told) -> Option<T>) -> T {
            let until = Instant::now() + PATIENCE;
            loop {
                let left = until.saturating_duration_since(Instant::now());
                let told = self.told.recv_timeout(left).expect("told in time");
                if let Some(picked) = pick(told) {
                    return picked;
                }
            }
        }

        /// Everything told so far that mentions `name`.
        fn mentions(&self, name: &str) -> Vec<Told> {
            self.told.try_iter().filter(|told| format!("{told:?}").contains(name)).collect()
        }
    }

    fn poll_of(told: Told, wanted: &str) -> Option<(TaskName, Stuck)> {
        let Told::Began(stuck) = told else { return None };
        match &stuck.what {
            StuckThing::Poll { task, .. } if task.name == wanted => Some((task.clone(), stuck)),
            _ => None,
        }
    }

    fn runtime(workers: usize) -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap()
    }

    /// Lets go of what it blocks when it is dropped, so that a test which fails ends too.
    struct Release(Arc<AtomicBool>);

    impl Release {
        fn new() -> Self {
            Self(Arc::new(AtomicBool::new(false)))
        }

        /// Holds a worker until it is let go.
        fn blocker(&self) -> impl FnOnce() + Send + 'static {
            let released = Arc::clone(&self.0);
            move || {
                while !released.load(Relaxed) {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }

    impl Drop for Release {
        fn drop(&mut self) {
            self.0.store(true, Relaxed);
        }
    }

    #[test]
    fn tasks_that_hold_every_worker_are_named_with_torrent_place_and_since_when() {
        let heard = watch();
        let runtime = runtime(2);
        let release = Release::new();
        let torrent = TorrentId([9; 20]);
        let began = Instant::now();
        let guard = runtime.enter();
        for number in 1..=2 {
            let block = release.blocker();
            let blocking = async move { block() };
            spawn_for(
                torrent,
                format!("holder of worker {number}"),
                async move { spawn_inner(blocking).await },
            )
            .detach();
        }
        drop(guard);
        let mut named = Vec::new();
        while named.len() < 2 {
            named.push(heard.wait(|told| {
                poll_of(told.clone(), "inner holder").filter(|(task, _)| task.torrent == Some(torrent))
            }));
        }
        assert!(began.elapsed() < BOUND + Duration::from_secs(1), "took {:?}", began.elapsed());
        for (task, stuck) in &named {
            assert!(task.site.starts_with("src/inspect/watchdog.rs:"), "{}", task.site);
            assert!(u128::from(stuck.lasted_ms) >= BOUND.as_millis(), "{stuck:?}");
            assert!(unix_ms() - stuck.since_unix_ms < 10_000, "{stuck:?}");
        }
        drop(release);
        for _ in 0..2 {
            let ended = heard.wait(|told| match told {
                Told::Ended(stuck) if format!("{stuck:?}").contains("inner holder") => Some(stuck),
                Told::Ended(_) | Told::Began(_) => None,
            });
            assert!(ended.lasted_ms >= named[0].1.lasted_ms);
        }
    }

    /// A child, to see that it works for the torrent of its parent.
    fn spawn_inner(
        blocking: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = Result<(), super::super::TaskEnded>> {
        spawn("inner holder", blocking)
    }

    #[test]
    fn a_lock_is_named_with_who_holds_it_and_who_waits_for_it() {
        let heard = watch();
        let runtime = runtime(2);
        let guard = runtime.enter();
        let lock = Arc::new(Lock::new("watched lock", ()));
        let release = Release::new();
        let (held, block) = (Arc::clone(&lock), release.blocker());
        spawn("keeper of the lock", async move {
            let _held = held.lock();
            block();
        })
        .detach();
        while lock_report("watched lock").holder.is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let wanted = Arc::clone(&lock);
        let waiter = spawn("waiter for the lock", async move { drop(wanted.lock()) });
        drop(guard);
        let (mut hold, mut waits) = (None, None);
        while hold.is_none() || waits.is_none() {
            match heard.wait(Some) {
                Told::Began(Stuck { what: StuckThing::Hold { lock, site, holder, waiters }, .. })
                    if lock == "watched lock" =>
                {
                    hold = Some((holder, waiters, site));
                }
                Told::Began(Stuck { what: StuckThing::Poll { task, waits_for }, .. })
                    if task.id == waiter.id() =>
                {
                    waits = waits_for;
                }
                Told::Began(_) | Told::Ended(_) => {}
            }
        }
        let (holder, waiters, site) = hold.expect("told");
        assert_eq!(holder.expect("a task of ours").name, "keeper of the lock");
        assert_eq!(waiters.iter().map(|task| &*task.name).collect::<Vec<_>>(), ["waiter for the lock"]);
        assert!(site.starts_with("src/inspect/watchdog.rs:"), "{site}");
        assert_eq!(waits.as_deref(), Some("watched lock"));
        let report = lock_report("watched lock");
        assert!(report.held_ms.is_some() && report.waiters == [waiter.id()], "{report:?}");
        drop(release);
        runtime.block_on(waiter).unwrap();
        assert!(lock_report("watched lock").waiters.is_empty());
    }

    fn lock_report(name: &str) -> crate::contract::LockReport {
        registry::locks().into_iter().find(|lock| lock.name == name).expect("registered")
    }

    #[test]
    fn what_waits_and_what_may_block_is_never_told_of() {
        let heard = watch();
        let runtime = runtime(2);
        let guard = runtime.enter();
        let (full, receiver) = queue::<()>("quiet: nobody was refused", 1);
        full.try_send(()).unwrap();
        let (gone, dropped) = queue::<()>("quiet: its receiver is gone", 1);
        gone.try_send(()).unwrap();
        assert!(gone.try_send(()).is_err());
        drop(dropped);
        spawn("quiet: idle", std::future::pending::<()>()).detach();
        spawn("quiet: sleeps", tokio::time::sleep(BOUND * 20)).detach();
        let worker = spawn("quiet: works on and on", async {
            for _ in 0..u32::MAX {
                std::thread::sleep(Duration::from_millis(1));
                tokio::task::yield_now().await;
            }
        });
        let release = Release::new();
        let blocking = spawn_blocking("quiet: a closure that blocks", release.blocker());
        let lock = Lock::new("quiet: taken over and over", ());
        let until = Instant::now() + BOUND * 6;
        while Instant::now() < until {
            let _held = lock.lock();
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(heard.mentions("quiet: "), []);
        drop(release);
        worker.abort();
        drop(guard);
        runtime.block_on(blocking).unwrap();
        drop(receiver);
    }

    #[test]
    fn a_full_queue_that_nobody_serves_is_told_until_it_is() {
        let heard = watch();
        let (sender, mut receiver) = queue("jammed queue", 1);
        sender.try_send(1).unwrap();
        assert!(sender.try_send(2).is_err());
        let is_it = |stuck: &Stuck| matches!(&stuck.what, StuckThing::Full { queue, capacity: 1, .. } if queue == "jammed queue");
        heard.wait(|told| match told {
            Told::Began(stuck) => is_it(&stuck).then_some(()),
            Told::Ended(_) => None,
        });
        assert_eq!(receiver.try_recv(), Ok(1));
        heard.wait(|told| match told {
            Told::Ended(stuck) => is_it(&stuck).then_some(()),
            Told::Began(_) => None,
        });
    }

    #[test]
    fn time_in_which_the_watchdog_did_not_run_counts_for_nobody() {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let runtime = runtime(1);
        let release = Release::new();
        let block = release.blocker();
        let guard = runtime.enter();
        spawn("held while the process was stopped", async move { block() }).detach();
        drop(guard);
        std::thread::sleep(BOUND * 2);
        let count = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&count);
        let tell = move |told: Told| {
            let is_it = format!("{told:?}").contains("held while the process was stopped");
            counter.fetch_add(u64::from(is_it), Relaxed);
        };
        let interval = Duration::ZERO;
        let mut watch =
            Watch { bounds: BOUNDS, interval, runs_since: &RUNS, tell, told: BTreeMap::new(), looked_at: 0 };
        watch.look(mark(Instant::now()));
        assert_eq!(count.load(Relaxed), 0, "it may have begun just before");
        watch.interval = Duration::from_secs(3600);
        std::thread::sleep(BOUND);
        watch.look(mark(Instant::now()));
        assert_eq!(count.load(Relaxed), 1, "but it has not come back since");
        watch.interval = Duration::ZERO;
        std::thread::sleep(BOUND * 2);
        watch.look(mark(Instant::now()));
        assert_eq!(count.load(Relaxed), 1, "nor does a second stop make it end");
        drop(release);
    }
}
