//! A recording run through the engine again, turn by turn.
//!
//! The engine trusts its own state, and a file is not that: whatever it says, the worst that comes of it is a
//! [`ReplayError`]. What can be seen beforehand is looked at; where the engine panics all the same, the file is said not
//! to fit. A turn that takes too long is for the caller to end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::entry::{DriverWord, EffectTally, Entry};
use super::file::{Recording, digest_of};
use super::machine::{Machine, Subject};
use crate::contract::TorrentRow;
use crate::engine::io::{Effect, Input};
use crate::limits::{RECORDING_BYTES_MAX, REPLAY_TURN_INPUTS_MAX};
use crate::metainfo::{self, Info};
use crate::units::Time;

/// Why a recording cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It holds nothing.
    #[error("the recording is empty")]
    Empty,
    /// Its info dictionary is none.
    #[error("its info dictionary cannot be read: {0}")]
    Info(metainfo::MetainfoError),
    /// A state is none of this program's.
    #[error(
        "it was made by version {0}, and this program cannot read its state: replay it with that version, or make it \
         again with `unchoke dump recorder`"
    )]
    State(String),
    /// An entry is none of this program's.
    #[error(
        "it was made by version {0}, and this program cannot read its entries: replay it with that version, or make it \
         again with `unchoke dump recorder`"
    )]
    Entry(String),
    /// It can be read, and no program writes such a thing.
    #[error("no program writes such a recording ({0}): make it again with `unchoke dump recorder`")]
    Implausible(&'static str),
    /// The engine cannot be in a state that it says, or take what it says was said.
    #[error(
        "the engine stumbles in turn {turn} ({said}): the state in the file does not fit the engine or its inputs; make \
         it again with `unchoke dump recorder`, and where that one does the same, please report it"
    )]
    Unfit {
        /// Which turn; 0: before the first.
        turn: u64,
        /// What the engine said.
        said: String,
    },
}

/// A turn that was run again.
#[derive(Debug)]
pub struct Turn {
    /// Its number, from 1.
    pub number: u64,
    /// When it ended.
    pub at: Time,
    /// What it took.
    pub inputs: Vec<Input>,
    /// What the driver of a magnet did meanwhile.
    pub driver: Vec<DriverWord>,
    /// What came out.
    pub effects: Vec<Effect>,
    /// Whether effects of the same kinds came out when it was recorded, and where a state was written behind it, whether
    /// it is identical.
    pub same: bool,
}

/// A recording being run.
#[derive(Debug)]
pub struct Replay<'a> {
    recording: &'a Recording,
    machine: Machine,
    /// The entries of this part that are still to come.
    rest: &'a [u8],
    /// Parts begun.
    parts: usize,
    turns: u64,
    /// The time of the last entry.
    now: Time,
    /// Why it does not go on.
    broken: Option<ReplayError>,
}

/// Runs what may panic where a file lies. A panic is told as an error, and nothing that it left half done is used again.
pub(super) fn guarded<T>(turn: u64, run: impl FnOnce() -> T) -> Result<T, ReplayError> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
        ReplayError::Unfit { turn, said: said.unwrap_or_else(|| "it panicked".to_owned()) }
    })
}

/// The info dictionary of a torrent's recording; a magnet has none.
pub(super) fn info_of(recording: &Recording) -> Result<Option<Arc<Info>>, ReplayError> {
    match recording.subject {
        Subject::Magnet => Ok(None),
        Subject::Torrent => {
            let info = metainfo::parse_info(recording.info.clone()).map_err(ReplayError::Info)?;
            Ok(Some(Arc::new(info)))
        }
    }
}

impl<'a> Replay<'a> {
    /// At the beginning.
    ///
    /// # Errors
    /// This program cannot run it.
    pub fn new(recording: &'a Recording) -> Result<Self, ReplayError> {
        let first = recording.parts.first().ok_or(ReplayError::Empty)?;
        let bytes: usize = recording.parts.iter().map(|part| part.state.len() + part.entries.len()).sum();
        // Stand-ins may be longer than what they stand for.
        if bytes > 2 * RECORDING_BYTES_MAX {
            return Err(ReplayError::Implausible("it holds more than the recorder does"));
        }
        let info = info_of(recording)?;
        let machine = guarded(0, || Machine::read(info, &first.state))?
            .map_err(|_| ReplayError::State(recording.version.clone()))?;
        let now = recording.began;
        Ok(Self { recording, machine, rest: &first.entries, parts: 1, turns: 0, now, broken: None })
    }

    /// The line in the list as it stands at this instant.
    ///
    /// # Errors
    /// The engine is in a state in which it cannot be.
    pub fn row(&self, at: Time) -> Result<TorrentRow, ReplayError> {
        guarded(self.turns, || self.machine.row(at))
    }

    /// Runs the next turn; `None` at the end.
    ///
    /// # Errors
    /// An entry cannot be read, or the engine cannot take it. The same again if it is called again.
    pub fn turn(&mut self) -> Result<Option<Turn>, ReplayError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let turn = guarded(self.turns + 1, || self.next_turn()).and_then(|turn| turn);
        if let Err(error) = &turn {
            self.broken = Some(error.clone());
        }
        turn
    }

    fn next_turn(&mut self) -> Result<Option<Turn>, ReplayError> {
        let (mut inputs, mut driver) = (Vec::new(), Vec::new());
        loop {
            if self.rest.is_empty() {
                let Some(next) = self.recording.parts.get(self.parts) else { return Ok(None) };
                self.rest = &next.entries;
                self.parts += 1;
                continue;
            }
            if inputs.len() + driver.len() >= REPLAY_TURN_INPUTS_MAX {
                return Err(ReplayError::Implausible("a turn takes more than any has room for"));
            }
            let (entry, rest) = postcard::take_from_bytes(self.rest)
                .map_err(|_| ReplayError::Entry(self.recording.version.clone()))?;
            self.rest = rest;
            match entry {
                Entry::Digests(digests) => self.machine.put_block_digests(&digests),
                Entry::Input(now, input) => {
                    self.go_on_to(now)?;
                    inputs.push(input.clone());
                    self.machine.handle(now, input);
                }
                Entry::Driver(now, word) => {
                    self.go_on_to(now)?;
                    self.machine.hear_driver(now, &word);
                    driver.push(word);
                }
                Entry::TurnEnds(at, expected) => {
                    self.go_on_to(at)?;
                    return Ok(Some(self.end_turn(at, inputs, driver, expected)));
                }
            }
        }
    }

    /// Time never goes backwards, and ends with the recording.
    fn go_on_to(&mut self, now: Time) -> Result<(), ReplayError> {
        if now < self.now || now > self.recording.ended {
            return Err(ReplayError::Implausible("its entries are not in the order of time"));
        }
        self.now = now;
        Ok(())
    }

    fn end_turn(
        &mut self,
        at: Time,
        inputs: Vec<Input>,
        driver: Vec<DriverWord>,
        expected: EffectTally,
    ) -> Turn {
        let effects = self.machine.end_turn(at);
        let mut tally = EffectTally::default();
        effects.iter().for_each(|effect| tally.note(effect));
        self.turns += 1;
        let same_state = || match self.recording.parts.get(self.parts) {
            Some(next) if self.rest.is_empty() => self.is_in(&next.state),
            Some(_) | None => true,
        };
        let same = tally == expected && same_state();
        Turn { number: self.turns, at, inputs, driver, effects, same }
    }

    /// Whether the machine is in the state that the recording ends in; asked at its end.
    pub fn is_identical(&self) -> bool {
        self.is_in(&self.recording.end_state)
    }

    /// The digest of the state that the machine is in, in hex digits.
    pub fn state_digest(&self) -> String {
        self.machine.write().map_or_else(|_| String::new(), |state| digest_of(&state))
    }

    fn is_in(&self, state: &[u8]) -> bool {
        self.machine.write().is_ok_and(|own| own == state)
    }
}
