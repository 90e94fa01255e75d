//! What a torrent knows of a webseed's host: places there, and when to leave it alone.

use std::time::Duration;

use crate::engine::io::HostRest;
use crate::limits;
use crate::units::Time;

/// One host.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Host {
    /// Places that the budget granted and no request takes.
    pub(in crate::engine) free: u32,
    /// Places of requests that are over: given back, for others may wait longer than we do.
    pub(in crate::engine) over: u32,
    /// Places that the budget knows we wait for.
    pub(in crate::engine) asked: u32,
    /// Failures in a row.
    pub(in crate::engine) failures: u32,
    /// Until when nothing is asked of it.
    rests_until: Option<Time>,
}

impl Host {
    /// Whether nothing may be asked of it yet.
    pub(in crate::engine) fn rests(&self, now: Time) -> bool {
        self.rests_until.is_some_and(|until| until > now)
    }

    /// Until when nothing is asked of it.
    pub(in crate::engine) fn rests_until(&self, now: Time) -> Option<Time> {
        self.rests_until.filter(|until| *until > now)
    }

    /// It failed: the wait doubles with each failure in a row, and is never shorter than what the server asked for.
    /// `patience`: failures that cost no wait.
    pub(in crate::engine) fn failed(
        &mut self,
        now: Time,
        patience: u32,
        retry_after: Option<Duration>,
        rng: &mut fastrand::Rng,
    ) {
        // Requests that were under way together fail together: that is one failure.
        let grown = if self.rests(now) {
            Duration::ZERO
        } else {
            self.failures = self.failures.saturating_add(1);
            let counted = self.failures.saturating_sub(patience);
            if counted == 0 { Duration::ZERO } else { back_off(counted, rng) }
        };
        let asked = retry_after.unwrap_or_default().min(limits::WEBSEED_RETRY_AFTER_MAX);
        let until = now + grown.max(asked);
        self.rests_until = self.rests_until.max(Some(until)).filter(|until| *until > now);
    }

    /// Another torrent saw it fail.
    pub(in crate::engine) fn rest(&mut self, now: Time, rest: HostRest) {
        self.failures = self.failures.max(rest.failures);
        self.rests_until = self.rests_until.max(Some(rest.until)).filter(|until| *until > now);
    }

    /// It gave what it was asked for.
    pub(in crate::engine) fn worked(&mut self) {
        self.failures = 0;
    }

    /// It may be asked again at once.
    pub(in crate::engine) fn forgive(&mut self) {
        self.failures = 0;
        self.rests_until = None;
    }

    pub(in crate::engine) fn next_deadline(&self) -> Option<Time> {
        self.rests_until
    }

    /// Forgets a wait that is over, so that it is no deadline any more.
    pub(in crate::engine) fn wake(&mut self, now: Time) {
        self.rests_until = self.rests_until.filter(|until| *until > now);
    }
}

/// The wait after so many failures in a row, with up to a quarter on top, so that clients do not come back all at once.
pub(in crate::engine) fn back_off(failures: u32, rng: &mut fastrand::Rng) -> Duration {
    let doubled = limits::WEBSEED_RETRY_MIN.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let wait = doubled.min(limits::WEBSEED_RETRY_MAX);
    wait + wait.mul_f64(rng.f64() / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_a_success_ends_the_row() {
        let (mut host, mut rng, mut now) = (Host::default(), fastrand::Rng::with_seed(1), Time::ZERO);
        let mut asked_in_first_minute = 0;
        for _ in 0..30 {
            host.failed(now, 0, None, &mut rng);
            let until = host.rests_until(now).unwrap();
            assert!(until.since(now) <= limits::WEBSEED_RETRY_MAX.mul_f64(1.25));
            asked_in_first_minute += u32::from(now.since(Time::ZERO) < Duration::from_secs(60));
            now = until;
            assert!(!host.rests(now));
        }
        assert!(asked_in_first_minute <= 6, "{asked_in_first_minute} requests in a minute");
        host.worked();
        host.failed(now, 0, None, &mut rng);
        assert!(host.rests_until(now).unwrap().since(now) <= limits::WEBSEED_RETRY_MIN.mul_f64(1.25));
    }

    #[test]
    fn a_server_is_left_alone_for_as_long_as_it_asks_within_a_bound() {
        let (mut host, mut rng, now) = (Host::default(), fastrand::Rng::with_seed(1), Time::ZERO);
        host.failed(now, 0, Some(Duration::from_secs(120)), &mut rng);
        assert_eq!(host.rests_until(now), Some(now + Duration::from_secs(120)));
        host.failed(now, 0, None, &mut rng);
        assert_eq!(host.failures, 1, "what was under way beside it fails with it");
        host.failed(now, 0, Some(Duration::from_secs(1_000_000)), &mut rng);
        assert_eq!(host.rests_until(now), Some(now + limits::WEBSEED_RETRY_AFTER_MAX));
        host.forgive();
        assert!(!host.rests(now));
    }

    #[test]
    fn what_another_torrent_saw_counts_as_if_it_had_been_seen_here() {
        let (mut host, mut rng, now) = (Host::default(), fastrand::Rng::with_seed(1), Time::ZERO);
        let until = now + Duration::from_secs(10);
        host.rest(now, HostRest { until, failures: 5 });
        assert_eq!((host.rests_until(now), host.failures), (Some(until), 5));
        host.rest(now, HostRest { until: now + Duration::from_secs(1), failures: 1 });
        assert_eq!((host.rests_until(now), host.failures), (Some(until), 5), "the longer one counts");
        host.failed(until, 0, None, &mut rng);
        assert!(host.rests_until(until).unwrap().since(until) >= limits::WEBSEED_RETRY_MIN * 32);
    }
}
