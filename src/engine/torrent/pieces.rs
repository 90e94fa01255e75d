//! The five values of every piece, kept apart: wanted, trusted, checked, have, requestable.
//!
//! Everything derived (membership in the order, interest, counts, bytes done) is rewritten by [`Pieces::refresh`] for
//! the one piece that changed, so nothing derived can drift and no change costs more than what it touches.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::partial::Partial;
use crate::contract::{PieceCounts, Priority};
use crate::engine::bits::Bits;
use crate::engine::picker::{Ordering, PieceOrder};
use crate::metainfo::Info;
use crate::units::{FileIndex, PieceIndex};

/// What is known of a piece's bytes on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum PieceState {
    /// Perhaps there: hashed when it would be requested.
    OnDemand,
    /// Being hashed from disk, or waiting for it.
    Checking,
    /// Not there, or not whole.
    Missing,
    /// All blocks are here; being hashed and written.
    Storing,
    /// Verified and written.
    Have,
}

/// The pieces of one torrent.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Pieces {
    info: Arc<Info>,
    state: Vec<PieceState>,
    priority: Vec<Priority>,
    /// Connected peers that have the piece, those counted in `seeds` aside.
    availability: Vec<u16>,
    /// Connected peers that had everything when they came.
    seeds: u32,
    order: PieceOrder,
    partial: BTreeMap<PieceIndex, Partial>,
    have: Bits,
    /// Wanted, and worth asking a peer for: missing or perhaps there.
    needed: Bits,
    /// Counts up when `needed` gains or loses a piece.
    needed_version: u64,
    file_priority: Vec<Priority>,
    file_done_bytes: Vec<u64>,
    counts: Counts,
    has_pads: bool,
    rng: fastrand::Rng,
}

/// Pieces by state, kept up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    wanted: u32,
    wanted_have: u32,
    checking: u32,
    on_demand: u32,
}

impl Pieces {
    /// All pieces in the states that `initial` gives, with these file priorities.
    pub(in crate::engine) fn new(
        info: Arc<Info>,
        file_priority: Vec<Priority>,
        initial: impl Fn(PieceIndex) -> PieceState,
        rng: fastrand::Rng,
    ) -> Self {
        let count = info.piece_count();
        let files = info.files.len();
        let mut pieces = Self {
            state: vec![PieceState::Missing; count as usize],
            priority: vec![Priority::Off; count as usize],
            availability: vec![0; count as usize],
            seeds: 0,
            order: PieceOrder::new(count),
            partial: BTreeMap::new(),
            have: Bits::empty(count),
            needed: Bits::empty(count),
            needed_version: 0,
            file_priority: vec![Priority::Off; files],
            file_done_bytes: vec![0; files],
            counts: Counts::default(),
            has_pads: info.files.iter().any(|file| file.pad),
            rng,
            info,
        };
        for piece in (0..count).map(PieceIndex) {
            pieces.set_state(piece, initial(piece));
        }
        let changes: Vec<_> = (0u32..).map(FileIndex).zip(file_priority).collect();
        pieces.set_priorities(&changes);
        pieces
    }

    pub(in crate::engine) fn info(&self) -> &Arc<Info> {
        &self.info
    }

    pub(in crate::engine) fn state(&self, piece: PieceIndex) -> PieceState {
        self.state[piece.at()]
    }

    pub(in crate::engine) fn priority(&self, piece: PieceIndex) -> Priority {
        self.priority[piece.at()]
    }

    /// The pieces that are here, as peers are told.
    pub(in crate::engine) fn have(&self) -> &Bits {
        &self.have
    }

    pub(in crate::engine) fn needed(&self) -> &Bits {
        &self.needed
    }

    pub(in crate::engine) fn needed_version(&self) -> u64 {
        self.needed_version
    }

    pub(in crate::engine) fn order(&self) -> &PieceOrder {
        &self.order
    }

    pub(in crate::engine) fn partial(&self, piece: PieceIndex) -> Option<&Partial> {
        self.partial.get(&piece)
    }

    pub(in crate::engine) fn partials(&self) -> impl ExactSizeIterator<Item = (PieceIndex, &Partial)> {
        self.partial.iter().map(|(&piece, partial)| (piece, partial))
    }

    pub(in crate::engine) fn file_priorities(&self) -> &[Priority] {
        &self.file_priority
    }

    pub(in crate::engine) fn file_done_bytes(&self, file: FileIndex) -> u64 {
        self.file_done_bytes[file.at()]
    }

    /// Connected peers that have the piece.
    pub(in crate::engine) fn sources(&self, piece: PieceIndex) -> u32 {
        self.seeds + u32::from(self.availability[piece.at()])
    }

    /// Whether every piece is here.
    pub(in crate::engine) fn is_complete(&self) -> bool {
        self.have.is_full()
    }

    /// Whether some piece is being hashed from disk.
    pub(in crate::engine) fn is_checking(&self) -> bool {
        self.counts.checking > 0
    }

    /// Whether every wanted piece is here.
    pub(in crate::engine) fn is_finished(&self) -> bool {
        self.counts.wanted == self.counts.wanted_have
    }

    /// Bytes of wanted files, and how many of them are here.
    pub(in crate::engine) fn wanted_and_done_bytes(&self) -> (u64, u64) {
        let mut wanted = 0;
        let mut done = 0;
        for (at, file) in self.info.files.iter().enumerate() {
            if !file.pad && self.file_priority[at] != Priority::Off {
                wanted += file.bytes;
                done += self.file_done_bytes[at];
            }
        }
        (wanted, done)
    }

    /// Bytes of all files that are not here, wanted or not: what trackers take for our standing in the swarm.
    pub(in crate::engine) fn missing_bytes(&self) -> u64 {
        let real = self.info.files.iter().zip(&self.file_done_bytes).filter(|(file, _)| !file.pad);
        real.map(|(file, done)| file.bytes - done).sum()
    }

    pub(in crate::engine) fn counts(&self) -> PieceCounts {
        let requested = self.partial.values().filter(|partial| partial.requested() > 0).count();
        PieceCounts {
            total: self.info.piece_count(),
            have: self.have.count(),
            wanted: self.counts.wanted,
            requestable: u32::try_from(self.order.len()).unwrap_or(u32::MAX),
            requested: u32::try_from(requested).unwrap_or(u32::MAX),
            checking: self.counts.checking,
            unknown: self.counts.on_demand,
        }
    }

    /// Sets levels of files; costs what their pieces cost.
    pub(in crate::engine) fn set_priorities(&mut self, changes: &[(FileIndex, Priority)]) {
        for &(file, level) in changes {
            if let Some(slot) = self.file_priority.get_mut(file.at()) {
                *slot = level;
            }
        }
        for &(file, _) in changes {
            let Some(pieces) = self.info.files.get(file.at()).and_then(|_| self.info.pieces_of(file)) else {
                continue;
            };
            for piece in (pieces.start().0..=pieces.end().0).map(PieceIndex) {
                self.derive_priority(piece);
            }
        }
    }

    /// A piece takes the highest level of the files it overlaps; pad files have no say.
    fn derive_priority(&mut self, piece: PieceIndex) {
        let spans = self.info.spans(piece, 0, self.info.piece_bytes(piece));
        let level = spans.filter(|span| !span.pad).map(|span| self.file_priority[span.file.at()]).max();
        let level = level.unwrap_or(Priority::Off);
        let old = std::mem::replace(&mut self.priority[piece.at()], level);
        if old == level {
            return;
        }
        let have = self.have.has(piece);
        match (old == Priority::Off, level == Priority::Off) {
            (true, false) => {
                self.counts.wanted += 1;
                self.counts.wanted_have += u32::from(have);
            }
            (false, true) => {
                self.counts.wanted -= 1;
                self.counts.wanted_have -= u32::from(have);
            }
            (true, true) | (false, false) => {}
        }
        self.refresh(piece);
    }

    /// A peer with everything came or went.
    pub(in crate::engine) fn count_seed(&mut self, change: Presence) {
        match change {
            Presence::Came => {
                self.seeds += 1;
                self.order.note_new_opportunity();
            }
            Presence::Went => self.seeds = self.seeds.saturating_sub(1),
        }
    }

    /// A peer that has `piece` came, or got it, or went.
    pub(in crate::engine) fn count_source(&mut self, piece: PieceIndex, change: Presence) {
        let slot = &mut self.availability[piece.at()];
        *slot = match change {
            Presence::Came => slot.saturating_add(1),
            Presence::Went => slot.saturating_sub(1),
        };
        if self.order.members().has(piece) {
            self.refresh(piece);
        }
    }

    /// Changes what is known of a piece.
    pub(in crate::engine) fn set_state(&mut self, piece: PieceIndex, state: PieceState) {
        let old = std::mem::replace(&mut self.state[piece.at()], state);
        let count = |state: PieceState, which: PieceState| u32::from(state == which);
        let counts = &mut self.counts;
        counts.checking =
            counts.checking + count(state, PieceState::Checking) - count(old, PieceState::Checking);
        counts.on_demand =
            counts.on_demand + count(state, PieceState::OnDemand) - count(old, PieceState::OnDemand);
        let has = state == PieceState::Have;
        if self.have.set(piece, has) {
            let wanted = u32::from(self.priority[piece.at()] != Priority::Off);
            self.counts.wanted_have =
                if has { self.counts.wanted_have + wanted } else { self.counts.wanted_have - wanted };
            for span in self.info.spans(piece, 0, self.info.piece_bytes(piece)) {
                let done = &mut self.file_done_bytes[span.file.at()];
                *done = if has { *done + u64::from(span.bytes) } else { *done - u64::from(span.bytes) };
            }
        }
        if matches!(state, PieceState::Have | PieceState::Checking | PieceState::OnDemand) {
            self.partial.remove(&piece);
        }
        self.refresh(piece);
    }

    /// Works on the blocks of a piece, starting it if need be, and derives what follows from the change.
    pub(in crate::engine) fn with_partial<R>(
        &mut self,
        piece: PieceIndex,
        act: impl FnOnce(&mut Partial) -> R,
    ) -> R {
        let (info, has_pads) = (&self.info, self.has_pads);
        let partial = self.partial.entry(piece).or_insert_with(|| Partial::new(info, piece, has_pads));
        let free_before = partial.free();
        let result = act(partial);
        let opportunity = partial.free() > free_before;
        if partial.is_untouched() {
            self.partial.remove(&piece);
        }
        self.refresh(piece);
        if opportunity {
            self.order.note_new_opportunity();
        }
        result
    }

    /// Forgets the blocks of a piece (it failed its hash).
    pub(in crate::engine) fn forget_blocks(&mut self, piece: PieceIndex) {
        self.partial.remove(&piece);
        self.refresh(piece);
    }

    /// Takes the blocks of a piece out (it is being stored).
    pub(in crate::engine) fn take_partial(&mut self, piece: PieceIndex) -> Option<Partial> {
        let partial = self.partial.remove(&piece);
        self.refresh(piece);
        partial
    }

    /// Derives for one piece whether it is needed and where it stands in the order.
    fn refresh(&mut self, piece: PieceIndex) {
        let priority = self.priority[piece.at()];
        let perhaps_missing = matches!(self.state[piece.at()], PieceState::Missing | PieceState::OnDemand);
        let needed = priority != Priority::Off && perhaps_missing;
        if self.needed.set(piece, needed) {
            self.needed_version += 1;
        }
        let partial = self.partial.get(&piece);
        if needed && partial.is_none_or(|partial| partial.free() > 0) {
            let availability = self.availability[piece.at()];
            let ordering = Ordering { priority, partial: partial.is_some(), availability };
            self.order.place(piece, ordering, &mut self.rng);
        } else {
            self.order.remove(piece);
        }
    }

    /// Compares everything derived with what follows from the states; names the first difference.
    #[cfg(test)]
    pub(in crate::engine) fn inconsistency(&self) -> Option<String> {
        for piece in (0..self.info.piece_count()).map(PieceIndex) {
            let state = self.state(piece);
            let needed = self.priority(piece) != Priority::Off
                && matches!(state, PieceState::Missing | PieceState::OnDemand);
            let requestable = needed && self.partial(piece).is_none_or(|partial| partial.free() > 0);
            if self.needed.has(piece) != needed {
                return Some(format!("{piece:?}: needed is {} where {needed} is due", !needed));
            }
            if self.order.members().has(piece) != requestable {
                return Some(format!(
                    "{piece:?}: requestable is {} where {requestable} is due",
                    !requestable
                ));
            }
            if self.have.has(piece) != (state == PieceState::Have) {
                return Some(format!("{piece:?}: have differs from state {state:?}"));
            }
        }
        let wanted = self.priority.iter().filter(|priority| **priority != Priority::Off).count();
        (wanted != self.counts.wanted as usize)
            .then(|| format!("{wanted} wanted, counted {}", self.counts.wanted))
    }
}

/// Something came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Presence {
    /// It came.
    Came,
    /// It went.
    Went,
}
