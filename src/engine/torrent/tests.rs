//! Torrents that talk to each other in memory: the same owners as in the program, virtual time, a disk of byte vectors.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha1::{Digest, Sha1};

use super::*;
use crate::codec::peer::{BlockRequest, Message};
use crate::contract::{Direction, PeerSource, Priority};
use crate::engine::io::{BlockReader, DiskError, DiskErrorKind, HashOutcome, NewConnection, ResumeRecord};
use crate::limits::{self, BLOCK_BYTES};
use crate::metainfo;
use crate::units::{FileIndex, PieceIndex};

mod auditing;
mod checking;
mod hostile;
mod slots;
mod storing;
mod telling;
mod wanting;

const PIECE_BYTES: u32 = 4 * BLOCK_BYTES;

/// Payload and description of a torrent of `files` files of `file_bytes` each.
struct Payload {
    info: Arc<Info>,
    bytes: Vec<u8>,
}

fn payload(files: usize, file_bytes: usize) -> Payload {
    let mut rng = fastrand::Rng::with_seed(99);
    let bytes: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(files * file_bytes).collect();
    let mut torrent = b"d4:infod5:filesl".to_vec();
    for file in 0..files {
        torrent.extend(format!("d6:lengthi{file_bytes}e4:pathl2:f{file}ee").bytes());
    }
    let hashes: Vec<u8> =
        bytes.chunks(PIECE_BYTES as usize).flat_map(|piece| Sha1::digest(piece).to_vec()).collect();
    torrent.extend(format!("e4:name4:test12:piece lengthi{PIECE_BYTES}e6:pieces{}:", hashes.len()).bytes());
    torrent.extend(hashes);
    torrent.extend(b"ee");
    let info = metainfo::parse(Bytes::from(torrent)).expect("a valid torrent").info;
    Payload { info, bytes }
}

impl Payload {
    fn range(&self, piece: PieceIndex, begin: u32, length: u32) -> &[u8] {
        let from = piece.at() * PIECE_BYTES as usize + begin as usize;
        &self.bytes[from..from + length as usize]
    }
}

/// A torrent with its disk.
struct Node {
    torrent: Torrent,
    disk: BTreeMap<(PieceIndex, u32), Bytes>,
    /// Sends every block with its first byte flipped.
    lies: bool,
    /// Takes requests and never answers them.
    mute: bool,
    /// Refuses to store.
    disk_full: bool,
    /// Stores nothing, and does not say so.
    stores_hang: bool,
    /// Saves a record and does not say so.
    saves_hang: bool,
    events: Vec<EventKind>,
    saved: Option<ResumeRecord>,
    /// Files that became wanted and unwanted.
    wanted: Vec<(Vec<FileIndex>, Vec<FileIndex>)>,
    blocks_received: u64,
}

/// Nodes, their wires and the clock.
struct World {
    payload: Payload,
    now: Time,
    nodes: Vec<Node>,
    wires: VecDeque<(usize, Input)>,
}

fn address(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, u8::try_from(node).unwrap()], 6881))
}

/// The connection between two nodes, named the same at both ends.
fn wire(a: usize, b: usize) -> ConnectionId {
    ConnectionId((a.min(b) * 1000 + a.max(b)) as u64)
}

fn other_end(connection: ConnectionId, node: usize) -> usize {
    let (a, b) = ((connection.0 / 1000) as usize, (connection.0 % 1000) as usize);
    if a == node { b } else { a }
}

impl World {
    fn new(files: usize, file_bytes: usize) -> Self {
        let payload = payload(files, file_bytes);
        Self { payload, now: Time::ZERO, nodes: Vec::new(), wires: VecDeque::new() }
    }

    fn setup(&self, start: StartingPoint) -> Setup {
        let node = self.nodes.len();
        Setup {
            info: self.payload.info.clone(),
            trackers: Vec::new(),
            webseeds: Vec::new(),
            peer_id: PeerId([u8::try_from(node).unwrap(); 20]),
            listen_port: 6881,
            announce_key: 1,
            start,
            policy: Policy::default(),
            when_complete: WhenComplete::Seed,
            seed: node as u64,
        }
    }

    fn add(&mut self, start: StartingPoint) -> usize {
        let torrent = Torrent::new(self.now, self.setup(start));
        self.nodes.push(Node {
            torrent,
            disk: BTreeMap::new(),
            lies: false,
            mute: false,
            disk_full: false,
            stores_hang: false,
            saves_hang: false,
            events: Vec::new(),
            saved: None,
            wanted: Vec::new(),
            blocks_received: 0,
        });
        self.nodes.len() - 1
    }

    fn add_leecher(&mut self) -> usize {
        self.add(StartingPoint::default())
    }

    fn add_seed(&mut self) -> usize {
        let count = self.payload.info.piece_count();
        let all = vec![true; count as usize];
        let bits = |_: &[bool]| crate::engine::bits::Bits::full(count).to_wire();
        let record = ResumeRecord { have: bits(&all), known: bits(&all), ..ResumeRecord::default() };
        let node = self.add(StartingPoint { record: Some(record), ..StartingPoint::default() });
        for piece in (0..count).map(PieceIndex) {
            let length = self.payload.info.piece_bytes(piece);
            let bytes = Bytes::copy_from_slice(self.payload.range(piece, 0, length));
            self.nodes[node].disk.insert((piece, 0), bytes);
        }
        node
    }

    /// `a` calls `b`.
    fn connect(&mut self, a: usize, b: usize) {
        for (node, peer, direction) in [(a, b, Direction::Outgoing), (b, a, Direction::Incoming)] {
            let new = NewConnection {
                connection: wire(a, b),
                address: address(peer),
                direction,
                peer_id: PeerId([u8::try_from(peer).unwrap(); 20]),
                reserved: [0, 0, 0, 0, 0, 0x10, 0, 0x04],
            };
            self.wires.push_back((node, Input::Connected(new)));
        }
    }

    fn command(&mut self, node: usize, command: TorrentCommand) {
        self.wires.push_back((node, Input::Command(command)));
    }

    /// Runs until nothing is under way and, by deadlines, for `span` of virtual time.
    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.settle();
            let next = self.nodes.iter().filter_map(|node| Some(node.torrent.next_deadline()?.0)).min();
            let next = next.unwrap_or(end).max(self.now + Duration::from_millis(1));
            if next >= end {
                self.now = end;
                return;
            }
            self.now = next;
            (0..self.nodes.len()).for_each(|node| self.wires.push_back((node, Input::Deadline)));
        }
    }

    fn settle(&mut self) {
        let mut steps = 0;
        while let Some((node, input)) = self.wires.pop_front() {
            steps += 1;
            assert!(steps < 1_000_000, "the swarm never comes to rest");
            self.now = self.now + Duration::from_micros(10);
            let torrent = &mut self.nodes[node].torrent;
            torrent.handle(self.now, input);
            torrent.end_turn(self.now);
            assert_eq!(torrent.inconsistency(), None);
            while let Some(effect) = self.nodes[node].torrent.poll_effect() {
                self.act(node, effect);
            }
        }
    }

    fn act(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Connect { address: called } => {
                let reason = "nobody there".to_owned();
                self.wires.push_back((node, Input::ConnectFailed { address: called, reason }));
            }
            Effect::Send { connection, message } => self.deliver(node, connection, message),
            Effect::SendBlock { connection, piece, begin, data } => {
                let payload_bytes = data.len() as u64;
                self.wires.push_back((node, Input::Sent { connection, payload_bytes }));
                let mut bytes = data.to_vec();
                bytes[0] ^= u8::from(self.nodes[node].lies);
                self.deliver(node, connection, Message::Piece { piece, begin, data: bytes.into() });
            }
            Effect::Disconnect { connection } => {
                let peer = other_end(connection, node);
                self.wires.push_back((peer, Input::Closed { connection, reason: "closed by peer".into() }));
            }
            Effect::StorePiece { piece, blocks } => self.store(node, piece, &blocks),
            Effect::WriteBlocks { piece, blocks } => {
                let begins = blocks.iter().map(|(begin, _)| *begin).collect();
                self.nodes[node].disk.extend(blocks.into_iter().map(|(begin, data)| ((piece, begin), data)));
                self.wires.push_back((node, Input::BlocksWritten { piece, begins }));
            }
            Effect::HashPiece { piece } => {
                let right = self.nodes[node].disk.contains_key(&(piece, 0));
                let outcome = if right { HashOutcome::Match } else { HashOutcome::NoData };
                self.wires.push_back((node, Input::PieceHashed { piece, outcome }));
            }
            Effect::ReadBlocks { reader, range } => self.read(node, reader, range),
            Effect::SaveResume { generation, record } => {
                self.nodes[node].saved = Some(*record);
                if !self.nodes[node].saves_hang {
                    self.wires.push_back((node, Input::ResumeSaved { generation, result: Ok(()) }));
                }
            }
            Effect::Notify(event) => self.nodes[node].events.push(event),
            Effect::FilesWanted { wanted, unwanted } => self.nodes[node].wanted.push((wanted, unwanted)),
            Effect::Announce { .. }
            | Effect::Scrape { .. }
            | Effect::WantGrant { .. }
            | Effect::AskSlots(_)
            | Effect::Fetch(_)
            | Effect::FetchCredit { .. }
            | Effect::EndFetch { .. }
            | Effect::Host { .. }
            | Effect::AnswerRead { .. }
            | Effect::Stopped => {}
        }
    }

    fn deliver(&mut self, from: usize, connection: ConnectionId, message: Message) {
        let to = other_end(connection, from);
        let request = matches!(message, Message::Request(_));
        if request && self.nodes[to].mute {
            return;
        }
        self.nodes[to].blocks_received += u64::from(matches!(message, Message::Piece { .. }));
        self.wires.push_back((to, Input::Messages { connection, messages: vec![message] }));
    }

    fn store(&mut self, node: usize, piece: PieceIndex, blocks: &[(u32, Bytes)]) {
        if self.nodes[node].stores_hang {
            return;
        }
        if self.nodes[node].disk_full {
            let error =
                DiskError { kind: DiskErrorKind::Full, message: crate::contract::Untrusted::new("no space") };
            self.wires.push_back((node, Input::StoreFailed { piece, error }));
            return;
        }
        let right = self.payload.range(piece, 0, self.payload.info.piece_bytes(piece));
        let mut whole = vec![0; right.len()];
        let spilled = self.nodes[node].disk.range((piece, 0)..(piece, u32::MAX));
        let all = spilled
            .map(|((_, begin), data)| (*begin, data))
            .chain(blocks.iter().map(|(at, data)| (*at, data)));
        for (begin, data) in all {
            whole[begin as usize..begin as usize + data.len()].copy_from_slice(data);
        }
        if whole == right {
            self.nodes[node].disk.insert((piece, 0), whole.into());
            self.wires.push_back((node, Input::PieceStored { piece }));
        } else {
            self.wires.push_back((node, Input::PieceMismatch { piece }));
        }
    }

    fn read(&mut self, node: usize, reader: BlockReader, range: BlockRequest) {
        let whole = &self.nodes[node].disk[&(range.piece, 0)];
        let bytes = whole.slice(range.begin as usize..(range.begin + range.length) as usize);
        self.wires.push_back((node, Input::BlocksRead { reader, range, result: Ok(bytes) }));
    }

    fn blocks(&self) -> u64 {
        (self.payload.bytes.len() as u64).div_ceil(u64::from(BLOCK_BYTES))
    }
}

#[test]
fn a_leecher_gets_everything_from_a_seed_once() {
    let mut world = World::new(3, 700_000);
    let (seed, leecher) = (world.add_seed(), world.add_leecher());
    world.connect(leecher, seed);
    world.run(Duration::from_secs(10));
    assert_eq!(world.nodes[leecher].torrent.state(), TorrentState::Seeding);
    assert_eq!(world.nodes[leecher].blocks_received, world.blocks());
    assert!(world.nodes[leecher].events.contains(&EventKind::Completed));
}

#[test]
fn leechers_trade_with_each_other() {
    let mut world = World::new(2, 900_000);
    let seed = world.add_seed();
    let leechers: Vec<usize> = (0..4).map(|_| world.add_leecher()).collect();
    for &leecher in &leechers {
        world.connect(leecher, seed);
        leechers.iter().filter(|other| **other < leecher).for_each(|&other| world.connect(leecher, other));
    }
    world.run(Duration::from_secs(60));
    for &leecher in &leechers {
        assert_eq!(world.nodes[leecher].torrent.state(), TorrentState::Seeding);
    }
}

#[test]
fn fault_04_a_liar_is_banned_and_the_download_completes() {
    let mut world = World::new(1, 2_000_000);
    let (seed, liar, leecher) = (world.add_seed(), world.add_seed(), world.add_leecher());
    world.nodes[liar].lies = true;
    world.connect(leecher, liar);
    world.connect(leecher, seed);
    world.run(Duration::from_secs(120));
    assert_eq!(world.nodes[leecher].torrent.state(), TorrentState::Seeding);
    let banned = world.nodes[leecher].events.iter().filter_map(|event| match event {
        EventKind::PeerBanned { address, .. } => Some(*address),
        _ => None,
    });
    assert_eq!(banned.collect::<Vec<_>>(), [address(liar)]);
}

#[test]
fn fault_01_a_mute_peers_requests_go_to_others() {
    let mut world = World::new(1, 1_000_000);
    let (seed, mute, leecher) = (world.add_seed(), world.add_seed(), world.add_leecher());
    world.nodes[mute].mute = true;
    world.connect(leecher, mute);
    world.run(limits::REQUEST_TIMEOUT + Duration::from_secs(1));
    world.connect(leecher, seed);
    world.run(Duration::from_secs(1));
    assert_eq!(world.nodes[leecher].torrent.state(), TorrentState::Seeding);
    assert!(world.nodes[leecher].events.iter().any(|event| matches!(event, EventKind::PeerSnubbed { .. })));
}

#[test]
fn fault_03_blocks_that_one_peer_sits_on_are_asked_of_a_second() {
    let mut world = World::new(1, 8 * PIECE_BYTES as usize);
    let (seed, mute, leecher) = (world.add_seed(), world.add_seed(), world.add_leecher());
    // The mute peer takes every request; the seed finds nothing free when it comes.
    world.nodes[mute].mute = true;
    world.connect(leecher, mute);
    world.run(Duration::from_millis(1));
    world.connect(leecher, seed);
    world.run(limits::REQUEST_TIMEOUT / 2);
    assert_eq!(world.nodes[leecher].torrent.state(), TorrentState::Seeding);
    assert!(!world.nodes[leecher].events.iter().any(|event| matches!(event, EventKind::PeerSnubbed { .. })));
}

#[test]
fn two_who_call_each_other_at_once_keep_one_connection() {
    let mut world = World::new(1, 100_000);
    let (low, high) = (world.add_seed(), world.add_leecher());
    let greet = |world: &World, connection, peer: usize, direction| {
        let reserved = [0, 0, 0, 0, 0, 0x10, 0, 0x04];
        let peer_id = world.nodes[peer].torrent.peer_id;
        Input::Connected(NewConnection { connection, address: address(peer), direction, peer_id, reserved })
    };
    let (by_low, by_high) = (ConnectionId(1), ConnectionId(2));
    for (node, peer, mine, theirs) in [(low, high, by_low, by_high), (high, low, by_high, by_low)] {
        for (connection, direction) in [(mine, Direction::Outgoing), (theirs, Direction::Incoming)] {
            let input = greet(&world, connection, peer, direction);
            world.nodes[node].torrent.handle(Time::ZERO, input);
        }
        let kept: Vec<_> = world.nodes[node].torrent.connections.keys().copied().collect();
        assert_eq!(kept, [by_high], "the one that the greater peer id opened");
    }
}

#[test]
fn a_deselected_file_is_not_fetched_and_comes_when_it_is_wanted() {
    let file_bytes = 10 * PIECE_BYTES as usize;
    let mut world = World::new(2, file_bytes);
    let (seed, leecher) = (world.add_seed(), world.add_leecher());
    world.command(leecher, TorrentCommand::SetPriority(vec![(FileIndex(1), Priority::Off)]));
    world.connect(leecher, seed);
    world.run(Duration::from_secs(5));
    assert_eq!(world.nodes[leecher].torrent.state(), TorrentState::Finished);
    assert_eq!(world.nodes[leecher].blocks_received, world.blocks() / 2);
    world.command(leecher, TorrentCommand::SetPriority(vec![(FileIndex(1), Priority::High)]));
    world.run(Duration::from_secs(5));
    assert_eq!(world.nodes[leecher].torrent.state(), TorrentState::Seeding);
}

#[test]
fn a_record_claims_what_is_stored_and_the_next_run_fetches_only_the_rest() {
    let mut world = World::new(1, 3_000_000);
    let (seed, leecher) = (world.add_seed(), world.add_leecher());
    world.nodes[leecher]
        .torrent
        .handle(Time::ZERO, Input::Granted { up_bytes: None, down_bytes: Some(1_500_000) });
    world.connect(leecher, seed);
    world.run(limits::SAVE_INTERVAL * 3);
    let received = world.nodes[leecher].blocks_received;
    assert!(received > 0 && received < world.blocks());
    let record = world.nodes[leecher].saved.clone();
    let disk = world.nodes[leecher].disk.clone();
    let again = world.add(StartingPoint { record, ..StartingPoint::default() });
    world.nodes[again].disk = disk;
    world.connect(again, seed);
    world.run(Duration::from_secs(10));
    assert_eq!(world.nodes[again].torrent.state(), TorrentState::Seeding);
    assert_eq!(world.nodes[again].blocks_received, world.blocks() - received);
}

#[test]
fn an_added_torrents_wishes_are_saved_and_a_restored_ones_are_not_written_again() {
    for (origin, saves) in [(Origin::Added, true), (Origin::Restored, false)] {
        let mut world = World::new(1, 100_000);
        let record = ResumeRecord { priorities: vec![Priority::High], ..ResumeRecord::default() };
        let node = world.add(StartingPoint { origin, record: Some(record), ..StartingPoint::default() });
        world.run(limits::SAVE_INTERVAL * 2);
        let saved = world.nodes[node].saved.as_ref().map(|record| record.priorities.clone());
        assert_eq!(saved, saves.then(|| vec![Priority::High]));
    }
}

#[test]
fn a_stop_writes_unfinished_blocks_saves_and_ends() {
    let mut world = World::new(1, 3_000_000);
    let (seed, leecher) = (world.add_seed(), world.add_leecher());
    let allowance = u64::from(BLOCK_BYTES) * 6;
    world.nodes[leecher]
        .torrent
        .handle(Time::ZERO, Input::Granted { up_bytes: None, down_bytes: Some(allowance) });
    world.connect(leecher, seed);
    world.run(Duration::from_millis(100));
    world.command(leecher, TorrentCommand::Stop);
    world.run(Duration::from_millis(100));
    assert_eq!(world.nodes[leecher].torrent.phase, Phase::Stopped);
    let record = world.nodes[leecher].saved.clone().unwrap();
    assert!(!record.partial.is_empty() && !record.paused);
}

#[test]
fn a_pause_closes_connections_and_a_resume_goes_on() {
    let mut world = World::new(1, 3_000_000);
    let (seed, leecher) = (world.add_seed(), world.add_leecher());
    world.command(leecher, TorrentCommand::Pause);
    world.connect(leecher, seed);
    world.run(Duration::from_secs(1));
    assert_eq!(world.nodes[leecher].blocks_received, 0);
    let runs = world.nodes[leecher].torrent.piece_runs(world.now);
    assert_eq!(runs.len(), 1);
    assert_eq!(runs.get(0).unwrap().blocked, Some(crate::contract::Blocked::Paused));
    world.command(leecher, TorrentCommand::Resume);
    world.connect(leecher, seed);
    world.run(Duration::from_secs(10));
    assert_eq!(world.nodes[leecher].torrent.state(), TorrentState::Seeding);
}

#[test]
fn rule_breakers_are_sent_away() {
    let bad = [
        Message::Have(PieceIndex(1_000_000)),
        Message::Bitfield(Bytes::from_static(&[0xff; 3])),
        Message::Request(BlockRequest { piece: PieceIndex(0), begin: u32::MAX, length: 16 }),
        Message::AllowedFast(PieceIndex(u32::MAX)),
    ];
    for message in bad {
        let mut world = World::new(1, 1_000_000);
        let (seed, leecher) = (world.add_seed(), world.add_leecher());
        world.connect(leecher, seed);
        world.run(Duration::from_millis(1));
        let connection = wire(leecher, seed);
        world.wires.push_back((leecher, Input::Messages { connection, messages: vec![message.clone()] }));
        world.run(Duration::from_millis(1));
        assert!(world.nodes[leecher].torrent.connections.is_empty(), "{message:?}");
    }
}
