//! Open files, shared by all torrents, with a bound from the process's descriptor limit.
//!
//! The one used longest ago is closed first. The lock is held for a map operation; opening and closing happen outside.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::beneath::Access;
use crate::inspect::Lock;
use crate::limits::{
    OPEN_FILES_MAX, OPEN_FILES_MIN, OPEN_FILES_RESERVED_DESCRIPTORS, OPEN_FILES_SHARE_OF_DESCRIPTORS,
};
use crate::units::FileIndex;

/// The open files of all torrents.
#[derive(Debug)]
pub struct Handles {
    table: Lock<Table>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Table {
    open: BTreeMap<(u64, FileIndex), Handle>,
    by_use: BTreeMap<u64, (u64, FileIndex)>,
    uses: u64,
    storages: u64,
}

#[derive(Debug)]
struct Handle {
    file: Arc<OwnedFd>,
    access: Access,
    last_use: u64,
}

/// How many descriptors this process may have open. The limit is raised as far as it may be: the customary 1024 is for
/// programs that call `select`.
pub(in crate::session) fn descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    if raised.is_ok() { limit.maximum } else { limit.current }.unwrap_or(u64::MAX)
}

impl Handles {
    /// A table sized by the descriptor limit of this process; sockets of peers come out of it too.
    pub fn new() -> Self {
        let share =
            descriptors().saturating_sub(OPEN_FILES_RESERVED_DESCRIPTORS) / OPEN_FILES_SHARE_OF_DESCRIPTORS;
        Self::with_capacity(
            usize::try_from(share).unwrap_or(usize::MAX).clamp(OPEN_FILES_MIN, OPEN_FILES_MAX),
        )
    }

    fn with_capacity(capacity: usize) -> Self {
        Self { table: Lock::new("open payload files", Table::default()), capacity }
    }

    /// A number for a torrent's storage, never given twice.
    pub(super) fn new_storage(&self) -> u64 {
        let mut table = self.table.lock();
        table.storages += 1;
        table.storages
    }

    /// The file, if it is open and good for `access`.
    pub(super) fn find(&self, storage: u64, file: FileIndex, access: Access) -> Option<Arc<OwnedFd>> {
        let mut guard = self.table.lock();
        let table = &mut *guard;
        let handle = table.open.get_mut(&(storage, file)).filter(|handle| handle.access >= access)?;
        table.uses += 1;
        table.by_use.remove(&handle.last_use);
        handle.last_use = table.uses;
        table.by_use.insert(table.uses, (storage, file));
        Some(Arc::clone(&handle.file))
    }

    /// Keeps an opened file, closing another where there are too many.
    pub(super) fn keep(&self, storage: u64, file: FileIndex, access: Access, opened: &Arc<OwnedFd>) {
        let mut table = self.table.lock();
        table.uses += 1;
        let last_use = table.uses;
        let handle = Handle { file: Arc::clone(opened), access, last_use };
        let replaced = table.open.insert((storage, file), handle);
        if let Some(replaced) = &replaced {
            table.by_use.remove(&replaced.last_use);
        }
        table.by_use.insert(last_use, (storage, file));
        let evicted = if table.open.len() > self.capacity {
            let oldest = table.by_use.pop_first();
            oldest.and_then(|(_, key)| table.open.remove(&key))
        } else {
            None
        };
        drop(table);
        drop((replaced, evicted));
    }

    /// Closes one file.
    pub(super) fn forget(&self, storage: u64, file: FileIndex) {
        let mut table = self.table.lock();
        let closed = table.open.remove(&(storage, file));
        if let Some(closed) = &closed {
            table.by_use.remove(&closed.last_use);
        }
        drop(table);
        drop(closed);
    }

    /// Closes all files of a torrent.
    pub(super) fn forget_all(&self, storage: u64) {
        let mut table = self.table.lock();
        let mut later = table.open.split_off(&(storage, FileIndex(0)));
        let mut others = later.split_off(&(storage + 1, FileIndex(0)));
        table.open.append(&mut others);
        for handle in later.values() {
            table.by_use.remove(&handle.last_use);
        }
        drop(table);
        drop(later);
    }
}

impl Default for Handles {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Arc<OwnedFd> {
        Arc::new(std::fs::File::open("/dev/null").unwrap().into())
    }

    #[test]
    fn the_file_used_longest_ago_is_closed_first() {
        let handles = Handles::with_capacity(2);
        let storage = handles.new_storage();
        handles.keep(storage, FileIndex(0), Access::Read, &file());
        handles.keep(storage, FileIndex(1), Access::Read, &file());
        assert!(handles.find(storage, FileIndex(0), Access::Read).is_some());
        handles.keep(storage, FileIndex(2), Access::Write, &file());
        assert!(handles.find(storage, FileIndex(1), Access::Read).is_none());
        assert!(handles.find(storage, FileIndex(0), Access::Read).is_some());
        assert!(handles.find(storage, FileIndex(0), Access::Write).is_none());
        assert!(handles.find(storage, FileIndex(2), Access::Read).is_some());
    }

    #[test]
    fn the_descriptor_limit_is_used_whole() {
        let handles = Handles::new();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        assert!((OPEN_FILES_MIN..=OPEN_FILES_MAX).contains(&handles.capacity));
    }

    #[test]
    fn forgetting_a_torrent_leaves_the_others_open() {
        let handles = Handles::with_capacity(8);
        let storages = [handles.new_storage(), handles.new_storage(), handles.new_storage()];
        for storage in storages {
            handles.keep(storage, FileIndex(0), Access::Read, &file());
            handles.keep(storage, FileIndex(7), Access::Read, &file());
        }
        handles.forget_all(storages[1]);
        let open = |storage| handles.find(storage, FileIndex(7), Access::Read).is_some();
        assert_eq!(storages.map(open), [true, false, true]);
        assert_eq!(handles.table.lock().by_use.len(), 4);
    }
}
