//! One torrent and the peers around it, spoken for by hand.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use unchoke::codec::peer::{BlockRequest, Message};
use unchoke::contract::Direction;
use unchoke::engine::io::{Effect, Fetch, HostAsk, HostKey, HostNews, Input, NewConnection, ResumeRecord};
use unchoke::engine::torrent::{Policy, Setup, StartingPoint, Torrent, WhenComplete};
use unchoke::limits::BLOCK_BYTES;
use unchoke::metainfo::{Info, parse};
use unchoke::units::{ConnectionId, PeerId, PieceIndex, Time};

use crate::report::Sample;

/// Incomplete peers beside the seed.
pub(crate) const PARTIAL_PEERS: usize = 20;
/// Virtual time between two turns: 1.6 GB/s of blocks.
const TURN_EVERY: Duration = Duration::from_micros(10);

/// How large a torrent is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scale {
    pub(crate) pieces: u32,
    /// Of equal size; the last has what is left.
    pub(crate) files: u32,
    pub(crate) blocks_per_piece: u32,
}

/// Whether a peer that joins lets us ask.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unchokes {
    Yes,
    No,
}

/// A torrent in a turn-by-turn conversation with its peers.
pub(crate) struct Swarm {
    pub(crate) torrent: Torrent,
    pub(crate) now: Time,
    next_connection: u64,
    /// What each request that waits for an answer asks, and of whom.
    pub(crate) asked: VecDeque<(ConnectionId, BlockRequest)>,
    /// What webseeds are asked.
    pub(crate) fetches: VecDeque<Fetch>,
    /// Places that are waited for.
    places: Vec<(HostKey, u32)>,
    /// Pieces handed out to be stored.
    pub(crate) storing: VecDeque<PieceIndex>,
    /// Of the latest record.
    pub(crate) generation: u64,
    block: Bytes,
}

impl Scale {
    /// A torrent of this size with made-up hashes.
    pub(crate) fn info(self) -> Arc<Info> {
        let piece_length = self.blocks_per_piece * BLOCK_BYTES;
        let total = u64::from(self.pieces) * u64::from(piece_length);
        let (files, each) = (u64::from(self.files), total / u64::from(self.files));
        let mut text = b"d4:infod5:filesl".to_vec();
        for file in 0..files {
            let bytes = if file + 1 == files { total - each * (files - 1) } else { each };
            let name = format!("file-{file:07}.dat");
            text.extend(format!("d6:lengthi{bytes}e4:pathl3:dir{}:{name}ee", name.len()).bytes());
        }
        let hashes = vec![7; self.pieces as usize * 20];
        text.extend(format!("e4:name1:n12:piece lengthi{piece_length}e6:pieces{}:", hashes.len()).bytes());
        text.extend(hashes);
        text.extend(b"ee");
        parse(text.into()).expect("a valid torrent").info
    }
}

impl Swarm {
    /// A torrent that has nothing, and knows nobody.
    pub(crate) fn alone(info: &Arc<Info>) -> Self {
        Self::from_record(info, ResumeRecord::default())
    }

    /// A torrent that an earlier run left with these pieces.
    pub(crate) fn with_pieces(info: &Arc<Info>, have: impl Fn(u32) -> bool) -> Self {
        let count = info.piece_count();
        Self::from_record(
            info,
            ResumeRecord {
                have: bitfield(count, have),
                known: bitfield(count, |_| true),
                ..ResumeRecord::default()
            },
        )
    }

    fn from_record(info: &Arc<Info>, record: ResumeRecord) -> Self {
        let now = Time::from_micros(1_000_000);
        Self {
            torrent: Torrent::new(now, setup(info, record)),
            now,
            next_connection: 0,
            asked: VecDeque::new(),
            fetches: VecDeque::new(),
            places: Vec::new(),
            storing: VecDeque::new(),
            generation: 0,
            block: Bytes::from(vec![0; BLOCK_BYTES as usize]),
        }
    }

    /// A torrent with a seed that lets us ask and incomplete peers that do not.
    pub(crate) fn usual(info: &Arc<Info>) -> Self {
        let mut swarm = Self::alone(info);
        swarm.add_partial_peers();
        swarm.join(Message::HaveAll, Unchokes::Yes);
        swarm
    }

    /// The incomplete peers, each with half of all pieces.
    pub(crate) fn add_partial_peers(&mut self) {
        let count = self.torrent.info().piece_count();
        for seed in 0..PARTIAL_PEERS {
            let half = half_bitfield(count, seed as u64);
            self.join(Message::Bitfield(half.into()), Unchokes::No);
        }
    }

    /// A peer connects and says what it has.
    pub(crate) fn join(&mut self, pieces: Message, unchokes: Unchokes) -> ConnectionId {
        let connection = self.connect();
        self.say(connection, pieces);
        if unchokes == Unchokes::Yes {
            self.say(connection, Message::Unchoke);
        }
        connection
    }

    /// A peer connects.
    pub(crate) fn connect(&mut self) -> ConnectionId {
        self.next_connection += 1;
        let number = self.next_connection;
        let [.., high, low] = number.to_be_bytes();
        let mut peer_id = [0; 20];
        peer_id[..8].copy_from_slice(&number.to_be_bytes());
        let connection = ConnectionId(number);
        self.turn(Input::Connected(NewConnection {
            connection,
            address: SocketAddr::from(([10, 0, high, low], 6881)),
            direction: Direction::Incoming,
            peer_id: PeerId(peer_id),
            // The fast extension.
            reserved: [0, 0, 0, 0, 0, 0, 0, 4],
        }));
        connection
    }

    /// A peer says something.
    pub(crate) fn say(&mut self, connection: ConnectionId, message: Message) {
        self.turn(Input::Messages { connection, messages: vec![message] });
    }

    /// A peer goes.
    pub(crate) fn leave(&mut self, connection: ConnectionId) {
        self.turn(Input::Closed { connection, reason: String::new() });
    }

    /// The oldest request is answered.
    pub(crate) fn answer(&mut self) {
        let (connection, BlockRequest { piece, begin, length: _ }) =
            self.asked.pop_front().expect("something is on the wire");
        self.say(connection, Message::Piece { piece, begin, data: self.block.clone() });
    }

    /// Answers until a piece is to be stored.
    pub(crate) fn answer_a_piece(&mut self) -> PieceIndex {
        while self.storing.is_empty() {
            self.answer();
        }
        self.storing.pop_front().expect("just looked at")
    }

    /// The pieces handed out were stored.
    pub(crate) fn store_all(&mut self) {
        while let Some(piece) = self.storing.pop_front() {
            self.turn(Input::PieceStored { piece });
        }
    }

    /// A whole turn: one input, what follows from it, and its effects taken.
    pub(crate) fn turn(&mut self, input: Input) {
        self.now = self.now + TURN_EVERY;
        self.torrent.handle(self.now, input);
        self.torrent.end_turn(self.now);
        while let Some(effect) = self.torrent.poll_effect() {
            match effect {
                Effect::Send { connection, message: Message::Request(request) } => {
                    self.asked.push_back((connection, request));
                }
                Effect::Send { connection, message: Message::Cancel(request) } => {
                    self.asked.retain(|asked| *asked != (connection, request));
                }
                Effect::StorePiece { piece, .. } => self.storing.push_back(piece),
                Effect::SaveResume { generation, .. } => self.generation = generation,
                Effect::Fetch(fetch) => self.fetches.push_back(*fetch),
                Effect::EndFetch { fetch } => self.fetches.retain(|known| known.id != fetch),
                Effect::Host { host, ask: HostAsk::Want(count) } => self.places.push((host, count)),
                _ => {}
            }
        }
    }

    /// All places that are waited for are granted.
    pub(crate) fn grant_places(&mut self) {
        for (host, count) in std::mem::take(&mut self.places) {
            self.turn(Input::Host { host, news: HostNews::Places(count) });
        }
    }

    /// Times something, with the pieces looked at meanwhile.
    pub(crate) fn timed(&mut self, units: u64, act: impl FnOnce(&mut Self)) -> Sample {
        let visits = self.torrent.piece_visits();
        let start = Instant::now();
        act(self);
        let took = start.elapsed();
        Sample { took, visits: self.torrent.piece_visits() - visits, units }
    }
}

/// What a torrent is made from.
pub(crate) fn setup(info: &Arc<Info>, record: ResumeRecord) -> Setup {
    Setup {
        info: Arc::clone(info),
        trackers: Vec::new(),
        webseeds: Vec::new(),
        peer_id: PeerId(*b"-UC0001-benchmarking"),
        listen_port: 6881,
        announce_key: 1,
        start: StartingPoint { record: Some(record), ..StartingPoint::default() },
        policy: Policy::default(),
        when_complete: WhenComplete::Seed,
        seed: 1,
    }
}

/// The wire's bitfield of the pieces that `has` names.
pub(crate) fn bitfield(count: u32, has: impl Fn(u32) -> bool) -> Vec<u8> {
    let mut bytes = vec![0; count.div_ceil(8) as usize];
    for piece in (0..count).filter(|piece| has(*piece)) {
        bytes[piece as usize / 8] |= 0x80 >> (piece % 8);
    }
    bytes
}

/// About half of all pieces, at random.
pub(crate) fn half_bitfield(count: u32, seed: u64) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let random: Vec<u64> = (0..count.div_ceil(64)).map(|_| rng.u64(..)).collect();
    bitfield(count, |piece| random[piece as usize / 64] >> (piece % 64) & 1 == 1)
}
