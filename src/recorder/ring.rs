//! The ring: parts that each begin with a written state, the oldest dropped when there is too much.
//!
//! Its memory never exceeds `limits::RECORDING_BYTES_MAX`, whatever peers send; recording an input costs the encoding of
//! what it says. A state is written again when as much has been recorded since, or after a quarter of the span, so it
//! costs no more than that. Three states of more than a third of the ring do not fit: what is kept of such a torrent then
//! begins anew each time, and of one whose state takes more than half of the ring when there is no room left, which is
//! `RECORDING_BYTES_MAX - RECORDED_STATE_BYTES_MAX` of entries at least.

use std::collections::VecDeque;

use bytes::Bytes;
use serde::Serialize;

use super::entry::{DriverWord, EffectTally, EntryRef};
use super::file::{Part, Recording};
use super::machine::Recorded;
use crate::engine::io::Input;
use crate::limits::{RECORDED_STATE_BYTES_MAX, RECORDING_BYTES_MAX, RECORDING_PARTS, RECORDING_SPAN};
use crate::units::Time;

/// Bytes of a part that is not the last, at least.
const PART_BYTES: usize = RECORDING_BYTES_MAX / RECORDING_PARTS as usize;

/// Why there is no recording of a torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRecorded {
    /// It has not begun yet, or one turn brought more than the ring takes.
    #[error("nothing is recorded of the torrent yet; try again in a moment")]
    NotYet,
    /// It is too large.
    #[error(
        "the torrent is not recorded: its state takes more than {RECORDED_STATE_BYTES_MAX} bytes, which the recorder \
         has no room for"
    )]
    TooLarge,
    /// Its state or an input could not be written, which is a bug.
    #[error("the torrent is not recorded: its state or an input could not be written; please report it")]
    Unwritable,
}

/// Records one torrent, or the fetch of one magnet's metadata.
#[derive(Debug)]
pub struct Recorder {
    /// Oldest first; inputs go to the last one.
    parts: VecDeque<Begun>,
    /// Bytes that all parts take.
    bytes: usize,
    /// Why nothing is recorded, and when that is tried again.
    missing: NotRecorded,
    again_at: Time,
    /// Bytes of the last state: the next one takes about as many.
    state_bytes: usize,
    /// Where an entry is encoded.
    entry: Vec<u8>,
}

/// A part that is being recorded, or was.
#[derive(Debug)]
struct Begun {
    at: Time,
    state: Bytes,
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
            state_bytes: 0,
            entry: Vec::new(),
        }
    }
}

impl Recorder {
    /// An input is about to be taken.
    pub fn input(&mut self, now: Time, machine: &impl Recorded, input: &Input) {
        if self.parts.is_empty() {
            return;
        }
        if let Some(digests) = machine.digests(input) {
            self.write(now, &EntryRef::Digests(&digests));
        }
        self.write(now, &EntryRef::Input(now, input));
    }

    /// The driver of a magnet is about to do this to its fetch; or, of what it takes, has just done it.
    pub fn driver(&mut self, now: Time, word: &DriverWord) {
        self.write(now, &EntryRef::Driver(now, word));
    }

    /// A plan was made and its effects were handed out.
    pub fn turn_ended(&mut self, now: Time, effects: EffectTally) {
        self.write(now, &EntryRef::TurnEnds(now, effects));
    }

    /// Whether [`Self::settle`] would write a state, which costs by the piece.
    pub fn is_due(&self, now: Time) -> bool {
        let Some(part) = self.parts.back() else { return now >= self.again_at };
        let worth = part.entries.len() >= part.state.len();
        let old = now.since(part.at) >= RECORDING_SPAN / RECORDING_PARTS;
        worth && part.bytes() >= PART_BYTES || old && part.entries.len() >= part.state.len() / 4
    }

    /// Before the first turn and between turns: begins a new part where that is due, and drops what is too old or too much.
    pub fn settle(&mut self, now: Time, machine: &impl Recorded) {
        if self.is_due(now) {
            // What would be dropped anyway is dropped before as much is written: a large state is never there twice.
            self.make_room(self.state_bytes);
            match written(machine, self.state_bytes, RECORDED_STATE_BYTES_MAX) {
                Ok(state) => self.begin(now, state),
                Err(why) => self.give_up(now, why),
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

    /// What was recorded, up to the state that the machine is in now. Call it between turns.
    ///
    /// # Errors
    /// There is none, and why.
    pub fn recording<M: Recorded>(&self, now: Time, machine: &M) -> Result<Recording, NotRecorded> {
        let first = self.parts.front().ok_or(self.missing)?;
        let part = |part: &Begun| Part { state: part.state.clone(), entries: part.entries.clone().into() };
        Ok(Recording {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            subject: M::SUBJECT,
            torrent: machine.torrent(),
            info: machine.raw_info(),
            redacted: false,
            began: first.at,
            ended: now,
            parts: self.parts.iter().map(part).collect(),
            // It is in no ring: it may have grown since the last one.
            end_state: written(machine, self.state_bytes, RECORDING_BYTES_MAX)?,
        })
    }

    fn begin(&mut self, at: Time, state: Bytes) {
        if let Some(last) = self.parts.back_mut() {
            self.bytes -= last.entries.capacity();
            last.entries.shrink_to_fit();
            self.bytes += last.entries.capacity();
        }
        self.make_room(state.len());
        self.bytes += state.len();
        self.state_bytes = state.len();
        self.parts.push_back(Begun { at, state, entries: Vec::new() });
    }

    fn write(&mut self, now: Time, entry: &impl Serialize) {
        if self.parts.is_empty() {
            return;
        }
        let mut encoded = std::mem::take(&mut self.entry);
        encoded.clear();
        match postcard::to_extend(entry, encoded) {
            Ok(done) => self.entry = done,
            Err(_) => return self.give_up(now, NotRecorded::Unwritable),
        }
        let needed = self.entry.len();
        let Some(last) = self.parts.back() else { return };
        let spare = last.entries.capacity() - last.entries.len();
        let mut more = if needed <= spare { 0 } else { needed.max(last.entries.len() / 8).max(256) };
        // Room to grow is no reason to drop anything.
        self.make_room(needed.min(more));
        if more > 0 {
            more = more.min(RECORDING_BYTES_MAX - self.bytes).max(needed);
        }
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

    /// What cannot be written now cannot be written in the next turn either: each try costs by the piece.
    fn give_up(&mut self, now: Time, why: NotRecorded) {
        self.parts.clear();
        self.bytes = 0;
        self.missing = why;
        self.again_at = now + RECORDING_SPAN / RECORDING_PARTS;
    }
}

/// A state as bytes, of which there will be about `likely`; no more than `most` are ever held.
fn written(machine: &impl Recorded, likely: usize, most: usize) -> Result<Bytes, NotRecorded> {
    let capacity = (likely + likely / 16).min(most);
    let bounded = Bounded { bytes: Vec::with_capacity(capacity), most };
    match postcard::serialize_with_flavor(machine, bounded) {
        // Where as many were foreseen as there are, nothing is copied.
        Ok(state) => Ok(state.into_boxed_slice().into()),
        Err(postcard::Error::SerializeBufferFull) => Err(NotRecorded::TooLarge),
        Err(_) => Err(NotRecorded::Unwritable),
    }
}

/// Bytes as they are encoded, up to a bound.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl postcard::ser_flavors::Flavor for Bounded {
    type Output = Vec<u8>;

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        if data.len() > self.most - self.bytes.len() {
            return Err(postcard::Error::SerializeBufferFull);
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn finalize(self) -> postcard::Result<Self::Output> {
        Ok(self.bytes)
    }
}

#[cfg(test)]
mod tests;
