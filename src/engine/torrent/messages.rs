//! What peers say, message by message. A peer that breaks the protocol is sent away with the rule it broke.

use std::fmt;

use bytes::Bytes;

use super::Torrent;
use super::partial::{Arrival, Holder};
use super::pieces::{PieceState, Presence};
use crate::codec::extension::{self, Extension, ExtensionHandshake, MetadataMessage};
use crate::codec::peer::{BlockRequest, Message};
use crate::engine::bits::Bits;
use crate::engine::peers::ban::Sender;
use crate::engine::peers::connection::{Connection, CountedAs};
use crate::engine::peers::requests::Asked;
use crate::limits::{self, BLOCK_BYTES};
use crate::units::{BlockIndex, ConnectionId, PieceIndex, Time};

/// A rule of the protocol that a peer broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation(String);

impl Violation {
    pub(super) fn new(rule: impl fmt::Display) -> Self {
        Self(rule.to_string())
    }
}

type Kept = Result<(), Violation>;

/// What became of a block that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It is kept.
    Taken,
    /// It was of no use.
    Wasted,
}

impl Torrent {
    pub(super) fn messages(&mut self, now: Time, id: ConnectionId, messages: Vec<Message>) {
        for message in messages {
            // Sent away by an earlier message of the batch.
            let Some(peer) = self.connections.get_mut(&id) else { return };
            peer.last_received_at = now;
            if let Err(Violation(rule)) = self.message(now, id, message) {
                self.disconnect(now, id, &rule);
            }
        }
    }

    fn message(&mut self, now: Time, id: ConnectionId, message: Message) -> Kept {
        match message {
            Message::KeepAlive | Message::Port(_) | Message::Suggest(_) | Message::Unknown { .. } => Ok(()),
            Message::Choke => self.choked(id),
            Message::Unchoke => self.with_peer(id, |peer| {
                peer.peer_choking = false;
                peer.starved_at = None;
            }),
            Message::Interested => self.interested(now, id),
            Message::NotInterested => self.with_peer(id, |peer| peer.peer_interested = false),
            Message::Have(piece) => self.has(id, piece),
            Message::Bitfield(bytes) => self.bitfield(id, &bytes),
            Message::HaveAll => self.all_pieces(id, &Bits::full(self.info.piece_count())),
            Message::HaveNone => self.all_pieces(id, &Bits::empty(self.info.piece_count())),
            Message::Request(request) => self.requested(now, id, request),
            Message::Cancel(request) => self.cancelled(now, id, request),
            Message::Piece { piece, begin, data } => self.block(now, id, piece, begin, data),
            Message::Reject(request) => self.rejected(id, request),
            Message::AllowedFast(piece) => self.allowed_fast(id, piece),
            Message::Extended { id: extension, payload } => self.extended(now, id, extension, &payload),
        }
    }

    fn with_peer(&mut self, id: ConnectionId, act: impl FnOnce(&mut Connection)) -> Kept {
        self.connections.get_mut(&id).map(act);
        Ok(())
    }

    /// Without the fast extension a choke drops all requests; with it each is still answered (BEP 6).
    fn choked(&mut self, id: ConnectionId) -> Kept {
        let Some(peer) = self.connections.get_mut(&id) else { return Ok(()) };
        peer.peer_choking = true;
        if !peer.fast {
            let dropped = peer.requests.drop_all();
            self.release(&dropped);
        }
        // What was reserved for it may be asked of others.
        self.pieces.note_new_opportunity();
        Ok(())
    }

    fn in_range(&self, piece: PieceIndex) -> Kept {
        if piece.0 < self.info.piece_count() {
            Ok(())
        } else {
            Err(Violation::new(format_args!("piece {} of {}", piece.0, self.info.piece_count())))
        }
    }

    fn has(&mut self, id: ConnectionId, piece: PieceIndex) -> Kept {
        self.in_range(piece)?;
        let Some(peer) = self.connections.get_mut(&id) else { return Ok(()) };
        peer.told_pieces = true;
        if peer.counted_as == CountedAs::Nothing {
            peer.counted_as = CountedAs::Pieces;
        }
        if peer.have.set(piece, true) {
            peer.starved_at = None;
            self.pieces.count_source(piece, Presence::Came);
        }
        Ok(())
    }

    fn bitfield(&mut self, id: ConnectionId, bytes: &Bytes) -> Kept {
        let bits = Bits::from_wire(bytes, self.info.piece_count()).map_err(Violation::new)?;
        self.all_pieces(id, &bits)
    }

    /// A message that tells all pieces at once, meant to come first.
    fn all_pieces(&mut self, id: ConnectionId, bits: &Bits) -> Kept {
        let Some(peer) = self.connections.get_mut(&id) else { return Ok(()) };
        if peer.told_pieces {
            return self.pieces_again(id, bits);
        }
        peer.told_pieces = true;
        peer.starved_at = None;
        peer.have = bits.clone();
        if bits.is_full() {
            peer.counted_as = CountedAs::Seed;
            self.pieces.count_seed(Presence::Came);
        } else {
            peer.counted_as = CountedAs::Pieces;
            bits.iter().for_each(|piece| self.pieces.count_source(piece, Presence::Came));
        }
        Ok(())
    }

    /// BEP 3 has it come first only, but aria2 sends one in place of twenty or more `have`s. It is taken as those: a
    /// piece that is not in it is not taken back, for which BEP 54 has a message.
    fn pieces_again(&mut self, id: ConnectionId, bits: &Bits) -> Kept {
        let Some(peer) = self.connections.get_mut(&id) else { return Ok(()) };
        let new: Vec<PieceIndex> = bits.iter_beyond(&peer.have).collect();
        if new.is_empty() {
            peer.stale_bitfields += 1;
            let tolerated = peer.stale_bitfields <= limits::STALE_BITFIELDS_MAX;
            return if tolerated {
                Ok(())
            } else {
                Err(Violation::new("tells the same pieces again and again"))
            };
        }
        new.into_iter().try_for_each(|piece| self.has(id, piece))
    }

    fn block(&mut self, now: Time, id: ConnectionId, piece: PieceIndex, begin: u32, data: Bytes) -> Kept {
        self.in_range(piece)?;
        let Some(peer) = self.connections.get_mut(&id) else { return Ok(()) };
        let bytes = data.len() as u64;
        let index = BlockIndex(begin / BLOCK_BYTES);
        let piece_bytes = self.info.piece_bytes(piece);
        let due = BLOCK_BYTES.min(piece_bytes.saturating_sub(begin));
        let whole_block = begin.is_multiple_of(BLOCK_BYTES) && data.len() == due as usize && due > 0;
        let asked = if whole_block { peer.requests.arrived(piece, index, now) } else { Asked::Never };
        peer.down.add(now, bytes);
        peer.downloaded_bytes += bytes;
        peer.history.blocks_in += 1;
        peer.rejects = 0;
        let address = peer.address;
        if asked == Asked::Never {
            peer.unasked_blocks += 1;
            self.totals.wasted_bytes += bytes;
            let tolerated = peer.unasked_blocks <= limits::UNASKED_BLOCKS_MAX;
            return if tolerated {
                Ok(())
            } else {
                Err(Violation::new("sends blocks that nobody asked for"))
            };
        }
        if asked == Asked::Forgotten {
            // Its bytes went back to the allowance when it was given up.
            self.allowance.spend_down(bytes);
        }
        self.down.add(now, bytes);
        self.totals.downloaded_bytes += bytes;
        self.totals.session_downloaded_bytes += bytes;
        if asked == Asked::Twice {
            // Else the peer may send it once more.
            self.send_cancel(now, id, piece, index);
        }
        let counted = matches!(asked, Asked::Yes | Asked::Twice);
        let holder = if counted { Holder::Counted } else { Holder::NotCounted };
        let used = self.take_block(now, (piece, index), data, Sender::Peer(address), holder);
        match used {
            Use::Wasted => self.totals.wasted_bytes += bytes,
            Use::Taken => {
                return self.with_peer(id, |peer| peer.history.useful(now));
            }
        }
        Ok(())
    }

    /// Takes a block in, whoever sent it; the others that were asked for it need not send it.
    pub(super) fn take_block(
        &mut self,
        now: Time,
        (piece, index): (PieceIndex, BlockIndex),
        data: Bytes,
        from: Sender,
        holder: Holder,
    ) -> Use {
        if self.pieces.state(piece) != PieceState::Missing {
            return Use::Wasted;
        }
        match self.pieces.with_partial(piece, |partial| partial.arrived(index, data, from, holder)) {
            Arrival::Duplicate => Use::Wasted,
            Arrival::Taken { other_holders: 0 } => Use::Taken,
            Arrival::Taken { other_holders: _ } => {
                self.cancel_elsewhere(now, piece, index);
                Use::Taken
            }
        }
    }

    fn rejected(&mut self, id: ConnectionId, request: BlockRequest) -> Kept {
        self.in_range(request.piece)?;
        let Some(peer) = self.connections.get_mut(&id) else { return Ok(()) };
        if !peer.fast {
            return Err(Violation::new("rejects without the fast extension"));
        }
        let block = BlockIndex(request.begin / BLOCK_BYTES);
        peer.allowed_fast.retain(|allowed| *allowed != request.piece);
        let asked = peer.requests.rejected(request.piece, block);
        // The answer to a cancel of ours is no refusal.
        peer.rejects += u32::from(asked != Asked::Forgotten);
        let (rejects, choking) = (peer.rejects, peer.peer_choking);
        if asked == Asked::Yes {
            self.release_block(request.piece, block);
        }
        if rejects > limits::REJECTS_MAX && !choking {
            return Err(Violation::new("rejects everything"));
        }
        Ok(())
    }

    fn allowed_fast(&mut self, id: ConnectionId, piece: PieceIndex) -> Kept {
        // A peer may send these before it knows that we need not have that piece; only out-of-range ones are wrong.
        self.in_range(piece)?;
        self.with_peer(id, |peer| {
            if peer.allowed_fast.len() < limits::ALLOWED_FAST_MAX && !peer.allowed_fast.contains(&piece) {
                peer.allowed_fast.push(piece);
                peer.starved_at = None;
            }
        })
    }

    fn extended(&mut self, now: Time, id: ConnectionId, number: u8, payload: &Bytes) -> Kept {
        if number == extension::HANDSHAKE_ID {
            let said = ExtensionHandshake::decode(payload).map_err(Violation::new)?;
            return self.with_peer(id, |peer| peer.extension_handshake(said));
        }
        match Extension::from_our_id(number) {
            Some(Extension::LtDonthave) => {
                let piece = extension::decode_donthave(payload).map_err(Violation::new)?;
                self.does_not_have(id, piece)
            }
            Some(Extension::UtMetadata) => self.metadata_message(now, id, payload),
            Some(Extension::UtPex) | None => Ok(()),
        }
    }

    /// A peer lost a piece (BEP 54): its requests for it will not be answered.
    fn does_not_have(&mut self, id: ConnectionId, piece: PieceIndex) -> Kept {
        self.in_range(piece)?;
        let Some(peer) = self.connections.get_mut(&id) else { return Ok(()) };
        if !peer.have.has(piece) {
            return Ok(());
        }
        if peer.counted_as == CountedAs::Seed {
            peer.counted_as = CountedAs::Pieces;
            let all: Vec<PieceIndex> = peer.have.iter().collect();
            self.pieces.count_seed(Presence::Went);
            all.into_iter().for_each(|piece| self.pieces.count_source(piece, Presence::Came));
        }
        self.pieces.count_source(piece, Presence::Went);
        let Some(peer) = self.connections.get_mut(&id) else { return Ok(()) };
        peer.have.set(piece, false);
        let lost: Vec<_> = peer.requests.iter().filter(|request| request.piece == piece).copied().collect();
        lost.iter().for_each(|request| {
            peer.requests.cancel(request.piece, request.block);
        });
        self.release(&lost);
        Ok(())
    }

    /// Serves the info dictionary to peers that came with a magnet (BEP 9).
    fn metadata_message(&mut self, now: Time, id: ConnectionId, payload: &Bytes) -> Kept {
        let message = MetadataMessage::decode(payload).map_err(Violation::new)?;
        let MetadataMessage::Request { piece } = message else { return Ok(()) };
        let total_bytes = u32::try_from(self.info.raw().len()).unwrap_or(u32::MAX);
        let Some(peer) = self.connections.get_mut(&id) else { return Ok(()) };
        let Some(number) = peer.extension_id(Extension::UtMetadata) else { return Ok(()) };
        peer.metadata_asks += 1;
        if peer.metadata_asks > limits::METADATA_ASKS_MAX * total_bytes.div_ceil(BLOCK_BYTES) {
            return Err(Violation::new("asks for the metadata over and over"));
        }
        let from = piece.checked_mul(BLOCK_BYTES).filter(|from| *from < total_bytes);
        let answer = match from {
            Some(from) => {
                let to = total_bytes.min(from + BLOCK_BYTES);
                let data = self.info.raw().slice(from as usize..to as usize);
                MetadataMessage::Data { piece, total_bytes, data }
            }
            None => MetadataMessage::Reject { piece },
        };
        if let Some(payload) = answer.encode() {
            self.send(now, id, Message::Extended { id: number, payload });
        }
        Ok(())
    }

    /// A block came, and whoever sent it is no longer asked for it: neither need be the others.
    fn cancel_elsewhere(&mut self, now: Time, piece: PieceIndex, block: BlockIndex) {
        self.webseeds.not_needed(piece, block);
        let asked: Vec<ConnectionId> = self
            .connections
            .values_mut()
            .filter_map(|peer| peer.requests.cancel(piece, block).then_some(peer.id))
            .collect();
        for id in asked {
            self.allowance.refund_down(u64::from(self.block_bytes(piece, block)));
            self.send_cancel(now, id, piece, block);
        }
    }

    /// A piece is no longer to be asked for: what is on the wire for it is cancelled.
    pub(super) fn cancel_requests_for(&mut self, now: Time, piece: PieceIndex) {
        self.take_back_from_webseeds(piece);
        let mut cancelled = Vec::new();
        for peer in self.connections.values_mut() {
            let blocks: Vec<BlockIndex> = peer
                .requests
                .iter()
                .filter(|request| request.piece == piece)
                .map(|request| request.block)
                .collect();
            for block in blocks {
                peer.requests.cancel(piece, block);
                cancelled.push((peer.id, block));
            }
        }
        for (id, block) in cancelled {
            self.release_block(piece, block);
            self.send_cancel(now, id, piece, block);
        }
    }

    pub(super) fn send_cancel(&mut self, now: Time, id: ConnectionId, piece: PieceIndex, block: BlockIndex) {
        let (begin, length) = (block.0 * BLOCK_BYTES, self.block_bytes(piece, block));
        self.send(now, id, Message::Cancel(BlockRequest { piece, begin, length }));
    }
}
