//! Owners: loops that alone have some state and serve a queue, turn by turn.
//!
//! What makes an owner late is what people wait for: how long the oldest item of its queue has been there, how long the
//! turn that runs takes, which turn was the longest and what that did.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;

use super::channel::Receiver;
use super::counters::QueueEntry;
use super::mark::{micros, millis_since, now_mark, now_nanos};
use super::registry::{OWNERS, task_name};
use super::waits::current_task;
use crate::contract::{OwnerReport, TaskId};
use crate::limits::TURN_SLOW;

/// The loop of the task that made it, until it is dropped.
pub struct Owner {
    entry: Arc<OwnerEntry>,
    tell_slow: Option<TellSlow>,
}

/// Hears how long a slow turn took, and what took longest in it.
type TellSlow = Box<dyn Fn(Duration, &'static str) + Send + Sync>;

impl fmt::Debug for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Owner").field("entry", &self.entry).finish_non_exhaustive()
    }
}

/// Counters of an owner.
#[derive(Debug)]
pub(super) struct OwnerEntry {
    id: u64,
    pub(super) task: TaskId,
    pub(super) queue: Arc<QueueEntry>,
    turns: AtomicU64,
    /// The mark at which the turn that runs began; 0: none does.
    turn_began: AtomicU64,
    longest_us: AtomicU64,
    longest_input: Mutex<&'static str>,
    latest_us: AtomicU64,
}

impl Owner {
    /// The task that runs here is the owner who serves this queue.
    pub fn of<T>(queue: &Receiver<T>) -> Self {
        let (task, queue) = (current_task().unwrap_or(TaskId(0)), Arc::clone(queue.entry()));
        let entry = OWNERS.register(|id| OwnerEntry {
            id,
            task,
            queue,
            turns: AtomicU64::new(0),
            turn_began: AtomicU64::new(0),
            longest_us: AtomicU64::new(0),
            longest_input: Mutex::new(""),
            latest_us: AtomicU64::new(0),
        });
        Self { entry, tell_slow: None }
    }

    /// Tells of each turn that takes `limits::TURN_SLOW` or longer, when it has ended.
    pub fn telling(self, tell: impl Fn(Duration, &'static str) + Send + Sync + 'static) -> Self {
        Self { tell_slow: Some(Box::new(tell)), ..self }
    }

    /// Makes a whole turn, which is of one kind.
    pub fn turn<T>(&self, kind: &'static str, turn: impl FnOnce() -> T) -> T {
        self.begin_turn();
        let began = now_nanos();
        let result = turn();
        self.end_turn(Duration::from_nanos(now_nanos().saturating_sub(began)), kind);
        result
    }

    /// The same for a turn that may wait, for what the owner cannot go on without.
    pub async fn turn_of<F: Future>(&self, kind: &'static str, turn: F) -> F::Output {
        self.begin_turn();
        let began = now_nanos();
        let result = turn.await;
        self.end_turn(Duration::from_nanos(now_nanos().saturating_sub(began)), kind);
        result
    }

    /// A turn begins.
    pub fn begin_turn(&self) {
        self.entry.turn_began.store(now_mark(), Relaxed);
    }

    /// The turn has ended: how long it took, and what took longest in it.
    pub fn end_turn(&self, took: Duration, slowest: &'static str) {
        let OwnerEntry { turns, turn_began, longest_us, longest_input, .. } = &*self.entry;
        turns.store(turns.load(Relaxed) + 1, Relaxed);
        turn_began.store(0, Relaxed);
        let micros = micros(took);
        if micros > longest_us.load(Relaxed) {
            longest_us.store(micros, Relaxed);
            *longest_input.lock() = slowest;
        }
        if let Some(tell) = self.tell_slow.as_ref().filter(|_| took >= TURN_SLOW) {
            tell(took, slowest);
        }
    }

    /// It came so long after a deadline of its own.
    pub fn was_late(&self, by: Duration) {
        let by = micros(by);
        if by > self.entry.latest_us.load(Relaxed) {
            self.entry.latest_us.store(by, Relaxed);
        }
    }
}

impl OwnerEntry {
    pub(super) fn report(&self) -> OwnerReport {
        let began = self.turn_began.load(Relaxed);
        let unknown = || super::registry::no_task(self.task);
        OwnerReport {
            task: task_name(self.task).unwrap_or_else(unknown),
            depth: self.queue.depth(),
            oldest_ms: self.queue.oldest_since().map(millis_since),
            turns: self.turns.load(Relaxed),
            turn_ms: (began != 0).then(|| millis_since(began)),
            longest_turn_us: self.longest_us.load(Relaxed),
            longest_turn_input: (*self.longest_input.lock()).into(),
            latest_us: self.latest_us.load(Relaxed),
        }
    }
}

impl Drop for OwnerEntry {
    fn drop(&mut self) {
        OWNERS.remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{channel, owners, spawn};
    use super::*;

    #[tokio::test]
    async fn an_owner_is_told_with_its_queue_and_its_longest_turn() {
        let (sender, mut receiver) = channel("owner: queue", 4);
        let task = spawn("owner: of something", async move {
            let owner = Owner::of(&receiver);
            while let Some(millis) = receiver.recv().await {
                owner.begin_turn();
                owner.was_late(Duration::from_millis(millis));
                owner.end_turn(Duration::from_millis(millis), if millis == 7 { "seven" } else { "other" });
            }
        });
        let report = || owners().into_iter().find(|owner| owner.task.id == task.id());
        for millis in [3, 7, 5] {
            sender.send(millis).await.unwrap();
        }
        tokio::task::yield_now().await;
        let told = report().expect("registered");
        assert_eq!((told.turns, told.longest_turn_us, &*told.longest_turn_input), (3, 7000, "seven"));
        assert_eq!((told.latest_us, told.depth, told.oldest_ms, told.turn_ms), (7000, 0, None, None));
        sender.try_send(9).unwrap();
        assert_eq!(report().expect("registered").depth, 1);
        drop(sender);
        tokio::task::yield_now().await;
        assert_eq!(report(), None);
    }
}
