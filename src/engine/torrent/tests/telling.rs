//! What a torrent tells of itself and its peers to a report.

use super::*;
use crate::engine::io::{ReadRequest, ReaderId};

fn seconds(vitals: &crate::contract::PeerVitals) -> (u64, u64) {
    (vitals.interested_s, vitals.expecting_s)
}

#[test]
fn blocks_are_counted_at_both_ends_and_interest_ends_with_the_download() {
    let mut world = World::new(3, 700_000);
    let (seed, leecher) = (world.add_seed(), world.add_leecher());
    // Two who have everything would part.
    world.command(leecher, TorrentCommand::SetPriority(vec![(FileIndex(2), Priority::Off)]));
    world.connect(leecher, seed);
    world.run(Duration::from_secs(10));
    let blocks = world.nodes[leecher].blocks_received;
    assert!((80..world.blocks()).contains(&blocks), "two of three files: {blocks}");
    let vitals = world.nodes[leecher].torrent.vitals(world.now);
    let peer = &vitals.peers[0];
    assert_eq!((peer.blocks_in, peer.blocks_useful, peer.blocks_out), (blocks, blocks, 0));
    assert!(peer.last_useful_s.is_some_and(|seconds| seconds >= 8), "{peer:?}");
    assert!(seconds(peer).0 <= 1, "all came at once, and then it had nothing for us: {peer:?}");
    assert_eq!((peer.pieces_touched, &peer.requested[..]), (0, &[][..]));
    assert_eq!(peer.peer_id.raw(), "\\x00".repeat(20));
    assert_eq!(peer.reserved.names, ["ltep", "fast"]);
    let count = world.payload.info.piece_count();
    assert_eq!(vitals.availability, [(1, count)]);
    assert_eq!(vitals.order_length, 0);
    assert_eq!(vitals.metadata_bytes, Some(world.payload.info.raw().len() as u64));
    let other_end = world.nodes[seed].torrent.vitals(world.now);
    assert_eq!((other_end.peers[0].blocks_out, other_end.peers[0].blocks_in), (blocks, 0));
}

#[test]
fn of_a_peer_that_does_not_answer_it_is_told_what_it_is_asked_for_and_since_when() {
    let mut world = World::new(1, 1_000_000);
    let (seed, leecher) = (world.add_seed(), world.add_leecher());
    world.nodes[seed].mute = true;
    world.connect(leecher, seed);
    let reader = ReaderId(1);
    let read = ReadRequest { reader, file: FileIndex(0), offset: 0, bytes_max: 1, ahead_bytes: 70_000 };
    world.command(leecher, TorrentCommand::Read(read));
    world.run(Duration::from_secs(4));
    let vitals = world.nodes[leecher].torrent.vitals(world.now);
    let peer = &vitals.peers[0];
    let asked: u32 = peer.requested.iter().map(|(_, blocks)| *blocks).sum();
    assert_eq!(asked, world.nodes[leecher].torrent.peer_rows(world.now)[0].requests_out);
    assert!(asked > 0);
    assert_eq!(seconds(peer), (3, 3), "{peer:?}");
    assert_eq!(peer.last_useful_s, None);
    assert_eq!(vitals.readers, [(PieceIndex(0), PieceIndex(1))]);
    assert!(vitals.next_deadline.is_some());
}

#[test]
fn a_piece_with_a_block_of_a_peer_counts_for_it_until_it_is_stored() {
    let mut world = World::new(1, 1_000_000);
    let (seed, leecher) = (world.add_seed(), world.add_leecher());
    world.nodes[leecher].stores_hang = true;
    let grant = Input::Granted { up_bytes: None, down_bytes: Some(2 * u64::from(BLOCK_BYTES)) };
    let touched = |world: &World| {
        let node = &world.nodes[leecher];
        (node.blocks_received, node.torrent.vitals(world.now).peers[0].pieces_touched)
    };
    world.wires.push_back((leecher, grant.clone()));
    world.connect(leecher, seed);
    world.run(Duration::from_secs(1));
    assert_eq!(touched(&world), (2, 1), "in the middle of a piece");
    world.wires.push_back((leecher, grant));
    world.run(Duration::from_secs(1));
    let mut pieces = (0..world.payload.info.piece_count()).map(PieceIndex);
    let storing = |piece: &PieceIndex| {
        world.nodes[leecher].torrent.pieces.state(*piece) == super::super::pieces::PieceState::Storing
    };
    let piece = pieces.find(storing).expect("four blocks are a piece");
    assert_eq!(touched(&world), (4, 1), "while it is stored");
    world.wires.push_back((leecher, Input::PieceStored { piece }));
    world.settle();
    assert_eq!(touched(&world), (4, 0), "it is here");
}

#[test]
fn a_liar_is_counted_with_its_blocks_and_banned() {
    let mut world = World::new(1, 300_000);
    let (liar, leecher) = (world.add_seed(), world.add_leecher());
    world.nodes[liar].lies = true;
    world.connect(leecher, liar);
    world.run(Duration::from_secs(1));
    let row = world.nodes[leecher].torrent.row(world.now, 0);
    assert!(row.hash_failures >= 1, "{row:?}");
    assert_eq!(row.peers.banned, 1);
    assert_eq!(row.hash_failures, events_of_failed_pieces(&world.nodes[leecher]));
}

fn events_of_failed_pieces(node: &Node) -> u64 {
    let failed = node.events.iter().filter(|event| matches!(event, EventKind::PieceFailed { .. }));
    failed.count() as u64
}
