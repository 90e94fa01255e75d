//! Paths that are safe by construction: inside the save folder, made of parts that a file system can hold.
//!
//! Built from the parts of a torrent's path. Characters that separate, control or hide are dropped, broken
//! UTF-8 becomes `_`, long parts are cut; a part of which nothing usable is left becomes `_`. The results are
//! those of libtorrent, so that data saved by other clients is found again.

use std::fmt;
use std::path::Path;

use crate::limits::{PATH_PART_BYTES_MAX, PATH_STEM_BYTES_MAX};

/// A relative path of at least one part; no part is empty, `.` or `..`, or holds a separator.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafePath(Box<str>);

impl SafePath {
    /// Builds a path from parts as a torrent gives them. No parts give `_`.
    pub fn from_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut path = String::new();
        for part in parts {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(&usable_or_mark(safe_part(part)));
        }
        Self(usable_or_mark(path).into_boxed_str())
    }

    /// The path, parts joined by `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts, outermost first.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The same path with `number` put before the extension of its last part.
    pub(super) fn numbered(&self, number: usize) -> Self {
        let (folder, part) = match self.0.rfind('/') {
            Some(at) => self.0.split_at(at + 1),
            None => ("", &*self.0),
        };
        let (stem, extension) = split_extension(part);
        let mark = format!(".{number}");
        let stem = cut(stem, PATH_PART_BYTES_MAX.saturating_sub(mark.len() + extension.len()));
        Self(format!("{folder}{stem}{mark}{extension}").into_boxed_str())
    }
}

impl AsRef<Path> for SafePath {
    fn as_ref(&self) -> &Path {
        Path::new(&*self.0)
    }
}

impl fmt::Display for SafePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SafePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// What is usable of a part; empty where nothing is.
pub(super) fn safe_part(bytes: &[u8]) -> String {
    let mut part = String::with_capacity(bytes.len().min(2 * PATH_PART_BYTES_MAX));
    for chunk in bytes.utf8_chunks() {
        part.extend(chunk.valid().chars().filter(|character| !is_dropped(*character)));
        if !chunk.invalid().is_empty() {
            part.push('_');
        }
    }
    if part == "." || part == ".." {
        return String::new();
    }
    if part.len() > PATH_PART_BYTES_MAX {
        let (stem, extension) = split_extension(&part);
        let short = extension.len() <= PATH_PART_BYTES_MAX - PATH_STEM_BYTES_MAX;
        let kept = if short { extension } else { "" };
        part = format!("{}{kept}", cut(if short { stem } else { &part }, PATH_STEM_BYTES_MAX));
    }
    part
}

fn usable_or_mark(part: String) -> String {
    if part.is_empty() { "_".to_owned() } else { part }
}

/// Separators, controls, and characters that reorder or hide text.
fn is_dropped(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '/' | '\\'
                | '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2064}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}

/// Stem and extension (with its dot). A leading dot is part of the stem.
fn split_extension(part: &str) -> (&str, &str) {
    match part.rfind('.') {
        Some(at) if at > 0 => part.split_at(at),
        Some(_) | None => (part, ""),
    }
}

/// The longest start of `text` that has at most so many bytes.
fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(parts: &[&[u8]]) -> String {
        SafePath::from_parts(parts.iter().copied()).as_str().to_owned()
    }

    #[test]
    fn no_path_leads_out() {
        assert_eq!(path(&[b"..", b"..", b"etc"]), "_/_/etc");
        assert_eq!(path(&[b"a/../../b", b"/", b"\\c"]), "a....b/_/c");
        assert_eq!(path(&[b".\0.", b"/.", b""]), "_/_/_");
        assert_eq!(path(&[".\u{200b}.".as_bytes()]), "_");
        assert_eq!(path(&[]), "_");
    }

    #[test]
    fn characters_that_hide_or_act_are_dropped_and_broken_text_is_marked() {
        assert_eq!(path(&["ev\u{202e}il\u{1b}[2J\u{85}\n.txt".as_bytes()]), "evil[2J.txt");
        assert_eq!(path(&[b"\x82est/MB"]), "_estMB");
    }

    #[test]
    fn long_parts_keep_their_extension_and_whole_characters() {
        let long = format!("{}.mkv", "ä".repeat(200));
        let cut = path(&[long.as_bytes()]);
        assert!(cut.ends_with(".mkv") && cut.len() <= 244 && cut.starts_with("ää"));
        let kept = "x".repeat(255);
        assert_eq!(path(&[kept.as_bytes()]), kept);
        let odd = format!("a.{}", "b".repeat(400));
        assert_eq!(path(&[odd.as_bytes()]).len(), PATH_STEM_BYTES_MAX);
    }

    #[test]
    fn a_number_goes_before_the_extension() {
        let numbered = |text: &str| SafePath(text.into()).numbered(1).0.into_string();
        assert_eq!(numbered("a.b/bar.txt"), "a.b/bar.1.txt");
        assert_eq!(numbered("a.b/_"), "a.b/_.1");
        assert_eq!(numbered(".hidden"), ".hidden.1");
        assert!(numbered(&"x".repeat(255)).len() <= 255);
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_safe_path(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..5)) {
            let path = SafePath::from_parts(parts.iter().map(Vec::as_slice));
            for part in path.parts() {
                prop_assert!(!part.is_empty() && part != "." && part != ".." && part.len() <= 255);
                prop_assert!(!part.chars().any(is_dropped));
            }
        }
    }
}
