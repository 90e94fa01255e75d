//! A fetch among honest, lying, rejecting and silent peers, in virtual time.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::BytesMut;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::*;
use crate::codec::extension::{self, Extension, ExtensionHandshake, MetadataMessage};
use crate::codec::peer::Message;
use crate::contract::Direction;
use crate::engine::io::NewConnection;
use crate::limits::BLOCK_BYTES;
use crate::units::{InfoHashV1, InfoHashV2};

/// The number under which the peers of these tests want `ut_metadata`.
const THEIR_ID: u8 = 9;

/// From our asking to their answer.
const LATENCY: Duration = Duration::from_millis(200);

/// How a peer behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Gives what it claims.
    Honest,
    /// Claims the right size and sends other bytes.
    WrongBytes,
    /// Claims another size, and sends zeros of it where it can.
    Size(i64),
    /// Says it has metadata and rejects every request.
    Rejects,
    /// Answers every request with this block.
    Repeats(u32),
    /// Introduces itself and says no more.
    Silent,
    /// Has no metadata.
    WithoutMetadata,
    /// Does not pick up.
    Dead,
}

/// One fetch, its peers and the clock.
struct World {
    fetch: MetadataFetch,
    dictionary: Vec<u8>,
    manners: Vec<Manner>,
    now: Time,
    /// What is on its way, and when it arrives.
    wires: VecDeque<(Time, Input)>,
    events: Vec<EventKind>,
    /// Requests that each peer got.
    asked: Vec<u32>,
    calls: Vec<SocketAddr>,
    saved: Vec<ResumeRecord>,
    stopped: bool,
}

fn dictionary(bytes: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(5);
    std::iter::repeat_with(|| rng.u8(..)).take(bytes).collect()
}

fn address(peer: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, u8::try_from(peer).unwrap()], 6881))
}

fn setup(magnet: Magnet) -> FetchSetup {
    FetchSetup {
        magnet,
        trackers: Vec::new(),
        peer_id: PeerId([1; 20]),
        listen_port: 6881,
        announce_key: 1,
        record: ResumeRecord::default(),
        seed: 7,
    }
}

impl World {
    fn new(bytes: usize, manners: &[Manner]) -> Self {
        let dictionary = dictionary(bytes);
        let info_hash_v1 = Some(InfoHashV1(Sha1::digest(&dictionary).into()));
        let peers = (0..manners.len()).map(address).collect();
        Self::of(Magnet { info_hash_v1, peers, ..Magnet::default() }, dictionary, manners)
    }

    fn of(magnet: Magnet, dictionary: Vec<u8>, manners: &[Manner]) -> Self {
        Self {
            fetch: MetadataFetch::new(Time::ZERO, setup(magnet)),
            dictionary,
            manners: manners.to_vec(),
            now: Time::ZERO,
            wires: VecDeque::new(),
            events: Vec::new(),
            asked: vec![0; manners.len()],
            calls: Vec::new(),
            saved: Vec::new(),
            stopped: false,
        }
    }

    /// Turns until nothing happens for `patience` of virtual time, or the metadata is here.
    fn run(&mut self, patience: Duration) -> Option<Bytes> {
        let end = self.now + patience;
        loop {
            self.turn();
            if let Some(found) = self.fetch.take_found() {
                return Some(found);
            }
            let deadline = self.fetch.next_deadline().map(|(at, _)| at);
            assert!(deadline.is_none_or(|at| at > self.now), "a passed deadline is waited for again");
            let arrival = self.wires.front().map(|(at, _)| *at);
            let next = deadline.into_iter().chain(arrival).min().filter(|at| *at <= end)?;
            self.now = self.now.max(next);
        }
    }

    fn turn(&mut self) {
        while let Some((_, input)) = self.wires.pop_front_if(|(at, _)| *at <= self.now) {
            self.fetch.handle(self.now, input);
        }
        self.fetch.end_turn(self.now);
        while let Some(effect) = self.fetch.poll_effect() {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Connect { address } => {
                self.calls.push(address);
                self.pick_up(address);
            }
            Effect::Send { connection, message: Message::Extended { id: THEIR_ID, payload } } => {
                let peer = usize::try_from(connection.0).unwrap() % 1000;
                if let MetadataMessage::Request { piece } = MetadataMessage::decode(&payload).unwrap() {
                    self.asked[peer] += 1;
                    self.answer(connection, self.manners[peer], piece);
                }
            }
            Effect::Send { message, .. } => {
                let harmless = matches!(message, Message::HaveNone | Message::KeepAlive)
                    || matches!(message, Message::Extended { id: extension::HANDSHAKE_ID, .. });
                assert!(harmless, "{message:?}");
            }
            Effect::Notify(event) => self.events.push(event),
            Effect::SaveResume { generation, record } => {
                self.saved.push(*record);
                self.arrives(Input::ResumeSaved { generation, result: Ok(()) });
            }
            Effect::Disconnect { connection } => {
                let of_other = |(_, input): &(Time, Input)| !matches!(input, Input::Messages { connection: of, .. } if *of == connection);
                self.wires.retain(of_other);
            }
            Effect::Stopped => self.stopped = true,
            other => panic!("{other:?}"),
        }
    }

    fn arrives(&mut self, input: Input) {
        self.wires.push_back((self.now + LATENCY, input));
    }

    fn pick_up(&mut self, address: SocketAddr) {
        let SocketAddr::V4(v4) = address else { panic!("{address}") };
        let peer = usize::from(v4.ip().octets()[3]);
        let manner = self.manners[peer];
        if manner == Manner::Dead {
            let reason = "refused".to_owned();
            return self.arrives(Input::ConnectFailed { address, reason });
        }
        let connection = ConnectionId((self.calls.len() * 1000 + peer) as u64);
        let mut reserved = [0; 8];
        crate::codec::handshake::FAST.set(&mut reserved);
        crate::codec::handshake::EXTENSION.set(&mut reserved);
        let peer_id = PeerId([u8::try_from(peer).unwrap() + 100; 20]);
        let direction = Direction::Outgoing;
        let new = NewConnection { connection, address, direction, peer_id, reserved };
        self.arrives(Input::Connected(new));
        let size = match manner {
            Manner::Size(size) => size,
            _ => i64::try_from(self.dictionary.len()).unwrap(),
        };
        let hello = match manner {
            Manner::WithoutMetadata => "d1:md11:ut_metadatai9eee".to_owned(),
            _ => format!("d1:md11:ut_metadatai{THEIR_ID}ee13:metadata_sizei{size}ee"),
        };
        // Whatever else a peer says must not matter.
        let messages = vec![
            Message::HaveAll,
            Message::Extended { id: extension::HANDSHAKE_ID, payload: hello.into() },
            Message::Have(crate::units::PieceIndex(4_000_000)),
            Message::Unchoke,
        ];
        self.arrives(Input::Messages { connection, messages });
    }

    fn answer(&mut self, connection: ConnectionId, manner: Manner, piece: u32) {
        let range = |piece: u32, bytes: usize| {
            let from = (piece * BLOCK_BYTES) as usize;
            from.min(bytes)..bytes.min(from + BLOCK_BYTES as usize)
        };
        let mut whole = self.dictionary.clone();
        let mut sent = piece;
        match manner {
            Manner::Honest => {}
            Manner::WrongBytes => whole.iter_mut().for_each(|byte| *byte ^= 1),
            Manner::Size(size) => whole = vec![0; usize::try_from(size).unwrap()],
            Manner::Repeats(block) => sent = block,
            Manner::Rejects => return self.say(connection, &MetadataMessage::Reject { piece }),
            Manner::Silent | Manner::WithoutMetadata | Manner::Dead => return,
        }
        let data = Bytes::copy_from_slice(&whole[range(sent, whole.len())]);
        let total_bytes = u32::try_from(whole.len()).unwrap();
        self.say(connection, &MetadataMessage::Data { piece: sent, total_bytes, data });
    }

    fn say(&mut self, connection: ConnectionId, message: &MetadataMessage) {
        let payload = message.encode().unwrap();
        let messages = vec![Message::Extended { id: Extension::UtMetadata.our_id(), payload }];
        self.arrives(Input::Messages { connection, messages });
    }

    fn cause(&self) -> Option<String> {
        self.fetch.row(0).cause.map(|cause| cause.raw().to_owned())
    }

    fn banned(&self) -> std::collections::BTreeSet<SocketAddr> {
        let of = |event: &EventKind| match event {
            EventKind::PeerBanned { address, .. } => Some(*address),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn several_honest_peers_share_the_work() {
    let mut world = World::new(20 * BLOCK_BYTES as usize + 5, &[Manner::Honest; 3]);
    let found = world.run(MINUTE);
    assert_eq!(found.as_deref(), Some(&world.dictionary[..]));
    assert!(world.asked.iter().all(|asked| *asked >= 5), "{:?}", world.asked);
    assert!(world.banned().is_empty());
}

#[test]
fn fault_77_nine_liars_are_named_and_the_tenth_peer_is_believed() {
    for place in [0, 4, 9] {
        let mut manners = [Manner::WrongBytes; 10];
        manners[place] = Manner::Honest;
        let mut world = World::new(3 * BLOCK_BYTES as usize + 100, &manners);
        let found = world.run(10 * MINUTE);
        assert_eq!(found.as_deref(), Some(&world.dictionary[..]), "honest at {place}");
        assert!(!world.banned().contains(&address(place)));
        // The first peer is asked for everything, so an honest one leaves no liar a chance.
        assert_eq!(world.banned().is_empty(), place == 0);
        assert_eq!(
            world.saved.last().unwrap().banned.len(),
            world.banned().len(),
            "the torrent knows them too"
        );
    }
}

#[test]
fn fault_77_liars_alone_are_all_banned_and_not_asked_again() {
    let mut world = World::new(2 * BLOCK_BYTES as usize, &[Manner::WrongBytes; 9]);
    assert_eq!(world.run(10 * MINUTE), None);
    assert_eq!(world.banned(), (0..9).map(address).collect());
    let asked = world.asked.clone();
    assert_eq!(world.run(60 * MINUTE), None);
    assert_eq!(world.asked, asked);
    assert_eq!(world.cause().as_deref(), Some("no_peers_known"));
}

#[test]
fn fault_76_wrong_sizes_cost_nothing_and_hold_nobody_up() {
    let sizes = [0, 1, 1 << 31, i64::from(limits::METADATA_BYTES_MAX) + 1, -1, 40_000, 10_000_000];
    let mut manners: Vec<Manner> = sizes.map(Manner::Size).to_vec();
    manners.push(Manner::Honest);
    let mut world = World::new(40 * BLOCK_BYTES as usize, &manners);
    let found = world.run(10 * MINUTE);
    assert_eq!(found.as_deref(), Some(&world.dictionary[..]));
    let never_asked = [0, 2, 3, 4].map(|peer| world.asked[peer]);
    assert_eq!(never_asked, [0; 4], "sizes that cannot be are no offer");
    assert!(!world.banned().contains(&address(7)));
}

#[test]
fn fault_78_who_rejects_everything_is_asked_again_after_a_minute() {
    let mut world = World::new(BLOCK_BYTES as usize, &[Manner::Rejects]);
    assert_eq!(world.run(Duration::from_secs(30)), None);
    let (asked, rejected_at) = (world.asked[0], world.now);
    assert!(asked > 0);
    assert_eq!(world.cause().as_deref(), Some("peers_without_metadata"));
    world.manners[0] = Manner::Honest;
    assert!(world.run(2 * MINUTE).is_some());
    assert!(world.now.since(rejected_at) >= limits::METADATA_RETRY / 2);
}

#[test]
fn fault_78_others_give_what_silent_rejecting_and_repeating_peers_do_not() {
    let manners = [Manner::Rejects, Manner::Repeats(3), Manner::Silent, Manner::Honest];
    let mut world = World::new(30 * BLOCK_BYTES as usize, &manners);
    let found = world.run(5 * MINUTE);
    assert_eq!(found.as_deref(), Some(&world.dictionary[..]));
}

#[test]
fn a_huge_claim_takes_memory_only_for_blocks_that_came() {
    let mut world = World::new(BLOCK_BYTES as usize, &[Manner::Silent; 3]);
    world.manners = vec![Manner::Size(i64::from(limits::METADATA_BYTES_MAX)); 3];
    world.run(Duration::from_secs(2));
    let held: usize = world.fetch.assemblies.values().map(Assembly::bytes).sum();
    assert!(held > 0 && held < limits::METADATA_BYTES_MAX as usize / 4, "{held}");
}

#[test]
fn the_largest_claim_goes_when_memory_is_short() {
    let mut world = World::new(BLOCK_BYTES as usize, &[]);
    for (total_bytes, blocks) in [(40 << 20, 2500), (44 << 20, 2500), (1 << 20, 3)] {
        let assembly = world.fetch.assemblies.entry(Claim { total_bytes, alone: None }).or_default();
        (0..blocks).for_each(|block| assembly.put(block, address(1), &[0; BLOCK_BYTES as usize]));
    }
    world.turn();
    let left: Vec<u32> = world.fetch.assemblies.keys().map(|claim| claim.total_bytes).collect();
    assert_eq!(left, [1 << 20, 40 << 20]);
}

#[test]
fn a_v2_magnet_is_judged_by_its_sha_256() {
    let dictionary = dictionary(20_000);
    let info_hash_v2 = Some(InfoHashV2(Sha256::digest(&dictionary).into()));
    let peers = vec![address(0), address(1)];
    let magnet = Magnet { info_hash_v2, peers, ..Magnet::default() };
    let mut world = World::of(magnet, dictionary, &[Manner::WrongBytes, Manner::Honest]);
    assert_eq!(world.run(MINUTE).as_deref(), Some(&world.dictionary[..]));
}

#[test]
fn the_wait_has_a_cause() {
    let mut world = World::new(3 * BLOCK_BYTES as usize, &[]);
    world.run(MINUTE);
    assert_eq!(world.cause().as_deref(), Some("no_peers_known"));
    let mut world = World::new(3 * BLOCK_BYTES as usize, &[Manner::Dead]);
    world.run(MINUTE);
    assert_eq!(world.cause().as_deref(), Some("no_peer_reachable"));
    let mut world = World::new(3 * BLOCK_BYTES as usize, &[Manner::WithoutMetadata]);
    world.run(MINUTE);
    assert_eq!(world.cause().as_deref(), Some("peers_without_metadata"));
    let mut world = World::new(3 * BLOCK_BYTES as usize, &[Manner::Repeats(1)]);
    world.run(Duration::from_secs(5));
    assert_eq!(world.cause().as_deref(), Some("1 of 3 blocks"));
}

#[test]
fn a_paused_fetch_talks_to_nobody_and_goes_on_when_resumed() {
    let mut world = World::new(3 * BLOCK_BYTES as usize, &[Manner::Silent]);
    world.run(Duration::from_secs(1));
    world.fetch.handle(world.now, Input::Command(TorrentCommand::Pause));
    let calls = world.calls.len();
    assert_eq!(world.run(10 * MINUTE), None);
    assert_eq!((world.calls.len(), world.fetch.state()), (calls, TorrentState::Paused));
    assert!(world.saved.last().unwrap().paused);
    world.manners[0] = Manner::Honest;
    world.fetch.handle(world.now, Input::Command(TorrentCommand::Resume));
    assert!(world.run(MINUTE).is_some());
    assert!(!world.saved.last().unwrap().paused);
}

#[test]
fn a_stop_saves_and_ends() {
    let mut world = World::new(3 * BLOCK_BYTES as usize, &[Manner::Silent]);
    world.run(Duration::from_secs(1));
    world.fetch.handle(world.now, Input::Command(TorrentCommand::Stop));
    world.run(Duration::from_secs(1));
    assert!(world.stopped);
    let last = world.saved.last().unwrap();
    assert_eq!((last.paused, &last.peers[..]), (false, &[address(0)][..]));
}

#[test]
fn what_cannot_be_used_is_an_error_until_resumed() {
    let mut world = World::new(100, &[Manner::Honest]);
    assert!(world.run(MINUTE).is_some());
    world.fetch.refuse(world.now, "it is broken");
    world.turn();
    assert_eq!((world.fetch.state(), world.cause().as_deref()), (TorrentState::Error, Some("it is broken")));
    world.fetch.handle(world.now, Input::Command(TorrentCommand::Resume));
    assert!(world.run(MINUTE).is_some());
}

#[test]
fn our_introduction_offers_metadata_exchange_and_claims_nothing() {
    let mut world = World::new(100, &[Manner::Silent]);
    world.pick_up(address(0));
    let (_, input) = world.wires.pop_front().unwrap();
    world.fetch.handle(world.now, input);
    let said = std::iter::from_fn(|| world.fetch.poll_effect()).find_map(|effect| match effect {
        Effect::Send { message: Message::Extended { id: 0, payload }, .. } => Some(payload),
        _ => None,
    });
    let said = ExtensionHandshake::decode(&said.unwrap()).unwrap();
    assert_eq!((&said.ids[..], said.metadata_bytes), (&[(Extension::UtMetadata, 2)][..], None));
    let mut flood = BytesMut::new();
    flood.extend_from_slice(b"not bencode");
    let messages = vec![Message::Extended { id: 2, payload: flood.freeze() }];
    world.fetch.handle(world.now, Input::Messages { connection: ConnectionId(0), messages });
    assert!(world.fetch.connections.is_empty(), "a peer that breaks the protocol is sent away");
}
