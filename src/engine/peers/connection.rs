//! One connection: who chokes whom, what the peer has, and the flows each way.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::history::History;
use super::rate::RateMeter;
use super::requests::Requests;
use super::upload::UploadQueue;
use crate::codec::extension::{Extension, ExtensionHandshake};
use crate::codec::{handshake, peer_id};
use crate::contract::{Direction, PeerFlags, PeerRow, PeerSource, PeerVitals, Untrusted};
use crate::engine::bits::Bits;
use crate::engine::io::NewConnection;
use crate::units::{ConnectionId, PeerId, PieceIndex, Time};

/// How a peer's pieces entered the availability counts, so that they leave the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) enum CountedAs {
    /// Not at all: it has not told yet.
    Nothing,
    /// As one who has everything.
    Seed,
    /// Piece by piece.
    Pieces,
}

/// One connection of a torrent.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Connection {
    pub(in crate::engine) id: ConnectionId,
    pub(in crate::engine) address: SocketAddr,
    pub(in crate::engine) direction: Direction,
    pub(in crate::engine) source: PeerSource,
    pub(in crate::engine) peer_id: PeerId,
    pub(in crate::engine) client: Untrusted,
    /// The reserved bytes of its handshake.
    pub(in crate::engine) reserved: [u8; 8],
    /// Both ends speak BEP 6.
    pub(in crate::engine) fast: bool,
    /// Both ends speak BEP 10.
    pub(in crate::engine) extended: bool,
    /// The peer's numbers for extensions; 0: off.
    extension_ids: [u8; Extension::ALL.len()],
    pub(in crate::engine) am_choking: bool,
    pub(in crate::engine) am_interested: bool,
    pub(in crate::engine) peer_choking: bool,
    pub(in crate::engine) peer_interested: bool,
    pub(in crate::engine) have: Bits,
    pub(in crate::engine) counted_as: CountedAs,
    /// It told of pieces already: a bitfield that comes now adds to them.
    pub(in crate::engine) told_pieces: bool,
    /// Later bitfields with nothing new in them.
    pub(in crate::engine) stale_bitfields: u32,
    pub(in crate::engine) allowed_fast: Vec<PieceIndex>,
    pub(in crate::engine) requests: Requests,
    pub(in crate::engine) upload: UploadQueue,
    pub(in crate::engine) down: RateMeter,
    pub(in crate::engine) up: RateMeter,
    pub(in crate::engine) downloaded_bytes: u64,
    pub(in crate::engine) uploaded_bytes: u64,
    pub(in crate::engine) history: History,
    pub(in crate::engine) unasked_blocks: u32,
    pub(in crate::engine) rejects: u32,
    /// Requests for blocks of the info dictionary.
    pub(in crate::engine) metadata_asks: u32,
    pub(in crate::engine) connected_at: Time,
    pub(in crate::engine) last_received_at: Time,
    pub(in crate::engine) last_sent_at: Time,
    pub(in crate::engine) unchoked_at: Option<Time>,
    /// When a read for it was started last.
    pub(in crate::engine) served_at: Time,
    /// The order's version at which this peer found nothing to request.
    pub(in crate::engine) starved_at: Option<u64>,
    /// What was looked at when its less urgent requests were last weighed against more urgent pieces.
    pub(in crate::engine) raised_seen: Option<(u64, u32)>,
    /// When a peer without a free block to ask for looks at busy ones again.
    pub(in crate::engine) end_game_at: Time,
    /// What `interest` was derived from last.
    pub(in crate::engine) interest_seen: Option<(u64, u32)>,
    pub(in crate::engine) interest_hint: usize,
}

impl Connection {
    pub(in crate::engine) fn new(now: Time, new: &NewConnection, source: PeerSource, pieces: u32) -> Self {
        Self {
            id: new.connection,
            address: new.address,
            direction: new.direction,
            source,
            peer_id: new.peer_id,
            client: peer_id::client_name(&new.peer_id),
            reserved: new.reserved,
            fast: handshake::FAST.is_set(&new.reserved),
            extended: handshake::EXTENSION.is_set(&new.reserved),
            extension_ids: [0; Extension::ALL.len()],
            am_choking: true,
            am_interested: false,
            peer_choking: true,
            peer_interested: false,
            have: Bits::empty(pieces),
            counted_as: CountedAs::Nothing,
            told_pieces: false,
            stale_bitfields: 0,
            allowed_fast: Vec::new(),
            requests: Requests::new(),
            upload: UploadQueue::default(),
            down: RateMeter::default(),
            up: RateMeter::default(),
            downloaded_bytes: 0,
            uploaded_bytes: 0,
            history: History::default(),
            unasked_blocks: 0,
            rejects: 0,
            metadata_asks: 0,
            connected_at: now,
            last_received_at: now,
            last_sent_at: now,
            unchoked_at: None,
            served_at: Time::ZERO,
            starved_at: None,
            raised_seen: None,
            end_game_at: Time::ZERO,
            interest_seen: None,
            interest_hint: 0,
        }
    }

    /// Takes over what the peer's extension handshake says; it may come again and change things.
    pub(in crate::engine) fn extension_handshake(&mut self, said: ExtensionHandshake) {
        for (extension, id) in said.ids {
            self.extension_ids[slot(extension)] = id;
        }
        if let Some(client) = said.client {
            self.client = client;
        }
        if let Some(requests) = said.requests_max {
            self.requests.set_queue_max(requests);
        }
    }

    /// The number the peer wants for an extension; `None` where it does not speak it.
    pub(in crate::engine) fn extension_id(&self, extension: Extension) -> Option<u8> {
        Some(self.extension_ids[slot(extension)]).filter(|id| *id != 0)
    }

    /// Whether a request may go out now: unchoked, or the piece is allowed fast (BEP 6).
    pub(in crate::engine) fn may_request(&self) -> bool {
        self.am_interested && (!self.peer_choking || !self.allowed_fast.is_empty())
    }

    /// Whether nothing is on the wire to it although it would answer.
    pub(in crate::engine) fn is_idle_and_unchoked(&self) -> bool {
        self.requests.count() == 0 && !self.peer_choking
    }

    /// Whether it is time to look for a busy block that this idle peer could be asked for too.
    pub(in crate::engine) fn end_game_due(&self, now: Time) -> bool {
        self.is_idle_and_unchoked() && self.end_game_at <= now
    }

    pub(in crate::engine) fn row(&self, now: Time, optimistic: bool) -> PeerRow {
        PeerRow {
            connection: self.id,
            address: self.address,
            client: self.client.clone(),
            source: self.source,
            direction: self.direction,
            flags: PeerFlags {
                we_are_interested: self.am_interested,
                we_choke: self.am_choking,
                they_are_interested: self.peer_interested,
                they_choke: self.peer_choking,
                snubbed: self.requests.is_snubbed(),
                optimistic,
                seed: self.have.is_full(),
                fast: self.fast,
                extended: self.extended,
            },
            pieces_have: self.have.count(),
            down_bps: self.down.rate(now),
            up_bps: self.up.rate(now),
            downloaded_bytes: self.downloaded_bytes,
            uploaded_bytes: self.uploaded_bytes,
            requests_out: self.requests.count(),
            pipeline: self.requests.pipeline(),
            requests_in: self.upload.len(),
            connected_s: now.since(self.connected_at).as_secs(),
            last_message_s: now.since(self.last_received_at).as_secs(),
        }
    }

    /// What only a report tells. `pieces_touched`: the unfinished pieces that hold a block of it.
    pub(in crate::engine) fn vitals(&self, now: Time, pieces_touched: u32) -> PeerVitals {
        let mut requested: BTreeMap<PieceIndex, u32> = BTreeMap::new();
        self.requests.iter().for_each(|entry| *requested.entry(entry.piece).or_default() += 1);
        let spoken = Extension::ALL.into_iter();
        let spoken = spoken.filter_map(|extension| Some((extension, self.extension_id(extension)?)));
        PeerVitals {
            connection: self.id,
            peer_id: Untrusted::new(self.peer_id.0.escape_ascii().to_string()),
            reserved: handshake::reserved_bits(&self.reserved),
            extensions: spoken.map(|(extension, id)| (extension.name().to_owned(), id)).collect(),
            requests_max: self.requests.queue_max(),
            given_up: self.requests.given_up(),
            interested_s: self.history.interested.total(now).as_secs(),
            expecting_s: self.history.expecting.total(now).as_secs(),
            last_useful_s: self.history.last_useful_at.map(|at| now.since(at).as_secs()),
            blocks_in: self.history.blocks_in,
            blocks_useful: self.history.blocks_useful,
            blocks_out: self.history.blocks_out,
            pieces_touched,
            requested: requested.into_iter().collect(),
        }
    }
}

fn slot(extension: Extension) -> usize {
    match extension {
        Extension::UtMetadata => 0,
        Extension::UtPex => 1,
        Extension::LtDonthave => 2,
    }
}
