//! What is done with whole files: make the empty ones, take their stamps, delete them all.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{fstat, statvfs};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::beneath::{self, Access};
use super::error::{Attempt, system_error};
use super::storage::{Freshness, RootUse, Storage, Wanted};
use crate::engine::io::{DiskError, DiskErrorKind};
use crate::units::FileIndex;

/// What tells that a file was changed by another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    /// Its length on disk.
    pub bytes: u64,
    /// Seconds of its modification time.
    pub modified_s: i64,
    /// Nanoseconds of it.
    pub modified_ns: u32,
}

/// Bytes that this user may still write where `folder` is or will be; `None` where the system does not say.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|path| path.exists())?;
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let system = statvfs(there).ok()?;
    system.f_bavail.checked_mul(system.f_frsize)
}

/// What came of gathering files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gathered {
    /// All that was kept apart of them is in them.
    Whole,
    /// Another program took the part file: bytes that are claimed are nowhere, and only a check tells which.
    SomeLost,
}

/// Makes these files whole as far as that needs no peer, where they are wanted: those without a byte, which no piece
/// would ever make, are made (links of a torrent are not), and bytes kept apart are moved into theirs.
pub(super) fn gather(storage: &Storage, files: &[FileIndex]) -> Result<Gathered, DiskError> {
    for &index in files {
        let Some(file) = storage.info().files.get(index.at()) else { continue };
        let is_plain = !file.pad && file.symlink.is_none();
        if file.bytes == 0 && is_plain && storage.wanted(index) == Wanted::Yes {
            storage.file(index, Access::Write, Freshness::AnyOpen)?;
            storage.mark_written(index);
        }
    }
    let gathered = storage.gather(files);
    if storage.take_lost() {
        return Ok(Gathered::SomeLost);
    }
    gathered.map(|()| Gathered::Whole)
}

/// One stamp a file, `None` where it is padding or not there.
pub(super) fn stamps(storage: &Storage) -> Result<Vec<Option<FileStamp>>, DiskError> {
    let root = match storage.root(RootUse::Existing) {
        Err(error) if error.kind == DiskErrorKind::Missing => {
            return Ok(vec![None; storage.info().files.len()]);
        }
        result => result?,
    };
    let stamp = |index: FileIndex| {
        if storage.info().files[index.at()].pad {
            return Ok(None);
        }
        let parts = storage.parts(index);
        match beneath::open_file(root.as_fd(), &parts, Access::Read).and_then(fstat) {
            Ok(stat) => Ok(Some(FileStamp {
                bytes: u64::try_from(stat.st_size).unwrap_or_default(),
                modified_s: stat.st_mtime,
                modified_ns: u32::try_from(stat.st_mtime_nsec).unwrap_or_default(),
            })),
            // What stands in a file's place without being one is no data.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ISDIR | Errno::NOTSUP | Errno::XDEV) => {
                Ok(None)
            }
            Err(errno) => Err(system_error(Attempt::Inspect, &storage.path(index), errno)),
        }
    };
    storage.info().file_indices().map(stamp).collect()
}

/// Deletes the torrent's files, what is kept apart of them, then the folders of its own that are left empty. Nothing else, whatever is there.
pub(super) fn delete(storage: &Storage) -> Result<(), DiskError> {
    storage.retire();
    let root = match storage.root(RootUse::Existing) {
        Err(error) if error.kind == DiskErrorKind::Missing => return Ok(()),
        result => result?,
    };
    let mut folders: BTreeSet<Vec<String>> = BTreeSet::new();
    let mut failed: Option<DiskError> = None;
    if let Err(error) = storage.delete_parts(&root) {
        failed = Some(error);
    }
    for index in storage.info().file_indices() {
        if storage.info().files[index.at()].pad {
            continue;
        }
        let parts = storage.parts(index);
        for depth in 1..parts.len() {
            folders.insert(parts[..depth].to_vec());
        }
        match remove_regular(&root, &parts) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NOTSUP | Errno::ISDIR) => {}
            Err(errno) => {
                failed.get_or_insert(system_error(Attempt::Delete, &storage.path(index), errno));
            }
        }
    }
    // Deeper folders sort behind the ones they are in.
    for folder in folders.iter().rev() {
        let Some((name, parents)) = folder.split_last() else { continue };
        let removed = beneath::open_folder(root.as_fd(), parents)
            .and_then(|parent| beneath::remove_folder(parent.as_fd(), name));
        match removed {
            Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(errno) => {
                let path = storage.save_dir().join(folder.join("/"));
                failed.get_or_insert(system_error(Attempt::Delete, &path, errno));
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

fn remove_regular(root: &impl AsFd, parts: &[String]) -> rustix::io::Result<()> {
    let (name, folders) = parts.split_last().ok_or(Errno::NOENT)?;
    let folder = beneath::open_folder(root.as_fd(), folders)?;
    beneath::is_regular(folder.as_fd(), name)?;
    beneath::remove_file(folder.as_fd(), name)
}
