//! What a connection came to so far. Nothing is decided by it: it is told to whoever asks why a peer is of no use.

use std::time::Duration;

use crate::units::Time;

/// Counts and spans since the connection is up.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct History {
    /// While it has something we want.
    pub(in crate::engine) interested: Stopwatch,
    /// While requests are on the wire to it.
    pub(in crate::engine) expecting: Stopwatch,
    /// When its last block came that was of use.
    pub(in crate::engine) last_useful_at: Option<Time>,
    /// Blocks that came.
    pub(in crate::engine) blocks_in: u64,
    /// Blocks among them that were of use.
    pub(in crate::engine) blocks_useful: u64,
    /// Blocks that were handed to the connection.
    pub(in crate::engine) blocks_out: u64,
}

impl History {
    /// A block of it was of use.
    pub(in crate::engine) fn useful(&mut self, now: Time) {
        self.blocks_useful += 1;
        self.last_useful_at = Some(now);
    }
}

/// Adds up the spans in which something holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Stopwatch {
    before: Duration,
    since: Option<Time>,
}

impl Stopwatch {
    /// Says whether it holds from `now` on.
    pub(in crate::engine) fn set(&mut self, now: Time, holds: bool) {
        if holds == self.since.is_some() {
            return;
        }
        self.before = self.total(now);
        self.since = holds.then_some(now);
    }

    /// For how long it held, up to `now`.
    pub(in crate::engine) fn total(&self, now: Time) -> Duration {
        self.before + self.since.map_or(Duration::ZERO, |since| now.since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_add_up_and_one_that_goes_on_counts() {
        let at = |seconds: u64| Time::from_micros(seconds * 1_000_000);
        let mut watch = Stopwatch::default();
        watch.set(at(1), false);
        assert_eq!(watch.total(at(5)), Duration::ZERO);
        watch.set(at(5), true);
        watch.set(at(7), true);
        assert_eq!(watch.total(at(8)), Duration::from_secs(3));
        watch.set(at(9), false);
        watch.set(at(20), true);
        assert_eq!(watch.total(at(21)), Duration::from_secs(5));
    }
}
