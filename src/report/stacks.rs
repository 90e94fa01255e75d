//! Stacks with values: the one form from which profiles and their texts are made.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One place in the source, and what is done there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame {
    /// What is done, safe to show. It stands where profiles of other programs have a function.
    pub name: String,
    /// The file.
    pub file: String,
    /// The line; 0 where it is not known.
    pub line: u32,
}

impl Frame {
    /// A frame at a `file:line`.
    pub(super) fn new(name: impl Into<String>, site: &str) -> Self {
        let split = site.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?)));
        let (file, line) = split.unwrap_or((site, 0));
        Self { name: name.into(), file: file.to_owned(), line }
    }
}

/// Things with one stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Where, the innermost first.
    pub stack: Vec<Frame>,
    /// One number for each of the types.
    pub values: [u64; 2],
    /// What tells those of one stack apart: key and text, safe to show.
    pub labels: Vec<(&'static str, String)>,
}

/// A profile before it is written in one form or another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stacks {
    /// What it is a profile of.
    pub name: &'static str,
    /// What is counted, and its unit; a profile of one value leaves out the second of each sample.
    pub types: &'static [(&'static str, &'static str)],
    /// What was found.
    pub samples: Vec<Sample>,
}

impl Stacks {
    /// As Go's `debug=1`: like stacks together, those of the greatest values first.
    pub fn text(&self) -> String {
        let mut groups: BTreeMap<&[Frame], [u64; 2]> = BTreeMap::new();
        let mut total = 0;
        for sample in &self.samples {
            let sums = groups.entry(&sample.stack).or_default();
            sums.iter_mut().zip(sample.values).for_each(|(sum, value)| *sum = sum.saturating_add(value));
            total += sample.values[0];
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, sums)| std::cmp::Reverse(*sums));
        let types: Vec<_> = self.types.iter().map(|(what, unit)| format!("{what}/{unit}")).collect();
        let mut text = format!("{} profile: total {total} ({})\n", self.name, types.join(" "));
        for (stack, sums) in groups {
            let values: Vec<_> = sums.iter().take(self.types.len()).map(u64::to_string).collect();
            let _ = writeln!(text, "{} @", values.join(" "));
            for Frame { name, file, line } in stack {
                let _ = writeln!(text, "#\t{name}\t{file}:{line}");
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_split_at_its_last_colon() {
        assert_eq!(Frame::new("a", "src/b.rs:7").line, 7);
        let strange = Frame::new("a", "nowhere");
        assert_eq!((strange.file.as_str(), strange.line), ("nowhere", 0));
    }

    #[test]
    fn like_stacks_are_one_entry_and_the_largest_comes_first() {
        let sample = |name: &str, value, label: &str| Sample {
            stack: vec![Frame::new(name, "src/a.rs:7"), Frame::new("peer *", "src/b.rs:1")],
            values: [value, 0],
            labels: vec![("task", label.to_owned())],
        };
        let samples = vec![sample("queue", 1, "1"), sample("timer", 1, "2"), sample("timer", 1, "3")];
        let stacks = Stacks { name: "goroutine", types: &[("goroutine", "count")], samples };
        let expected = "goroutine profile: total 3 (goroutine/count)\n\
            2 @\n#\ttimer\tsrc/a.rs:7\n#\tpeer *\tsrc/b.rs:1\n\n\
            1 @\n#\tqueue\tsrc/a.rs:7\n#\tpeer *\tsrc/b.rs:1\n\n";
        assert_eq!(stacks.text(), expected);
    }
}
