//! How fast bytes flow, over the last few seconds.

use crate::limits;
use crate::units::{Rate, Time};

/// Number of slices the window is cut into.
const SLICES: usize = 8;

/// Bytes per second over `limits::RATE_WINDOW`, in slices, so that old bytes leave one slice at a time.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct RateMeter {
    slices: [u64; SLICES],
    /// Which slice of all time was written last.
    current: u64,
    /// When counting began, so that the first seconds are not averaged with silence before them.
    started: Option<Time>,
}

impl RateMeter {
    /// Counts bytes that flowed at `now`.
    pub(in crate::engine) fn add(&mut self, now: Time, bytes: u64) {
        self.started.get_or_insert(now);
        self.advance(now);
        self.slices[slot(self.current)] += bytes;
    }

    /// The rate at `now`.
    pub(in crate::engine) fn rate(&self, now: Time) -> Rate {
        let Some(started) = self.started else { return Rate(0) };
        let slice = slice_of(now);
        let oldest = slice.saturating_sub(SLICES as u64 - 1);
        let bytes: u64 = (oldest..=slice).filter(|at| self.holds(*at)).map(|at| self.slices[slot(at)]).sum();
        let begin = Time::from_micros(oldest * slice_micros()).max(started);
        let micros = u64::try_from(now.since(begin).as_micros()).unwrap_or(u64::MAX).max(slice_micros());
        Rate(bytes.saturating_mul(1_000_000) / micros)
    }

    /// Whether the slot of slice `at` still holds that slice's bytes.
    fn holds(&self, at: u64) -> bool {
        at <= self.current && self.current - at < SLICES as u64
    }

    fn advance(&mut self, now: Time) {
        let slice = slice_of(now);
        let gone = slice.saturating_sub(self.current).min(SLICES as u64);
        for step in 1..=gone {
            self.slices[slot(self.current + step)] = 0;
        }
        if gone == SLICES as u64 {
            self.slices = [0; SLICES];
        }
        self.current = self.current.max(slice);
    }
}

fn slice_micros() -> u64 {
    u64::try_from(limits::RATE_WINDOW.as_micros()).unwrap_or(u64::MAX) / SLICES as u64
}

fn slice_of(now: Time) -> u64 {
    now.as_micros() / slice_micros()
}

fn slot(slice: u64) -> usize {
    (slice % SLICES as u64) as usize
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_steady_flow_is_measured_and_forgotten() {
        let mut meter = RateMeter::default();
        let mut now = Time::ZERO;
        for _ in 0..100 {
            meter.add(now, 10_000);
            now = now + Duration::from_millis(100);
        }
        let rate = meter.rate(now).0;
        assert!((90_000..=115_000).contains(&rate), "{rate}");
        assert_eq!(meter.rate(now + Duration::from_secs(60)), Rate(0));
    }

    #[test]
    fn the_first_burst_is_not_averaged_with_the_silence_before_it() {
        let mut meter = RateMeter::default();
        let start = Time::from_micros(50_000_000);
        meter.add(start, 1_000_000);
        assert!(meter.rate(start + Duration::from_millis(500)).0 >= 1_000_000);
    }
}
