//! What is made to go wrong in a running engine, and how soon the engine names it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use unchoke::contract::{
    AddRequest, Answer, Command, DumpKind, DumpRows, Event, EventKind, FileChoice, LockReport, Priority,
    PriorityChange, Severity, Stuck, StuckThing,
};
use unchoke::inspect;
use unchoke::limits;
use unchoke::session::Handle;
use unchoke::units::TorrentId;

use crate::session::{add, end, engine, request};
use crate::watchdog::{dump_blocking, told};

/// How long after its bound a thing may be told.
const IN_TIME: Duration = Duration::from_secs(1);
/// Nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(30);
const LOCK: &str = "injected: lock";
const HOLDER: &str = "injected: holder of the lock";
const WAITER: &str = "injected: waiter for the lock";
/// How long the lock is held.
const HELD_FOR: Duration = Duration::from_secs(2);
/// The one event that is listened for slowly may be another one: engines of other tests share this process's watchdogs.
const ATTEMPTS: usize = 10;
/// How long the slow turn takes.
const SLOW_TURN: Duration = Duration::from_millis(200);

fn is_here(site: &str) -> bool {
    site.starts_with("tests/it/injected.rs:")
}

/// Events as a thread gets them, for when no worker of the runtime comes to anything.
fn events_by_thread(handle: &Handle) -> mpsc::Receiver<Event> {
    let mut events = handle.events();
    let (telling, told) = mpsc::channel();
    std::thread::spawn(
        move || while events.recv_blocking().is_some_and(|event| telling.send(event).is_ok()) {},
    );
    told
}

fn next<T>(told: &mpsc::Receiver<Event>, pick: impl Fn(&EventKind) -> Option<T>) -> T {
    loop {
        if let Some(picked) = pick(&told.recv_timeout(PATIENCE).unwrap().kind) {
            return picked;
        }
    }
}

/// The lock that the test holds, as a dump has it.
fn the_lock() -> LockReport {
    let DumpRows::Locks(locks) = inspect::dump(DumpKind::Locks).rows else { panic!("asked for locks") };
    locks.into_iter().find(|lock| lock.name == LOCK).unwrap()
}

#[test]
fn a_lock_held_for_2_s_is_named_with_holder_place_age_and_waiters_while_every_worker_is_blocked() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = runtime.block_on(engine(folder.path()));
    let events = events_by_thread(&handle);
    let guard = runtime.enter();
    let lock = Arc::new(inspect::Lock::new(LOCK, ()));
    let (release, released) = mpsc::channel::<()>();
    let (have, has_it) = mpsc::channel();
    let held = Arc::clone(&lock);
    let holder = inspect::spawn(HOLDER, async move {
        let _held = held.lock();
        have.send(()).unwrap();
        let _ = released.recv();
    });
    has_it.recv().unwrap();
    let began = Instant::now();
    let waiters: Vec<_> = (0..2)
        .map(|_| {
            let wanted = Arc::clone(&lock);
            inspect::spawn(WAITER, async move { drop(wanted.lock()) })
        })
        .collect();
    drop(guard);

    // Whoever looks sees it within a second.
    let seen = loop {
        let seen = the_lock();
        if seen.held_ms.is_some() && seen.waiters.len() == 2 {
            break seen;
        }
        assert!(began.elapsed() < IN_TIME, "{seen:?}");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(seen.holder, Some(holder.id()));
    assert!(seen.holder_site.as_deref().is_some_and(is_here), "{seen:?}");
    assert!(seen.waiters.iter().all(|waiter| is_here(&waiter.site)), "{seen:?}");

    // And whoever does not look is told.
    let (stuck, taken_at, named, waiting) = next(&events, |kind| match kind {
        EventKind::Stuck(stuck) => match &stuck.what {
            StuckThing::Hold { lock, taken_at, holder, waiters, .. } if lock == LOCK => {
                Some((stuck.clone(), taken_at.clone(), holder.clone(), waiters.clone()))
            }
            _ => None,
        },
        _ => None,
    });
    assert!(began.elapsed() < limits::WATCHDOG_HOLD_MAX + IN_TIME, "took {:?}", began.elapsed());
    assert!(taken_at.as_deref().is_some_and(is_here), "{stuck:?}");
    assert_eq!(named.map(|task| task.id), Some(holder.id()));
    let waiting: BTreeSet<_> = waiting.iter().map(|task| task.id).collect();
    assert_eq!(waiting, waiters.iter().map(inspect::TaskHandle::id).collect());
    assert!(u128::from(stuck.lasted_ms) >= limits::WATCHDOG_HOLD_MAX.as_millis(), "{stuck:?}");

    let (status, text, error) = dump_blocking(&folder.path().join("state"), "locks");
    assert_eq!(status, Some(0), "{error}");
    let line = text.lines().find(|line| line.contains(LOCK) && line.contains(HOLDER)).expect(&text);
    assert!(line.contains("tests/it/injected.rs:") && line.contains(WAITER), "{line}");

    std::thread::sleep(HELD_FOR.saturating_sub(began.elapsed()));
    drop(release);
    let lasted_ms = next(&events, |kind| match kind {
        EventKind::Unstuck(Stuck { what: StuckThing::Hold { lock, .. }, lasted_ms, .. }) if lock == LOCK => {
            Some(*lasted_ms)
        }
        _ => None,
    });
    assert!(u128::from(lasted_ms) >= HELD_FOR.as_millis() - 500, "{lasted_ms} ms");
    runtime.block_on(end(handle, running));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_panics_is_told_with_its_name_its_place_and_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = engine(folder.path()).await;
    let torrent = add(&handle, request(Vec::new())).await;
    let mut events = handle.events();
    let began = Instant::now();
    let doomed: inspect::TaskHandle<()> =
        inspect::spawn_for(torrent, "injected: doomed", async { panic!("invariant 7 is broken") });
    let (event, said) = told(&mut events, |kind| match kind {
        EventKind::Notice { severity: Severity::Error, message } => {
            Some(message.shown()).filter(|said| said.contains("injected: doomed"))
        }
        _ => None,
    })
    .await;
    assert!(began.elapsed() < IN_TIME, "took {:?}", began.elapsed());
    assert_eq!(event.torrent, Some(torrent));
    for part in ["tests/it/injected.rs:", "invariant 7 is broken"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(
        matches!(doomed.await, Err(inspect::TaskEnded::Panicked(text)) if text == "invariant 7 is broken")
    );
    end(handle, running).await;
}

/// A waker that takes as long as the slow turn: whoever wakes with it waits so long, in the middle of whatever it does.
struct SlowWaker(std::thread::Thread);

impl Wake for SlowWaker {
    fn wake(self: Arc<Self>) {
        std::thread::sleep(SLOW_TURN);
        self.0.unpark();
    }
}

/// Waits for one event in such a way that telling it takes the one who tells it 200 ms. `None`: it was there already.
fn slow_listener(mut events: inspect::Receiver<Event>) -> std::thread::JoinHandle<Option<EventKind>> {
    std::thread::spawn(move || {
        let waker = Waker::from(Arc::new(SlowWaker(std::thread::current())));
        let mut waited = false;
        loop {
            match events.poll_recv(&mut Context::from_waker(&waker)) {
                Poll::Ready(event) => return waited.then(|| event.unwrap().kind),
                Poll::Pending => std::thread::park(),
            }
            waited = true;
        }
    })
}

fn set(torrent: TorrentId, file: &str, level: Priority) -> Command {
    let changes = vec![PriorityChange { files: FileChoice::Glob(file.to_owned()), level }];
    Command::SetPriority { torrent, changes }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_of_200_ms_is_told_with_its_input_and_is_the_longest_on_the_report_of_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = engine(folder.path()).await;
    let off = PriorityChange { files: FileChoice::All, level: Priority::Off };
    let torrent = add(&handle, AddRequest { priorities: vec![off], ..request(Vec::new()) }).await;
    // A file stands where its folder has to be, so making a file in it fails, of which the owner is told by the disk.
    let save = folder.path().join("save");
    std::fs::create_dir_all(&save).unwrap();
    std::fs::write(save.join("bundle"), "in the way").unwrap();
    let mut events = handle.events();
    let mut began = Instant::now();
    let mut is_slowed = false;
    for _ in 0..ATTEMPTS {
        handle.request(set(torrent, "bundle/empty", Priority::Off)).await.unwrap();
        let listener = slow_listener(handle.events());
        began = Instant::now();
        handle.request(set(torrent, "bundle/empty", Priority::Normal)).await.unwrap();
        is_slowed = matches!(listener.join().unwrap(), Some(EventKind::DiskFailed { .. }));
        if is_slowed {
            break;
        }
    }
    assert!(is_slowed, "no turn that hears of the disk was slowed");
    let (event, (millis, input)) = told(&mut events, |kind| match kind {
        EventKind::SlowTurn { millis, input } if input == "disk notice" => Some((*millis, input.clone())),
        _ => None,
    })
    .await;
    assert!(began.elapsed() < SLOW_TURN + IN_TIME, "took {:?}", began.elapsed());
    assert_eq!((event.torrent, input.as_str()), (Some(torrent), "disk notice"));
    assert!(u128::from(millis) >= SLOW_TURN.as_millis(), "{millis}");

    let Answer::Dump(dump) = handle.request(Command::Dump(DumpKind::Owners)).await.unwrap() else {
        panic!("a dump was asked for")
    };
    let DumpRows::Owners(owners) = dump.rows else { panic!("of owners") };
    let owner = owners.iter().find(|owner| owner.task.torrent == Some(torrent)).unwrap();
    assert_eq!((owner.longest_turn_us / 1000, &*owner.longest_turn_input), (millis, "disk notice"));
    end(handle, running).await;
}
