//! What torrents share: the program-wide rate limits, connection slots and places at the hosts of webseeds, granted by
//! message.
//!
//! A torrent that has run out says that it waits; every `limits::GRANT_INTERVAL` the bytes that the limit allows for
//! that time are divided among those that wait. Nobody holds a lock, and a torrent that asks for nothing costs nothing.

mod hosts;
mod slots;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::limits;
use crate::units::{Rate, Time, TorrentId};

pub use hosts::{HostMessage, HostPlaces};
pub use slots::ConnectionSlots;

/// Which way bytes flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
    /// From peers.
    Down,
    /// To peers.
    Up,
}

/// Bytes granted to one torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// To whom.
    pub torrent: TorrentId,
    /// Bytes to send; `None`: no limit.
    pub up_bytes: Option<u64>,
    /// Bytes to request; `None`: no limit.
    pub down_bytes: Option<u64>,
}

/// The shared limits.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    up: Meter,
    down: Meter,
}

/// One direction's limit and those who wait for it.
#[derive(Clone, Debug)]
struct Meter {
    limit: Option<Rate>,
    /// Bytes allowed by the time that has passed and not granted yet.
    saved_bytes: u64,
    filled_at: Time,
    waiting: BTreeSet<TorrentId>,
    /// Where the last round of grants ended; the next one goes on behind it.
    served_last: TorrentId,
}

impl Budget {
    /// Sets both limits; `None` lifts one.
    pub fn set_limits(&mut self, now: Time, down: Option<Rate>, up: Option<Rate>) {
        self.down.set_limit(now, down);
        self.up.set_limit(now, up);
    }

    /// The limits, down and up.
    pub fn limits(&self) -> (Option<Rate>, Option<Rate>) {
        (self.down.limit, self.up.limit)
    }

    /// A torrent waits for a grant.
    pub fn wants(&mut self, torrent: TorrentId, flow: Flow) {
        match flow {
            Flow::Down => self.down.waiting.insert(torrent),
            Flow::Up => self.up.waiting.insert(torrent),
        };
    }

    /// A torrent is gone.
    pub fn forget(&mut self, torrent: TorrentId) {
        self.down.waiting.remove(&torrent);
        self.up.waiting.remove(&torrent);
    }

    /// What a torrent may do when it begins, and after a change of limits: no limit, or nothing until it asks.
    pub fn opening(&self, torrent: TorrentId) -> Grant {
        let none_yet = |meter: &Meter| meter.limit.map(|_| 0);
        Grant { torrent, up_bytes: none_yet(&self.up), down_bytes: none_yet(&self.down) }
    }

    /// The grants that are due.
    pub fn grants(&mut self, now: Time) -> Vec<Grant> {
        let down = self.down.divide(now);
        let up = self.up.divide(now);
        let torrents: BTreeSet<TorrentId> = down.keys().chain(up.keys()).copied().collect();
        let grant = |torrent: TorrentId| {
            let opening = self.opening(torrent);
            let up_bytes = opening.up_bytes.map(|none| up.get(&torrent).copied().unwrap_or(none));
            let down_bytes = opening.down_bytes.map(|none| down.get(&torrent).copied().unwrap_or(none));
            Grant { torrent, up_bytes, down_bytes }
        };
        torrents.into_iter().map(grant).collect()
    }

    /// Whether anybody waits.
    pub fn is_waited_for(&self) -> bool {
        !self.down.waiting.is_empty() || !self.up.waiting.is_empty()
    }
}

impl Default for Meter {
    fn default() -> Self {
        let served_last = TorrentId([0xff; 20]);
        Self { limit: None, saved_bytes: 0, filled_at: Time::ZERO, waiting: BTreeSet::new(), served_last }
    }
}

impl Meter {
    fn set_limit(&mut self, now: Time, limit: Option<Rate>) {
        self.limit = limit;
        self.saved_bytes = 0;
        self.filled_at = now;
    }

    /// Divides what has become free evenly among those that wait.
    fn divide(&mut self, now: Time) -> BTreeMap<TorrentId, u64> {
        let Some(Rate(limit)) = self.limit else {
            return std::mem::take(&mut self.waiting).into_iter().map(|torrent| (torrent, 0)).collect();
        };
        let block_bytes = u64::from(limits::BLOCK_BYTES);
        let micros = u64::try_from(now.since(self.filled_at).as_micros()).unwrap_or(u64::MAX);
        let burst = (limit.saturating_mul(limits::GRANT_BURST_MS) / 1000).max(2 * block_bytes);
        self.saved_bytes = (self.saved_bytes + limit.saturating_mul(micros) / 1_000_000).min(burst);
        self.filled_at = now;
        // A share that is too small for a block would be asked for again at once, so not all are served in one round.
        // They take turns: under a low limit whoever came first in order would otherwise get everything.
        let most = usize::try_from(self.saved_bytes / block_bytes).unwrap_or(usize::MAX);
        let behind = self.waiting.range((Bound::Excluded(self.served_last), Bound::Unbounded));
        let before = self.waiting.range(..=self.served_last);
        let served: Vec<TorrentId> = behind.chain(before).copied().take(most).collect();
        let Some(share) = self.saved_bytes.checked_div(served.len() as u64) else { return BTreeMap::new() };
        self.served_last = served.last().copied().unwrap_or(self.served_last);
        self.saved_bytes -= share * served.len() as u64;
        served.iter().for_each(|torrent| {
            self.waiting.remove(torrent);
        });
        served.into_iter().map(|torrent| (torrent, share)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: TorrentId = TorrentId([1; 20]);
    const TWO: TorrentId = TorrentId([2; 20]);

    #[test]
    fn a_limit_is_held_over_time_and_shared_evenly() {
        let mut budget = Budget::default();
        budget.set_limits(Time::ZERO, Some(Rate(1_000_000)), None);
        let mut now = Time::ZERO;
        let mut granted = BTreeMap::new();
        for _ in 0..200 {
            now = now + limits::GRANT_INTERVAL;
            budget.wants(ONE, Flow::Down);
            budget.wants(TWO, Flow::Down);
            for grant in budget.grants(now) {
                *granted.entry(grant.torrent).or_insert(0) += grant.down_bytes.unwrap();
                assert_eq!(grant.up_bytes, None);
            }
        }
        let due = 1_000_000 * u64::try_from(now.since(Time::ZERO).as_millis()).unwrap() / 1000;
        let total: u64 = granted.values().sum();
        assert!(total <= due && total + 100_000 >= due, "{total} of {due}");
        assert!(granted[&ONE].abs_diff(granted[&TWO]) <= 50_000);
    }

    #[test]
    fn under_a_limit_of_less_than_a_block_a_round_the_torrents_take_turns() {
        let mut budget = Budget::default();
        budget.set_limits(Time::ZERO, None, Some(Rate(100_000)));
        let torrents = [ONE, TWO, TorrentId([0; 20])];
        let mut now = Time::ZERO;
        let mut granted = BTreeMap::new();
        for _ in 0..400 {
            now = now + limits::GRANT_INTERVAL;
            torrents.iter().for_each(|torrent| budget.wants(*torrent, Flow::Up));
            for grant in budget.grants(now) {
                *granted.entry(grant.torrent).or_insert(0) += grant.up_bytes.unwrap();
            }
        }
        let least = granted.values().min().unwrap();
        let most = granted.values().max().unwrap();
        assert_eq!(granted.len(), 3);
        assert!(most - least <= 4 * u64::from(limits::BLOCK_BYTES), "{granted:?}");
    }

    #[test]
    fn without_a_limit_a_waiting_torrent_is_set_free() {
        let mut budget = Budget::default();
        budget.wants(ONE, Flow::Up);
        let grants = budget.grants(Time::ZERO);
        assert_eq!(grants, [Grant { torrent: ONE, up_bytes: None, down_bytes: None }]);
        assert!(!budget.is_waited_for());
    }
}
