//! The torrent list: which torrents are shown, in which order, which is selected and which are marked.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::format;
use super::widgets::{Motion, Scroll};
use crate::contract::{TorrentRow, TorrentState};
use crate::units::{Rate, TorrentId};

/// What the list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortKey {
    /// As they were added.
    #[default]
    Added,
    /// State.
    State,
    /// Name, without regard to case.
    Name,
    /// Size of what is wanted.
    Size,
    /// Share that is done.
    Done,
    /// Rate in.
    Down,
    /// Rate out.
    Up,
    /// Time left.
    Eta,
    /// Connected peers.
    Peers,
    /// Sent over received.
    Ratio,
}

impl SortKey {
    /// All, in the order of the menu and of the columns.
    pub const ALL: [Self; 10] = [
        Self::Added,
        Self::State,
        Self::Name,
        Self::Size,
        Self::Done,
        Self::Down,
        Self::Up,
        Self::Eta,
        Self::Peers,
        Self::Ratio,
    ];

    /// The key `steps` further in the menu, round the ends.
    pub fn step(self, steps: usize) -> Self {
        Self::ALL[(self as usize + steps) % Self::ALL.len()]
    }

    fn compare(self, a: &TorrentRow, b: &TorrentRow) -> Ordering {
        match self {
            Self::Added => Ordering::Equal,
            Self::State => a.state.cmp(&b.state),
            Self::Name => a.name.raw().to_lowercase().cmp(&b.name.raw().to_lowercase()),
            Self::Size => a.wanted_bytes.cmp(&b.wanted_bytes),
            Self::Done => share(a.done_bytes, a.wanted_bytes).cmp(&share(b.done_bytes, b.wanted_bytes)),
            Self::Down => rates(a).0.cmp(&rates(b).0),
            Self::Up => rates(a).1.cmp(&rates(b).1),
            Self::Eta => eta_s(a).cmp(&eta_s(b)),
            Self::Peers => a.peers.connected.cmp(&b.peers.connected),
            Self::Ratio => {
                share(a.uploaded_bytes, a.downloaded_bytes).cmp(&share(b.uploaded_bytes, b.downloaded_bytes))
            }
        }
    }
}

fn share(part: u64, whole: u64) -> u128 {
    (u128::from(part) << 32) / u128::from(whole.max(1))
}

/// Time until all of a torrent that downloads is here; `None` where nothing moves or nothing is left.
pub fn eta(row: &TorrentRow) -> Option<Duration> {
    if row.state == TorrentState::Downloading { format::eta(left_bytes(row), row.down_bps) } else { None }
}

fn eta_s(row: &TorrentRow) -> u64 {
    eta(row).map_or(u64::MAX, |eta| eta.as_secs())
}

/// Rates in and out. What was measured just before a torrent was stopped is no rate of it any more.
pub fn rates(row: &TorrentRow) -> (Rate, Rate) {
    match row.state {
        TorrentState::Paused | TorrentState::Error => (Rate(0), Rate(0)),
        TorrentState::Metadata
        | TorrentState::Checking
        | TorrentState::Downloading
        | TorrentState::Seeding
        | TorrentState::Finished => (row.down_bps, row.up_bps),
    }
}

/// Bytes that are wanted and missing.
pub fn left_bytes(row: &TorrentRow) -> u64 {
    row.wanted_bytes.saturating_sub(row.done_bytes)
}

/// Whether a torrent moves bytes now.
pub fn is_transferring(row: &TorrentRow) -> bool {
    rates(row) != (Rate(0), Rate(0))
}

/// Which way the list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Least first.
    #[default]
    Ascending,
    /// Greatest first.
    Descending,
}

impl Direction {
    /// The other.
    pub fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }
}

/// The list as it is walked.
#[derive(Debug, Default)]
pub struct TorrentList {
    /// Positions in the snapshot, in the order shown.
    order: Vec<usize>,
    selected: Option<TorrentId>,
    marks: BTreeSet<TorrentId>,
    range_from: Option<usize>,
    scroll: Scroll,
    ids: Vec<TorrentId>,
    counts: BTreeMap<TorrentState, usize>,
    /// A torrent that was just added: the cursor goes to it once it is in the list.
    awaited: Option<TorrentId>,
    /// What it is sorted by.
    pub sort: SortKey,
    /// Which way.
    pub direction: Direction,
    /// Words that a name or state must have.
    pub filter: String,
    /// Columns scrolled away.
    pub columns_skipped: usize,
}

impl TorrentList {
    /// Takes the torrents as they are now: filters, sorts, and keeps the cursor on its torrent.
    pub fn refresh(&mut self, torrents: &[Arc<TorrentRow>]) {
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        self.order = (0..torrents.len()).filter(|&at| matches(&torrents[at], &words)).collect();
        match self.sort {
            SortKey::Added => {}
            // Lower case is made once per name, not once per comparison.
            SortKey::Name => self.order.sort_by_cached_key(|&at| torrents[at].name.raw().to_lowercase()),
            key => self.order.sort_by(|&a, &b| key.compare(&torrents[a], &torrents[b])),
        }
        if self.direction == Direction::Descending {
            self.order.reverse();
        }
        self.ids = self.order.iter().map(|&at| torrents[at].id).collect();
        if self.awaited.is_some_and(|id| self.ids.contains(&id)) {
            self.selected = self.awaited.take();
        }
        if let Some(row) = self.selected.and_then(|id| self.ids.iter().position(|other| *other == id)) {
            self.scroll.set(row);
        }
        self.counts.clear();
        for row in torrents {
            *self.counts.entry(row.state).or_default() += 1;
        }
        if !self.marks.is_empty() {
            let present: BTreeSet<TorrentId> = torrents.iter().map(|row| row.id).collect();
            self.marks.retain(|id| present.contains(id));
        }
    }

    /// Keeps the cursor on a page of this height, and the selection on the cursor.
    pub fn settle(&mut self, page: usize) {
        self.scroll.settle(self.order.len(), page);
        self.selected = self.ids.get(self.scroll.at()).copied();
    }

    /// How many torrents there are in each state, filtered out or not.
    pub fn counts(&self) -> &BTreeMap<TorrentState, usize> {
        &self.counts
    }

    /// Has the cursor go to a torrent as soon as it is in the list.
    pub fn await_torrent(&mut self, id: TorrentId) {
        self.awaited = Some(id);
    }

    /// How many torrents are shown.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The row of the cursor.
    pub fn cursor(&self) -> usize {
        self.scroll.at()
    }

    /// Rows that are seen on a page.
    pub fn seen(&self, page: usize) -> Range<usize> {
        self.scroll.seen(self.order.len(), page)
    }

    /// The position in the snapshot of a row.
    pub fn position(&self, row: usize) -> Option<usize> {
        self.order.get(row).copied()
    }

    /// The position in the snapshot of the selected torrent.
    pub fn selected_position(&self) -> Option<usize> {
        self.position(self.scroll.at())
    }

    /// Moves the cursor.
    pub fn step(&mut self, motion: Motion, page: usize) {
        self.scroll.step(motion, self.order.len(), page);
        if let Some(from) = self.range_from {
            let to = self.scroll.at();
            let end = (from.max(to) + 1).min(self.ids.len());
            self.marks.extend(&self.ids[from.min(to).min(end)..end]);
        }
    }

    /// Whether a torrent is marked.
    pub fn is_marked(&self, id: TorrentId) -> bool {
        self.marks.contains(&id)
    }

    /// How many are marked.
    pub fn marked(&self) -> usize {
        self.marks.len()
    }

    /// Marks or unmarks the torrent under the cursor and steps on.
    pub fn mark(&mut self, page: usize) {
        self.range_from = None;
        if let Some(&id) = self.ids.get(self.scroll.at())
            && !self.marks.remove(&id)
        {
            self.marks.insert(id);
        }
        self.step(Motion::Down, page);
    }

    /// Starts marking a range at the cursor, or ends it.
    pub fn mark_range(&mut self) {
        if self.range_from.take().is_none() {
            self.range_from = Some(self.scroll.at());
            self.marks.extend(self.ids.get(self.scroll.at()));
        }
    }

    /// Marks all that are shown.
    pub fn mark_all(&mut self) {
        self.marks.extend(&self.ids);
    }

    /// Marks those shown that are unmarked, unmarks the others.
    pub fn mark_invert(&mut self) {
        self.marks = self.ids.iter().filter(|id| !self.marks.contains(id)).copied().collect();
    }

    /// Unmarks all; whether any was marked.
    pub fn unmark(&mut self) -> bool {
        self.range_from = None;
        let any = !self.marks.is_empty();
        self.marks.clear();
        any
    }

    /// What the next command is for: the marked torrents, else the selected.
    pub fn targets(&self) -> Vec<TorrentId> {
        if self.marks.is_empty() {
            self.selected.into_iter().collect()
        } else {
            self.marks.iter().copied().collect()
        }
    }
}

fn matches(row: &TorrentRow, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let name = row.name.raw().to_lowercase();
    words.iter().all(|word| name.contains(word.as_str()) || row.state.word().starts_with(word.as_str()))
}
