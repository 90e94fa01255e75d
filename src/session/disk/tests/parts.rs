//! Bytes of files that nobody wants, kept apart: what appears on disk, what outlives a crash, what a loss does.

use super::*;
use crate::session::disk::Wanted;

/// `d/b`: it has piece 1 for itself and shares piece 2 with `c`.
const B: FileIndex = FileIndex(2);
const C: FileIndex = FileIndex(4);

impl World {
    fn set_wanted(&self, file: FileIndex, wanted: Wanted) {
        self.storage.set_wanted(file, wanted);
    }

    fn part_file(&self) -> PathBuf {
        self.storage.part_path()
    }

    fn kept(&self) -> Vec<(u32, FileIndex)> {
        let kept = self.ask(Job::kept_apart).unwrap();
        kept.into_iter().map(|(piece, file)| (piece.0, file)).collect()
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.ask(Job::sync)
    }

    /// The torrent as a new run finds it.
    fn restart(&mut self) {
        let info = Arc::clone(self.storage.info());
        self.storage = Arc::new(Storage::new(info, self.save_dir(), &self.pool));
    }

    fn of_b(&self, piece: u32) -> &[u8] {
        let start = piece as usize * PIECE;
        &self.payload[start..(start + PIECE).min(PIECE + 50_000)]
    }
}

/// A world where `d/b` is off and its edge is stored and synced.
fn world_with_an_edge() -> World {
    let world = World::new();
    world.set_wanted(B, Wanted::No);
    assert!(matches!(world.store(2), Input::PieceStored { .. }));
    world.sync().unwrap();
    world
}

#[test]
fn a_file_that_nobody_wants_does_not_appear_and_its_bytes_are_read_back() {
    let world = world_with_an_edge();
    assert!(!world.path("d").exists());
    assert_eq!(fs::read(world.path("c")).unwrap(), world.payload[PIECE + 50_000..]);
    assert!(world.part_file().is_file());
    assert_eq!(world.kept(), [(2, B)]);
    assert_eq!(world.hash(2), HashOutcome::Match);
    assert_eq!(world.read(2, 10, 17_322).unwrap(), world.payload[2 * PIECE + 10..]);
    assert_eq!(world.storage.waits_for_sync(), (0, 0));
}

#[test]
fn what_was_synced_is_kept_for_the_next_run_and_what_was_not_is_not_claimed() {
    let mut world = world_with_an_edge();
    assert!(matches!(world.store(1), Input::PieceStored { .. }));
    assert_eq!(world.kept(), [(1, B), (2, B)]);
    world.restart();
    assert_eq!(world.kept(), [(2, B)]);
    assert_eq!(world.hash(2), HashOutcome::Match);
    assert_eq!(world.hash(1), HashOutcome::NoData);
}

#[test]
fn a_file_that_becomes_wanted_gets_its_bytes_and_the_part_file_goes() {
    let mut world = world_with_an_edge();
    world.set_wanted(B, Wanted::Yes);
    world.gather(&[B.0]).unwrap();
    assert_eq!(fs::read(world.path("d/b")).unwrap()[PIECE..], *world.of_b(2));
    assert_eq!(world.hash(2), HashOutcome::Match);
    assert_eq!(world.kept(), []);
    // Until the device has the file, a crash may take it: the part file still has the bytes.
    fs::rename(world.path("d"), world.path("lost")).unwrap();
    world.restart();
    assert_eq!(world.hash(2), HashOutcome::Match);
    fs::rename(world.path("lost"), world.path("d")).unwrap();
    world.gather(&[B.0]).unwrap();
    world.sync().unwrap();
    assert!(!world.part_file().exists());
    assert_eq!(world.hash(2), HashOutcome::Match);
    world.store_all();
    assert_eq!(fs::read(world.path("d/b")).unwrap(), world.payload[PIECE..PIECE + 50_000]);
    assert!(!world.part_file().exists());
}

#[test]
fn a_sync_moves_what_a_gathering_could_not() {
    let world = world_with_an_edge();
    fs::write(world.path("d"), b"in the way").unwrap();
    world.set_wanted(B, Wanted::Yes);
    assert_eq!(world.gather(&[B.0]).unwrap_err().kind, DiskErrorKind::Denied);
    assert_eq!(world.hash(2), HashOutcome::Match, "nothing is lost by that");
    assert_eq!(world.sync().unwrap_err().kind, DiskErrorKind::Denied);
    fs::remove_file(world.path("d")).unwrap();
    world.sync().unwrap();
    assert_eq!(fs::read(world.path("d/b")).unwrap()[PIECE..], *world.of_b(2));
    assert!(!world.part_file().exists());
}

#[test]
fn a_file_that_is_there_gets_its_bytes_though_nobody_wants_it() {
    let world = World::new();
    assert!(matches!(world.store(1), Input::PieceStored { .. }));
    world.set_wanted(B, Wanted::No);
    assert!(matches!(world.store(2), Input::PieceStored { .. }));
    assert_eq!(fs::read(world.path("d/b")).unwrap(), world.payload[PIECE..PIECE + 50_000]);
    assert!(!world.part_file().exists());
}

#[test]
fn blocks_that_came_one_by_one_are_each_kept() {
    let mut world = World::new();
    world.set_wanted(B, Wanted::No);
    let mut blocks = world.blocks(2);
    let late = blocks.split_off(1);
    let answer = world.piece(PieceWork::Write { piece: PieceIndex(2), blocks });
    assert!(matches!(answer, Input::BlocksWritten { .. }));
    world.sync().unwrap();
    world.restart();
    world.set_wanted(B, Wanted::No);
    assert_eq!(world.kept(), [], "not from end to end");
    assert_eq!(world.hash(2), HashOutcome::NoData);
    let answer = world.piece(PieceWork::Store { piece: PieceIndex(2), blocks: late });
    assert!(matches!(answer, Input::PieceStored { .. }));
    assert_eq!(world.kept(), [(2, B)]);
}

#[test]
fn a_torn_header_and_torn_data_are_seen() {
    for (at, outcome) in [(40, HashOutcome::NoData), (5000, HashOutcome::Mismatch)] {
        let mut world = world_with_an_edge();
        let mut bytes = fs::read(world.part_file()).unwrap();
        bytes[at] ^= 1;
        fs::write(world.part_file(), &bytes).unwrap();
        world.restart();
        world.set_wanted(B, Wanted::No);
        assert_eq!(world.hash(2), outcome);
        assert_eq!(world.kept().is_empty(), outcome == HashOutcome::NoData);
        assert!(matches!(world.store(2), Input::PieceStored { .. }));
        assert_eq!(world.hash(2), HashOutcome::Match);
        assert_eq!(fs::metadata(world.part_file()).unwrap().len(), bytes.len() as u64, "the slot is reused");
    }
}

#[test]
fn a_part_file_that_was_cut_keeps_nothing() {
    let mut world = world_with_an_edge();
    let file = fs::File::options().write(true).open(world.part_file()).unwrap();
    for length in [20_000, 4096, 100, 0] {
        file.set_len(length).unwrap();
        world.restart();
        assert_eq!(world.kept(), [], "cut to {length}");
        assert_eq!(world.hash(2), HashOutcome::NoData);
    }
}

#[test]
fn a_part_file_that_another_program_removed_is_missing_data_and_comes_back() {
    let world = world_with_an_edge();
    fs::remove_file(world.part_file()).unwrap();
    assert_eq!(world.hash(2), HashOutcome::NoData);
    assert_eq!(world.read(2, 0, 10).unwrap_err().kind, DiskErrorKind::Missing);
    assert_eq!(world.kept(), []);
    assert!(matches!(world.store(2), Input::PieceStored { .. }));
    assert_eq!(world.hash(2), HashOutcome::Match);
    // Removed with something to sync in it: told once, as for any file.
    fs::remove_file(world.part_file()).unwrap();
    assert_eq!(world.sync().unwrap_err().kind, DiskErrorKind::Missing);
    world.sync().unwrap();
    assert!(!world.path("d").exists());
}

#[test]
fn a_loss_that_a_gathering_meets_or_that_was_met_before_it_is_told_once() {
    for read_before in [true, false] {
        let world = world_with_an_edge();
        fs::remove_file(world.part_file()).unwrap();
        if read_before {
            assert_eq!(world.hash(2), HashOutcome::NoData);
        }
        world.set_wanted(B, Wanted::Yes);
        assert_eq!(world.gather(&[B.0]), Ok(Gathered::SomeLost));
        assert_eq!(world.gather(&[B.0]), Ok(Gathered::Whole));
        world.sync().unwrap();
    }
}

#[test]
fn slots_are_used_again_once_their_bytes_are_safe() {
    let world = World::new();
    world.set_wanted(B, Wanted::No);
    world.set_wanted(C, Wanted::No);
    world.store_all();
    world.sync().unwrap();
    assert_eq!(world.kept(), [(1, B), (2, B), (2, C)]);
    let length = fs::metadata(world.part_file()).unwrap().len();
    world.set_wanted(B, Wanted::Yes);
    world.gather(&[B.0]).unwrap();
    world.sync().unwrap();
    assert_eq!(world.kept(), [(2, C)]);
    world.storage.close_files();
    fs::remove_dir_all(world.path("d")).unwrap();
    world.set_wanted(B, Wanted::No);
    world.store_all();
    world.sync().unwrap();
    assert_eq!(world.kept(), [(1, B), (2, B), (2, C)]);
    assert_eq!(fs::metadata(world.part_file()).unwrap().len(), length);
    for piece in [1, 2] {
        assert_eq!(world.hash(piece), HashOutcome::Match);
    }
}

#[test]
fn an_empty_file_is_made_when_somebody_wants_it() {
    let world = World::new();
    world.set_wanted(FileIndex(3), Wanted::No);
    world.gather(&[0, 1, 2, 3, 4]).unwrap();
    assert!(!world.save_dir().exists());
    world.set_wanted(FileIndex(3), Wanted::Yes);
    world.gather(&[3]).unwrap();
    assert!(world.path("empty").is_file());
}

#[test]
fn deleting_takes_the_part_file_too() {
    let world = world_with_an_edge();
    world.ask(Job::delete).unwrap();
    assert_eq!(fs::read_dir(world.save_dir()).unwrap().count(), 0);
    assert_eq!(kind(&world.store(2)), DiskErrorKind::Other, "a late piece makes no file again");
    assert_eq!(fs::read_dir(world.save_dir()).unwrap().count(), 0);
}

#[test]
fn no_byte_is_lost_between_writers_movers_and_syncs_that_race() {
    let world = Arc::new(World::new());
    for round in 0..100 {
        world.storage.close_files();
        // Nothing is there in the first round.
        drop(fs::remove_dir_all(world.path("d")));
        world.set_wanted(B, Wanted::No);
        let racers = (0..4).map(|racer| {
            let world = Arc::clone(&world);
            let race = move || match racer {
                0 | 1 => assert!(matches!(world.store(1 + racer), Input::PieceStored { .. })),
                2 => {
                    world.set_wanted(B, Wanted::Yes);
                    world.gather(&[B.0]).unwrap();
                }
                // The file of the last round may be gone before it was synced.
                _ => drop(world.sync()),
            };
            inspect::spawn_thread("racer", race).unwrap()
        });
        racers.collect::<Vec<_>>().into_iter().for_each(|racer| racer.join().unwrap());
        for piece in [1, 2] {
            assert_eq!(world.hash(piece), HashOutcome::Match, "round {round}");
        }
        let real = fs::read(world.path("d/b")).unwrap();
        assert!(real == world.payload[PIECE..PIECE + 50_000], "round {round}");
        assert_eq!(world.kept(), [], "round {round}");
    }
    world.sync().unwrap();
    assert!(!world.part_file().exists());
}
