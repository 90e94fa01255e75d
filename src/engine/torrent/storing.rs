//! From the last block of a piece to its claim in a record: data first, then a sync, then the record.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::Torrent;
use super::lifecycle::Phase;
use super::partial::Partial;
use super::pieces::PieceState;
use crate::contract::EventKind;
use crate::engine::io::{DiskError, Effect, ResumeRecord};
use crate::engine::peers::ban::{Sender, SentBlock};
use crate::limits;
use crate::units::{PieceIndex, Time};

/// What is on its way to the disk.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Storing {
    /// Whole pieces being hashed and written, with who sent their blocks.
    pieces: BTreeMap<PieceIndex, Vec<SentBlock>>,
    /// The blocks of those that were written out before, one bit a block.
    written_before: BTreeMap<PieceIndex, Vec<u8>>,
    /// Unfinished pieces whose blocks are being written.
    spilling: BTreeSet<PieceIndex>,
    /// Something happened that the record does not say yet.
    dirty_since: Option<Time>,
    save_at: Option<Time>,
    saving: bool,
    generation: u64,
    pub(super) paused_by_user: bool,
    pub(super) peers_at_stop: Vec<SocketAddr>,
}

impl Storing {
    /// Something happened that a record must say within the save interval.
    pub(super) fn mark_dirty(&mut self, now: Time) {
        self.dirty_since.get_or_insert(now);
        self.save_at.get_or_insert(now + limits::SAVE_INTERVAL);
    }

    /// The record must be saved at the end of this turn.
    pub(super) fn save_soon(&mut self, now: Time) {
        self.dirty_since.get_or_insert(now);
        self.save_at = Some(now);
    }

    /// Whether nothing is on its way to the disk.
    pub(super) fn is_idle(&self) -> bool {
        self.is_written() && !self.saving
    }

    /// Whether no payload is on its way to the disk.
    fn is_written(&self) -> bool {
        self.pieces.is_empty() && self.spilling.is_empty()
    }

    /// The blocks of a piece that is being stored.
    pub(super) fn sent_blocks(&self, piece: PieceIndex) -> &[SentBlock] {
        self.pieces.get(&piece).map(Vec::as_slice).unwrap_or_default()
    }

    /// As [`Self::sent_blocks`], to change them.
    pub(super) fn sent_blocks_mut(&mut self, piece: PieceIndex) -> &mut [SentBlock] {
        self.pieces.get_mut(&piece).map(Vec::as_mut_slice).unwrap_or_default()
    }

    /// For each piece that is being stored, whose blocks it is made of.
    pub(super) fn senders(&self) -> impl Iterator<Item = BTreeSet<Sender>> {
        self.pieces.values().map(|sent| sent.iter().map(|block| block.from).collect())
    }

    pub(super) fn bytes(&self) -> u64 {
        self.pieces.values().flatten().map(|block| block.data.len() as u64).sum()
    }
}

impl Torrent {
    /// All blocks of a piece are here: off it goes.
    fn store_piece(&mut self, piece: PieceIndex) {
        self.pieces.set_state(piece, PieceState::Storing);
        let partial = self.pieces.take_partial(piece);
        if let Some(written) = partial.as_ref().and_then(Partial::disk_bits) {
            self.storing.written_before.insert(piece, written);
        }
        let sent = partial.map(Partial::into_sent_blocks).unwrap_or_default();
        let blocks = sent.iter().map(|block| (block.begin, block.data.clone())).collect();
        self.storing.pieces.insert(piece, sent);
        self.effects.push_back(Effect::StorePiece { piece, blocks });
    }

    pub(super) fn piece_stored(&mut self, now: Time, piece: PieceIndex) {
        let sent = self.storing.pieces.remove(&piece).unwrap_or_default();
        self.storing.written_before.remove(&piece);
        let liars = self.bans.piece_passed(piece, &sent);
        self.blame(now, piece, &liars, "sent wrong bytes for a piece that another gave right");
        self.piece_is_here(now, piece);
        self.notify(EventKind::PieceDone { piece });
        self.storing.mark_dirty(now);
    }

    pub(super) fn piece_mismatch(&mut self, now: Time, piece: PieceIndex) {
        let sent = self.storing.pieces.remove(&piece).unwrap_or_default();
        self.storing.written_before.remove(&piece);
        self.totals.wasted_bytes += sent.iter().map(|block| block.data.len() as u64).sum::<u64>();
        let contributors: BTreeSet<Sender> = sent.iter().map(|block| block.from).collect();
        let contributors = u32::try_from(contributors.len()).unwrap_or(u32::MAX);
        self.notify(EventKind::PieceFailed { piece, contributors });
        self.totals.hash_failures += 1;
        self.pieces.forget_blocks(piece);
        self.pieces.set_state(piece, PieceState::Missing);
        let blocks = self.pieces.blocks_to_fetch(piece) as usize;
        let liars = self.bans.piece_failed(piece, &sent, blocks);
        self.count_webseeds_waste(&sent);
        self.blame(now, piece, &liars, "gave a whole piece that failed its hash");
    }

    /// The disk refused: the blocks stay in memory, or on disk where they were written out before, and the piece is stored
    /// when it is tried again.
    pub(super) fn store_failed(&mut self, now: Time, piece: PieceIndex, error: DiskError) {
        if let Some(sent) = self.storing.pieces.remove(&piece) {
            self.pieces.set_state(piece, PieceState::Missing);
            let written = self.storing.written_before.remove(&piece).unwrap_or_default();
            self.pieces.with_partial(piece, |partial| partial.restore(&sent, &written));
        }
        self.disk_trouble(now, error);
    }

    /// The disk refused blocks of an unfinished piece: they stay in memory. Where the piece became whole meanwhile, its
    /// store has them too and goes on.
    pub(super) fn write_failed(&mut self, now: Time, piece: PieceIndex, error: DiskError) {
        self.writing_ended(piece, None);
        self.disk_trouble(now, error);
    }

    pub(super) fn blocks_written(&mut self, now: Time, piece: PieceIndex, begins: &[u32]) {
        self.writing_ended(piece, Some(begins));
        self.storing.mark_dirty(now);
    }

    /// Blocks of a piece are no longer on their way to the disk; `written` are there.
    fn writing_ended(&mut self, piece: PieceIndex, written: Option<&[u32]>) {
        self.storing.spilling.remove(&piece);
        if self.pieces.partial(piece).is_some() {
            self.pieces.with_partial(piece, |partial| partial.writing_ended(written));
        }
    }

    /// A piece is verified and on disk: peers are told.
    pub(super) fn piece_is_here(&mut self, now: Time, piece: PieceIndex) {
        self.cancel_requests_for(now, piece);
        let told = self.pieces.state(piece).is_here();
        self.pieces.set_state(piece, PieceState::Verified);
        if !told {
            self.tell_have(now, piece);
        }
    }

    pub(super) fn save_at(&self) -> Option<Time> {
        self.storing.save_at.filter(|_| !self.storing.saving && !matches!(self.phase, Phase::Stopped))
    }

    /// Writes out what takes too much memory; saves when due.
    pub(super) fn spill_and_save(&mut self, now: Time) {
        if self.phase.requests() {
            self.spill_over_budget();
        }
        let stopping = matches!(self.phase, Phase::Stopping { saved: false, .. });
        let due = self.storing.save_at.is_some_and(|at| at <= now) || (stopping && self.storing.is_written());
        if !due || self.storing.saving {
            return;
        }
        if self.phase.requests() {
            self.write_all_partials();
        }
        self.storing.generation += 1;
        self.storing.saving = true;
        self.storing.dirty_since = None;
        self.storing.save_at = None;
        let record = Box::new(self.record());
        self.effects.push_back(Effect::SaveResume { generation: self.storing.generation, record });
    }

    pub(super) fn resume_saved(&mut self, now: Time, generation: u64, result: Result<(), DiskError>) {
        if generation != self.storing.generation {
            return;
        }
        self.storing.saving = false;
        let clean = self.storing.dirty_since.is_none() && self.storing.is_written();
        if let Phase::Stopping { saved, .. } = &mut self.phase {
            *saved = clean || result.is_err();
        }
        if let Err(error) = result {
            self.storing.mark_dirty(now);
            self.notify(EventKind::DiskFailed { message: error.message });
        }
    }

    /// Writes the blocks of unfinished pieces, so that a record can claim them; not those of pieces that failed before:
    /// of what is written nobody knows any more who sent it, and the second time that has to come out.
    pub(super) fn write_all_partials(&mut self) {
        self.spill_where(|torrent, piece| !torrent.bans.is_suspect(piece));
    }

    fn spill_where(&mut self, wanted: impl Fn(&Self, PieceIndex) -> bool) {
        let with_memory = self.pieces.partials().filter(|(_, partial)| partial.memory_bytes() > 0);
        let pieces: Vec<PieceIndex> =
            with_memory.map(|(piece, _)| piece).filter(|piece| wanted(self, *piece)).collect();
        pieces.into_iter().for_each(|piece| self.spill(piece));
    }

    fn spill(&mut self, piece: PieceIndex) {
        if self.storing.spilling.insert(piece) {
            let blocks = self.pieces.with_partial(piece, Partial::start_writing);
            self.effects.push_back(Effect::WriteBlocks { piece, blocks });
        }
    }

    fn spill_over_budget(&mut self) {
        if self.pieces.memory_bytes() > limits::PARTIAL_BYTES_MAX {
            self.write_all_partials();
        }
        if self.pieces.memory_bytes() > limits::PARTIAL_BYTES_MAX {
            // Memory is bounded, whatever it costs to find the liar.
            self.spill_where(|_, _| true);
        }
    }

    /// Stores every piece whose blocks are all here, whatever brought the last one or refused the piece before.
    pub(super) fn store_whole_partials(&mut self) {
        if !self.phase.requests() {
            return;
        }
        let whole: Vec<PieceIndex> = self.pieces.whole().iter().copied().collect();
        whole.into_iter().for_each(|piece| self.store_piece(piece));
    }

    /// What a later run needs; claims only what is written.
    fn record(&self) -> ResumeRecord {
        let partial =
            self.pieces.partials().filter_map(|(piece, partial)| Some((piece, partial.disk_bits()?)));
        let stopped = matches!(self.phase, Phase::Stopping { .. } | Phase::Stopped);
        ResumeRecord {
            have: self.pieces.have().to_wire(),
            known: self.pieces.known().to_wire(),
            partial: partial.collect(),
            priorities: self.pieces.file_priorities().to_vec(),
            order: self.order,
            paused: if stopped { self.storing.paused_by_user } else { self.phase == Phase::Paused },
            downloaded_bytes: self.totals.downloaded_bytes,
            uploaded_bytes: self.totals.uploaded_bytes,
            peers: if stopped { self.storing.peers_at_stop.clone() } else { self.known.for_resume() },
            banned: self.bans.list(),
            webseeds: self.webseeds.choices(),
        }
    }
}
