//! Where the socket is, also where the state folder's path is longer than a socket address may be.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::limits::SOCKET_PATH_BYTES_MAX;

/// A path of a socket that fits into an address. Use it while this value lives.
pub(super) struct SocketAddress {
    path: PathBuf,
    /// Held open, because `path` may go through it.
    _folder: Option<File>,
}

impl SocketAddress {
    /// The address of `name` in `folder`. A long path is reached through the open folder's entry in `/proc`.
    pub(super) fn new(folder: &Path, name: &str) -> io::Result<Self> {
        let path = folder.join(name);
        if path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
            return Ok(Self { path, _folder: None });
        }
        let folder = File::open(folder)?;
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&folder);
        Ok(Self { path: PathBuf::from(format!("/proc/self/fd/{descriptor}/{name}")), _folder: Some(folder) })
    }

    /// What to bind or connect to.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
