//! The hosts of webseeds: how many requests of one host are under way over all torrents, and which are left alone.
//!
//! A torrent gets places before it plans requests for them, so a request that is planned is never one too many, and gives
//! each back when its request is over. Torrents that wait at one host take turns. What one torrent learns of a host that
//! fails, all know: otherwise hundreds of them would ask it one after the other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::engine::io::{HostAsk, HostKey, HostNews, HostRest};
use crate::limits;
use crate::units::{Time, TorrentId};

/// All hosts that torrents hold or want places at, or that are left alone.
#[derive(Clone, Debug, Default)]
pub struct HostPlaces {
    hosts: BTreeMap<HostKey, Host>,
    /// What is to be said, in order.
    news: Vec<HostMessage>,
}

/// Who has places at one host, and who waits for some.
#[derive(Clone, Debug, Default)]
struct Host {
    held: BTreeMap<TorrentId, u32>,
    waiting: VecDeque<(TorrentId, u32)>,
    rest: Option<HostRest>,
}

/// What one torrent is to hear of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostMessage {
    /// Who.
    pub torrent: TorrentId,
    /// Of which host.
    pub host: HostKey,
    /// What.
    pub news: HostNews,
}

impl HostPlaces {
    /// A torrent says something of a host.
    pub fn take(&mut self, now: Time, torrent: TorrentId, key: &HostKey, ask: HostAsk) {
        let host = self.hosts.entry(key.clone()).or_default();
        host.rest = host.rest.filter(|rest| rest.until > now);
        match ask {
            HostAsk::Want(count) => {
                host.waits(torrent, count);
                if let Some(rest) = host.rest.filter(|_| count > 0) {
                    self.tell_of_rest([torrent], key, rest);
                }
            }
            HostAsk::Return(count) => host.returned(torrent, count),
            HostAsk::Rest(rest) => {
                let longer = host.rest.is_none_or(|known| known.until < rest.until);
                host.waits(torrent, 0);
                let waiting = host.waiting.iter().map(|(waiting, _)| *waiting);
                let all: BTreeSet<TorrentId> = waiting.chain(host.held.keys().copied()).collect();
                if longer {
                    host.rest = Some(rest);
                    self.tell_of_rest(all.into_iter().filter(|other| *other != torrent), key, rest);
                }
                self.hosts.retain(|_, host| !host.is_idle(now));
            }
            HostAsk::Wake => host.rest = None,
        }
        if self.hosts.get(key).is_some_and(|host| host.is_idle(now)) {
            self.hosts.remove(key);
        }
    }

    /// A torrent is gone, and with it what it held.
    pub fn forget(&mut self, torrent: TorrentId) {
        for host in self.hosts.values_mut() {
            host.held.remove(&torrent);
            host.waits(torrent, 0);
        }
        self.hosts.retain(|_, host| !host.is_unused() || host.rest.is_some());
        self.news.retain(|message| message.torrent != torrent);
    }

    /// Places that a torrent has, at all hosts together.
    pub fn held(&self, torrent: TorrentId) -> u32 {
        self.hosts.values().filter_map(|host| host.held.get(&torrent)).sum()
    }

    /// What torrents are to hear: places that are free go to those that wait.
    pub fn messages(&mut self) -> Vec<HostMessage> {
        let mut messages = std::mem::take(&mut self.news);
        for (key, host) in &mut self.hosts {
            for (torrent, count) in host.grants() {
                messages.push(HostMessage { torrent, host: key.clone(), news: HostNews::Places(count) });
            }
        }
        messages
    }

    /// Who hears that a host rests waits there no more, and asks again after it.
    fn tell_of_rest(&mut self, torrents: impl IntoIterator<Item = TorrentId>, key: &HostKey, rest: HostRest) {
        for torrent in torrents {
            if let Some(host) = self.hosts.get_mut(key) {
                host.waits(torrent, 0);
            }
            self.news.push(HostMessage { torrent, host: key.clone(), news: HostNews::Rests(rest) });
        }
    }
}

impl Host {
    fn is_unused(&self) -> bool {
        self.held.is_empty() && self.waiting.is_empty()
    }

    fn is_idle(&self, now: Time) -> bool {
        self.is_unused() && self.rest.is_none_or(|rest| rest.until <= now)
    }

    /// A torrent waits for so many places, in place of what it waited for before.
    fn waits(&mut self, torrent: TorrentId, count: u32) {
        match self.waiting.iter_mut().find(|(waiting, _)| *waiting == torrent) {
            Some((_, wanted)) => *wanted = count,
            None => self.waiting.push_back((torrent, count)),
        }
        self.waiting.retain(|(_, wanted)| *wanted > 0);
    }

    fn returned(&mut self, torrent: TorrentId, count: u32) {
        if let Some(held) = self.held.get_mut(&torrent) {
            *held = held.saturating_sub(count);
            self.held.retain(|_, held| *held > 0);
        }
    }

    /// One place after the other, each to the next that waits.
    fn grants(&mut self) -> BTreeMap<TorrentId, u32> {
        let mut granted = BTreeMap::new();
        let taken: u32 = self.held.values().sum();
        for _ in taken..limits::HOST_REQUESTS {
            let Some((torrent, wanted)) = self.waiting.pop_front() else { break };
            *granted.entry(torrent).or_insert(0) += 1;
            *self.held.entry(torrent).or_insert(0) += 1;
            if wanted > 1 {
                self.waiting.push_back((torrent, wanted - 1));
            }
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ONE: TorrentId = TorrentId([1; 20]);
    const TWO: TorrentId = TorrentId([2; 20]);
    const NOW: Time = Time::ZERO;

    fn counts(places: &mut HostPlaces) -> Vec<(TorrentId, u32)> {
        let counts = places.messages().into_iter().map(|message| match message.news {
            HostNews::Places(count) => (message.torrent, count),
            HostNews::Rests(rest) => panic!("{rest:?}"),
        });
        counts.collect()
    }

    #[test]
    fn a_host_has_so_many_places_and_torrents_share_them() {
        let (mut places, host) = (HostPlaces::default(), HostKey::from("http://h:80"));
        places.take(NOW, ONE, &host, HostAsk::Want(20));
        places.take(NOW, TWO, &host, HostAsk::Want(3));
        assert_eq!(counts(&mut places), [(ONE, limits::HOST_REQUESTS - 3), (TWO, 3)]);
        assert_eq!(counts(&mut places), []);
        places.take(NOW, TWO, &host, HostAsk::Return(3));
        assert_eq!(counts(&mut places), [(ONE, 3)]);
        places.take(NOW, ONE, &HostKey::from("http://other:80"), HostAsk::Want(1));
        assert_eq!(counts(&mut places), [(ONE, 1)], "another host has places of its own");
    }

    #[test]
    fn who_asks_again_waits_once_and_who_is_gone_holds_nothing() {
        let (mut places, host) = (HostPlaces::default(), HostKey::from("http://h:80"));
        (0..3).for_each(|_| places.take(NOW, ONE, &host, HostAsk::Want(2)));
        assert_eq!(counts(&mut places), [(ONE, 2)]);
        places.take(NOW, ONE, &host, HostAsk::Want(limits::HOST_REQUESTS));
        places.take(NOW, TWO, &host, HostAsk::Want(1));
        places.take(NOW, ONE, &host, HostAsk::Want(0));
        assert_eq!(counts(&mut places), [(TWO, 1)]);
        places.take(NOW, TWO, &host, HostAsk::Want(50));
        places.forget(ONE);
        assert_eq!(counts(&mut places), [(TWO, limits::HOST_REQUESTS - 1)]);
        places.forget(TWO);
        assert!(places.hosts.is_empty());
    }

    #[test]
    fn what_one_torrent_learns_of_a_host_that_fails_all_know_until_it_is_over() {
        let (mut places, host) = (HostPlaces::default(), HostKey::from("http://h:80"));
        let rest = HostRest { until: NOW + Duration::from_secs(60), failures: 3 };
        let rests = |torrent| HostMessage { torrent, host: host.clone(), news: HostNews::Rests(rest) };
        places.take(NOW, ONE, &host, HostAsk::Want(limits::HOST_REQUESTS));
        places.take(NOW, TWO, &host, HostAsk::Want(2));
        places.messages();
        places.take(NOW, ONE, &host, HostAsk::Rest(rest));
        assert_eq!(places.messages(), [rests(TWO)], "who saw it itself knows");
        let sooner = HostRest { until: NOW + Duration::from_secs(1), failures: 1 };
        places.take(NOW, TWO, &host, HostAsk::Rest(sooner));
        places.take(NOW, ONE, &host, HostAsk::Return(limits::HOST_REQUESTS));
        assert_eq!(places.messages(), [], "nobody waits there any more");
        places.take(NOW, TWO, &host, HostAsk::Want(2));
        assert_eq!(places.messages(), [rests(TWO)]);
        places.forget(ONE);
        places.take(rest.until, TWO, &host, HostAsk::Want(2));
        assert_eq!(counts(&mut places), [(TWO, 2)]);
        places.take(rest.until, TWO, &host, HostAsk::Return(4));
        assert!(places.hosts.is_empty());
    }

    #[test]
    fn a_person_may_wake_a_host_and_rests_that_are_over_take_no_room() {
        let (mut places, host) = (HostPlaces::default(), HostKey::from("http://h:80"));
        let rest = HostRest { until: NOW + Duration::from_secs(60), failures: 1 };
        places.take(NOW, ONE, &host, HostAsk::Rest(rest));
        places.take(NOW, ONE, &host, HostAsk::Wake);
        places.take(NOW, ONE, &host, HostAsk::Want(1));
        assert_eq!(counts(&mut places), [(ONE, 1)]);
        for number in 0..100 {
            let now = NOW + Duration::from_secs(120 * number);
            let rest = HostRest { until: now + Duration::from_secs(60), failures: 1 };
            places.take(now, ONE, &HostKey::from(format!("http://h{number}")), HostAsk::Rest(rest));
        }
        assert_eq!(places.hosts.len(), 2, "the one held, and the last one that rests");
    }
}
