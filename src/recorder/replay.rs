//! A recording run through the engine again, turn by turn.

use std::sync::Arc;

use super::entry::{EffectTally, Entry};
use super::file::{Recording, digest_of};
use crate::engine::io::{Effect, Input};
use crate::engine::torrent::Torrent;
use crate::metainfo;
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
    #[error("it was made by version {0}, whose states this program cannot read; replay it with that version")]
    State(String),
    /// An entry is none of this program's.
    #[error(
        "it was made by version {0}, whose entries this program cannot read; replay it with that version"
    )]
    Entry(String),
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
    torrent: Torrent,
    /// The entries of this part that are still to come.
    rest: &'a [u8],
    /// Parts begun.
    parts: usize,
    turns: u64,
}

impl<'a> Replay<'a> {
    /// At the beginning.
    ///
    /// # Errors
    /// This program cannot run it.
    pub fn new(recording: &'a Recording) -> Result<Self, ReplayError> {
        let first = recording.parts.first().ok_or(ReplayError::Empty)?;
        let info = metainfo::parse_info(recording.info.clone().into()).map_err(ReplayError::Info)?;
        let torrent = Torrent::read_state(Arc::new(info), &first.state)
            .map_err(|_| ReplayError::State(recording.version.clone()))?;
        Ok(Self { recording, torrent, rest: &first.entries, parts: 1, turns: 0 })
    }

    /// The torrent as it stands.
    pub fn torrent(&self) -> &Torrent {
        &self.torrent
    }

    /// Runs the next turn; `None` at the end.
    ///
    /// # Errors
    /// An entry cannot be read.
    pub fn turn(&mut self) -> Result<Option<Turn>, ReplayError> {
        let mut inputs = Vec::new();
        loop {
            if self.rest.is_empty() {
                let Some(next) = self.recording.parts.get(self.parts) else { return Ok(None) };
                self.rest = &next.entries;
                self.parts += 1;
                continue;
            }
            let (entry, rest) = postcard::take_from_bytes(self.rest)
                .map_err(|_| ReplayError::Entry(self.recording.version.clone()))?;
            self.rest = rest;
            match entry {
                Entry::Digests(digests) => self.torrent.put_block_digests(&digests),
                Entry::Input(now, input) => {
                    inputs.push(input.clone());
                    self.torrent.handle(now, input);
                }
                Entry::TurnEnds(at, expected) => return Ok(Some(self.end_turn(at, inputs, expected))),
            }
        }
    }

    fn end_turn(&mut self, at: Time, inputs: Vec<Input>, expected: EffectTally) -> Turn {
        self.torrent.end_turn(at);
        let effects: Vec<Effect> = std::iter::from_fn(|| self.torrent.poll_effect()).collect();
        let mut tally = EffectTally::default();
        effects.iter().for_each(|effect| tally.note(effect));
        self.turns += 1;
        let same_state = || match self.recording.parts.get(self.parts) {
            Some(next) if self.rest.is_empty() => self.is_in(&next.state),
            Some(_) | None => true,
        };
        let same = tally == expected && same_state();
        Turn { number: self.turns, at, inputs, effects, same }
    }

    /// Whether the torrent is in the state that the recording ends in; asked at its end.
    pub fn is_identical(&self) -> bool {
        self.is_in(&self.recording.end_state)
    }

    /// The digest of the state that the torrent is in, in hex digits.
    pub fn state_digest(&self) -> String {
        self.torrent.write_state().map_or_else(|_| String::new(), |state| digest_of(&state))
    }

    fn is_in(&self, state: &[u8]) -> bool {
        self.torrent.write_state().is_ok_and(|own| own == state)
    }
}
