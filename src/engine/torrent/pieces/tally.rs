//! Counts over all pieces and files, kept up to date with each change of one.

use super::{PieceState, Pieces};
use crate::contract::{PieceCounts, PieceLevel};
use crate::engine::bits::Bits;
use crate::engine::torrent::partial::Partial;

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Tally {
    pub(super) wanted: u32,
    pub(super) wanted_have: u32,
    pub(super) checking: u32,
    pub(super) on_demand: u32,
    /// Pieces with a block on the wire.
    pub(super) requested: u32,
    /// Bytes of unfinished pieces in memory, not being written.
    pub(super) memory_bytes: u64,
    /// Bytes of wanted files, and how many of them are here.
    pub(super) wanted_bytes: u64,
    pub(super) wanted_done_bytes: u64,
    /// Bytes of all files that are not here, pads aside.
    pub(super) missing_bytes: u64,
}

/// What one unfinished piece counts for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PartialTally {
    requested: bool,
    memory_bytes: u64,
}

impl PartialTally {
    pub(super) fn of(partial: &Partial) -> Self {
        Self { requested: partial.requested() > 0, memory_bytes: partial.memory_bytes() }
    }
}

impl Tally {
    /// Nothing is wanted and nothing is here.
    pub(super) fn new(payload_bytes: u64) -> Self {
        Self { missing_bytes: payload_bytes, ..Self::default() }
    }

    pub(super) fn count_state(&mut self, state: PieceState, change: i32) {
        let count = match state {
            PieceState::Checking => &mut self.checking,
            PieceState::OnDemand => &mut self.on_demand,
            PieceState::Missing
            | PieceState::Storing
            | PieceState::Assumed
            | PieceState::Trusted
            | PieceState::Verified => return,
        };
        *count = count.saturating_add_signed(change);
    }

    /// A piece of this level is here, or no longer.
    pub(super) fn count_wanted_have(&mut self, level: PieceLevel, here: bool) {
        if level.is_wanted() {
            self.wanted_have = if here { self.wanted_have + 1 } else { self.wanted_have - 1 };
        }
    }

    /// A piece that is here or not changes its level.
    pub(super) fn count_level(&mut self, old: PieceLevel, new: PieceLevel, here: bool) {
        match (old.is_wanted(), new.is_wanted()) {
            (false, true) => {
                self.wanted += 1;
                self.wanted_have += u32::from(here);
            }
            (true, false) => {
                self.wanted -= 1;
                self.wanted_have -= u32::from(here);
            }
            (true, true) | (false, false) => {}
        }
    }

    /// Bytes of a file, pads aside, are here, or no longer.
    pub(super) fn count_bytes(&mut self, bytes: u64, here: bool, wanted: bool) {
        let wanted_bytes = if wanted { bytes } else { 0 };
        if here {
            self.missing_bytes -= bytes;
            self.wanted_done_bytes += wanted_bytes;
        } else {
            self.missing_bytes += bytes;
            self.wanted_done_bytes -= wanted_bytes;
        }
    }

    /// A file begins or ceases to be wanted.
    pub(super) fn count_file(&mut self, bytes: u64, done_bytes: u64, wanted: bool) {
        if wanted {
            self.wanted_bytes += bytes;
            self.wanted_done_bytes += done_bytes;
        } else {
            self.wanted_bytes -= bytes;
            self.wanted_done_bytes -= done_bytes;
        }
    }

    pub(super) fn count_partial(&mut self, before: PartialTally, after: PartialTally) {
        self.requested = self.requested + u32::from(after.requested) - u32::from(before.requested);
        self.memory_bytes = self.memory_bytes + after.memory_bytes - before.memory_bytes;
    }
}

impl Pieces {
    /// Whether every piece is here.
    pub(in crate::engine) fn is_complete(&self) -> bool {
        self.have.is_full()
    }

    /// Whether some piece is being hashed from disk.
    pub(in crate::engine) fn is_checking(&self) -> bool {
        self.tally.checking > 0
    }

    /// Whether every wanted piece is here.
    pub(in crate::engine) fn is_finished(&self) -> bool {
        self.tally.wanted == self.tally.wanted_have
    }

    /// Whether no piece is wanted.
    pub(in crate::engine) fn is_nothing_wanted(&self) -> bool {
        self.tally.wanted == 0
    }

    /// Bytes of all files, pads aside.
    pub(in crate::engine) fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }

    /// Bytes of wanted files, and how many of them are here.
    pub(in crate::engine) fn wanted_and_done_bytes(&self) -> (u64, u64) {
        (self.tally.wanted_bytes, self.tally.wanted_done_bytes)
    }

    /// Bytes of all files that are not here, wanted or not: what trackers take for our standing in the swarm.
    pub(in crate::engine) fn missing_bytes(&self) -> u64 {
        self.tally.missing_bytes
    }

    /// Bytes of unfinished pieces in memory that are not being written.
    pub(in crate::engine) fn memory_bytes(&self) -> u64 {
        self.tally.memory_bytes
    }

    /// Counts by state; `askable`: what some peer has that may be asked for it.
    pub(in crate::engine) fn counts(&self, askable: &Bits) -> PieceCounts {
        PieceCounts {
            total: self.info.piece_count(),
            have: self.have.count(),
            wanted: self.tally.wanted,
            requestable: self.order.count_in(askable),
            requested: self.tally.requested,
            checking: self.tally.checking,
            unknown: self.tally.on_demand,
        }
    }
}
