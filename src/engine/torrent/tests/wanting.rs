//! Files that are wanted or not: what the shell is told, and what the record is worth where bytes were kept apart.

use super::*;

/// Of three files the middle one is off; the pieces at its edges are claimed, those inside it are not.
fn start(payload: &Payload, kept_apart: &[(u32, u32)]) -> StartingPoint {
    let count = payload.info.piece_count();
    assert_eq!(count, 5, "pieces 1 and 3 have bytes of two files, 2 is inside the middle one");
    let record = ResumeRecord {
        have: vec![0b1101_1000],
        known: vec![0b1111_1000],
        priorities: vec![Priority::Normal, Priority::Off, Priority::Normal],
        ..ResumeRecord::default()
    };
    StartingPoint {
        origin: Origin::Restored,
        record: Some(record),
        bytes_on_disk: vec![100_000, 0, 100_000],
        kept_apart: kept_apart.iter().map(|&(piece, file)| (PieceIndex(piece), FileIndex(file))).collect(),
        ..StartingPoint::default()
    }
}

#[test]
fn a_claim_counts_only_while_the_bytes_of_absent_files_are_kept_apart() {
    let both = [(1, 1), (3, 1)];
    let downloading = TorrentState::Downloading;
    for (kept_apart, state, have) in [
        (&both[..], TorrentState::Finished, &[0, 1, 3, 4][..]),
        (&both[..1], downloading, &[0, 1, 4]),
        (&[], downloading, &[0, 4]),
    ] {
        let mut world = World::new(3, 100_000);
        let node = world.add(start(&world.payload, kept_apart));
        let torrent = &world.nodes[node].torrent;
        assert_eq!(torrent.state(), state, "{kept_apart:?}");
        assert_eq!(torrent.pieces.have().iter().map(|piece| piece.0).collect::<Vec<_>>(), have);
        let seed = world.add_seed();
        world.connect(node, seed);
        world.run(Duration::from_secs(10));
        assert_eq!(world.nodes[node].torrent.state(), TorrentState::Finished);
    }
}

#[test]
fn blocks_of_an_absent_file_that_are_not_kept_apart_are_not_taken_for_written() {
    for (kept_apart, partials) in [(&[(3, 1)][..], 1), (&[], 0)] {
        let world = World::new(3, 100_000);
        let mut point = start(&world.payload, kept_apart);
        let record = point.record.as_mut().unwrap();
        record.have = vec![0b1100_1000];
        record.partial = vec![(PieceIndex(3), vec![0b1000_0000])];
        let torrent = Torrent::new(Time::ZERO, world.setup(point));
        assert_eq!(torrent.pieces.partials().count(), partials);
    }
}

#[test]
fn the_shell_is_told_of_files_that_become_wanted_or_unwanted_and_of_no_others() {
    let mut world = World::new(3, 100_000);
    let node = world.add_leecher();
    let set = |levels: &[(u32, Priority)]| {
        let levels = levels.iter().map(|&(file, level)| (FileIndex(file), level)).collect();
        TorrentCommand::SetPriority(levels)
    };
    world.command(node, set(&[(0, Priority::High), (1, Priority::Low)]));
    world.command(node, set(&[(1, Priority::Off), (2, Priority::Off), (0, Priority::Normal)]));
    world.command(node, set(&[(1, Priority::Normal), (1, Priority::Off), (9, Priority::Off)]));
    world.command(node, set(&[(1, Priority::High)]));
    world.settle();
    let files = |indices: &[u32]| indices.iter().copied().map(FileIndex).collect::<Vec<_>>();
    let told = [(files(&[]), files(&[1, 2])), (files(&[1]), files(&[]))];
    assert_eq!(world.nodes[node].wanted, told);
}

/// Found by the simulator (seed 103061 of fault 92): the other peer was asked in the next turn only, whenever that was.
#[test]
fn what_makes_way_for_a_more_urgent_piece_is_asked_of_another_in_the_same_turn() {
    let (low, urgent) = (limits::PIPELINE_START / 4, PieceIndex(limits::PIPELINE_START / 4));
    let mut world = World::new(low as usize + 1, PIECE_BYTES as usize);
    let (full, idle, us) = (world.add_leecher(), world.add_leecher(), world.add_leecher());
    let levels = (0..low).map(|file| (FileIndex(file), Priority::Low));
    let levels = levels.chain([(FileIndex(low), Priority::High)]).collect();
    world.command(us, TorrentCommand::SetPriority(levels));
    let mut bits = crate::engine::bits::Bits::empty(low + 1);
    (0..low).for_each(|piece| {
        bits.set(PieceIndex(piece), true);
    });
    for peer in [full, idle] {
        world.connect(us, peer);
        // The peer's end is this test.
        world.wires.pop_back();
        let messages = vec![Message::Bitfield(Bytes::from(bits.to_wire())), Message::Unchoke];
        world.wires.push_back((us, Input::Messages { connection: wire(us, peer), messages }));
        world.settle();
    }
    let torrent = &mut world.nodes[us].torrent;
    let asked = |torrent: &Torrent, peer| torrent.connections[&wire(us, peer)].requests.count();
    assert_eq!(asked(torrent, full), limits::PIPELINE_START, "all that is wanted but the urgent piece");
    let before = asked(torrent, idle);
    let messages = vec![Message::Have(urgent)];
    torrent.handle(world.now, Input::Messages { connection: wire(us, full), messages });
    torrent.end_turn(world.now);
    let of_the_urgent = torrent.pieces.partial(urgent).map(|partial| partial.requested());
    assert_eq!((of_the_urgent, torrent.missed_request(world.now)), (Some(4), None));
    assert!(asked(torrent, idle) > before);
}
