//! Disks that never answer, and what those of other torrents do meanwhile.

use super::*;
use crate::limits::{DISK_SYNC_THREADS, DISK_THREADS_TOTAL, DISK_UNKNOWN_THREADS};

/// More than any share.
const MANY: usize = 100;
/// As many as a device is given in a pool of this file.
const THREADS: usize = 2;

/// A torrent whose jobs hang until this is dropped.
struct Hung {
    storage: Arc<Storage>,
    gate: inspect::WorkQueue<()>,
    answers: inspect::WorkQueue<()>,
    asked: usize,
}

impl Hung {
    fn on(world: &World, device: Option<u64>) -> Self {
        Self::at(world, world.save_dir(), device)
    }

    fn at(world: &World, save_dir: PathBuf, device: Option<u64>) -> Self {
        Self::asking(MANY, world, save_dir, device)
    }

    fn asking(jobs: usize, world: &World, save_dir: PathBuf, device: Option<u64>) -> Self {
        let storage = Storage::new(Arc::clone(world.storage.info()), save_dir, &world.pool);
        device.into_iter().for_each(|device| storage.set_device(device));
        let gate = storage.hang();
        let answers = inspect::work_queue("answers of a disk that hung", 10 * MANY);
        let mut hung = Self { storage: Arc::new(storage), gate, answers, asked: 0 };
        (0..jobs).for_each(|_| hung.ask(world));
        hung
    }

    fn ask(&mut self, world: &World) {
        let answers = self.answers.clone();
        let blocks = world.blocks(1);
        let work = match self.asked % 2 {
            0 => PieceWork::Hash { piece: PieceIndex(0) },
            _ => PieceWork::Store { piece: PieceIndex(1), blocks },
        };
        let done = move |_| answers.try_push(()).expect("there is room");
        world.pool.submit(Job::piece(Arc::clone(&self.storage), work, done)).expect("there is room");
        self.asked += 1;
    }

    /// Ends it; each of its jobs is answered.
    fn release(self) {
        Self::release_all(vec![self]);
    }

    /// Ends all of them at once: one that goes on hanging may have the turns of the others.
    fn release_all(all: Vec<Self>) {
        all.iter().for_each(|hung| hung.gate.close());
        for hung in all {
            (0..hung.asked).for_each(|_| hung.answers.pop_blocking().expect("it is not closed"));
            assert!(hung.answers.is_empty());
        }
    }
}

/// Stores, hashes, reads and syncs all of the world's own torrent.
fn work(world: &World) {
    world.store_all();
    for piece in 0..3 {
        assert_eq!(world.hash(piece), HashOutcome::Match);
    }
    assert_eq!(world.read(0, 0, 10).unwrap(), world.payload[..10]);
    world.ask(Job::sync).unwrap();
}

#[test]
fn other_devices_go_on_beside_three_that_hang_with_several_torrents_each() {
    let world = World::new();
    let hung: Vec<Hung> = (0..9).map(|at| Hung::on(&world, Some(at % 3))).collect();
    work(&world);
    assert!(world.pool.work_threads() <= THREADS + 4 * (THREADS + 1), "{}", world.pool.work_threads());
    Hung::release_all(hung);
    assert_eq!(world.pool.queued_bytes(), 0);
}

#[test]
fn one_torrent_that_hangs_leaves_a_thread_to_the_others_of_its_device() {
    let world = World::new();
    world.store_all();
    let device = world.storage.device().expect("it was seen");
    let mut hung = Hung::on(&world, Some(device));
    for _ in 0..MANY {
        hung.ask(&world);
        assert_eq!(world.hash(0), HashOutcome::Match);
    }
    work(&world);
    hung.release();
}

#[test]
fn all_torrents_of_a_folder_that_does_not_answer_have_one_thread() {
    let world = World::new();
    let gone = world.folder.path().join("gone");
    let hung: Vec<Hung> = (0..20).map(|_| Hung::at(&world, gone.clone(), None)).collect();
    // The folder of this one was not seen yet either.
    work(&world);
    assert!(world.pool.work_threads() <= 1 + THREADS + 1, "{}", world.pool.work_threads());
    Hung::release_all(hung);
}

#[test]
fn however_many_folders_do_not_answer_those_whose_device_is_known_go_on() {
    let world = World::new();
    world.store_all();
    let folders = DISK_UNKNOWN_THREADS + 4;
    let folder = |at: usize| world.folder.path().join(at.to_string());
    let hung: Vec<Hung> = (0..folders).map(|at| Hung::at(&world, folder(at), None)).collect();
    work(&world);
    assert!(world.pool.work_threads() <= DISK_UNKNOWN_THREADS + THREADS + 1);
    // Those beyond the bound come in the places of others.
    Hung::release_all(hung);
}

#[test]
fn syncs_that_hang_hold_up_none_of_another_device() {
    let world = World::new();
    world.store_all();
    let hung = Storage::new(Arc::clone(world.storage.info()), world.save_dir(), &world.pool);
    hung.set_device(1);
    let gate = hung.hang();
    let hung = Arc::new(hung);
    for _ in 0..4 * DISK_SYNC_THREADS {
        world.pool.submit(Job::sync(Arc::clone(&hung), drop)).expect("there is room");
    }
    world.ask(Job::sync).unwrap();
    gate.close();
}

#[test]
fn torrents_of_one_device_take_turns_and_the_jobs_of_each_keep_their_order() {
    let world = World::new();
    let order = inspect::work_queue("order of jobs", 10 * MANY);
    // One thread: all wait behind a job that hangs, and then run one by one.
    let pool = DiskPool::start(1).unwrap();
    let storage = || Arc::new(Storage::new(Arc::clone(world.storage.info()), world.save_dir(), &pool));
    let storages: Vec<Arc<Storage>> = (0..3).map(|_| storage()).collect();
    storages.iter().for_each(|storage| storage.set_device(1));
    let gates: Vec<Hung> = (0..2).map(|_| Hung::one(&world, &pool, 1)).collect();
    for (at, storage) in storages.iter().enumerate() {
        for number in 0..4 {
            let order = order.clone();
            let done = move |_| order.try_push((at, number)).expect("there is room");
            pool.submit(Job::stamps(Arc::clone(storage), done)).expect("there is room");
        }
    }
    let mut gates = gates.into_iter();
    gates.next().expect("there are two").release();
    let turns: Vec<(usize, i32)> = (0..12).map(|_| order.pop_blocking().expect("it is not closed")).collect();
    let in_turn: Vec<(usize, i32)> = (0..4).flat_map(|number| (0..3).map(move |at| (at, number))).collect();
    assert_eq!(turns, in_turn);
    gates.for_each(Hung::release);
}

#[test]
fn a_torrent_alone_has_all_threads_that_its_device_has_use_for() {
    let world = World::new();
    let mut hung = Hung::on(&world, Some(1));
    let begun = inspect::work_queue("jobs that run at once", MANY);
    let barrier = Arc::new(std::sync::Barrier::new(THREADS + 1));
    let alone = Storage::new(Arc::clone(world.storage.info()), world.save_dir(), &world.pool);
    alone.set_device(2);
    let alone = Arc::new(alone);
    for _ in 0..THREADS {
        let (barrier, begun) = (Arc::clone(&barrier), begun.clone());
        let done = move |_| {
            barrier.wait();
            begun.try_push(()).expect("there is room");
        };
        world.pool.submit(Job::stamps(Arc::clone(&alone), done)).expect("there is room");
    }
    // It would wait for ever if they did not all run at once.
    barrier.wait();
    (0..THREADS).for_each(|_| begun.pop_blocking().expect("it is not closed"));
    hung.ask(&world);
    hung.release();
}

#[test]
fn no_more_threads_are_started_than_the_bound() {
    let world = World::new();
    let devices = DISK_THREADS_TOTAL as u64;
    // Each has more than its device has turns.
    let hung = |device| Hung::asking(2 * THREADS, &world, world.save_dir(), Some(device));
    let hung: Vec<Hung> = (0..devices).map(hung).collect();
    assert_eq!(world.pool.work_threads(), DISK_THREADS_TOTAL);
    Hung::release_all(hung);
    work(&world);
}

#[test]
fn the_sockets_of_others_are_read_while_what_hangs_fills_the_queue() {
    let world = World::new();
    world.store_all();
    let mut hung = Hung::on(&world, Some(1));
    while !hung.storage.budget().is_full() {
        hung.ask_much(&world);
    }
    assert!(!world.storage.budget().is_full());
    work(&world);
    assert!(!world.storage.budget().is_full());
    assert!(hung.storage.budget().is_full());
    hung.release();
}

#[test]
fn a_pool_that_ends_does_all_that_waits() {
    let world = World::new();
    let hung = Hung::on(&world, Some(1));
    let late = Hung::on(&world, None);
    let World { pool, .. } = world;
    drop(pool);
    hung.release();
    late.release();
}

impl Hung {
    /// One job that hangs, in a pool of its own device.
    fn one(world: &World, pool: &DiskPool, device: u64) -> Self {
        let storage = Storage::new(Arc::clone(world.storage.info()), world.save_dir(), pool);
        storage.set_device(device);
        let gate = storage.hang();
        let answers = inspect::work_queue("answers of a disk that hung", 1);
        let answer = answers.clone();
        let hung = Self { storage: Arc::new(storage), gate, answers, asked: 1 };
        let done = move |_| answer.try_push(()).expect("there is room");
        pool.submit(Job::stamps(Arc::clone(&hung.storage), done)).expect("there is room");
        hung
    }

    /// A job with 16 MiB in memory.
    fn ask_much(&mut self, world: &World) {
        let blocks = vec![(0, Bytes::from_static(&[0; 16 << 20]))];
        let answers = self.answers.clone();
        let done = move |_| answers.try_push(()).expect("there is room");
        let work = PieceWork::Write { piece: PieceIndex(0), blocks };
        world.pool.submit(Job::piece(Arc::clone(&self.storage), work, done)).expect("there is room");
        self.asked += 1;
    }
}
