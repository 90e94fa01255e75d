//! The run map: pieces of equal state, made anew only where something changed.

use std::sync::Arc;

use super::{PieceIndex, PieceState, Pieces};
use crate::contract::{Blocked, PieceRun, PieceRuns};
use crate::engine::bits::Bits;
use crate::limits::RUN_PART_PIECES;

/// Which pieces connected peers could give.
#[derive(Clone, Debug, Default)]
pub(in crate::engine::torrent) struct Reach {
    /// Somebody has it.
    pub(in crate::engine::torrent) held: Bits,
    /// Somebody has it and may be asked for it.
    pub(in crate::engine::torrent) askable: Bits,
}

/// The run map as it was made last.
#[derive(Clone, Debug, Default)]
pub(in crate::engine::torrent) struct RunCache {
    parts: Vec<Arc<[PieceRun]>>,
    reach: Reach,
    blocked: Option<Blocked>,
}

/// Which parts of the run map are out of date.
#[derive(Clone, Debug, Default)]
pub(super) struct StaleParts(Vec<bool>);

impl StaleParts {
    pub(super) fn all(pieces: u32) -> Self {
        Self(vec![true; pieces.div_ceil(RUN_PART_PIECES) as usize])
    }

    pub(super) fn mark(&mut self, piece: PieceIndex) {
        self.0[(piece.0 / RUN_PART_PIECES) as usize] = true;
    }
}

impl Pieces {
    /// All pieces as runs. `blocked`: why nothing may be requested, where the whole torrent is the reason.
    pub(in crate::engine::torrent) fn runs(
        &mut self,
        cache: &mut RunCache,
        reach: Reach,
        blocked: Option<Blocked>,
    ) -> PieceRuns {
        let begun = cache.parts.len() == self.stale_runs.0.len() && cache.blocked == blocked;
        let old_reach = std::mem::replace(&mut cache.reach, reach);
        cache.blocked = blocked;
        for part in 0..self.stale_runs.0.len() {
            let pieces = self.pieces_of_part(part);
            let stale = std::mem::take(&mut self.stale_runs.0[part]);
            let same_reach = || {
                cache.reach.held.is_same_in(&old_reach.held, pieces.clone())
                    && cache.reach.askable.is_same_in(&old_reach.askable, pieces.clone())
            };
            if begun && !stale && same_reach() {
                continue;
            }
            self.visits += u64::from(pieces.end - pieces.start);
            let runs = self.runs_of(pieces, &cache.reach, blocked);
            match cache.parts.get_mut(part) {
                Some(known) => *known = runs,
                None => cache.parts.push(runs),
            }
        }
        PieceRuns::from_parts(cache.parts.clone())
    }

    fn pieces_of_part(&self, part: usize) -> std::ops::Range<u32> {
        let first = u32::try_from(part).expect("there are at most PIECES_MAX pieces") * RUN_PART_PIECES;
        first..self.info.piece_count().min(first + RUN_PART_PIECES)
    }

    fn runs_of(
        &self,
        pieces: std::ops::Range<u32>,
        reach: &Reach,
        blocked: Option<Blocked>,
    ) -> Arc<[PieceRun]> {
        let mut runs: Vec<PieceRun> = Vec::new();
        for piece in pieces.map(PieceIndex) {
            let next = self.run_of(piece, reach, blocked);
            match runs.last_mut() {
                Some(run) if (PieceRun { start: run.start, length: run.length, ..next }) == *run => {
                    run.length += 1;
                }
                Some(_) | None => runs.push(next),
            }
        }
        runs.into()
    }

    /// A run of one piece.
    fn run_of(&self, piece: PieceIndex, reach: &Reach, blocked: Option<Blocked>) -> PieceRun {
        let state = self.state(piece);
        let partial = self.partial(piece);
        let level = self.level(piece);
        let missing = level.is_wanted() && !state.is_here();
        PieceRun {
            start: piece,
            length: 1,
            priority: level,
            have: state.is_here(),
            partial: state == PieceState::Storing || partial.is_some_and(|partial| partial.here() > 0),
            checking: state == PieceState::Checking,
            unknown: state == PieceState::OnDemand,
            unverified: matches!(state, PieceState::Assumed | PieceState::Trusted),
            requested: partial.is_some_and(|partial| partial.requested() > 0),
            blocked: missing.then(|| blocked.or_else(|| self.blocked(piece, reach))).flatten(),
        }
    }

    /// The one reason why a wanted missing piece may not be requested now; `None`: it may.
    fn blocked(&self, piece: PieceIndex, reach: &Reach) -> Option<Blocked> {
        match self.state(piece) {
            PieceState::Checking => Some(Blocked::Checking),
            PieceState::Storing => Some(Blocked::Storing),
            PieceState::Assumed | PieceState::Trusted | PieceState::Verified => None,
            PieceState::Missing | PieceState::OnDemand => match self.partial(piece) {
                Some(partial) if partial.is_whole() => Some(Blocked::Storing),
                Some(partial) if partial.free() == 0 => Some(Blocked::AllRequested),
                Some(_) | None if reach.askable.has(piece) => None,
                Some(_) | None if reach.held.has(piece) => Some(Blocked::Choked),
                Some(_) | None => Some(Blocked::NoSource),
            },
        }
    }
}
