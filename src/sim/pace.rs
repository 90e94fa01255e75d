//! A rate limit seen from outside: over no span of time more may flow than the limit allows for it, and what may be saved.

use crate::limits;
use crate::units::{Rate, Time};

/// The limit of one direction, as the checkers keep account of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    limit: Option<Rate>,
    /// Bytes that may flow now.
    left_bytes: u64,
    at: Time,
}

impl Pace {
    pub(super) fn new(now: Time, limit: Option<Rate>) -> Self {
        Self { limit, left_bytes: saved_bytes_max(limit), at: now }
    }

    /// Another limit holds from now on. What was granted under the last one may still flow.
    pub(super) fn set(&mut self, now: Time, limit: Option<Rate>) {
        let granted = saved_bytes_max(self.limit);
        *self = Self::new(now, limit);
        self.left_bytes += granted;
    }

    /// Bytes begin to flow; false where they are more than the limit allows.
    pub(super) fn spend(&mut self, now: Time, bytes: u64) -> bool {
        let Some(Rate(rate)) = self.limit else { return true };
        let micros = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
        let gained = rate.saturating_mul(micros) / 1_000_000;
        if gained > 0 {
            self.at = now;
            // What the last limit left may be more than this one lets anybody save; it does not grow.
            self.left_bytes =
                (self.left_bytes + gained).min(self.left_bytes.max(saved_bytes_max(self.limit)));
        }
        let fits = bytes <= self.left_bytes;
        self.left_bytes = self.left_bytes.saturating_sub(bytes);
        fits
    }
}

/// What the budget may have saved, what it may have granted and nobody has spent, and what rounds off.
fn saved_bytes_max(limit: Option<Rate>) -> u64 {
    let Some(Rate(rate)) = limit else { return 0 };
    let block_bytes = u64::from(limits::BLOCK_BYTES);
    let burst = (rate.saturating_mul(limits::GRANT_BURST_MS) / 1000).max(2 * block_bytes);
    2 * burst + 2 * block_bytes
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_a_limit_allows_flows_and_a_tenth_more_does_not() {
        for (percent, holds) in [(100, true), (110, false)] {
            let rate = 1_000_000;
            let mut pace = Pace::new(Time::ZERO, Some(Rate(rate)));
            let mut now = Time::ZERO;
            let all = (0..600).map(|_| {
                now = now + Duration::from_millis(50);
                pace.spend(now, rate / 20 * percent / 100)
            });
            assert_eq!(all.collect::<Vec<_>>().into_iter().all(|fits| fits), holds, "{percent} %");
        }
        assert!(Pace::new(Time::ZERO, None).spend(Time::ZERO, u64::MAX));
    }
}
