//! Trouble that the demo makes when it is asked to, so that one can see what the inspector says of it: a lock that is held,
//! a poll that does not come back, tasks that wait for each other, a peer that never answers, a webseed that fails, a panic.
//!
//! Everything ends by itself within `limits::DEMO_TROUBLE`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::liar;
use super::payload::MappedPayload;
use crate::contract::Command;
use crate::inspect;
use crate::limits::{DEMO_TROUBLE, DEMO_TROUBLE_LONG, DEMO_TROUBLES_MAX, DEMO_WAITERS};
use crate::session::Handle;
use crate::tui;

/// What there is, in the order of [`Trouble::ALL`].
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Hold,
    Poll,
    Circle,
    Mute,
    Webseed,
    Panic,
}

impl Trouble {
    const ALL: [Self; 6] = [Self::Hold, Self::Poll, Self::Circle, Self::Mute, Self::Webseed, Self::Panic];

    const fn words(self) -> &'static str {
        match self {
            Self::Hold => "a task holds a lock for 10 s, and others wait for it",
            Self::Poll => "a task does not come back from a poll for 10 s",
            Self::Circle => "two tasks wait for each other for 30 s",
            Self::Mute => "a peer that has everything never answers a request",
            Self::Webseed => "the webseed answers 503 for 30 s",
            Self::Panic => "a task panics",
        }
    }
}

/// Until when the webseed fails; `None`: it does not.
pub(super) type Failing = Arc<inspect::Lock<Option<Instant>>>;

/// A webseed that does not fail.
pub(super) fn not_failing() -> Failing {
    Arc::new(inspect::Lock::new("demo: until when the webseed fails", None))
}

/// Whether the webseed is to fail now.
pub(super) fn fails(failing: &Failing) -> bool {
    failing.lock().is_some_and(|until| Instant::now() < until)
}

/// Starts the task that makes trouble; what the screen is to offer.
pub(super) fn start(handle: &Handle, payload: MappedPayload, failing: Failing) -> tui::Chaos {
    let (make, mut asked) = inspect::channel("demo: trouble to make", DEMO_TROUBLES_MAX);
    let payload = Arc::new(payload);
    let lock = Arc::new(inspect::Lock::new("demo: a lock held on purpose", ()));
    let handle = handle.clone();
    let maker = async move {
        while let Some(which) = asked.recv().await {
            match Trouble::ALL.get(which) {
                Some(Trouble::Hold) => hold(&lock),
                Some(Trouble::Poll) => stall(),
                Some(Trouble::Circle) => circle().await,
                Some(Trouble::Mute) => mute(&handle, &payload).await,
                Some(Trouble::Webseed) => *failing.lock() = Some(Instant::now() + DEMO_TROUBLE_LONG),
                Some(Trouble::Panic) => {
                    inspect::spawn("demo: panics on purpose", async { panic!("the demo was asked to") })
                        .detach();
                }
                None => {}
            }
        }
    };
    inspect::spawn("demo: trouble", maker).detach();
    tui::Chaos { names: Trouble::ALL.iter().map(|trouble| trouble.words().to_owned()).collect(), make }
}

/// A holder, and those that it holds up. The threads they block are made up for, so that the demo goes on.
fn hold(lock: &Arc<inspect::Lock<()>>) {
    let held = Arc::clone(lock);
    inspect::spawn("demo: holds a lock on purpose", async move {
        inspect::aside(|| {
            let _held = held.lock();
            std::thread::sleep(DEMO_TROUBLE);
        });
    })
    .detach();
    for number in 1..=DEMO_WAITERS {
        let wanted = Arc::clone(lock);
        inspect::spawn(format!("demo: waits for the lock, {number}"), async move {
            // After the holder has it, and one after the other.
            inspect::sleep(WAITER_AFTER * number).await;
            inspect::aside(|| drop(wanted.lock()));
        })
        .detach();
    }
}

const WAITER_AFTER: Duration = Duration::from_millis(200);

/// A poll that blocks its thread.
fn stall() {
    inspect::spawn("demo: stalls in a poll on purpose", async {
        inspect::aside(|| std::thread::sleep(DEMO_TROUBLE));
    })
    .detach();
}

/// Two tasks, each with a full queue that the other one is to empty before it goes on.
async fn circle() {
    let (to_one, mut at_one) = inspect::channel("demo: to one", 1);
    let (to_other, mut at_other) = inspect::channel("demo: to the other", 1);
    // Each is seen to take from its queue before it fills that of the other.
    let (first_one, first_other) = (to_one.clone(), to_other.clone());
    let one = inspect::spawn("demo: waits for the other", async move {
        at_one.recv().await;
        while to_other.send(()).await.is_ok() {}
        drop(at_one);
    });
    let other = inspect::spawn("demo: waits for the one", async move {
        at_other.recv().await;
        while to_one.send(()).await.is_ok() {}
        drop(at_other);
    });
    // Nobody but the two has to do with the queues; where they are gone there is nothing to wait for.
    let _ = first_one.send(()).await;
    let _ = first_other.send(()).await;
    inspect::spawn("demo: ends the wait for each other", async move {
        inspect::sleep(DEMO_TROUBLE_LONG).await;
        one.abort();
        other.abort();
    })
    .detach();
}

/// A peer that says that it has everything, and answers no request.
async fn mute(handle: &Handle, payload: &Arc<MappedPayload>) {
    let id = payload.info().id();
    // Without a port there is no such peer; the demo goes on without it.
    let Ok(address) = liar::start_mute(id.0, Arc::clone(payload)).await else { return };
    let _ = handle.request(Command::AddPeer { torrent: id, address: address.into() }).await;
}
