//! How urgently each piece is wanted: the highest of what its files, their ends and readers say. Pad files have no say.

use std::collections::BTreeMap;

use super::{PieceIndex, Pieces};
use crate::contract::{FirstLast, PieceLevel, Priority};
use crate::metainfo::Info;
use crate::units::FileIndex;

/// The levels of files and pieces.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Levels {
    files: Vec<Priority>,
    pieces: Vec<PieceLevel>,
    first_last: FirstLast,
    /// What readers say, for the few pieces that they come to.
    readers: BTreeMap<PieceIndex, PieceLevel>,
}

impl Levels {
    /// Nothing is wanted.
    pub(super) fn new(info: &Info) -> Self {
        Self {
            files: vec![Priority::Off; info.files.len()],
            pieces: vec![PieceLevel::Off; info.piece_count() as usize],
            first_last: FirstLast::Alike,
            readers: BTreeMap::new(),
        }
    }

    /// Whether there is a level for each piece and file.
    pub(super) fn fit(&self, info: &Info) -> bool {
        self.files.len() == info.files.len() && self.pieces.len() == info.piece_count() as usize
    }

    pub(super) fn of_piece(&self, piece: PieceIndex) -> PieceLevel {
        self.pieces[piece.at()]
    }

    pub(super) fn of_pieces(&self) -> &[PieceLevel] {
        &self.pieces
    }

    pub(super) fn of_files(&self) -> &[Priority] {
        &self.files
    }

    /// What follows for one piece from its files, their ends and readers.
    pub(super) fn derive(&self, info: &Info, piece: PieceIndex) -> PieceLevel {
        let spans = info.spans(piece, 0, info.piece_bytes(piece)).filter(|span| !span.pad);
        let of_files = spans.map(|span| {
            let priority = self.files[span.file.at()];
            let at_an_end = self.first_last == FirstLast::First && {
                let ends_at = span.file_offset + u64::from(span.bytes);
                span.file_offset == 0 || ends_at == info.files[span.file.at()].bytes
            };
            match priority {
                Priority::Off => PieceLevel::Off,
                Priority::Low | Priority::Normal | Priority::High if at_an_end => PieceLevel::FirstLast,
                Priority::Low | Priority::Normal | Priority::High => priority.into(),
            }
        });
        let of_readers = self.readers.get(&piece).copied().unwrap_or(PieceLevel::Off);
        of_files.max().unwrap_or(PieceLevel::Off).max(of_readers)
    }

    /// What follows for a piece that lies in one file and at none of its ends.
    fn derive_inside(&self, info: &Info, file: FileIndex, piece: PieceIndex) -> PieceLevel {
        let of_readers = self.readers.get(&piece).copied().unwrap_or(PieceLevel::Off);
        // Padding alone is nothing to fetch, whatever level its file has.
        let of_file = if info.files[file.at()].pad { Priority::Off } else { self.files[file.at()] };
        PieceLevel::from(of_file).max(of_readers)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.pieces.capacity() * size_of::<PieceLevel>()
    }
}

impl Pieces {
    /// Sets levels of files, later ones winning; costs what their pieces cost. Gives the files that are now wanted and
    /// were not, or the other way round.
    pub(in crate::engine) fn set_priorities(
        &mut self,
        changes: &[(FileIndex, Priority)],
    ) -> Vec<(FileIndex, Priority)> {
        let mut before: BTreeMap<FileIndex, Priority> = BTreeMap::new();
        for &(file, priority) in changes {
            if let Some(slot) = self.levels.files.get_mut(file.at()) {
                before.entry(file).or_insert(*slot);
                *slot = priority;
            }
        }
        let mut turned = Vec::new();
        for (file, old) in before {
            let new = self.levels.files[file.at()];
            if old == new {
                continue;
            }
            if (old == Priority::Off) != (new == Priority::Off) {
                turned.push((file, new));
                let entry = &self.info.files[file.at()];
                if !entry.pad {
                    let done_bytes = self.file_done_bytes[file.at()];
                    self.tally.count_file(entry.bytes, done_bytes, new != Priority::Off);
                }
            }
            self.derive_levels_of(file);
        }
        turned
    }

    /// Sets whether the ends of files go first; costs what the pieces at those ends cost.
    pub(in crate::engine) fn set_first_last(&mut self, first_last: FirstLast) {
        if std::mem::replace(&mut self.levels.first_last, first_last) != first_last {
            let ends: Vec<PieceIndex> = self
                .info
                .file_indices()
                .filter_map(|file| self.info.pieces_of(file))
                .flat_map(|pieces| [*pieces.start(), *pieces.end()])
                .collect();
            ends.into_iter().for_each(|piece| self.derive_level(piece));
        }
    }

    /// Sets what readers want, in place of what they wanted before.
    pub(in crate::engine) fn set_reader_levels(&mut self, levels: BTreeMap<PieceIndex, PieceLevel>) {
        if self.levels.readers == levels {
            return;
        }
        let old = std::mem::replace(&mut self.levels.readers, levels);
        let new: Vec<PieceIndex> = self.levels.readers.keys().copied().collect();
        old.into_keys().chain(new).for_each(|piece| self.derive_level(piece));
    }

    /// Derives the levels of all pieces of a file. Only those at its ends can belong to other files too.
    fn derive_levels_of(&mut self, file: FileIndex) {
        let Some(pieces) = self.info.pieces_of(file) else { return };
        let (first, last) = (pieces.start().0, pieces.end().0);
        self.derive_level(PieceIndex(first));
        for piece in (first + 1..last).map(PieceIndex) {
            let level = self.levels.derive_inside(&self.info, file, piece);
            self.set_level(piece, level);
        }
        if last != first {
            self.derive_level(PieceIndex(last));
        }
    }

    fn derive_level(&mut self, piece: PieceIndex) {
        let level = self.levels.derive(&self.info, piece);
        self.set_level(piece, level);
    }

    fn set_level(&mut self, piece: PieceIndex, level: PieceLevel) {
        let old = std::mem::replace(&mut self.levels.pieces[piece.at()], level);
        if old != level {
            self.tally.count_level(old, level, self.have.has(piece));
            self.refresh(piece);
            if level > old && self.partial.contains_key(&piece) {
                // Perhaps all of it is on the wire already, behind what is less urgent.
                self.order.note_raise();
            }
        }
    }
}
