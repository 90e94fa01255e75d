//! A set of pieces as bits, laid out so that its words are the wire's bitfield (BEP 3: high bit first).
//!
//! Set operations run over whole words: a million pieces are 16 thousand words, a few microseconds.

use crate::units::PieceIndex;

/// A fixed-size set of piece indices. A set made empty or full holds no words until a piece changes, so a seed's set
/// costs nothing, however many pieces there are.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Bits {
    /// None while every piece is alike.
    words: Vec<u64>,
    length: u32,
    ones: u32,
}

/// Bytes that are not a bitfield of the expected number of pieces (BEP 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::engine) enum BadBitfield {
    /// Too short or too long.
    #[error("bitfield of {got} bytes where {expected} were due")]
    Length {
        /// Bytes received.
        got: usize,
        /// Bytes due.
        expected: usize,
    },
    /// A bit beyond the last piece is set.
    #[error("bitfield with spare bits set")]
    SpareBits,
}

impl Bits {
    /// The empty set over `length` pieces.
    pub(in crate::engine) fn empty(length: u32) -> Self {
        Self { words: Vec::new(), length, ones: 0 }
    }

    /// The full set over `length` pieces.
    pub(in crate::engine) fn full(length: u32) -> Self {
        Self { words: Vec::new(), length, ones: length }
    }

    /// Reads a wire bitfield, strictly.
    pub(in crate::engine) fn from_wire(bytes: &[u8], length: u32) -> Result<Self, BadBitfield> {
        let expected = length.div_ceil(8) as usize;
        if bytes.len() != expected {
            return Err(BadBitfield::Length { got: bytes.len(), expected });
        }
        let words: Vec<u64> = bytes
            .chunks(8)
            .map(|chunk| match chunk.first_chunk() {
                Some(whole) => u64::from_be_bytes(*whole),
                None => {
                    let mut padded = [0; 8];
                    padded[..chunk.len()].copy_from_slice(chunk);
                    u64::from_be_bytes(padded)
                }
            })
            .collect();
        let full = Self::full(length);
        if words.last().is_some_and(|last| last & !full.word(words.len() - 1) != 0) {
            return Err(BadBitfield::SpareBits);
        }
        let ones = words.iter().map(|word| word.count_ones()).sum();
        if ones == 0 || ones == length {
            return Ok(Self { words: Vec::new(), length, ones });
        }
        Ok(Self { words, length, ones })
    }

    /// The wire bitfield.
    pub(in crate::engine) fn to_wire(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.all_words().flat_map(u64::to_be_bytes).collect();
        bytes.truncate(self.length.div_ceil(8) as usize);
        bytes
    }

    /// How many pieces are in it.
    pub(in crate::engine) fn count(&self) -> u32 {
        self.ones
    }

    /// Whether no piece is in it.
    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.ones == 0
    }

    /// Whether every piece is in it.
    pub(in crate::engine) fn is_full(&self) -> bool {
        self.ones == self.length
    }

    /// Whether `piece` is in it; false beyond the range.
    pub(in crate::engine) fn has(&self, piece: PieceIndex) -> bool {
        match self.words.get(piece.at() / 64) {
            Some(word) => word & bit(piece) != 0,
            None => self.words.is_empty() && self.is_full() && piece.0 < self.length,
        }
    }

    /// Puts `piece` in or takes it out; says whether that changed anything. Beyond the range: no change.
    pub(in crate::engine) fn set(&mut self, piece: PieceIndex, present: bool) -> bool {
        if piece.0 >= self.length || self.has(piece) == present {
            return false;
        }
        if self.words.is_empty() {
            self.words = self.all_words().collect();
        }
        self.words[piece.at() / 64] ^= bit(piece);
        if present {
            self.ones += 1;
        } else {
            self.ones -= 1;
        }
        true
    }

    /// The pieces in it, ascending.
    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        self.all_words().enumerate().flat_map(|(at, word)| ones_of(at, word))
    }

    /// The pieces in both, ascending, from the word that holds `from` on.
    pub(in crate::engine) fn iter_common_from<'a>(
        &'a self,
        other: &'a Self,
        from: PieceIndex,
    ) -> impl Iterator<Item = PieceIndex> + 'a {
        self.common_words(other, from.at() / 64).flat_map(|(at, word)| ones_of(at, word))
    }

    /// The first piece in it that is not before `from`.
    pub(in crate::engine) fn first_from(&self, from: PieceIndex) -> Option<PieceIndex> {
        let found = (from.at() / 64..self.word_count()).flat_map(|at| ones_of(at, self.word(at)));
        found.into_iter().find(|piece| *piece >= from)
    }

    /// The pieces in this one and not in the other, ascending.
    pub(in crate::engine) fn iter_beyond<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = PieceIndex> + 'a {
        (0..self.word_count()).flat_map(|at| ones_of(at, self.word(at) & !other.word(at)))
    }

    /// Whether any piece is in both. `hint` is a word where one was found last time, tried first and updated.
    pub(in crate::engine) fn intersects(&self, other: &Self, hint: &mut usize) -> bool {
        if self.is_empty() || other.is_empty() {
            return false;
        }
        if self.word(*hint) & other.word(*hint) != 0 {
            return true;
        }
        // What lay at the hint is gone; the next is more often behind it than before it.
        let beyond = self.common_words(other, *hint).next();
        match beyond.or_else(|| self.common_words(other, 0).next()) {
            Some((at, _)) => {
                *hint = at;
                true
            }
            None => false,
        }
    }

    /// How many pieces of a range are in it.
    pub(in crate::engine) fn count_in(&self, pieces: std::ops::Range<u32>) -> u32 {
        let (from, to) = (pieces.start.min(self.length), pieces.end.min(self.length));
        if from >= to {
            return 0;
        }
        let (first, last) = (from as usize / 64, (to - 1) as usize / 64);
        let within = |at: usize| {
            let head = if at == first { u64::MAX >> (from % 64) } else { u64::MAX };
            let tail = if at == last { u64::MAX << (63 - (to - 1) % 64) } else { u64::MAX };
            head & tail
        };
        (first..=last).map(|at| (self.word(at) & within(at)).count_ones()).sum()
    }

    /// How many pieces are in both.
    pub(in crate::engine) fn count_common(&self, other: &Self) -> u32 {
        self.common_words(other, 0).map(|(_, word)| word.count_ones()).sum()
    }

    /// The pieces in any of these sets over `length` pieces.
    pub(in crate::engine) fn union_of<'a>(length: u32, sets: impl Iterator<Item = &'a Self> + Clone) -> Self {
        if sets.clone().any(Self::is_full) {
            return Self::full(length);
        }
        let mut union = Self::empty(length);
        for set in sets.filter(|set| !set.is_empty()) {
            if union.words.is_empty() {
                union.words.clone_from(&set.words);
            } else {
                union.words.iter_mut().zip(&set.words).for_each(|(word, more)| *word |= more);
            }
            union.ones = 1;
        }
        union.ones = union.words.iter().map(|word| word.count_ones()).sum();
        union
    }

    /// Whether both agree on every piece of this range, which begins and ends at whole words (or at the end).
    pub(in crate::engine) fn is_same_in(&self, other: &Self, pieces: std::ops::Range<u32>) -> bool {
        let words = pieces.start as usize / 64..(pieces.end as usize).div_ceil(64);
        if self.length != other.length {
            return false;
        }
        match (self.words.get(words.clone()), other.words.get(words.clone())) {
            (Some(one), Some(two)) => one == two,
            _ if self.words.is_empty() && other.words.is_empty() => self.ones == other.ones,
            _ => words.into_iter().all(|at| self.word(at) == other.word(at)),
        }
    }

    /// Bytes that it holds on the heap.
    pub(in crate::engine) fn heap_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }

    /// The words from `from` on in which both have a piece, with the pieces of both. Goes over the words themselves, for a
    /// peer with little has many without.
    fn common_words<'a>(&'a self, other: &'a Self, from: usize) -> impl Iterator<Item = (usize, u64)> + 'a {
        let (mine, theirs): (&[u64], &[u64]) = match (&self.words[..], &other.words[..]) {
            _ if self.is_empty() || other.is_empty() => (&[], &[]),
            ([], theirs) => (theirs, theirs),
            (mine, []) => (mine, mine),
            both => both,
        };
        let both_full =
            self.words.is_empty() && other.words.is_empty() && !self.is_empty() && !other.is_empty();
        let of_full = from..if both_full { self.word_count() } else { 0 };
        let of_words = mine.iter().zip(theirs).map(|(mine, theirs)| mine & theirs).enumerate().skip(from);
        let all = of_words.chain(of_full.map(|at| (at, self.word(at))));
        all.filter(|(_, word)| *word != 0)
    }

    fn word_count(&self) -> usize {
        self.length.div_ceil(64) as usize
    }

    fn all_words(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.word_count()).map(|at| self.word(at))
    }

    /// The word at `at`; zero beyond the range.
    fn word(&self, at: usize) -> u64 {
        if let Some(&word) = self.words.get(at) {
            return word;
        }
        let alike = self.words.is_empty() && self.is_full() && at < self.word_count();
        match alike {
            false => 0,
            true if at + 1 == self.word_count() && !self.length.is_multiple_of(64) => {
                u64::MAX << (64 - self.length % 64)
            }
            true => u64::MAX,
        }
    }
}

impl PartialEq for Bits {
    fn eq(&self, other: &Self) -> bool {
        self.length == other.length && self.ones == other.ones && self.all_words().eq(other.all_words())
    }
}

impl Eq for Bits {}

/// The bit of `piece` in its word.
fn bit(piece: PieceIndex) -> u64 {
    1 << (63 - piece.0 % 64)
}

/// The pieces whose bits are set in the word at `at`, ascending.
fn ones_of(at: usize, mut word: u64) -> impl Iterator<Item = PieceIndex> {
    std::iter::from_fn(move || {
        if word == 0 {
            return None;
        }
        let lead = word.leading_zeros();
        word &= !(1 << (63 - lead));
        u32::try_from(at * 64).ok().map(|base| PieceIndex(base + lead))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_form_goes_there_and_back() {
        let mut bits = Bits::empty(70);
        for piece in [0, 7, 8, 63, 64, 69] {
            assert!(bits.set(PieceIndex(piece), true));
        }
        let wire = bits.to_wire();
        assert_eq!(wire, [0x81, 0x80, 0, 0, 0, 0, 0, 0x01, 0x84]);
        assert_eq!(Bits::from_wire(&wire, 70), Ok(bits.clone()));
        assert_eq!(bits.iter().map(|piece| piece.0).collect::<Vec<_>>(), [0, 7, 8, 63, 64, 69]);
    }

    #[test]
    fn wrong_lengths_and_spare_bits_are_refused() {
        assert_eq!(Bits::from_wire(&[0; 8], 70), Err(BadBitfield::Length { got: 8, expected: 9 }));
        assert_eq!(Bits::from_wire(&[0, 0, 0, 0, 0, 0, 0, 0, 0x02], 70), Err(BadBitfield::SpareBits));
        assert!(Bits::from_wire(&[], 0).is_ok());
    }

    #[test]
    fn full_counts_only_real_pieces() {
        let full = Bits::full(70);
        assert!(full.is_full());
        assert_eq!(full.iter().count(), 70);
        assert!(!full.has(PieceIndex(70)));
    }

    #[test]
    fn a_set_without_words_behaves_as_one_with_them() {
        for length in [2, 63, 64, 65, 130] {
            for (made, present) in [(Bits::empty(length), false), (Bits::full(length), true)] {
                let mut changed = made.clone();
                assert!(changed.set(PieceIndex(length - 1), !present));
                assert!(!changed.is_full() && changed != made);
                assert_eq!(changed.has(PieceIndex(length - 1)), !present);
                assert!(changed.set(PieceIndex(length - 1), present));
                assert_eq!(changed, made);
                assert_eq!(changed.to_wire(), made.to_wire());
                assert_eq!(Bits::from_wire(&made.to_wire(), length), Ok(made.clone()));
                assert_eq!(made.heap_bytes(), 0);
            }
        }
    }

    #[test]
    fn pieces_of_a_union_are_counted_once() {
        let mut wanted = Bits::empty(100);
        let (mut one, mut two) = (Bits::empty(100), Bits::empty(100));
        for piece in [3, 64, 99] {
            wanted.set(PieceIndex(piece), true);
        }
        one.set(PieceIndex(3), true);
        two.set(PieceIndex(3), true);
        two.set(PieceIndex(99), true);
        two.set(PieceIndex(5), true);
        let count = |sets: &[&Bits]| wanted.count_common(&Bits::union_of(100, sets.iter().copied()));
        assert_eq!(count(&[&one, &two]), 2);
        assert_eq!(count(&[&one, &Bits::full(100)]), 3);
        assert_eq!(count(&[]), 0);
    }

    #[test]
    fn pieces_of_a_range_are_counted_from_bit_to_bit() {
        let mut some = Bits::empty(200);
        [0, 3, 63, 64, 127, 128, 199].into_iter().for_each(|piece| {
            some.set(PieceIndex(piece), true);
        });
        for set in [some, Bits::full(200), Bits::empty(200)] {
            for from in 0..=201 {
                for to in [from, from + 1, from + 63, from + 64, from + 65, 200, 500] {
                    let one_by_one = (from..to).filter(|piece| set.has(PieceIndex(*piece))).count();
                    assert_eq!(set.count_in(from..to) as usize, one_by_one, "{from}..{to}");
                }
            }
        }
    }

    #[test]
    fn intersection_finds_what_the_hint_does_not() {
        let mut mine = Bits::empty(200);
        let mut theirs = Bits::empty(200);
        mine.set(PieceIndex(150), true);
        let mut hint = 0;
        assert!(!mine.intersects(&theirs, &mut hint));
        theirs.set(PieceIndex(150), true);
        assert!(mine.intersects(&theirs, &mut hint));
        assert_eq!(hint, 2);
        assert_eq!(mine.iter_common_from(&theirs, PieceIndex(0)).collect::<Vec<_>>(), [PieceIndex(150)]);
    }
}
