//! The ring: parts that each begin with a written state, the oldest dropped when there is too much.
//!
//! Its memory never exceeds `limits::RECORDING_BYTES_MAX`, whatever peers send; recording an input costs the encoding of
//! what it says, and a state is written again only when as much has been recorded since, so it costs no more than that.

use std::collections::VecDeque;
use std::sync::Arc;

use super::entry::{EffectTally, EntryRef};
use super::file::{Part, Recording};
use crate::engine::io::Input;
use crate::engine::torrent::Torrent;
use crate::limits::{RECORDED_STATE_BYTES_MAX, RECORDING_BYTES_MAX, RECORDING_PARTS, RECORDING_SPAN};
use crate::units::Time;

/// Bytes of a part that is not the last, at least.
const PART_BYTES: usize = RECORDING_BYTES_MAX / RECORDING_PARTS as usize;

/// Why there is no recording of a torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRecorded {
    /// It has not had a turn yet, or one turn brought more than the ring takes.
    #[error("nothing is recorded of the torrent yet; try again in a moment")]
    NotYet,
    /// It is too large.
    #[error(
        "the torrent is not recorded: its state takes {0} bytes, and the recorder takes states of \
         {RECORDED_STATE_BYTES_MAX} at most"
    )]
    TooLarge(usize),
    /// Its state could not be written, which is a bug.
    #[error("the state of the torrent could not be written")]
    Unwritable,
}

/// Records one torrent.
#[derive(Debug)]
pub struct Recorder {
    /// Oldest first; inputs go to the last one.
    parts: VecDeque<Begun>,
    /// Bytes that all parts take.
    bytes: usize,
    /// Why nothing is recorded, and when that is tried again.
    missing: NotRecorded,
    again_at: Time,
    /// Where an entry is encoded.
    entry: Vec<u8>,
}

/// A part that is being recorded, or was.
#[derive(Debug)]
struct Begun {
    at: Time,
    state: Arc<[u8]>,
    entries: Vec<u8>,
}

impl Begun {
    fn bytes(&self) -> usize {
        self.state.len() + self.entries.capacity()
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            parts: VecDeque::new(),
            bytes: 0,
            missing: NotRecorded::NotYet,
            again_at: Time::ZERO,
            entry: Vec::new(),
        }
    }
}

impl Recorder {
    /// An input is about to be taken.
    pub fn input(&mut self, now: Time, torrent: &Torrent, input: &Input) {
        if self.parts.is_empty() {
            return;
        }
        if let Some(digests) = torrent.block_digests(input) {
            self.write(&EntryRef::Digests(&digests));
        }
        self.write(&EntryRef::Input(now, input));
    }

    /// A plan was made and its effects were handed out.
    pub fn turn_ended(&mut self, now: Time, effects: EffectTally) {
        self.write(&EntryRef::TurnEnds(now, effects));
    }

    /// Whether [`Self::settle`] would write a state, which costs by the piece.
    pub fn is_due(&self, now: Time) -> bool {
        let Some(part) = self.parts.back() else { return now >= self.again_at };
        let worth = part.entries.len() >= part.state.len();
        let old = now.since(part.at) >= RECORDING_SPAN / RECORDING_PARTS;
        worth && part.bytes() >= PART_BYTES || old && part.entries.len() >= part.state.len() / 4
    }

    /// Between turns: begins a new part where that is due, and drops what is too old or too much.
    pub fn settle(&mut self, now: Time, torrent: &Torrent) {
        if self.is_due(now) {
            match written(torrent) {
                Ok(state) => self.begin(now, state.into()),
                Err(why) => {
                    self.clear(why);
                    self.again_at = now + RECORDING_SPAN / RECORDING_PARTS;
                }
            }
        }
        while self.parts.get(1).is_some_and(|next| now.since(next.at) >= RECORDING_SPAN) {
            self.drop_oldest();
        }
    }

    /// Bytes that it holds; never more than `limits::RECORDING_BYTES_MAX`.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What was recorded, up to the state that the torrent is in now. Call it between turns.
    ///
    /// # Errors
    /// There is none, and why.
    pub fn recording(&self, now: Time, torrent: &Torrent) -> Result<Recording, NotRecorded> {
        if self.parts.is_empty() {
            return Err(self.missing);
        }
        let part = |part: &Begun| Part { state: part.state.to_vec(), entries: part.entries.clone() };
        Ok(Recording {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            torrent: torrent.id(),
            info: torrent.info().raw().to_vec(),
            redacted: false,
            began: self.parts[0].at,
            ended: now,
            parts: self.parts.iter().map(part).collect(),
            end_state: written(torrent)?,
        })
    }

    fn begin(&mut self, at: Time, state: Arc<[u8]>) {
        if let Some(last) = self.parts.back_mut() {
            self.bytes -= last.entries.capacity();
            last.entries.shrink_to_fit();
            self.bytes += last.entries.capacity();
        }
        self.make_room(state.len());
        self.bytes += state.len();
        self.parts.push_back(Begun { at, state, entries: Vec::new() });
    }

    fn write(&mut self, entry: &EntryRef<'_>) {
        if self.parts.is_empty() {
            return;
        }
        let mut encoded = std::mem::take(&mut self.entry);
        encoded.clear();
        match postcard::to_extend(entry, encoded) {
            Ok(done) => self.entry = done,
            Err(_) => return self.clear(NotRecorded::Unwritable),
        }
        let needed = self.entry.len();
        let Some(last) = self.parts.back() else { return };
        let spare = last.entries.capacity() - last.entries.len();
        let more = if needed <= spare { 0 } else { needed.max(last.entries.len() / 8).max(256) };
        self.make_room(more);
        // Where one part is too much, the turn that made it so is not recorded.
        let Some(last) = self.parts.back_mut() else { return };
        let before = last.entries.capacity();
        if more > 0 {
            last.entries.reserve_exact(more);
        }
        last.entries.extend_from_slice(&self.entry);
        self.bytes += last.entries.capacity() - before;
        if self.entry.capacity() > PART_BYTES / 16 {
            self.entry = Vec::new();
        }
    }

    /// Drops the oldest parts until so many bytes more are not too much.
    fn make_room(&mut self, more: usize) {
        while self.bytes + more > RECORDING_BYTES_MAX && !self.parts.is_empty() {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.parts.pop_front() {
            self.bytes -= oldest.bytes();
        }
        if self.parts.is_empty() {
            self.missing = NotRecorded::NotYet;
        }
    }

    fn clear(&mut self, why: NotRecorded) {
        self.parts.clear();
        self.bytes = 0;
        self.missing = why;
    }
}

fn written(torrent: &Torrent) -> Result<Vec<u8>, NotRecorded> {
    let state = torrent.write_state().map_err(|_| NotRecorded::Unwritable)?;
    if state.len() > RECORDED_STATE_BYTES_MAX {
        return Err(NotRecorded::TooLarge(state.len()));
    }
    Ok(state)
}
