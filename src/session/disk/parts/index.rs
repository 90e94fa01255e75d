//! Which slot holds what, in memory.
//!
//! A slot goes round: free, held by an entry, drained (its bytes are in the real file, its header still says otherwise),
//! free again when a sync has the real file on the device and the header wiped. An entry that is pinned is being
//! written to and is not drained; so no one ever writes to a slot that has become another's.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::slot::{Edge, Held, Kept};
use crate::limits::PART_SLOTS_MAX;
use crate::units::{FileIndex, PieceIndex};

/// What an entry is found by: by file first, as files are what is gathered.
pub(super) type Key = (FileIndex, PieceIndex);

/// What tells one file from another in its place: device and inode.
pub(super) type Identity = (u64, u64);

/// What is kept apart.
#[derive(Debug)]
pub(super) struct Index {
    /// Counts the part files of this run: what was learned of an earlier one does not hold for a later one.
    pub(super) generation: u64,
    /// The file it describes; `None` where there is none.
    pub(super) identity: Option<Identity>,
    entries: BTreeMap<Key, Entry>,
    free: BTreeSet<u64>,
    drained: Vec<u64>,
    /// Slots whose headers a sync is wiping.
    wiping: usize,
    next_slot: u64,
    next_sequence: u64,
    unsynced: bool,
}

#[derive(Debug)]
struct Entry {
    name: Name,
    kept: Kept,
    /// Who writes to the slot now.
    pins: u32,
    moving: bool,
    /// Counts finished writes, so that a move sees whether it copied the last of them.
    writes: u64,
    header_due: bool,
}

/// An entry's place and its sequence number, which is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) key: Key,
    pub(super) slot: u64,
    pub(super) sequence: u64,
}

/// What the index says of bytes of a file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found {
    /// They are not kept apart, up to this byte of the file.
    Elsewhere(u64),
    /// They are, up to this byte of the file.
    Here(Name, Edge, u64),
}

/// An entry whose bytes are to be copied into the real file.
#[derive(Debug)]
pub(super) struct Move {
    pub(super) name: Name,
    pub(super) kept: Kept,
    writes: u64,
}

/// How a move ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The real file has it all; the entry is gone.
    Moved,
    /// Something was written meanwhile: copy once more.
    Again,
    /// Somebody writes to it just now and will move it, or the copy failed.
    Left,
}

/// Whether a copy was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copied {
    Yes,
    No,
}

impl Index {
    /// What is in the slots of a part file, in order; `None` for a slot without a whole header.
    pub(super) fn new(
        generation: u64,
        identity: Option<Identity>,
        slots: impl Iterator<Item = Option<(u64, Kept)>>,
    ) -> Self {
        let mut index = Self {
            generation,
            identity,
            entries: BTreeMap::new(),
            free: BTreeSet::new(),
            drained: Vec::new(),
            wiping: 0,
            next_slot: 0,
            next_sequence: 0,
            unsynced: false,
        };
        for (slot, said) in (0u64..).zip(slots) {
            index.next_slot = slot + 1;
            match said {
                None => {
                    index.free.insert(slot);
                }
                Some((sequence, kept)) => index.adopt(slot, sequence, kept),
            }
        }
        index
    }

    /// Slots in use, wiped ones to be included: while there are any the part file stays.
    pub(super) fn used_slots(&self) -> usize {
        self.entries.len() + self.drained.len() + self.wiping
    }

    /// The edges that are there from end to end.
    pub(super) fn whole(&self) -> BTreeSet<(PieceIndex, FileIndex)> {
        let whole = self.entries.values().filter(|entry| entry.kept.is_whole());
        whole.map(|entry| (entry.kept.edge.piece, entry.kept.edge.file)).collect()
    }

    /// The entries of a file.
    pub(super) fn of_file(&self, file: FileIndex) -> Vec<Key> {
        self.entries
            .range((file, PieceIndex(0))..=(file, PieceIndex(u32::MAX)))
            .map(|(key, _)| *key)
            .collect()
    }

    /// All entries.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.entries.keys().copied().collect()
    }

    pub(super) fn has(&self, key: Key) -> bool {
        self.entries.contains_key(&key)
    }

    /// Whether an entry is still where it was found.
    pub(super) fn still(&self, name: Name) -> bool {
        self.entries.get(&name.key).is_some_and(|entry| entry.name == name)
    }

    /// What is known of the bytes of a file from `from` on, up to `to` at most.
    pub(super) fn find(&self, key: Key, from: u64, to: u64) -> Found {
        let Some(entry) = self.entries.get(&key) else { return Found::Elsewhere(to) };
        match entry.kept.run(from, to) {
            (Held::Yes, end) => Found::Here(entry.name, entry.kept.edge, end),
            (Held::No, end) => Found::Elsewhere(end),
        }
    }

    /// Takes an entry for writing, making it if there is none; `None` where no slot is left.
    pub(super) fn pin(&mut self, edge: Edge) -> Option<Name> {
        let key = (edge.file, edge.piece);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.pins += 1;
            return Some(entry.name);
        }
        let slot = self.free.pop_first().or_else(|| {
            let fresh = (self.next_slot < PART_SLOTS_MAX).then_some(self.next_slot)?;
            self.next_slot += 1;
            Some(fresh)
        })?;
        let name = Name { key, slot, sequence: self.next_sequence };
        self.next_sequence += 1;
        let kept = Kept::nothing(edge);
        self.entries.insert(key, Entry { name, kept, pins: 1, moving: false, writes: 0, header_due: false });
        Some(name)
    }

    /// Ends a pin; `written` are the bytes of the file that were written whole.
    pub(super) fn unpin(&mut self, name: Name, written: Option<&Range<u64>>) {
        let Some(entry) = self.entries.get_mut(&name.key).filter(|entry| entry.name == name) else { return };
        entry.pins = entry.pins.saturating_sub(1);
        if let Some(written) = written {
            entry.kept.add(written);
            entry.writes += 1;
            entry.header_due = true;
            self.unsynced = true;
        }
        // Its header was never written, as it never had anything to say.
        if entry.pins == 0 && !entry.moving && entry.kept.is_empty() {
            self.free.insert(name.slot);
            self.entries.remove(&name.key);
        }
    }

    /// Begins to move an entry, where nobody writes to it or moves it.
    pub(super) fn begin_move(&mut self, key: Key) -> Option<Move> {
        let entry = self.entries.get_mut(&key).filter(|entry| entry.pins == 0 && !entry.moving)?;
        entry.moving = true;
        Some(Move { name: entry.name, kept: entry.kept.clone(), writes: entry.writes })
    }

    pub(super) fn end_move(&mut self, moved: &Move, copied: Copied) -> Ended {
        let entry = self.entries.get_mut(&moved.name.key).filter(|entry| entry.name == moved.name);
        let Some(entry) = entry else { return Ended::Left };
        entry.moving = false;
        if copied == Copied::No || entry.pins > 0 {
            return Ended::Left;
        }
        if entry.writes != moved.writes {
            return Ended::Again;
        }
        self.drained.push(moved.name.slot);
        self.entries.remove(&moved.name.key);
        Ended::Moved
    }

    /// Whether something was written since this was asked last.
    pub(super) fn take_unsynced(&mut self) -> bool {
        std::mem::take(&mut self.unsynced)
    }

    /// The last sync failed.
    pub(super) fn mark_unsynced(&mut self) {
        self.unsynced = true;
    }

    /// The entries whose headers do not say yet what is there, each pinned.
    pub(super) fn pin_due_headers(&mut self) -> Vec<(Name, Kept)> {
        let due = self.entries.values_mut().filter(|entry| entry.header_due);
        due.map(|entry| {
            entry.header_due = false;
            entry.pins += 1;
            (entry.name, entry.kept.clone())
        })
        .collect()
    }

    /// A header could not be written.
    pub(super) fn mark_header_due(&mut self, name: Name) {
        if let Some(entry) = self.entries.get_mut(&name.key).filter(|entry| entry.name == name) {
            entry.header_due = true;
        }
    }

    /// The drained slots, to be wiped.
    pub(super) fn take_drained(&mut self) -> Vec<u64> {
        self.wiping += self.drained.len();
        std::mem::take(&mut self.drained)
    }

    /// They were wiped.
    pub(super) fn wiped(&mut self, slots: Vec<u64>) {
        self.wiping -= slots.len();
        self.free.extend(slots);
    }

    /// They were not.
    pub(super) fn not_wiped(&mut self, slots: Vec<u64>) {
        self.wiping -= slots.len();
        self.drained.extend(slots);
    }

    /// A slot of the file that is being read. Of two for the same edge the older is done with.
    fn adopt(&mut self, slot: u64, sequence: u64, kept: Kept) {
        self.next_sequence = self.next_sequence.max(sequence.saturating_add(1));
        let key = (kept.edge.file, kept.edge.piece);
        let older = |entry: &Entry| entry.name.sequence > sequence;
        if kept.is_empty() || self.entries.get(&key).is_some_and(older) {
            self.drained.push(slot);
            return;
        }
        let name = Name { key, slot, sequence };
        let entry = Entry { name, kept, pins: 0, moving: false, writes: 0, header_due: false };
        if let Some(replaced) = self.entries.insert(key, entry) {
            self.drained.push(replaced.name.slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::metainfo::{Info, parse_info};

    /// One file, two pieces of one block each.
    fn info() -> Info {
        let hashes = "x".repeat(40);
        let raw = format!("d6:lengthi32768e4:name1:f12:piece lengthi16384e6:pieces40:{hashes}e");
        parse_info(Bytes::from(raw)).unwrap()
    }

    fn edge(piece: u32) -> Edge {
        Edge::new(&info(), PieceIndex(piece), FileIndex(0)).unwrap()
    }

    fn whole(piece: u32) -> Kept {
        let mut kept = Kept::nothing(edge(piece));
        kept.add(&(0..32_768));
        kept
    }

    #[test]
    fn of_two_slots_for_the_same_bytes_the_later_one_counts_and_the_other_is_wiped() {
        for order in [[3, 9], [9, 3]] {
            let slots = order.map(|sequence| Some((sequence, whole(1))));
            let mut index = Index::new(0, None, slots.into_iter().chain([None]));
            let Found::Here(name, ..) = index.find((FileIndex(0), PieceIndex(1)), 16_384, 32_768) else {
                panic!("it is there");
            };
            assert_eq!((name.sequence, order[usize::try_from(name.slot).unwrap()]), (9, 9));
            let taken = index.pin(edge(0)).unwrap();
            assert_eq!((taken.slot, taken.sequence), (2, 10));
            assert_eq!(index.take_drained(), [1 - name.slot]);
        }
    }

    #[test]
    fn a_move_is_made_again_if_something_was_written_meanwhile() {
        let mut index = Index::new(0, None, [Some((0, whole(1)))].into_iter());
        let key = (FileIndex(0), PieceIndex(1));
        let moved = index.begin_move(key).unwrap();
        let writer = index.pin(edge(1)).unwrap();
        assert_eq!(index.end_move(&moved, Copied::Yes), Ended::Left, "the writer is still at it");
        assert!(index.begin_move(key).is_none());
        index.unpin(writer, Some(&(16_384..32_768)));
        let moved = index.begin_move(key).unwrap();
        let writer = index.pin(edge(1)).unwrap();
        index.unpin(writer, Some(&(16_384..32_768)));
        assert_eq!(index.end_move(&moved, Copied::Yes), Ended::Again);
        let moved = index.begin_move(key).unwrap();
        assert_eq!(index.end_move(&moved, Copied::No), Ended::Left);
        let moved = index.begin_move(key).unwrap();
        assert_eq!(index.end_move(&moved, Copied::Yes), Ended::Moved);
        assert_eq!((index.has(key), index.take_drained()), (false, vec![0]));
    }

    #[test]
    fn a_slot_that_nothing_was_written_to_is_free_again() {
        let mut index = Index::new(0, None, std::iter::empty());
        let name = index.pin(edge(0)).unwrap();
        index.unpin(name, None);
        assert_eq!((index.used_slots(), index.pin(edge(1)).unwrap().slot), (0, 0));
    }
}
