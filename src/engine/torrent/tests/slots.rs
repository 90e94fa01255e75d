//! The connections that the shared budget leaves to a torrent.

use super::*;

/// What a torrent asked for last.
fn asked(torrent: &mut Torrent, now: Time, input: Input) -> Option<crate::engine::io::SlotAsk> {
    torrent.handle(now, input);
    torrent.end_turn(now);
    let effects: Vec<Effect> = std::iter::from_fn(|| torrent.poll_effect()).collect();
    let asks = effects.into_iter().filter_map(|effect| match effect {
        Effect::AskSlots(ask) => Some(ask),
        _ => None,
    });
    asks.last()
}

#[test]
fn a_smaller_share_costs_the_connections_of_least_use_and_a_larger_one_brings_them_back() {
    let mut world = World::new(1, 4_000_000);
    let us = world.add_leecher();
    let mut others: Vec<usize> = (0..4).map(|_| world.add_leecher()).collect();
    others.push(world.add_seed());
    others.iter().for_each(|&other| world.connect(us, other));
    world.settle();
    assert_eq!(world.nodes[us].torrent.connections.len(), 5);
    world.wires.push_back((us, Input::Slots { most: 1 }));
    world.settle();
    let seed = wire(us, others[4]);
    let left: Vec<_> = world.nodes[us].torrent.connections.keys().copied().collect();
    assert_eq!(left, [seed], "the one that has something for us stays");
    // Nobody is called, and who calls is told why not.
    world.connect(others[0], us);
    world.settle();
    assert_eq!(world.nodes[us].torrent.connections.len(), 1);
    let full = |event: &EventKind| matches!(event, EventKind::PeerGone { reason, .. } if reason.raw() == "too many connections");
    assert!(world.nodes[us].events.iter().any(full));
    world.wires.push_back((us, Input::Slots { most: 2 }));
    world.connect(others[0], us);
    world.settle();
    assert_eq!(world.nodes[us].torrent.connections.len(), 2);
}

#[test]
fn without_a_slot_nobody_is_called_and_the_cause_says_so() {
    let mut world = World::new(1, 100_000);
    let us = world.add_leecher();
    let torrent = &mut world.nodes[us].torrent;
    let now = Time::ZERO;
    torrent.handle(now, Input::Slots { most: 0 });
    let found = Input::PeersFound { source: PeerSource::Tracker, addresses: vec![address(1), address(2)] };
    let ask = asked(torrent, now, found).unwrap();
    assert_eq!((ask.has, ask.wishes), (0, 3), "two to call, and one for a caller");
    assert_eq!(torrent.known.calling(), 0);
    assert_eq!(torrent.row(now, 0).cause.unwrap().raw(), "no_connection_slots");
    assert!(
        torrent.next_deadline().is_none_or(|(_, reason)| reason != Reason::Call),
        "it would wake for nothing"
    );
    let ask = asked(torrent, now, Input::Slots { most: 100 }).unwrap();
    assert_eq!((ask.has, ask.wishes), (1, 3), "it is called at once");
    let ask = asked(torrent, now, Input::Command(TorrentCommand::Pause)).unwrap();
    assert_eq!((ask.has, ask.wishes), (0, 0), "a paused torrent keeps none");
}
