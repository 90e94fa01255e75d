//! What can be recorded: the engine's machines that own something, and how each is read from its written state.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::entry::DriverWord;
use crate::contract::TorrentRow;
use crate::engine::io::{Effect, Input};
use crate::engine::metadata::MetadataFetch;
use crate::engine::torrent::{BlockDigests, Torrent};
use crate::metainfo::Info;
use crate::units::{Time, TorrentId};

/// What a recording is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// A torrent.
    Torrent,
    /// A magnet whose metadata was not here yet.
    Magnet,
}

/// A machine whose inputs are recorded.
pub trait Recorded: Serialize {
    /// What it is.
    const SUBJECT: Subject;

    /// Its identity.
    fn torrent(&self) -> TorrentId;

    /// The info dictionary, which is in the recording once and in no state.
    fn raw_info(&self) -> Bytes;

    /// What it will see of payload when it takes this input, if anything.
    fn digests(&self, input: &Input) -> Option<BlockDigests>;
}

impl Recorded for Torrent {
    const SUBJECT: Subject = Subject::Torrent;

    fn torrent(&self) -> TorrentId {
        self.id()
    }

    fn raw_info(&self) -> Bytes {
        self.info().raw().clone()
    }

    fn digests(&self, input: &Input) -> Option<BlockDigests> {
        self.block_digests(input)
    }
}

impl Recorded for MetadataFetch {
    const SUBJECT: Subject = Subject::Magnet;

    fn torrent(&self) -> TorrentId {
        self.id()
    }

    fn raw_info(&self) -> Bytes {
        Bytes::new()
    }

    fn digests(&self, _input: &Input) -> Option<BlockDigests> {
        None
    }
}

/// A machine that was read.
#[derive(Debug)]
pub(super) enum Machine {
    Torrent(Box<Torrent>),
    Magnet(Box<MetadataFetch>),
}

impl Machine {
    /// In a state that was written; a torrent has an info dictionary, a magnet has none.
    pub(super) fn read(info: Option<Arc<Info>>, state: &[u8]) -> Result<Self, postcard::Error> {
        match info {
            Some(info) => Torrent::read_state(info, state).map(Box::new).map(Self::Torrent),
            None => postcard::from_bytes(state).map(Box::new).map(Self::Magnet),
        }
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, postcard::Error> {
        match self {
            Self::Torrent(torrent) => torrent.write_state(),
            Self::Magnet(fetch) => postcard::to_allocvec(fetch),
        }
    }

    pub(super) fn handle(&mut self, now: Time, input: Input) {
        match self {
            Self::Torrent(torrent) => torrent.handle(now, input),
            Self::Magnet(fetch) => fetch.handle(now, input),
        }
    }

    pub(super) fn put_block_digests(&mut self, digests: &BlockDigests) {
        match self {
            Self::Torrent(torrent) => torrent.put_block_digests(digests),
            Self::Magnet(_) => {}
        }
    }

    /// Nobody says such a thing to a torrent.
    pub(super) fn hear_driver(&mut self, now: Time, word: &DriverWord) {
        match (self, word) {
            (Self::Magnet(fetch), DriverWord::Wished) => fetch.wishes_changed(),
            (Self::Magnet(fetch), DriverWord::Refused(reason)) => fetch.refuse(now, reason),
            (Self::Magnet(fetch), DriverWord::Taken) => drop(fetch.take_found()),
            (Self::Torrent(_), _) => {}
        }
    }

    /// Ends a turn; gives its effects.
    pub(super) fn end_turn(&mut self, now: Time) -> Vec<Effect> {
        match self {
            Self::Torrent(torrent) => {
                torrent.end_turn(now);
                std::iter::from_fn(|| torrent.poll_effect()).collect()
            }
            Self::Magnet(fetch) => {
                fetch.end_turn(now);
                std::iter::from_fn(|| fetch.poll_effect()).collect()
            }
        }
    }

    pub(super) fn row(&self, now: Time) -> TorrentRow {
        match self {
            Self::Torrent(torrent) => torrent.row(now, 0),
            Self::Magnet(fetch) => fetch.row(0),
        }
    }
}

impl Serialize for Machine {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Torrent(torrent) => torrent.serialize(serializer),
            Self::Magnet(fetch) => fetch.serialize(serializer),
        }
    }
}
