//! The scan of the order for one peer: cheap for seeds and for peers with much, bounded for peers with little.

use super::order::{PieceOrder, Unavailable};
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
    ///
    /// Walks the order from its best end. A peer with few pieces would make that walk long, so after
    /// `limits::SCAN_MISSES_MAX` misses the candidates come from intersecting its bits with the order's.
    pub(in crate::engine) fn candidates(&self, order: &PieceOrder, limit: usize) -> Vec<PieceIndex> {
        if self.reverse || order.is_empty() {
            return self.by_intersection(order, limit);
        }
        let unavailable = if self.have.is_full() { Unavailable::Include } else { Unavailable::Skip };
        let mut found = Vec::with_capacity(limit.min(16));
        let mut misses = 0;
        for piece in order.iter(unavailable) {
            if self.have.has(piece) {
                found.push(piece);
                if found.len() == limit {
                    return found;
                }
            } else {
                misses += 1;
                if misses > limits::SCAN_MISSES_MAX {
                    return self.by_intersection(order, limit);
                }
            }
        }
        found
    }

    /// Sorts a bounded number of common pieces by rank; the worst first for a snubbing peer.
    fn by_intersection(&self, order: &PieceOrder, limit: usize) -> Vec<PieceIndex> {
        let mut found: Vec<PieceIndex> =
            self.have.iter_common(order.members()).take(limits::SCAN_CANDIDATES_MAX).collect();
        found.sort_by_key(|&piece| order.rank(piece));
        if self.reverse {
            found.reverse();
        }
        found.truncate(limit);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Priority;
    use crate::engine::picker::Ordering;

    fn order_of(length: u32) -> PieceOrder {
        let mut order = PieceOrder::new(length);
        let mut rng = fastrand::Rng::with_seed(3);
        for piece in 0..length {
            let priority = if piece == length - 1 { Priority::High } else { Priority::Normal };
            order.place(PieceIndex(piece), Ordering { priority, partial: false, availability: 1 }, &mut rng);
        }
        order
    }

    #[test]
    fn a_seed_gets_the_best_pieces() {
        let have = Bits::full(100);
        let found = Scan { have: &have, reverse: false }.candidates(&order_of(100), 3);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], PieceIndex(99));
    }

    #[test]
    fn a_peer_with_one_piece_of_many_gets_it() {
        let mut have = Bits::empty(100_000);
        have.set(PieceIndex(77_777), true);
        let found = Scan { have: &have, reverse: false }.candidates(&order_of(100_000), 3);
        assert_eq!(found, [PieceIndex(77_777)]);
    }

    #[test]
    fn a_snubbing_peer_is_given_the_far_end() {
        let have = Bits::full(100);
        let found = Scan { have: &have, reverse: true }.candidates(&order_of(100), 100);
        assert_eq!(*found.last().unwrap(), PieceIndex(99));
    }
}
