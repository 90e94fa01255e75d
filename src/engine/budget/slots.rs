//! Connection slots: how many connections all torrents together may have.
//!
//! A torrent says how many it has and how many it could have. While everybody's wish fits, nobody is told anything. Where
//! it does not, each gets what it wishes up to a level that is the same for all: small torrents keep what they have, and
//! the large ones share the rest. One that is over its share parts with its connections of least use. What is said both
//! ways is absolute, so nothing needs to be given back, and a torrent that is gone leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::io::SlotAsk;
use crate::limits;
use crate::units::{Time, TorrentId};

/// What one torrent may have when slots are not scarce.
const PLENTY: u32 = limits::CONNECTIONS_PER_TORRENT_MAX as u32;

/// The slots and those who share them.
#[derive(Clone, Debug)]
pub struct ConnectionSlots {
    most: u32,
    asks: BTreeMap<TorrentId, SlotAsk>,
    /// What torrents go by; those that are not in it have plenty.
    told: BTreeMap<TorrentId, u32>,
    /// Something changed since shares were worked out.
    changed: bool,
    next_at: Time,
}

impl ConnectionSlots {
    /// So many slots, which nobody has.
    pub fn new(most: u32) -> Self {
        Self { most, asks: BTreeMap::new(), told: BTreeMap::new(), changed: false, next_at: Time::ZERO }
    }

    /// How many there are.
    pub fn most(&self) -> u32 {
        self.most
    }

    /// A torrent says what it has and what it could have.
    pub fn ask(&mut self, torrent: TorrentId, ask: SlotAsk) {
        self.changed |= match ask.wishes {
            0 => self.asks.remove(&torrent).is_some(),
            _ => self.asks.insert(torrent, ask) != Some(ask),
        };
    }

    /// A torrent is gone, and with it what it had.
    pub fn forget(&mut self, torrent: TorrentId) {
        self.asks.remove(&torrent);
        self.told.remove(&torrent);
        self.changed = true;
    }

    /// A torrent did not hear of its share: it is told again.
    pub fn not_heard(&mut self, torrent: TorrentId) {
        // No share is so large, so the next one differs from it.
        self.told.insert(torrent, u32::MAX);
        self.changed = true;
    }

    /// Whether shares are to be worked out anew, be it now or after a while.
    pub fn is_due(&self) -> bool {
        self.changed
    }

    /// What torrents are to hear, if it is time: shares that have changed.
    pub fn messages(&mut self, now: Time) -> Vec<(TorrentId, u32)> {
        if !self.changed || now < self.next_at {
            return Vec::new();
        }
        self.changed = false;
        self.next_at = now + limits::CONNECTION_SLOTS_INTERVAL;
        let shares = self.shares();
        let heard = |torrent: &TorrentId| self.told.get(torrent).copied().unwrap_or(PLENTY);
        let share = |torrent: &TorrentId| shares.get(torrent).copied().unwrap_or(PLENTY);
        let known: BTreeSet<TorrentId> = self.asks.keys().chain(self.told.keys()).copied().collect();
        let news = known.into_iter().map(|torrent| (torrent, share(&torrent)));
        let news: Vec<_> = news.filter(|(torrent, share)| heard(torrent) != *share).collect();
        self.told.extend(news.iter().copied());
        self.told.retain(|_, share| *share != PLENTY);
        news
    }

    /// What each may have; empty where all wishes fit.
    fn shares(&self) -> BTreeMap<TorrentId, u32> {
        let wish = |ask: &SlotAsk| ask.has.max(ask.wishes).min(PLENTY);
        let wishes: BTreeMap<TorrentId, u32> =
            self.asks.iter().map(|(torrent, ask)| (*torrent, wish(ask))).collect();
        if wishes.values().map(|wish| u64::from(*wish)).sum::<u64>() <= u64::from(self.most) {
            return BTreeMap::new();
        }
        let mut rising: Vec<(u32, TorrentId)> =
            wishes.into_iter().map(|(torrent, wish)| (wish, torrent)).collect();
        rising.sort_unstable();
        if rising.len() > self.most as usize {
            // There is less than one each: those that wait for callers alone come last.
            rising.reverse();
        }
        let mut left = self.most;
        let mut shares = BTreeMap::new();
        for (served, (wish, torrent)) in rising.iter().enumerate() {
            let others = u32::try_from(rising.len() - served).unwrap_or(u32::MAX);
            // Rounded up, so that nothing is left over: the last ones have one less.
            let share = (*wish).min(left.div_ceil(others));
            left -= share;
            shares.insert(*torrent, share);
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> TorrentId {
        TorrentId([number; 20])
    }

    fn asking(most: u32, asks: &[(u32, u32)]) -> ConnectionSlots {
        let mut slots = ConnectionSlots::new(most);
        for (number, (has, wishes)) in (1u8..).zip(asks) {
            slots.ask(id(number), SlotAsk { has: *has, wishes: *wishes });
        }
        slots
    }

    fn later(times: u32) -> Time {
        Time::ZERO + limits::CONNECTION_SLOTS_INTERVAL * times
    }

    #[test]
    fn while_all_wishes_fit_nobody_is_told_anything() {
        let mut slots = asking(100, &[(20, 40), (3, 3), (0, 50)]);
        assert_eq!(slots.messages(Time::ZERO), []);
        assert!(!slots.is_due());
    }

    #[test]
    fn where_they_do_not_fit_small_torrents_keep_theirs_and_large_ones_share_the_rest() {
        let mut slots = asking(100, &[(90, 100), (0, 100), (2, 6), (0, 1), (0, 0)]);
        assert_eq!(slots.messages(Time::ZERO), [(id(1), 47), (id(2), 46), (id(3), 6), (id(4), 1)]);
        // What does not change is not said again; what changes is, after a while.
        slots.ask(id(3), SlotAsk { has: 2, wishes: 3 });
        assert_eq!(slots.messages(Time::ZERO), [], "not so soon");
        assert!(slots.is_due());
        assert_eq!(slots.messages(later(1)), [(id(1), 48), (id(2), 48), (id(3), 3)]);
        // One goes and another needs less: there is plenty again.
        slots.forget(id(1));
        slots.ask(id(2), SlotAsk { has: 48, wishes: 90 });
        assert_eq!(slots.messages(later(2)), [(id(2), PLENTY), (id(3), PLENTY), (id(4), PLENTY)]);
    }

    #[test]
    fn shares_never_add_up_to_more_than_there_is() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..300 {
            let asks: Vec<_> = (0..rng.usize(1..60)).map(|_| (rng.u32(..90), rng.u32(..110))).collect();
            let most = rng.u32(1..400);
            let mut slots = asking(most, &asks);
            let told = slots.messages(Time::ZERO);
            let asks: Vec<_> = asks.iter().filter(|(_, wishes)| *wishes > 0).collect();
            let scarce = asks.iter().map(|(has, wishes)| (*has).max(*wishes).min(PLENTY)).sum::<u32>() > most;
            let given: u32 = told.iter().map(|(_, share)| *share).sum();
            assert!(told.len() < asks.len() || given <= most, "{given} of {most}: {asks:?}");
            assert!(scarce || told.is_empty(), "{most}: {asks:?}");
        }
    }

    #[test]
    fn where_there_is_less_than_one_each_those_that_only_wait_for_callers_go_without() {
        let mut slots = asking(2, &[(0, 1), (0, 30), (0, 1), (0, 20)]);
        assert_eq!(slots.messages(Time::ZERO), [(id(1), 0), (id(2), 1), (id(3), 0), (id(4), 1)]);
    }

    #[test]
    fn who_did_not_hear_is_told_again() {
        let mut slots = asking(10, &[(0, 30), (0, 30)]);
        assert_eq!(slots.messages(Time::ZERO), [(id(1), 5), (id(2), 5)]);
        slots.not_heard(id(2));
        assert_eq!(slots.messages(later(1)), [(id(2), 5)]);
        assert_eq!(slots.messages(later(2)), []);
    }
}
