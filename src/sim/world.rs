//! The world: participants, connections, the heap of what will happen, and the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::checks::Failure;
use super::engine_node::{EngineNode, EngineOptions};
use super::events::{Events, Happening};
use super::manners::Manners;
use super::network::{Link, LinkQuality};
use super::payload::{Payload, Shape};
use super::puppet::Puppet;
use super::trail::{Step, Trail};
use super::web::WebServer;
use crate::codec::peer::Message;
use crate::engine::io::Input;
use crate::recorder::EffectTally;
use crate::units::{ConnectionId, PeerId, Time};

/// Time between two looks of the checkers.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a tracker takes to answer.
const TRACKER_ANSWER: Duration = Duration::from_millis(80);
/// How long a call to nobody takes to fail.
const REFUSED: Duration = Duration::from_millis(300);
/// A turn may find that something is due at once; an engine that does so turn after turn would never rest.
const OVERDUE_TURNS_MAX: u32 = 8;

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
    pub(super) apart: BTreeSet<NodeId>,
    pub(super) tracker_works: bool,
    pub(super) tracker_takes: Duration,
    pub(super) refusal_takes: Duration,
    pub(super) look_every: Duration,
    /// Nothing goes wrong: requests that could be on the wire are there sooner.
    pub(super) calm: bool,
    pub(super) web: Vec<WebServer>,
    pub(super) turns: u64,
    pub(super) looks: u64,
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
        Self::of(seed, Payload::new(shape))
    }

    /// A world of a torrent that was made elsewhere.
    pub fn of(seed: u64, payload: Payload) -> Self {
        let mut world = Self {
            seed,
            payload,
            now: Time::ZERO,
            rng: fastrand::Rng::with_seed(seed),
            events: Events::default(),
            nodes: Vec::new(),
            links: BTreeMap::new(),
            next_connection: 0,
            quality: LinkQuality::NEAR,
            apart: BTreeSet::new(),
            tracker_works: true,
            tracker_takes: TRACKER_ANSWER,
            refusal_takes: REFUSED,
            look_every: LOOK_EVERY,
            calm: true,
            web: Vec::new(),
            turns: 0,
            looks: 0,
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
    pub(super) fn begin(&mut self, id: NodeId) {
        let first = self.engine_mut(id).and_then(|node| node.first.take());
        self.turn(id, first.unwrap_or(Input::Deadline));
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
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
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
            Happening::WireFree { connection, from, blocks } => {
                if let Some(link) = self.links.get_mut(&connection) {
                    link.set_free(from);
                }
                if let Participant::Puppet(puppet) = &mut self.nodes[from.0] {
                    let actions = puppet.sent(self.now, connection, blocks);
                    self.act(from, actions);
                }
                self.pump(from, connection);
            }
            Happening::HangUp { connection, from } => self.hang_up(from, connection, "closed by the peer"),
            Happening::CallArrives { caller, called, epoch } => self.call_arrives(caller, called, epoch),
            Happening::DiskDone { node, epoch, job } => self.disk_done(node, epoch, *job),
            Happening::WebStep { node, epoch, fetch } => self.web_step(node, epoch, fetch),
            Happening::Grants { node } => self.grant(node),
            Happening::Look => {
                self.look();
                self.events.push(self.now + self.look_every, Happening::Look);
            }
        }
    }

    pub(super) fn deliver(
        &mut self,
        connection: ConnectionId,
        to: NodeId,
        messages: Vec<Message>,
        bytes: u64,
    ) {
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
        let mut tally = EffectTally::default();
        let Some(node) = self.engine_mut(id) else { return };
        if let Some(recorder) = &mut node.recorder {
            recorder.input(now, &node.torrent, &input);
        }
        node.torrent.handle(now, input);
        node.torrent.end_turn(now);
        while let Some(effect) = self.engine_mut(id).and_then(|node| node.torrent.poll_effect()) {
            came_to_something = true;
            tally.note(&effect);
            self.check_effect(id, &effect);
            self.perform(id, effect);
        }
        self.check_turn(id);
        let Some(node) = self.engine_mut(id) else { return };
        if let Some(recorder) = &mut node.recorder {
            recorder.turn_ended(now, tally);
            recorder.settle(now, &node.torrent);
        }
        node.unlooked |= came_to_something;
        let Some((at, of)) = node.torrent.next_deadline() else { return };
        node.overdue_turns = if at <= now { node.overdue_turns + 1 } else { 0 };
        let overdue_turns = node.overdue_turns;
        let next = at.max(now + Duration::from_micros(1));
        if node.wake_at.is_none_or(|planned| next < planned) {
            node.wake_at = Some(next);
            self.events.push(next, Happening::Wake { node: id });
        }
        if overdue_turns > OVERDUE_TURNS_MAX {
            self.fail(id, format!("its deadline is over, turn after turn: {of:?}"));
        }
    }

    pub(super) fn fail(&mut self, node: NodeId, what: String) {
        if self.failure.is_none() {
            let (seed, at, trail) = (self.seed, self.now, self.trail.to_string());
            self.failure = Some(Failure { seed, at, node, what, trail });
        }
    }

    pub(super) fn node_at(&self, address: SocketAddr) -> Option<NodeId> {
        self.node_ids().find(|id| address_of(*id) == address)
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
        | Input::WriteFailed { piece, .. }
        | Input::BlocksWritten { piece, .. }
        | Input::PieceHashed { piece, .. } => u64::from(piece.0),
        Input::Messages { connection, messages } => connection.0 * 1000 + messages.len() as u64,
        Input::Closed { connection, .. } => connection.0,
        Input::FetchAnswered { fetch, .. }
        | Input::Fetched { fetch, .. }
        | Input::FetchEnded { fetch, .. } => fetch.0,
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
        | Input::Slots { .. }
        | Input::Host { .. }
        | Input::TaskFailed { .. }
        | Input::Deadline => 0,
    }
}
