//! What is left of a torrent that was removed, on a disk that answers and on one that never does.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::directory::Directory;
use super::disk::Storage;
use super::start::{Running, start_with_directory};
use super::{Handle, Settings};
use crate::contract::{AddRequest, Answer, Command, RemoveData, Source, TaskReport, TaskState, TorrentRow};
use crate::inspect;
use crate::limits;
use crate::metainfo::{Kind, create};
use crate::units::{Rate, TorrentId};

const PIECE: u32 = 32 * 1024;
const BYTES: usize = 2_000_000;
const PATIENCE: Duration = Duration::from_secs(30);
/// A removal and all that follows.
const GONE_WITHIN: Duration = Duration::from_secs(1);

struct Engine {
    handle: Handle,
    running: Running,
    directory: Directory,
}

impl Engine {
    async fn start(folder: &Path) -> Self {
        let (handle, running, directory) = start_with_directory(Settings::on_loopback(folder)).await.unwrap();
        Self { handle, running, directory }
    }

    async fn add(&self, name: &str) -> TorrentId {
        let request = AddRequest::of(Source::Bytes(torrent(name)));
        match self.handle.request(Command::Add(Box::new(request))).await.unwrap() {
            Answer::Added { torrent, .. } => torrent,
            other => panic!("{other:?}"),
        }
    }

    fn storage(&self, torrent: TorrentId) -> Arc<Storage> {
        self.directory.member(torrent).and_then(|member| member.storage).expect("it runs")
    }

    /// Waits until the torrent's row is as wanted.
    async fn reach(&self, torrent: TorrentId, is: impl Fn(&TorrentRow) -> bool) {
        let mut snapshots = self.handle.snapshots();
        let there =
            snapshots.wait_until(|snapshot| snapshot.torrents.iter().any(|row| row.id == torrent && is(row)));
        let waited = inspect::timeout(PATIENCE, there).await;
        assert!(waited.is_ok(), "not in time: {:?}", self.handle.request(Command::List).await);
    }

    async fn remove(&self, torrent: TorrentId) -> Duration {
        let began = Instant::now();
        let removed = self.handle.request(Command::Remove { torrent, data: RemoveData::Keep }).await;
        assert!(matches!(removed, Ok(Answer::Done)), "{removed:?}");
        began.elapsed()
    }

    async fn end(self) {
        self.handle.request(Command::Shutdown).await.unwrap();
        self.running.ended().await.unwrap();
    }
}

/// Its payload, other for each name.
fn payload(name: &str) -> Vec<u8> {
    name.bytes().cycle().take(BYTES).collect()
}

fn torrent(name: &str) -> Vec<u8> {
    create::from_memory(name, PIECE, &[("file", &payload(name))], Kind::V1).unwrap()
}

/// Engines that have these torrents and that fetch them, with the address of the first.
async fn two_engines(names: &[&str]) -> ([tempfile::TempDir; 2], Engine, Engine, SocketAddr) {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    for name in names {
        let folder = folders[0].path().join("save").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("file"), payload(name)).unwrap();
    }
    let (seed, leecher) = (Engine::start(folders[0].path()).await, Engine::start(folders[1].path()).await);
    for name in names {
        let torrent = seed.add(name).await;
        seed.reach(torrent, |row| row.done_bytes == row.total_bytes).await;
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, seed.handle.listen_port()));
    (folders, seed, leecher, address)
}

/// The tasks of a torrent that have not ended, of all engines of this process.
fn alive(torrent: TorrentId) -> Vec<TaskReport> {
    let ended = |task: &TaskReport| {
        matches!(task.state, TaskState::Finished | TaskState::Panicked(_) | TaskState::Aborted)
    };
    inspect::tasks().into_iter().filter(|task| task.torrent == Some(torrent) && !ended(task)).collect()
}

async fn none_alive_by(torrent: TorrentId, by: Instant) {
    while !alive(torrent).is_empty() {
        assert!(Instant::now() < by, "left: {:#?}", alive(torrent));
        inspect::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_works_for_a_torrent_a_second_after_it_was_removed_in_the_middle_of_a_transfer() {
    let (_folders, seed, leecher, address) = two_engines(&["removed in transfer"]).await;
    let slow = Command::SetLimits { down: None, up: Some(Rate(300_000)) };
    seed.handle.request(slow).await.unwrap();
    let torrent = leecher.add("removed in transfer").await;
    leecher.handle.request(Command::AddPeer { torrent, address }).await.unwrap();
    leecher.reach(torrent, |row| row.done_bytes > 0).await;
    let names: Vec<String> = alive(torrent).iter().map(|task| task.name.to_string()).collect();
    assert!(names.iter().any(|name| name.starts_with("owner of")), "{names:?}");
    assert!(names.iter().any(|name| name.ends_with(": read")), "{names:?}");
    let began = Instant::now();
    tokio::join!(leecher.remove(torrent), seed.remove(torrent));
    none_alive_by(torrent, began + GONE_WITHIN).await;
    leecher.end().await;
    seed.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torrent_whose_disk_never_answers_goes_within_its_grace_and_holds_up_no_other() {
    let (_folders, seed, leecher, address) = two_engines(&["hung", "sound"]).await;
    let limit = |down| Command::SetLimits { down, up: None };
    leecher.handle.request(limit(Some(Rate(300_000)))).await.unwrap();
    let hung = leecher.add("hung").await;
    let storage = leecher.storage(hung);
    leecher.handle.request(Command::AddPeer { torrent: hung, address }).await.unwrap();
    // Its disk answered once, so that its device is known; from then on it does not.
    leecher.reach(hung, |row| row.done_bytes > 0).await;
    let gate = storage.hang();
    leecher.handle.request(limit(None)).await.unwrap();
    let waits = async {
        while storage.budget().queued_bytes() == 0 {
            inspect::sleep(Duration::from_millis(10)).await;
        }
    };
    inspect::timeout(PATIENCE, waits).await.expect("a piece is to be stored");
    // Another one is added, fetched, checked and removed meanwhile.
    let sound = leecher.add("sound").await;
    leecher.handle.request(Command::AddPeer { torrent: sound, address }).await.unwrap();
    leecher.reach(sound, |row| row.done_bytes == row.total_bytes).await;
    leecher.handle.request(Command::Recheck(sound)).await.unwrap();
    leecher.reach(sound, |row| row.done_bytes == row.total_bytes).await;
    seed.remove(sound).await;
    let took = leecher.remove(sound).await;
    assert!(took < GONE_WITHIN, "{took:?}");
    seed.remove(hung).await;
    let began = Instant::now();
    let took = leecher.remove(hung).await;
    assert!(took < limits::STOP_GRACE + GONE_WITHIN, "{took:?}");
    none_alive_by(hung, began + limits::STOP_GRACE + GONE_WITHIN).await;
    assert!(storage.budget().queued_bytes() > 0, "it hangs still");
    gate.close();
    leecher.end().await;
    seed.end().await;
}
