//! In which order groups stand, and which of them a filter leaves.

use std::cmp::Ordering;

use super::groups::{Group, wait_words};
use crate::contract::{DumpRows, WaitReport};
use crate::tui::torrents::Direction;

/// What groups are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortKey {
    /// What to look at first, then the most.
    #[default]
    Notable,
    /// How many there are.
    Count,
    /// The longest time.
    Time,
    /// The name.
    Name,
    /// One of the page's numbers, by its place.
    Number(usize),
}

impl SortKey {
    /// All that a page with so many numbers can be sorted by, in the order of the menu.
    pub fn all(numbers: usize) -> Vec<Self> {
        let fixed = [Self::Notable, Self::Count, Self::Time, Self::Name];
        fixed.into_iter().chain((0..numbers).map(Self::Number)).collect()
    }

    /// The way that shows first what one looks for.
    pub fn usual(self) -> Direction {
        match self {
            Self::Notable | Self::Name => Direction::Ascending,
            Self::Count | Self::Time | Self::Number(_) => Direction::Descending,
        }
    }

    fn compare(self, one: &Group, other: &Group) -> Ordering {
        let number = |group: &Group, at: usize| group.numbers.get(at).map(|(_, number)| *number);
        match self {
            Self::Notable => Ordering::Equal,
            Self::Count => one.members.len().cmp(&other.members.len()),
            Self::Time => one.longest_ms.cmp(&other.longest_ms),
            Self::Name => one.kind.name.raw().to_lowercase().cmp(&other.kind.name.raw().to_lowercase()),
            Self::Number(at) => number(one, at).cmp(&number(other, at)),
        }
    }
}

/// Sorts groups, which come in the order of [`SortKey::Notable`]; like ones stay in that.
pub(super) fn sort(groups: &mut [Group], key: SortKey, direction: Direction) {
    if key == SortKey::Notable {
        if direction == Direction::Descending {
            groups.reverse();
        }
        return;
    }
    match direction {
        Direction::Ascending => groups.sort_by(|one, other| key.compare(one, other)),
        Direction::Descending => groups.sort_by(|one, other| key.compare(other, one)),
    }
}

/// Whether all `words` are in what is said of a row.
pub(super) fn matches(rows: &DumpRows, at: usize, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let said = said(rows, at).to_lowercase();
    words.iter().all(|word| said.contains(word.as_str()))
}

/// The words of a filter.
pub(super) fn words(filter: &str) -> Vec<String> {
    filter.split_whitespace().map(str::to_lowercase).collect()
}

/// What a filter looks through: name, place, waits, torrent and peer.
fn said(rows: &DumpRows, at: usize) -> String {
    let waits = |waits: &[WaitReport]| {
        waits.iter().map(|wait| wait_words(wait, str::to_owned)).collect::<Vec<_>>().join(" ")
    };
    let said = match rows {
        DumpRows::Tasks(rows) => rows.get(at).map(|row| {
            let torrent = row.torrent.map(|id| id.to_string()).unwrap_or_default();
            let peer = row.peer.map(|peer| peer.to_string()).unwrap_or_default();
            let frames: Vec<_> =
                row.frames.iter().map(|frame| format!("{} {}", frame.name, frame.site)).collect();
            let (name, site, waits) = (&row.name, &row.site, waits(&row.waits));
            format!("{name} {site} {waits} {torrent} {peer} {}", frames.join(" "))
        }),
        DumpRows::Locks(rows) => rows.get(at).map(|row| {
            let holder = row.holder_site.as_deref().unwrap_or_default();
            let waiters: Vec<_> = row.waiters.iter().map(|waiter| waiter.site.as_str()).collect();
            format!("{} {} {holder} {}", row.name, row.site, waiters.join(" "))
        }),
        DumpRows::Queues(rows) => rows.get(at).map(|row| format!("{} {}", row.name, row.site)),
        DumpRows::Semaphores(rows) => rows.get(at).map(|row| format!("{} {}", row.name, row.site)),
        DumpRows::Owners(rows) => rows.get(at).map(|row| {
            let torrent = row.task.torrent.map(|id| id.to_string()).unwrap_or_default();
            format!("{} {} {} {torrent}", row.task.name, row.task.site, row.longest_turn_input)
        }),
        DumpRows::Waits(rows) => rows.get(at).map(|row| {
            let behind = row.behind.as_ref().map(|task| task.name.clone().into_owned()).unwrap_or_default();
            let torrent = row.task.torrent.map(|id| id.to_string()).unwrap_or_default();
            format!("{} {} {behind} {torrent}", row.task.name, wait_words(&row.wait, str::to_owned))
        }),
    };
    said.unwrap_or_default()
}
