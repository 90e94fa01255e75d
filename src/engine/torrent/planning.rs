//! The request plan, derived at the end of every turn.
//!
//! Nothing outside decides that a peer is to be looked at: each unchoked peer with room in its pipeline is, every turn.
//! What makes that cheap is that a peer which found nothing is skipped until the order or its own pieces have changed.
//! The state of send buffers has no say here.

use super::Torrent;
use super::pieces::PieceState;
use crate::codec::peer::{BlockRequest, Message};
use crate::contract::Priority;
use crate::engine::peers::connection::Connection;
use crate::engine::picker::Scan;
use crate::limits::{self, BLOCK_BYTES};
use crate::units::{BlockIndex, ConnectionId, PieceIndex, Time};

impl Torrent {
    /// Tells each peer when it begins or ceases to have something we need.
    pub(super) fn follow_interest(&mut self, now: Time) {
        let needed = self.pieces.needed();
        let version = self.pieces.needed_version();
        let mut changes = Vec::new();
        for peer in self.connections.values_mut() {
            let seen = Some((version, peer.have.count()));
            if peer.interest_seen == seen {
                continue;
            }
            peer.interest_seen = seen;
            let interested = needed.intersects(&peer.have, &mut peer.interest_hint);
            if interested != peer.am_interested {
                peer.am_interested = interested;
                changes.push((peer.id, interested));
            }
        }
        for (id, interested) in changes {
            let message = if interested { Message::Interested } else { Message::NotInterested };
            self.send(now, id, message);
        }
    }

    /// Fills the pipeline of every peer that has room, fastest first; drops requests for what is no longer wanted.
    pub(super) fn plan_requests(&mut self, now: Time) {
        if !self.phase.requests() {
            return;
        }
        self.cancel_unwanted(now);
        let version = self.pieces.order().version();
        let ready = self.connections.values().filter(|peer| {
            let something_new = peer.starved_at != Some(version);
            peer.may_request() && peer.requests.free() > 0 && (something_new || peer.end_game_due(now))
        });
        let mut ids: Vec<ConnectionId> = ready.map(|peer| peer.id).collect();
        if ids.len() > 1 {
            ids.sort_by_cached_key(|id| std::cmp::Reverse(self.connections[id].down.rate(now)));
        }
        for id in ids {
            self.plan_peer(now, id);
        }
    }

    fn plan_peer(&mut self, now: Time, id: ConnectionId) {
        let Some(peer) = self.connections.get(&id) else { return };
        let wanted = self.allowance.requestable(peer.requests.free());
        if wanted == 0 {
            self.put_off_end_game(now, id);
            return;
        }
        let mut left = wanted;
        while left > 0 {
            let candidates = self.candidates(id, left);
            if candidates.is_empty() {
                break;
            }
            let before = left;
            for piece in candidates {
                if self.pieces.state(piece) == PieceState::OnDemand {
                    self.check_on_demand(piece);
                    continue;
                }
                left -= self.request_blocks(now, id, piece, left);
                if left == 0 {
                    break;
                }
            }
            if left == before {
                break;
            }
        }
        if left > 0 {
            self.plan_end_game(now, id);
            let version = self.pieces.order().version();
            if let Some(peer) = self.connections.get_mut(&id) {
                peer.starved_at = Some(version);
            }
        }
    }

    /// Requestable pieces of a peer, best first: enough for `blocks`, perhaps more.
    fn candidates(&self, id: ConnectionId, blocks: u32) -> Vec<PieceIndex> {
        let Some(peer) = self.connections.get(&id) else { return Vec::new() };
        let order = self.pieces.order();
        if peer.peer_choking {
            let may = |piece: &PieceIndex| order.members().has(*piece) && peer.have.has(*piece);
            return peer.allowed_fast.iter().copied().filter(may).collect();
        }
        let blocks_per_piece = self.info.piece_length.div_ceil(BLOCK_BYTES);
        let pieces = (blocks.div_ceil(blocks_per_piece) as usize + 1).min(limits::SCAN_CANDIDATES_MAX);
        let scan = Scan { have: &peer.have, reverse: peer.requests.is_snubbed() };
        let found = scan.candidates(order, pieces);
        let closed_to_us = |piece: &PieceIndex| {
            let exclusive = self.pieces.partial(*piece).and_then(|partial| partial.exclusive);
            let owner = exclusive.filter(|owner| *owner != id).and_then(|owner| self.connections.get(&owner));
            owner.is_some_and(|owner| owner.may_request() && !owner.requests.is_snubbed())
        };
        if found.iter().any(closed_to_us) {
            // Rare: a suspect piece reserved for another peer is in the way. Look further.
            let further = scan.candidates(order, pieces + limits::SUSPECT_PIECES_MAX);
            return further.into_iter().filter(|piece| !closed_to_us(piece)).take(pieces).collect();
        }
        found
    }

    /// Asks a peer for up to `most` free blocks of a piece; gives how many.
    fn request_blocks(&mut self, now: Time, id: ConnectionId, piece: PieceIndex, most: u32) -> u32 {
        let suspect = self.bans.is_suspect(piece);
        let of_another = self.pieces.partial(piece).is_some_and(|partial| {
            partial.requested() == 0 && partial.exclusive.is_some_and(|owner| owner != id)
        });
        if suspect && of_another {
            // Blocks of two peers would leave it open again who lied.
            self.pieces.forget_blocks(piece);
        }
        let blocks = self.pieces.with_partial(piece, |partial| {
            if suspect {
                partial.exclusive = Some(id);
            }
            partial.request(most)
        });
        for &block in &blocks {
            self.send_request(now, id, piece, block);
        }
        u32::try_from(blocks.len()).unwrap_or(u32::MAX)
    }

    fn send_request(&mut self, now: Time, id: ConnectionId, piece: PieceIndex, block: BlockIndex) {
        let begin = block.0 * BLOCK_BYTES;
        let length = BLOCK_BYTES.min(self.info.piece_bytes(piece) - begin);
        if let Some(peer) = self.connections.get_mut(&id) {
            peer.requests.sent(piece, block, now);
        }
        self.allowance.spend_down(u64::from(length));
        self.send(now, id, Message::Request(BlockRequest { piece, begin, length }));
    }

    /// End-game: a peer with nothing on the wire and nothing free to ask for is asked for a block that others hold, one
    /// at a time, so that two clients do not fight over the last piece.
    fn plan_end_game(&mut self, now: Time, id: ConnectionId) {
        if !self.connections.get(&id).is_some_and(|peer| peer.end_game_due(now)) {
            return;
        }
        let Some((piece, block)) = self.busy_block(id) else {
            self.put_off_end_game(now, id);
            return;
        };
        self.pieces.with_partial(piece, |partial| partial.request_again(block));
        self.send_request(now, id, piece, block);
    }

    fn put_off_end_game(&mut self, now: Time, id: ConnectionId) {
        if let Some(peer) = self.connections.get_mut(&id) {
            peer.end_game_at = now + limits::END_GAME_RETRY;
        }
    }

    /// A block that others hold and this peer has, with the fewest holders.
    fn busy_block(&self, id: ConnectionId) -> Option<(PieceIndex, BlockIndex)> {
        let have = &self.connections.get(&id)?.have;
        let mut busy = self.pieces.partials().filter(|(piece, partial)| {
            have.has(*piece) && partial.requested() > 0 && self.pieces.priority(*piece) != Priority::Off
        });
        busy.find_map(|(piece, partial)| {
            partial.busy(limits::END_GAME_HOLDERS_MAX).first().map(|&block| (piece, block))
        })
    }

    /// When some idle peer may be given an end-game request.
    pub(super) fn end_game_at(&self) -> Option<Time> {
        if !self.phase.requests() || self.pieces.partials().len() == 0 {
            return None;
        }
        let idle = self.connections.values().filter(|peer| peer.may_request() && peer.is_idle_and_unchoked());
        idle.map(|peer| peer.end_game_at).min()
    }

    /// Requests for pieces that are no longer wanted are cancelled and give their room to others.
    fn cancel_unwanted(&mut self, now: Time) {
        let unwanted: Vec<PieceIndex> = self
            .pieces
            .partials()
            .filter(|(piece, partial)| {
                partial.requested() > 0 && self.pieces.priority(*piece) == Priority::Off
            })
            .map(|(piece, _)| piece)
            .collect();
        unwanted.into_iter().for_each(|piece| self.cancel_requests_for(now, piece));
    }

    /// Takes back all but the oldest requests of each peer.
    pub(super) fn trim_pipelines(&mut self, now: Time) {
        let keep = limits::PIPELINE_MIN as usize;
        let newest = |peer: &Connection| {
            peer.requests.iter().skip(keep).map(|request| (request.piece, request.block)).collect::<Vec<_>>()
        };
        let surplus: Vec<_> = self.connections.values().map(|peer| (peer.id, newest(peer))).collect();
        for (id, requests) in surplus {
            for (piece, block) in requests {
                if let Some(peer) = self.connections.get_mut(&id) {
                    peer.requests.cancel(piece, block);
                }
                if self.pieces.partial(piece).is_some() {
                    self.pieces.with_partial(piece, |partial| partial.release(block));
                }
                self.send_cancel(now, id, piece, block);
            }
        }
    }

    /// Nothing may be requested any more: what is on the wire is cancelled.
    pub(super) fn release_all_requests(&mut self, now: Time) {
        let busy: Vec<PieceIndex> = self
            .pieces
            .partials()
            .filter(|(_, partial)| partial.requested() > 0)
            .map(|(piece, _)| piece)
            .collect();
        busy.into_iter().for_each(|piece| self.cancel_requests_for(now, piece));
    }
}
