//! Requestable pieces, sorted by what matters, in buckets.
//!
//! The pieces lie in one array, bucket after bucket; a piece that changes bucket is swapped across each border between
//! the two, so that a change costs at most `BUCKETS` swaps and usually one. Inside a bucket the order is random, which
//! keeps peers of one swarm from all asking for the same piece. Membership is the array itself; the bit set beside it
//! is written by the same two functions and serves word-wise intersection with what a peer has.

use crate::contract::Priority;
use crate::engine::bits::Bits;
use crate::units::PieceIndex;

/// What decides a piece's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Ordering {
    /// How much it is wanted; never `Off`.
    pub(in crate::engine) priority: Priority,
    /// Whether some blocks are here or on the wire: such pieces come first within their priority.
    pub(in crate::engine) partial: bool,
    /// Connected incomplete peers that have it; fewer come first.
    pub(in crate::engine) availability: u16,
}

/// Availabilities told apart; above, all count as common.
const AVAILABILITIES: u16 = 64;
/// High, normal and low, each partial or not.
const GROUPS: usize = 6;
const BUCKETS: usize = GROUPS * AVAILABILITIES as usize;
const ABSENT: u32 = u32::MAX;

/// The order.
#[derive(Clone, Debug)]
pub(in crate::engine) struct PieceOrder {
    /// Pieces, bucket after bucket.
    pieces: Vec<PieceIndex>,
    /// Where each piece lies in `pieces`, or `ABSENT`.
    position: Vec<u32>,
    /// Which bucket each piece is in; meaningless for absent ones.
    bucket: Vec<u16>,
    /// Where each bucket starts in `pieces`; one more for the end.
    starts: Vec<u32>,
    members: Bits,
    /// Counts up at each change that may let a peer find something it did not find before.
    version: u64,
}

impl PieceOrder {
    /// The empty order over `length` pieces.
    pub(in crate::engine) fn new(length: u32) -> Self {
        Self {
            pieces: Vec::new(),
            position: vec![ABSENT; length as usize],
            bucket: vec![0; length as usize],
            starts: vec![0; BUCKETS + 1],
            members: Bits::empty(length),
            version: 0,
        }
    }

    /// How many pieces are requestable.
    pub(in crate::engine) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Whether nothing is requestable.
    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The requestable pieces as a set.
    pub(in crate::engine) fn members(&self) -> &Bits {
        &self.members
    }

    /// Counts up at each change that may let a peer find something new.
    pub(in crate::engine) fn version(&self) -> u64 {
        self.version
    }

    /// Says that a block of a piece already in the order became free.
    pub(in crate::engine) fn note_new_opportunity(&mut self) {
        self.version += 1;
    }

    /// Puts a piece in, or moves it to where it now belongs.
    pub(in crate::engine) fn place(
        &mut self,
        piece: PieceIndex,
        ordering: Ordering,
        rng: &mut fastrand::Rng,
    ) {
        let target = bucket_of(ordering);
        if self.position[piece.at()] == ABSENT {
            self.append(piece);
            self.members.set(piece, true);
        } else if self.bucket[piece.at()] == target {
            return;
        }
        self.version += 1;
        self.shift(piece, target);
        self.shuffle_in(piece, rng);
    }

    /// Takes a piece out; nothing happens where it is not in.
    pub(in crate::engine) fn remove(&mut self, piece: PieceIndex) {
        if self.position[piece.at()] == ABSENT {
            return;
        }
        self.shift_to_end(piece);
        self.pieces.pop();
        self.position[piece.at()] = ABSENT;
        self.members.set(piece, false);
    }

    /// The pieces in order. With `skip_unavailable`, pieces that no incomplete peer has are left out.
    pub(in crate::engine) fn iter(&self, unavailable: Unavailable) -> impl Iterator<Item = PieceIndex> + '_ {
        (0..GROUPS).flat_map(move |group| {
            let first = group * AVAILABILITIES as usize;
            let from = match unavailable {
                Unavailable::Include => self.starts[first],
                Unavailable::Skip => self.starts[first + 1],
            };
            let to = self.starts[first + AVAILABILITIES as usize];
            self.pieces[from as usize..to as usize].iter().copied()
        })
    }

    /// The bucket of a piece in the order; lower comes first.
    pub(in crate::engine) fn rank(&self, piece: PieceIndex) -> u16 {
        self.bucket[piece.at()]
    }

    /// Adds a piece behind all others, in the last bucket.
    fn append(&mut self, piece: PieceIndex) {
        let at = self.pieces.len();
        self.pieces.push(piece);
        self.position[piece.at()] = index32(at);
        self.bucket[piece.at()] = bucket16(BUCKETS - 1);
        self.starts[BUCKETS] = index32(at + 1);
    }

    /// Moves a piece from its bucket into `target` by swapping it across each border between.
    fn shift(&mut self, piece: PieceIndex, target: u16) {
        let mut current = self.bucket[piece.at()];
        while current > target {
            let first = self.starts[usize::from(current)];
            self.swap(self.position[piece.at()], first);
            self.starts[usize::from(current)] += 1;
            current -= 1;
        }
        while current < target {
            let last = self.starts[usize::from(current) + 1] - 1;
            self.swap(self.position[piece.at()], last);
            self.starts[usize::from(current) + 1] -= 1;
            current += 1;
        }
        self.bucket[piece.at()] = target;
    }

    /// Moves a piece to the very end and shrinks the last bucket around it.
    fn shift_to_end(&mut self, piece: PieceIndex) {
        self.shift(piece, bucket16(BUCKETS - 1));
        let last = self.starts[BUCKETS] - 1;
        self.swap(self.position[piece.at()], last);
        self.starts[BUCKETS] -= 1;
    }

    /// Swaps a piece with a random one of its bucket.
    fn shuffle_in(&mut self, piece: PieceIndex, rng: &mut fastrand::Rng) {
        let bucket = usize::from(self.bucket[piece.at()]);
        let other = rng.u32(self.starts[bucket]..self.starts[bucket + 1]);
        self.swap(self.position[piece.at()], other);
    }

    fn swap(&mut self, a: u32, b: u32) {
        if a != b {
            self.pieces.swap(a as usize, b as usize);
            self.position[self.pieces[a as usize].at()] = a;
            self.position[self.pieces[b as usize].at()] = b;
        }
    }
}

/// Whether a scan covers pieces that no incomplete peer has (only seeds can give them).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Unavailable {
    /// A seed is asking: it has them.
    Include,
    /// An incomplete peer is asking: it cannot have them.
    Skip,
}

fn bucket_of(ordering: Ordering) -> u16 {
    let level = match ordering.priority {
        Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low | Priority::Off => 2,
    };
    let group = level * 2 + u16::from(!ordering.partial);
    group * AVAILABILITIES + ordering.availability.min(AVAILABILITIES - 1)
}

fn index32(at: usize) -> u32 {
    u32::try_from(at).expect("there are at most PIECES_MAX pieces")
}

fn bucket16(bucket: usize) -> u16 {
    u16::try_from(bucket).expect("BUCKETS fits in 16 bits")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ordering(priority: Priority, partial: bool, availability: u16) -> Ordering {
        Ordering { priority, partial, availability }
    }

    #[test]
    fn higher_priority_then_partial_then_rare_comes_first() {
        let mut order = PieceOrder::new(5);
        let mut rng = fastrand::Rng::with_seed(1);
        order.place(PieceIndex(0), ordering(Priority::Low, true, 1), &mut rng);
        order.place(PieceIndex(1), ordering(Priority::Normal, false, 9), &mut rng);
        order.place(PieceIndex(2), ordering(Priority::Normal, false, 2), &mut rng);
        order.place(PieceIndex(3), ordering(Priority::Normal, true, 50), &mut rng);
        order.place(PieceIndex(4), ordering(Priority::High, false, 60), &mut rng);
        let got: Vec<u32> = order.iter(Unavailable::Include).map(|piece| piece.0).collect();
        assert_eq!(got, [4, 3, 2, 1, 0]);
    }

    #[test]
    fn incomplete_peers_skip_what_only_seeds_have() {
        let mut order = PieceOrder::new(2);
        let mut rng = fastrand::Rng::with_seed(1);
        order.place(PieceIndex(0), ordering(Priority::Normal, false, 0), &mut rng);
        order.place(PieceIndex(1), ordering(Priority::Normal, false, 1), &mut rng);
        assert_eq!(order.iter(Unavailable::Skip).collect::<Vec<_>>(), [PieceIndex(1)]);
    }

    proptest! {
        #[test]
        fn any_sequence_of_changes_equals_sorting_from_scratch(
            steps in prop::collection::vec((0u32..40, 0u8..4, any::<bool>(), 0u16..80), 1..400)
        ) {
            let mut order = PieceOrder::new(40);
            let mut rng = fastrand::Rng::with_seed(7);
            let mut model = std::collections::BTreeMap::new();
            for (piece, level, partial, availability) in steps {
                let piece = PieceIndex(piece);
                let priority = Priority::ALL[usize::from(level)];
                if priority == Priority::Off {
                    order.remove(piece);
                    model.remove(&piece);
                } else {
                    let now = ordering(priority, partial, availability);
                    order.place(piece, now, &mut rng);
                    model.insert(piece, bucket_of(now));
                }
                let ranks: Vec<u16> =
                    order.iter(Unavailable::Include).map(|piece| model[&piece]).collect();
                prop_assert!(ranks.is_sorted());
                prop_assert_eq!(ranks.len(), model.len());
                prop_assert_eq!(order.members().count() as usize, model.len());
            }
        }
    }
}
