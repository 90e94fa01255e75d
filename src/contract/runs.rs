//! The pieces of a torrent as runs of equal state.
//!
//! A torrent may have a million pieces and half as many runs, and a picture of them four times a second. So runs come in
//! parts of a fixed number of pieces, each counted and shared: a new picture holds new parts only where something
//! changed. Readers see whole runs, across the borders of parts.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::snapshot::Priority;
use crate::units::PieceIndex;

/// How urgently a piece is wanted: what people set, and what reading adds to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PieceLevel {
    /// Not wanted.
    Off,
    /// After all others.
    Low,
    /// The ordinary level.
    #[default]
    Normal,
    /// Before the ordinary ones.
    High,
    /// First or last of a wanted file, where those go first.
    FirstLast,
    /// A reader will come to it.
    Ahead,
    /// A reader waits for it.
    Now,
}

impl PieceLevel {
    /// The levels that are requested, most urgent first.
    pub const WANTED: [Self; 6] =
        [Self::Now, Self::Ahead, Self::FirstLast, Self::High, Self::Normal, Self::Low];

    /// Whether pieces of this level are wanted at all.
    pub fn is_wanted(self) -> bool {
        self != Self::Off
    }

    /// The stable word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::FirstLast => "first_last",
            Self::Ahead => "ahead",
            Self::Now => "now",
        }
    }
}

impl From<Priority> for PieceLevel {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Off => Self::Off,
            Priority::Low => Self::Low,
            Priority::Normal => Self::Normal,
            Priority::High => Self::High,
        }
    }
}

/// Pieces of equal state, side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceRun {
    /// The first piece.
    pub start: PieceIndex,
    /// How many pieces.
    pub length: u32,
    /// How urgently they are wanted.
    pub priority: PieceLevel,
    /// On disk: verified, or believed on a record's or the user's word.
    pub have: bool,
    /// Some blocks are here.
    pub partial: bool,
    /// Being hashed from disk, or waiting for it.
    pub checking: bool,
    /// Neither known to be here nor known to be missing.
    pub unknown: bool,
    /// On disk on the word of a record or of the user: not hashed in this run of the program.
    #[serde(default)]
    pub unverified: bool,
    /// At least one block is on the wire.
    pub requested: bool,
    /// Why a wanted missing piece may not be requested now.
    pub blocked: Option<Blocked>,
}

impl PieceRun {
    /// Whether pieces of `other` are in the same state.
    fn is_like(&self, other: &Self) -> bool {
        Self { start: self.start, length: self.length, ..*other } == *self
    }
}

/// The closed list of reasons why a wanted missing piece is not requestable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blocked {
    /// The torrent is paused.
    Paused,
    /// The torrent is in error.
    TorrentError,
    /// It is being hashed from disk, or waits for that.
    Checking,
    /// All its blocks are here; it is being hashed and written.
    Storing,
    /// All its blocks are on the wire or here.
    AllRequested,
    /// Connected peers have it, and all of them choke us.
    Choked,
    /// No connected peer has it.
    NoSource,
}

impl Blocked {
    /// All reasons.
    pub const ALL: [Self; 7] = [
        Self::Paused,
        Self::TorrentError,
        Self::Checking,
        Self::Storing,
        Self::AllRequested,
        Self::Choked,
        Self::NoSource,
    ];

    /// The stable word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::TorrentError => "torrent_error",
            Self::Checking => "checking",
            Self::Storing => "storing",
            Self::AllRequested => "all_requested",
            Self::Choked => "choked",
            Self::NoSource => "no_source",
        }
    }
}

/// All pieces as runs, in order and without gaps. As JSON: an array of runs.
#[derive(Clone, Debug, Default)]
pub struct PieceRuns {
    parts: Vec<Arc<[PieceRun]>>,
    /// For each part, how many runs begin before it.
    begun_before: Vec<usize>,
    runs: usize,
}

impl PieceRuns {
    /// Joins parts that follow each other; inside a part neighbours differ.
    pub fn from_parts(parts: Vec<Arc<[PieceRun]>>) -> Self {
        let mut begun_before = Vec::with_capacity(parts.len());
        let mut runs = 0;
        let mut last: Option<&PieceRun> = None;
        for part in &parts {
            begun_before.push(runs);
            let goes_on = last.zip(part.first()).is_some_and(|(last, first)| last.is_like(first));
            runs += part.len() - usize::from(goes_on);
            last = part.last().or(last);
        }
        Self { parts, begun_before, runs }
    }

    /// How many runs there are.
    pub fn len(&self) -> usize {
        self.runs
    }

    /// Whether there is no piece.
    pub fn is_empty(&self) -> bool {
        self.runs == 0
    }

    /// The run at a position.
    pub fn get(&self, position: usize) -> Option<PieceRun> {
        self.iter_from(position).next()
    }

    /// All runs.
    pub fn iter(&self) -> impl Iterator<Item = PieceRun> + '_ {
        self.iter_from(0)
    }

    /// The runs from a position on.
    pub fn iter_from(&self, position: usize) -> impl Iterator<Item = PieceRun> + '_ {
        // The last part before which no more than `position` runs begin holds the beginning of that run.
        let part = self.begun_before.partition_point(|begun| *begun <= position).saturating_sub(1);
        let begun = self.begun_before.get(part).copied().unwrap_or_default();
        let pieces = self.parts.get(part..).unwrap_or_default().iter().flat_map(|part| part.iter().copied());
        // The first run of a part may go on from the one before.
        let goes_on = part > 0 && self.goes_on_into(part);
        let mut rest = pieces.skip(position - begun + usize::from(goes_on)).peekable();
        std::iter::from_fn(move || {
            let mut run = rest.next()?;
            while let Some(more) = rest.next_if(|next| run.is_like(next)) {
                run.length += more.length;
            }
            Some(run)
        })
    }

    /// Whether the first run of a part is of the state in which the part before ends.
    fn goes_on_into(&self, part: usize) -> bool {
        let before = self.parts[..part].iter().rev().find_map(|part| part.last());
        before.zip(self.parts[part].first()).is_some_and(|(last, first)| last.is_like(first))
    }
}

impl FromIterator<PieceRun> for PieceRuns {
    fn from_iter<I: IntoIterator<Item = PieceRun>>(runs: I) -> Self {
        Self::from_parts(vec![runs.into_iter().collect()])
    }
}

impl PartialEq for PieceRuns {
    fn eq(&self, other: &Self) -> bool {
        self.runs == other.runs && self.iter().eq(other.iter())
    }
}

impl Serialize for PieceRuns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for PieceRuns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<PieceRun>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(start: u32, length: u32, have: bool) -> PieceRun {
        PieceRun {
            start: PieceIndex(start),
            length,
            priority: PieceLevel::Normal,
            have,
            partial: false,
            checking: false,
            unknown: false,
            unverified: false,
            requested: false,
            blocked: None,
        }
    }

    /// Runs of single pieces, neighbours alike joined.
    fn joined(pieces: &[bool], from: u32) -> Vec<PieceRun> {
        let mut runs: Vec<PieceRun> = Vec::new();
        for (at, &have) in (from..).zip(pieces) {
            match runs.last_mut() {
                Some(last) if last.have == have => last.length += 1,
                Some(_) | None => runs.push(run(at, 1, have)),
            }
        }
        runs
    }

    proptest! {
        #[test]
        fn borders_of_parts_do_not_show(pieces in prop::collection::vec(any::<bool>(), 0..60), size in 1usize..9) {
            let parts = pieces.chunks(size).zip(0u32..).map(|(part, at)| {
                let from = at * u32::try_from(size).unwrap();
                joined(part, from).into()
            });
            let runs = PieceRuns::from_parts(parts.collect());
            let whole = joined(&pieces, 0);
            prop_assert_eq!(runs.iter().collect::<Vec<_>>(), whole.clone());
            prop_assert_eq!(runs.len(), whole.len());
            for (at, due) in whole.iter().enumerate() {
                prop_assert_eq!(runs.get(at), Some(*due));
            }
            prop_assert_eq!(runs.get(whole.len()), None);
            prop_assert_eq!(whole.into_iter().collect::<PieceRuns>(), runs);
        }
    }
}
