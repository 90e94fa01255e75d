//! Peers that are slow, silent, fickle or alone.

use std::time::Duration;

use super::*;
use crate::limits;
use crate::sim::manners::{Flood, Holding};
use crate::units::Time;

/// More blocks than go out to a new peer at first, in pieces of two blocks.
const PIECES: u32 = 24;

fn snubs(world: &World, id: NodeId, peer: NodeId) -> Vec<u32> {
    let requests = |event: &EventKind| match event {
        EventKind::PeerSnubbed { address, requests } if *address == address_of(peer) => Some(*requests),
        _ => None,
    };
    world.node(id).events().iter().filter_map(requests).collect()
}

#[test]
fn fault_01_a_peer_that_never_answers_is_snubbed_and_its_blocks_come_from_others() {
    for fast in [true, false] {
        let manners = Manners { fast, ..mute() };
        let (mut world, leecher, silent) = leecher_and(1, &Shape::pieces(PIECES), manners);
        world.pass(limits::REQUEST_TIMEOUT - MOMENT);
        assert_eq!(snubs(&world, leecher, silent), [0; 0]);
        world.pass(limits::HOUSEKEEPING + MOMENT * 2);
        assert_eq!(snubs(&world, leecher, silent), [limits::PIPELINE_START]);
        // Told, so that it does not send them all beside what it is asked for next.
        assert_eq!(world.cancelled_at(silent).len(), limits::PIPELINE_START as usize);
        let seed = world.add_puppet(Manners::seed());
        world.introduce(leecher, seed);
        world.completes(leecher, limits::REQUEST_TIMEOUT);
        assert!(world.now() < Time::ZERO + limits::REQUEST_TIMEOUT * 2);
    }
}

#[test]
fn fault_02_the_only_peer_overdue_is_the_cause_and_it_goes_on_when_it_sends() {
    let (mut world, leecher, silent) = leecher_and(2, &Shape::pieces(PIECES), mute());
    world.pass(limits::REQUEST_TIMEOUT / 2);
    assert_eq!(world.cause(leecher), None);
    world.pass(limits::REQUEST_TIMEOUT);
    for _ in 0..3 {
        assert_eq!(world.cause(leecher).as_deref(), Some("requests_overdue"));
        let row = world.row(leecher);
        assert_eq!((row.peers.connected, row.requests_in_flight), (1, 1), "one request stays out");
        world.pass(limits::REQUEST_TIMEOUT);
    }
    world.set_manners(silent, |manners| manners.answers = Answers::Right);
    world.completes(leecher, Duration::from_secs(1));
}

/// The slow one gives a block in eight seconds and hears no cancel, so what it holds comes late and in vain.
#[test]
fn fault_03_end_game_asks_a_second_peer_and_counts_what_comes_twice_as_waste() {
    let most: Vec<PieceIndex> = (0..3).map(PieceIndex).collect();
    let slow = Manners {
        holding: Holding::Pieces(most.clone()),
        answers: Answers::Trickle(Duration::from_secs(8)),
        heeds_cancels: false,
        ..Manners::seed()
    };
    let (mut world, leecher, slow) = leecher_and(3, &Shape::pieces(4), slow);
    world.pass(Duration::from_secs(1));
    let quick = world.add_puppet(Manners { holding: Holding::Pieces(most), ..Manners::seed() });
    world.introduce(leecher, quick);
    let all_three = |world: &World| world.row(leecher).pieces.have == 3;
    world.reach(Duration::from_secs(2), "through the end-game", all_three);
    assert_eq!(world.asked_of(quick).len(), 5, "all but the one that the slow peer gave");
    assert_eq!(world.row(leecher).wasted_bytes, 0);
    world.pass(Duration::from_secs(8 * 5 + 1));
    assert_eq!(world.row(leecher).wasted_bytes, 5 * u64::from(BLOCK_BYTES));
    assert!(world.is_connected(leecher, slow), "late is no offence");
    assert_eq!(snubs(&world, leecher, slow), [0; 0]);
    world.puppet_piece(quick, PieceIndex(3), true);
    world.completes(leecher, Duration::from_secs(1));
}

#[test]
fn fault_07_a_choke_frees_all_requests_at_once_and_with_the_fast_extension_after_the_rejects() {
    for (fast, heeds) in [(false, true), (true, true), (true, false)] {
        let (mut world, leecher, fickle) = leecher_and(7, &Shape::pieces(PIECES), Manners { fast, ..mute() });
        world.pass(Duration::from_secs(1));
        let asked: Vec<BlockRequest> = world.asked_of(fickle).iter().map(|(_, request)| *request).collect();
        assert_eq!(world.row(leecher).requests_in_flight, limits::PIPELINE_START);
        world.puppet_says(fickle, &[Message::Choke]);
        world.pass(Duration::from_millis(5));
        if fast {
            assert_eq!(
                world.row(leecher).requests_in_flight,
                limits::PIPELINE_START,
                "each is still answered"
            );
            assert_eq!(world.cause(leecher), None);
        }
        if fast && heeds {
            let rejects: Vec<Message> = asked.iter().copied().map(Message::Reject).collect();
            world.puppet_says(fickle, &rejects);
            world.pass(Duration::from_millis(5));
        } else if fast {
            // No rejects: the wait for them ends like that for the blocks.
            world.pass(limits::REQUEST_TIMEOUT);
            assert_eq!(snubs(&world, leecher, fickle), [limits::PIPELINE_START]);
        }
        assert_eq!(world.row(leecher).requests_in_flight, 0);
        assert_eq!(world.cause(leecher).as_deref(), Some("all_peers_choke_us"));
        assert!(world.is_connected(leecher, fickle));
        let seed = world.add_puppet(Manners::seed());
        world.introduce(leecher, seed);
        world.completes(leecher, Duration::from_secs(2));
        assert_eq!(world.asked_of(fickle).len(), asked.len(), "nothing is asked while choked");
    }
}

#[test]
fn fault_08_a_peer_that_rejects_everything_is_dropped_with_the_reason() {
    let rejects = Manners { answers: Answers::Reject, ..Manners::seed() };
    let (mut world, leecher, peer) = leecher_and(8, &Shape::pieces(PIECES), rejects);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.goodbyes(leecher, peer), ["rejects everything"]);
    let most = limits::REJECTS_MAX + limits::PIPELINE_START;
    assert!(world.asked_of(peer).len() <= most as usize, "{}", world.asked_of(peer).len());

    // Rejects of what nobody asked for.
    let flood = Manners { flood: Some(Flood::Rejects), ..mute() };
    let (mut world, leecher, peer) = leecher_and(8, &Shape::pieces(PIECES), flood);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.goodbyes(leecher, peer), ["rejects everything"]);
    let seed = world.add_puppet(Manners::seed());
    world.introduce(leecher, seed);
    world.completes(leecher, Duration::from_secs(2));
}

#[test]
fn fault_11_requests_for_a_piece_that_a_peer_lost_go_to_others() {
    let (mut world, leecher, loser) = leecher_and(11, &Shape::pieces(8), mute());
    world.pass(MOMENT);
    let asked: Vec<BlockRequest> = world.asked_of(loser).iter().map(|(_, request)| *request).collect();
    assert_eq!(asked.len(), 16, "all blocks are on the wire to it");
    let other = world.add_puppet(late_seed(MOMENT));
    world.introduce(leecher, other);
    world.pass(MOMENT / 2);
    for piece in (0..4).map(PieceIndex) {
        world.puppet_piece(loser, piece, false);
    }
    world.pass(Duration::from_millis(5));
    assert_eq!(world.row(leecher).requests_in_flight, 8);
    world.pass(MOMENT);
    let lost = asked.iter().filter(|request| request.piece < PieceIndex(4));
    assert!(lost.clone().all(|block| world.asked_of(other).iter().any(|(_, asked)| asked == block)));
    // It sends them all the same, late.
    let late: Vec<Message> = lost
        .map(|block| piece_message(*block, world.payload().range(block.piece, block.begin, block.length)))
        .collect();
    world.puppet_says(loser, &late);
    world.completes(leecher, Duration::from_secs(2));
    assert_eq!(world.goodbyes(leecher, loser), ["both are complete"; 0]);
}

#[test]
fn fault_25_blocks_of_a_peer_that_closes_before_the_end_of_every_piece_are_kept() {
    let (pieces, piece_bytes) = (4, 16 * BLOCK_BYTES);
    let shape = Shape {
        files: vec![u64::from(pieces * piece_bytes)],
        piece_length: piece_bytes,
        ..Shape::pieces(pieces)
    };
    let manners = Manners { closes_after_blocks: Some(15), ..Manners::seed() };
    let (mut world, leecher, _) = leecher_and(25, &shape, manners);
    world.completes(leecher, Duration::from_secs(60));
    let row = world.row(leecher);
    assert_eq!((row.downloaded_bytes, row.wasted_bytes), (world.payload().len(), 0), "no block came twice");
    let called = world.node(leecher).calls().len();
    assert_eq!(called, 5, "64 blocks, 15 with each call");
}
