//! Moments that fit into an atomic, and what the watchdog remembers of its looks.
//!
//! A mark is microseconds of the system's coarse monotonic clock, never 0, so that 0 can say "nothing". That clock moves
//! once in some milliseconds and costs a third of the exact one: it is read twice in each poll of each task, and what is
//! told of takes a second and more. Sums of its differences come out right all the same.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The mark of now.
pub(super) fn now_mark() -> u64 {
    let now = clock_gettime(ClockId::MonotonicCoarse);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(now.tv_nsec).unwrap_or_default();
    (seconds * 1_000_000 + nanos / 1000).max(1)
}

/// Milliseconds since a mark.
pub(super) fn millis_since(earlier: u64) -> u64 {
    now_mark().saturating_sub(earlier) / 1000
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A state that the watchdog saw, and when it saw it first. It costs the one who is seen nothing, not even a look at the
/// clock: a counter that has not moved between two looks says that the state is the same still.
#[derive(Debug, Default)]
pub(super) struct Seen {
    counter: AtomicU64,
    at: AtomicU64,
}

impl Seen {
    /// Notes what is so at `now`. Only watchdogs call it; several note the same.
    pub(super) fn note(&self, counter: Option<u64>, now: u64) {
        match counter {
            None => self.at.store(0, Relaxed),
            Some(counter) => {
                if self.since(Some(counter)).is_none() {
                    self.at.store(0, Relaxed);
                    self.counter.store(counter, Relaxed);
                    self.at.store(now, Relaxed);
                }
            }
        }
    }

    /// The mark since which what is so now has been seen; `None`: not yet.
    pub(super) fn since(&self, counter: Option<u64>) -> Option<u64> {
        let at = self.at.load(Relaxed);
        (at != 0 && counter == Some(self.counter.load(Relaxed))).then_some(at)
    }
}
