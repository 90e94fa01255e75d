//! Places at the hosts of webseeds: how many requests of one host are under way, over all torrents.
//!
//! A torrent gets places before it plans requests for them, so a request that is planned is never one too many, and gives
//! each back when its request is over. Torrents that wait at one host take turns.

use std::collections::{BTreeMap, VecDeque};

use crate::engine::io::HostKey;
use crate::limits;
use crate::units::TorrentId;

/// The places of all hosts.
#[derive(Clone, Debug, Default)]
pub struct HostPlaces {
    hosts: BTreeMap<HostKey, Host>,
}

/// Who has places at one host, and who waits for some.
#[derive(Clone, Debug, Default)]
struct Host {
    held: BTreeMap<TorrentId, u32>,
    waiting: VecDeque<(TorrentId, u32)>,
}

/// Places granted to one torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceGrant {
    /// To whom.
    pub torrent: TorrentId,
    /// At which host.
    pub host: HostKey,
    /// How many.
    pub count: u32,
}

impl HostPlaces {
    /// A torrent waits for places, in place of what it waited for before; 0: it waits no more.
    pub fn want(&mut self, torrent: TorrentId, host: &HostKey, count: u32) {
        let known = self.hosts.entry(host.clone()).or_default();
        match known.waiting.iter_mut().find(|(waiting, _)| *waiting == torrent) {
            Some((_, wanted)) => *wanted = count,
            None => known.waiting.push_back((torrent, count)),
        }
        known.waiting.retain(|(_, wanted)| *wanted > 0);
        self.forget_idle(host);
    }

    /// Places of a torrent are free again.
    pub fn give_back(&mut self, torrent: TorrentId, host: &HostKey, count: u32) {
        if let Some(known) = self.hosts.get_mut(host)
            && let Some(held) = known.held.get_mut(&torrent)
        {
            *held = held.saturating_sub(count);
            known.held.retain(|_, held| *held > 0);
        }
        self.forget_idle(host);
    }

    /// A torrent is gone, and with it what it held.
    pub fn forget(&mut self, torrent: TorrentId) {
        for host in self.hosts.values_mut() {
            host.held.remove(&torrent);
            host.waiting.retain(|(waiting, _)| *waiting != torrent);
        }
        self.hosts.retain(|_, host| !host.is_idle());
    }

    /// Hands out the places that are free to those that wait.
    pub fn grants(&mut self) -> Vec<PlaceGrant> {
        let mut granted = Vec::new();
        for (key, host) in &mut self.hosts {
            for (torrent, count) in host.grants() {
                granted.push(PlaceGrant { torrent, host: key.clone(), count });
            }
        }
        granted
    }

    fn forget_idle(&mut self, host: &HostKey) {
        if self.hosts.get(host).is_some_and(Host::is_idle) {
            self.hosts.remove(host);
        }
    }
}

impl Host {
    fn is_idle(&self) -> bool {
        self.held.is_empty() && self.waiting.is_empty()
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
    use super::*;

    const ONE: TorrentId = TorrentId([1; 20]);
    const TWO: TorrentId = TorrentId([2; 20]);

    fn counts(places: &mut HostPlaces) -> Vec<(TorrentId, u32)> {
        places.grants().into_iter().map(|grant| (grant.torrent, grant.count)).collect()
    }

    #[test]
    fn a_host_has_so_many_places_and_torrents_share_them() {
        let (mut places, host) = (HostPlaces::default(), HostKey::from("http://h:80"));
        places.want(ONE, &host, 20);
        places.want(TWO, &host, 3);
        assert_eq!(counts(&mut places), [(ONE, limits::HOST_REQUESTS - 3), (TWO, 3)]);
        assert_eq!(counts(&mut places), []);
        places.give_back(TWO, &host, 3);
        assert_eq!(counts(&mut places), [(ONE, 3)]);
        places.want(ONE, &HostKey::from("http://other:80"), 1);
        assert_eq!(counts(&mut places), [(ONE, 1)], "another host has places of its own");
    }

    #[test]
    fn who_asks_again_waits_once_and_who_is_gone_holds_nothing() {
        let (mut places, host) = (HostPlaces::default(), HostKey::from("http://h:80"));
        (0..3).for_each(|_| places.want(ONE, &host, 2));
        assert_eq!(counts(&mut places), [(ONE, 2)]);
        places.want(ONE, &host, limits::HOST_REQUESTS);
        places.want(TWO, &host, 1);
        places.want(ONE, &host, 0);
        assert_eq!(counts(&mut places), [(TWO, 1)]);
        places.want(TWO, &host, 50);
        places.forget(ONE);
        assert_eq!(counts(&mut places), [(TWO, limits::HOST_REQUESTS - 1)]);
        places.forget(TWO);
        assert!(places.hosts.is_empty());
    }
}
