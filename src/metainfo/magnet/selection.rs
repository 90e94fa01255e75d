//! The files that a magnet link wants (BEP 53), as ranges: a link may name four billion files in ten letters.

use std::fmt;
use std::ops::RangeInclusive;

use crate::limits::{FILES_MAX, SELECTION_RANGES_MAX};
use crate::units::FileIndex;

/// Files by number. Ranges are in order, apart from each other, and end at the last file a torrent can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection(Vec<RangeInclusive<u32>>);

impl Selection {
    /// Reads `0,2,4-8`. `None` where a part is not a number or a range, or there are too many.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut ranges = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            if first > last || ranges.len() >= SELECTION_RANGES_MAX {
                return None;
            }
            let index_max = FILES_MAX as u64 - 1;
            if first <= index_max {
                let clamped = (u32::try_from(first), u32::try_from(last.min(index_max)));
                ranges.push((clamped.0.ok()?, clamped.1.ok()?));
            }
        }
        ranges.sort_unstable();
        let mut merged: Vec<RangeInclusive<u32>> = Vec::new();
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(range) if first <= *range.end() + 1 => *range = *range.start()..=last.max(*range.end()),
                Some(_) | None => merged.push(first..=last),
            }
        }
        Some(Self(merged))
    }

    /// Whether a file is wanted.
    pub fn contains(&self, file: FileIndex) -> bool {
        let at = self.0.partition_point(|range| *range.end() < file.0);
        self.0.get(at).is_some_and(|range| range.contains(&file.0))
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            match (range.start(), range.end()) {
                (first, last) if first == last => write!(f, "{comma}{first}")?,
                (first, last) => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
