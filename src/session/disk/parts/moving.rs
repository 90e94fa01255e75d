//! Moving what was kept apart into the real files, when those are wanted.
//!
//! Bytes are copied, the real file is marked for the next sync, and only then the entry goes. Whoever writes to a slot
//! while it is copied makes the copy be made once more, by the mover or by that writer itself.

use std::io::IoSlice;

use rustix::io::Errno;

use super::index::{Copied, Ended, Key, Move};
use super::opening::{Absent, PartFile};
use crate::engine::io::DiskError;
use crate::limits::DISK_CHUNK_BYTES;
use crate::session::disk::beneath::Access;
use crate::session::disk::error::{Attempt, system_error};
use crate::session::disk::piece::{read_exact, write_all};
use crate::session::disk::storage::{Freshness, Storage, Wanted};
use crate::units::FileIndex;

impl Storage {
    /// Whether kept bytes were found to be gone since this was asked last.
    pub(in crate::session::disk) fn take_lost(&self) -> bool {
        std::mem::take(&mut self.apart.state.lock().lost)
    }

    /// Moves what is kept apart of these files, where they are wanted, into the files themselves.
    pub(in crate::session::disk) fn gather(&self, files: &[FileIndex]) -> Result<(), DiskError> {
        if self.keeps_nothing_apart() {
            return Ok(());
        }
        let wanted = files.iter().filter(|file| self.wanted(**file) == Wanted::Yes);
        let keys =
            self.with_index(|index| wanted.flat_map(|file| index.of_file(*file)).collect::<Vec<_>>())?;
        self.move_entries(keys.into_iter())
    }

    /// As [`Self::gather`], for all files: what an earlier attempt could not move.
    pub(in crate::session::disk) fn gather_all(&self) -> Result<(), DiskError> {
        if !self.keeps_apart() {
            return Ok(());
        }
        let keys = self.with_index(|index| index.keys())?;
        let wanted = |(file, _): &Key| self.wanted(*file) == Wanted::Yes;
        self.move_entries(keys.into_iter().filter(wanted))
    }

    /// One that cannot be moved does not hold back the others.
    fn move_entries(&self, keys: impl Iterator<Item = Key>) -> Result<(), DiskError> {
        keys.map(|key| self.move_entry(key)).fold(Ok(()), Result::and)
    }

    /// Moves one entry into its real file, unless somebody writes to it, who then does it.
    pub(super) fn move_entry(&self, key: Key) -> Result<(), DiskError> {
        loop {
            let begun = self.with_index(|index| {
                let moved = index.begin_move(key)?;
                Some((moved, index.generation, index.identity))
            })?;
            let Some((moved, generation, identity)) = begun else { return Ok(()) };
            let result = match self.part_file(Access::Read, Freshness::AnyOpen, Absent::Leave) {
                Ok(Some(open)) if Some(open.identity) == identity => self.copy_out(&moved, &open),
                Ok(_) => {
                    // Told once: there is nothing left to move.
                    self.apart.forget(generation);
                    return Err(system_error(Attempt::Open, &self.part_path(), Errno::NOENT));
                }
                Err(error) => Err(error),
            };
            let copied = if result.is_ok() { Copied::Yes } else { Copied::No };
            match self.with_index_of(generation, |index| index.end_move(&moved, copied)) {
                Some(Ended::Again) => {}
                Some(Ended::Moved | Ended::Left) | None => return result,
            }
        }
    }

    fn copy_out(&self, moved: &Move, from: &PartFile) -> Result<(), DiskError> {
        let edge = moved.kept.edge;
        let into = self.file(edge.file, Access::Write, Freshness::AnyOpen)?;
        let mut chunk = Vec::new();
        for range in moved.kept.ranges() {
            let mut at = range.start;
            while at < range.end {
                chunk.resize(usize::try_from(range.end - at).unwrap_or(usize::MAX).min(DISK_CHUNK_BYTES), 0);
                let in_slot = self.apart.layout.data_at(moved.name.slot, edge.within(at));
                read_exact(&from.file, in_slot, &mut chunk, || self.part_path())?;
                let written = write_all(&into, &mut [IoSlice::new(&chunk)], at);
                self.mark_written(edge.file);
                written.map_err(|errno| system_error(Attempt::Write, &self.path(edge.file), errno))?;
                at += chunk.len() as u64;
            }
        }
        Ok(())
    }
}
