//! Moments that fit into an atomic, and what the watchdog remembers of its looks.
//!
//! A mark is microseconds of the system's coarse monotonic clock, never 0, so that 0 can say "nothing". That clock moves
//! once in some milliseconds and costs a third of the exact one. Even that is too much for each poll of each task: there
//! the mark of the watchdog's last look is taken, [`tick`].

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::limits::{POLLS_PER_SAMPLE, POLLS_TIMED_FIRST, TIMING_KEPT};

use rustix::time::{ClockId, clock_gettime};

/// The mark of now.
pub(super) fn now_mark() -> u64 {
    let now = clock_gettime(ClockId::MonotonicCoarse);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(now.tv_nsec).unwrap_or_default();
    (seconds * 1_000_000 + nanos / 1000).max(1)
}

/// The mark of the last look of a watchdog, which costs a load; where none works, of now.
#[inline]
pub(super) fn tick() -> u64 {
    match TICK.load(Relaxed) {
        0 => now_mark(),
        mark => mark,
    }
}

/// Nanoseconds of the exact clock, never 0.
pub(super) fn now_nanos() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    (seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default()).max(1)
}

/// How many polls the next one of a task stands for, 0 if it is not to be timed: the first ones are timed, then one in
/// some, and all of them while somebody looks.
#[inline]
pub(super) fn sample_of(polls: u64) -> u64 {
    if polls < POLLS_TIMED_FIRST || TIMING.load(Relaxed) {
        1
    } else if polls.is_multiple_of(POLLS_PER_SAMPLE) {
        POLLS_PER_SAMPLE
    } else {
        0
    }
}

/// Somebody looks: for a while every poll is timed.
pub(super) fn time_all() {
    TIMED_UNTIL.store(now_mark() + micros(TIMING_KEPT), Relaxed);
    TIMING.store(true, Relaxed);
}

/// What a watchdog keeps going while it works.
#[derive(Debug)]
pub(super) struct Ticker(());

impl Ticker {
    pub(super) fn new() -> Self {
        TICKERS.fetch_add(1, Relaxed);
        Self(())
    }

    pub(super) fn tick(&self, now: u64) {
        TICK.store(now, Relaxed);
        if TIMING.load(Relaxed) && now > TIMED_UNTIL.load(Relaxed) {
            TIMING.store(false, Relaxed);
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if TICKERS.fetch_sub(1, Relaxed) == 1 {
            TICK.store(0, Relaxed);
        }
    }
}

static TICK: AtomicU64 = AtomicU64::new(0);
static TICKERS: AtomicUsize = AtomicUsize::new(0);
static TIMING: AtomicBool = AtomicBool::new(false);
static TIMED_UNTIL: AtomicU64 = AtomicU64::new(0);

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
