//! Peers that give wrong bytes.

use std::time::Duration;

use super::*;
use crate::codec::extension::{self, ExtensionHandshake};
use crate::limits;
use crate::sim::manners::Flood;
use crate::sim::network::LinkQuality;

fn liar(one_in: u32) -> Manners {
    Manners { answers: Answers::Corrupt { one_in }, ..Manners::seed() }
}

/// Queues one request at a time, so that several peers give blocks of each piece.
fn one_by_one(manners: Manners) -> Manners {
    let said = ExtensionHandshake { requests_max: Some(1), ..ExtensionHandshake::default() };
    let hello = Message::Extended { id: extension::HANDSHAKE_ID, payload: said.encode() };
    Manners { flood: Some(Flood::Once(vec![hello])), ..manners }
}

fn failures(world: &World, id: NodeId) -> usize {
    world.told(id, |event| matches!(event, EventKind::PieceFailed { .. }))
}

#[test]
fn fault_04_a_peer_with_a_wrong_block_in_each_piece_is_banned_and_stays_so_after_a_restart() {
    let (mut world, leecher, bad) = leecher_and(4, &Shape::pieces(24), liar(2));
    let good = world.add_puppet(Manners::seed());
    world.introduce(leecher, good);
    world.completes(leecher, Duration::from_secs(10));
    assert_eq!(world.banned(leecher), [bad]);
    assert!((1..=4).contains(&failures(&world, leecher)), "{}", failures(&world, leecher));
    world.pass(limits::SAVE_INTERVAL * 2);
    let asked = world.asked_of(bad).len();
    world.crash(leecher);
    world.lose(leecher, PieceIndex(0));
    world.command(leecher, crate::engine::io::TorrentCommand::Recheck);
    world.introduce(leecher, bad);
    world.puppet_calls(bad, leecher);
    world.introduce(leecher, good);
    world.completes(leecher, Duration::from_secs(10));
    assert_eq!(world.goodbyes(leecher, bad).last().map(String::as_str), Some("banned"));
    assert_eq!(world.asked_of(bad).len(), asked);
}

#[test]
fn fault_05_of_several_who_gave_a_piece_only_the_bad_one_is_banned() {
    let shape = Shape { piece_length: 8 * BLOCK_BYTES, ..Shape::pieces(32) };
    for seed in 0..10 {
        let (mut world, leecher, bad) = leecher_and(seed, &shape, one_by_one(liar(3)));
        // So long that the others come before the first has given a whole piece.
        world.set_quality(LinkQuality { latency: Duration::from_millis(20), ..LinkQuality::NEAR });
        let good: Vec<NodeId> = (0..2).map(|_| world.add_puppet(one_by_one(Manners::seed()))).collect();
        good.iter().for_each(|peer| world.introduce(leecher, *peer));
        world.completes(leecher, Duration::from_secs(60));
        let shared = world.told(
            leecher,
            |event| matches!(event, EventKind::PieceFailed { contributors, .. } if *contributors > 1),
        );
        assert!(shared > 0, "seed {seed}: no failed piece had several contributors");
        assert_eq!(world.banned(leecher), [bad], "seed {seed}");
    }
}

#[test]
fn fault_06_where_all_peers_lie_each_is_banned_and_nothing_goes_round_in_circles() {
    for shared in [false, true] {
        let manners = |one_in| if shared { one_by_one(liar(one_in)) } else { liar(one_in) };
        let (mut world, leecher, first) = leecher_and(6, &Shape::pieces(12), manners(1));
        let second = world.add_puppet(manners(1));
        world.introduce(leecher, second);
        world.reach(Duration::from_secs(60), "rid of both", |world| world.banned(leecher).len() == 2);
        world.pass(MOMENT);
        let (row, calls) = (world.row(leecher), world.node(leecher).calls().len());
        assert_eq!(row.peers.connected, 0);
        assert!(row.wasted_bytes <= 2 * world.payload().len(), "{}", row.wasted_bytes);
        assert_eq!(world.cause(leecher).as_deref(), Some("all_peers_banned"));
        world.set_look_every(Duration::from_secs(1));
        for _ in 0..10 {
            [first, second].into_iter().for_each(|liar| world.puppet_calls(liar, leecher));
            world.pass(Duration::from_secs(30));
        }
        let after = world.row(leecher);
        assert_eq!(after.downloaded_bytes, row.downloaded_bytes);
        assert_eq!(world.node(leecher).calls().len(), calls, "nobody banned is called");
        let good = world.add_puppet(Manners::seed());
        world.introduce(leecher, good);
        world.completes(leecher, Duration::from_secs(10));
    }
}
