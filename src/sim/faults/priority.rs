//! Files that are wanted, not wanted and wanted again, at every bad moment.

use std::time::Duration;

use super::lone::{Lone, info};
use super::*;
use crate::contract::{Blocked, DownloadOrder, FirstLast, PieceLevel, PieceSequence, Priority};
use crate::engine::io::{Input, ResumeRecord, TorrentCommand};
use crate::sim::disk::DiskPace;
use crate::sim::manners::Holding;
use crate::units::FileIndex;

/// Bytes of a file of ten whole pieces.
const FILE_BYTES: u64 = 10 * 32 * 1024;

fn set(levels: &[(u32, Priority)]) -> TorrentCommand {
    TorrentCommand::SetPriority(levels.iter().map(|(file, level)| (FileIndex(*file), *level)).collect())
}

/// Pieces that a peer was asked for, each once.
fn pieces_asked(world: &World, peer: NodeId) -> Vec<u32> {
    let mut pieces: Vec<u32> = world.asked_of(peer).iter().map(|(_, request)| request.piece.0).collect();
    pieces.sort_unstable();
    pieces.dedup();
    pieces
}

/// A link whose other end does not read takes what is sent once it does: what waits to be sent has no say in the plan.
#[test]
fn fault_83_a_file_raised_while_a_peer_does_not_drain_is_asked_of_it_and_of_others_at_once() {
    let mut world = World::new(83, &Shape::files(&[FILE_BYTES * 8, FILE_BYTES]));
    let here = Some((0..80).map(PieceIndex).collect());
    let leecher =
        world.add_engine(EngineOptions { on_disk: here, recorded: true, ..EngineOptions::leecher() });
    world.command(leecher, set(&[(1, Priority::Off)]));
    // Only the stuck one has the last piece.
    let rest = |pieces: std::ops::Range<u32>| Manners {
        holding: Holding::Pieces(pieces.map(PieceIndex).collect()),
        ..Manners::seed()
    };
    let stuck = world.add_puppet(rest(80..90));
    let other = world.add_puppet(rest(80..89));
    [stuck, other].into_iter().for_each(|peer| world.introduce(leecher, peer));
    world.pass(MOMENT);
    world.set_reads(stuck, false);
    let mut wants = vec![Message::Unchoke, Message::Interested];
    wants.extend((0..80).map(|piece| Message::Request(first_block(piece))));
    world.puppet_says(stuck, &wants);
    world.puppet_says(other, &[Message::Unchoke]);
    world.pass(Duration::from_secs(1));
    assert!(world.waiting_bytes(stuck) > 64 * 1024, "{} bytes wait", world.waiting_bytes(stuck));
    assert_eq!(world.row(leecher).requests_in_flight, 0);
    world.command(leecher, set(&[(1, Priority::High)]));
    let out = |world: &World, peer: NodeId| {
        let rows = world.node(leecher).torrent().peer_rows(world.now());
        rows.iter().find(|row| row.address == address_of(peer)).map_or(0, |row| row.requests_out)
    };
    let all = world.row(leecher).requests_in_flight;
    assert!(all >= 20, "all blocks are asked for in the same turn, not {all}");
    assert!(out(&world, stuck) >= 2, "one of them has what only it has");
    let most = |world: &World| world.row(leecher).pieces.have == 89;
    world.reach(Duration::from_secs(5), "given the rest by the other", most);
    assert_eq!(world.asked_of(stuck).len(), 0);
    world.set_reads(stuck, true);
    world.completes(leecher, Duration::from_secs(1));
}

#[test]
fn fault_84_a_file_raised_while_nothing_arrives_is_asked_for_at_once() {
    let (mut world, leecher, seed) =
        leecher_and(84, &Shape::files(&[FILE_BYTES, FILE_BYTES]), Manners::seed());
    world.command(leecher, set(&[(1, Priority::Off)]));
    world.completes(leecher, Duration::from_secs(2));
    assert_eq!(pieces_asked(&world, seed), (0..10).collect::<Vec<_>>());
    world.pass(Duration::from_secs(60));
    let quiet = world.asked_of(seed).len();
    world.command(leecher, set(&[(1, Priority::Low)]));
    assert_eq!(world.row(leecher).requests_in_flight, 20, "in the same turn");
    world.pass(Duration::from_millis(5));
    assert_eq!(world.asked_of(seed).len(), quiet + 20);
    world.completes(leecher, Duration::from_secs(1));
}

#[test]
fn fault_86_pieces_are_as_wanted_as_their_files_after_any_changes() {
    let mut rng = fastrand::Rng::with_seed(86);
    let sizes: Vec<u64> = (0..20).map(|_| [0, 1, 20_000, 70_000][rng.usize(..4)] + rng.u64(..16)).collect();
    let mut lone = Lone::new(info("views", &sizes, 1));
    lone.peer(1, vec![Message::HaveAll, Message::Unchoke]);
    let files = u32::try_from(sizes.len()).expect("a few");
    let mut first_last = FirstLast::Alike;
    for change in 0..10_000 {
        let command = match rng.u8(..10) {
            0 => {
                first_last = if rng.bool() { FirstLast::First } else { FirstLast::Alike };
                TorrentCommand::SetOrder(DownloadOrder { sequence: PieceSequence::InOrder, first_last })
            }
            1 => TorrentCommand::Pause,
            2 => TorrentCommand::Resume,
            _ => {
                let levels = (0..rng.usize(1..5)).map(|_| (rng.u32(..files), Priority::ALL[rng.usize(..4)]));
                set(&levels.collect::<Vec<_>>())
            }
        };
        lone.turn(Input::Command(command));
        let row = lone.torrent.row(lone.now, 0).into();
        let detail = lone.torrent.detail(lone.now, row, DetailExtras::default());
        let mut by_files = vec![PieceLevel::Off; detail.row.pieces.total as usize];
        for file in &detail.files {
            let Some((first, last)) = file.pieces else { continue };
            for piece in first.0..=last.0 {
                let at_an_end = first_last == FirstLast::First && (piece == first.0 || piece == last.0);
                let level = match file.priority {
                    Priority::Off => PieceLevel::Off,
                    _ if at_an_end => PieceLevel::FirstLast,
                    level => level.into(),
                };
                let slot = &mut by_files[piece as usize];
                *slot = level.max(*slot);
            }
        }
        let by_pieces = detail.runs.iter().flat_map(|run| (0..run.length).map(move |_| run.priority));
        assert_eq!(by_pieces.collect::<Vec<_>>(), by_files, "after change {change}");
    }
}

#[test]
fn fault_91_with_all_files_off_the_cause_says_so_and_one_that_is_turned_on_comes() {
    let shape = Shape::files(&[FILE_BYTES, FILE_BYTES, FILE_BYTES]);
    let (mut world, leecher, seed) = leecher_and(91, &shape, Manners::seed());
    world.command(leecher, set(&[(0, Priority::Off), (1, Priority::Off), (2, Priority::Off)]));
    world.pass(Duration::from_secs(10));
    assert_eq!(world.cause(leecher).as_deref(), Some("nothing_wanted"));
    assert_eq!((world.node(leecher).state(), world.asked_of(seed).len()), (TorrentState::Finished, 0));
    world.command(leecher, set(&[(1, Priority::Normal)]));
    assert_eq!(world.cause(leecher).as_deref(), Some("all_peers_choke_us"), "it is wanted, as of now");
    world.completes(leecher, Duration::from_secs(2));
    assert_eq!(pieces_asked(&world, seed), (10..20).collect::<Vec<_>>());
    assert_eq!(world.cause(leecher), None);
}

#[test]
fn fault_91_files_chosen_while_everything_is_checked_or_paused_are_remembered() {
    let shape = Shape::files(&[FILE_BYTES, FILE_BYTES, FILE_BYTES]);
    for paused in [false, true] {
        let mut world = World::new(91, &shape);
        // Of each file one piece is there, and its last, so that all of it is looked at.
        let here = [3, 9, 13, 19, 23, 29].map(PieceIndex).to_vec();
        let record = ResumeRecord { paused, ..ResumeRecord::default() };
        let options = EngineOptions { on_disk: Some(here), record, ..EngineOptions::leecher() };
        let leecher = world.add_engine(options);
        world.set_disk_pace(leecher, DiskPace::SLOW);
        world.pass(MOMENT);
        let expected = if paused { TorrentState::Paused } else { TorrentState::Checking };
        assert_eq!(world.node(leecher).state(), expected);
        world.command(leecher, set(&[(0, Priority::Off), (1, Priority::Off), (2, Priority::Off)]));
        world.pass(MOMENT);
        world.command(leecher, set(&[(2, Priority::Low)]));
        assert_eq!(world.node(leecher).state(), expected);
        let seed = world.add_puppet(Manners::seed());
        world.introduce(leecher, seed);
        world.pass(MOMENT);
        if paused {
            let runs = world.detail(leecher).runs;
            let wanted: Vec<_> = runs.iter().filter(|run| run.priority.is_wanted()).collect();
            let is_paused = wanted.iter().all(|run| run.blocked == Some(Blocked::Paused));
            assert!(!wanted.is_empty() && is_paused, "{wanted:?}");
            world.command(leecher, TorrentCommand::Resume);
        }
        world.completes(leecher, Duration::from_secs(60));
        let missing: Vec<u32> = (20..30).filter(|piece| ![23, 29].contains(piece)).collect();
        assert_eq!(pieces_asked(&world, seed), missing);
    }
}
