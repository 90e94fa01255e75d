//! Requestable pieces, sorted by what matters.
//!
//! Pieces of equal standing (level, begun or not, availability) share a bucket, in random order, which keeps peers of one
//! swarm from all asking for the same piece. A change takes a piece out of one bucket and puts it into another. Beside the
//! buckets each level has its pieces as a set, written by the same two functions, for word-wise intersection with what a
//! peer has and for walking in the order of the data.

use std::collections::BTreeMap;

use crate::contract::{PieceLevel, PieceSequence};
use crate::engine::bits::Bits;
use crate::units::PieceIndex;

/// What decides a piece's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Ordering {
    /// How much it is wanted; never `Off`.
    pub(in crate::engine) level: PieceLevel,
    /// Whether some blocks are here or on the wire: such pieces come first within their level.
    pub(in crate::engine) partial: bool,
    /// Connected incomplete peers that have it; fewer come first.
    pub(in crate::engine) availability: u16,
}

/// Availabilities told apart; above, all count as common.
const AVAILABILITIES: u16 = 64;
/// Buckets of one level: begun and not begun, by availability.
const LEVEL_BUCKETS: u16 = 2 * AVAILABILITIES;
/// No bucket: the piece is not in the order.
const ABSENT: u16 = u16::MAX;
/// A bucket's vector that is less full than one in this many gives room back.
const SHRINK_AT: usize = 4;
/// From so many pieces on a bucket's vector is kept closer: a million pieces have a bound of bytes each, and doubling
/// would leave up to half of it empty.
const LARGE_BUCKET: usize = 1024;
/// A large bucket's vector grows by one in this many, and is left with as much room when it shrinks.
const LARGE_ROOM_ONE_IN: usize = 8;
/// As `SHRINK_AT`, of a large one.
const LARGE_SHRINK_AT: usize = 2;

/// The order.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct PieceOrder {
    /// The pieces of each bucket that has some; lower buckets come first.
    buckets: BTreeMap<u16, Vec<PieceIndex>>,
    /// Where each piece lies in its bucket; meaningless for absent ones.
    #[serde(skip)]
    position: Vec<u32>,
    /// Which bucket each piece is in, or `ABSENT`.
    #[serde(skip)]
    bucket: Vec<u16>,
    levels: [LevelSet; PieceLevel::WANTED.len()],
    length: u32,
    sequence: PieceSequence,
    /// Counts up at each change that may let a peer find something it did not find before.
    version: u64,
    /// Counts up when a piece enters a level.
    raised: u64,
}

/// The pieces of one level.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct LevelSet {
    members: Bits,
    /// No member lies before this piece.
    from: PieceIndex,
}

impl PieceOrder {
    /// The empty order over `length` pieces.
    pub(in crate::engine) fn new(length: u32) -> Self {
        let none = LevelSet { members: Bits::empty(length), from: PieceIndex(0) };
        Self {
            buckets: BTreeMap::new(),
            position: vec![0; length as usize],
            bucket: vec![ABSENT; length as usize],
            levels: std::array::from_fn(|_| none.clone()),
            length: 0,
            sequence: PieceSequence::default(),
            version: 0,
            raised: 0,
        }
    }

    /// Finds again where each piece lies, which a written order does not say. False where it is not one of `length` pieces.
    pub(in crate::engine) fn place_again(&mut self, length: u32) -> bool {
        self.position = vec![0; length as usize];
        self.bucket = vec![ABSENT; length as usize];
        for (number, pieces) in &self.buckets {
            for (at, piece) in pieces.iter().enumerate() {
                let (Some(bucket), Some(position)) =
                    (self.bucket.get_mut(piece.at()), self.position.get_mut(piece.at()))
                else {
                    return false;
                };
                (*bucket, *position) = (*number, index32(at));
            }
        }
        true
    }

    /// How many pieces are requestable.
    pub(in crate::engine) fn len(&self) -> usize {
        self.length as usize
    }

    /// Whether a piece is requestable.
    pub(in crate::engine) fn has(&self, piece: PieceIndex) -> bool {
        self.bucket.get(piece.at()).is_some_and(|bucket| *bucket != ABSENT)
    }

    /// In which order pieces of equal level go.
    pub(in crate::engine) fn sequence(&self) -> PieceSequence {
        self.sequence
    }

    /// Sets the order in which pieces of equal level go.
    pub(in crate::engine) fn set_sequence(&mut self, sequence: PieceSequence) {
        self.sequence = sequence;
        self.version += 1;
    }

    /// Whether a piece lies where its place says, and in the set of its level alone.
    pub(in crate::engine) fn is_consistent_at(&self, piece: PieceIndex) -> bool {
        let bucket = self.bucket[piece.at()];
        let present = bucket != ABSENT;
        let at = self.position[piece.at()] as usize;
        let listed = || self.buckets.get(&bucket).and_then(|pieces| pieces.get(at)) == Some(&piece);
        let is_level = |slot: usize| present && usize::from(bucket / LEVEL_BUCKETS) == slot;
        let mut levels = self.levels.iter().enumerate();
        (!present || listed()) && levels.all(|(slot, set)| set.members.has(piece) == is_level(slot))
    }

    /// How many pieces have a place in it, counted anew.
    pub(in crate::engine) fn count_placed(&self) -> usize {
        self.bucket.iter().filter(|bucket| **bucket != ABSENT).count()
    }

    /// The requestable pieces of a level as a set.
    pub(in crate::engine) fn members(&self, level: PieceLevel) -> &Bits {
        &self.level_set(level).members
    }

    /// The levels that have requestable pieces, most urgent first.
    pub(in crate::engine) fn levels(&self) -> impl DoubleEndedIterator<Item = PieceLevel> + '_ {
        PieceLevel::WANTED.into_iter().filter(|level| !self.members(*level).is_empty())
    }

    /// Requestable pieces of a set.
    pub(in crate::engine) fn count_in(&self, set: &Bits) -> u32 {
        self.levels().map(|level| self.members(level).count_common(set)).sum()
    }

    /// The least availability of a piece in the order, as far as availabilities are told apart.
    pub(in crate::engine) fn rarest(&self) -> Option<u16> {
        self.buckets.keys().map(|bucket| bucket % AVAILABILITIES).min()
    }

    /// Counts up at each change that may let a peer find something new.
    pub(in crate::engine) fn version(&self) -> u64 {
        self.version
    }

    /// Counts up when a piece enters a level: peers may have something more urgent to give than what is asked of them.
    pub(in crate::engine) fn raised(&self) -> u64 {
        self.raised
    }

    /// Says that a piece already in the order may be asked of somebody of whom it could not be before.
    pub(in crate::engine) fn note_new_opportunity(&mut self) {
        self.version += 1;
    }

    /// Says that a piece that is on the wire already is more urgent than before.
    pub(in crate::engine) fn note_raise(&mut self) {
        self.raised += 1;
    }

    /// Puts a piece in, or moves it to where it now belongs.
    pub(in crate::engine) fn place(
        &mut self,
        piece: PieceIndex,
        ordering: Ordering,
        rng: &mut fastrand::Rng,
    ) {
        let target = bucket_of(ordering);
        let current = self.bucket[piece.at()];
        if current == target {
            return;
        }
        if current == ABSENT {
            self.length += 1;
            self.version += 1;
        } else {
            self.take_out(piece, current);
        }
        if current == ABSENT || level_of(current) != ordering.level {
            self.raised += 1;
            self.set_level(piece, current, target);
        }
        let bucket = self.buckets.entry(target).or_default();
        let other = rng.usize(..=bucket.len());
        if bucket.len() == bucket.capacity() && bucket.len() >= LARGE_BUCKET {
            bucket.reserve_exact(bucket.len() / LARGE_ROOM_ONE_IN);
        }
        bucket.push(piece);
        let last = bucket.len() - 1;
        bucket.swap(other, last);
        self.position[bucket[last].at()] = index32(last);
        self.position[piece.at()] = index32(other);
        self.bucket[piece.at()] = target;
    }

    /// Takes a piece out; nothing happens where it is not in.
    pub(in crate::engine) fn remove(&mut self, piece: PieceIndex) {
        let current = self.bucket[piece.at()];
        if current != ABSENT {
            self.take_out(piece, current);
            self.set_level(piece, current, ABSENT);
            self.bucket[piece.at()] = ABSENT;
            self.length -= 1;
        }
    }

    /// The pieces of a level, begun ones and rare ones first.
    pub(in crate::engine) fn iter(
        &self,
        level: PieceLevel,
        unavailable: Unavailable,
    ) -> impl Iterator<Item = PieceIndex> + '_ {
        let first = first_bucket(level);
        let buckets = self.buckets.range(first..first + LEVEL_BUCKETS);
        let skipped =
            move |bucket: u16| unavailable == Unavailable::Skip && bucket.is_multiple_of(AVAILABILITIES);
        buckets.filter(move |(bucket, _)| !skipped(**bucket)).flat_map(|(_, pieces)| pieces.iter().copied())
    }

    /// The pieces of a level that a peer has, in the order of the data.
    pub(in crate::engine) fn iter_in_order<'a>(
        &'a self,
        level: PieceLevel,
        have: &'a Bits,
    ) -> impl Iterator<Item = PieceIndex> + 'a {
        let set = self.level_set(level);
        set.members.iter_common_from(have, set.from)
    }

    /// The bucket that a piece of this standing is in.
    pub(in crate::engine) fn rank_of(ordering: Ordering) -> u16 {
        bucket_of(ordering)
    }

    /// The bucket of a piece in the order; lower comes first.
    pub(in crate::engine) fn rank(&self, piece: PieceIndex) -> u16 {
        self.bucket[piece.at()]
    }

    /// Bytes that it holds on the heap.
    pub(in crate::engine) fn heap_bytes(&self) -> usize {
        let buckets: usize = self.buckets.values().map(Vec::capacity).sum();
        let levels: usize = self.levels.iter().map(|set| set.members.heap_bytes()).sum();
        (buckets + self.position.capacity()) * size_of::<u32>()
            + self.bucket.capacity() * size_of::<u16>()
            + levels
    }

    fn level_set(&self, level: PieceLevel) -> &LevelSet {
        &self.levels[slot_of(level)]
    }

    /// Takes a piece out of its bucket; the last one of the bucket takes its place.
    fn take_out(&mut self, piece: PieceIndex, bucket: u16) {
        let Some(pieces) = self.buckets.get_mut(&bucket) else { return };
        let at = self.position[piece.at()] as usize;
        pieces.swap_remove(at);
        if let Some(moved) = pieces.get(at) {
            self.position[moved.at()] = index32(at);
        }
        if pieces.is_empty() {
            self.buckets.remove(&bucket);
        } else if pieces.capacity() >= LARGE_BUCKET {
            if pieces.len() < pieces.capacity() / LARGE_SHRINK_AT {
                pieces.shrink_to(pieces.len() + pieces.len() / LARGE_ROOM_ONE_IN);
            }
        } else if pieces.len() < pieces.capacity() / SHRINK_AT {
            pieces.shrink_to(pieces.len() * 2);
        }
    }

    /// Moves a piece from the level of one bucket to that of another.
    fn set_level(&mut self, piece: PieceIndex, from: u16, to: u16) {
        for (bucket, present) in [(from, false), (to, true)] {
            if bucket != ABSENT {
                self.levels[usize::from(bucket / LEVEL_BUCKETS)].set(piece, present);
            }
        }
    }
}

impl LevelSet {
    fn set(&mut self, piece: PieceIndex, present: bool) {
        self.members.set(piece, present);
        if present {
            self.from = self.from.min(piece);
        } else if piece == self.from {
            self.from = self.members.first_from(piece).unwrap_or(PieceIndex(0));
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
    let begun = if ordering.partial { 0 } else { AVAILABILITIES };
    first_bucket(ordering.level) + begun + ordering.availability.min(AVAILABILITIES - 1)
}

fn first_bucket(level: PieceLevel) -> u16 {
    u16::try_from(slot_of(level)).expect("there are a handful of levels") * LEVEL_BUCKETS
}

/// The place of a level among those that are requested. `Off` has none; it is never asked for.
fn slot_of(level: PieceLevel) -> usize {
    PieceLevel::WANTED.iter().position(|wanted| *wanted == level).unwrap_or(PieceLevel::WANTED.len() - 1)
}

/// The level of a bucket of the order.
fn level_of(bucket: u16) -> PieceLevel {
    PieceLevel::WANTED[usize::from(bucket / LEVEL_BUCKETS)]
}

fn index32(at: usize) -> u32 {
    u32::try_from(at).expect("there are at most PIECES_MAX pieces")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ordering(level: PieceLevel, partial: bool, availability: u16) -> Ordering {
        Ordering { level, partial, availability }
    }

    fn all(order: &PieceOrder, unavailable: Unavailable) -> Vec<PieceIndex> {
        order.levels().flat_map(|level| order.iter(level, unavailable)).collect()
    }

    #[test]
    fn higher_level_then_begun_then_rare_comes_first() {
        let mut order = PieceOrder::new(6);
        let mut rng = fastrand::Rng::with_seed(1);
        order.place(PieceIndex(0), ordering(PieceLevel::Low, true, 1), &mut rng);
        order.place(PieceIndex(1), ordering(PieceLevel::Normal, false, 9), &mut rng);
        order.place(PieceIndex(2), ordering(PieceLevel::Normal, false, 2), &mut rng);
        order.place(PieceIndex(3), ordering(PieceLevel::Normal, true, 50), &mut rng);
        order.place(PieceIndex(4), ordering(PieceLevel::High, false, 60), &mut rng);
        order.place(PieceIndex(5), ordering(PieceLevel::Now, false, 63), &mut rng);
        let got: Vec<u32> = all(&order, Unavailable::Include).iter().map(|piece| piece.0).collect();
        assert_eq!(got, [5, 4, 3, 2, 1, 0]);
        assert_eq!(
            order.levels().collect::<Vec<_>>(),
            [PieceLevel::Now, PieceLevel::High, PieceLevel::Normal, PieceLevel::Low]
        );
    }

    #[test]
    fn incomplete_peers_skip_what_only_seeds_have() {
        let mut order = PieceOrder::new(2);
        let mut rng = fastrand::Rng::with_seed(1);
        order.place(PieceIndex(0), ordering(PieceLevel::Normal, false, 0), &mut rng);
        order.place(PieceIndex(1), ordering(PieceLevel::Normal, false, 1), &mut rng);
        assert_eq!(all(&order, Unavailable::Skip), [PieceIndex(1)]);
    }

    #[test]
    fn only_an_arrival_is_new_to_starved_peers_and_only_a_level_is_a_raise() {
        let mut order = PieceOrder::new(2);
        let mut rng = fastrand::Rng::with_seed(1);
        order.place(PieceIndex(0), ordering(PieceLevel::Normal, false, 1), &mut rng);
        let (version, raised) = (order.version(), order.raised());
        order.place(PieceIndex(0), ordering(PieceLevel::Normal, true, 2), &mut rng);
        assert_eq!((order.version(), order.raised()), (version, raised));
        order.place(PieceIndex(0), ordering(PieceLevel::High, true, 2), &mut rng);
        assert_eq!((order.version(), order.raised()), (version, raised + 1));
        order.remove(PieceIndex(0));
        order.place(PieceIndex(0), ordering(PieceLevel::High, true, 2), &mut rng);
        assert_eq!((order.version(), order.raised()), (version + 1, raised + 2));
    }

    /// Places that the buckets have room for, all pieces having gone into the same one.
    fn room(order: &PieceOrder) -> usize {
        order.buckets.values().map(Vec::capacity).sum()
    }

    #[test]
    fn a_bucket_has_little_more_room_than_pieces_and_gives_it_back() {
        // Past a power of two: doubling would leave half of it empty.
        for count in [1_100, 70_000] {
            let mut order = PieceOrder::new(count);
            let mut rng = fastrand::Rng::with_seed(1);
            let alike = ordering(PieceLevel::Normal, false, 1);
            (0..count).for_each(|piece| order.place(PieceIndex(piece), alike, &mut rng));
            let least = count as usize;
            assert!((least..=least + least / LARGE_ROOM_ONE_IN).contains(&room(&order)), "{}", room(&order));
            let heap = order.heap_bytes();
            (1..count / 2 + least as u32 / 8).for_each(|piece| order.remove(PieceIndex(piece)));
            let left = order.len();
            assert!((left..=2 * left).contains(&room(&order)), "{left} pieces in {}", room(&order));
            (1..count - 100).for_each(|piece| order.remove(PieceIndex(piece)));
            assert!((100..=4 * 101).contains(&room(&order)), "101 pieces in {}", room(&order));
            assert!(order.heap_bytes() <= heap - 4 * (least - 4 * 101), "the bytes are those of the room");
        }
    }

    #[test]
    fn those_of_a_set_are_counted_on_all_levels() {
        let mut order = PieceOrder::new(100);
        let mut rng = fastrand::Rng::with_seed(1);
        for piece in 0..60 {
            let level = if piece % 3 == 0 { PieceLevel::High } else { PieceLevel::Low };
            order.place(PieceIndex(piece), ordering(level, false, 1), &mut rng);
        }
        let mut set = Bits::empty(100);
        (50..100).for_each(|piece| {
            set.set(PieceIndex(piece), true);
        });
        assert_eq!((order.count_in(&set), order.count_in(&Bits::full(100))), (10, 60));
    }

    proptest! {
        #[test]
        fn any_sequence_of_changes_equals_sorting_from_scratch(
            steps in prop::collection::vec((0u32..80, 0usize..7, any::<bool>(), 0u16..80), 1..400)
        ) {
            let mut order = PieceOrder::new(80);
            let mut rng = fastrand::Rng::with_seed(7);
            let mut model = BTreeMap::new();
            let full = Bits::full(80);
            for (piece, level, partial, availability) in steps {
                let piece = PieceIndex(piece);
                if let Some(&level) = PieceLevel::WANTED.get(level) {
                    let now = ordering(level, partial, availability);
                    order.place(piece, now, &mut rng);
                    model.insert(piece, now);
                } else {
                    order.remove(piece);
                    model.remove(&piece);
                }
                let ranks: Vec<u16> =
                    all(&order, Unavailable::Include).iter().map(|piece| bucket_of(model[piece])).collect();
                prop_assert!(ranks.is_sorted());
                prop_assert_eq!((ranks.len(), order.len()), (model.len(), model.len()));
                for level in PieceLevel::WANTED {
                    let due: Vec<PieceIndex> =
                        model.iter().filter(|(_, at)| at.level == level).map(|(&piece, _)| piece).collect();
                    prop_assert_eq!(order.iter_in_order(level, &full).collect::<Vec<_>>(), due);
                }
                prop_assert!((0..80).map(PieceIndex).all(|at| order.has(at) == model.contains_key(&at)));
            }
        }
    }
}
