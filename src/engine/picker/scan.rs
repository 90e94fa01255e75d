//! The scan of the order for one peer: cheap for seeds and for peers with much, bounded for peers with little.

use super::order::{PieceOrder, Unavailable};
use crate::contract::{PieceLevel, PieceSequence};
use crate::engine::bits::Bits;
use crate::limits;
use crate::units::PieceIndex;

/// What one peer can give.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Scan<'a> {
    /// The pieces it has.
    pub(in crate::engine) have: &'a Bits,
    /// It snubbed us: it is given pieces from the far end, so that it never holds a nearly done one.
    pub(in crate::engine) reverse: bool,
}

impl Scan<'_> {
    /// Requestable pieces that the peer has, best first, at most `limit` of them.
    pub(in crate::engine) fn candidates(&self, order: &PieceOrder, limit: usize) -> Vec<PieceIndex> {
        let mut found = Vec::with_capacity(limit.min(16));
        if self.reverse {
            for level in order.levels().rev() {
                let mut of_level = self.by_intersection(order, level);
                of_level.reverse();
                found.extend(of_level);
            }
            found.truncate(limit);
            return found;
        }
        for level in order.levels() {
            self.of_level(order, level, limit, &mut found);
            if found.len() >= limit {
                break;
            }
        }
        found
    }

    /// Adds pieces of one level, best first, until there are `limit`.
    ///
    /// Walks the order from its best end. A peer with few pieces would make that walk long, so after
    /// `limits::SCAN_MISSES_MAX` misses the candidates come from intersecting its bits with the level's.
    fn of_level(&self, order: &PieceOrder, level: PieceLevel, limit: usize, found: &mut Vec<PieceIndex>) {
        let before = found.len();
        // A reader takes its pieces in the order of the data, whatever the torrent's order is.
        let for_a_reader = matches!(level, PieceLevel::Now | PieceLevel::Ahead);
        if for_a_reader || order.sequence() == PieceSequence::InOrder {
            found.extend(order.iter_in_order(level, self.have).take(limit - before));
            return;
        }
        let unavailable = if self.have.is_full() { Unavailable::Include } else { Unavailable::Skip };
        let mut misses = 0;
        for piece in order.iter(level, unavailable) {
            if self.have.has(piece) {
                found.push(piece);
                if found.len() == limit {
                    return;
                }
            } else {
                misses += 1;
                if misses > limits::SCAN_MISSES_MAX {
                    found.truncate(before);
                    found.extend(self.by_intersection(order, level));
                    found.truncate(limit);
                    return;
                }
            }
        }
    }

    /// A bounded number of common pieces of a level, sorted by rank.
    fn by_intersection(&self, order: &PieceOrder, level: PieceLevel) -> Vec<PieceIndex> {
        let common = order.iter_in_order(level, self.have);
        let mut found: Vec<PieceIndex> = common.take(limits::SCAN_CANDIDATES_MAX).collect();
        found.sort_by_key(|&piece| order.rank(piece));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::picker::Ordering;

    fn order_of(length: u32) -> PieceOrder {
        let mut order = PieceOrder::new(length);
        let mut rng = fastrand::Rng::with_seed(3);
        for piece in 0..length {
            let level = if piece == length - 1 { PieceLevel::High } else { PieceLevel::Normal };
            order.place(PieceIndex(piece), Ordering { level, partial: false, availability: 1 }, &mut rng);
        }
        order
    }

    #[test]
    fn a_seed_gets_the_best_pieces() {
        let have = Bits::full(100);
        let found = Scan { have: &have, reverse: false }.candidates(&order_of(100), 3);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], PieceIndex(99));
        let one = Scan { have: &have, reverse: false }.candidates(&order_of(100), 1);
        assert_eq!(one, [PieceIndex(99)], "the next level has nothing to give to a full hand");
    }

    #[test]
    fn a_peer_with_one_piece_of_many_gets_it() {
        let mut have = Bits::empty(100_000);
        have.set(PieceIndex(77_777), true);
        let found = Scan { have: &have, reverse: false }.candidates(&order_of(100_000), 3);
        assert_eq!(found, [PieceIndex(77_777)]);
    }

    #[test]
    fn a_raised_piece_comes_first_however_many_ordinary_ones_a_peer_has_before_it() {
        // Every other piece, so that the walk misses often and the intersection is cut at its bound.
        let length = 100_000;
        let mut have = Bits::empty(length);
        (0..length).filter(|piece| piece % 300 == 0).for_each(|piece| {
            have.set(PieceIndex(piece), true);
        });
        have.set(PieceIndex(length - 1), true);
        let found = Scan { have: &have, reverse: false }.candidates(&order_of(length), 1);
        assert_eq!(found, [PieceIndex(length - 1)]);
    }

    #[test]
    fn in_order_means_in_order_within_a_level() {
        let mut order = order_of(1000);
        order.set_sequence(PieceSequence::InOrder);
        let mut have = Bits::full(1000);
        have.set(PieceIndex(1), false);
        let found = Scan { have: &have, reverse: false }.candidates(&order, 4);
        assert_eq!(found, [999, 0, 2, 3].map(PieceIndex));
    }

    #[test]
    fn no_more_are_given_than_asked_for_and_the_rarest_of_few_come_first() {
        let length = 10_000;
        let mut order = PieceOrder::new(length);
        let mut rng = fastrand::Rng::with_seed(3);
        for piece in 0..length {
            let availability = u16::try_from(1 + piece % 7).unwrap();
            let ordering = Ordering { level: PieceLevel::Normal, partial: false, availability };
            order.place(PieceIndex(piece), ordering, &mut rng);
        }
        // So few that the walk from the best end gives up.
        let mut have = Bits::empty(length);
        [13, 5_004, 9_998, 7_000].into_iter().for_each(|piece| {
            have.set(PieceIndex(piece), true);
        });
        // This one is found before it does.
        let best = order.iter(PieceLevel::Normal, Unavailable::Include).next().unwrap();
        have.set(best, true);
        let found = |reverse, limit| Scan { have: &have, reverse }.candidates(&order, limit);
        let ranks = |found: &[PieceIndex]| found.iter().map(|piece| order.rank(*piece)).collect::<Vec<_>>();
        let three = found(false, 3);
        assert_eq!(three.len(), 3);
        assert!(ranks(&three).is_sorted());
        let all: std::collections::BTreeSet<_> = found(false, 50).into_iter().collect();
        assert_eq!((all.len(), found(false, 50).len()), (5, 5), "each of them once");
        let from_the_end = found(true, 2);
        assert_eq!(from_the_end.len(), 2);
        assert!(
            ranks(&from_the_end)
                .iter()
                .all(|rank| *rank >= *ranks(&found(false, 5)).iter().max().unwrap() - 1)
        );
    }

    #[test]
    fn a_snubbing_peer_is_given_the_far_end() {
        let have = Bits::full(100);
        let found = Scan { have: &have, reverse: true }.candidates(&order_of(100), 100);
        assert_eq!(found.len(), 100);
        assert_eq!(*found.last().unwrap(), PieceIndex(99));
    }
}
