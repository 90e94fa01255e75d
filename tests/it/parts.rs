//! A deselected file between two wanted ones: what appears on disk, what is claimed, what a lost part file costs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use unchoke::contract::{
    AddRequest, Answer, Command, EventKind, FileChoice, Priority, PriorityChange, RemoveData, Source,
    TorrentDetail, TorrentState,
};
use unchoke::metainfo::{Kind, create};
use unchoke::session::{Handle, Running};
use unchoke::units::TorrentId;

use crate::session::{add, end, engine, loopback, reach, request};

const PIECE: usize = 32 * 1024;

/// The middle file ends and begins inside pieces of its neighbours, and has two pieces of its own.
const FILES: [(&str, usize); 3] = [("a.bin", 40_000), ("b.bin", 110_000), ("c.bin", 50_000)];

/// Pieces with bytes of the middle file alone: the only ones that are not fetched while it is off.
const INNER_PIECES: u32 = 2;

fn contents() -> Vec<(&'static str, Vec<u8>)> {
    let mut rng = fastrand::Rng::with_seed(54);
    let mut file = |bytes| std::iter::repeat_with(|| rng.u8(..)).take(bytes).collect();
    FILES.iter().map(|(path, bytes)| (*path, file(*bytes))).collect()
}

fn source() -> Source {
    let contents = contents();
    let files: Vec<(&str, &[u8])> = contents.iter().map(|(path, bytes)| (*path, &bytes[..])).collect();
    Source::Bytes(create::from_memory("trio", u32::try_from(PIECE).unwrap(), &files, Kind::V1).unwrap())
}

/// A seed of all three files, and a folder for who downloads from it.
struct Scene {
    seed: Handle,
    seed_running: Running,
    _seed_folder: tempfile::TempDir,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let seed_folder = tempfile::tempdir().unwrap();
        let files = seed_folder.path().join("save/trio");
        std::fs::create_dir_all(&files).unwrap();
        contents().iter().for_each(|(path, bytes)| std::fs::write(files.join(path), bytes).unwrap());
        let (seed, seed_running) = engine(seed_folder.path()).await;
        let torrent = add(&seed, AddRequest { source: source(), ..request(Vec::new()) }).await;
        reach(&seed, torrent, TorrentState::Seeding).await;
        Self { seed, seed_running, _seed_folder: seed_folder, folder: tempfile::tempdir().unwrap() }
    }

    /// A first run, which gets all but the middle file.
    async fn first_run(&self) -> TorrentId {
        let (leecher, running) = engine(self.folder.path()).await;
        let off = PriorityChange { files: FileChoice::Glob("trio/b.bin".into()), level: Priority::Off };
        let source = source();
        let peers = vec![loopback(self.seed.listen_port())];
        let wishes = AddRequest { source, priorities: vec![off], ..request(peers) };
        let torrent = add(&leecher, wishes).await;
        reach(&leecher, torrent, TorrentState::Finished).await;
        end(leecher, running).await;
        torrent
    }

    fn save(&self) -> PathBuf {
        self.folder.path().join("save")
    }

    fn part_file(&self, torrent: TorrentId) -> PathBuf {
        self.save().join(format!(".unchoke-{torrent}.parts"))
    }

    async fn call_seed(&self, leecher: &Handle, torrent: TorrentId) {
        let address = loopback(self.seed.listen_port());
        leecher.request(Command::AddPeer { torrent, address }).await.unwrap();
    }

    /// Fails unless exactly these files of the torrent are there, with the right bytes.
    fn assert_files(&self, expected: &[&str]) {
        let folder = self.save().join("trio");
        let mut there: Vec<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        there.sort();
        assert_eq!(there, expected);
        for (path, bytes) in contents().iter().filter(|(path, _)| expected.contains(path)) {
            assert!(std::fs::read(folder.join(path)).unwrap() == *bytes, "{path} differs");
        }
    }

    async fn end(self) {
        end(self.seed, self.seed_running).await;
    }
}

async fn detail(handle: &Handle, torrent: TorrentId) -> Arc<TorrentDetail> {
    match handle.request(Command::Detail(torrent)).await.unwrap() {
        Answer::Detail(detail) => detail,
        other => panic!("{other:?}"),
    }
}

async fn have(handle: &Handle, torrent: TorrentId) -> u32 {
    detail(handle, torrent).await.row.pieces.have
}

async fn want_all(handle: &Handle, torrent: TorrentId) {
    let all = PriorityChange { files: FileChoice::All, level: Priority::Normal };
    handle.request(Command::SetPriority { torrent, changes: vec![all] }).await.unwrap();
}

async fn wait_gone(path: &Path) {
    let gone = async {
        while path.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("it goes with the next sync");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deselected_file_does_not_appear_and_comes_whole_when_it_is_raised() {
    let scene = Scene::new().await;
    let torrent = scene.first_run().await;
    scene.assert_files(&["a.bin", "c.bin"]);
    assert!(scene.part_file(torrent).is_file());

    // The next run trusts it, without a peer and without looking at the payload.
    let (again, running) = engine(scene.folder.path()).await;
    reach(&again, torrent, TorrentState::Finished).await;
    let all = detail(&again, torrent).await.row.pieces.total;
    assert_eq!(have(&again, torrent).await, all - INNER_PIECES);
    // And a check of what is on disk finds the same.
    let mut events = again.events();
    again.request(Command::Recheck(torrent)).await.unwrap();
    let checked = async {
        loop {
            if let EventKind::Checked { have, checked } = events.recv().await.expect("the engine runs").kind {
                return (have, checked);
            }
        }
    };
    let checked = tokio::time::timeout(Duration::from_secs(30), checked).await.unwrap();
    assert_eq!(checked, (all - INNER_PIECES, all));

    want_all(&again, torrent).await;
    scene.call_seed(&again, torrent).await;
    reach(&again, torrent, TorrentState::Seeding).await;
    wait_gone(&scene.part_file(torrent)).await;
    scene.assert_files(&["a.bin", "b.bin", "c.bin"]);
    end(again, running).await;

    let (again, running) = engine(scene.folder.path()).await;
    reach(&again, torrent, TorrentState::Seeding).await;
    end(again, running).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_54_a_lost_part_file_costs_its_pieces_and_claims_nothing() {
    let scene = Scene::new().await;
    let torrent = scene.first_run().await;
    std::fs::remove_file(scene.part_file(torrent)).unwrap();
    // Its record names the seed, which would give the pieces again before they are counted.
    scene.seed.request(Command::Pause(torrent)).await.unwrap();

    let (again, running) = engine(scene.folder.path()).await;
    reach(&again, torrent, TorrentState::Downloading).await;
    let all = detail(&again, torrent).await.row.pieces.total;
    assert_eq!(have(&again, torrent).await, all - INNER_PIECES - 2, "the two edges are not claimed");
    scene.seed.request(Command::Resume(torrent)).await.unwrap();
    reach(&scene.seed, torrent, TorrentState::Seeding).await;
    scene.call_seed(&again, torrent).await;
    reach(&again, torrent, TorrentState::Finished).await;
    scene.assert_files(&["a.bin", "c.bin"]);
    assert!(scene.part_file(torrent).is_file());

    want_all(&again, torrent).await;
    scene.call_seed(&again, torrent).await;
    reach(&again, torrent, TorrentState::Seeding).await;
    wait_gone(&scene.part_file(torrent)).await;
    scene.assert_files(&["a.bin", "b.bin", "c.bin"]);
    end(again, running).await;
    scene.end().await;
}

/// What is claimed of the edges is in no file when the middle one is raised: a check finds that out.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_file_lost_while_it_runs_leaves_no_hole_in_a_file_that_is_raised() {
    let scene = Scene::new().await;
    let torrent = scene.first_run().await;
    let (again, running) = engine(scene.folder.path()).await;
    reach(&again, torrent, TorrentState::Finished).await;
    std::fs::remove_file(scene.part_file(torrent)).unwrap();
    let mut events = again.events();
    want_all(&again, torrent).await;
    let checked = async {
        while !matches!(events.recv().await.expect("the engine runs").kind, EventKind::Checked { .. }) {}
    };
    tokio::time::timeout(Duration::from_secs(30), checked).await.unwrap();
    scene.call_seed(&again, torrent).await;
    reach(&again, torrent, TorrentState::Seeding).await;
    scene.assert_files(&["a.bin", "b.bin", "c.bin"]);
    end(again, running).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_with_data_takes_what_was_kept_apart() {
    let scene = Scene::new().await;
    let torrent = scene.first_run().await;
    let (again, running) = engine(scene.folder.path()).await;
    reach(&again, torrent, TorrentState::Finished).await;
    again.request(Command::Remove { torrent, data: RemoveData::Delete }).await.unwrap();
    assert_eq!(std::fs::read_dir(scene.save()).unwrap().count(), 0);
    end(again, running).await;
    scene.end().await;
}
