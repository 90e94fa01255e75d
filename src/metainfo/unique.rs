//! Giving files of equal path paths of their own, in a way that every run repeats.
//!
//! Paths that differ only in case count as equal, and so do a file and a folder: both would meet on some file
//! system. Pad files are never written, so they are left alone.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher};

use super::error::MetainfoError;
use super::info::File;
use super::path::SafePath;
use crate::limits::RENAME_ATTEMPTS_MAX;

/// Renames every file whose path an earlier file or any folder has.
pub(super) fn make_unique(files: &mut [File]) -> Result<(), MetainfoError> {
    let mut folders = BTreeSet::new();
    let mut paths = Vec::with_capacity(files.len());
    for file in files.iter().filter(|file| !file.pad) {
        paths.push(digest(&file.path, |folder| {
            folders.insert(folder);
        }));
    }
    paths.sort_unstable();
    let clash =
        paths.windows(2).any(|pair| pair[0] == pair[1]) || paths.iter().any(|path| folders.contains(path));
    if clash { rename(files, &folders) } else { Ok(()) }
}

/// The slow way, for the few torrents that need it.
fn rename(files: &mut [File], folders: &BTreeSet<u64>) -> Result<(), MetainfoError> {
    let mut taken = BTreeSet::new();
    let mut attempts = 0;
    for file in files.iter_mut().filter(|file| !file.pad) {
        let mut number = 0;
        let mut path = file.path.clone();
        while folders.contains(&digest(&path, |_| ())) || !taken.insert(digest(&path, |_| ())) {
            attempts += 1;
            if attempts > RENAME_ATTEMPTS_MAX {
                return Err(MetainfoError::TooManyDuplicates);
            }
            number += 1;
            path = file.path.numbered(number);
        }
        if file.path != path {
            file.rename(path);
        }
    }
    Ok(())
}

/// A digest of the path without regard to case; `folder` is given that of each folder on the way.
///
/// The hasher has fixed keys, so runs agree. Should two different paths ever share a digest, one is renamed
/// needlessly.
fn digest(path: &SafePath, mut folder: impl FnMut(u64)) -> u64 {
    let mut hasher = DefaultHasher::new();
    let lower = if path.as_str().is_ascii() {
        path.as_str().to_ascii_lowercase()
    } else {
        path.as_str().chars().flat_map(char::to_lowercase).collect()
    };
    for (at, part) in lower.split('/').enumerate() {
        if at > 0 {
            folder(hasher.finish());
            hasher.write(b"/");
        }
        hasher.write(part.as_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unique(paths: &[&str]) -> Result<Vec<String>, MetainfoError> {
        let mut files: Vec<File> = paths
            .iter()
            .map(|path| File::empty(SafePath::from_parts(path.split('/').map(str::as_bytes))))
            .collect();
        make_unique(&mut files)?;
        Ok(files.iter().map(|file| file.path.to_string()).collect())
    }

    #[test]
    fn later_files_are_renamed() {
        let paths = unique(&["t/foo.txt", "t/FOO.txt", "t/foo.1.txt", "t/x"]).unwrap();
        assert_eq!(paths, ["t/foo.txt", "t/FOO.1.txt", "t/foo.1.1.txt", "t/x"]);
    }

    #[test]
    fn a_file_gives_way_to_a_folder() {
        assert_eq!(unique(&["t/a", "t/A/b", "t/A/b/c"]).unwrap(), ["t/a.1", "t/A/b.1", "t/A/b/c"]);
    }

    #[test]
    fn too_many_clashes_are_refused() {
        let same = vec!["t/a"; 40];
        assert_eq!(unique(&same), Err(MetainfoError::TooManyDuplicates));
        assert!(unique(&vec!["t/a"; 20]).is_ok());
    }
}
