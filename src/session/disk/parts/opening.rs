//! The part file itself: opened beneath the save folder, made when it is needed, and read into the index.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::fstat;
use rustix::io::Errno;

use super::PART_FILE;
use super::index::{Identity, Index};
use super::slot::{self, Kept};
use crate::engine::io::{DiskError, DiskErrorKind};
use crate::limits::PART_SLOTS_MAX;
use crate::session::disk::beneath::{self, Access};
use crate::session::disk::error::{Attempt, other, system_error};
use crate::session::disk::piece::read_exact;
use crate::session::disk::storage::{Freshness, RootUse, Storage};

/// An open part file.
pub(super) struct PartFile {
    pub(super) file: Arc<OwnedFd>,
    pub(super) identity: Identity,
    bytes: u64,
}

/// Whether a part file is made where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    Make,
    Leave,
}

impl Storage {
    /// The part file, open for `access`; `None` where there is none and none is made.
    pub(super) fn part_file(
        &self,
        access: Access,
        freshness: Freshness,
        absent: Absent,
    ) -> Result<Option<PartFile>, DiskError> {
        let failed = |attempt| move |errno| system_error(attempt, &self.part_path(), errno);
        let inspected = |file: Arc<OwnedFd>| {
            let stat = fstat(&file).map_err(failed(Attempt::Inspect))?;
            let (identity, bytes) =
                ((stat.st_dev, stat.st_ino), u64::try_from(stat.st_size).unwrap_or_default());
            Ok((stat.st_nlink > 0).then_some(PartFile { file, identity, bytes }))
        };
        if freshness == Freshness::AnyOpen
            && let Some(known) = self.handles.find(self.id, PART_FILE, access)
        {
            if let Some(open) = inspected(known)? {
                return Ok(Some(open));
            }
            self.handles.forget(self.id, PART_FILE);
        }
        let Some(opened) = self.open_part_file(access, absent)?.map(Arc::new) else { return Ok(None) };
        self.handles.keep(self.id, PART_FILE, access, &opened);
        inspected(opened)
    }

    fn open_part_file(&self, access: Access, absent: Absent) -> Result<Option<OwnedFd>, DiskError> {
        let path = || self.part_path();
        if access == Access::Write && self.is_retired() {
            return Err(other(format!("writing {}: the torrent's data was deleted", path().display())));
        }
        let root_use = match absent {
            Absent::Make => RootUse::Create,
            Absent::Leave => RootUse::Existing,
        };
        let root = match self.root(root_use) {
            Err(error) if error.kind == DiskErrorKind::Missing && absent == Absent::Leave => return Ok(None),
            result => result?,
        };
        let name = &self.apart.file_name;
        match beneath::open_file(root.as_fd(), std::slice::from_ref(name), access) {
            Ok(file) => Ok(Some(file)),
            Err(Errno::NOENT) if absent == Absent::Make => {
                let made = self.changing(&[], || beneath::create_file(root.as_fd(), name));
                made.map(Some).map_err(|errno| system_error(Attempt::Create, &path(), errno))
            }
            Err(Errno::NOENT) => Ok(None),
            // What stands in its place without being a file holds nothing.
            Err(Errno::LOOP | Errno::ISDIR | Errno::NOTSUP) if absent == Absent::Leave => Ok(None),
            Err(errno) => Err(system_error(Attempt::Open, &path(), errno)),
        }
    }

    /// Reads the headers of all slots. What is no header is a free slot.
    pub(super) fn read_index(&self, generation: u64) -> Result<Index, DiskError> {
        let Some(open) = self.part_file(Access::Read, Freshness::AsNamed, Absent::Leave)? else {
            return Ok(Index::new(generation, None, std::iter::empty()));
        };
        let layout = self.apart.layout;
        let slots = layout.slots_in(open.bytes).min(PART_SLOTS_MAX);
        let mut headers = Vec::new();
        for slot in 0..slots {
            let at = layout.header_at(slot);
            let length = layout.header_bytes().min(open.bytes.saturating_sub(at));
            let mut header = vec![0; usize::try_from(length).unwrap_or_default()];
            read_exact(&open.file, at, &mut header, || self.part_path())?;
            let said = slot::decode(self.info().id(), self.info(), &header);
            headers.push(said.map(|(sequence, kept)| {
                let end = kept.ranges().last().map_or(0, |range| kept.edge.within(range.end));
                // What would lie behind the end of the file is not there, whatever the header says.
                let cut = layout.data_at(slot, end) > open.bytes;
                (sequence, if cut { Kept::nothing(kept.edge) } else { kept })
            }));
        }
        Ok(Index::new(generation, Some(open.identity), headers.into_iter()))
    }
}
