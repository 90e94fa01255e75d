//! How a torrent begins: what the state store and the disk say, and the truth table that makes piece states of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::checks::Checks;
use super::lifecycle::Phase;
use super::pieces::{PieceState, Pieces, RunCache};
use super::readers::Readers;
use super::storing::Storing;
use super::{Allowance, Torrent, Totals};
use crate::contract::{Assume, CheckPolicy, PeerSource, Priority, StoreTrust, TorrentState};
use crate::engine::bits::Bits;
use crate::engine::io::ResumeRecord;
use crate::engine::peers::ban::Bans;
use crate::engine::peers::choker::Choker;
use crate::engine::peers::known::KnownPeers;
use crate::engine::peers::rate::RateMeter;
use crate::engine::trackers::Trackers;
use crate::engine::webseeds::{NamedWebseed, Webseeds};
use crate::metainfo::Info;
use crate::units::{FileIndex, PeerId, PieceIndex, Time};

/// Everything a torrent is made from.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What it is.
    pub info: Arc<Info>,
    /// Tiers of tracker URLs (BEP 12).
    pub trackers: Vec<Vec<String>>,
    /// Its webseeds.
    pub webseeds: Vec<NamedWebseed>,
    /// What we call ourselves.
    pub peer_id: PeerId,
    /// The TCP port peers reach us at.
    pub listen_port: u16,
    /// The announce key of this run (BEP 7).
    pub announce_key: u32,
    /// What the store and the disk say.
    pub start: StartingPoint,
    /// How that is believed.
    pub policy: Policy,
    /// What happens when all that is wanted is here.
    pub when_complete: WhenComplete,
    /// Seeds everything random: same seed and inputs, same effects.
    pub seed: u64,
}

/// What the store and the disk say of a torrent's data.
#[derive(Clone, Debug, Default)]
pub struct StartingPoint {
    /// Whether the record is what the store has.
    pub origin: Origin,
    /// The record of an earlier run, with the wishes of whoever adds it now.
    pub record: Option<ResumeRecord>,
    /// Files whose size or modification time differs from the record's: it does not count for them.
    pub untrusted_files: BTreeSet<FileIndex>,
    /// Length of each file on disk, 0 where there is none; empty: nothing is there.
    pub bytes_on_disk: Vec<u64>,
    /// Whose bytes the part file has from end to end, though the file is not there.
    pub kept_apart: BTreeSet<(PieceIndex, FileIndex)>,
}

/// Where a torrent comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Somebody adds it: its record has wishes that the store does not have yet.
    #[default]
    Added,
    /// The saved list: its record is the store's.
    Restored,
}

/// How data on disk is believed, and what is asked at all.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Whether what is there is hashed.
    pub check: CheckPolicy,
    /// Whether the record counts.
    pub trust: StoreTrust,
    /// Whether what is there is taken for complete on the user's word.
    pub assume: Assume,
    /// Whether webseeds are asked.
    pub ask_webseeds: bool,
}

impl Default for Policy {
    fn default() -> Self {
        let (check, trust, assume) = Default::default();
        Self { check, trust, assume, ask_webseeds: true }
    }
}

/// What a torrent does when all that is wanted is here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum WhenComplete {
    /// It serves others.
    #[default]
    Seed,
    /// It pauses.
    Pause,
}

/// What the state store says of a piece, where it is believed at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreAnswer {
    Have,
    Missing,
    /// Unknown or not trusted.
    Unknown,
}

/// Whether bytes are on disk at a piece's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataOnDisk {
    Whole,
    NotWhole,
}

/// The truth table: every cell ends in a state from which the piece can go on.
pub(super) fn initial_state(policy: Policy, answer: StoreAnswer, data: DataOnDisk) -> PieceState {
    match (policy.check, answer, data) {
        (CheckPolicy::Auto | CheckPolicy::Never, StoreAnswer::Have, _) => PieceState::Trusted,
        // Said of data that is known to be whole; a record that says otherwise was about other data.
        (CheckPolicy::Auto | CheckPolicy::Never, _, DataOnDisk::Whole)
            if policy.assume == Assume::Complete =>
        {
            PieceState::Assumed
        }
        (CheckPolicy::Auto | CheckPolicy::Never, StoreAnswer::Missing, _) => PieceState::Missing,
        (CheckPolicy::Always, StoreAnswer::Have, _) => PieceState::Checking,
        (CheckPolicy::Always, StoreAnswer::Missing | StoreAnswer::Unknown, DataOnDisk::Whole)
        | (CheckPolicy::Auto, StoreAnswer::Unknown, DataOnDisk::Whole) => PieceState::Checking,
        (CheckPolicy::Never, StoreAnswer::Unknown, DataOnDisk::Whole) => PieceState::OnDemand,
        (_, _, DataOnDisk::NotWhole) => PieceState::Missing,
    }
}

impl StartingPoint {
    /// Pieces with bytes in files that are neither there nor kept apart: what the record says of them does not count.
    /// Looks at the pieces of absent files alone.
    fn lost(&self, info: &Info) -> Bits {
        let mut lost = Bits::empty(info.piece_count());
        let is_absent = |(file, on_disk): &(FileIndex, &u64)| {
            **on_disk == 0 && info.files.get(file.at()).is_some_and(|file| !file.pad)
        };
        let nothing_claimed = self
            .record
            .as_ref()
            .is_none_or(|record| record.partial.is_empty() && record.have.iter().all(|byte| *byte == 0));
        if nothing_claimed {
            return lost;
        }
        for (file, _) in (0u32..).map(FileIndex).zip(&self.bytes_on_disk).filter(is_absent) {
            let Some(pieces) = info.pieces_of(file) else { continue };
            for piece in (pieces.start().0..=pieces.end().0).map(PieceIndex) {
                if !self.kept_apart.contains(&(piece, file)) {
                    lost.set(piece, true);
                }
            }
        }
        lost
    }

    fn answer(
        &self,
        info: &Info,
        trust: StoreTrust,
        (known, have, lost): (&Bits, &Bits, &Bits),
        piece: PieceIndex,
    ) -> StoreAnswer {
        let untrusted = || {
            !self.untrusted_files.is_empty()
                && info
                    .spans(piece, 0, info.piece_bytes(piece))
                    .any(|span| !span.pad && self.untrusted_files.contains(&span.file))
        };
        if trust == StoreTrust::No || !known.has(piece) || lost.has(piece) || untrusted() {
            StoreAnswer::Unknown
        } else if have.has(piece) {
            StoreAnswer::Have
        } else {
            StoreAnswer::Missing
        }
    }

    pub(super) fn data(&self, info: &Info, piece: PieceIndex) -> DataOnDisk {
        if self.bytes_on_disk.is_empty() {
            return DataOnDisk::NotWhole;
        }
        let whole = info.spans(piece, 0, info.piece_bytes(piece)).filter(|span| !span.pad).all(|span| {
            let on_disk = self.bytes_on_disk.get(span.file.at()).copied().unwrap_or(0);
            span.file_offset + u64::from(span.bytes) <= on_disk
                || self.kept_apart.contains(&(piece, span.file))
        });
        if whole { DataOnDisk::Whole } else { DataOnDisk::NotWhole }
    }

    /// What is hashed at the start. A check of everything belongs to the adding: in a later run it goes on where it was,
    /// with the pieces that the record knows nothing of.
    const fn check(&self, wanted: CheckPolicy) -> CheckPolicy {
        match (wanted, self.origin) {
            (CheckPolicy::Always, Origin::Restored) => CheckPolicy::Auto,
            (check, Origin::Added | Origin::Restored) => check,
        }
    }

    fn pieces(&self, setup: &Setup, priorities: Vec<Priority>, lost: &Bits, rng: fastrand::Rng) -> Pieces {
        let info = &setup.info;
        let count = info.piece_count();
        let bits = |bytes: Option<&Vec<u8>>| {
            bytes.and_then(|bytes| Bits::from_wire(bytes, count).ok()).unwrap_or_else(|| Bits::empty(count))
        };
        let known = bits(self.record.as_ref().map(|record| &record.known));
        let have = bits(self.record.as_ref().map(|record| &record.have));
        let policy = Policy { check: self.check(setup.policy.check), ..setup.policy };
        let initial = |piece| {
            let answer = self.answer(info, setup.policy.trust, (&known, &have, lost), piece);
            initial_state(policy, answer, self.data(info, piece))
        };
        Pieces::new(info.clone(), priorities, initial, rng)
    }
}

impl Torrent {
    /// A torrent at the beginning of this run.
    pub fn new(now: Time, setup: Setup) -> Self {
        let mut rng = fastrand::Rng::with_seed(setup.seed);
        let origin = setup.start.origin;
        let record = setup.start.record.clone().unwrap_or_default();
        let mut priorities = record.priorities.clone();
        priorities.resize(setup.info.files.len(), Priority::Normal);
        let lost = setup.start.lost(&setup.info);
        let mut pieces = setup.start.pieces(&setup, priorities, &lost, rng.fork());
        pieces.set_sequence(record.order.sequence);
        pieces.set_first_last(record.order.first_last);
        for (piece, bits) in &record.partial {
            let trusted = setup.policy.trust == StoreTrust::Yes && setup.start.untrusted_files.is_empty();
            if trusted
                && !lost.has(*piece)
                && piece.0 < setup.info.piece_count()
                && pieces.state(*piece) == PieceState::Missing
            {
                pieces.with_partial(*piece, |partial| partial.mark_on_disk(bits));
            }
        }
        let checks = Checks::new(&pieces);
        let mut trackers = Trackers::new(&setup.trackers, setup.announce_key, rng.fork());
        let mut known = KnownPeers::default();
        known.found(now, PeerSource::Resume, &record.peers);
        let phase = if record.paused { Phase::Paused } else { Phase::Running };
        if phase == Phase::Running {
            trackers.start(now);
        }
        Self {
            id: setup.info.id(),
            peer_id: setup.peer_id,
            listen_port: setup.listen_port,
            pieces,
            connections: BTreeMap::new(),
            known,
            order: record.order,
            readers: Readers::default(),
            runs: RunCache::default(),
            audit: None,
            bans: Bans::new(record.banned.iter().copied(), rng.u64(..)),
            choker: Choker::default(),
            trackers,
            webseeds: Webseeds::new(
                &setup.info,
                &setup.webseeds,
                &record.webseeds,
                setup.policy.ask_webseeds,
            ),
            checks,
            storing: Storing::default(),
            phase,
            when_complete: setup.when_complete,
            told_state: TorrentState::Downloading,
            totals: Totals {
                downloaded_bytes: record.downloaded_bytes,
                uploaded_bytes: record.uploaded_bytes,
                ..Totals::default()
            },
            down: RateMeter::default(),
            up: RateMeter::default(),
            allowance: Allowance::default(),
            next_housekeeping_at: now,
            effects: VecDeque::new(),
            rng,
            info: setup.info,
        }
        .begun(now, origin)
    }

    /// The first state is known without an event.
    fn begun(mut self, now: Time, origin: Origin) -> Self {
        if self.is_done() && self.when_complete == WhenComplete::Pause {
            self.pause(now);
        }
        self.told_state = self.state();
        if origin == Origin::Added {
            self.storing.mark_dirty(now);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_of_the_truth_table() {
        use CheckPolicy::{Always, Auto, Never};
        use DataOnDisk::{NotWhole, Whole};
        use PieceState::{Assumed, Checking, Missing, OnDemand, Trusted};
        use StoreAnswer as Answer;
        let cells = [
            (Answer::Have, Whole, [Trusted, Checking, Trusted], [Trusted, Checking, Trusted]),
            (Answer::Have, NotWhole, [Trusted, Checking, Trusted], [Trusted, Checking, Trusted]),
            (Answer::Missing, Whole, [Missing, Checking, Missing], [Assumed, Checking, Assumed]),
            (Answer::Missing, NotWhole, [Missing, Missing, Missing], [Missing, Missing, Missing]),
            (Answer::Unknown, Whole, [Checking, Checking, OnDemand], [Assumed, Checking, Assumed]),
            (Answer::Unknown, NotWhole, [Missing, Missing, Missing], [Missing, Missing, Missing]),
        ];
        for (answer, data, by_default, assuming) in cells {
            for (assume, expected) in [(Assume::Nothing, by_default), (Assume::Complete, assuming)] {
                for (check, expected) in [Auto, Always, Never].into_iter().zip(expected) {
                    let policy = Policy { check, assume, ..Policy::default() };
                    assert_eq!(
                        initial_state(policy, answer, data),
                        expected,
                        "{policy:?} {answer:?} {data:?}"
                    );
                }
            }
        }
    }
}
