//! The screen is an owner too: it alone has the model, and serves a queue of keys, turn by turn. A turn that a user would
//! feel is told as those of the engine's owners are.

use std::time::Duration;

use tokio::time::Instant;

use super::Tell;
use crate::contract::EventKind;
use crate::{inspect, limits};

/// The turns of the screen.
pub(super) struct Turns {
    owner: inspect::Owner,
    tell: Tell,
    /// When the last slow one was told.
    told: Option<Instant>,
}

impl Turns {
    /// The task that runs here serves this queue.
    pub(super) fn of<T>(queue: &inspect::Receiver<T>, tell: Tell) -> Self {
        Self { owner: inspect::Owner::of(queue), tell, told: None }
    }

    /// Makes a turn, which is of one kind.
    pub(super) async fn make<F: Future>(&mut self, kind: &'static str, turn: F) -> F::Output {
        self.owner.begin_turn();
        let began = Instant::now();
        let made = turn.await;
        self.end(kind, began.elapsed());
        made
    }

    fn end(&mut self, kind: &'static str, took: Duration) {
        self.owner.end_turn(took, kind);
        // What is told comes back as an event, which is drawn: where each drawing is slow, that must not go round for ever.
        let is_news = self.told.is_none_or(|told| told.elapsed() >= limits::SCREEN_SLOW_EVERY);
        if took >= limits::TURN_SLOW && is_news {
            self.told = Some(Instant::now());
            let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            (self.tell)(EventKind::SlowTurn { millis, input: format!("screen: {kind}") });
        }
    }

    /// It goes on now, and was to do so at `due`.
    pub(super) fn was_due(&self, due: Instant) {
        self.owner.was_late(due.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_slow_turn_is_told_with_what_it_did_and_waiting_is_none() {
        let (telling, mut told) = inspect::channel("test: told by a screen", 4);
        let tell: Tell = Arc::new(move |kind| telling.try_send(kind).unwrap());
        let (keys, mut queue) = inspect::channel("test: keys of a screen", 4);
        let screen = inspect::spawn("test: screen", async move {
            let mut turns = Turns::of(&queue, tell);
            while let Some(millis) = queue.recv().await {
                let kind = if millis == 0 { "key" } else { "draw" };
                turns.make(kind, async { std::thread::sleep(Duration::from_millis(millis)) }).await;
            }
        });
        let id = screen.id();
        let report = || inspect::owners().into_iter().find(|owner| owner.task.id == id);
        keys.send(0).await.unwrap();
        // Longer than a turn may take; the screen waits for a key.
        inspect::sleep(limits::TURN_SLOW * 2).await;
        let waiting = report().expect("registered");
        assert_eq!((waiting.turns, waiting.turn_ms), (1, None));
        assert!(told.try_recv().is_err());
        let slow = u64::try_from(limits::TURN_SLOW.as_millis()).unwrap();
        keys.send(slow).await.unwrap();
        keys.send(slow).await.unwrap();
        while report().is_some_and(|owner| owner.turns < 3) {
            tokio::task::yield_now().await;
        }
        let after = report().expect("registered");
        assert_eq!(&*after.longest_turn_input, "draw");
        assert!(after.longest_turn_us >= slow * 1000, "{after:?}");
        let EventKind::SlowTurn { millis, input } = told.try_recv().unwrap() else { panic!("another event") };
        assert!(millis >= slow && input == "screen: draw", "{millis} {input}");
        assert!(told.try_recv().is_err(), "once in a while");
        drop(keys);
    }
}
