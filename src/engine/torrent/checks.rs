//! Hashing what is on disk: a queue of pieces, a bounded number of them under way, one verdict each.
//!
//! A check never holds back pieces already known to be missing: it is a state of single pieces, not of the torrent.

use std::collections::{BTreeSet, VecDeque};

use super::Torrent;
use super::lifecycle::Phase;
use super::pieces::{PieceState, Pieces};
use crate::contract::EventKind;
use crate::engine::io::{Effect, HashOutcome};
use crate::limits;
use crate::units::{PieceIndex, Time};

/// Pieces to hash from disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Checks {
    waiting: VecDeque<PieceIndex>,
    in_flight: BTreeSet<PieceIndex>,
    /// Verdicts since the check began.
    checked: u32,
}

impl Checks {
    /// All pieces in state `Checking`.
    pub(super) fn new(pieces: &Pieces) -> Self {
        let all = (0..pieces.info().piece_count()).map(PieceIndex);
        let waiting = all.filter(|&piece| pieces.state(piece) == PieceState::Checking).collect();
        Self { waiting, ..Self::default() }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty()
    }
}

impl Torrent {
    pub(super) fn recheck(&mut self, now: Time) {
        // All at once: looking through every connection for each piece would take seconds in a large torrent.
        self.release_all_requests(now);
        for piece in (0..self.info.piece_count()).map(PieceIndex) {
            let state = self.pieces.state(piece);
            if !matches!(state, PieceState::Storing | PieceState::Checking) {
                self.pieces.set_state(piece, PieceState::Checking);
                self.checks.waiting.push_back(piece);
            }
        }
        self.storing.mark_dirty(now);
    }

    /// Hashes a piece that may be there, because it would otherwise be requested.
    pub(super) fn check_on_demand(&mut self, piece: PieceIndex) {
        self.pieces.set_state(piece, PieceState::Checking);
        self.checks.waiting.push_front(piece);
    }

    /// Keeps a bounded number of checks under way.
    pub(super) fn pump_checks(&mut self) {
        if matches!(self.phase, Phase::Paused | Phase::Stopping { .. } | Phase::Stopped) {
            return;
        }
        while self.checks.in_flight.len() < limits::CHECKS_IN_FLIGHT_MAX {
            let Some(piece) = self.checks.waiting.pop_front() else { break };
            self.checks.in_flight.insert(piece);
            self.effects.push_back(Effect::HashPiece { piece });
        }
    }

    pub(super) fn piece_hashed(&mut self, now: Time, piece: PieceIndex, outcome: HashOutcome) {
        if !self.checks.in_flight.remove(&piece) {
            return;
        }
        self.checks.checked += 1;
        match outcome {
            HashOutcome::Match => self.piece_is_here(now, piece),
            HashOutcome::Mismatch | HashOutcome::NoData => self.pieces.set_state(piece, PieceState::Missing),
            HashOutcome::Failed(error) => {
                self.pieces.set_state(piece, PieceState::Missing);
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
}
