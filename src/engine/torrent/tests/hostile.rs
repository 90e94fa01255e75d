//! Peers that ask for or tell more than anybody needs, and a disk that fails.

use super::*;
use crate::codec::extension::{self, Extension, ExtensionHandshake, MetadataMessage};
use crate::contract::Untrusted;
use crate::engine::io::{DiskError, DiskErrorKind};

fn metadata_request(piece: u32) -> Message {
    let payload = MetadataMessage::Request { piece }.encode().unwrap();
    Message::Extended { id: Extension::UtMetadata.our_id(), payload }
}

/// A seed and a stranger who has said how it wants the metadata. The metadata is one block.
fn seed_and_stranger() -> (World, usize, ConnectionId) {
    let mut world = World::new(1, 100_000);
    let (seed, stranger) = (world.add_seed(), world.add_leecher());
    let connection = wire(seed, stranger);
    world.connect(stranger, seed);
    let said = ExtensionHandshake { ids: vec![(Extension::UtMetadata, 9)], ..ExtensionHandshake::default() };
    let hello = Message::Extended { id: extension::HANDSHAKE_ID, payload: said.encode() };
    world.wires.push_back((seed, Input::Messages { connection, messages: vec![hello] }));
    (world, seed, connection)
}

#[test]
fn a_peer_that_asks_for_the_metadata_over_and_over_is_sent_away() {
    for piece in [0, u32::MAX] {
        let (mut world, seed, connection) = seed_and_stranger();
        let messages = vec![metadata_request(piece); limits::METADATA_ASKS_MAX as usize];
        world.wires.push_back((seed, Input::Messages { connection, messages }));
        world.settle();
        assert!(world.nodes[seed].torrent.connections.contains_key(&connection), "so often is no offence");
        let once_more = vec![metadata_request(piece)];
        world.wires.push_back((seed, Input::Messages { connection, messages: once_more }));
        world.settle();
        assert!(!world.nodes[seed].torrent.connections.contains_key(&connection));
    }
}

#[test]
fn a_later_bitfield_adds_pieces_and_only_endless_ones_are_a_breach() {
    let mut world = World::new(1, 1_000_000);
    let (peer, us) = (world.add_leecher(), world.add_leecher());
    world.connect(us, peer);
    // The peer's end is this test.
    world.wires.pop_back();
    world.run(Duration::from_millis(1));
    let connection = wire(us, peer);
    let mut bits = crate::engine::bits::Bits::empty(world.payload.info.piece_count());
    for piece in [1, 3].map(PieceIndex) {
        bits.set(piece, true);
        let messages = vec![Message::Bitfield(Bytes::from(bits.to_wire()))];
        world.wires.push_back((us, Input::Messages { connection, messages }));
        world.run(Duration::from_millis(1));
        assert!(world.nodes[us].torrent.connections[&connection].have.has(piece));
    }
    let messages = vec![Message::HaveNone; limits::STALE_BITFIELDS_MAX as usize];
    world.wires.push_back((us, Input::Messages { connection, messages }));
    world.run(Duration::from_millis(1));
    assert_eq!(world.nodes[us].torrent.connections[&connection].have.count(), 2, "nothing is taken back");
    world.wires.push_back((us, Input::Messages { connection, messages: vec![Message::HaveNone] }));
    world.run(Duration::from_millis(1));
    assert!(world.nodes[us].torrent.connections.is_empty());
}

#[test]
fn a_full_disk_is_told_once_however_many_writes_it_fails() {
    let mut world = World::new(1, 100_000);
    let leecher = world.add_leecher();
    let error = || DiskError { kind: DiskErrorKind::Full, message: Untrusted::new("no space; free some") };
    world.settle();
    (0..3).for_each(|_| world.nodes[leecher].torrent.disk_trouble(world.now, error()));
    world.command(leecher, TorrentCommand::Announce);
    world.settle();
    let told =
        world.nodes[leecher].events.iter().filter(|event| matches!(event, EventKind::DiskFailed { .. }));
    assert_eq!(told.count(), 1);
}

#[test]
fn silent_callers_cannot_keep_the_door_shut() {
    let mut world = World::new(1, 100_000);
    let seed = world.add_seed();
    let caller = |number: u64| {
        let mut id = [0xee; 20];
        id[..8].copy_from_slice(&number.to_be_bytes());
        Input::Connected(NewConnection {
            connection: ConnectionId(1_000_000 + number),
            address: SocketAddr::from(([10, 9, 9, 9], 1000 + u16::try_from(number).unwrap())),
            direction: Direction::Incoming,
            peer_id: PeerId(id),
            reserved: [0; 8],
        })
    };
    let torrent = &mut world.nodes[seed].torrent;
    let full = limits::CONNECTIONS_PER_TORRENT_MAX as u64;
    (0..full + 50).for_each(|number| torrent.handle(Time::ZERO, caller(number)));
    assert_eq!(torrent.connections.len(), limits::CONNECTIONS_PER_TORRENT_MAX);
    let later = Time::ZERO + limits::NEWCOMER_GRACE;
    torrent.handle(later, caller(full + 100));
    assert!(torrent.connections.contains_key(&ConnectionId(1_000_000 + full + 100)));
    assert_eq!(torrent.connections.len(), limits::CONNECTIONS_PER_TORRENT_MAX);
}

#[test]
fn a_new_download_limit_takes_back_what_was_asked_for_before_it() {
    let mut world = World::new(1, 3_000_000);
    let (mute, leecher) = (world.add_seed(), world.add_leecher());
    world.nodes[mute].mute = true;
    world.connect(leecher, mute);
    world.run(Duration::from_millis(1));
    let on_the_wire = |world: &World| world.nodes[leecher].torrent.row(world.now, 0).requests_in_flight;
    assert!(on_the_wire(&world) > limits::PIPELINE_MIN);
    world.wires.push_back((leecher, Input::Granted { up_bytes: None, down_bytes: Some(0) }));
    world.run(Duration::from_millis(1));
    assert_eq!(on_the_wire(&world), limits::PIPELINE_MIN);
    assert_eq!(world.nodes[leecher].torrent.row(world.now, 0).cause.unwrap().raw(), "rate_limit");
}

#[test]
fn rejects_that_answer_our_own_cancels_are_no_offence() {
    let mut world = World::new(1, 500 * BLOCK_BYTES as usize);
    let (mute, leecher) = (world.add_seed(), world.add_leecher());
    world.nodes[mute].mute = true;
    world.connect(leecher, mute);
    world.run(Duration::from_millis(1));
    let connection = wire(leecher, mute);
    // A pipeline that has grown: blocks that came raise it.
    let asked = |world: &World| -> Vec<BlockRequest> {
        let peer = &world.nodes[leecher].torrent.connections[&connection];
        let range = |request: &crate::engine::peers::requests::Outstanding| BlockRequest {
            piece: request.piece,
            begin: request.block.0 * BLOCK_BYTES,
            length: BLOCK_BYTES,
        };
        peer.requests.iter().map(range).collect()
    };
    for _ in 0..3 {
        for BlockRequest { piece, begin, length } in asked(&world) {
            let data = Bytes::copy_from_slice(world.payload.range(piece, begin, length));
            let messages = vec![Message::Piece { piece, begin, data }];
            world.wires.push_back((leecher, Input::Messages { connection, messages }));
        }
        world.run(Duration::from_millis(1));
    }
    let before = asked(&world);
    assert!(before.len() > 2 * limits::REJECTS_MAX as usize, "{}", before.len());
    world.wires.push_back((leecher, Input::Granted { up_bytes: None, down_bytes: Some(0) }));
    world.run(Duration::from_millis(1));
    let messages = before.into_iter().skip(limits::PIPELINE_MIN as usize).map(Message::Reject).collect();
    world.wires.push_back((leecher, Input::Messages { connection, messages }));
    world.run(Duration::from_millis(1));
    assert!(
        world.nodes[leecher].torrent.connections.contains_key(&connection),
        "{:?}",
        world.nodes[leecher].events
    );
}
