//! Why saving or loading failed.

use std::io;
use std::path::{Path, PathBuf};

use crate::contract::Untrusted;
use crate::engine::io::{DiskError, DiskErrorKind};

/// The state store failed. What it held before is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process has the file open.
    #[error("opening {}: another program has it open; end that one first", path.display())]
    InUse {
        /// The store's file.
        path: PathBuf,
    },
    /// A call failed.
    #[error("{attempt} {}: {message}; {}", path.display(), remedy(*kind))]
    Failed {
        /// What was tried.
        attempt: &'static str,
        /// The store's file.
        path: PathBuf,
        /// What kind of trouble it is.
        kind: DiskErrorKind,
        /// The system's words.
        message: String,
    },
    /// The thread that saves has ended.
    #[error("saving the state: its thread has ended; restart unchoke")]
    Ended,
}

impl StoreError {
    pub(super) fn failed(attempt: &'static str, path: &Path, error: impl Into<redb::Error>) -> Self {
        let error = error.into();
        let kind = match &error {
            redb::Error::Io(error) => kind_of(error),
            _ => DiskErrorKind::Other,
        };
        Self::Failed { attempt, path: path.to_owned(), kind, message: error.to_string() }
    }

    /// The same as trouble with the disk, for `Input::ResumeSaved`.
    pub fn as_disk_error(&self) -> DiskError {
        let kind = match self {
            Self::Failed { kind, .. } => *kind,
            Self::InUse { .. } | Self::Ended => DiskErrorKind::Other,
        };
        DiskError { kind, message: Untrusted::new(self.to_string()) }
    }
}

fn kind_of(error: &io::Error) -> DiskErrorKind {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskErrorKind::Full,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => DiskErrorKind::Denied,
        io::ErrorKind::NotFound => DiskErrorKind::Missing,
        _ => DiskErrorKind::Other,
    }
}

const fn remedy(kind: DiskErrorKind) -> &'static str {
    match kind {
        DiskErrorKind::Full => "free some space there, saving is tried again by itself",
        DiskErrorKind::Denied => "make the state directory writable, saving is tried again by itself",
        DiskErrorKind::Missing => "put the state directory back, saving is tried again by itself",
        DiskErrorKind::Other => "saving is tried again by itself",
    }
}
