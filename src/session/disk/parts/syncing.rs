//! Bringing the part file to the device, and slots that were drained back into use.

use std::io::IoSlice;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::fdatasync;
use rustix::io::Errno;

use super::index::{Identity, Index, Name};
use super::opening::Absent;
use super::slot::{self, Kept};
use super::{PART_FILE, State};
use crate::engine::io::{DiskError, DiskErrorKind};
use crate::session::disk::beneath::{self, Access};
use crate::session::disk::error::{Attempt, system_error};
use crate::session::disk::piece::write_all;
use crate::session::disk::storage::{Freshness, RootUse, Storage};

/// Slots whose bytes are in real files, of one part file.
#[derive(Debug)]
pub(in crate::session::disk) struct Drained {
    generation: u64,
    slots: Vec<u64>,
}

/// Whether the part file was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Removed {
    Yes,
    No,
}

impl Storage {
    /// The slots whose bytes are in real files. Call it before it is settled which files a sync takes, and
    /// hand them to [`Self::end_drained`] after.
    pub(in crate::session::disk) fn take_drained(&self) -> Option<Drained> {
        if !self.keeps_apart() {
            return None;
        }
        let mut state = self.apart.state.lock();
        let index = state.index.as_mut()?;
        Some(Drained { generation: index.generation, slots: index.take_drained() })
    }

    /// Waits until the device has all that is kept apart.
    pub(in crate::session::disk) fn sync_parts(&self) -> Result<(), DiskError> {
        if !self.keeps_apart() {
            return Ok(());
        }
        let due = self.with_index(|index| {
            let due = index.take_unsynced().then(|| index.pin_due_headers())?;
            Some((due, index.generation, index.identity))
        })?;
        let Some((due, generation, identity)) = due else { return Ok(()) };
        let result = self.write_headers(&due, identity);
        self.with_index_of(generation, |index| {
            for (name, _) in &due {
                index.unpin(*name, None);
                if result.is_err() {
                    index.mark_header_due(*name);
                }
            }
            if result.is_err() {
                index.mark_unsynced();
            }
        });
        if result.as_ref().is_err_and(|error| error.kind == DiskErrorKind::Missing) {
            self.apart.forget(generation);
        }
        // While their headers were written nobody else could move them.
        result.and_then(|()| self.gather(&due.iter().map(|(name, _)| name.key.0).collect::<Vec<_>>()))
    }

    /// Ends the round of drained slots: their headers are wiped, and the part file goes when nothing is left in it.
    /// Where the real files could not be synced they stay drained.
    pub(in crate::session::disk) fn end_drained(
        &self,
        drained: Drained,
        synced: &Result<(), DiskError>,
    ) -> Result<(), DiskError> {
        let Drained { generation, slots } = drained;
        if synced.is_err() {
            self.with_index_of(generation, |index| index.not_wiped(slots));
            return Ok(());
        }
        let wiped = match self.remove_if_empty(generation, slots.len()) {
            Ok(Removed::Yes) => return self.sync_folder(""),
            Ok(Removed::No) if slots.is_empty() => Ok(()),
            Ok(Removed::No) => self.wipe_headers(&slots),
            Err(error) => Err(error),
        };
        self.with_index_of(generation, |index| match &wiped {
            Ok(()) => index.wiped(slots),
            Err(_) => index.not_wiped(slots),
        });
        wiped
    }

    fn write_headers(&self, due: &[(Name, Kept)], identity: Option<Identity>) -> Result<(), DiskError> {
        let open = self.part_file(Access::Write, Freshness::AnyOpen, Absent::Leave)?;
        let open = open.filter(|open| Some(open.identity) == identity);
        let open = open.ok_or_else(|| system_error(Attempt::Sync, &self.part_path(), Errno::NOENT))?;
        let failed = |attempt| move |errno| system_error(attempt, &self.part_path(), errno);
        for (name, kept) in due {
            let header = slot::encode(self.info().id(), name.sequence, kept);
            let at = self.apart.layout.header_at(name.slot);
            write_all(&open.file, &mut [IoSlice::new(&header)], at).map_err(failed(Attempt::Write))?;
        }
        fdatasync(&open.file).map_err(failed(Attempt::Sync))
    }

    fn wipe_headers(&self, slots: &[u64]) -> Result<(), DiskError> {
        let open = self.part_file(Access::Write, Freshness::AnyOpen, Absent::Leave)?;
        let Some(open) = open else { return Ok(()) };
        let failed = |attempt| move |errno| system_error(attempt, &self.part_path(), errno);
        let nothing = [0; 64];
        for slot in slots {
            let at = self.apart.layout.header_at(*slot);
            write_all(&open.file, &mut [IoSlice::new(&nothing)], at).map_err(failed(Attempt::Write))?;
        }
        fdatasync(&open.file).map_err(failed(Attempt::Sync))
    }

    /// Removes the part file, whatever is in it.
    pub(in crate::session::disk) fn delete_parts(&self, root: &OwnedFd) -> Result<(), DiskError> {
        let mut state = self.apart.state.lock();
        self.remove_part_file(root, &mut state)
    }

    /// Removes the part file if it holds nothing beyond the `wiping` slots that were drained.
    fn remove_if_empty(&self, generation: u64, wiping: usize) -> Result<Removed, DiskError> {
        let root = match self.root(RootUse::Existing) {
            Err(error) if error.kind == DiskErrorKind::Missing => {
                self.apart.forget(generation);
                return Ok(Removed::No);
            }
            result => result?,
        };
        let mut state = self.apart.state.lock();
        let empty = |index: &Index| index.generation == generation && index.used_slots() == wiping;
        if !state.index.as_ref().is_some_and(empty) {
            return Ok(Removed::No);
        }
        self.remove_part_file(&root, &mut state)?;
        drop(state);
        self.handles.forget(self.id, PART_FILE);
        Ok(Removed::Yes)
    }

    fn remove_part_file(&self, root: &OwnedFd, state: &mut State) -> Result<(), DiskError> {
        let name = &self.apart.file_name;
        let removed =
            beneath::is_regular(root.as_fd(), name).and_then(|()| beneath::remove_file(root.as_fd(), name));
        match removed {
            Ok(()) | Err(Errno::NOENT | Errno::NOTSUP | Errno::ISDIR) => {
                self.apart.begin_anew(state);
                Ok(())
            }
            Err(errno) => Err(system_error(Attempt::Delete, &self.part_path(), errno)),
        }
    }
}
