//! The request plan, derived at the end of every turn.
//!
//! Nothing outside decides that a peer is to be looked at: each unchoked peer with room in its pipeline is, every turn.
//! What makes that cheap is that a peer which found nothing is skipped until the order or its own pieces have changed.
//! The state of send buffers has no say here.

use super::Torrent;
use super::partial::{Owner, Partial};
use crate::codec::peer::{BlockRequest, Message};
use crate::contract::PieceLevel;
use crate::engine::peers::connection::Connection;
use crate::engine::peers::requests::Outstanding;
use crate::engine::picker::Scan;
use crate::engine::webseeds::source::Webseed;
use crate::limits::{self, BLOCK_BYTES};
use crate::units::{BlockIndex, ConnectionId, PieceIndex, Time};

impl Torrent {
    /// Tells each peer when it begins or ceases to have something we need.
    pub(super) fn follow_interest(&mut self, now: Time) {
        let pieces = &self.pieces;
        let mut changes = Vec::new();
        for peer in self.connections.values_mut() {
            peer.history.expecting.set(now, peer.requests.count() > 0);
            let seen = |interested| {
                // Only what was gained can begin an interest, and only what was lost can end one.
                let version = if interested { pieces.needed_lost() } else { pieces.needed_gained() };
                Some((version, peer.have.count()))
            };
            if peer.interest_seen == seen(peer.am_interested) {
                continue;
            }
            let interested = pieces.needed().intersects(&peer.have, &mut peer.interest_hint);
            peer.interest_seen = seen(interested);
            if interested != peer.am_interested {
                peer.am_interested = interested;
                peer.history.interested.set(now, interested);
                changes.push((peer.id, interested));
            }
        }
        for (id, interested) in changes {
            let message = if interested { Message::Interested } else { Message::NotInterested };
            self.send(now, id, message);
        }
    }

    /// Fills the pipeline of every peer that has room, fastest first; drops requests for what is no longer wanted, and for
    /// less urgent pieces where a peer could give more urgent ones.
    pub(super) fn plan_requests(&mut self, now: Time) {
        if !self.phase.requests() {
            return;
        }
        self.cancel_surplus(now);
        self.check_unknown(now);
        let before = self.pieces.order().version();
        self.plan_peers(now);
        if self.pieces.order().version() != before {
            // What made way for more urgent pieces may be asked of those who had found nothing.
            self.plan_peers(now);
        }
    }

    fn plan_peers(&mut self, now: Time) {
        let (version, raised) = (self.pieces.order().version(), self.pieces.order().raised());
        let ready = self.connections.values().filter(|peer| {
            let something_new = peer.starved_at != Some(version);
            let something_raised = peer.raised_seen != Some((raised, peer.have.count()));
            let has_room = peer.requests.free() > 0 && (something_new || peer.end_game_due(now));
            peer.may_request() && (has_room || something_raised)
        });
        let mut ids: Vec<ConnectionId> = ready.map(|peer| peer.id).collect();
        if ids.len() > 1 {
            ids.sort_by_cached_key(|id| std::cmp::Reverse(self.connections[id].down.rate(now)));
        }
        for id in ids {
            self.make_room_for_urgent(now, id);
            self.plan_peer(now, id);
        }
    }

    /// Hashes pieces that may be there and that a peer could be asked for, a bounded number at a time. Pieces known to be
    /// missing do not wait for them.
    fn check_unknown(&mut self, now: Time) {
        let mut room = self.checks.room();
        let Some(unknown) = self.pieces.unknown() else { return };
        let mut found = Vec::new();
        let peers = self.connections.values().filter(|peer| peer.am_interested && !peer.peer_choking);
        let webseeds = self.webseeds.iter().filter(|webseed| self.webseeds.may_ask(webseed, now));
        for have in peers.map(|peer| &peer.have).chain(webseeds.map(Webseed::have)) {
            let scan = Scan { have, reverse: false };
            let new = scan.candidates(unknown, room).into_iter().filter(|piece| !found.contains(piece));
            let new: Vec<PieceIndex> = new.collect();
            room -= new.len().min(room);
            found.extend(new);
        }
        found.into_iter().for_each(|piece| self.check_on_demand(piece));
    }

    fn plan_peer(&mut self, now: Time, id: ConnectionId) {
        let Some(peer) = self.connections.get(&id) else { return };
        let free = peer.requests.free();
        if free == 0 {
            return;
        }
        let wanted = self.allowance.requestable(free);
        if wanted == 0 {
            self.put_off_end_game(now, id);
            return;
        }
        let mut left = wanted;
        while left > 0 {
            let before = left;
            for piece in self.candidates(id, left) {
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

    /// Takes requests for less urgent pieces back where the peer could give more urgent ones and its pipeline is full of
    /// the others, and where it would answer the others first: otherwise a raised file would wait for everything asked
    /// before. The oldest few stay, for their blocks may be under way.
    fn make_room_for_urgent(&mut self, now: Time, id: ConnectionId) {
        let raised = self.pieces.order().raised();
        let Some(peer) = self.connections.get_mut(&id) else { return };
        let seen = Some((raised, peer.have.count()));
        if peer.peer_choking || std::mem::replace(&mut peer.raised_seen, seen) == seen {
            return;
        }
        let (in_the_way, mut rest) = self.queued_before_urgent(id);
        let surplus = self.less_urgent_than_free(id, in_the_way.len(), &rest);
        rest.truncate(surplus);
        in_the_way.into_iter().chain(rest).for_each(|entry| self.take_back(now, id, entry));
    }

    /// The requests that a peer answers before more urgent ones, and all others, the least urgent and newest first.
    fn queued_before_urgent(&self, id: ConnectionId) -> (Vec<Outstanding>, Vec<Outstanding>) {
        let waiting = self.connections[&id].requests.iter().skip(limits::PIPELINE_MIN as usize);
        let waiting: Vec<Outstanding> = waiting.copied().collect();
        let level = |entry: &Outstanding| self.pieces.level(entry.piece);
        let mut most_urgent_behind = PieceLevel::Off;
        let (mut before, mut rest) = (Vec::new(), Vec::new());
        for entry in waiting.into_iter().rev() {
            if level(&entry) < most_urgent_behind {
                before.push(entry);
            } else {
                most_urgent_behind = level(&entry);
                rest.push(entry);
            }
        }
        // Stable: of equally urgent ones the newest goes first.
        rest.sort_by_key(level);
        (before, rest)
    }

    /// How many of these requests, the least urgent first, make way for free blocks of more urgent pieces that the peer
    /// has, beyond those that have room anyway. `given_up`: requests that make way already.
    fn less_urgent_than_free(&self, id: ConnectionId, given_up: usize, rest: &[Outstanding]) -> usize {
        let peer = &self.connections[&id];
        let mut room = peer.requests.free() as usize + given_up;
        let mut surplus = 0;
        for urgent in self.pieces.order().levels() {
            for piece in self.pieces.order().iter_in_order(urgent, &peer.have) {
                let begun = self.pieces.partial(piece).map(Partial::free);
                let blocks = begun.unwrap_or_else(|| self.info.piece_bytes(piece).div_ceil(BLOCK_BYTES));
                for _ in 0..blocks {
                    let less_urgent = |entry: &Outstanding| self.pieces.level(entry.piece) < urgent;
                    if room > 0 {
                        room -= 1;
                    } else if rest.get(surplus).is_some_and(less_urgent) {
                        surplus += 1;
                    } else {
                        return surplus;
                    }
                }
            }
        }
        surplus
    }

    /// Takes a request back: the block is free again, and the peer is told.
    pub(super) fn take_back(&mut self, now: Time, id: ConnectionId, entry: Outstanding) {
        let Outstanding { piece, block, sent_at: _ } = entry;
        if self.connections.get_mut(&id).is_some_and(|peer| peer.requests.cancel(piece, block)) {
            self.release_block(piece, block);
            self.send_cancel(now, id, piece, block);
        }
    }

    /// Requestable pieces of a peer, best first: enough for `blocks`, perhaps more.
    fn candidates(&self, id: ConnectionId, blocks: u32) -> Vec<PieceIndex> {
        let Some(peer) = self.connections.get(&id) else { return Vec::new() };
        let order = self.pieces.order();
        if peer.peer_choking {
            let may = |piece: &PieceIndex| order.has(*piece) && peer.have.has(*piece);
            return peer.allowed_fast.iter().copied().filter(may).collect();
        }
        let blocks_per_piece = self.info.piece_length.div_ceil(BLOCK_BYTES);
        let pieces = (blocks.div_ceil(blocks_per_piece) as usize + 1).min(limits::SCAN_CANDIDATES_MAX);
        let scan = Scan { have: &peer.have, reverse: peer.requests.is_snubbed() };
        let found = scan.candidates(order, pieces);
        let closed_to_us = |piece: &PieceIndex| {
            let exclusive = self.pieces.partial(*piece).and_then(|partial| partial.exclusive?.peer());
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
            partial.requested() == 0 && partial.exclusive.is_some_and(|owner| owner != Owner::Peer(id))
        });
        if suspect && of_another {
            // Blocks of two peers would leave it open again who lied.
            self.pieces.forget_blocks(piece);
        }
        let blocks = self.pieces.with_partial(piece, |partial| {
            if suspect {
                partial.exclusive = Some(Owner::Peer(id));
            }
            partial.request(most)
        });
        for &block in &blocks {
            self.send_request(now, id, piece, block);
        }
        u32::try_from(blocks.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn send_request(&mut self, now: Time, id: ConnectionId, piece: PieceIndex, block: BlockIndex) {
        let (begin, length) = (block.0 * BLOCK_BYTES, self.block_bytes(piece, block));
        if let Some(peer) = self.connections.get_mut(&id) {
            peer.requests.sent(piece, block, now);
            peer.history.expecting.set(now, true);
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
            have.has(*piece) && partial.requested() > 0 && self.pieces.level(*piece).is_wanted()
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

    /// Requests for pieces that are no longer wanted, or no longer needed, are cancelled and give their room to others.
    fn cancel_surplus(&mut self, now: Time) {
        let surplus: Vec<PieceIndex> = self.pieces.surplus().iter().copied().collect();
        surplus.into_iter().for_each(|piece| self.cancel_requests_for(now, piece));
    }

    /// Takes back all but the oldest requests of each peer.
    pub(super) fn trim_pipelines(&mut self, now: Time) {
        let keep = limits::PIPELINE_MIN as usize;
        let newest = |peer: &Connection| peer.requests.iter().skip(keep).copied().collect::<Vec<_>>();
        let surplus: Vec<_> = self.connections.values().map(|peer| (peer.id, newest(peer))).collect();
        for (id, requests) in surplus {
            requests.into_iter().for_each(|entry| self.take_back(now, id, entry));
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
        self.end_all_fetches(now);
    }
}
