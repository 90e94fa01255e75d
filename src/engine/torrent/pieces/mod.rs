//! The five values of every piece, kept apart: wanted, trusted, checked, have, requestable.
//!
//! Wanted is its [`PieceLevel`]; what is known of its bytes (have, and on whose word; being checked; unknown) is its
//! [`PieceState`]; requestable is its place in the order. Everything derived (the order, interest, counts, bytes done, what
//! is to be stored or cancelled) is rewritten by `refresh` for the one piece that changed, so nothing derived can drift and
//! no change costs more than what it touches. `audit` compares it with what follows from scratch.

mod audit;
mod levels;
mod runs;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::partial::Partial;
use crate::contract::{PieceLevel, PieceSequence, Priority};
use crate::engine::bits::Bits;
use crate::engine::picker::{Ordering, PieceOrder};
use crate::metainfo::Info;
use crate::units::{FileIndex, PieceIndex};

pub(super) use runs::{Reach, RunCache};

use levels::Levels;
use runs::StaleParts;
use tally::{PartialTally, Tally};

/// What is known of a piece's bytes on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) enum PieceState {
    /// Perhaps there: hashed when it would be requested, or when it is asked of us.
    OnDemand,
    /// Being hashed from disk, or waiting for it.
    Checking,
    /// Not there, or not whole.
    Missing,
    /// All blocks are here; being hashed and written.
    Storing,
    /// There on the user's word: hashed before it is first served.
    Assumed,
    /// There on the word of a record that is believed.
    Trusted,
    /// Hashed in this run of the program, and on disk.
    Verified,
}

impl PieceState {
    /// Whether peers are told that we have it.
    pub(in crate::engine) fn is_here(self) -> bool {
        matches!(self, Self::Assumed | Self::Trusted | Self::Verified)
    }

    /// Whether it is worth asking a peer for: missing, or perhaps there.
    pub(in crate::engine) fn is_perhaps_missing(self) -> bool {
        matches!(self, Self::Missing | Self::OnDemand)
    }

    /// Whether a record may say that it is here or missing. What nobody has looked at, or looks at now, is unknown.
    fn is_for_the_record(self) -> bool {
        match self {
            Self::OnDemand | Self::Checking | Self::Assumed => false,
            Self::Missing | Self::Storing | Self::Trusted | Self::Verified => true,
        }
    }
}

/// The pieces of one torrent.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Pieces {
    #[serde(skip, default = "Info::none")]
    info: Arc<Info>,
    state: Vec<PieceState>,
    levels: Levels,
    /// Connected peers that have the piece, those counted in `seeds` aside.
    availability: Vec<u16>,
    /// Connected peers that had everything when they came.
    seeds: u32,
    order: PieceOrder,
    /// Pieces in state `OnDemand` that are wanted, in the order in which they are hashed; made where there are any.
    unknown: Option<Box<PieceOrder>>,
    partial: BTreeMap<PieceIndex, Partial>,
    /// All blocks are here or written: to be hashed and stored.
    whole: BTreeSet<PieceIndex>,
    /// On the wire and no longer wanted or needed: to be cancelled.
    surplus: BTreeSet<PieceIndex>,
    have: Bits,
    /// Known to be here or missing, as a record may say.
    known: Bits,
    /// Wanted, and worth asking a peer for: missing or perhaps there.
    needed: Bits,
    /// Counts up when `needed` gains a piece.
    needed_gained: u64,
    /// Counts up when `needed` loses a piece.
    needed_lost: u64,
    file_done_bytes: Vec<u64>,
    tally: Tally,
    /// Parts of the run map that are out of date.
    #[serde(skip)]
    stale_runs: StaleParts,
    /// Bytes of all files, pads aside.
    payload_bytes: u64,
    has_pads: bool,
    /// Pieces looked at since the beginning: what a change costs, for tests and the inspector.
    #[serde(skip)]
    visits: u64,
    #[serde(with = "crate::engine::random")]
    rng: fastrand::Rng,
}

impl Pieces {
    /// Makes what was read of a written state whole again. Fails where it is the state of another torrent.
    pub(in crate::engine) fn put_info(&mut self, info: Arc<Info>) -> Result<(), postcard::Error> {
        let count = info.piece_count();
        let fits = self.state.len() == count as usize
            && self.levels.fit(&info)
            && self.availability.len() == count as usize
            && self.file_done_bytes.len() == info.files.len()
            && self.order.place_again(count)
            && self.unknown.as_mut().is_none_or(|unknown| unknown.place_again(count));
        self.stale_runs = StaleParts::all(count);
        self.info = info;
        if fits { Ok(()) } else { Err(postcard::Error::SerdeDeCustom) }
    }

    /// All pieces in the states that `initial` gives, with these file priorities.
    pub(in crate::engine) fn new(
        info: Arc<Info>,
        file_priority: Vec<Priority>,
        initial: impl Fn(PieceIndex) -> PieceState,
        rng: fastrand::Rng,
    ) -> Self {
        let count = info.piece_count();
        let payload_bytes = info.payload_bytes();
        let mut pieces = Self {
            state: vec![PieceState::Missing; count as usize],
            levels: Levels::new(&info),
            availability: vec![0; count as usize],
            seeds: 0,
            order: PieceOrder::new(count),
            unknown: None,
            partial: BTreeMap::new(),
            whole: BTreeSet::new(),
            surplus: BTreeSet::new(),
            have: Bits::empty(count),
            known: Bits::full(count),
            needed: Bits::empty(count),
            needed_gained: 0,
            needed_lost: 0,
            file_done_bytes: vec![0; info.files.len()],
            tally: Tally::new(payload_bytes),
            stale_runs: StaleParts::all(count),
            payload_bytes,
            has_pads: info.files.iter().any(|file| file.pad),
            visits: 0,
            rng,
            info,
        };
        for piece in (0..count).map(PieceIndex) {
            let state = initial(piece);
            if state != PieceState::Missing {
                pieces.set_state(piece, state);
            }
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

    pub(in crate::engine) fn level(&self, piece: PieceIndex) -> PieceLevel {
        self.levels.of_piece(piece)
    }

    /// The pieces that are here, as peers are told.
    pub(in crate::engine) fn have(&self) -> &Bits {
        &self.have
    }

    /// The pieces of which a record may say that they are here or missing.
    pub(in crate::engine) fn known(&self) -> &Bits {
        &self.known
    }

    pub(in crate::engine) fn needed(&self) -> &Bits {
        &self.needed
    }

    /// Counts up where a peer that has nothing for us may now have something.
    pub(in crate::engine) fn needed_gained(&self) -> u64 {
        self.needed_gained
    }

    /// Counts up where a peer that has something for us may now have nothing.
    pub(in crate::engine) fn needed_lost(&self) -> u64 {
        self.needed_lost
    }

    pub(in crate::engine) fn order(&self) -> &PieceOrder {
        &self.order
    }

    /// Wanted pieces that may be there and are hashed when a peer could be asked for them, best first.
    pub(in crate::engine) fn unknown(&self) -> Option<&PieceOrder> {
        self.unknown.as_deref().filter(|unknown| unknown.len() > 0)
    }

    pub(in crate::engine) fn partial(&self, piece: PieceIndex) -> Option<&Partial> {
        self.partial.get(&piece)
    }

    /// The pieces of a range of which some blocks are here or on the wire.
    pub(in crate::engine) fn partials_in(
        &self,
        pieces: std::ops::Range<PieceIndex>,
    ) -> impl Iterator<Item = (PieceIndex, &Partial)> + Clone {
        self.partial.range(pieces).map(|(&piece, partial)| (piece, partial))
    }

    pub(in crate::engine) fn partials(&self) -> impl ExactSizeIterator<Item = (PieceIndex, &Partial)> {
        self.partial.iter().map(|(&piece, partial)| (piece, partial))
    }

    /// Pieces whose blocks are all here and that are not stored yet.
    pub(in crate::engine) fn whole(&self) -> &BTreeSet<PieceIndex> {
        &self.whole
    }

    /// Pieces on the wire that are not wanted any more.
    pub(in crate::engine) fn surplus(&self) -> &BTreeSet<PieceIndex> {
        &self.surplus
    }

    pub(in crate::engine) fn file_priorities(&self) -> &[Priority] {
        self.levels.of_files()
    }

    pub(in crate::engine) fn file_done_bytes(&self, file: FileIndex) -> u64 {
        self.file_done_bytes[file.at()]
    }

    /// Connected peers that have the piece.
    pub(in crate::engine) fn sources(&self, piece: PieceIndex) -> u32 {
        self.seeds + u32::from(self.availability[piece.at()])
    }

    /// Pieces looked at since the beginning.
    pub(in crate::engine) fn visits(&self) -> u64 {
        self.visits
    }

    /// In which order pieces of equal level are fetched.
    pub(in crate::engine) fn set_sequence(&mut self, sequence: PieceSequence) {
        self.order.set_sequence(sequence);
        if let Some(unknown) = &mut self.unknown {
            unknown.set_sequence(sequence);
        }
    }

    /// A peer with everything came or went.
    pub(in crate::engine) fn count_seed(&mut self, change: Presence) {
        self.seeds = match change {
            Presence::Came => self.seeds + 1,
            Presence::Went => self.seeds.saturating_sub(1),
        };
        self.order.note_new_opportunity();
    }

    /// Some peer may be asked for pieces that it could not be asked for before.
    pub(in crate::engine) fn note_new_opportunity(&mut self) {
        self.order.note_new_opportunity();
    }

    /// What is on the wire is more urgent than where it waits.
    pub(in crate::engine) fn note_raise(&mut self) {
        self.order.note_raise();
    }

    /// A peer that has `piece` came, or got it, or went.
    pub(in crate::engine) fn count_source(&mut self, piece: PieceIndex, change: Presence) {
        let slot = &mut self.availability[piece.at()];
        *slot = match change {
            Presence::Came => slot.saturating_add(1),
            Presence::Went => slot.saturating_sub(1),
        };
        if self.needed.has(piece) {
            self.place(piece);
        }
    }

    /// No peer is connected any more.
    pub(in crate::engine) fn forget_sources(&mut self) {
        self.seeds = 0;
        for piece in (0..self.info.piece_count()).map(PieceIndex) {
            if std::mem::take(&mut self.availability[piece.at()]) > 0 && self.needed.has(piece) {
                self.place(piece);
            }
        }
    }

    /// Changes what is known of a piece.
    pub(in crate::engine) fn set_state(&mut self, piece: PieceIndex, state: PieceState) {
        let old = std::mem::replace(&mut self.state[piece.at()], state);
        if old == state {
            return;
        }
        self.tally.count_state(old, -1);
        self.tally.count_state(state, 1);
        self.known.set(piece, state.is_for_the_record());
        if self.have.set(piece, state.is_here()) {
            self.count_have(piece, state.is_here());
        }
        if state != PieceState::Missing && state != PieceState::Storing {
            self.drop_partial(piece);
        }
        self.refresh(piece);
    }

    /// A piece is here, or no longer: its bytes count for its files.
    fn count_have(&mut self, piece: PieceIndex, here: bool) {
        self.tally.count_wanted_have(self.levels.of_piece(piece), here);
        let bytes = self.info.piece_bytes(piece);
        for span in self.info.spans(piece, 0, bytes) {
            let done = &mut self.file_done_bytes[span.file.at()];
            let span_bytes = u64::from(span.bytes);
            *done = if here { *done + span_bytes } else { *done - span_bytes };
            if !span.pad {
                let wanted = self.levels.of_files()[span.file.at()] != Priority::Off;
                self.tally.count_bytes(span_bytes, here, wanted);
            }
        }
    }

    /// Works on the blocks of a piece, starting it if need be, and derives what follows from the change.
    pub(in crate::engine) fn with_partial<R>(
        &mut self,
        piece: PieceIndex,
        act: impl FnOnce(&mut Partial) -> R,
    ) -> R {
        let (info, has_pads) = (&self.info, self.has_pads);
        let begun = self.partial.contains_key(&piece);
        let partial = self.partial.entry(piece).or_insert_with(|| Partial::new(info, piece, has_pads));
        let before = if begun { PartialTally::of(partial) } else { PartialTally::default() };
        let free_before = partial.free();
        let result = act(partial);
        let opportunity = partial.free() > free_before;
        if partial.is_untouched() {
            self.partial.remove(&piece);
            self.tally.count_partial(before, PartialTally::default());
        } else {
            self.tally.count_partial(before, PartialTally::of(partial));
        }
        self.refresh(piece);
        if opportunity {
            self.order.note_new_opportunity();
        }
        result
    }

    /// Blocks of a piece that come from peers: those of pad files do not.
    pub(in crate::engine) fn blocks_to_fetch(&self, piece: PieceIndex) -> u32 {
        Partial::new(&self.info, piece, self.has_pads).free()
    }

    /// Forgets the blocks of a piece (it failed its hash).
    pub(in crate::engine) fn forget_blocks(&mut self, piece: PieceIndex) {
        self.drop_partial(piece);
        self.refresh(piece);
    }

    /// Takes the blocks of a piece out (it is being stored).
    pub(in crate::engine) fn take_partial(&mut self, piece: PieceIndex) -> Option<Partial> {
        let partial = self.drop_partial(piece);
        self.refresh(piece);
        partial
    }

    fn drop_partial(&mut self, piece: PieceIndex) -> Option<Partial> {
        let partial = self.partial.remove(&piece)?;
        self.tally.count_partial(PartialTally::of(&partial), PartialTally::default());
        Some(partial)
    }

    /// Derives for one piece everything that follows from its state, its level and its blocks.
    fn refresh(&mut self, piece: PieceIndex) {
        let wanted = self.levels.of_piece(piece).is_wanted();
        let state = self.state[piece.at()];
        let needed = wanted && state.is_perhaps_missing();
        if self.needed.set(piece, needed) {
            let version = if needed { &mut self.needed_gained } else { &mut self.needed_lost };
            *version += 1;
        }
        let (on_the_wire, whole) = match self.partial.get(&piece) {
            Some(partial) => (partial.requested() > 0, partial.is_whole()),
            None => (false, false),
        };
        set_membership(&mut self.whole, piece, whole && state == PieceState::Missing);
        set_membership(&mut self.surplus, piece, on_the_wire && !(wanted && state == PieceState::Missing));
        self.place(piece);
    }

    /// Puts a piece where it stands in the order that it belongs to, and takes it out of the other.
    fn place(&mut self, piece: PieceIndex) {
        self.visits += 1;
        self.stale_runs.mark(piece);
        let needed = self.needed.has(piece);
        let state = self.state[piece.at()];
        let partial = self.partial.get(&piece);
        let availability = self.availability[piece.at()];
        let ordering =
            Ordering { level: self.levels.of_piece(piece), partial: partial.is_some(), availability };
        if needed && state == PieceState::Missing && partial.is_none_or(|partial| partial.free() > 0) {
            self.order.place(piece, ordering, &mut self.rng);
        } else {
            self.order.remove(piece);
        }
        if needed && state == PieceState::OnDemand {
            let (count, sequence) = (self.info.piece_count(), self.order.sequence());
            let unknown = self.unknown.get_or_insert_with(|| {
                let mut unknown = Box::new(PieceOrder::new(count));
                unknown.set_sequence(sequence);
                unknown
            });
            unknown.place(piece, ordering, &mut self.rng);
        } else if let Some(unknown) = &mut self.unknown {
            unknown.remove(piece);
        }
    }

    /// Connected peers that have the rarest piece that is wanted and missing; `None` where nothing is missing. Pieces that
    /// very many peers have count as had by `picker`'s bound of them.
    pub(in crate::engine) fn rarest(&self) -> Option<u32> {
        let of_orders =
            [Some(&self.order), self.unknown()].into_iter().flatten().filter_map(PieceOrder::rarest);
        let begun = self.partial.keys().filter(|piece| self.needed.has(**piece));
        let of_begun = begun.map(|piece| u32::from(self.availability[piece.at()]));
        of_orders.map(u32::from).chain(of_begun).min().map(|rarest| rarest + self.seeds)
    }

    /// Bytes on the heap for all pieces together, what is in flight aside.
    pub(in crate::engine) fn heap_bytes(&self) -> usize {
        let bits: usize = [&self.have, &self.known, &self.needed].into_iter().map(Bits::heap_bytes).sum();
        self.state.capacity() * size_of::<PieceState>()
            + self.availability.capacity() * size_of::<u16>()
            + self.levels.heap_bytes()
            + self.order.heap_bytes()
            + self.unknown.as_ref().map_or(0, |unknown| unknown.heap_bytes())
            + bits
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

fn set_membership(set: &mut BTreeSet<PieceIndex>, piece: PieceIndex, member: bool) {
    if member {
        set.insert(piece);
    } else if !set.is_empty() {
        set.remove(&piece);
    }
}

#[cfg(test)]
mod tests;
