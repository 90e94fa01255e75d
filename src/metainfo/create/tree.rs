//! Finding the files of a torrent, in the order they will have in it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{CreateError, shown};
use crate::limits::METAINFO_DEPTH_MAX;
use crate::metainfo::path::safe_part;

/// Everything that goes into a torrent.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Its name.
    pub(super) name: String,
    /// Whether it is one file or a folder of them.
    pub(super) shape: Shape,
    /// Its files, sorted by the parts of their paths.
    pub(super) files: Vec<Source>,
}

/// Whether a torrent is one file or a folder of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The torrent's name is that of the file.
    Single,
    /// The torrent's name is that of the folder.
    Folder,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    /// Its path in the torrent, below the name; for a single file the name alone.
    pub(super) parts: Vec<String>,
    /// Where its bytes come from.
    pub(super) path: PathBuf,
    /// Its length.
    pub(super) bytes: u64,
}

impl Source {
    /// Opens it for reading.
    pub(super) fn open(&self) -> io::Result<File> {
        File::open(&self.path)
    }
}

impl Plan {
    /// The files given, in torrent order.
    pub(super) fn of_memory(name: &str, files: &[(&str, &[u8])]) -> Result<Self, CreateError> {
        let shape = match files {
            [(path, _)] if *path == name => Shape::Single,
            _ => Shape::Folder,
        };
        let source = |(path, bytes): &(&str, &[u8])| Source {
            parts: path.split('/').map(str::to_owned).collect(),
            path: PathBuf::from(path),
            bytes: bytes.len() as u64,
        };
        Self { name: name.to_owned(), shape, files: files.iter().map(source).collect() }
            .sorted(Path::new(name))
    }

    /// Bytes of all files together.
    pub(super) fn payload_bytes(&self) -> u64 {
        self.files.iter().map(|source| source.bytes).sum()
    }

    fn sorted(mut self, root: &Path) -> Result<Self, CreateError> {
        self.files.sort();
        if self.payload_bytes() == 0 { Err(CreateError::Empty { path: shown(root) }) } else { Ok(self) }
    }
}

/// Finds the files at `root`, and what was left out.
pub(super) fn walk(root: &Path) -> Result<(Plan, Vec<PathBuf>), CreateError> {
    let unreadable = |error| CreateError::Unreadable { path: shown(root), error };
    let real = fs::canonicalize(root).map_err(unreadable)?;
    let name = real.file_name().ok_or(CreateError::UnusableName {
        path: shown(root),
        reason: "it is the root of a file system and has no name",
    })?;
    let name = usable_name(name, root)?;
    let metadata = fs::metadata(&real).map_err(unreadable)?;
    let mut left_out = Vec::new();
    let plan = if metadata.is_dir() {
        let mut files = Vec::new();
        walk_folder(&real, &mut Vec::new(), &mut files, &mut left_out)?;
        Plan { name, shape: Shape::Folder, files }
    } else if metadata.is_file() {
        let source = Source { parts: vec![name.clone()], path: real, bytes: metadata.len() };
        Plan { name, shape: Shape::Single, files: vec![source] }
    } else {
        return Err(CreateError::NotAFile { path: shown(root) });
    };
    left_out.sort();
    Ok((plan.sorted(root)?, left_out))
}

fn walk_folder(
    folder: &Path,
    parts: &mut Vec<String>,
    files: &mut Vec<Source>,
    left_out: &mut Vec<PathBuf>,
) -> Result<(), CreateError> {
    let unreadable = |path: &Path, error| CreateError::Unreadable { path: shown(path), error };
    if parts.len() + 4 > METAINFO_DEPTH_MAX {
        return Err(CreateError::UnusableName {
            path: shown(folder),
            reason: "it lies too many folders deep",
        });
    }
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let entry = entry.map_err(|error| unreadable(folder, error))?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            left_out.push(path);
            continue;
        }
        parts.push(usable_name(&entry.file_name(), &path)?);
        let kind = entry.file_type().map_err(|error| unreadable(&path, error))?;
        let metadata = fs::metadata(&path).map_err(|error| unreadable(&path, error))?;
        if kind.is_dir() {
            walk_folder(&path, parts, files, left_out)?;
        } else if metadata.is_file() {
            files.push(Source { parts: parts.clone(), path, bytes: metadata.len() });
        } else {
            return Err(CreateError::NotAFile { path: shown(&path) });
        }
        parts.pop();
    }
    Ok(())
}

/// A name that every client will store as it is.
fn usable_name(name: &std::ffi::OsStr, path: &Path) -> Result<String, CreateError> {
    let refuse = |reason| Err(CreateError::UnusableName { path: shown(path), reason });
    let Some(text) = name.to_str() else { return refuse("it is not UTF-8") };
    if safe_part(text.as_bytes()) != text {
        return refuse("it holds a backslash, a control character or an invisible one");
    }
    Ok(text.to_owned())
}
