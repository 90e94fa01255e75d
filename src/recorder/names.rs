//! Names of files in texts that the engine makes of them: what a redacted recording does not hide, for the engine makes
//! the same text again of the names in the info dictionary.

use std::collections::BTreeSet;

use crate::metainfo::Info;

/// How the text begins that says which files a webseed gave wrong bytes of.
const WRONG_BYTES_OF: &str = "gave wrong bytes of ";
/// What comes between their names.
const BETWEEN: &str = " or ";
/// What comes behind a name.
const BEHIND: &str = ": ";

/// The names of a torrent's files.
pub(super) struct Names {
    paths: BTreeSet<String>,
    bytes_max: usize,
}

impl Names {
    /// A magnet has none.
    pub(super) fn of(info: Option<&Info>) -> Self {
        let files = info.map_or(&[][..], |info| info.files.as_slice());
        let paths: BTreeSet<String> = files.iter().map(|file| file.path.as_str().to_owned()).collect();
        let bytes_max = paths.iter().map(String::len).max().unwrap_or(0);
        Self { paths, bytes_max }
    }

    /// Where the names that a text begins with end, with what the engine puts around them. Names elsewhere are words like
    /// others: they may be as short as a part of an address.
    pub(super) fn end_in(&self, text: &str) -> usize {
        let mut end = 0;
        while let Some(bytes) = self.one_end(&text[end..]) {
            end += bytes;
        }
        end
    }

    fn one_end(&self, text: &str) -> Option<usize> {
        if let Some((bytes, _)) = self.longest(text, &[BEHIND]) {
            return Some(bytes);
        }
        let mut end = text.starts_with(WRONG_BYTES_OF).then_some(WRONG_BYTES_OF.len())?;
        loop {
            let (bytes, behind) = self.longest(&text[end..], &[BEHIND, BETWEEN])?;
            end += bytes;
            if behind == BEHIND {
                return Some(end);
            }
        }
    }

    /// The longest name that the text begins with and one of these follows: where that ends, and which it is.
    fn longest(&self, text: &str, behind: &[&'static str]) -> Option<(usize, &'static str)> {
        let ends = |behind: &'static str| {
            let all = text.match_indices(behind).map(|(at, _)| at);
            all.take_while(|at| *at <= self.bytes_max).map(move |at| (at, behind))
        };
        let mut ends: Vec<(usize, &str)> = behind.iter().copied().flat_map(ends).collect();
        ends.sort_unstable();
        let known = ends.into_iter().rev().find(|(at, _)| self.paths.contains(&text[..*at]));
        known.map(|(at, behind)| (at + behind.len(), behind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept<'t>(paths: &[&str], text: &'t str) -> &'t str {
        let paths: BTreeSet<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let bytes_max = paths.iter().map(String::len).max().unwrap();
        &text[..Names { paths, bytes_max }.end_in(text)]
    }

    #[test]
    fn names_end_where_the_text_of_others_begins() {
        assert_eq!(kept(&["a", "5"], "a: a: 5 of 1.2.3.5: gone"), "a: a: ");
        assert_eq!(kept(&["a", "a: b"], "a: b: c"), "a: b: ");
        assert_eq!(kept(&["a"], "b: a: c"), "");
        let wrong = "gave wrong bytes of x/a or b or c: piece 7 failed its hash";
        assert_eq!(kept(&["x/a or b", "c"], wrong), "gave wrong bytes of x/a or b or c: ");
        assert_eq!(kept(&["x/a", "b", "c"], wrong), "gave wrong bytes of x/a or b or c: ");
        assert_eq!(kept(&["x/a", "b"], wrong), "", "of 1.2.3.4, says a tracker");
    }
}
