//! The world: participants, connections, the heap of what will happen, and the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::checks::Failure;
use super::disk::DiskPace;
use super::engine_node::{EngineNode, EngineOptions};
use super::events::{Events, Happening};
use super::manners::Manners;
use super::network::{Link, LinkQuality};
use super::payload::{Payload, Shape};
use super::puppet::Puppet;
use super::trail::{Step, Trail};
use crate::codec::peer::{BlockRequest, Message};
use crate::contract::PeerSource;
use crate::engine::io::{Input, TorrentCommand};
use crate::units::{ConnectionId, PeerId, PieceIndex, Rate, Time};

/// Time between two looks of the checkers.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A participant, by the order in which it was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// Whoever takes part.
#[derive(Debug)]
pub(super) enum Participant {
    Engine(Box<EngineNode>),
    Puppet(Box<Puppet>),
}

/// A world of one torrent.
#[derive(Debug)]
pub struct World {
    seed: u64,
    pub(super) payload: Payload,
    pub(super) now: Time,
    pub(super) rng: fastrand::Rng,
    pub(super) events: Events,
    pub(super) nodes: Vec<Participant>,
    pub(super) links: BTreeMap<ConnectionId, Link>,
    pub(super) next_connection: u64,
    /// Of connections made from now on.
    pub(super) quality: LinkQuality,
    /// Cut off from all others.
    apart: BTreeSet<NodeId>,
    pub(super) tracker_works: bool,
    /// Nothing goes wrong: requests that could be on the wire are there sooner.
    pub(super) calm: bool,
    pub(super) turns: u64,
    /// Turns between two comparisons from scratch.
    pub(super) audit_every: u64,
    trail: Trail,
    failure: Option<Failure>,
}

/// Where a participant listens.
pub(super) fn address_of(node: NodeId) -> SocketAddr {
    let number = u8::try_from(node.0 + 1).expect("a world has few participants");
    SocketAddr::from(([10, 0, 0, number], 6881))
}

impl World {
    /// A world with nobody in it.
    pub fn new(seed: u64, shape: &Shape) -> Self {
        let mut world = Self {
            seed,
            payload: Payload::new(shape),
            now: Time::ZERO,
            rng: fastrand::Rng::with_seed(seed),
            events: Events::default(),
            nodes: Vec::new(),
            links: BTreeMap::new(),
            next_connection: 0,
            quality: LinkQuality::NEAR,
            apart: BTreeSet::new(),
            tracker_works: true,
            calm: true,
            turns: 0,
            audit_every: 1,
            trail: Trail::default(),
            failure: None,
        };
        world.events.push(Time::ZERO, Happening::Look);
        world
    }

    /// An engine joins.
    pub fn add_engine(&mut self, options: EngineOptions) -> NodeId {
        let id = NodeId(self.nodes.len());
        let node = EngineNode::new(self.now, id.0, &self.payload, options, self.rng.u64(..));
        self.nodes.push(Participant::Engine(Box::new(node)));
        self.begin(id);
        id
    }

    /// A scripted peer joins.
    pub fn add_puppet(&mut self, manners: Manners) -> NodeId {
        let id = NodeId(self.nodes.len());
        self.nodes.push(Participant::Puppet(Box::new(Puppet::new(id.0, &self.payload, manners))));
        id
    }

    /// The first turn of an engine's run.
    fn begin(&mut self, id: NodeId) {
        let first = self.engine_mut(id).and_then(|node| node.first.take());
        self.turn(id, first.unwrap_or(Input::Deadline));
    }

    /// An engine is told of a peer by hand, and will call it.
    pub fn introduce(&mut self, id: NodeId, peer: NodeId) {
        let addresses = vec![address_of(peer)];
        self.input_after(Duration::ZERO, id, Input::PeersFound { source: PeerSource::Manual, addresses });
    }

    /// A puppet calls an engine.
    pub fn puppet_calls(&mut self, puppet: NodeId, engine: NodeId) {
        let at = self.now + self.quality.latency;
        self.events.push(at, Happening::CallArrives { caller: puppet, called: engine, epoch: 0 });
    }

    /// A person asks something of an engine, now.
    pub fn command(&mut self, id: NodeId, command: TorrentCommand) {
        self.turn(id, Input::Command(command));
    }

    /// Connections made from now on are this good.
    pub fn set_quality(&mut self, quality: LinkQuality) {
        self.quality = quality;
    }

    /// Whether nothing goes wrong from now on.
    pub fn set_calm(&mut self, calm: bool) {
        self.calm = calm;
    }

    /// Compares from scratch in one of so many turns.
    pub fn set_audit_every(&mut self, turns: u64) {
        self.audit_every = turns.max(1);
    }

    /// Whether the tracker answers.
    pub fn set_tracker_works(&mut self, works: bool) {
        self.tracker_works = works;
    }

    /// How fast an engine's disk is.
    pub fn set_disk_pace(&mut self, id: NodeId, pace: DiskPace) {
        if let Some(node) = self.engine_mut(id) {
            node.disk.pace = pace;
        }
    }

    /// Sets an engine's rate limits.
    pub fn set_limits(&mut self, id: NodeId, down: Option<Rate>, up: Option<Rate>) {
        let now = self.now;
        let Some(node) = self.engine_mut(id) else { return };
        node.budget.set_limits(now, down, up);
        let grant = node.budget.opening(node.torrent.id());
        self.turn(id, Input::Granted { up_bytes: grant.up_bytes, down_bytes: grant.down_bytes });
    }

    /// A participant is cut off from all others, or no longer. Nobody is told: nothing arrives.
    pub fn set_apart(&mut self, id: NodeId, apart: bool) {
        if apart {
            self.apart.insert(id);
        } else {
            self.apart.remove(&id);
        }
        let of_node: Vec<(ConnectionId, [NodeId; 2])> = self
            .links
            .iter()
            .filter(|(_, link)| link.ends.contains(&id))
            .map(|(id, link)| (*id, link.ends))
            .collect();
        for (connection, ends) in of_node {
            let cut = ends.iter().any(|end| self.apart.contains(end));
            if let Some(link) = self.links.get_mut(&connection) {
                link.cut = cut;
            }
            ends.into_iter().for_each(|end| self.pump(end, connection));
        }
    }

    /// One end of every connection of a participant begins or ceases to read.
    pub fn set_reads(&mut self, id: NodeId, reads: bool) {
        let links: Vec<ConnectionId> = self.connections_of(id);
        links.into_iter().for_each(|connection| self.set_reading(connection, id, reads));
    }

    pub(super) fn set_reading(&mut self, connection: ConnectionId, reader: NodeId, reads: bool) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        for (messages, bytes) in link.set_reading(reader, reads) {
            self.deliver(connection, reader, messages, bytes);
        }
    }

    /// The connections of a participant.
    pub fn connections_of(&self, id: NodeId) -> Vec<ConnectionId> {
        self.links.iter().filter(|(_, link)| link.ends.contains(&id)).map(|(&id, _)| id).collect()
    }

    /// Ends a connection from outside; both ends learn of it.
    pub fn break_connection(&mut self, connection: ConnectionId) {
        let Some(link) = self.links.remove(&connection) else { return };
        for end in link.ends {
            let input = Input::Closed { connection, reason: "connection reset".to_owned() };
            self.input_after(Duration::ZERO, end, input);
        }
    }

    /// An engine dies without a word, loses part of what was not synced, and begins again.
    pub fn crash(&mut self, id: NodeId) {
        let (now, seed, payload) = (self.now, self.rng.u64(..), self.payload.clone());
        let Self { nodes, rng, .. } = self;
        let Some(Participant::Engine(node)) = nodes.get_mut(id.0) else { return };
        node.disk.crash(rng);
        node.restart(now, &payload, seed);
        self.connections_of(id).into_iter().for_each(|connection| self.hang_up(id, connection, "reset"));
        self.begin(id);
    }

    /// Changes bytes of a piece on an engine's disk behind its back.
    pub fn corrupt(&mut self, id: NodeId, piece: PieceIndex) {
        if let Some(node) = self.engine_mut(id) {
            node.disk.corrupt(piece);
        }
    }

    /// Takes a piece off an engine's disk behind its back.
    pub fn lose(&mut self, id: NodeId, piece: PieceIndex) {
        if let Some(node) = self.engine_mut(id) {
            node.disk.lose(piece);
        }
    }

    /// A puppet gets a piece, or loses one.
    pub fn puppet_piece(&mut self, id: NodeId, piece: PieceIndex, has: bool) {
        if let Some(Participant::Puppet(puppet)) = self.nodes.get_mut(id.0) {
            let actions = if has { puppet.get_piece(piece) } else { puppet.lose_piece(piece) };
            self.act(id, actions);
        }
    }

    /// What a puppet was asked for, with when it arrived.
    pub fn asked_of(&self, id: NodeId) -> &[(Time, BlockRequest)] {
        match &self.nodes[id.0] {
            Participant::Puppet(puppet) => &puppet.asked,
            Participant::Engine(_) => &[],
        }
    }

    /// What a puppet was told to forget, with when it arrived.
    pub fn cancelled_at(&self, id: NodeId) -> &[(Time, BlockRequest)] {
        match &self.nodes[id.0] {
            Participant::Puppet(puppet) => &puppet.cancelled,
            Participant::Engine(_) => &[],
        }
    }

    /// Blocks that a puppet was given.
    pub fn blocks_given_to(&self, id: NodeId) -> u64 {
        match &self.nodes[id.0] {
            Participant::Puppet(puppet) => puppet.received_blocks,
            Participant::Engine(_) => 0,
        }
    }

    /// Changes a puppet's manners from now on.
    pub fn set_manners(&mut self, id: NodeId, change: impl FnOnce(&mut Manners)) {
        if let Some(Participant::Puppet(puppet)) = self.nodes.get_mut(id.0) {
            change(&mut puppet.manners);
            let actions = puppet.wake(self.now);
            self.act(id, actions);
        }
    }

    /// An engine.
    pub fn engine(&self, id: NodeId) -> Option<&EngineNode> {
        self.nodes.get(id.0).and_then(Participant::as_engine)
    }

    /// An engine, to look at or to make pictures of.
    pub fn engine_mut(&mut self, id: NodeId) -> Option<&mut EngineNode> {
        match self.nodes.get_mut(id.0) {
            Some(Participant::Engine(node)) => Some(node),
            Some(Participant::Puppet(_)) | None => None,
        }
    }

    /// Everybody.
    pub fn node_ids(&self) -> Vec<NodeId> {
        (0..self.nodes.len()).map(NodeId).collect()
    }

    /// The torrent.
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The instant.
    pub fn now(&self) -> Time {
        self.now
    }

    /// A number that differs where two runs differ.
    pub fn digest(&self) -> u64 {
        self.trail.digest()
    }

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        self.trail.count()
    }

    /// Runs for a span of virtual time.
    ///
    /// # Errors
    /// The first rule that was broken.
    pub fn run(&mut self, span: Duration) -> Result<(), Failure> {
        let end = self.now + span;
        self.run_until(end, |_| false).map(|_| ())
    }

    /// Runs until `done` holds (looked at after each step), at most for a span; says whether it did.
    ///
    /// # Errors
    /// The first rule that was broken.
    pub fn run_until_done(&mut self, span: Duration, done: impl Fn(&Self) -> bool) -> Result<bool, Failure> {
        let end = self.now + span;
        self.run_until(end, done)
    }

    fn run_until(&mut self, end: Time, done: impl Fn(&Self) -> bool) -> Result<bool, Failure> {
        loop {
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            if done(self) {
                return Ok(true);
            }
            let Some(next) = self.events.next_at().filter(|at| *at <= end) else {
                self.now = end;
                return Ok(false);
            };
            self.now = next.max(self.now);
            if let Some((_, what)) = self.events.pop() {
                self.happen(what);
            }
        }
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Input { node, epoch, input } => match &mut self.nodes[node.0] {
                Participant::Engine(engine) => {
                    if engine.epoch == epoch {
                        self.turn(node, *input);
                    }
                }
                Participant::Puppet(puppet) => {
                    if let Input::Closed { connection, .. } = *input {
                        puppet.closed(connection);
                    }
                }
            },
            Happening::Wake { node } => match &mut self.nodes[node.0] {
                Participant::Engine(engine) => {
                    if engine.wake_at == Some(self.now) {
                        engine.wake_at = None;
                        self.turn(node, Input::Deadline);
                    }
                }
                Participant::Puppet(puppet) => {
                    let actions = puppet.wake(self.now);
                    self.act(node, actions);
                }
            },
            Happening::Delivery { connection, to, messages, bytes } => {
                self.deliver(connection, to, messages, bytes);
            }
            Happening::WireFree { connection, from } => {
                if let Some(link) = self.links.get_mut(&connection) {
                    link.set_free(from);
                    self.pump(from, connection);
                }
            }
            Happening::CallArrives { caller, called, epoch } => self.call_arrives(caller, called, epoch),
            Happening::DiskDone { node, epoch, job } => self.disk_done(node, epoch, *job),
            Happening::Grants { node } => self.grant(node),
            Happening::Look => {
                self.look();
                self.events.push(self.now + LOOK_EVERY, Happening::Look);
            }
        }
    }

    fn deliver(&mut self, connection: ConnectionId, to: NodeId, messages: Vec<Message>, bytes: u64) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        let from = link.peer_of(to);
        let Some(messages) = link.arrive(to, messages, bytes) else { return };
        match &mut self.nodes[to.0] {
            Participant::Engine(_) => self.turn(to, Input::Messages { connection, messages }),
            Participant::Puppet(puppet) => {
                let actions = puppet.messages(self.now, connection, messages);
                self.act(to, actions);
            }
        }
        self.pump(from, connection);
    }

    /// One turn of an engine: an input, the plan, all effects, the next deadline.
    pub(super) fn turn(&mut self, id: NodeId, input: Input) {
        let now = self.now;
        let (what, detail) = (input.kind(), detail_of(&input));
        let mut came_to_something = !matches!(input, Input::Deadline);
        self.trail.push(Step { at: now, node: id, what, detail });
        let Some(node) = self.engine_mut(id) else { return };
        node.torrent.handle(now, input);
        node.torrent.end_turn(now);
        while let Some(effect) = self.engine_mut(id).and_then(|node| node.torrent.poll_effect()) {
            came_to_something = true;
            self.check_effect(id, &effect);
            self.perform(id, effect);
        }
        self.check_turn(id);
        let Some(node) = self.engine_mut(id) else { return };
        node.unlooked |= came_to_something;
        let next = node.torrent.next_deadline().map(|(at, _)| at.max(now + Duration::from_micros(1)));
        if let Some(next) = next.filter(|next| node.wake_at.is_none_or(|planned| *next < planned)) {
            node.wake_at = Some(next);
            self.events.push(next, Happening::Wake { node: id });
        }
    }

    pub(super) fn fail(&mut self, node: NodeId, what: String) {
        if self.failure.is_none() {
            let (seed, at, trail) = (self.seed, self.now, self.trail.to_string());
            self.failure = Some(Failure { seed, at, node, what, trail });
        }
    }

    pub(super) fn node_at(&self, address: SocketAddr) -> Option<NodeId> {
        self.node_ids().into_iter().find(|id| address_of(*id) == address)
    }

    pub(super) fn is_apart(&self, id: NodeId) -> bool {
        self.apart.contains(&id)
    }

    /// Whether a participant reads what it is sent.
    pub(super) fn reads(&self, id: NodeId) -> bool {
        match &self.nodes[id.0] {
            Participant::Engine(_) => true,
            Participant::Puppet(puppet) => puppet.manners.reads,
        }
    }

    /// What a participant shows in a handshake.
    pub(super) fn identity(&self, id: NodeId) -> Option<(PeerId, [u8; 8])> {
        match self.nodes.get(id.0)? {
            Participant::Engine(node) => Some((node.peer_id, node.reserved)),
            Participant::Puppet(puppet) => Some((puppet.peer_id, puppet.reserved)),
        }
    }
}

/// A number that tells an input from others of its kind.
fn detail_of(input: &Input) -> u64 {
    match input {
        Input::PieceStored { piece }
        | Input::PieceMismatch { piece }
        | Input::StoreFailed { piece, .. }
        | Input::BlocksWritten { piece, .. }
        | Input::PieceHashed { piece, .. } => u64::from(piece.0),
        Input::Messages { connection, messages } => connection.0 * 1000 + messages.len() as u64,
        Input::Closed { connection, .. } => connection.0,
        Input::Sent { payload_bytes, .. } => *payload_bytes,
        Input::Connected(new) => new.connection.0,
        Input::Command(_)
        | Input::PeersFound { .. }
        | Input::ConnectFailed { .. }
        | Input::BlocksRead { .. }
        | Input::ResumeSaved { .. }
        | Input::Announced { .. }
        | Input::Scraped { .. }
        | Input::Granted { .. }
        | Input::Deadline => 0,
    }
}
