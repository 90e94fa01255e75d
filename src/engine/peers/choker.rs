//! Who may download from us: rounds of 15 s, one peer in turn every 30 s.
//!
//! While downloading, those who give us most are unchoked; while seeding, those who take fastest, with those unchoked
//! longest ago moved up, so that slots go round. Free slots are given at once, not at the next round.

use std::cmp::Reverse;

use crate::limits;
use crate::units::{ConnectionId, Rate, Time};

/// What the choker looks at for one connection.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Candidate {
    pub(in crate::engine) connection: ConnectionId,
    pub(in crate::engine) interested: bool,
    pub(in crate::engine) unchoked: bool,
    pub(in crate::engine) snubbed: bool,
    /// What it gives us while we download, what it takes while we seed.
    pub(in crate::engine) rate: Rate,
    pub(in crate::engine) unchoked_at: Option<Time>,
}

/// The round's clock and the connection whose turn it is.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Choker {
    next_round_at: Time,
    next_optimistic_at: Time,
    optimistic: Option<ConnectionId>,
}

impl Choker {
    pub(in crate::engine) fn next_round_at(&self) -> Time {
        self.next_round_at
    }

    pub(in crate::engine) fn optimistic(&self) -> Option<ConnectionId> {
        self.optimistic
    }

    /// Whether a peer that has just become interested may be unchoked at once, where so many take from us already.
    pub(in crate::engine) fn has_free_slot(served: usize) -> bool {
        served < limits::UPLOAD_SLOTS
    }

    /// If a round is due: the connections that are to be unchoked; all others are to be choked.
    pub(in crate::engine) fn round(
        &mut self,
        now: Time,
        candidates: &[Candidate],
        rng: &mut fastrand::Rng,
    ) -> Option<Vec<ConnectionId>> {
        if now < self.next_round_at {
            return None;
        }
        self.next_round_at = now + limits::CHOKE_ROUND;
        let mut ranked: Vec<&Candidate> = candidates.iter().filter(|peer| peer.interested).collect();
        ranked.sort_by_key(|peer| (peer.snubbed, Reverse(peer.rate), peer.unchoked_at, peer.connection));
        self.turn_optimistic(now, &ranked, rng);
        let mut chosen: Vec<ConnectionId> = self.optimistic.into_iter().collect();
        let by_rate = ranked.iter().map(|peer| peer.connection).filter(|peer| Some(*peer) != self.optimistic);
        chosen.extend(by_rate.take(limits::UPLOAD_SLOTS - chosen.len()));
        Some(chosen)
    }

    /// Every `limits::OPTIMISTIC_ROUND`, or when its holder is gone, the extra slot goes to a random peer that the
    /// rates would leave out.
    fn turn_optimistic(&mut self, now: Time, ranked: &[&Candidate], rng: &mut fastrand::Rng) {
        let held = self.optimistic.is_some_and(|held| ranked.iter().any(|peer| peer.connection == held));
        if held && now < self.next_optimistic_at {
            return;
        }
        self.next_optimistic_at = now + limits::OPTIMISTIC_ROUND;
        let left_out = ranked.get(limits::UPLOAD_SLOTS - 1..).unwrap_or_default();
        self.optimistic = rng.choice(left_out).map(|peer| peer.connection);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn crowd(count: u64) -> Vec<Candidate> {
        let peer = |id| Candidate {
            connection: ConnectionId(id),
            interested: true,
            unchoked: false,
            snubbed: false,
            rate: Rate(id * 1000),
            unchoked_at: None,
        };
        (1..=count).map(peer).collect()
    }

    #[test]
    fn the_best_givers_and_one_other_are_unchoked() {
        let mut choker = Choker::default();
        let mut rng = fastrand::Rng::with_seed(1);
        let chosen = choker.round(Time::ZERO, &crowd(50), &mut rng).unwrap();
        assert_eq!(chosen.len(), limits::UPLOAD_SLOTS);
        assert!(chosen.contains(&ConnectionId(50)));
        assert!(choker.optimistic().is_some_and(|turn| turn.0 <= 50 - limits::UPLOAD_SLOTS as u64 + 1));
        assert!(choker.round(Time::ZERO, &crowd(50), &mut rng).is_none());
    }

    #[test]
    fn everyone_gets_a_turn() {
        let mut choker = Choker::default();
        let mut rng = fastrand::Rng::with_seed(2);
        let mut seen = BTreeSet::new();
        let mut now = Time::ZERO;
        for _ in 0..400 {
            seen.extend(choker.round(now, &crowd(20), &mut rng).unwrap_or_default());
            now = now + limits::CHOKE_ROUND;
        }
        assert_eq!(seen.len(), 20);
    }
}
