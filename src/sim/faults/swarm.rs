//! Addresses where nobody answers, bad lines, and who is served.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::contract::PeerSource;
use crate::engine::io::Input;
use crate::limits;
use crate::sim::manners::Holding;
use crate::sim::network::LinkQuality;
use crate::units::Time;

/// An address where nobody is. It is called before those where somebody is, for it is smaller.
fn dead(number: u32) -> SocketAddr {
    let [_, a, b, c] = number.to_be_bytes();
    SocketAddr::from(([1, a, b, c], 6881))
}

fn found(world: &mut World, id: NodeId, source: PeerSource, addresses: Vec<SocketAddr>) {
    world.turn(id, Input::PeersFound { source, addresses });
}

/// A caller learns why a call failed and makes no difference of it: refused at once, unreachable, or swallowed. How many
/// failed of what kind is not counted; the log has a line for each address that a person named.
#[test]
fn fault_16_an_address_that_fails_is_called_three_times_with_a_growing_wait() {
    for refusal in [Duration::ZERO, Duration::from_millis(300), limits::CONNECT_TIMEOUT] {
        let mut world = World::new(16, &Shape::pieces(2));
        world.set_look_every(Duration::from_secs(5));
        world.set_refusal_takes(refusal);
        let us = world.add_engine(EngineOptions::leecher());
        found(&mut world, us, PeerSource::Tracker, vec![dead(1)]);
        world.pass(Duration::from_secs(1800));
        let at: Vec<Duration> = world.node(us).calls().iter().map(|(at, _)| at.since(Time::ZERO)).collect();
        assert_eq!(at.len(), limits::CONNECT_FAILS_MAX as usize, "{at:?}");
        for (pair, fails) in at.windows(2).zip(1..) {
            assert!(pair[1] - pair[0] >= limits::RECONNECT * fails, "{at:?}");
        }
        let row = world.row(us);
        assert_eq!((row.peers.known, row.peers.half_open), (0, 0), "it is forgotten");
        assert_eq!(world.cause(us).as_deref(), Some("no_peers_known"));
        // Of an address that a person named each failure is told, with its reason, and it is never given up.
        found(&mut world, us, PeerSource::Manual, vec![dead(2)]);
        world.pass(Duration::from_secs(300));
        let told = world.told(us, |event| {
            matches!(event, EventKind::PeerGone { reason, .. } if reason.raw() == "not reached: nobody there")
        });
        assert!((7..=20).contains(&told), "{told}");
        assert_eq!(world.cause(us).as_deref(), Some("no_peer_reachable"));
    }
}

#[test]
fn fault_17_ten_that_live_are_found_among_five_thousand_dead_within_five_minutes() {
    let mut world = World::new(17, &Shape::pieces(12));
    world.set_look_every(Duration::from_secs(5));
    world.set_audit_every(100);
    let us = world.add_engine(EngineOptions::leecher());
    // None can give everything, so that each is needed.
    let lone = |piece| Manners { holding: Holding::Pieces(vec![PieceIndex(piece)]), ..Manners::seed() };
    let alive: Vec<NodeId> = (0..10).map(|piece| world.add_puppet(lone(piece))).collect();
    // A first answer fills the book; those that live come in a later one.
    let first: Vec<SocketAddr> = (0..4_000).map(dead).collect();
    found(&mut world, us, PeerSource::Tracker, first);
    world.pass(Duration::from_secs(60));
    let later = (4_000..4_990).map(dead).chain(alive.iter().map(|peer| address_of(*peer)));
    found(&mut world, us, PeerSource::Tracker, later.collect());
    world.reach(Duration::from_secs(240), "all found", |world| world.row(us).pieces.have == 10);
    let mut per_second: BTreeMap<u64, u32> = BTreeMap::new();
    for (at, _) in world.node(us).calls() {
        *per_second.entry(at.as_micros() / 1_000_000).or_default() += 1;
    }
    let most = per_second.values().max().expect("some were called");
    assert!((25..=31).contains(most), "{most} calls in a second");
}

/// Calls that nobody answers hold their places for ten seconds each: never more than the bound are open.
#[test]
fn fault_17_calls_into_a_black_hole_hold_a_bounded_number_of_descriptors() {
    let mut world = World::new(17, &Shape::pieces(2));
    world.set_refusal_takes(limits::CONNECT_TIMEOUT);
    let us = world.add_engine(EngineOptions::leecher());
    found(&mut world, us, PeerSource::Tracker, (0..300).map(dead).collect());
    let mut most = 0;
    for _ in 0..100 {
        world.pass(MOMENT);
        most = most.max(world.row(us).peers.half_open);
    }
    assert_eq!(most, limits::HALF_OPEN_MAX);
}

/// Over the stream that we have: a lost packet holds up everything behind it. There is no uTP yet.
#[test]
fn fault_20_a_line_that_loses_one_packet_in_twenty_completes_with_a_fair_share_of_its_rate() {
    let shape = Shape { piece_length: 64 * 1024, files: vec![6_000_000], ..Shape::pieces(0) };
    let rate = 1_000_000;
    for seed in 0..3 {
        let mut world = World::new(seed, &shape);
        world.set_look_every(Duration::from_secs(1));
        world.set_audit_every(50);
        world.set_quality(LinkQuality { latency: Duration::from_millis(40), rate, lost_per_mille: 50 });
        let us = world.add_engine(EngineOptions::leecher());
        let seed = world.add_puppet(Manners::seed());
        world.introduce(us, seed);
        let ideal = Duration::from_micros(world.payload().len() * 1_000_000 / rate);
        world.completes(us, ideal * 2);
        assert_eq!(world.row(us).wasted_bytes, 0);
    }
}

/// One that bloats: a second of delay each way, so that requests are seconds old when their blocks come.
#[test]
fn fault_20_a_line_with_a_second_of_delay_completes_without_a_snub() {
    let mut world = World::new(20, &Shape { files: vec![3_000_000], ..Shape::pieces(0) });
    world.set_look_every(Duration::from_secs(1));
    world.set_audit_every(50);
    world.set_quality(LinkQuality { latency: Duration::from_secs(1), rate: 500_000, lost_per_mille: 50 });
    let us = world.add_engine(EngineOptions::leecher());
    let seed = world.add_puppet(Manners::seed());
    world.introduce(us, seed);
    world.completes(us, Duration::from_secs(30));
    assert_eq!(world.told(us, |event| matches!(event, EventKind::PeerSnubbed { .. })), 0);
}

#[test]
fn fault_23_peers_that_give_nothing_do_not_keep_the_slots_from_others() {
    let half: Vec<PieceIndex> = (0..40).map(PieceIndex).collect();
    let options = EngineOptions { on_disk: Some(half), recorded: true, ..EngineOptions::leecher() };
    let mut world = World::new(23, &Shape::pieces(41));
    world.set_look_every(Duration::from_secs(1));
    let us = world.add_engine(options);
    let takers: Vec<NodeId> =
        (0..limits::UPLOAD_SLOTS).map(|_| world.add_puppet(Manners::leecher())).collect();
    world.set_limits(us, None, Some(crate::units::Rate(50_000)));
    takers.iter().for_each(|taker| world.puppet_calls(*taker, us));
    world.pass(Duration::from_secs(1));
    assert_eq!(world.choked_by(us), [], "all slots are taken");
    let newcomers: Vec<NodeId> = (0..4).map(|_| world.add_puppet(Manners::leecher())).collect();
    newcomers.iter().for_each(|newcomer| world.puppet_calls(*newcomer, us));
    world.pass(MOMENT);
    assert_eq!(world.choked_by(us).len(), newcomers.len());
    let fed = |world: &World| newcomers.iter().filter(|peer| world.blocks_given_to(**peer) > 0).count();
    world.reach(limits::OPTIMISTIC_ROUND + MOMENT, "turned", |world| fed(world) > 0);
    world.reach(limits::OPTIMISTIC_ROUND * 4, "everybody's turn", |world| fed(world) == newcomers.len());
    assert!(limits::UPLOAD_SLOTS >= takers.len() + newcomers.len() - world.choked_by(us).len());
}
