//! What a slot of a part file holds, and the bytes of its header.
//!
//! A slot is a header and room for one piece. Its header names the torrent (in the checksum), the piece and the file,
//! says which blocks are there, and counts up, so that of two slots for the same bytes the later one is known.

use std::ops::Range;

use sha1::{Digest, Sha1};

use crate::limits::BLOCK_BYTES;
use crate::metainfo::Info;
use crate::units::{FileIndex, PieceIndex, TorrentId};

/// The bytes of one piece that lie in one file: what a slot has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session::disk) struct Edge {
    pub(super) piece: PieceIndex,
    pub(super) file: FileIndex,
    /// Where it starts in the piece.
    piece_offset: u32,
    /// Where it starts in the file.
    file_offset: u64,
    bytes: u32,
}

impl Edge {
    /// `None` where the piece has no bytes of the file, or the file is padding.
    pub(super) fn new(info: &Info, piece: PieceIndex, file: FileIndex) -> Option<Self> {
        let entry = info.files.get(file.at()).filter(|entry| !entry.pad)?;
        let start = u64::from(piece.0) * u64::from(info.piece_length);
        let end = start + u64::from(info.piece_bytes(piece));
        let (from, to) = (start.max(entry.offset), end.min(entry.end()));
        let bytes = to.checked_sub(from).filter(|bytes| *bytes > 0)?;
        Some(Self {
            piece,
            file,
            piece_offset: u32::try_from(from - start).ok()?,
            file_offset: from - entry.offset,
            bytes: u32::try_from(bytes).ok()?,
        })
    }

    /// How far into the edge a byte of the file is.
    pub(super) const fn within(&self, file_offset: u64) -> u64 {
        file_offset - self.file_offset
    }

    const fn end(&self) -> u64 {
        self.file_offset + self.bytes as u64
    }

    /// The blocks of the piece that it has a part of.
    const fn blocks(&self) -> Range<u32> {
        self.piece_offset / BLOCK_BYTES..(self.piece_offset + self.bytes).div_ceil(BLOCK_BYTES)
    }

    /// The block that has a byte of the file.
    fn block_at(&self, file_offset: u64) -> u32 {
        let in_piece = u64::from(self.piece_offset) + self.within(file_offset);
        u32::try_from(in_piece / u64::from(BLOCK_BYTES)).expect("within a piece, a u32")
    }

    /// Where the bytes of a block lie in the file.
    fn range_of(&self, block: u32) -> Range<u64> {
        let piece_end = self.piece_offset + self.bytes;
        let from = (block * BLOCK_BYTES).max(self.piece_offset);
        let to = (block * BLOCK_BYTES).saturating_add(BLOCK_BYTES).min(piece_end);
        let in_file = |in_piece: u32| self.file_offset + u64::from(in_piece - self.piece_offset);
        in_file(from)..in_file(to)
    }
}

/// Whether bytes are in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Yes,
    No,
}

/// An edge and which of its blocks are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) edge: Edge,
    /// One bit a block of the edge, high bit first.
    bits: Vec<u8>,
}

impl Kept {
    pub(super) fn nothing(edge: Edge) -> Self {
        Self { edge, bits: vec![0; bitmap_bytes(&edge)] }
    }

    /// Bytes of the file were written: the blocks that they cover are there.
    pub(super) fn add(&mut self, written: &Range<u64>) {
        for block in self.edge.blocks() {
            let range = self.edge.range_of(block);
            if written.start <= range.start && range.end <= written.end {
                let at = (block - self.edge.blocks().start) as usize;
                self.bits[at / 8] |= 0x80 >> (at % 8);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bits.iter().all(|byte| *byte == 0)
    }

    pub(super) fn is_whole(&self) -> bool {
        self.edge.blocks().all(|block| self.has(block))
    }

    /// Whether the byte at `from` is there, and where that changes, at `to` at the latest.
    pub(super) fn run(&self, from: u64, to: u64) -> (Held, u64) {
        let to = to.min(self.edge.end());
        let first = self.edge.block_at(from);
        let has = self.has(first);
        let change = (first..self.edge.blocks().end).find(|block| self.has(*block) != has);
        let end = change.map_or(to, |block| self.edge.range_of(block).start.min(to));
        (if has { Held::Yes } else { Held::No }, end)
    }

    /// The bytes of the file that are there.
    pub(super) fn ranges(&self) -> Vec<Range<u64>> {
        let mut ranges = Vec::new();
        let mut at = self.edge.file_offset;
        while at < self.edge.end() {
            let (held, end) = self.run(at, self.edge.end());
            if held == Held::Yes {
                ranges.push(at..end);
            }
            at = end;
        }
        ranges
    }

    fn has(&self, block: u32) -> bool {
        let at = (block - self.edge.blocks().start) as usize;
        self.bits[at / 8] & (0x80 >> (at % 8)) != 0
    }
}

fn bitmap_bytes(edge: &Edge) -> usize {
    edge.blocks().len().div_ceil(8)
}

/// Where slots lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlotLayout {
    header_bytes: u64,
    slot_bytes: u64,
}

impl SlotLayout {
    /// The header is rounded up so that data starts on a page.
    pub(super) fn new(info: &Info) -> Self {
        let bitmap = u64::from(info.piece_length).div_ceil(u64::from(BLOCK_BYTES)).div_ceil(8);
        let header_bytes = (FIXED_BYTES as u64 + bitmap).next_multiple_of(PAGE_BYTES);
        Self { header_bytes, slot_bytes: header_bytes + u64::from(info.piece_length) }
    }

    pub(super) const fn header_bytes(&self) -> u64 {
        self.header_bytes
    }

    pub(super) const fn header_at(&self, slot: u64) -> u64 {
        slot * self.slot_bytes
    }

    /// Where the byte at `within` of the slot's edge lies.
    pub(super) const fn data_at(&self, slot: u64, within: u64) -> u64 {
        slot * self.slot_bytes + self.header_bytes + within
    }

    /// Slots that begin in a file of this length.
    pub(super) const fn slots_in(&self, bytes: u64) -> u64 {
        bytes.div_ceil(self.slot_bytes)
    }
}

const MAGIC: [u8; 8] = *b"unchprt1";
const CHECKSUM_BYTES: usize = 8;
/// Magic, checksum, sequence, piece, file, file offset, length.
const FIXED_BYTES: usize = 8 + CHECKSUM_BYTES + 8 + 4 + 4 + 8 + 4;
const PAGE_BYTES: u64 = 4096;

/// The header of a slot, as long as it needs to be.
pub(super) fn encode(torrent: TorrentId, sequence: u64, kept: &Kept) -> Vec<u8> {
    let Edge { piece, file, piece_offset: _, file_offset, bytes } = kept.edge;
    let mut said = Vec::with_capacity(FIXED_BYTES + kept.bits.len());
    said.extend(sequence.to_be_bytes());
    said.extend(piece.0.to_be_bytes());
    said.extend(file.0.to_be_bytes());
    said.extend(file_offset.to_be_bytes());
    said.extend(bytes.to_be_bytes());
    said.extend(&kept.bits);
    [&MAGIC[..], &checksum(torrent, &said), &said].concat()
}

/// What a header says; `None` where it is not one, of this torrent, whole.
pub(super) fn decode(torrent: TorrentId, info: &Info, header: &[u8]) -> Option<(u64, Kept)> {
    let (magic, rest) = header.split_first_chunk::<8>()?;
    let (sum, said) = rest.split_first_chunk::<CHECKSUM_BYTES>()?;
    let (sequence, rest) = said.split_first_chunk::<8>()?;
    let (piece, rest) = rest.split_first_chunk::<4>()?;
    let (file, rest) = rest.split_first_chunk::<4>()?;
    let (file_offset, rest) = rest.split_first_chunk::<8>()?;
    let (bytes, rest) = rest.split_first_chunk::<4>()?;
    let (piece, file) = (PieceIndex(u32::from_be_bytes(*piece)), FileIndex(u32::from_be_bytes(*file)));
    let edge = Edge::new(info, piece, file).filter(|edge| {
        edge.file_offset == u64::from_be_bytes(*file_offset) && edge.bytes == u32::from_be_bytes(*bytes)
    })?;
    let bits = rest.get(..bitmap_bytes(&edge))?.to_vec();
    let said = said.get(..said.len() - rest.len() + bits.len())?;
    let right = *magic == MAGIC && *sum == checksum(torrent, said);
    right.then(|| (u64::from_be_bytes(*sequence), Kept { edge, bits }))
}

fn checksum(torrent: TorrentId, said: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest: [u8; 20] = Sha1::new().chain_update(torrent.0).chain_update(said).finalize().into();
    *digest.first_chunk().expect("a SHA-1 has 20 bytes")
}
