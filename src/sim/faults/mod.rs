//! The numbered faults that an engine must live with, each played by hand: what happens is scripted, and what must be
//! seen is asserted. The checkers of the world watch all the while.

mod corrupt;
mod life;
mod lone;
mod peers;
mod priority;
mod protocol;
mod scale;
mod swarm;
mod trust;
mod webseeds;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::engine_node::{EngineNode, EngineOptions};
use super::manners::{Answers, Manners, Unchokes};
use super::payload::Shape;
use super::world::{NodeId, World, address_of};
use crate::codec::peer::{BlockRequest, Message};
use crate::contract::{EventKind, TorrentDetail, TorrentRow, TorrentState};
use crate::engine::torrent::DetailExtras;
use crate::limits::BLOCK_BYTES;
use crate::units::PieceIndex;

/// Time in which what is under way arrives.
const MOMENT: Duration = Duration::from_millis(100);

impl World {
    /// Time passes; no rule is broken meanwhile.
    fn pass(&mut self, span: Duration) {
        if let Err(failure) = self.run(span) {
            panic!("{failure}");
        }
    }

    /// Something comes to be within a span of time.
    fn reach(&mut self, span: Duration, what: &str, done: impl Fn(&Self) -> bool) {
        match self.run_until_done(span, done) {
            Ok(true) => {}
            Ok(false) => panic!("not {what} within {span:?}: {:?}", self.rows()),
            Err(failure) => panic!("{failure}"),
        }
    }

    /// An engine has all that it wants, and it is right, within a span of time.
    fn completes(&mut self, id: NodeId, span: Duration) {
        let done = |state| matches!(state, TorrentState::Seeding | TorrentState::Finished);
        self.reach(span, "complete", |world| done(world.node(id).state()));
        assert_eq!(self.node(id).first_wrong(), None);
    }

    fn node(&self, id: NodeId) -> &EngineNode {
        self.engine(id).expect("it is an engine")
    }

    fn row(&self, id: NodeId) -> TorrentRow {
        self.node(id).torrent().row(self.now(), 0)
    }

    fn rows(&self) -> Vec<TorrentRow> {
        let engines = self.node_ids().filter(|id| self.engine(*id).is_some());
        engines.map(|id| self.row(id)).collect()
    }

    fn detail(&mut self, id: NodeId) -> TorrentDetail {
        let (now, row) = (self.now(), self.row(id).into());
        let node = self.engine_mut(id).expect("it is an engine");
        node.torrent_mut().detail(now, row, DetailExtras::default())
    }

    fn cause(&self, id: NodeId) -> Option<String> {
        self.row(id).cause.map(|cause| cause.raw().to_owned())
    }

    /// How many events an engine told of which `is` holds.
    fn told(&self, id: NodeId, is: impl Fn(&EventKind) -> bool) -> usize {
        self.node(id).events().iter().filter(|event| is(event)).count()
    }

    /// Why connections with a peer ended, in order.
    fn goodbyes(&self, id: NodeId, peer: NodeId) -> Vec<String> {
        let reason = |event: &EventKind| match event {
            EventKind::PeerGone { address, reason } if *address == address_of(peer) => {
                Some(reason.raw().to_owned())
            }
            _ => None,
        };
        self.node(id).events().iter().filter_map(reason).collect()
    }

    /// Who was banned.
    fn banned(&self, id: NodeId) -> Vec<NodeId> {
        let banned = self.node(id).events().iter().filter_map(|event| match event {
            EventKind::PeerBanned { address, .. } => self.node_at(*address),
            _ => None,
        });
        banned.collect()
    }

    /// Whom an engine chokes.
    fn choked_by(&self, id: NodeId) -> Vec<SocketAddr> {
        let peers = self.node(id).torrent().peer_rows(self.now());
        peers.into_iter().filter(|peer| peer.flags.we_choke).map(|peer| peer.address).collect()
    }

    /// Bytes that wait to leave for a participant, as far as they are blocks.
    fn waiting_bytes(&self, id: NodeId) -> u64 {
        let of_links = self.links.values().filter(|link| link.ends.contains(&id));
        of_links.map(|link| link.waiting(link.peer_of(id)) as u64 * u64::from(BLOCK_BYTES)).sum()
    }

    /// Whether an engine is connected with a participant.
    fn is_connected(&self, id: NodeId, peer: NodeId) -> bool {
        self.connections_of(id).iter().any(|connection| self.connections_of(peer).contains(connection))
    }
}

/// An engine that has nothing, and one scripted peer that it knows of.
fn leecher_and(seed: u64, shape: &Shape, manners: Manners) -> (World, NodeId, NodeId) {
    let mut world = World::new(seed, shape);
    let leecher = world.add_engine(EngineOptions::leecher());
    let peer = world.add_puppet(manners);
    world.introduce(leecher, peer);
    (world, leecher, peer)
}

/// A peer with everything that takes requests and never answers them.
fn mute() -> Manners {
    Manners { answers: Answers::Never, ..Manners::seed() }
}

/// A peer with everything that lets others download after a while only.
fn late_seed(wait: Duration) -> Manners {
    Manners { unchokes: Unchokes::After(wait), ..Manners::seed() }
}

/// A block of a piece as a message, with these bytes.
fn piece_message(request: BlockRequest, data: Bytes) -> Message {
    Message::Piece { piece: request.piece, begin: request.begin, data }
}

/// The first block of a piece.
fn first_block(piece: u32) -> BlockRequest {
    BlockRequest { piece: PieceIndex(piece), begin: 0, length: BLOCK_BYTES }
}
