//! The file list of a v1 torrent (BEP 3): `files`, or `length` alone.

use std::ops::ControlFlow;

use super::error::MetainfoError;
use super::info::{File, Name};
use super::path::SafePath;
use super::read;
use crate::limits::{FILE_BYTES_MAX, FILES_MAX};

/// What BitComet names its pad files, before attributes existed.
const OLD_PAD_MARK: &[u8] = b"_____padding_file_";

/// Attribute letters of a file (BEP 47); unknown letters are ignored.
#[derive(Clone, Copy, Default)]
pub(super) struct Attributes {
    pub(super) pad: bool,
    pub(super) executable: bool,
    pub(super) hidden: bool,
    pub(super) symlink: bool,
}

impl Attributes {
    pub(super) fn read(raw: Option<&[u8]>) -> Self {
        let letters = raw.and_then(read::string).unwrap_or_default();
        let has = |letter| letters.contains(&letter);
        Self { pad: has(b'p'), executable: has(b'x'), hidden: has(b'h'), symlink: has(b'l') }
    }
}

/// The entries of `files` with offsets side by side.
pub(super) fn read_files(raw: &[u8], name: Name<'_>) -> Result<Vec<File>, MetainfoError> {
    let mut files = Vec::new();
    let mut failed = None;
    read::items(raw, |entry| {
        let read = match files.len() {
            FILES_MAX.. => Err(MetainfoError::TooManyFiles { files_max: FILES_MAX }),
            at => read_file(entry, name, at),
        };
        match read {
            Ok(file) => {
                files.push(file);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    match failed {
        Some(error) => Err(error),
        None if files.is_empty() => Err(MetainfoError::NoFiles),
        None => Ok(files),
    }
}

/// The one file of a torrent without `files`.
pub(super) fn read_single(length: Option<&[u8]>, name: Name<'_>) -> Result<Vec<File>, MetainfoError> {
    let bytes = file_bytes(length)?;
    Ok(vec![File { bytes, ..File::below(name, std::iter::empty()) }])
}

fn read_file(entry: &[u8], name: Name<'_>, at: usize) -> Result<File, MetainfoError> {
    if !read::is_dictionary(entry) {
        return Err(MetainfoError::InvalidFileEntry { what: "it is not a dictionary" });
    }
    let keys: [&[u8]; 5] = [b"attr", b"length", b"path", b"path.utf-8", b"symlink path"];
    let [attr, length, path, path_utf8, target] = read::fields(entry, keys);
    let attributes = Attributes::read(attr);
    let bytes = if attributes.symlink { 0 } else { file_bytes(length)? };
    let parts = path_utf8.and_then(read::strings).filter(|parts| !parts.is_empty());
    let parts = parts.or_else(|| path.and_then(read::strings)).unwrap_or_default();
    let mut parts = all_strings(parts, at)?;
    let pad = attributes.pad || parts.last().is_some_and(|part| part.starts_with(OLD_PAD_MARK));
    let pad_name = bytes.to_string();
    if parts.is_empty() {
        if !pad {
            return Err(MetainfoError::MissingName { of: "a file has no path" });
        }
        parts = vec![b".pad", pad_name.as_bytes()];
    }
    let symlink = match target.filter(|_| attributes.symlink) {
        Some(target) => Some(read_target(target, name.safe, at)?),
        None => None,
    };
    let (executable, hidden) = (attributes.executable, attributes.hidden);
    Ok(File { bytes, pad, executable, hidden, symlink, ..File::below(name, parts.into_iter()) })
}

/// The target of a symbolic link: a list of parts below the torrent's folder.
pub(super) fn read_target(raw: &[u8], name: &str, at: usize) -> Result<SafePath, MetainfoError> {
    let parts = all_strings(read::strings(raw).ok_or(MetainfoError::InvalidName { file: at })?, at)?;
    Ok(SafePath::from_parts(std::iter::once(name.as_bytes()).chain(parts)))
}

/// The length of a file.
pub(super) fn file_bytes(raw: Option<&[u8]>) -> Result<u64, MetainfoError> {
    raw.and_then(read::integer)
        .and_then(|bytes| u64::try_from(bytes).ok())
        .filter(|bytes| *bytes <= FILE_BYTES_MAX)
        .ok_or(MetainfoError::InvalidLength { of: "a file" })
}

fn all_strings(parts: Vec<Option<&[u8]>>, at: usize) -> Result<Vec<&[u8]>, MetainfoError> {
    parts.into_iter().map(|part| part.ok_or(MetainfoError::InvalidName { file: at })).collect()
}
