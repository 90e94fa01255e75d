//! What engines and puppets do, done in the world.

use std::time::Duration;

use super::disk::{DiskFault, Job};
use super::events::Happening;
use super::network::Link;
use super::puppet::Action;
use super::world::{NodeId, Participant, World, address_of};
use crate::codec::peer::Message;
use crate::codec::tracker::{AnnounceAnswer, TrackerError};
use crate::contract::Direction;
use crate::engine::budget::Flow;
use crate::engine::io::{Effect, HashOutcome, Input, NewConnection};
use crate::limits;
use crate::units::{ConnectionId, Time};

impl World {
    /// Does what an engine wants done.
    pub(super) fn perform(&mut self, id: NodeId, effect: Effect) {
        match effect {
            Effect::Connect { address } => {
                let now = self.now;
                if let Some(node) = self.engine_mut(id) {
                    node.calls.push((now, address));
                }
                self.call(id, self.node_at(address), address);
            }
            Effect::Send { connection, message } => {
                if let Some(node) = self.engine_mut(id) {
                    node.requests_sent += u64::from(matches!(message, Message::Request(_)));
                    node.rejects_sent += u64::from(matches!(message, Message::Reject(_)));
                }
                self.send(id, connection, message);
            }
            Effect::SendBlock { connection, piece, begin, data } => {
                self.send(id, connection, Message::Piece { piece, begin, data });
            }
            Effect::Disconnect { connection } => self.hang_up(id, connection, "closed by the peer"),
            Effect::StorePiece { piece, blocks } => self.disk_job(id, Job::Store { piece, blocks }),
            Effect::WriteBlocks { piece, blocks } => self.disk_job(id, Job::Write { piece, blocks }),
            Effect::HashPiece { piece } => self.disk_job(id, Job::Hash { piece }),
            Effect::ReadBlocks { reader, range } => self.disk_job(id, Job::Read { reader, range }),
            Effect::SaveResume { generation, record } => {
                let Some(node) = self.engine(id) else { return };
                let job = node.disk.save_job(generation, record);
                self.disk_job(id, job);
            }
            Effect::Announce { tracker, url: _, request: _ } => {
                let result = self.tracker_answer(id);
                self.input_after(self.tracker_takes, id, Input::Announced { tracker, result });
            }
            Effect::Scrape { tracker, url: _, info_hash: _ } => {
                let result = Err(TrackerError::Refused { reason: "no scrapes".to_owned(), retry: None });
                self.input_after(self.tracker_takes, id, Input::Scraped { tracker, result });
            }
            Effect::WantGrant { up, down } => self.want_grant(id, up, down),
            Effect::AnswerRead { reader, result } => {
                if let Some(node) = self.engine_mut(id) {
                    node.answers.entry(reader).or_default().push(result);
                }
            }
            Effect::Notify(event) => {
                if let Some(node) = self.engine_mut(id) {
                    node.note(event);
                }
            }
            // Its disk keeps the bytes of all files alike, and scenarios say how many connections there may be.
            Effect::FilesWanted { .. } | Effect::AskSlots(_) => {}
            Effect::Fetch(fetch) => self.begin_fetch(id, *fetch),
            Effect::FetchCredit { fetch, bytes } => self.credit_fetch(id, fetch, bytes),
            Effect::EndFetch { fetch } => self.end_web_request(id, fetch),
            Effect::Host { host, ask } => self.tell_host_desk(id, &host, ask),
            Effect::Stopped => {
                if let Some(node) = self.engine_mut(id) {
                    node.stopped = true;
                }
            }
        }
    }

    /// Does what a puppet does.
    pub(super) fn act(&mut self, id: NodeId, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send(connection, message) => self.send(id, connection, message),
                Action::Close(connection) => self.close_when_sent(id, connection),
                Action::Wake(at) => self.events.push(at, Happening::Wake { node: id }),
                Action::Complain(what) => self.fail(id, format!("an engine {what}")),
            }
        }
    }

    fn tracker_answer(&self, asker: NodeId) -> Result<AnnounceAnswer, TrackerError> {
        if !self.tracker_works {
            return Err(TrackerError::Refused { reason: "try later".to_owned(), retry: None });
        }
        let others = self.node_ids().filter(|id| *id != asker);
        Ok(AnnounceAnswer {
            interval_s: Some(300),
            min_interval_s: None,
            seeds: None,
            leeches: None,
            downloads: None,
            peers: others.map(address_of).collect(),
            warning: None,
            external_address: None,
        })
    }

    fn want_grant(&mut self, id: NodeId, up: bool, down: bool) {
        let at = self.now + limits::GRANT_INTERVAL;
        let Some(node) = self.engine_mut(id) else { return };
        let torrent = node.torrent.id();
        for (wanted, flow) in [(up, Flow::Up), (down, Flow::Down)] {
            if wanted {
                node.budget.wants(torrent, flow);
            }
        }
        if !std::mem::replace(&mut node.grants_planned, true) {
            self.events.push(at, Happening::Grants { node: id });
        }
    }

    /// The grants that are due; while somebody waits there will be more.
    pub(super) fn grant(&mut self, id: NodeId) {
        let now = self.now;
        let Some(node) = self.engine_mut(id) else { return };
        let grants = node.budget.grants(now);
        node.grants_planned = node.budget.is_waited_for();
        if node.grants_planned {
            self.events.push(now + limits::GRANT_INTERVAL, Happening::Grants { node: id });
        }
        for grant in grants {
            self.turn(id, Input::Granted { up_bytes: grant.up_bytes, down_bytes: grant.down_bytes });
        }
    }

    fn disk_job(&mut self, id: NodeId, job: Job) {
        let now = self.now;
        let Some(node) = self.engine_mut(id) else { return };
        node.disk.note_asked(&job);
        if node.disk.fault == DiskFault::Hangs {
            node.disk.hung.push(job);
            return;
        }
        let (at, epoch) = (node.disk.done_at(now, &job), node.epoch);
        self.events.push(at, Happening::DiskDone { node: id, epoch, job: Box::new(job) });
    }

    pub(super) fn disk_done(&mut self, id: NodeId, epoch: u32, job: Job) {
        let Some(node) = self.engine_mut(id).filter(|node| node.epoch == epoch) else { return };
        if node.disk.fault == DiskFault::Hangs {
            node.disk.hung.push(job);
            return;
        }
        let input = node.disk.perform(job);
        if let Input::PieceHashed { piece, outcome } = &input
            && *outcome != HashOutcome::Match
        {
            node.disk.forget_stored(*piece);
        }
        self.check_input(id, &input);
        self.turn(id, input);
    }

    /// A disk works again, or begins not to; what hung is done now.
    pub fn set_disk_fault(&mut self, id: NodeId, fault: DiskFault) {
        let Some(node) = self.engine_mut(id) else { return };
        node.disk.fault = fault;
        if fault != DiskFault::Hangs {
            let hung = std::mem::take(&mut node.disk.hung);
            hung.into_iter().for_each(|job| self.disk_job(id, job));
        }
    }

    fn call(&mut self, caller: NodeId, called: Option<NodeId>, address: std::net::SocketAddr) {
        let reason = "nobody there".to_owned();
        let Some(called) = called.filter(|called| !self.is_apart(caller) && !self.is_apart(*called)) else {
            self.input_after(self.refusal_takes, caller, Input::ConnectFailed { address, reason });
            return;
        };
        let epoch = self.engine(caller).map_or(0, |node| node.epoch);
        let at = self.now + self.quality.latency;
        self.events.push(at, Happening::CallArrives { caller, called, epoch });
    }

    /// A call comes through: both ends shake hands.
    pub(super) fn call_arrives(&mut self, caller: NodeId, called: NodeId, epoch: u32) {
        let alive = self.engine(caller).is_none_or(|node| node.epoch == epoch);
        if !alive || self.is_apart(caller) || self.is_apart(called) {
            if alive {
                let input =
                    Input::ConnectFailed { address: address_of(called), reason: "timed out".to_owned() };
                self.input_after(Duration::ZERO, caller, input);
            }
            return;
        }
        self.next_connection += 1;
        let connection = ConnectionId(self.next_connection);
        self.links.insert(connection, Link::new([caller, called], self.quality));
        if !self.reads(caller) || !self.reads(called) {
            let deaf = if self.reads(caller) { called } else { caller };
            self.set_reading(connection, deaf, false);
        }
        for (id, peer, direction) in
            [(called, caller, Direction::Incoming), (caller, called, Direction::Outgoing)]
        {
            let (Some(mine), Some(theirs)) = (self.identity(id), self.identity(peer)) else { return };
            let mut reserved = [0; 8];
            reserved.iter_mut().zip(mine.1.iter().zip(theirs.1)).for_each(|(both, (a, b))| *both = a & b);
            let new = NewConnection {
                connection,
                address: address_of(peer),
                direction,
                peer_id: theirs.0,
                reserved,
            };
            match &mut self.nodes[id.0] {
                Participant::Engine(_) => self.turn(id, Input::Connected(new)),
                Participant::Puppet(puppet) => {
                    let actions = puppet.connected(self.now, &new);
                    self.act(id, actions);
                }
            }
        }
    }

    fn send(&mut self, from: NodeId, connection: ConnectionId, message: Message) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        link.queue(from, message);
        if link.waiting(from) > limits::OUTGOING_MESSAGES_MAX {
            // As in the program: a peer that does not read what it is sent is sent away.
            self.hang_up(from, connection, "does not read what it is sent");
            self.input_after(
                Duration::ZERO,
                from,
                Input::Closed { connection, reason: "not read".to_owned() },
            );
            return;
        }
        self.pump(from, connection);
    }

    /// Lets leave what may leave.
    pub(super) fn pump(&mut self, from: NodeId, connection: ConnectionId) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        let to = link.peer_of(from);
        let Some(departure) = link.depart(self.now, from, &mut self.rng) else {
            if let Some(at) = link.closes_at(from) {
                self.events.push(at.max(self.now), Happening::HangUp { connection, from });
            }
            return;
        };
        self.events
            .push(departure.free_at, Happening::WireFree { connection, from, blocks: departure.blocks });
        let delivery =
            Happening::Delivery { connection, to, messages: departure.messages, bytes: departure.bytes };
        self.events.push(departure.arrives_at, delivery);
        if departure.payload_bytes > 0 {
            let payload_bytes = departure.payload_bytes;
            self.input_after(Duration::ZERO, from, Input::Sent { connection, payload_bytes });
        }
    }

    /// A puppet closes: it hears nothing more, and what it has said still arrives.
    fn close_when_sent(&mut self, from: NodeId, connection: ConnectionId) {
        if let Participant::Puppet(puppet) = &mut self.nodes[from.0] {
            puppet.closed(connection);
        }
        if let Some(link) = self.links.get_mut(&connection) {
            link.close_when_sent(from);
            self.pump(from, connection);
        }
    }

    /// One end closes; the other learns of it after the way there.
    pub(super) fn hang_up(&mut self, from: NodeId, connection: ConnectionId, reason: &str) {
        let Some(link) = self.links.remove(&connection) else { return };
        if let Participant::Puppet(puppet) = &mut self.nodes[from.0] {
            puppet.closed(connection);
        }
        let input = Input::Closed { connection, reason: reason.to_owned() };
        self.input_after(link.quality.latency, link.peer_of(from), input);
    }

    /// An input reaches a participant later, unless an engine was restarted meanwhile.
    pub(super) fn input_after(&mut self, wait: Duration, node: NodeId, input: Input) {
        let epoch = self.engine(node).map_or(0, |engine| engine.epoch);
        let at: Time = self.now + wait;
        self.events.push(at, Happening::Input { node, epoch, input: Box::new(input) });
    }
}
