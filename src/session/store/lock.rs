//! One process at a time owns a state directory.
//!
//! The lock is the kernel's and goes with the process, so a killed one leaves nothing to clean up. The pid in the file
//! is for the message only.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

const LOCK_NAME: &str = "lock";

/// The state directory could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Another process has it.
    #[error(
        "the state directory {} belongs to the unchoke that runs{}; hand the torrent to that one with `unchoke ctl \
         --state-dir {} add`, or name another --state-dir",
        dir.display(), of_pid(*pid), dir.display()
    )]
    AlreadyRunning {
        /// The directory.
        dir: PathBuf,
        /// The other process, where it has said so.
        pid: Option<u32>,
    },
    /// It cannot be made or written.
    #[error("taking the state directory {}: {error}; make it writable or name another --state-dir", dir.display())]
    System {
        /// The directory.
        dir: PathBuf,
        /// The system's words.
        error: io::Error,
    },
}

fn of_pid(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" as pid {pid}"))
}

/// The right to use a state directory, until it is dropped.
#[derive(Debug)]
pub struct StateDirLock {
    _file: File,
    dir: PathBuf,
}

impl StateDirLock {
    /// Takes the directory, making it (for this user alone) if it is not there.
    pub fn acquire(dir: &Path) -> Result<Self, StateDirError> {
        let failed = |error| StateDirError::System { dir: dir.to_owned(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(dir.join(LOCK_NAME));
        let mut file = open.map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                write_pid(&mut file).map_err(failed)?;
                Ok(Self { _file: file, dir: dir.to_owned() })
            }
            Err(Errno::WOULDBLOCK) => {
                Err(StateDirError::AlreadyRunning { dir: dir.to_owned(), pid: read_pid(&mut file) })
            }
            Err(errno) => Err(failed(errno.into())),
        }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_second_owner_is_refused_with_the_pid_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("state/unchoke");
        let first = StateDirLock::acquire(&dir).unwrap();
        assert_eq!(dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let error = StateDirLock::acquire(&dir).unwrap_err();
        let pid = std::process::id();
        assert!(matches!(error, StateDirError::AlreadyRunning { pid: Some(named), .. } if named == pid));
        assert!(error.to_string().contains(&format!("as pid {pid}")), "{error}");
        assert!(error.to_string().contains("unchoke ctl --state-dir"), "{error}");
        drop(first);
        StateDirLock::acquire(&dir).unwrap();
    }

    #[test]
    fn a_file_in_its_place_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x"), b"").unwrap();
        let error = StateDirLock::acquire(&folder.path().join("x")).unwrap_err();
        assert!(error.to_string().contains("/x: "), "{error}");
    }
}
