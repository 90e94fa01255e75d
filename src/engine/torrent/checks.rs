//! Hashing what is on disk: a queue of pieces, a bounded number of them under way, one verdict each.
//!
//! A check never holds back pieces already known to be missing: it is a state of single pieces, not of the torrent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Torrent;
use super::lifecycle::Phase;
use super::pieces::{PieceState, Pieces};
use crate::contract::EventKind;
use crate::engine::io::{DiskErrorKind, Effect, HashOutcome};
use crate::limits;
use crate::units::{PieceIndex, Time};

/// Pieces to hash from disk.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Checks {
    waiting: VecDeque<PieceIndex>,
    in_flight: BTreeSet<PieceIndex>,
    /// Verdicts since the check began.
    checked: u32,
    /// A check of everything was asked for, and pieces from here on are not marked for it yet.
    marking_from: Option<PieceIndex>,
    /// Peers were told that we have these before they were marked for a check.
    told: BTreeSet<PieceIndex>,
    /// Asked for because peers wait for them; in the queue or under way.
    before_serving: BTreeSet<PieceIndex>,
    /// How often the disk failed to give a piece.
    failures: BTreeMap<PieceIndex, u32>,
}

impl Checks {
    /// All pieces in state `Checking`.
    pub(super) fn new(pieces: &Pieces) -> Self {
        let all = (0..pieces.info().piece_count()).map(PieceIndex);
        let waiting = all.filter(|&piece| pieces.state(piece) == PieceState::Checking).collect();
        Self { waiting, ..Self::default() }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty() && self.marking_from.is_none()
    }

    fn has_in_flight(&self, piece: PieceIndex) -> bool {
        self.in_flight.contains(&piece)
    }

    /// How many more may be asked for on demand: as many as are under way at a time, so that the best come first.
    pub(super) fn room(&self) -> usize {
        limits::CHECKS_IN_FLIGHT_MAX.saturating_sub(self.in_flight.len() + self.waiting.len())
    }
}

impl Torrent {
    pub(super) fn recheck(&mut self, now: Time) {
        // All at once: looking through every connection for each piece would take seconds in a large torrent.
        self.release_all_requests(now);
        self.checks.marking_from = Some(PieceIndex(0));
        self.storing.mark_dirty(now);
    }

    /// Marks the next pieces of a check of everything: a bounded number in a turn, however many there are.
    pub(super) fn mark_for_recheck(&mut self, now: Time) {
        let Some(PieceIndex(from)) = self.checks.marking_from else { return };
        let count = self.info.piece_count();
        let to = count.min(from.saturating_add(limits::RECHECK_PIECES_PER_TURN));
        for piece in (from..to).map(PieceIndex) {
            self.mark_for_check(now, piece);
        }
        self.checks.marking_from = (to < count).then_some(PieceIndex(to));
    }

    /// When more pieces are marked: at once.
    pub(super) fn recheck_goes_on_at(&self) -> Option<Time> {
        self.checks.marking_from.map(|_| Time::ZERO)
    }

    fn mark_for_check(&mut self, now: Time, piece: PieceIndex) {
        if self.pieces.partial(piece).is_some_and(|partial| partial.requested() > 0) {
            // Asked for since the check was asked for: its turn came later.
            self.cancel_requests_for(now, piece);
        }
        let state = self.pieces.state(piece);
        match state {
            PieceState::Storing | PieceState::Checking => return,
            PieceState::Assumed | PieceState::Trusted | PieceState::Verified => {
                self.checks.told.insert(piece);
            }
            PieceState::OnDemand | PieceState::Missing => {}
        }
        self.pieces.set_state(piece, PieceState::Checking);
        // It may be under way already, where it was assumed to be here and asked for.
        if !self.checks.has_in_flight(piece) {
            self.checks.waiting.push_back(piece);
        }
    }

    /// Hashes a piece that may be there, because it would otherwise be requested, or because it is asked of us.
    pub(super) fn check_on_demand(&mut self, piece: PieceIndex) {
        if self.pieces.state(piece).is_here() {
            self.checks.told.insert(piece);
        }
        self.pieces.set_state(piece, PieceState::Checking);
        if !self.checks.has_in_flight(piece) {
            self.checks.waiting.push_front(piece);
        }
    }

    /// Hashes a piece that was taken for complete on the user's word, before it is served. It counts as here meanwhile.
    pub(super) fn check_before_serving(&mut self, piece: PieceIndex) {
        if self.checks.before_serving.insert(piece) {
            self.checks.waiting.push_front(piece);
        }
    }

    /// Keeps a bounded number of checks under way.
    pub(super) fn pump_checks(&mut self) {
        let may = match &self.phase {
            Phase::Running => true,
            // A full disk can be read; one that fails is tried again later, before it makes everything look missing.
            Phase::DiskTrouble { error, .. } => error.kind == DiskErrorKind::Full,
            Phase::Paused | Phase::Stopping { .. } | Phase::Stopped | Phase::Broken { .. } => false,
        };
        if !may {
            return;
        }
        while self.checks.in_flight.len() < limits::CHECKS_IN_FLIGHT_MAX {
            let Some(piece) = self.checks.waiting.pop_front() else { break };
            if !self.checks.in_flight.insert(piece) {
                continue;
            }
            self.effects.push_back(Effect::HashPiece { piece });
        }
    }

    pub(super) fn piece_hashed(&mut self, now: Time, piece: PieceIndex, outcome: HashOutcome) {
        if !self.checks.in_flight.remove(&piece) {
            return;
        }
        self.checks.checked += 1;
        self.checks.before_serving.remove(&piece);
        let told = self.checks.told.remove(&piece) || self.pieces.state(piece).is_here();
        match outcome {
            HashOutcome::Match => {
                self.checks.failures.remove(&piece);
                self.piece_is_here(now, piece);
            }
            HashOutcome::Mismatch | HashOutcome::NoData => self.piece_is_not_here(now, piece, told),
            HashOutcome::Failed(error) => {
                self.check_failed(now, piece, told);
                self.disk_trouble(now, error);
            }
        }
        self.storing.mark_dirty(now);
        if self.checks.is_idle() {
            let (have, checked) = (self.pieces.have().count(), self.checks.checked);
            self.checks.checked = 0;
            self.notify(EventKind::Checked { have, checked });
        }
    }

    /// The disk did not give the piece: what is there is still not known. After some tries it is fetched again.
    fn check_failed(&mut self, now: Time, piece: PieceIndex, told: bool) {
        let failures = self.checks.failures.entry(piece).or_default();
        *failures += 1;
        if *failures >= limits::CHECK_TRIES_MAX {
            self.checks.failures.remove(&piece);
            self.piece_is_not_here(now, piece, told);
            return;
        }
        if told {
            self.checks.told.insert(piece);
        }
        self.pieces.set_state(piece, PieceState::Checking);
        self.checks.waiting.push_front(piece);
    }

    /// What is on disk is not the piece. Peers that were told otherwise are told so (BEP 54), and their requests are
    /// refused.
    fn piece_is_not_here(&mut self, now: Time, piece: PieceIndex, told: bool) {
        self.pieces.set_state(piece, PieceState::Missing);
        if told {
            self.withdraw(now, piece);
            self.refuse_requests_for(now, piece);
        }
    }
}
