//! A stream of bytes cut into blocks.

use bytes::{Bytes, BytesMut};

/// Cuts blocks of given lengths. A block that lies in one chunk is a slice of it; only others are copied.
#[derive(Debug)]
pub(super) struct Cutter {
    lengths: std::vec::IntoIter<u32>,
    /// The length of the block being cut; `None` past the last.
    length: Option<usize>,
    /// The start of that block, where earlier chunks ended in it.
    start: BytesMut,
}

impl Cutter {
    pub(super) fn new(lengths: Vec<u32>) -> Self {
        let mut cutter = Self { lengths: lengths.into_iter(), length: None, start: BytesMut::new() };
        cutter.advance();
        cutter
    }

    /// The next block, if `chunk` ends it. What is used is taken from `chunk`.
    pub(super) fn cut(&mut self, chunk: &mut Bytes) -> Option<Bytes> {
        let length = self.length?;
        let missing = length - self.start.len();
        if chunk.len() < missing {
            if !chunk.is_empty() {
                self.start.reserve(missing);
                self.start.extend_from_slice(&std::mem::take(chunk));
            }
            return None;
        }
        let end = chunk.split_to(missing);
        self.advance();
        if self.start.is_empty() {
            return Some(end);
        }
        self.start.extend_from_slice(&end);
        Some(std::mem::take(&mut self.start).freeze())
    }

    fn advance(&mut self) {
        self.length = self.lengths.next().map(|length| length as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_cut_wherever_chunks_end() {
        let bytes = Bytes::from((0..=255).collect::<Vec<u8>>());
        let lengths = [1, 16, 16, 3, 100, 120];
        for chunk_bytes in 1..=256 {
            let mut cutter = Cutter::new(lengths.to_vec());
            let mut blocks = Vec::new();
            for chunk in bytes.chunks(chunk_bytes) {
                let mut chunk = Bytes::copy_from_slice(chunk);
                while let Some(block) = cutter.cut(&mut chunk) {
                    blocks.push(block);
                }
                assert!(chunk.is_empty());
            }
            assert!(blocks.iter().map(Bytes::len).eq(lengths.map(|length| length as usize)), "{chunk_bytes}");
            assert_eq!(blocks.concat(), bytes, "{chunk_bytes}");
        }
    }

    #[test]
    fn a_block_inside_a_chunk_is_not_copied() {
        let mut chunk = Bytes::from(vec![7; 100]);
        let (first, behind) = (chunk.as_ptr(), chunk.slice(40..).as_ptr());
        let mut cutter = Cutter::new(vec![40, 40, 40]);
        assert_eq!(cutter.cut(&mut chunk).unwrap().as_ptr(), first);
        assert_eq!(cutter.cut(&mut chunk).unwrap().as_ptr(), behind);
        assert_eq!(cutter.cut(&mut chunk), None);
    }
}
