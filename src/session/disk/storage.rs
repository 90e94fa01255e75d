//! One torrent's files below its save folder.
//!
//! Opens them beneath the folder's handle, makes folders and files when the first byte is written, and remembers what
//! was written since the last sync. A file is marked after its bytes are written and before anyone is told; a folder
//! is marked until a sync that began after the change: so whatever was told is covered by the next sync.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::{Arc, OnceLock};

use rustix::fs::{Mode, OFlags, Stat, fdatasync, fstat, fsync};
use rustix::io::Errno;

use super::beneath::{self, Access};
use super::budget::DiskBudget;
use super::error::{Attempt, other, system_error};
use super::handles::Handles;
use super::parts::Parts;
use super::pool::DiskPool;
use crate::engine::io::{DiskError, DiskErrorKind};
use crate::inspect::Lock;
use crate::metainfo::Info;
use crate::units::FileIndex;

/// Whether a file that is open already will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// It will, unless it was deleted meanwhile.
    AnyOpen,
    /// Only if it still is what its path names: a check looks at what is there now.
    AsNamed,
}

/// Whether a missing save folder is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RootUse {
    Existing,
    Create,
}

/// Whether somebody wants a file: one that nobody wants is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// It is made when its first byte comes.
    Yes,
    /// Its bytes are kept apart, unless it is there.
    No,
}

/// The files of one torrent.
#[derive(Debug)]
pub struct Storage {
    info: Arc<Info>,
    save_dir: PathBuf,
    pub(super) handles: Arc<Handles>,
    pub(super) id: u64,
    /// What is kept apart of its files.
    pub(super) apart: Parts,
    /// One for each file.
    unwanted: Vec<AtomicBool>,
    /// The device of the save folder when it was first seen.
    device: OnceLock<u64>,
    unsynced: Lock<Unsynced>,
    budget: Arc<DiskBudget>,
    /// Holds each job until it is closed, as a device would that does not answer.
    #[cfg(test)]
    gate: OnceLock<crate::inspect::WorkQueue<()>>,
    /// Set when its data was asked to be deleted: a write that comes late must not make files again.
    deleted: AtomicBool,
}

#[derive(Debug, Default)]
struct Unsynced {
    files: BTreeSet<FileIndex>,
    /// Folders whose list changed, each with how many changes are under way.
    folders: BTreeMap<String, u32>,
}

impl Storage {
    /// Nothing is opened or made yet, and every file is wanted.
    pub fn new(info: Arc<Info>, save_dir: PathBuf, pool: &DiskPool) -> Self {
        let handles = Arc::clone(pool.handles());
        Self {
            apart: Parts::new(&info),
            unwanted: info.files.iter().map(|_| AtomicBool::new(false)).collect(),
            info,
            save_dir,
            id: handles.new_storage(),
            handles,
            device: OnceLock::new(),
            unsynced: Lock::new("files to sync of a torrent", Unsynced::default()),
            budget: pool.new_budget(),
            #[cfg(test)]
            gate: OnceLock::new(),
            deleted: AtomicBool::new(false),
        }
    }

    /// What the torrent is.
    pub const fn info(&self) -> &Arc<Info> {
        &self.info
    }

    /// The folder that its payload is saved into.
    pub fn save_dir(&self) -> &Path {
        &self.save_dir
    }

    /// What of it waits for a disk thread.
    pub const fn budget(&self) -> &Arc<DiskBudget> {
        &self.budget
    }

    /// The device of the save folder, once it was seen.
    pub(super) fn device(&self) -> Option<u64> {
        self.device.get().copied()
    }

    /// Says whether a file is wanted. What is kept apart of it stays where it is until a [`super::Job::gather`].
    pub fn set_wanted(&self, file: FileIndex, wanted: Wanted) {
        if let Some(unwanted) = self.unwanted.get(file.at()) {
            unwanted.store(wanted == Wanted::No, SeqCst);
        }
    }

    /// Whether a file is wanted.
    pub(super) fn wanted(&self, file: FileIndex) -> Wanted {
        let unwanted = self.unwanted.get(file.at()).is_some_and(|unwanted| unwanted.load(SeqCst));
        if unwanted { Wanted::No } else { Wanted::Yes }
    }

    /// Closes its files. They are opened again if they are needed again.
    pub fn close_files(&self) {
        self.handles.forget_all(self.id);
    }

    /// How many files and folders were changed since the last sync.
    #[cfg(test)]
    pub(super) fn waits_for_sync(&self) -> (usize, usize) {
        let unsynced = self.unsynced.lock();
        (unsynced.files.len(), unsynced.folders.len())
    }

    /// Lets no job of it end until the gate is closed.
    #[cfg(test)]
    pub(in crate::session) fn hang(&self) -> crate::inspect::WorkQueue<()> {
        self.gate.get_or_init(|| crate::inspect::work_queue("gate of a disk that hangs", 1)).clone()
    }

    #[cfg(test)]
    pub(super) fn pass_gate(&self) {
        if let Some(gate) = self.gate.get() {
            assert!(gate.pop_blocking().is_none(), "nothing comes through a gate");
        }
    }

    /// As if its folder was seen on that device.
    #[cfg(test)]
    pub(super) fn set_device(&self, device: u64) {
        self.device.set(device).expect("it was not seen before");
    }

    /// Closes its files and lets none be written any more.
    pub(super) fn retire(&self) {
        self.deleted.store(true, Relaxed);
        self.close_files();
    }

    pub(super) fn is_retired(&self) -> bool {
        self.deleted.load(Relaxed)
    }

    /// Where a file is, for messages.
    pub(super) fn path(&self, file: FileIndex) -> PathBuf {
        self.save_dir.join(self.info.files[file.at()].path.as_str())
    }

    /// The parts of a file's path.
    pub(super) fn parts(&self, file: FileIndex) -> Vec<String> {
        self.info.files[file.at()].path.parts().map(str::to_owned).collect()
    }

    /// A file, open for `access`; for writing it is made if it is not there.
    pub(super) fn file(
        &self,
        file: FileIndex,
        access: Access,
        freshness: Freshness,
    ) -> Result<Arc<OwnedFd>, DiskError> {
        let known = self.handles.find(self.id, file, access);
        if let Some(known) = &known {
            match freshness {
                Freshness::AnyOpen if fstat(known).is_ok_and(|stat| stat.st_nlink > 0) => {
                    return Ok(Arc::clone(known));
                }
                Freshness::AnyOpen => self.handles.forget(self.id, file),
                Freshness::AsNamed => {}
            }
        }
        let opened = Arc::new(self.open(file, access)?);
        if freshness == Freshness::AsNamed && known.is_some_and(|known| same_file(&known, &opened)) {
            return Ok(opened);
        }
        self.handles.keep(self.id, file, access, &opened);
        Ok(opened)
    }

    /// A file, open for writing, if it is there; none is made.
    pub(super) fn file_if_there(&self, file: FileIndex) -> Result<Option<Arc<OwnedFd>>, DiskError> {
        if self.is_retired() {
            return Ok(None);
        }
        let known = self.handles.find(self.id, file, Access::Write);
        if let Some(known) = known.filter(|known| fstat(known).is_ok_and(|stat| stat.st_nlink > 0)) {
            return Ok(Some(known));
        }
        let root = match self.root(RootUse::Existing) {
            Err(error) if error.kind == DiskErrorKind::Missing => return Ok(None),
            result => result?,
        };
        match beneath::open_file(root.as_fd(), &self.parts(file), Access::Write) {
            Ok(opened) => {
                let opened = Arc::new(opened);
                self.handles.keep(self.id, file, Access::Write, &opened);
                Ok(Some(opened))
            }
            // What stands in its place without being a file is in nobody's way until the file is wanted.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ISDIR | Errno::NOTSUP) => Ok(None),
            Err(errno) => Err(system_error(Attempt::Open, &self.path(file), errno)),
        }
    }

    /// Says that bytes of a file were written.
    pub(super) fn mark_written(&self, file: FileIndex) {
        self.unsynced.lock().files.insert(file);
    }

    /// Waits until the device has everything that was written so far, and moves what is still kept apart of wanted
    /// files.
    pub(super) fn sync(&self) -> Result<(), DiskError> {
        let gathered = self.gather_all();
        // Taken before the files: those that the bytes of these slots went into are among them.
        let drained = self.take_drained();
        let unsynced = {
            let mut unsynced = self.unsynced.lock();
            let folders: Vec<String> = unsynced.folders.keys().cloned().collect();
            unsynced.folders.retain(|_, under_way| *under_way > 0);
            (std::mem::take(&mut unsynced.files), folders)
        };
        let synced = self.sync_files(unsynced);
        let kept = self.sync_parts();
        let ended = drained.map_or(Ok(()), |drained| self.end_drained(drained, &synced));
        synced.and(gathered).and(kept).and(ended)
    }

    fn sync_files(&self, (files, folders): (BTreeSet<FileIndex>, Vec<String>)) -> Result<(), DiskError> {
        let mut failed: Option<DiskError> = None;
        for file in files {
            if let Err(error) = self.sync_file(file) {
                // A file that another program deleted has nothing left to sync: it is told once.
                if error.kind != DiskErrorKind::Missing {
                    self.mark_written(file);
                }
                failed.get_or_insert(error);
            }
        }
        for folder in folders {
            if let Err(error) = self.sync_folder(&folder) {
                self.unsynced.lock().folders.entry(folder).or_default();
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Opens the save folder.
    pub(super) fn root(&self, root_use: RootUse) -> Result<OwnedFd, DiskError> {
        let failed = |attempt, errno| system_error(attempt, &self.save_dir, errno);
        // Asked before the folder is looked for: another thread may make it in between.
        let never_seen = self.device.get().is_none();
        let root = match open_root(&self.save_dir) {
            Err(Errno::NOENT) if root_use == RootUse::Create && never_seen => {
                make_root(&self.save_dir).map_err(|errno| failed(Attempt::Create, errno))?;
                open_root(&self.save_dir)
            }
            result => result,
        };
        let root = root.map_err(|errno| failed(Attempt::Open, errno))?;
        let stat = fstat(&root).map_err(|errno| failed(Attempt::Inspect, errno))?;
        // An unmounted disk leaves an empty folder in its place; writing there would fill the wrong disk.
        if *self.device.get_or_init(|| stat.st_dev) != stat.st_dev {
            let folder = self.save_dir.display();
            return Err(other(format!(
                "opening {folder}: it is on another file system than before; mount the disk again, then resume"
            )));
        }
        Ok(root)
    }

    fn open(&self, file: FileIndex, access: Access) -> Result<OwnedFd, DiskError> {
        let failed = |errno| system_error(Attempt::Open, &self.path(file), errno);
        let parts = self.parts(file);
        match access {
            Access::Read => {
                let root = self.root(RootUse::Existing)?;
                beneath::open_file(root.as_fd(), &parts, access).map_err(failed)
            }
            Access::Write if self.is_retired() => {
                Err(other(format!("writing {}: the torrent's data was deleted", self.path(file).display())))
            }
            Access::Write => {
                let root = self.root(RootUse::Create)?;
                match beneath::open_file(root.as_fd(), &parts, access) {
                    Err(Errno::NOENT) => self
                        .create(&root, &parts)
                        .map_err(|errno| system_error(Attempt::Create, &self.path(file), errno)),
                    result => result.map_err(failed),
                }
            }
        }
    }

    fn create(&self, root: &OwnedFd, parts: &[String]) -> rustix::io::Result<OwnedFd> {
        let (name, folders) = parts.split_last().ok_or(Errno::INVAL)?;
        let mut folder = beneath::open_folder(root.as_fd(), &[])?;
        for (depth, part) in folders.iter().enumerate() {
            let one = std::slice::from_ref(part);
            folder = match beneath::open_folder(folder.as_fd(), one) {
                Err(Errno::NOENT) => {
                    self.changing(&folders[..depth], || beneath::make_folder(folder.as_fd(), part))?;
                    beneath::open_folder(folder.as_fd(), one)?
                }
                result => result?,
            };
        }
        self.changing(folders, || beneath::create_file(folder.as_fd(), name))
    }

    /// Runs a change of a folder's list, so that a sync during it leaves the folder to the next one.
    pub(super) fn changing<T>(&self, folder: &[String], change: impl FnOnce() -> T) -> T {
        let folder = folder.join("/");
        *self.unsynced.lock().folders.entry(folder.clone()).or_default() += 1;
        let result = change();
        if let Some(under_way) = self.unsynced.lock().folders.get_mut(&folder) {
            *under_way -= 1;
        }
        result
    }

    fn sync_file(&self, file: FileIndex) -> Result<(), DiskError> {
        let open = self.file(file, Access::Read, Freshness::AnyOpen)?;
        fdatasync(&open).map_err(|errno| system_error(Attempt::Sync, &self.path(file), errno))
    }

    pub(super) fn sync_folder(&self, folder: &str) -> Result<(), DiskError> {
        let parts: Vec<String> =
            folder.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let root = self.root(RootUse::Existing)?;
        match beneath::open_folder(root.as_fd(), &parts).and_then(fsync) {
            // Deleted by another program: its files are found missing on their own.
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(system_error(Attempt::Sync, &self.save_dir.join(folder), errno)),
        }
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        self.close_files();
    }
}

fn same_file(a: &OwnedFd, b: &OwnedFd) -> bool {
    let identity = |stat: Stat| (stat.st_dev, stat.st_ino);
    matches!((fstat(a), fstat(b)), (Ok(a), Ok(b)) if identity(a) == identity(b))
}

/// The save folder is the user's own choice, so links on the way to it are followed.
fn open_root(folder: &Path) -> rustix::io::Result<OwnedFd> {
    rustix::fs::open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Makes the save folder and the folders above it, and syncs each that gained one.
fn make_root(folder: &Path) -> rustix::io::Result<()> {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent.filter(|parent| !parent.exists()) {
        make_root(parent)?;
    }
    match rustix::fs::mkdir(folder, Mode::from_raw_mode(0o777)) {
        Ok(()) => fsync(open_root(parent.unwrap_or(Path::new(".")))?),
        Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}
