//! One torrent's owner without a world: for torrents so large that nobody would make their bytes.

use std::sync::Arc;

use bytes::Bytes;

use crate::codec::handshake;
use crate::codec::peer::Message;
use crate::contract::Direction;
use crate::engine::io::{Effect, Input, NewConnection};
use crate::engine::torrent::{Policy, Setup, StartingPoint, Torrent, WhenComplete};
use crate::limits::BLOCK_BYTES;
use crate::metainfo::{self, Info};
use crate::sim::world::{NodeId, address_of};
use crate::units::{ConnectionId, PeerId, Time};

/// A torrent, and the instant.
pub(super) struct Lone {
    pub(super) torrent: Torrent,
    pub(super) now: Time,
}

/// A torrent of files of so many bytes, whose hashes are those of nothing.
pub(super) fn info(name: &str, files: &[u64], piece_blocks: u32) -> Arc<Info> {
    let piece_length = piece_blocks * BLOCK_BYTES;
    let mut torrent = b"d4:infod5:filesl".to_vec();
    for (at, bytes) in files.iter().enumerate() {
        let file = format!("f{at}");
        torrent.extend(format!("d6:lengthi{bytes}e4:pathl{}:{file}ee", file.len()).bytes());
    }
    let count = files.iter().sum::<u64>().div_ceil(u64::from(piece_length));
    let hashes = vec![7; usize::try_from(count * 20).expect("it fits in memory")];
    let head =
        format!("e4:name{}:{name}12:piece lengthi{piece_length}e6:pieces{}:", name.len(), hashes.len());
    torrent.extend(head.bytes());
    torrent.extend(hashes);
    torrent.extend(b"ee");
    metainfo::parse(Bytes::from(torrent)).expect("it is valid").info
}

impl Lone {
    pub(super) fn new(info: Arc<Info>) -> Self {
        let setup = Setup {
            info,
            trackers: Vec::new(),
            webseeds: Vec::new(),
            peer_id: PeerId([1; 20]),
            listen_port: 6881,
            announce_key: 1,
            start: StartingPoint::default(),
            policy: Policy::default(),
            when_complete: WhenComplete::default(),
            seed: 1,
        };
        Self { torrent: Torrent::new(Time::ZERO, setup), now: Time::ZERO }
    }

    /// One turn; gives what it wants done.
    pub(super) fn turn(&mut self, input: Input) -> Vec<Effect> {
        self.torrent.handle(self.now, input);
        self.torrent.end_turn(self.now);
        std::iter::from_fn(|| self.torrent.poll_effect()).collect()
    }

    /// A peer connects and says something.
    pub(super) fn peer(&mut self, number: u8, messages: Vec<Message>) -> Vec<Effect> {
        let connection = ConnectionId(number.into());
        let mut reserved = [0; 8];
        handshake::FAST.set(&mut reserved);
        let new = NewConnection {
            connection,
            address: address_of(NodeId(number.into())),
            direction: Direction::Incoming,
            peer_id: PeerId([number + 100; 20]),
            reserved,
        };
        let mut effects = self.turn(Input::Connected(new));
        effects.extend(self.turn(Input::Messages { connection, messages }));
        effects
    }

    /// What a turn costs in pieces looked at.
    pub(super) fn visits(&mut self, act: impl FnOnce(&mut Self)) -> u64 {
        let before = self.torrent.piece_visits();
        act(self);
        self.torrent.piece_visits() - before
    }
}
