//! A set of pieces as bits, laid out so that its words are the wire's bitfield (BEP 3: high bit first).
//!
//! Set operations run over whole words: a million pieces are 16 thousand words, a few microseconds.

use crate::units::PieceIndex;

/// A fixed-size set of piece indices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Bits {
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
        Self { words: vec![0; length.div_ceil(64) as usize], length, ones: 0 }
    }

    /// The full set over `length` pieces.
    pub(in crate::engine) fn full(length: u32) -> Self {
        let mut bits = Self { words: vec![u64::MAX; length.div_ceil(64) as usize], length, ones: length };
        if let Some(last) = bits.words.last_mut()
            && !length.is_multiple_of(64)
        {
            *last = u64::MAX << (64 - length % 64);
        }
        bits
    }

    /// Reads a wire bitfield, strictly.
    pub(in crate::engine) fn from_wire(bytes: &[u8], length: u32) -> Result<Self, BadBitfield> {
        let expected = length.div_ceil(8) as usize;
        if bytes.len() != expected {
            return Err(BadBitfield::Length { got: bytes.len(), expected });
        }
        let mut bits = Self::empty(length);
        for (word, chunk) in bits.words.iter_mut().zip(bytes.chunks(8)) {
            let mut padded = [0; 8];
            padded[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_be_bytes(padded);
        }
        bits.ones = bits.words.iter().map(|word| word.count_ones()).sum();
        let spare = Self::full(length);
        if bits.words.iter().zip(&spare.words).any(|(word, allowed)| word & !allowed != 0) {
            return Err(BadBitfield::SpareBits);
        }
        Ok(bits)
    }

    /// The wire bitfield.
    pub(in crate::engine) fn to_wire(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_be_bytes()).collect();
        bytes.truncate(self.length.div_ceil(8) as usize);
        bytes
    }

    /// How many pieces are in it.
    pub(in crate::engine) fn count(&self) -> u32 {
        self.ones
    }

    /// Whether every piece is in it.
    pub(in crate::engine) fn is_full(&self) -> bool {
        self.ones == self.length
    }

    /// Whether `piece` is in it; false beyond the range.
    pub(in crate::engine) fn has(&self, piece: PieceIndex) -> bool {
        self.words.get(piece.at() / 64).is_some_and(|word| word & bit(piece) != 0)
    }

    /// Puts `piece` in or takes it out; says whether that changed anything. Beyond the range: no change.
    pub(in crate::engine) fn set(&mut self, piece: PieceIndex, present: bool) -> bool {
        if piece.0 >= self.length || self.has(piece) == present {
            return false;
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
        self.words.iter().enumerate().flat_map(|(at, &word)| ones_of(at, word))
    }

    /// The pieces in both, ascending.
    pub(in crate::engine) fn iter_common<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = PieceIndex> + 'a {
        self.words
            .iter()
            .zip(&other.words)
            .enumerate()
            .flat_map(|(at, (mine, theirs))| ones_of(at, mine & theirs))
    }

    /// The pieces in this one and not in the other, ascending.
    pub(in crate::engine) fn iter_beyond<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = PieceIndex> + 'a {
        let words = self.words.iter().zip(&other.words).enumerate();
        words.flat_map(|(at, (mine, theirs))| ones_of(at, mine & !theirs))
    }

    /// Whether any piece is in both. `hint` is a word where one was found last time, tried first and updated.
    pub(in crate::engine) fn intersects(&self, other: &Self, hint: &mut usize) -> bool {
        let common = |at: usize| self.words.get(at).zip(other.words.get(at)).is_some_and(|(a, b)| a & b != 0);
        if common(*hint) {
            return true;
        }
        match (0..self.words.len()).find(|&at| common(at)) {
            Some(at) => {
                *hint = at;
                true
            }
            None => false,
        }
    }
}

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
    fn intersection_finds_what_the_hint_does_not() {
        let mut mine = Bits::empty(200);
        let mut theirs = Bits::empty(200);
        mine.set(PieceIndex(150), true);
        let mut hint = 0;
        assert!(!mine.intersects(&theirs, &mut hint));
        theirs.set(PieceIndex(150), true);
        assert!(mine.intersects(&theirs, &mut hint));
        assert_eq!(hint, 2);
        assert_eq!(mine.iter_common(&theirs).collect::<Vec<_>>(), [PieceIndex(150)]);
    }
}
