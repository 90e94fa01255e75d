//! What is done to the world from outside: a person's commands, faults, and a puppet's strings.

use std::time::Duration;

use super::disk::DiskPace;
use super::events::Happening;
use super::manners::Manners;
use super::network::LinkQuality;
use super::world::{NodeId, Participant, World, address_of};
use crate::codec::peer::{BlockRequest, Message};
use crate::contract::PeerSource;
use crate::engine::io::{Input, TorrentCommand};
use crate::units::{ConnectionId, PieceIndex, Rate, Time};

impl World {
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

    /// Compares from scratch in one of so many turns, and in looks as much more rarely from eight turns on.
    pub fn set_audit_every(&mut self, turns: u64) {
        self.audit_every = turns.max(1);
    }

    /// Time between two looks of the checkers: longer where hours pass.
    pub fn set_look_every(&mut self, pause: Duration) {
        self.look_every = pause;
    }

    /// How long the tracker takes to answer.
    pub fn set_tracker_takes(&mut self, wait: Duration) {
        self.tracker_takes = wait;
    }

    /// How long calls to nobody take to fail: refused at once, or swallowed until the caller gives up.
    pub fn set_refusal_takes(&mut self, wait: Duration) {
        self.refusal_takes = wait;
    }

    /// A puppet says something on all its connections, whatever its manners are.
    pub fn puppet_says(&mut self, id: NodeId, messages: &[Message]) {
        let now = self.now;
        if let Some(Participant::Puppet(puppet)) = self.nodes.get_mut(id.0) {
            let actions = puppet.say(now, messages);
            self.act(id, actions);
        }
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
        node.up_pace.set(now, up);
        let grant = node.budget.opening(node.torrent.id());
        self.turn(id, Input::Granted { up_bytes: grant.up_bytes, down_bytes: grant.down_bytes });
    }

    /// The shared budget leaves an engine so many connections.
    pub fn set_slots(&mut self, id: NodeId, most: u32) {
        self.turn(id, Input::Slots { most });
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
}
