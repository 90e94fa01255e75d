//! What reaches the disk and the record when the disk refuses, or a stop comes at a bad moment.

use super::*;
use crate::engine::torrent::pieces::PieceState;

/// The disk refuses, the user pauses, makes room and goes on: what was in memory all the while is written then.
#[test]
fn a_piece_that_the_disk_refused_is_stored_when_a_pause_ends() {
    let mut world = World::new(1, 1_000_000);
    let (seed, leecher) = (world.add_seed(), world.add_leecher());
    world.nodes[leecher].disk_full = true;
    world.connect(leecher, seed);
    world.run(Duration::from_secs(1));
    assert_eq!(world.nodes[leecher].torrent.state(), TorrentState::Error);
    world.command(leecher, TorrentCommand::Pause);
    world.run(Duration::from_secs(1));
    world.nodes[leecher].disk_full = false;
    world.command(leecher, TorrentCommand::Resume);
    world.connect(leecher, seed);
    world.run(Duration::from_secs(10));
    assert_eq!(world.nodes[leecher].torrent.state(), TorrentState::Seeding);
    assert_eq!(world.nodes[leecher].blocks_received, world.blocks());
}

/// A save that is under way when the stop comes must not be taken for the last one.
#[test]
fn a_stop_during_a_save_saves_once_more() {
    let mut world = World::new(1, 3_000_000);
    let (seed, leecher) = (world.add_seed(), world.add_leecher());
    let grant =
        |blocks: u64| Input::Granted { up_bytes: None, down_bytes: Some(u64::from(BLOCK_BYTES) * blocks) };
    world.wires.push_back((leecher, grant(4)));
    world.connect(leecher, seed);
    world.nodes[leecher].saves_hang = true;
    world.run(limits::SAVE_INTERVAL * 2);
    assert!(world.nodes[leecher].saved.is_some());
    // It completes no piece, so nothing but the stop calls for another record.
    world.wires.push_back((leecher, grant(1)));
    world.run(Duration::from_millis(100));
    world.nodes[leecher].saves_hang = false;
    let generation = 1;
    world.command(leecher, TorrentCommand::Stop);
    world.wires.push_back((leecher, Input::ResumeSaved { generation, result: Ok(()) }));
    world.run(Duration::from_millis(100));
    assert_eq!(world.nodes[leecher].torrent.phase, Phase::Stopped);
    let record = world.nodes[leecher].saved.clone().unwrap();
    let ones = |bits: &[u8]| bits.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>();
    let partial: u64 = record.partial.iter().map(|(_, bits)| ones(bits)).sum();
    let claimed = ones(&record.have) * u64::from(PIECE_BYTES / BLOCK_BYTES) + partial;
    assert_eq!((world.nodes[leecher].blocks_received, claimed), (5, 5));
}

#[test]
fn a_paused_torrents_next_deadline_is_not_in_the_past() {
    let mut world = World::new(1, 100_000);
    let leecher = world.add_leecher();
    world.nodes[leecher]
        .torrent
        .handle(Time::ZERO, Input::PeersFound { source: PeerSource::Tracker, addresses: vec![address(200)] });
    world.command(leecher, TorrentCommand::Pause);
    world.run(Duration::from_secs(600));
    let deadline = world.nodes[leecher].torrent.next_deadline();
    assert!(deadline.is_none_or(|(at, _)| at > world.now), "{deadline:?}");
}

/// Found by the simulator, which saw such blocks written a second time (seed 16627).
#[test]
fn what_was_written_out_before_the_disk_refused_is_not_fetched_again() {
    let mut world = World::new(1, 300_000);
    let (seed, leecher) = (world.add_seed(), world.add_leecher());
    let grant =
        |blocks: u64| Input::Granted { up_bytes: None, down_bytes: Some(u64::from(BLOCK_BYTES) * blocks) };
    world.wires.push_back((leecher, grant(5)));
    world.connect(leecher, seed);
    world.run(limits::SAVE_INTERVAL * 2);
    let partials = world.nodes[leecher].torrent.pieces.partials();
    assert_eq!(
        partials.filter_map(|(_, partial)| partial.disk_bits()).count(),
        1,
        "the fifth block was written out"
    );
    world.nodes[leecher].disk_full = true;
    world.wires.push_back((leecher, grant(1000)));
    world.run(Duration::from_secs(1));
    assert_eq!(world.nodes[leecher].torrent.state(), TorrentState::Error);
    world.nodes[leecher].disk_full = false;
    world.connect(leecher, seed);
    world.run(Duration::from_secs(120));
    assert_eq!(world.nodes[leecher].torrent.state(), TorrentState::Seeding);
    assert_eq!(world.nodes[leecher].blocks_received, world.blocks(), "none came twice");
}

/// Blocks that are written out fail while their piece, whole by then, is being stored: the store goes on and is not begun
/// a second time.
#[test]
fn a_write_that_fails_late_does_not_store_its_piece_again() {
    let mut world = World::new(1, PIECE_BYTES as usize);
    let (seed, leecher) = (world.add_seed(), world.add_leecher());
    world.nodes[leecher].stores_hang = true;
    world.connect(leecher, seed);
    world.run(Duration::from_secs(1));
    let (piece, now) = (PieceIndex(0), world.now);
    let torrent = &mut world.nodes[leecher].torrent;
    assert_eq!(torrent.pieces.state(piece), PieceState::Storing);
    let error = DiskError { kind: DiskErrorKind::Full, message: crate::contract::Untrusted::new("no space") };
    torrent.handle(now, Input::WriteFailed { piece, error });
    assert_eq!(torrent.state(), TorrentState::Error, "the disk's trouble is told");
    assert_eq!(torrent.pieces.state(piece), PieceState::Storing);
    torrent.handle(now, Input::PieceStored { piece });
    assert_eq!(torrent.pieces.state(piece), PieceState::Verified);
}
