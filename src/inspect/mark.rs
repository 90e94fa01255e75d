//! Instants that fit into an atomic, and what the watchdog remembers of its looks.
//!
//! A mark is microseconds since the first use of the registry, never 0, so that 0 can say "nothing".

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The mark of an instant.
pub(super) fn mark(at: Instant) -> u64 {
    micros(at.saturating_duration_since(*FIRST_USE)).max(1)
}

/// Milliseconds since a mark.
pub(super) fn millis_since(earlier: u64) -> u64 {
    mark(Instant::now()).saturating_sub(earlier) / 1000
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

static FIRST_USE: LazyLock<Instant> = LazyLock::new(Instant::now);

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
