//! What torrents do in a world where little goes wrong: orders, readers, checks, limits.

use std::time::Duration;

use super::*;
use crate::contract::{
    CheckPolicy, DownloadOrder, FirstLast, PieceLevel, PieceSequence, Priority, StoreTrust, TorrentState,
};
use crate::engine::io::{ReadError, ReadRequest, ReaderId, ResumeRecord, TorrentCommand};
use crate::engine::torrent::Policy;
use crate::units::{FileIndex, PieceIndex, Rate};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A leecher and a scripted seed that gives this many bytes a second.
fn leecher_and_puppet(shape: &Shape, options: EngineOptions, rate: u64) -> (World, NodeId, NodeId) {
    let mut world = World::new(1, shape);
    world.set_quality(LinkQuality { rate, ..LinkQuality::NEAR });
    let leecher = world.add_engine(options);
    let puppet = world.add_puppet(Manners::seed());
    world.introduce(leecher, puppet);
    (world, leecher, puppet)
}

fn asked_pieces(world: &World, puppet: NodeId) -> Vec<u32> {
    let mut pieces: Vec<u32> = world.asked_of(puppet).iter().map(|(_, request)| request.piece.0).collect();
    pieces.dedup();
    pieces
}

#[test]
fn a_calm_swarm_of_engines_ends_complete_and_nobody_waits() {
    let mut world = World::new(7, &Shape::files(&[700_000, 10, 1_500_000]));
    world.set_quality(LinkQuality::FAR);
    world.add_engine(EngineOptions { tracker: true, ..EngineOptions::seed() });
    let leechers: Vec<NodeId> = (0..5)
        .map(|_| world.add_engine(EngineOptions { tracker: true, ..EngineOptions::leecher() }))
        .collect();
    let done = |world: &World| {
        leechers.iter().all(|id| world.engine(*id).is_some_and(|node| node.state() == TorrentState::Seeding))
    };
    assert!(world.run_until_done(seconds(60), done).unwrap());
}

#[test]
fn in_order_means_in_order_on_the_wire() {
    let record = ResumeRecord {
        order: DownloadOrder { sequence: PieceSequence::InOrder, first_last: FirstLast::Alike },
        ..ResumeRecord::default()
    };
    let options = EngineOptions { record, ..EngineOptions::leecher() };
    let (mut world, _, puppet) = leecher_and_puppet(&Shape::pieces(40), options, 500_000);
    world.run(seconds(20)).unwrap();
    assert_eq!(asked_pieces(&world, puppet), (0..40).collect::<Vec<_>>());
}

#[test]
fn first_and_last_pieces_of_wanted_files_go_first() {
    let record = ResumeRecord {
        priorities: vec![Priority::Normal, Priority::Off, Priority::High],
        order: DownloadOrder { sequence: PieceSequence::RarestFirst, first_last: FirstLast::First },
        ..ResumeRecord::default()
    };
    let options = EngineOptions { record, ..EngineOptions::leecher() };
    let piece = 32 * 1024;
    let shape = Shape::files(&[10 * piece, 10 * piece, 10 * piece]);
    let (mut world, leecher, puppet) = leecher_and_puppet(&shape, options, 500_000);
    world.run(seconds(20)).unwrap();
    let mut first: Vec<u32> = asked_pieces(&world, puppet)[..4].to_vec();
    first.sort_unstable();
    assert_eq!(first, [0, 9, 20, 29]);
    let high_next = asked_pieces(&world, puppet)[4..12].iter().all(|piece| (21..29).contains(piece));
    assert!(high_next, "then what is high: {:?}", asked_pieces(&world, puppet));
    assert_eq!(world.engine(leecher).unwrap().state(), TorrentState::Finished);
}

fn read(reader: u64, offset: u64, bytes_max: u32) -> TorrentCommand {
    TorrentCommand::Read(ReadRequest {
        reader: ReaderId(reader),
        file: FileIndex(0),
        offset,
        bytes_max,
        ahead_bytes: 200_000,
    })
}

/// Follows a reader through `bytes` of the file from `offset`; gives what it was given and how long that took.
fn read_through(world: &mut World, leecher: NodeId, offset: u64, bytes: usize) -> (Vec<u8>, Duration) {
    let began = world.now();
    let mut got: Vec<u8> = Vec::new();
    while got.len() < bytes {
        let answers = world.engine(leecher).unwrap().answers(ReaderId(1)).len();
        world.command(leecher, read(1, offset + got.len() as u64, 50_000));
        let answered = world.run_until_done(seconds(60), |world| {
            world.engine(leecher).unwrap().answers(ReaderId(1)).len() > answers
        });
        assert!(answered.unwrap(), "no answer at {}", got.len());
        got.extend(world.engine(leecher).unwrap().answers(ReaderId(1)).last().unwrap().as_ref().unwrap());
    }
    (got, world.now().since(began))
}

#[test]
fn a_reader_gets_its_bytes_long_before_the_rest_also_of_a_file_that_is_off() {
    for priority in [Priority::Normal, Priority::Off] {
        let record = ResumeRecord { priorities: vec![priority, Priority::Normal], ..ResumeRecord::default() };
        let options = EngineOptions { record, ..EngineOptions::leecher() };
        let shape = Shape::files(&[4_000_000, 4_000_000]);
        let (mut world, leecher, _) = leecher_and_puppet(&shape, options, 400_000);
        world.run(seconds(1)).unwrap();
        let (got, took) = read_through(&mut world, leecher, 2_000_000, 400_000);
        assert_eq!(got[..], world.payload().file_range(0, 2_000_000, got.len())[..]);
        // A second's worth of bytes, and what was under way before.
        assert!(took < seconds(3), "{took:?}");
        // When it asks no more, its pieces go back to what their files say.
        world.run(crate::limits::READER_IDLE + seconds(1)).unwrap();
        let now = world.now();
        let runs = world.engine_mut(leecher).unwrap().torrent_mut().piece_runs(now);
        assert!(runs.iter().all(|run| run.priority <= PieceLevel::Normal));
    }
}

#[test]
fn a_reader_is_not_held_up_by_one_slow_peer() {
    let mut world = World::new(3, &Shape::files(&[3_000_000]));
    world.set_quality(LinkQuality { rate: 300_000, ..LinkQuality::NEAR });
    let leecher = world.add_engine(EngineOptions::leecher());
    let slow = world.add_puppet(Manners { answers: Answers::Trickle(seconds(8)), ..Manners::seed() });
    let fast = world.add_puppet(Manners::seed());
    world.introduce(leecher, slow);
    world.run(Duration::from_millis(100)).unwrap();
    world.introduce(leecher, fast);
    let (_, took) = read_through(&mut world, leecher, 0, 300_000);
    assert!(took < seconds(8), "{took:?}");
}

#[test]
fn reading_what_is_not_there_is_said() {
    let (mut world, leecher, _) =
        leecher_and_puppet(&Shape::files(&[100]), EngineOptions::leecher(), 100_000);
    let wrong =
        ReadRequest { reader: ReaderId(5), file: FileIndex(9), offset: 0, bytes_max: 1, ahead_bytes: 0 };
    world.command(leecher, TorrentCommand::Read(wrong));
    world.command(leecher, read(6, 100, 10));
    world.run(seconds(1)).unwrap();
    let node = world.engine(leecher).unwrap();
    assert_eq!(node.answers(ReaderId(5)), [Err(ReadError::NoSuchFile)]);
    assert_eq!(node.answers(ReaderId(6)).last().unwrap().as_ref().unwrap().len(), 0, "the end of the file");
}

#[test]
fn a_check_goes_on_where_it_was_after_a_crash() {
    let mut world = World::new(5, &Shape::pieces(200));
    let pieces = 200;
    let options = EngineOptions { recorded: false, ..EngineOptions::seed() };
    let id = world.add_engine(options);
    world.set_disk_pace(id, DiskPace { rate: 32 * 1024 * 10, ..DiskPace::FAST });
    // Ten pieces a second: half of them in ten seconds, and records of them every five.
    world.run(seconds(12)).unwrap();
    assert_eq!(world.engine(id).unwrap().state(), TorrentState::Checking);
    world.crash(id);
    let counts = world.engine(id).unwrap().torrent().row(world.now(), 0).pieces;
    assert!(counts.have >= 80 && counts.checking >= 80, "{counts:?}");
    assert_eq!(counts.have + counts.checking, pieces);
    let began = world.now();
    let seeding = |world: &World| world.engine(id).unwrap().state() == TorrentState::Seeding;
    assert!(world.run_until_done(seconds(60), seeding).unwrap());
    assert!(world.now().since(began) < seconds(14), "it did not begin anew");
}

#[test]
fn a_check_does_not_hold_back_pieces_known_to_be_missing_nor_priorities() {
    let on_disk = (0..100).map(PieceIndex).collect();
    let options = EngineOptions {
        on_disk: Some(on_disk),
        policy: Policy { check: CheckPolicy::Always, trust: StoreTrust::No, ..Policy::default() },
        ..EngineOptions::leecher()
    };
    let piece = 32 * 1024;
    let shape = Shape::files(&[100 * piece, 20 * piece, 20 * piece]);
    let (mut world, leecher, puppet) = leecher_and_puppet(&shape, options, 400_000);
    world.set_disk_pace(leecher, DiskPace { rate: 32 * 1024 * 4, ..DiskPace::FAST });
    world.command(leecher, TorrentCommand::SetPriority(vec![(FileIndex(2), Priority::High)]));
    world.run(seconds(2)).unwrap();
    assert_eq!(world.engine(leecher).unwrap().state(), TorrentState::Checking);
    let asked = asked_pieces(&world, puppet);
    assert!(asked.len() > 15, "{asked:?}");
    assert!(asked[..15].iter().all(|piece| *piece >= 120), "what is high goes first: {asked:?}");
}

#[test]
fn a_limit_holds_while_requests_are_taken_back_and_made_anew() {
    let options = EngineOptions { down_limit: Some(Rate(200_000)), ..EngineOptions::leecher() };
    let shape = Shape::files(&[2_000_000, 2_000_000]);
    let (mut world, leecher, _) = leecher_and_puppet(&shape, options, 5_000_000);
    for turn in 0..100 {
        let levels =
            if turn % 2 == 0 { [Priority::High, Priority::Low] } else { [Priority::Off, Priority::High] };
        let changes = (0..).map(FileIndex).zip(levels).collect();
        world.command(leecher, TorrentCommand::SetPriority(changes));
        world.run(Duration::from_millis(100)).unwrap();
    }
    let down = world.engine(leecher).unwrap().torrent().row(world.now(), 0).downloaded_bytes;
    assert!((1_500_000..=2_300_000).contains(&down), "{down} bytes in 10 s at 200,000 a second");
}
