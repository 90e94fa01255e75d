//! Where bytes of a piece lie in files, and which pieces a file touches. Every question is a binary search.

use std::ops::RangeInclusive;

use super::info::{File, Info, Kind};
use crate::units::{FileIndex, PieceIndex};

/// A run of bytes of one piece that lies in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The file.
    pub file: FileIndex,
    /// Where the run starts in the file.
    pub file_offset: u64,
    /// Where the run starts in the piece.
    pub piece_offset: u32,
    /// Its length, never 0.
    pub bytes: u32,
    /// The file is padding: the bytes are zero and there is nothing to read or write.
    pub pad: bool,
}

impl Info {
    /// Bytes of a piece: the piece length, or less at the end of the torrent (v1) or of a file (v2-only). 0
    /// where there is no such piece.
    pub fn piece_bytes(&self, piece: PieceIndex) -> u32 {
        let Some(start) = self.piece_start(piece) else { return 0 };
        let end = match self.kind {
            Kind::V1 | Kind::Hybrid => self.files.last().map_or(0, File::end),
            Kind::V2 => self.file_at(start).map_or(start, |(_, file)| file.end()),
        };
        let bytes = (end - start).min(u64::from(self.piece_length));
        u32::try_from(bytes).expect("not more than a piece, a u32")
    }

    /// The first and last piece that hold bytes of a file; `None` where it has none or does not exist.
    pub fn pieces_of(&self, file: FileIndex) -> Option<RangeInclusive<PieceIndex>> {
        let file = self.files.get(file.at()).filter(|file| file.bytes > 0)?;
        Some(self.piece_at(file.offset)..=self.piece_at(file.end() - 1))
    }

    /// The files under `length` bytes of a piece from `begin` on, in order, pad files included; empty files
    /// never occur. What lies beyond the piece is left out.
    pub fn spans(&self, piece: PieceIndex, begin: u32, length: u32) -> impl Iterator<Item = Span> + '_ {
        let piece_bytes = self.piece_bytes(piece);
        let begin = begin.min(piece_bytes);
        let length = length.min(piece_bytes - begin);
        let start = self.piece_start(piece).unwrap_or_default();
        let mut at = start + u64::from(begin);
        let end = at + u64::from(length);
        let mut next = self.first_ending_after(0, at);
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            if self.files.get(next)?.bytes == 0 {
                next = self.first_ending_after(next, at);
            }
            let file = self.files.get(next)?;
            let span = Span {
                file: FileIndex(u32::try_from(next).expect("files are bounded by FILES_MAX")),
                file_offset: at - file.offset,
                piece_offset: u32::try_from(at - start).expect("within a piece, a u32"),
                bytes: u32::try_from(end.min(file.end()) - at).expect("within a piece, a u32"),
                pad: file.pad,
            };
            at += u64::from(span.bytes);
            next += 1;
            Some(span)
        })
    }

    /// Where a piece starts; `None` where there is no such piece.
    pub(super) fn piece_start(&self, piece: PieceIndex) -> Option<u64> {
        (piece.0 < self.piece_count()).then(|| u64::from(piece.0) * u64::from(self.piece_length))
    }

    /// The file that holds the byte at `offset` of the space of pieces.
    pub(super) fn file_at(&self, offset: u64) -> Option<(FileIndex, &File)> {
        let index = self.first_ending_after(0, offset);
        let file = self.files.get(index).filter(|file| file.offset <= offset)?;
        Some((FileIndex(u32::try_from(index).expect("files are bounded by FILES_MAX")), file))
    }

    /// The first file, from the one at `from` on, that ends after `offset`. Ends never fall from one file to
    /// the next.
    fn first_ending_after(&self, from: usize, offset: u64) -> usize {
        from + self.files[from..].partition_point(|file| file.end() <= offset)
    }

    fn piece_at(&self, offset: u64) -> PieceIndex {
        let piece = offset / u64::from(self.piece_length);
        PieceIndex(u32::try_from(piece).expect("pieces are bounded by PIECES_MAX"))
    }
}
