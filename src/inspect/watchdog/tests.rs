//! What the watchdog tells, and what it never does.

mod injected;

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::super::{Lock, channel as queue, spawn, spawn_blocking, spawn_for};
use super::*;
use crate::contract::TaskName;
use crate::units::TorrentId;

const BOUND: Duration = Duration::from_millis(150);
const BOUNDS: Bounds = Bounds { poll: BOUND, hold: BOUND, full: BOUND, late: BOUND };
/// The coarse clock may be behind by so much.
const GRAIN: Duration = Duration::from_millis(10);
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

impl Told {
    fn is_hold_of(&self, wanted: &str) -> bool {
        let Self::Began(Stuck { what: StuckThing::Hold { lock, .. }, .. }) = self else { return false };
        lock == wanted
    }
}

impl Heard {
    /// As [`Heard::wait`], for what began at an instant: told within a second of its bound.
    fn wait_in_time<T>(&self, began: Instant, pick: impl FnMut(Told) -> Option<T>) -> T {
        let picked = self.wait(pick);
        assert!(began.elapsed() < BOUND + Duration::from_secs(1), "took {:?}", began.elapsed());
        picked
    }

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
        spawn_for(torrent, format!("holder of worker {number}"), async move { spawn_inner(blocking).await })
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
        assert!(task.site.starts_with("src/inspect/watchdog/tests.rs:"), "{}", task.site);
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
fn a_lock_is_named_once_with_who_holds_it_and_all_who_wait_for_it() {
    let heard = watch();
    let runtime = runtime(4);
    let guard = runtime.enter();
    let lock = Arc::new(Lock::new("watched lock", ()));
    let release = Release::new();
    let (held, block) = (Arc::clone(&lock), release.blocker());
    let keeper = spawn("keeper of the lock", async move {
        let _held = held.lock();
        block();
    });
    while lock_report("watched lock").holder.is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let waiters: Vec<_> = (1..=3)
        .map(|number| {
            let wanted = Arc::clone(&lock);
            spawn(format!("waiter {number} for the lock"), async move { drop(wanted.lock()) })
        })
        .collect();
    drop(guard);
    // All of what is told of it, from the look that finds it on: the holder and each who waits block their threads for
    // longer than they may, which is told of the lock, once.
    let mut said = Vec::new();
    heard.wait(|told| {
        let is_it = told.is_hold_of("watched lock");
        said.push(told);
        is_it.then_some(())
    });
    std::thread::sleep(BOUND * 3);
    said.extend(heard.told.try_iter());
    let ids: Vec<_> = waiters.iter().map(|waiter| waiter.id()).chain([keeper.id()]).collect();
    said.retain(|told| match told {
        Told::Began(Stuck { what: StuckThing::Poll { task, .. }, .. }) => ids.contains(&task.id),
        told => told.is_hold_of("watched lock"),
    });
    let [
        Told::Began(Stuck {
            what: StuckThing::Hold { site, taken_at, holder, waiters: waiting, .. }, ..
        }),
    ] = &said[..]
    else {
        panic!("{said:?}")
    };
    let taken_at = taken_at.as_deref().expect("it is held");
    assert!(taken_at.starts_with("src/inspect/watchdog/tests.rs:") && taken_at != site, "{taken_at}");
    assert_eq!(holder.as_ref().expect("a task of ours").name, "keeper of the lock");
    let names: BTreeSet<_> = waiting.iter().map(|task| task.name.to_string()).collect();
    assert_eq!(names, (1..=3).map(|number| format!("waiter {number} for the lock")).collect());
    assert!(site.starts_with("src/inspect/watchdog/tests.rs:"), "{site}");
    let report = lock_report("watched lock");
    assert!(report.held_ms.is_some() && report.waiters.len() == 3, "{report:?}");
    drop(release);
    waiters.into_iter().for_each(|waiter| runtime.block_on(waiter).unwrap());
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
fn a_task_that_nobody_woke_though_its_queue_has_something_is_named() {
    let heard = watch();
    let runtime = runtime(1);
    let guard = runtime.enter();
    let (sender, mut receiver) = queue("queue of the forgotten", 4);
    let task = spawn("forgotten", async move {
        // A waker that wakes nobody is left in the queue: a lost wake-up.
        std::future::poll_fn(|_| {
            let mut deaf = std::task::Context::from_waker(std::task::Waker::noop());
            receiver.poll_recv(&mut deaf).map(|value: Option<i32>| value)
        })
        .await
    });
    drop(guard);
    std::thread::sleep(BOUND / 4);
    let began = Instant::now();
    sender.try_send(5).unwrap();
    let is_it = |stuck: &Stuck| {
        matches!(&stuck.what, StuckThing::Forgotten { task, queue, items: 1, .. }
            if task.name == "forgotten" && queue == "queue of the forgotten")
    };
    heard.wait_in_time(began, |told| match told {
        Told::Began(stuck) => is_it(&stuck).then_some(()),
        Told::Ended(_) => None,
    });
    task.abort();
    heard.wait(|told| match told {
        Told::Ended(stuck) => is_it(&stuck).then_some(()),
        Told::Began(_) => None,
    });
}

#[test]
fn tasks_that_wait_for_each_other_are_told_with_the_whole_chain() {
    let heard = watch();
    let runtime = runtime(1);
    let guard = runtime.enter();
    let (to_one, of_one) = queue("circle: to one", 1);
    let (to_other, of_other) = queue("circle: to the other", 1);
    to_one.try_send(()).unwrap();
    to_other.try_send(()).unwrap();
    // Each takes one, so that it is known who does, and then sends more than fits to one who takes no more.
    let start = |name, to: super::super::Sender<()>, mut from: super::super::Receiver<()>| {
        spawn(name, async move {
            assert!(from.recv().await.is_some());
            while to.send(()).await.is_ok() {}
            from.recv().await
        })
    };
    let tasks = [start("circle: one", to_other, of_one), start("circle: other", to_one, of_other)];
    drop(guard);
    let chain = heard.wait(|told| match told {
        Told::Began(Stuck { what: StuckThing::Deadlock { chain }, .. })
            if chain[0].task.name.starts_with("circle: ") =>
        {
            Some(chain)
        }
        Told::Began(_) | Told::Ended(_) => None,
    });
    let names: Vec<_> = chain.iter().map(|step| (&*step.task.name, step.wait.on.as_deref())).collect();
    let due = [("circle: one", Some("circle: to the other")), ("circle: other", Some("circle: to one"))];
    assert_eq!(names, due);
    tasks.iter().for_each(|task| task.abort());
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
    watch.look(now_mark());
    assert_eq!(count.load(Relaxed), 0, "it may have begun just before");
    watch.interval = Duration::from_secs(3600);
    std::thread::sleep(BOUND + GRAIN);
    watch.look(now_mark());
    assert_eq!(count.load(Relaxed), 1, "but it has not come back since");
    watch.interval = Duration::ZERO;
    std::thread::sleep(BOUND * 2);
    watch.look(now_mark());
    assert_eq!(count.load(Relaxed), 1, "nor does a second stop make it end");
    drop(release);
}
