//! What is made to go wrong on purpose, and who is named for it: circles, slow turns, owners that are late, readers that
//! die.

use super::*;
use crate::contract::{OwnerReport, QueueKind, WaitKind};
use crate::inspect::{Owner, Receiver, SendError, Sender, TrySendError, owners, queues, spawn_thread};

/// The turn of an owner that a person would feel.
const SLOW_TURN: Duration = Duration::from_millis(200);

fn names_of(told: &Told, name: &str) -> bool {
    format!("{told:?}").contains(name)
}

#[test]
fn a_lock_and_a_queue_that_wait_for_each_other_are_told_with_both_places() {
    let heard = watch();
    let runtime = runtime(2);
    let lock = Arc::new(Lock::new("crossed: lock", ()));
    let (to_task, mut of_task) = queue("crossed: queue", 1);
    let (have, has_it) = channel();
    let held = Arc::clone(&lock);
    // They wait for each other until the process ends.
    spawn_thread("crossed: has the lock and sends", move || {
        let _held = held.lock();
        have.send(()).unwrap();
        while to_task.send_blocking(()).is_ok() {}
    })
    .unwrap();
    has_it.recv().unwrap();
    let began = Instant::now();
    let guard = runtime.enter();
    let task = spawn("crossed: takes and wants the lock", async move {
        of_task.recv().await;
        drop(lock.lock());
        of_task.recv().await
    });
    drop(guard);
    let chain = heard.wait_in_time(began, |told| match told {
        Told::Began(Stuck { what: StuckThing::Deadlock { chain }, .. })
            if chain.iter().any(|step| step.task.id == task.id()) =>
        {
            Some(chain)
        }
        Told::Began(_) | Told::Ended(_) => None,
    });
    let mut steps: Vec<_> =
        chain.iter().map(|step| (&*step.task.name, step.wait.kind, step.wait.on.as_deref())).collect();
    steps.sort_unstable();
    assert_eq!(
        steps,
        [
            ("crossed: has the lock and sends", WaitKind::QueueSend, Some("crossed: queue")),
            ("crossed: takes and wants the lock", WaitKind::Lock, Some("crossed: lock")),
        ]
    );
    let is_here = |site: &str| site.starts_with("src/inspect/watchdog/tests/injected.rs:");
    assert!(chain.iter().all(|step| is_here(&step.wait.site) && is_here(&step.task.site)), "{chain:?}");
    assert!(chain.iter().all(|step| step.behind.is_some()), "{chain:?}");
    runtime.shutdown_background();
}

/// An owner that takes one thing a turn, and takes as long for it as it is told.
fn owner_of(name: &'static str, mut inbox: Receiver<Duration>) -> crate::inspect::TaskHandle<()> {
    spawn(name, async move {
        let owner = Owner::of(&inbox);
        while let Some(takes) = inbox.recv().await {
            owner.turn_of("patience", tokio::time::sleep(takes)).await;
        }
    })
}

fn report_of(name: &str) -> OwnerReport {
    owners().into_iter().find(|owner| owner.task.name == name).expect("registered")
}

#[test]
fn a_turn_of_200_ms_is_on_the_report_with_what_it_did_and_who_waits_behind_it_is_told() {
    let heard = watch();
    let runtime = runtime(1);
    let guard = runtime.enter();
    let (sender, inbox) = queue("slow turn: queue", 4);
    let task = owner_of("slow turn: owner", inbox);
    drop(guard);
    let began = Instant::now();
    sender.try_send(SLOW_TURN).unwrap();
    while !owners().iter().any(|owner| owner.task.name == "slow turn: owner" && owner.turns == 1) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let report = report_of("slow turn: owner");
    assert_eq!((&*report.longest_turn_input, report.turn_ms), ("patience", None));
    let longest = Duration::from_micros(report.longest_turn_us);
    assert!((SLOW_TURN..began.elapsed()).contains(&longest), "{longest:?}");

    let began = Instant::now();
    sender.try_send(Duration::from_secs(1)).unwrap();
    sender.try_send(Duration::ZERO).unwrap();
    let (owner, since) = heard.wait_in_time(began, |told| match told {
        Told::Began(Stuck { what: StuckThing::Late { task, queue, .. }, lasted_ms, .. })
            if queue == "slow turn: queue" =>
        {
            Some((task, lasted_ms))
        }
        Told::Began(_) | Told::Ended(_) => None,
    });
    assert_eq!((owner.id, &*owner.name), (task.id(), "slow turn: owner"));
    assert!(u128::from(since) >= BOUND.as_millis(), "{since}");
    heard.wait(|told| (matches!(told, Told::Ended(_)) && names_of(&told, "slow turn: queue")).then_some(()));
    drop(sender);
    runtime.block_on(task).unwrap();
}

#[test]
fn an_owner_that_is_behind_is_told_of_once_and_again_only_when_it_had_caught_up() {
    let heard = watch();
    let runtime = runtime(1);
    let guard = runtime.enter();
    let (sender, inbox) = queue("behind: queue", 64);
    let task = owner_of("behind: owner", inbox);
    drop(guard);
    let mut told = Vec::new();
    for _ in 0..2 {
        // It takes many meanwhile: each is another oldest one.
        (0..30).for_each(|_| sender.try_send(Duration::from_millis(20)).unwrap());
        heard.wait(|it| {
            let is_end = matches!(it, Told::Ended(_));
            let is_it = names_of(&it, "behind: queue");
            told.extend(is_it.then_some(it));
            (is_it && is_end).then_some(())
        });
        assert_eq!(report_of("behind: owner").depth, 0, "told as over when nothing waits any more");
    }
    std::thread::sleep(BOUND);
    told.extend(heard.mentions("behind: queue"));
    let order: Vec<bool> = told.iter().map(|it| matches!(it, Told::Began(_))).collect();
    assert_eq!(order, [true, false, true, false], "{told:#?}");
    drop(sender);
    runtime.block_on(task).unwrap();
}

/// A queue that is full, with a task that takes from it once it is told to and then panics, and what was put in.
struct Orphan {
    sender: Sender<Arc<()>>,
    die: crate::inspect::ReplySender<()>,
    value: Arc<()>,
}

fn orphan(name: &'static str) -> Orphan {
    let (sender, mut receiver) = queue(name, 2);
    let value = Arc::new(());
    (0..3).for_each(|_| drop(sender.try_send(Arc::clone(&value))));
    let (die, told) = crate::inspect::reply("order to die");
    spawn("orphan: reader", async move {
        told.await.unwrap();
        let _taken = receiver.recv().await;
        panic!("the reader dies");
    })
    .detach();
    Orphan { sender, die, value }
}

fn queue_report(name: &str) -> crate::contract::QueueReport {
    queues().into_iter().find(|queue| queue.name == name).expect("registered")
}

#[test]
fn who_sends_to_a_queue_whose_reader_died_learns_it_at_once_and_nothing_is_stuck() {
    let heard = watch();
    let runtime = runtime(2);
    let guard = runtime.enter();
    let Orphan { sender, die, value } = orphan("orphan: queue");
    // Both find it full. One place becomes free before the reader dies, and one of them gets it.
    let (of_task, of_thread) = (sender.clone(), sender.clone());
    let (sent, late) = (Arc::clone(&value), Arc::clone(&value));
    let task = spawn("orphan: waits for room", async move {
        while of_task.send(Arc::clone(&sent)).await.is_ok() {}
        of_task.send(sent).await
    });
    let thread = spawn_thread("orphan: waits for room too", move || {
        while of_thread.send_blocking(Arc::clone(&late)).is_ok() {}
    })
    .unwrap();
    drop(guard);
    while queue_report("orphan: queue").full < 3 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let died = Instant::now();
    die.send(());
    let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, task).await });
    assert!(matches!(ended.unwrap().unwrap(), Err(SendError(_))), "it is woken, and gets its value back");
    thread.join().unwrap();
    assert!(matches!(sender.try_send(Arc::clone(&value)), Err(TrySendError::Closed(_))));
    assert!(died.elapsed() < Duration::from_secs(1), "took {:?}", died.elapsed());
    assert_eq!(Arc::strong_count(&value), 1, "what was inside is gone with its reader");
    let report = queue_report("orphan: queue");
    assert_eq!((report.kind, report.depth, report.capacity), (QueueKind::Nobody, 0, 2));
    assert_eq!((report.full_ms, report.oldest_ms, report.receiver), (None, None, None));
    std::thread::sleep(BOUND * 4);
    // The reader's own last poll may be long: with it goes the printing of its panic.
    let told: Vec<_> = heard
        .told
        .try_iter()
        .filter(|told| names_of(told, "orphan: queue") || names_of(told, "orphan: waits"))
        .collect();
    assert_eq!(told, []);
}
