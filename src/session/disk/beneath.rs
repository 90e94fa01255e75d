//! Opening files below a folder so that no symbolic link leads out of it, whoever put it there and whenever.
//!
//! The kernel resolves the whole path under that rule (`openat2`); where it cannot, each part is opened from the
//! handle of its folder. Either way the check and the use are one, so a link that appears in between gains nothing.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat, openat2, statat, unlinkat,
};
use rustix::io::{Errno, Result};

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    /// Reading alone.
    Read,
    /// Reading and writing.
    Write,
}

impl Access {
    const fn flags(self) -> OFlags {
        match self {
            Self::Read => OFlags::RDONLY,
            Self::Write => OFlags::RDWR,
        }
    }
}

/// Non-blocking, so that a pipe put in a file's place cannot hold a thread.
const FILE: OFlags = OFlags::CLOEXEC.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
const FOLDER: OFlags = OFlags::CLOEXEC.union(OFlags::NOFOLLOW).union(OFlags::DIRECTORY);

/// Opens the regular file at `parts` below `root`.
pub(super) fn open_file(root: BorrowedFd<'_>, parts: &[String], access: Access) -> Result<OwnedFd> {
    regular(open(root, parts, FILE | access.flags(), Mode::empty())?)
}

/// Opens the folder at `parts` below `root`; no parts: the root again.
pub(super) fn open_folder(root: BorrowedFd<'_>, parts: &[String]) -> Result<OwnedFd> {
    if parts.is_empty() {
        return openat(root, ".", FOLDER | OFlags::RDONLY, Mode::empty());
    }
    open(root, parts, FOLDER | OFlags::RDONLY, Mode::empty())
}

/// Makes the folder `name` in `folder` unless it is there.
pub(super) fn make_folder(folder: BorrowedFd<'_>, name: &str) -> Result<()> {
    match mkdirat(folder, name, Mode::from_raw_mode(0o777)) {
        Err(Errno::EXIST) => Ok(()),
        result => result,
    }
}

/// Opens the regular file `name` in `folder` for writing, making it if it is not there.
pub(super) fn create_file(folder: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    let flags = FILE | Access::Write.flags() | OFlags::CREATE;
    regular(openat(folder, name, flags, Mode::from_raw_mode(0o666))?)
}

/// Fails unless `name` in `folder` is a regular file.
pub(super) fn is_regular(folder: BorrowedFd<'_>, name: &str) -> Result<()> {
    let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(Errno::ISDIR),
        _ => Err(Errno::NOTSUP),
    }
}

/// Removes the file `name` from `folder`.
pub(super) fn remove_file(folder: BorrowedFd<'_>, name: &str) -> Result<()> {
    unlinkat(folder, name, AtFlags::empty())
}

/// Removes the folder `name` from `folder` if it is empty.
pub(super) fn remove_folder(folder: BorrowedFd<'_>, name: &str) -> Result<()> {
    unlinkat(folder, name, AtFlags::REMOVEDIR)
}

fn open(root: BorrowedFd<'_>, parts: &[String], flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match openat2(root, parts.join("/"), flags, mode, resolve) {
        // An old kernel, a sandbox that filters the call, or a path longer than one call takes.
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL | Errno::AGAIN | Errno::NAMETOOLONG) => {
            open_part_by_part(root, parts, flags, mode)
        }
        result => result,
    }
}

fn open_part_by_part(root: BorrowedFd<'_>, parts: &[String], flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let Some((name, folders)) = parts.split_last() else { return Err(Errno::NOENT) };
    let mut folder: Option<OwnedFd> = None;
    for part in folders {
        let from = folder.as_ref().map_or(root, AsFd::as_fd);
        let next = openat(from, part.as_str(), FOLDER | OFlags::PATH, Mode::empty())?;
        folder = Some(next);
    }
    openat(folder.as_ref().map_or(root, AsFd::as_fd), name.as_str(), flags, mode)
}

/// Lets through regular files only: a device or pipe under a file's name is not payload.
fn regular(file: OwnedFd) -> Result<OwnedFd> {
    let kind = FileType::from_raw_mode(fstat(&file)?.st_mode);
    match kind {
        FileType::RegularFile => Ok(file),
        FileType::Directory => Err(Errno::ISDIR),
        _ => Err(Errno::NOTSUP),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn parts(path: &str) -> Vec<String> {
        path.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn no_link_is_followed_by_either_way_of_opening() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), b"x").unwrap();
        std::fs::create_dir(folder.path().join("real")).unwrap();
        std::fs::write(folder.path().join("real/file"), b"x").unwrap();
        symlink(outside.path(), folder.path().join("away")).unwrap();
        symlink("file", folder.path().join("real/alias")).unwrap();
        let root = std::fs::File::open(folder.path()).unwrap();
        let flags = FILE | OFlags::RDONLY;
        for hostile in ["away/secret", "real/alias", "../x"] {
            assert!(open_file(root.as_fd(), &parts(hostile), Access::Read).is_err(), "{hostile}");
        }
        for hostile in ["away/secret", "real/alias"] {
            let opened = open_part_by_part(root.as_fd(), &parts(hostile), flags, Mode::empty());
            assert!(opened.is_err(), "{hostile}");
        }
        assert!(open_file(root.as_fd(), &parts("real/file"), Access::Write).is_ok());
        assert!(open_part_by_part(root.as_fd(), &parts("real/file"), flags, Mode::empty()).is_ok());
        assert!(create_file(root.as_fd(), "away").is_err());
        assert!(open_folder(root.as_fd(), &parts("away")).is_err());
    }

    #[test]
    fn a_pipe_in_a_files_place_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = std::fs::File::open(folder.path()).unwrap();
        rustix::fs::mknodat(&root, "pipe", FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        assert_eq!(open_file(root.as_fd(), &parts("pipe"), Access::Read).unwrap_err(), Errno::NOTSUP);
    }
}
