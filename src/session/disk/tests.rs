//! The disk layer as an owner sees it: jobs in, answers out, on real files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha1::{Digest, Sha1};

use super::{DiskPool, FileStamp, Gathered, Job, PieceWork, Storage};
use crate::codec::peer::BlockRequest;
use crate::engine::io::{BlockReader, DiskError, DiskErrorKind, HashOutcome, Input};
use crate::inspect;
use crate::limits::BLOCK_BYTES;
use crate::metainfo::parse_info;
use crate::units::{ConnectionId, FileIndex, PieceIndex};

mod hanging;
mod parts;

const PIECE: usize = 32 * 1024;
const FILES: [(&str, usize); 5] =
    [("a", 20_000), (".pad", 12_768), ("d/b", 50_000), ("empty", 0), ("c", 100)];

/// A torrent with a pad file, an empty file and files that share a piece, in a save folder that is not there yet.
struct World {
    folder: tempfile::TempDir,
    pool: DiskPool,
    storage: Arc<Storage>,
    payload: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let payload = payload();
        let folder = tempfile::tempdir().unwrap();
        let pool = DiskPool::start(2).unwrap();
        let info = Arc::new(parse_info(raw_info(&payload)).unwrap());
        let storage = Arc::new(Storage::new(info, folder.path().join("save"), &pool));
        Self { folder, pool, storage, payload }
    }

    fn save_dir(&self) -> PathBuf {
        self.folder.path().join("save")
    }

    fn path(&self, file: &str) -> PathBuf {
        self.save_dir().join("t").join(file)
    }

    fn ask<T: Send + 'static>(&self, job: impl FnOnce(Arc<Storage>, super::Done<T>) -> Job) -> T {
        let (sender, receiver) = inspect::reply("disk answer");
        let job = job(Arc::clone(&self.storage), Box::new(move |answer| sender.send(answer)));
        self.pool.submit(job).expect("there is room");
        receiver.wait_blocking().expect("each job is answered")
    }

    fn piece(&self, work: PieceWork) -> Input {
        self.ask(|storage, done| Job::piece(storage, work, done))
    }

    fn blocks(&self, piece: u32) -> Vec<(u32, Bytes)> {
        let start = piece as usize * PIECE;
        let end = (start + PIECE).min(self.payload.len());
        let blocks = self.payload[start..end].chunks(BLOCK_BYTES as usize).enumerate();
        blocks.map(|(at, block)| (at as u32 * BLOCK_BYTES, Bytes::copy_from_slice(block))).collect()
    }

    fn store(&self, piece: u32) -> Input {
        self.piece(PieceWork::Store { piece: PieceIndex(piece), blocks: self.blocks(piece) })
    }

    fn store_all(&self) {
        for piece in 0..3 {
            assert!(matches!(self.store(piece), Input::PieceStored { .. }), "piece {piece}");
        }
    }

    fn hash(&self, piece: u32) -> HashOutcome {
        match self.piece(PieceWork::Hash { piece: PieceIndex(piece) }) {
            Input::PieceHashed { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    fn read(&self, piece: u32, begin: u32, length: u32) -> Result<Bytes, DiskError> {
        let range = BlockRequest { piece: PieceIndex(piece), begin, length };
        match self.piece(PieceWork::Read { reader: BlockReader::Peer(ConnectionId(1)), range }) {
            Input::BlocksRead { result, .. } => result,
            other => panic!("{other:?}"),
        }
    }

    fn gather(&self, files: &[u32]) -> Result<Gathered, DiskError> {
        let files = files.iter().copied().map(FileIndex).collect();
        self.ask(|storage, done| Job::gather(storage, files, done))
    }

    fn stamps(&self) -> Vec<Option<FileStamp>> {
        self.ask(Job::stamps).unwrap()
    }
}

fn payload() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut payload = Vec::new();
    for (name, bytes) in FILES {
        payload.extend((0..bytes).map(|_| if name == ".pad" { 0 } else { random.u8(..) }));
    }
    payload
}

fn raw_info(payload: &[u8]) -> Bytes {
    let mut files = String::new();
    for (path, bytes) in FILES {
        let attr = if path == ".pad" { "4:attr1:p" } else { "" };
        let parts: String = path.split('/').map(|part| format!("{}:{part}", part.len())).collect();
        files.push_str(&format!("d{attr}6:lengthi{bytes}e4:pathl{parts}ee"));
    }
    let hashes: Vec<u8> = payload.chunks(PIECE).flat_map(|piece| Sha1::digest(piece).to_vec()).collect();
    let head = format!("d5:filesl{files}e4:name1:t12:piece lengthi{PIECE}e6:pieces{}:", hashes.len());
    [head.as_bytes(), &hashes, b"e"].concat().into()
}

fn kind(input: &Input) -> DiskErrorKind {
    match input {
        Input::StoreFailed { error, .. } | Input::WriteFailed { error, .. } => error.kind,
        other => panic!("{other:?}"),
    }
}

fn permissions(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn stored_pieces_are_read_back_and_padding_is_never_written() {
    let world = World::new();
    world.store_all();
    assert_eq!(fs::read(world.path("a")).unwrap(), world.payload[..20_000]);
    assert_eq!(fs::read(world.path("d/b")).unwrap(), world.payload[PIECE..PIECE + 50_000]);
    assert_eq!(fs::read(world.path("c")).unwrap(), world.payload[PIECE + 50_000..]);
    assert!(!world.path(".pad").exists());
    for piece in 0..3 {
        assert_eq!(world.hash(piece), HashOutcome::Match, "piece {piece}");
    }
    assert_eq!(world.read(0, 19_990, 20).unwrap(), world.payload[19_990..20_010]);
    assert_eq!(world.read(2, 17_000, 332).unwrap(), world.payload[2 * PIECE + 17_000..]);
}

#[test]
fn nothing_is_made_on_disk_before_right_bytes_come() {
    let world = World::new();
    let mut blocks = world.blocks(1);
    blocks[1].1 = Bytes::from(vec![9; blocks[1].1.len()]);
    let answer = world.piece(PieceWork::Store { piece: PieceIndex(1), blocks });
    assert!(matches!(answer, Input::PieceMismatch { piece: PieceIndex(1) }));
    assert_eq!(world.hash(0), HashOutcome::NoData);
    assert!(world.stamps().iter().all(Option::is_none));
    assert!(!world.save_dir().exists());
}

#[test]
fn blocks_written_before_are_read_for_the_hash() {
    let world = World::new();
    let mut blocks = world.blocks(1);
    let late = blocks.split_off(1);
    let answer = world.piece(PieceWork::Write { piece: PieceIndex(1), blocks });
    assert!(matches!(answer, Input::BlocksWritten { begins, .. } if begins == [0]));
    assert_eq!(world.hash(1), HashOutcome::NoData, "the second block is not there");
    let answer = world.piece(PieceWork::Store { piece: PieceIndex(1), blocks: late });
    assert!(matches!(answer, Input::PieceStored { .. }));
    assert_eq!(world.hash(1), HashOutcome::Match);
}

#[test]
fn a_file_cut_or_deleted_by_others_is_missing_data_and_comes_back() {
    let world = World::new();
    world.store_all();
    fs::File::options().write(true).open(world.path("d/b")).unwrap().set_len(10).unwrap();
    assert_eq!(world.hash(1), HashOutcome::NoData);
    let error = world.read(1, 0, 100).unwrap_err();
    assert_eq!(error.kind, DiskErrorKind::Missing);
    assert!(error.message.raw().contains("t/d/b") && error.message.raw().contains("recheck"), "{error}");

    fs::remove_file(world.path("a")).unwrap();
    assert_eq!(world.read(0, 0, 100).unwrap_err().kind, DiskErrorKind::Missing);
    world.store_all();
    assert_eq!(
        fs::read(world.path("a")).unwrap(),
        world.payload[..20_000],
        "not written into the deleted file"
    );
    assert_eq!(world.hash(1), HashOutcome::Match);
}

#[test]
fn a_check_looks_at_the_file_that_is_there_now() {
    let world = World::new();
    world.store_all();
    fs::write(world.path("new"), vec![0; 20_000]).unwrap();
    fs::rename(world.path("a"), world.path("old")).unwrap();
    fs::rename(world.path("new"), world.path("a")).unwrap();
    assert_eq!(world.hash(0), HashOutcome::Mismatch);
}

#[test]
fn a_link_in_the_tree_is_refused_and_its_target_untouched() {
    let world = World::new();
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir_all(world.path("")).unwrap();
    symlink(outside.path(), world.path("d")).unwrap();
    symlink(outside.path().join("x"), world.path("a")).unwrap();
    for piece in [0, 1] {
        assert_eq!(kind(&world.store(piece)), DiskErrorKind::Denied, "piece {piece}");
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    world.ask(Job::delete).unwrap();
    assert!(world.path("d").is_symlink() && world.path("a").is_symlink());
}

/// Two pieces that come first at the same time both make the save folder.
#[test]
fn the_first_writes_of_several_threads_all_find_the_save_folder() {
    let world = World::new();
    for _ in 0..300 {
        let start = std::sync::Barrier::new(4);
        let storage = Storage::new(Arc::clone(world.storage.info()), world.save_dir(), &world.pool);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    storage.root(super::storage::RootUse::Create).unwrap();
                });
            }
        });
        fs::remove_dir(world.save_dir()).unwrap();
    }
}

#[test]
fn a_save_folder_that_cannot_be_written_is_named() {
    if rustix::process::geteuid().is_root() {
        // Rights do not bind root; a file in the folder's place does.
        let world = World::new();
        fs::write(world.save_dir(), b"").unwrap();
        assert_eq!(kind(&world.store(0)), DiskErrorKind::Denied);
        return;
    }
    let world = World::new();
    fs::create_dir(world.save_dir()).unwrap();
    permissions(&world.save_dir(), 0o500);
    let answer = world.store(0);
    permissions(&world.save_dir(), 0o700);
    assert_eq!(kind(&answer), DiskErrorKind::Denied);
}

#[test]
fn a_save_folder_that_vanished_is_not_made_again() {
    let world = World::new();
    world.store_all();
    world.storage.close_files();
    fs::remove_dir_all(world.save_dir()).unwrap();
    assert_eq!(kind(&world.store(0)), DiskErrorKind::Missing);
    assert!(!world.save_dir().exists());
}

#[test]
fn deleting_takes_the_torrents_own_files_and_folders_alone() {
    let world = World::new();
    world.store_all();
    world.gather(&[3]).unwrap();
    assert_eq!(fs::metadata(world.path("empty")).unwrap().len(), 0);
    fs::write(world.path("mine.txt"), b"kept").unwrap();
    world.ask(Job::delete).unwrap();
    let left: Vec<_> =
        fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["mine.txt"]);
    assert_eq!(kind(&world.store(0)), DiskErrorKind::Other, "a late piece makes no file again");
    fs::remove_file(world.path("mine.txt")).unwrap();
    world.ask(Job::delete).unwrap();
    assert!(!world.path("").exists());
    assert!(world.save_dir().exists());
}

#[test]
fn stamps_tell_a_file_that_was_touched() {
    let world = World::new();
    world.store_all();
    let before = world.stamps();
    assert_eq!(before[0].unwrap().bytes, 20_000);
    assert_eq!((before[1], before[3]), (None, None), "padding, and the empty file that was not made");
    assert_eq!(world.stamps(), before);
    let later = fs::metadata(world.path("c")).unwrap().modified().unwrap() + Duration::from_secs(1);
    fs::File::options().write(true).open(world.path("c")).unwrap().set_modified(later).unwrap();
    let after = world.stamps();
    assert_ne!(after[4], before[4]);
    assert_eq!(after[..4], before[..4]);
}

#[test]
fn a_sync_takes_all_that_was_stored_and_is_then_at_rest() {
    let world = World::new();
    world.store_all();
    assert_eq!(world.storage.waits_for_sync(), (3, 3));
    world.ask(Job::sync).unwrap();
    assert_eq!(world.storage.waits_for_sync(), (0, 0));
}

#[test]
fn reads_and_writes_go_on_while_syncs_hang() {
    let world = World::new();
    let gate = inspect::work_queue::<()>("gate of the hanging syncs", 1);
    for _ in 0..8 {
        let gate = gate.clone();
        let hanging = Job::sync(Arc::clone(&world.storage), move |_| assert!(gate.pop_blocking().is_none()));
        world.pool.submit(hanging).unwrap();
    }
    world.store_all();
    assert_eq!(world.read(0, 0, 10).unwrap(), world.payload[..10]);
    gate.close();
}

#[test]
fn a_range_outside_its_piece_is_an_error() {
    let world = World::new();
    world.store_all();
    assert_eq!(world.read(2, 17_000, 333).unwrap_err().kind, DiskErrorKind::Other);
    assert_eq!(world.read(9, 0, 1).unwrap_err().kind, DiskErrorKind::Other);
    assert_eq!(world.read(0, u32::MAX, u32::MAX).unwrap_err().kind, DiskErrorKind::Other);
}

#[test]
fn a_job_that_panics_is_told_and_the_pool_goes_on() {
    let world = World::new();
    for _ in 0..4 {
        let storage = Arc::clone(&world.storage);
        let doomed = Job::sync(storage, |_| panic!("the answer's closure is broken"));
        world.pool.submit(doomed).unwrap();
    }
    world.store_all();
    assert_eq!(world.pool.queued_bytes(), 0);
    assert_eq!(world.storage.budget().queued_bytes(), 0);
}

#[test]
fn free_space_is_told_before_the_folder_is_made() {
    let world = World::new();
    assert!(super::free_bytes(&world.save_dir().join("deep")).is_some_and(|bytes| bytes > 0));
    assert!(!world.save_dir().exists());
}

#[test]
fn a_refused_job_is_answered() {
    let world = World::new();
    let (sender, receiver) = inspect::reply("refused");
    let work = PieceWork::Store { piece: PieceIndex(0), blocks: world.blocks(0) };
    Job::piece(Arc::clone(&world.storage), work, move |input| sender.send(input)).refuse("it is full");
    assert_eq!(kind(&receiver.wait_blocking().unwrap()), DiskErrorKind::Other);
}
