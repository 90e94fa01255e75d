//! The system's errors as [`DiskError`]: what was tried on which file, and what a person can do.

use std::path::Path;

use rustix::io::Errno;

use crate::contract::Untrusted;
use crate::engine::io::{DiskError, DiskErrorKind};

/// What was tried when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Open,
    Create,
    Read,
    Write,
    Sync,
    Delete,
    Inspect,
}

impl Attempt {
    const fn words(self) -> &'static str {
        match self {
            Self::Open => "opening",
            Self::Create => "creating",
            Self::Read => "reading",
            Self::Write => "writing",
            Self::Sync => "syncing",
            Self::Delete => "deleting",
            Self::Inspect => "looking at",
        }
    }
}

/// The error of a system call on `path`.
pub(super) fn system_error(attempt: Attempt, path: &Path, errno: Errno) -> DiskError {
    let (kind, remedy) = kind_and_remedy(errno);
    let message = format!("{} {}: {errno}; {remedy}", attempt.words(), path.display());
    DiskError { kind, message: Untrusted::new(message) }
}

/// The file, or the part of it that was asked for, is not there.
pub(super) fn too_short(path: &Path, wanted_end: u64) -> DiskError {
    let message = format!(
        "reading {}: the file ends before byte {wanted_end}; it was cut by another program, recheck the torrent",
        path.display()
    );
    DiskError { kind: DiskErrorKind::Missing, message: Untrusted::new(message) }
}

/// A fault that is no system call's.
pub(super) fn other(message: String) -> DiskError {
    DiskError { kind: DiskErrorKind::Other, message: Untrusted::new(message) }
}

fn kind_and_remedy(errno: Errno) -> (DiskErrorKind, &'static str) {
    match errno {
        Errno::NOSPC => (DiskErrorKind::Full, "free some space there, the download then goes on by itself"),
        Errno::DQUOT => (DiskErrorKind::Full, "the quota is used up: free some space or raise it"),
        Errno::ACCESS | Errno::PERM => (DiskErrorKind::Denied, "give this user the right to it"),
        Errno::ROFS => (DiskErrorKind::Denied, "the file system is read-only: mount it for writing"),
        Errno::LOOP | Errno::XDEV => (
            DiskErrorKind::Denied,
            "a symbolic link stands in its path, and none is followed below the save folder: replace the link",
        ),
        Errno::NOTDIR => (
            DiskErrorKind::Denied,
            "a part of its path is a file or a symbolic link instead of a folder: move it away",
        ),
        Errno::ISDIR => (DiskErrorKind::Denied, "a folder stands where the file should be: move it away"),
        Errno::NOENT => (DiskErrorKind::Missing, "put it back, or recheck the torrent to fetch it again"),
        Errno::MFILE | Errno::NFILE => {
            (DiskErrorKind::Other, "too many files are open: raise the limit (ulimit -n) and restart")
        }
        Errno::FBIG => (DiskErrorKind::Other, "the file is too large for this file system: save elsewhere"),
        Errno::NAMETOOLONG => {
            (DiskErrorKind::Other, "the name is too long for this file system: save elsewhere")
        }
        Errno::IO => (DiskErrorKind::Other, "the device fails: look at the system log, then recheck"),
        _ => (DiskErrorKind::Other, "mend the cause, then resume the torrent"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_has_its_kind_its_file_and_a_remedy() {
        let cases = [
            (Errno::NOSPC, DiskErrorKind::Full),
            (Errno::DQUOT, DiskErrorKind::Full),
            (Errno::ROFS, DiskErrorKind::Denied),
            (Errno::ACCESS, DiskErrorKind::Denied),
            (Errno::LOOP, DiskErrorKind::Denied),
            (Errno::NOENT, DiskErrorKind::Missing),
            (Errno::IO, DiskErrorKind::Other),
            (Errno::MFILE, DiskErrorKind::Other),
        ];
        for (errno, kind) in cases {
            let error = system_error(Attempt::Write, Path::new("/save/a.iso"), errno);
            assert_eq!(error.kind, kind, "{errno}");
            let text = error.message.raw();
            assert!(text.starts_with("writing /save/a.iso: ") && text.contains("; "), "{text}");
        }
    }
}
