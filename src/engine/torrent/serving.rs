//! Giving: who is unchoked, and their requests from queue to disk to wire.

use bytes::Bytes;

use super::Torrent;
use super::messages::Violation;
use super::pieces::PieceState;
use crate::codec::peer::{BlockRequest, Message};
use crate::contract::EventKind;
use crate::engine::io::{BlockReader, DiskError, DiskErrorKind, Effect};
use crate::engine::peers::choker::{Candidate, Choker};
use crate::engine::peers::connection::Connection;
use crate::engine::peers::upload::Queued;
use crate::limits;
use crate::units::{ConnectionId, PieceIndex, Time};

impl Torrent {
    pub(super) fn interested(&mut self, now: Time, id: ConnectionId) -> Result<(), Violation> {
        let Some(peer) = self.connections.get_mut(&id) else { return Ok(()) };
        peer.peer_interested = true;
        if peer.am_choking {
            let served = self.connections.values().filter(|peer| peer.peer_interested && !peer.am_choking);
            if Choker::has_free_slot(served.count()) {
                self.unchoke(now, id);
            }
        }
        Ok(())
    }

    pub(super) fn choke_round(&mut self, now: Time) {
        if now < self.choker.next_round_at() {
            return;
        }
        let candidates = self.choke_candidates(now);
        let Some(chosen) = self.choker.round(now, &candidates, &mut self.rng) else { return };
        for candidate in candidates {
            let unchoke = chosen.contains(&candidate.connection);
            match (candidate.unchoked, unchoke) {
                (true, false) => self.choke(now, candidate.connection),
                (false, true) => self.unchoke(now, candidate.connection),
                (true, true) | (false, false) => {}
            }
        }
    }

    fn choke_candidates(&self, now: Time) -> Vec<Candidate> {
        let seeding = self.pieces.is_finished();
        let candidate = |peer: &Connection| Candidate {
            connection: peer.id,
            interested: peer.peer_interested,
            unchoked: !peer.am_choking,
            snubbed: peer.requests.is_snubbed(),
            rate: if seeding { peer.up.rate(now) } else { peer.down.rate(now) },
            unchoked_at: peer.unchoked_at,
        };
        self.connections.values().map(candidate).collect()
    }

    fn unchoke(&mut self, now: Time, id: ConnectionId) {
        if let Some(peer) = self.connections.get_mut(&id) {
            peer.am_choking = false;
            peer.unchoked_at = Some(now);
            self.send(now, id, Message::Unchoke);
        }
    }

    /// With the fast extension every request that waits is rejected; without it a choke drops them (BEP 6).
    fn choke(&mut self, now: Time, id: ConnectionId) {
        let Some(peer) = self.connections.get_mut(&id) else { return };
        peer.am_choking = true;
        let (dropped, fast) = (peer.upload.clear(), peer.fast);
        self.send(now, id, Message::Choke);
        if fast {
            dropped.into_iter().for_each(|request| self.send(now, id, Message::Reject(request)));
        }
    }

    pub(super) fn requested(
        &mut self,
        now: Time,
        id: ConnectionId,
        request: BlockRequest,
    ) -> Result<(), Violation> {
        let Some(peer) = self.connections.get_mut(&id) else { return Ok(()) };
        let in_piece = request.piece.0 < self.info.piece_count()
            && request.length > 0
            && request.length <= limits::REQUEST_BYTES_MAX
            && request
                .begin
                .checked_add(request.length)
                .is_some_and(|end| end <= self.info.piece_bytes(request.piece));
        if !in_piece {
            return Err(Violation::new("requests what is no block of the torrent"));
        }
        let serve = !peer.am_choking && self.pieces.have().has(request.piece);
        let perhaps_here = self.pieces.state(request.piece) == PieceState::OnDemand;
        let accepted = serve && peer.upload.push(request) != Queued::Full;
        if !accepted && peer.fast {
            self.send(now, id, Message::Reject(request));
        }
        // It asks again once it is told that we have it.
        if perhaps_here && self.checks.room() > 0 {
            self.check_on_demand(request.piece);
        }
        Ok(())
    }

    pub(super) fn cancelled(
        &mut self,
        now: Time,
        id: ConnectionId,
        request: BlockRequest,
    ) -> Result<(), Violation> {
        let Some(peer) = self.connections.get_mut(&id) else { return Ok(()) };
        if peer.upload.cancel(request) && peer.fast {
            self.send(now, id, Message::Reject(request));
        }
        Ok(())
    }

    /// Starts reads for peers whose socket takes what it is given.
    pub(super) fn serve(&mut self, now: Time) {
        let mut reads = Vec::new();
        let mut to_hash = Vec::new();
        let mut ready: Vec<_> = self.connections.values_mut().filter(|peer| peer.upload.may_read()).collect();
        // Under a rate limit whoever was served longest ago goes first.
        ready.sort_by_key(|peer| peer.served_at);
        for peer in ready {
            let unproved = |piece: PieceIndex| self.pieces.state(piece) == PieceState::Assumed;
            if let Some(piece) = peer.upload.next_piece().filter(|piece| unproved(*piece)) {
                to_hash.push(piece);
                continue;
            }
            let budget_bytes = self.allowance.sendable();
            if budget_bytes == 0 {
                break;
            }
            peer.served_at = now;
            if let Some(range) = peer.upload.next_read(budget_bytes) {
                self.allowance.spend_up(u64::from(range.length));
                reads.push(Effect::ReadBlocks { reader: BlockReader::Peer(peer.id), range });
            }
        }
        self.effects.extend(reads);
        to_hash.into_iter().for_each(|piece| self.check_before_serving(piece));
    }

    /// Requests that wait for a piece that turned out not to be here are refused.
    pub(super) fn refuse_requests_for(&mut self, now: Time, piece: PieceIndex) {
        let mut refused = Vec::new();
        for peer in self.connections.values_mut() {
            let dropped = peer.upload.drop_piece(piece);
            if peer.fast {
                refused.extend(dropped.into_iter().map(|request| (peer.id, request)));
            }
        }
        refused.into_iter().for_each(|(id, request)| self.send(now, id, Message::Reject(request)));
    }

    pub(super) fn blocks_read(
        &mut self,
        now: Time,
        id: ConnectionId,
        range: BlockRequest,
        result: Result<Bytes, DiskError>,
    ) {
        let Some(peer) = self.connections.get_mut(&id) else { return };
        let requests = peer.upload.read_done();
        match result {
            Ok(bytes) => {
                for request in requests {
                    let from = (request.begin - range.begin) as usize;
                    let to = from + request.length as usize;
                    if to > bytes.len() {
                        break;
                    }
                    let data = bytes.slice(from..to);
                    self.send_block(now, id, request, data);
                }
            }
            Err(error) => self.read_failed(now, id, &requests, error),
        }
    }

    fn send_block(&mut self, now: Time, id: ConnectionId, request: BlockRequest, data: Bytes) {
        let Some(peer) = self.connections.get_mut(&id) else { return };
        let bytes = u64::from(request.length);
        peer.upload.handed_over(bytes);
        peer.history.blocks_out += 1;
        peer.last_sent_at = now;
        let BlockRequest { piece, begin, .. } = request;
        self.effects.push_back(Effect::SendBlock { connection: id, piece, begin, data });
    }

    /// A piece that cannot be read is not ours to offer: it is hashed again and, if gone, fetched again.
    fn read_failed(&mut self, now: Time, id: ConnectionId, requests: &[BlockRequest], error: DiskError) {
        let fast = self.connections.get(&id).is_some_and(|peer| peer.fast);
        for &request in requests {
            if fast {
                self.send(now, id, Message::Reject(request));
            }
            if self.pieces.have().has(request.piece) {
                self.check_on_demand(request.piece);
                self.storing.mark_dirty(now);
            }
        }
        match error.kind {
            DiskErrorKind::Missing => {
                self.notify(EventKind::DiskFailed { message: error.message });
            }
            DiskErrorKind::Full | DiskErrorKind::Denied | DiskErrorKind::Other => {
                self.disk_trouble(now, error);
            }
        }
    }

    pub(super) fn sent(&mut self, now: Time, id: ConnectionId, payload_bytes: u64) {
        self.up.add(now, payload_bytes);
        self.totals.uploaded_bytes += payload_bytes;
        self.totals.session_uploaded_bytes += payload_bytes;
        if let Some(peer) = self.connections.get_mut(&id) {
            peer.upload.drained(payload_bytes);
            peer.up.add(now, payload_bytes);
            peer.uploaded_bytes += payload_bytes;
        }
    }
}
