//! Connections coming and going: whom to call, whom to keep, and what goes back when one ends.

use std::net::SocketAddr;

use bytes::Bytes;

use super::Torrent;
use super::pieces::Presence;
use crate::codec::extension::{self, Extension, ExtensionHandshake};
use crate::codec::peer::Message;
use crate::contract::{Direction, EventKind, PeerSource, Untrusted};
use crate::engine::io::{Effect, NewConnection};
use crate::engine::peers::ban::Sender;
use crate::engine::peers::connection::{Connection, CountedAs};
use crate::engine::peers::known::{Seeds, Usefulness};
use crate::engine::peers::requests::Outstanding;
use crate::limits::{self, BLOCK_BYTES};
use crate::units::{BlockIndex, ConnectionId, PieceIndex, Time};

impl Torrent {
    /// Calls as many addresses as pace and bounds allow.
    pub(super) fn call_peers(&mut self, now: Time) {
        let room = self.room_for_calls();
        let seeds = if self.pieces.is_complete() { Seeds::Skip } else { Seeds::Call };
        for _ in 0..room {
            let bans = &self.bans;
            let Some(address) = self.known.next_call(now, seeds, |address| !bans.is_banned(address)) else {
                break;
            };
            self.effects.push_back(Effect::Connect { address });
        }
    }

    /// A peer that a person named is worth a line in the log; of a tracker's many dead addresses none is.
    pub(super) fn call_failed(&mut self, now: Time, address: SocketAddr, reason: &str) {
        if self.known.source(address) == PeerSource::Manual {
            self.notify_gone(address, &format!("not reached: {reason}"));
        }
        self.known.failed(now, address);
    }

    pub(super) fn connected(&mut self, now: Time, new: &NewConnection) {
        if let Err(reason) = self.welcome(now, new) {
            if new.direction == Direction::Outgoing {
                self.known.failed(now, new.address);
            }
            self.effects.push_back(Effect::Disconnect { connection: new.connection });
            self.notify_gone(new.address, reason);
            return;
        }
        let source = match new.direction {
            Direction::Incoming => PeerSource::Incoming,
            Direction::Outgoing => self.known.source(new.address),
        };
        self.known.connected(new.address);
        let connection = Connection::new(now, new, source, self.info.piece_count());
        self.notify(EventKind::PeerConnected { address: new.address, client: connection.client.clone() });
        let (id, fast, extended) = (connection.id, connection.fast, connection.extended);
        self.connections.insert(id, connection);
        self.send_pieces(now, id, fast);
        if extended {
            self.send(
                now,
                id,
                Message::Extended { id: extension::HANDSHAKE_ID, payload: self.our_handshake() },
            );
        }
    }

    /// Whether a connection is kept, or why not.
    fn welcome(&mut self, now: Time, new: &NewConnection) -> Result<(), &'static str> {
        if new.peer_id == self.peer_id {
            self.known.is_ourselves(new.address);
            Err("it is ourselves")
        } else if !self.phase.transfers() {
            Err("the torrent is paused")
        } else if self.bans.is_banned(new.address) {
            Err("banned")
        } else {
            self.settle_duplicate(now, new)?;
            self.make_room(now)
        }
    }

    /// Where the torrent is full, a connection that nobody gains by makes way for the newcomer, so that callers who say
    /// nothing cannot keep the door shut.
    fn make_room(&mut self, now: Time) -> Result<(), &'static str> {
        if self.connections.len() < self.slots.most() {
            return Ok(());
        }
        let of_no_use = |peer: &&Connection| {
            let silent = !peer.am_interested && !peer.peer_interested;
            let moved_nothing = peer.downloaded_bytes == 0 && peer.uploaded_bytes == 0;
            silent && moved_nothing && now.since(peer.connected_at) >= limits::NEWCOMER_GRACE
        };
        let oldest = self.connections.values().filter(of_no_use).min_by_key(|peer| peer.connected_at);
        let id = oldest.map(|peer| peer.id).ok_or("too many connections")?;
        self.disconnect(now, id, "of no use, and others wait");
        Ok(())
    }

    /// Two peers that call each other at once keep the connection that the one with the greater peer id opened. Both
    /// ends decide alike, so neither closes what the other keeps.
    fn settle_duplicate(&mut self, now: Time, new: &NewConnection) -> Result<(), &'static str> {
        let Some(old) = self.connections.values().find(|other| other.peer_id == new.peer_id) else {
            return Ok(());
        };
        let opened_by_greater = |direction: Direction| match direction {
            Direction::Outgoing => self.peer_id > new.peer_id,
            Direction::Incoming => self.peer_id < new.peer_id,
        };
        let crossed = old.direction != new.direction && now.since(old.connected_at) < limits::CROSSED_CALLS;
        if crossed && opened_by_greater(new.direction) {
            let id = old.id;
            self.disconnect(now, id, "both called each other; the other connection is kept");
            Ok(())
        } else {
            Err("connected already")
        }
    }

    /// The first message: what we have (BEP 3, BEP 6).
    fn send_pieces(&mut self, now: Time, id: ConnectionId, fast: bool) {
        let have = self.pieces.have();
        let message = match (fast, have.count()) {
            (true, 0) => Some(Message::HaveNone),
            (true, _) if have.is_full() => Some(Message::HaveAll),
            (false, 0) => None,
            (true | false, _) => Some(Message::Bitfield(Bytes::from(have.to_wire()))),
        };
        if let Some(message) = message {
            self.send(now, id, message);
        }
    }

    fn our_handshake(&self) -> Bytes {
        let spoken = [Extension::UtMetadata, Extension::LtDonthave];
        ExtensionHandshake {
            ids: spoken.into_iter().map(|extension| (extension, extension.our_id())).collect(),
            client: Some(Untrusted::new(concat!("unchoke ", env!("CARGO_PKG_VERSION")))),
            listen_port: Some(self.listen_port).filter(|port| *port != 0),
            requests_max: u32::try_from(limits::UPLOAD_QUEUE_MAX).ok(),
            your_address: None,
            metadata_bytes: u32::try_from(self.info.raw().len()).ok().filter(|bytes| *bytes > 0),
            upload_only: Some(self.pieces.is_finished()),
        }
        .encode()
    }

    pub(super) fn closed(&mut self, now: Time, id: ConnectionId, reason: &str) {
        if let Some(connection) = self.remove_connection(now, id) {
            self.notify_gone(connection.address, reason);
        }
    }

    /// Sends a peer away.
    pub(super) fn disconnect(&mut self, now: Time, id: ConnectionId, reason: &str) {
        if let Some(connection) = self.remove_connection(now, id) {
            self.effects.push_back(Effect::Disconnect { connection: id });
            self.notify_gone(connection.address, reason);
        }
    }

    pub(super) fn close_all(&mut self, now: Time, reason: &str) {
        // Their pieces go back all at once: peer by peer it took seconds in a large torrent.
        self.pieces.forget_sources();
        self.connections.values_mut().for_each(|peer| peer.counted_as = CountedAs::Nothing);
        let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
        all.into_iter().for_each(|id| self.disconnect(now, id, reason));
        self.known.end_all_calls(now);
    }

    /// Takes a connection out: its requests and its pieces go back.
    fn remove_connection(&mut self, now: Time, id: ConnectionId) -> Option<Connection> {
        let mut connection = self.connections.remove(&id)?;
        self.release(&connection.requests.drop_all());
        // What was reserved for it may be asked of others.
        self.pieces.note_new_opportunity();
        match connection.counted_as {
            CountedAs::Nothing => {}
            CountedAs::Seed => self.pieces.count_seed(Presence::Went),
            CountedAs::Pieces => {
                let had: Vec<PieceIndex> = connection.have.iter().collect();
                had.into_iter().for_each(|piece| self.pieces.count_source(piece, Presence::Went));
            }
        }
        if connection.have.is_full() {
            self.known.is_seed(connection.address);
        }
        let useful = connection.downloaded_bytes + connection.uploaded_bytes > 0;
        let usefulness = if useful { Usefulness::Useful } else { Usefulness::Useless };
        self.known.disconnected(now, connection.address, usefulness);
        Some(connection)
    }

    /// Requests are no longer on the wire: their blocks are free again.
    pub(super) fn release(&mut self, requests: &[Outstanding]) {
        requests.iter().for_each(|request| self.release_block(request.piece, request.block));
    }

    /// One peer is no longer asked for a block: its bytes may be asked for elsewhere under a rate limit.
    pub(super) fn release_block(&mut self, piece: PieceIndex, block: BlockIndex) {
        self.allowance.refund_down(u64::from(self.block_bytes(piece, block)));
        if self.pieces.partial(piece).is_some() {
            self.pieces.with_partial(piece, |partial| partial.release(block));
        }
    }

    /// Bytes of a block: less than usual at the end of a piece.
    pub(super) fn block_bytes(&self, piece: PieceIndex, block: BlockIndex) -> u32 {
        BLOCK_BYTES.min(self.info.piece_bytes(piece).saturating_sub(block.0 * BLOCK_BYTES))
    }

    /// Peers that lied are banned and sent away; a webseed is not asked for that file any more.
    pub(super) fn blame(&mut self, now: Time, piece: PieceIndex, liars: &[Sender], reason: &str) {
        for &liar in liars {
            let address = match liar {
                Sender::Peer(address) => address,
                Sender::Webseed(key) => {
                    self.webseed_lied(now, key, piece);
                    continue;
                }
            };
            self.notify(EventKind::PeerBanned { address, reason: reason.to_owned() });
            let here: Vec<ConnectionId> = self
                .connections
                .values()
                .filter(|peer| self.bans.is_banned(peer.address))
                .map(|peer| peer.id)
                .collect();
            here.into_iter().for_each(|id| self.disconnect(now, id, "banned"));
        }
    }

    /// Queues a message for a peer.
    pub(super) fn send(&mut self, now: Time, id: ConnectionId, message: Message) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.last_sent_at = now;
            self.effects.push_back(Effect::Send { connection: id, message });
        }
    }

    /// Tells everybody of a piece, those too that have it: else neither of two that end up complete would see that the
    /// other is, and a seed would not see how far we are.
    pub(super) fn tell_have(&mut self, now: Time, piece: PieceIndex) {
        let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
        all.into_iter().for_each(|id| self.send(now, id, Message::Have(piece)));
    }

    /// We have no piece that peers were told of: those that speak BEP 54 are told.
    pub(super) fn withdraw(&mut self, now: Time, piece: PieceIndex) {
        let told = self.connections.values().filter(|peer| !peer.have.has(piece));
        let numbers = told.filter_map(|peer| Some((peer.id, peer.extension_id(Extension::LtDonthave)?)));
        let numbers: Vec<(ConnectionId, u8)> = numbers.collect();
        for (id, number) in numbers {
            let payload = extension::encode_donthave(piece);
            self.send(now, id, Message::Extended { id: number, payload });
        }
    }

    /// Silence, overdue requests, keep-alives, peers that neither side needs.
    pub(super) fn housekeeping(&mut self, now: Time) {
        if now < self.next_housekeeping_at {
            return;
        }
        self.next_housekeeping_at = now + limits::HOUSEKEEPING;
        self.hurry_for_readers(now);
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in ids {
            let Some(peer) = self.connections.get_mut(&id) else { continue };
            peer.requests.resize(now, &peer.down);
            let silent = now.since(peer.last_received_at);
            let quiet = now.since(peer.last_sent_at);
            let overdue = peer.requests.overdue_at().is_some_and(|at| at <= now);
            if silent >= limits::PEER_SILENCE_MAX {
                self.disconnect(now, id, "silent for too long");
            } else if self.pieces.is_complete() && peer.have.is_full() {
                self.disconnect(now, id, "both are complete");
            } else if overdue {
                self.snub(now, id);
            } else if quiet >= limits::KEEP_ALIVE {
                self.send(now, id, Message::KeepAlive);
            }
        }
    }

    /// A peer let its requests time out: they go to others.
    fn snub(&mut self, now: Time, id: ConnectionId) {
        let Some(peer) = self.connections.get_mut(&id) else { return };
        let overdue = peer.requests.time_out();
        let address = peer.address;
        self.release(&overdue);
        // Else it might send them all later, beside what it is asked for then.
        overdue.iter().for_each(|entry| self.send_cancel(now, id, entry.piece, entry.block));
        self.pieces.note_new_opportunity();
        let requests = u32::try_from(overdue.len()).unwrap_or(u32::MAX);
        self.notify(EventKind::PeerSnubbed { address, requests });
    }

    fn notify_gone(&mut self, address: SocketAddr, reason: &str) {
        self.notify(EventKind::PeerGone { address, reason: Untrusted::new(reason) });
    }
}
