//! Two engines in one process, over real sockets and real files on loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use unchoke::contract::{
    AddRequest, Answer, Assume, Command, DownloadOrder, EventKind, FileChoice, FirstLast, OrderChange,
    PieceSequence, Priority, PriorityChange, RemoveData, Source, TorrentState,
};
use unchoke::metainfo::create;
use unchoke::session::{self, Handle, Running, Settings, Switch};
use unchoke::units::TorrentId;

use crate::real::process::say;

const FILES: [(&str, usize); 4] =
    [("a.bin", 700_001), ("sub/b.bin", 262_144), ("empty", 0), ("sub/c.bin", 99)];

/// Payload that no two positions of which look alike.
pub(crate) fn payload(bytes: usize, seed: u64) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| rng.u8(..)).take(bytes).collect()
}

fn contents() -> Vec<(&'static str, Vec<u8>)> {
    FILES.iter().zip(1..).map(|((path, bytes), seed)| (*path, payload(*bytes, seed))).collect()
}

pub(crate) fn torrent() -> Vec<u8> {
    torrent_of(unchoke::metainfo::Kind::V1)
}

fn torrent_of(kind: unchoke::metainfo::Kind) -> Vec<u8> {
    let contents = contents();
    let files: Vec<(&str, &[u8])> = contents.iter().map(|(path, bytes)| (*path, &bytes[..])).collect();
    create::from_memory("bundle", 32 * 1024, &files, kind).unwrap()
}

fn write_payload(folder: &Path) {
    for (path, bytes) in contents() {
        let file = folder.join("bundle").join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
}

pub(crate) fn assert_payload(folder: &Path) {
    for (path, bytes) in contents() {
        assert!(std::fs::read(folder.join("bundle").join(path)).unwrap() == bytes, "{path} differs");
    }
}

pub(crate) async fn engine(folder: &Path) -> (Handle, Running) {
    session::start(Settings::on_loopback(folder)).await.unwrap()
}

pub(crate) fn request(peers: Vec<SocketAddr>) -> AddRequest {
    AddRequest { peers, ..AddRequest::of(Source::Bytes(torrent())) }
}

pub(crate) async fn add(handle: &Handle, request: AddRequest) -> TorrentId {
    match handle.request(Command::Add(Box::new(request))).await.unwrap() {
        Answer::Added { torrent, .. } => torrent,
        other => panic!("{other:?}"),
    }
}

/// Waits until the torrent is in `state`.
pub(crate) async fn reach(handle: &Handle, torrent: TorrentId, state: TorrentState) {
    let mut snapshots = handle.snapshots();
    let there = snapshots
        .wait_until(|snapshot| snapshot.torrents.iter().any(|row| row.id == torrent && row.state == state));
    let waited = tokio::time::timeout(Duration::from_secs(30), there).await;
    assert!(waited.is_ok(), "not {state:?} within 30 s: {:?}", handle.request(Command::List).await);
}

pub(crate) async fn end(handle: Handle, running: Running) {
    handle.request(Command::Shutdown).await.unwrap();
    running.ended().await.unwrap();
}

pub(crate) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// A folder, an engine on it that seeds, and its address.
pub(crate) async fn seed() -> (tempfile::TempDir, Handle, Running, SocketAddr) {
    let folder = tempfile::tempdir().unwrap();
    write_payload(&folder.path().join("save"));
    let (handle, running) = engine(folder.path()).await;
    let torrent = add(&handle, request(Vec::new())).await;
    reach(&handle, torrent, TorrentState::Seeding).await;
    let address = loopback(handle.listen_port());
    (folder, handle, running, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_engine_downloads_from_another_and_remembers_it() {
    let (_seed_folder, seed, seed_running, address) = seed().await;
    let folder = tempfile::tempdir().unwrap();
    let (leecher, running) = engine(folder.path()).await;
    let torrent = add(&leecher, request(vec![address])).await;
    reach(&leecher, torrent, TorrentState::Seeding).await;
    end(leecher, running).await;
    assert_payload(&folder.path().join("save"));
    end(seed, seed_running).await;
    // The next run knows it without looking at the payload again.
    let (again, running) = engine(folder.path()).await;
    reach(&again, torrent, TorrentState::Seeding).await;
    end(again, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deselected_file_comes_when_it_is_selected() {
    let (_seed_folder, seed, seed_running, address) = seed().await;
    let folder = tempfile::tempdir().unwrap();
    let (leecher, running) = engine(folder.path()).await;
    let off = PriorityChange { files: FileChoice::Glob("bundle/a.bin".into()), level: Priority::Off };
    let torrent = add(&leecher, AddRequest { priorities: vec![off], ..request(vec![address]) }).await;
    reach(&leecher, torrent, TorrentState::Finished).await;
    let all = PriorityChange { files: FileChoice::All, level: Priority::High };
    leecher.request(Command::SetPriority { torrent, changes: vec![all] }).await.unwrap();
    reach(&leecher, torrent, TorrentState::Seeding).await;
    assert_payload(&folder.path().join("save"));
    end(leecher, running).await;
    end(seed, seed_running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_assumed_complete_is_served_at_once_and_what_is_wrong_of_it_never() {
    let folder = tempfile::tempdir().unwrap();
    write_payload(&folder.path().join("save"));
    // In the third piece, which lies within a.bin.
    let wrong = folder.path().join("save/bundle/a.bin");
    let mut bytes = std::fs::read(&wrong).unwrap();
    bytes[2 * 32 * 1024 + 7] ^= 1;
    std::fs::write(&wrong, bytes).unwrap();
    let assuming = Settings { assume: Assume::Complete, ..Settings::on_loopback(folder.path()) };
    let (seed, seed_running) = session::start(assuming).await.unwrap();
    let torrent = add(&seed, request(vec![])).await;
    // No check: it is complete in the first picture of it.
    let Answer::List(rows) = seed.request(Command::List).await.unwrap() else { panic!("no list") };
    assert_eq!((rows[0].state, rows[0].pieces.checking), (TorrentState::Seeding, 0), "{:?}", rows[0]);

    let leecher_folder = tempfile::tempdir().unwrap();
    let (leecher, running) = engine(leecher_folder.path()).await;
    let mut events = leecher.events();
    add(&leecher, request(vec![loopback(seed.listen_port())])).await;
    let mut snapshots = leecher.snapshots();
    let all_but_one = snapshots.wait_until(|snapshot| {
        snapshot.torrents.iter().any(|row| row.pieces.total > 0 && row.pieces.have + 1 == row.pieces.total)
    });
    tokio::time::timeout(Duration::from_secs(30), all_but_one).await.expect("all right pieces come").unwrap();
    // The seed has found the wrong one out and wants it itself.
    reach(&seed, torrent, TorrentState::Downloading).await;
    let Answer::Detail(detail) = leecher.request(Command::Detail(torrent)).await.unwrap() else { panic!() };
    let missing: Vec<_> =
        detail.runs.iter().filter(|run| !run.have).map(|run| (run.start.0, run.length)).collect();
    assert_eq!(missing, [(2, 1)]);
    while let Ok(event) = events.try_recv() {
        assert!(
            !matches!(event.kind, EventKind::PieceFailed { .. } | EventKind::PeerBanned { .. }),
            "{event:?}"
        );
    }
    end(leecher, running).await;
    end(seed, seed_running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_download_agrees_with_itself_while_it_is_compared() {
    let (_seed_folder, seed, seed_running, address) = seed().await;
    let mut seed_events = seed.events();
    seed.request(Command::SetDebug(true)).await.unwrap();
    seed.request(Command::SetLimits { down: None, up: Some(unchoke::units::Rate(400_000)) }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let debugging = Settings { debug: Switch::On, ..Settings::on_loopback(folder.path()) };
    let (leecher, running) = session::start(debugging).await.unwrap();
    let mut events = leecher.events();
    let torrent = add(&leecher, request(vec![address])).await;
    let Answer::Status { engine, .. } = leecher.request(Command::Status).await.unwrap() else { panic!() };
    assert!(engine.debug);
    // It takes two seconds, so several comparisons fall into it.
    reach(&leecher, torrent, TorrentState::Seeding).await;
    end(leecher, running).await;
    end(seed, seed_running).await;
    for events in [&mut events, &mut seed_events] {
        while let Ok(event) = events.try_recv() {
            assert!(!matches!(event.kind, EventKind::Inconsistent { .. }), "{event:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_a_download_is_added_changed_in_part_and_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = engine(folder.path()).await;
    let first = OrderChange { sequence: None, first_last: Some(FirstLast::First) };
    let torrent = add(&handle, AddRequest { order: first, ..request(vec![]) }).await;
    assert_eq!(order(&handle).await, first.applied_to(DownloadOrder::default()));
    // Two changes on their way at once: neither undoes the other.
    let in_order = OrderChange { sequence: Some(PieceSequence::InOrder), first_last: None };
    let alike = OrderChange { sequence: None, first_last: Some(FirstLast::Alike) };
    let set = |order| handle.request(Command::SetOrder { torrent, order });
    let (one, other) = tokio::join!(set(in_order), set(alike));
    one.and(other).unwrap();
    let due = in_order.applied_to(DownloadOrder::default());
    assert_eq!(order(&handle).await, due);
    end(handle, running).await;
    let (again, running) = engine(folder.path()).await;
    reach(&again, torrent, TorrentState::Downloading).await;
    assert_eq!(order(&again).await, due);
    end(again, running).await;
}

/// The order of the only torrent.
pub(crate) async fn order(handle: &Handle) -> DownloadOrder {
    match handle.request(Command::List).await.unwrap() {
        Answer::List(rows) => rows[0].order,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_with_data_leaves_nothing_behind() {
    let (folder, seed, running, _) = seed().await;
    let torrent = match seed.request(Command::List).await.unwrap() {
        Answer::List(rows) => rows[0].id,
        other => panic!("{other:?}"),
    };
    seed.request(Command::Remove { torrent, data: RemoveData::Delete }).await.unwrap();
    assert!(!folder.path().join("save/bundle").exists());
    assert!(matches!(seed.request(Command::List).await.unwrap(), Answer::List(rows) if rows.is_empty()));
    end(seed, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_add_that_is_refused_while_the_torrent_leaves_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { trackers: Switch::On, ..Settings::on_loopback(folder.path()) };
    let (handle, running) = session::start(settings).await.unwrap();
    // A tracker that is silent: the goodbye to it takes until nobody waits for it any more.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let tracker = format!("http://{}/announce", silent.local_addr().unwrap());
    let torrent = add(&handle, AddRequest { trackers: vec![tracker], ..request(Vec::new()) }).await;
    let (remove, again) = (handle.clone(), Command::Add(Box::new(request(Vec::new()))));
    let leaving = unchoke::inspect::spawn("test: remove", async move {
        remove.request(Command::Remove { torrent, data: RemoveData::Keep }).await
    });
    let mut snapshots = handle.snapshots();
    snapshots.wait_until(|snapshot| snapshot.torrents.is_empty()).await.unwrap();
    let refused = handle.request(again).await.unwrap_err().to_string();
    assert!(refused.contains("just being removed"), "{refused}");
    assert!(matches!(leaving.await, Ok(Ok(Answer::Done))));
    end(handle, running).await;
    let (handle, running) = engine(folder.path()).await;
    assert!(matches!(handle.request(Command::List).await.unwrap(), Answer::List(rows) if rows.is_empty()));
    end(handle, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_added_leaves_the_list_and_the_disk_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = engine(folder.path()).await;
    let file = folder.path().join("a file");
    std::fs::write(&file, b"no torrent").unwrap();
    let bad = [
        (Source::Path(folder.path().join("missing.torrent")), "missing.torrent"),
        (Source::Path(folder.path().to_owned()), "not a file"),
        (Source::Path(file.clone()), "not a valid torrent"),
        (Source::Magnet("magnet:?xt=urn:btih:zz".into()), "magnet"),
    ];
    for (source, named) in bad {
        let refused = handle.request(Command::Add(Box::new(AddRequest { source, ..request(vec![]) }))).await;
        let message = refused.unwrap_err().message;
        assert!(message.contains(named), "{message}");
    }
    let beneath_a_file = AddRequest { save_dir: Some(file.join("below")), ..request(vec![]) };
    let refused = handle.request(Command::Add(Box::new(beneath_a_file))).await.unwrap_err();
    assert!(refused.message.contains("cannot save into"), "{refused}");
    assert!(matches!(handle.request(Command::List).await.unwrap(), Answer::List(rows) if rows.is_empty()));
    assert!(!folder.path().join("save").exists());
    end(handle, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn adding_again_elsewhere_does_not_move_the_torrent_and_limits_outlive_the_run() {
    let (folder, seed, running, _) = seed().await;
    let limit = Some(unchoke::units::Rate(123_456));
    seed.request(Command::SetLimits { down: None, up: limit }).await.unwrap();
    let elsewhere = AddRequest { save_dir: Some(folder.path().join("elsewhere")), ..request(vec![]) };
    let answer = seed.request(Command::Add(Box::new(elsewhere))).await.unwrap();
    assert!(matches!(answer, Answer::Added { already: true, .. }));
    end(seed, running).await;
    let (again, running) = engine(folder.path()).await;
    let Answer::Added { torrent, .. } = again.request(Command::Add(Box::new(request(vec![])))).await.unwrap()
    else {
        panic!("not added");
    };
    reach(&again, torrent, TorrentState::Seeding).await;
    match again.request(Command::Status).await.unwrap() {
        Answer::Status { engine, .. } => assert_eq!(engine.up_limit, limit),
        other => panic!("{other:?}"),
    }
    end(again, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_torrents_over_the_same_files_are_warned_of_and_neither_takes_the_others() {
    let (folder, seed, running, _) = seed().await;
    let mut events = seed.events();
    let source = Source::Bytes(torrent_of(unchoke::metainfo::Kind::V2));
    add(&seed, AddRequest { source, ..request(vec![]) }).await;
    let warned = async {
        while let Some(event) = events.recv().await {
            if let EventKind::Notice { message, .. } = event.kind {
                return message;
            }
        }
        panic!("the engine ended");
    };
    let message = tokio::time::timeout(Duration::from_secs(10), warned).await.unwrap();
    assert!(message.raw().contains("same place"), "{message}");
    let Answer::List(rows) = seed.request(Command::List).await.unwrap() else { panic!("no list") };
    let (torrent, other) = (rows[0].id, rows[1].id);
    let refused = seed.request(Command::Remove { torrent, data: RemoveData::Delete }).await.unwrap_err();
    assert!(refused.message.contains(&other.to_string()), "{refused}");
    seed.request(Command::Remove { torrent, data: RemoveData::Keep }).await.unwrap();
    seed.request(Command::Remove { torrent: other, data: RemoveData::Delete }).await.unwrap();
    assert!(!folder.path().join("save/bundle").exists());
    end(seed, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rate_limits_hold() {
    let (_seed_folder, seed, seed_running, address) = seed().await;
    seed.request(Command::SetLimits { down: None, up: Some(unchoke::units::Rate(400_000)) }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (leecher, running) = engine(folder.path()).await;
    let began = std::time::Instant::now();
    let torrent = add(&leecher, request(vec![address])).await;
    reach(&leecher, torrent, TorrentState::Seeding).await;
    // Nearly 1 MB at 400 kB/s: a free flow takes milliseconds.
    assert!(began.elapsed() > Duration::from_millis(1500), "{:?}", began.elapsed());
    end(leecher, running).await;
    end(seed, seed_running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_over_ipv6_are_answered_on_the_same_port() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        say("skipped: this machine has no IPv6 loopback");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_payload(&folder.path().join("save"));
    let everywhere =
        Settings { bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED), ..Settings::on_loopback(folder.path()) };
    let (seed, seed_running) = session::start(everywhere).await.unwrap();
    let torrent = add(&seed, request(Vec::new())).await;
    reach(&seed, torrent, TorrentState::Seeding).await;
    let address = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, seed.listen_port()));
    let folder = tempfile::tempdir().unwrap();
    let anywhere =
        Settings { bind: IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), ..Settings::on_loopback(folder.path()) };
    let (leecher, running) = session::start(anywhere).await.unwrap();
    let torrent = add(&leecher, request(vec![address])).await;
    reach(&leecher, torrent, TorrentState::Seeding).await;
    end(leecher, running).await;
    end(seed, seed_running).await;
}
