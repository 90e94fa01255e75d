//! Addresses of peers, and whom to call next.
//!
//! Calls are paced, failures back off, and an address that keeps failing is forgotten unless a person named it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::contract::PeerSource;
use crate::limits;
use crate::units::Time;

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Standing {
    /// May be called from this instant on.
    Idle(Time),
    /// Being called.
    Calling,
    /// A connection is up.
    Connected,
    /// Never to be called: it is ourselves, or banned.
    Never,
}

#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
struct Known {
    source: PeerSource,
    fails: u32,
    /// It had everything when it was last seen.
    seed: bool,
    standing: Standing,
}

/// The address book of one torrent.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct KnownPeers {
    peers: BTreeMap<SocketAddr, Known>,
    calling: u32,
    /// The earliest instant of the next call, so that calls are paced.
    next_call_at: Time,
    /// What `due` found last; `None` after a change.
    due: Option<(Seeds, Option<Time>)>,
}

impl KnownPeers {
    /// Addresses became known; unusable ones are left out. In a full book those that failed make room, so that a swarm of
    /// dead addresses does not keep the living out.
    pub(in crate::engine) fn found(&mut self, now: Time, source: PeerSource, addresses: &[SocketAddr]) {
        self.due = None;
        let mut failed = None;
        for &address in addresses {
            if address.port() == 0 || address.ip().is_unspecified() || address.ip().is_multicast() {
                continue;
            }
            if let Some(known) = self.peers.get_mut(&address) {
                if source == PeerSource::Manual {
                    known.source = source;
                    if let Standing::Idle(at) = &mut known.standing {
                        *at = now;
                    }
                }
                continue;
            }
            if self.peers.len() >= limits::KNOWN_PEERS_MAX {
                let Some(old) = failed.get_or_insert_with(|| self.failed_ones()).pop() else { continue };
                self.peers.remove(&old);
            }
            let new = Known { source, fails: 0, seed: false, standing: Standing::Idle(now) };
            self.peers.insert(address, new);
        }
    }

    /// Addresses that failed and wait for another try, those named by a person aside.
    fn failed_ones(&self) -> Vec<SocketAddr> {
        let waits = |known: &Known| known.fails > 0 && matches!(known.standing, Standing::Idle(_));
        let given_up =
            self.peers.iter().filter(|(_, known)| waits(known) && known.source != PeerSource::Manual);
        given_up.map(|(&address, _)| address).collect()
    }

    /// How many are known that may ever be called.
    pub(in crate::engine) fn count(&self) -> u32 {
        let others = self.peers.values().filter(|known| known.standing != Standing::Never).count();
        u32::try_from(others).unwrap_or(u32::MAX)
    }

    /// Whether `test` holds for an address that may be called.
    pub(in crate::engine) fn any(&self, test: impl Fn(SocketAddr) -> bool) -> bool {
        self.peers.iter().any(|(address, known)| known.standing != Standing::Never && test(*address))
    }

    /// How many are being called.
    pub(in crate::engine) fn calling(&self) -> u32 {
        self.calling
    }

    /// How a peer came to us.
    pub(in crate::engine) fn source(&self, address: SocketAddr) -> PeerSource {
        self.peers.get(&address).map_or(PeerSource::Incoming, |known| known.source)
    }

    /// The next address to call, if the pace and the number of half-open connections allow one.
    pub(in crate::engine) fn next_call(
        &mut self,
        now: Time,
        seeds: Seeds,
        allowed: impl Fn(SocketAddr) -> bool,
    ) -> Option<SocketAddr> {
        if self.due(seeds).is_none_or(|due| now < due) || self.calling >= limits::HALF_OPEN_MAX {
            return None;
        }
        let ready = |known: &Known| {
            let wanted = seeds == Seeds::Call || !known.seed;
            wanted && matches!(known.standing, Standing::Idle(at) if at <= now)
        };
        // Left ready, these would be due for ever and the owner would never sleep.
        for (address, known) in &mut self.peers {
            if ready(known) && !allowed(*address) {
                known.standing = Standing::Never;
                self.due = None;
            }
        }
        let order = |(_, known): &(&SocketAddr, &Known)| (known.source != PeerSource::Manual, known.fails);
        let next = self.peers.iter().filter(|(_, known)| ready(known)).min_by_key(order);
        let Some(address) = next.map(|(&address, _)| address) else {
            // Looked at anew now, so that the owner need not wake for it.
            self.due(seeds);
            return None;
        };
        self.due = None;
        self.peers.get_mut(&address)?.standing = Standing::Calling;
        self.calling += 1;
        self.next_call_at = self.next_call_at.max(now) + limits::CONNECT_PACE;
        Some(address)
    }

    /// When the next call may be due, as of the last [`Self::next_call`]; `None` where nobody is left to call.
    pub(in crate::engine) fn next_call_at(&self) -> Option<Time> {
        if self.calling >= limits::HALF_OPEN_MAX {
            return None;
        }
        match self.due {
            Some((_, due)) => due,
            // Something changed since: look at once.
            None => Some(self.next_call_at),
        }
    }

    /// When the next call is due, from all addresses; kept until one of them changes.
    fn due(&mut self, seeds: Seeds) -> Option<Time> {
        if let Some((for_seeds, due)) = self.due
            && for_seeds == seeds
        {
            return due;
        }
        let idle = self.peers.values().filter(|known| seeds == Seeds::Call || !known.seed);
        let due = idle.filter_map(|known| match known.standing {
            Standing::Idle(at) => Some(at),
            Standing::Calling | Standing::Connected | Standing::Never => None,
        });
        let due = due.min().map(|at| at.max(self.next_call_at));
        self.due = Some((seeds, due));
        due
    }

    /// A call did not come through.
    pub(in crate::engine) fn failed(&mut self, now: Time, address: SocketAddr) {
        self.end_call(address);
        self.back_off(now, address);
    }

    /// The peer at this address has everything.
    pub(in crate::engine) fn is_seed(&mut self, address: SocketAddr) {
        if let Some(known) = self.peers.get_mut(&address) {
            known.seed = true;
            self.due = None;
        }
    }

    /// A connection is up, whoever called.
    pub(in crate::engine) fn connected(&mut self, address: SocketAddr) {
        self.end_call(address);
        if let Some(known) = self.peers.get_mut(&address) {
            known.standing = Standing::Connected;
        }
    }

    /// A connection ended. One that was useful may be called again soon.
    pub(in crate::engine) fn disconnected(&mut self, now: Time, address: SocketAddr, usefulness: Usefulness) {
        if let Some(known) = self.peers.get_mut(&address)
            && known.standing == Standing::Connected
        {
            if usefulness == Usefulness::Useful {
                known.fails = 0;
            }
            self.back_off(now, address);
        }
    }

    /// The address turned out to be our own.
    pub(in crate::engine) fn is_ourselves(&mut self, address: SocketAddr) {
        self.end_call(address);
        if let Some(known) = self.peers.get_mut(&address) {
            known.standing = Standing::Never;
        }
    }

    /// Nobody is being called any more (pause).
    pub(in crate::engine) fn end_all_calls(&mut self, now: Time) {
        self.due = None;
        self.calling = 0;
        for known in self.peers.values_mut() {
            if known.standing != Standing::Never {
                // It was us who hung up: nobody's failure, and nothing to back off from.
                *known = Known { fails: 0, standing: Standing::Idle(now), ..*known };
            }
        }
    }

    /// Addresses worth calling first in the next run.
    pub(in crate::engine) fn for_resume(&self) -> Vec<SocketAddr> {
        let alive = self.peers.iter().filter(|(_, known)| known.standing == Standing::Connected);
        alive.map(|(&address, _)| address).take(limits::RESUME_PEERS_MAX).collect()
    }

    /// All addresses that may ever be called, by how each became known.
    pub(in crate::engine) fn by_source(&self) -> BTreeMap<PeerSource, Vec<SocketAddr>> {
        let mut by_source: BTreeMap<PeerSource, Vec<SocketAddr>> = BTreeMap::new();
        for (&address, known) in self.peers.iter().filter(|(_, known)| known.standing != Standing::Never) {
            by_source.entry(known.source).or_default().push(address);
        }
        by_source
    }

    fn end_call(&mut self, address: SocketAddr) {
        self.due = None;
        if let Some(known) = self.peers.get_mut(&address)
            && known.standing == Standing::Calling
        {
            self.calling = self.calling.saturating_sub(1);
            known.standing = Standing::Idle(Time::ZERO);
        }
    }

    fn back_off(&mut self, now: Time, address: SocketAddr) {
        self.due = None;
        let Some(known) = self.peers.get_mut(&address) else { return };
        if known.standing == Standing::Never {
            return;
        }
        known.fails += 1;
        let by_hand = known.source == PeerSource::Manual;
        if known.fails >= limits::CONNECT_FAILS_MAX && !by_hand {
            self.peers.remove(&address);
            return;
        }
        known.standing = Standing::Idle(now + retry_after(known.fails, by_hand));
    }
}

/// Whether peers that have everything are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) enum Seeds {
    /// They are.
    Call,
    /// They are not: we have everything too.
    Skip,
}

/// Whether a connection that ended had carried payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Usefulness {
    /// It had.
    Useful,
    /// It had not.
    Useless,
}

/// A peer named by a person is tried again soon; others wait longer with each failure.
fn retry_after(fails: u32, by_hand: bool) -> Duration {
    if by_hand {
        (limits::RECONNECT_BY_HAND * fails).min(limits::RECONNECT_BY_HAND_MAX)
    } else {
        limits::RECONNECT * fails
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 6881))
    }

    #[test]
    fn calls_are_paced() {
        let mut known = KnownPeers::default();
        known.found(Time::ZERO, PeerSource::Tracker, &[address(1), address(2)]);
        assert!(known.next_call(Time::ZERO, Seeds::Call, |_| true).is_some());
        assert!(known.next_call(Time::ZERO, Seeds::Call, |_| true).is_none());
        assert_eq!(known.next_call_at(), Some(Time::ZERO + limits::CONNECT_PACE));
        assert!(known.next_call(Time::ZERO + limits::CONNECT_PACE, Seeds::Call, |_| true).is_some());
    }

    #[test]
    fn a_forbidden_address_is_not_waited_for() {
        let mut known = KnownPeers::default();
        known.found(Time::ZERO, PeerSource::Tracker, &[address(1)]);
        assert!(known.next_call(Time::ZERO, Seeds::Call, |_| false).is_none());
        assert!(known.next_call(Time::ZERO, Seeds::Call, |_| false).is_none());
        assert_eq!((known.next_call_at(), known.count()), (None, 0));
    }

    #[test]
    fn a_dead_address_is_forgotten_but_not_one_named_by_hand() {
        let mut known = KnownPeers::default();
        known.found(Time::ZERO, PeerSource::Tracker, &[address(1)]);
        known.found(Time::ZERO, PeerSource::Manual, &[address(2)]);
        let mut now = Time::ZERO;
        for _ in 0..100 {
            now = now + Duration::from_secs(600);
            while let Some(called) = known.next_call(now, Seeds::Call, |_| true) {
                known.failed(now, called);
                now = now + limits::CONNECT_PACE;
            }
        }
        assert_eq!(known.count(), 1);
        assert_eq!(known.source(address(2)), PeerSource::Manual);
        assert_eq!(known.calling(), 0);
    }

    #[test]
    fn after_a_pause_everyone_is_called_at_once() {
        let mut known = KnownPeers::default();
        known.found(Time::ZERO, PeerSource::Tracker, &[address(1)]);
        assert!(known.next_call(Time::ZERO, Seeds::Call, |_| true).is_some());
        known.connected(address(1));
        known.disconnected(Time::ZERO, address(1), Usefulness::Useful);
        let soon = Time::ZERO + Duration::from_secs(2);
        assert!(known.next_call(soon, Seeds::Call, |_| true).is_none(), "it backs off");
        known.end_all_calls(soon);
        assert_eq!(known.next_call(soon, Seeds::Call, |_| true), Some(address(1)));
    }

    #[test]
    fn unusable_addresses_are_left_out() {
        let mut known = KnownPeers::default();
        let bad = [SocketAddr::from(([10, 0, 0, 1], 0)), SocketAddr::from(([0, 0, 0, 0], 80))];
        known.found(Time::ZERO, PeerSource::Tracker, &bad);
        assert_eq!(known.count(), 0);
        assert!(known.next_call(Time::ZERO, Seeds::Call, |_| true).is_none());
        assert_eq!(known.next_call_at(), None);
    }

    #[test]
    fn a_complete_torrent_does_not_call_seeds() {
        let mut known = KnownPeers::default();
        known.found(Time::ZERO, PeerSource::Tracker, &[address(1)]);
        known.is_seed(address(1));
        assert!(known.next_call(Time::ZERO, Seeds::Skip, |_| true).is_none());
        assert_eq!(known.next_call_at(), None);
        assert_eq!(known.next_call(Time::ZERO, Seeds::Call, |_| true), Some(address(1)));
    }
}
