//! Magnets in whole engines, over real sockets on loopback: from the link to the payload, across restarts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use unchoke::contract::{
    AddRequest, Answer, Command, DownloadOrder, FileChoice, FirstLast, OrderChange, PieceSequence, Priority,
    PriorityChange, RemoveData, Source, StartState, TorrentRow, TorrentState,
};
use unchoke::metainfo::{self, Kind, create};
use unchoke::session::Handle;
use unchoke::units::TorrentId;

use crate::session::{add, assert_payload, end, engine, loopback, order, reach, request, seed, torrent};

/// The link to the torrent that the seed has.
fn link(peers: &[SocketAddr]) -> String {
    let id = metainfo::parse(torrent().into()).unwrap().info.id();
    let peers: String = peers.iter().map(|peer| format!("&x.pe={peer}")).collect();
    format!("magnet:?xt=urn:btih:{id}&dn=a%20name{peers}")
}

fn magnet(link: String) -> AddRequest {
    AddRequest { source: Source::Magnet(link), ..request(Vec::new()) }
}

/// An address where nobody answers.
fn nobody() -> SocketAddr {
    std::net::TcpListener::bind(loopback(0)).unwrap().local_addr().unwrap()
}

async fn rows(handle: &Handle) -> Vec<Arc<TorrentRow>> {
    match handle.request(Command::List).await.unwrap() {
        Answer::List(rows) => rows,
        other => panic!("{other:?}"),
    }
}

/// Waits until the only torrent of the list has this cause.
async fn wait_for_cause(handle: &Handle, wanted: &str) {
    let mut snapshots = handle.snapshots();
    let is_there =
        |row: &Arc<TorrentRow>| row.cause.as_ref().is_some_and(|cause| cause.raw().contains(wanted));
    let there = snapshots.wait_until(|snapshot| snapshot.torrents.iter().any(is_there));
    let waited = tokio::time::timeout(Duration::from_secs(30), there).await;
    assert!(waited.is_ok(), "not {wanted} within 30 s: {:?}", rows(handle).await);
}

/// How much each file is wanted.
async fn levels(handle: &Handle, torrent: TorrentId) -> Vec<Priority> {
    match handle.request(Command::Detail(torrent)).await.unwrap() {
        Answer::Detail(detail) => detail.files.iter().map(|file| file.priority).collect(),
        other => panic!("{other:?}"),
    }
}

async fn add_peer(handle: &Handle, torrent: TorrentId, address: SocketAddr) {
    handle.request(Command::AddPeer { torrent, address }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_magnet_that_names_a_seed_becomes_the_torrent_in_its_place() {
    let (_seed_folder, seed, seed_running, address) = seed().await;
    let folder = tempfile::tempdir().unwrap();
    let (leecher, running) = engine(folder.path()).await;
    let torrent = add(&leecher, magnet(link(&[nobody(), address]))).await;
    let bytes = create::from_memory("other", 32 * 1024, &[("x", &[1; 9])], Kind::V1).unwrap();
    let paused = AddRequest { source: Source::Bytes(bytes), start: StartState::Paused, ..request(vec![]) };
    add(&leecher, paused).await;
    reach(&leecher, torrent, TorrentState::Seeding).await;
    let list = rows(&leecher).await;
    assert_eq!((list.len(), list[0].id, list[0].name.raw()), (2, torrent, "bundle"));
    assert_payload(&folder.path().join("save"));
    end(leecher, running).await;
    end(seed, seed_running).await;
    // The next run has the torrent, and needs neither the link nor the peer.
    let (again, running) = engine(folder.path()).await;
    reach(&again, torrent, TorrentState::Seeding).await;
    end(again, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_91_wishes_before_the_metadata_outlive_a_restart_with_the_link_the_pause_and_the_order() {
    let (_seed_folder, seed, seed_running, address) = seed().await;
    let folder = tempfile::tempdir().unwrap();
    let (leecher, running) = engine(folder.path()).await;
    let torrent = add(&leecher, magnet(link(&[nobody()]))).await;
    wait_for_cause(&leecher, "no_peer_reachable").await;
    assert_eq!(rows(&leecher).await[0].state, TorrentState::Metadata);
    let off = PriorityChange { files: FileChoice::Glob("bundle/a.bin".into()), level: Priority::Off };
    leecher.request(Command::SetPriority { torrent, changes: vec![off] }).await.unwrap();
    let change = OrderChange { sequence: Some(PieceSequence::InOrder), first_last: None };
    leecher.request(Command::SetOrder { torrent, order: change }).await.unwrap();
    leecher.request(Command::Pause(torrent)).await.unwrap();
    end(leecher, running).await;

    let (again, running) = engine(folder.path()).await;
    reach(&again, torrent, TorrentState::Paused).await;
    assert_eq!(order(&again).await, change.applied_to(DownloadOrder::default()));
    assert_eq!(rows(&again).await[0].name.raw(), "a name");
    add_peer(&again, torrent, address).await;
    again.request(Command::Resume(torrent)).await.unwrap();
    reach(&again, torrent, TorrentState::Finished).await;
    assert_eq!(order(&again).await, change.applied_to(DownloadOrder::default()));
    assert_eq!(
        levels(&again, torrent).await,
        [Priority::Off, Priority::Normal, Priority::Normal, Priority::Normal]
    );
    end(again, running).await;
    end(seed, seed_running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_files_that_the_link_selects_are_wanted() {
    let (_seed_folder, seed, seed_running, address) = seed().await;
    let folder = tempfile::tempdir().unwrap();
    let (leecher, running) = engine(folder.path()).await;
    let torrent = add(&leecher, magnet(format!("{}&so=1-2", link(&[address])))).await;
    reach(&leecher, torrent, TorrentState::Finished).await;
    assert_eq!(
        levels(&leecher, torrent).await,
        [Priority::Off, Priority::Normal, Priority::Normal, Priority::Off]
    );
    end(leecher, running).await;
    end(seed, seed_running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_81_removed_while_looking_or_added_twice_leaves_one_torrent_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = engine(folder.path()).await;
    let torrent = add(&handle, magnet(link(&[]))).await;
    let again = handle.request(Command::Add(Box::new(magnet(link(&[nobody()]))))).await.unwrap();
    assert!(matches!(again, Answer::Added { already: true, torrent: listed } if listed == torrent));
    handle.request(Command::Remove { torrent, data: RemoveData::Delete }).await.unwrap();
    assert!(rows(&handle).await.is_empty());
    // The .torrent file takes the place of the link.
    add(&handle, magnet(link(&[]))).await;
    let file = handle.request(Command::Add(Box::new(request(Vec::new())))).await.unwrap();
    assert!(matches!(file, Answer::Added { already: true, torrent: listed } if listed == torrent));
    reach(&handle, torrent, TorrentState::Downloading).await;
    assert_eq!(rows(&handle).await.len(), 1);
    handle.request(Command::Remove { torrent, data: RemoveData::Keep }).await.unwrap();
    end(handle, running).await;
    let (handle, running) = engine(folder.path()).await;
    assert!(rows(&handle).await.is_empty());
    end(handle, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_takes_the_place_of_a_link_changes_only_what_it_names_of_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = engine(folder.path()).await;
    let first = OrderChange { sequence: None, first_last: Some(FirstLast::First) };
    let torrent = add(&handle, AddRequest { order: first, ..magnet(link(&[])) }).await;
    let in_order = OrderChange { sequence: Some(PieceSequence::InOrder), first_last: None };
    add(&handle, AddRequest { order: in_order, ..request(Vec::new()) }).await;
    reach(&handle, torrent, TorrentState::Downloading).await;
    let both = DownloadOrder { sequence: PieceSequence::InOrder, first_last: FirstLast::First };
    assert_eq!(order(&handle).await, both);
    end(handle, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_v2_link_whose_torrent_needs_piece_layers_says_so() {
    let (seed_folder, seed, seed_running, address) = seed().await;
    let content = vec![7; 100_000];
    std::fs::write(seed_folder.path().join("save/big"), &content).unwrap();
    let bytes = create::from_memory("big", 16 * 1024, &[("big", &content)], Kind::V2).unwrap();
    let hash = metainfo::parse(bytes.clone().into()).unwrap().info.info_hash_v2.unwrap();
    let theirs = add(&seed, AddRequest { source: Source::Bytes(bytes), ..request(Vec::new()) }).await;
    let folder = tempfile::tempdir().unwrap();
    let (leecher, running) = engine(folder.path()).await;
    let ours = add(&leecher, magnet(format!("magnet:?xt=urn:btmh:1220{hash}&x.pe={address}"))).await;
    assert_eq!(ours, theirs);
    reach(&leecher, ours, TorrentState::Error).await;
    wait_for_cause(&leecher, "piece layers").await;
    end(leecher, running).await;
    end(seed, seed_running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preview_of_a_link_has_its_name_and_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = engine(folder.path()).await;
    let preview = handle.request(Command::Preview(Source::Magnet(link(&[])))).await.unwrap();
    let Answer::Preview(preview) = preview else { panic!("{preview:?}") };
    assert_eq!((preview.name.raw(), preview.pieces, preview.files.len()), ("a name", 0, 0));
    let broken = handle.request(Command::Preview(Source::Magnet("magnet:?xt=urn:btih:zz".into()))).await;
    assert!(broken.unwrap_err().message.contains("info-hash is broken"));
    end(handle, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_v2_link_to_a_hybrid_becomes_the_torrent_by_its_v1_info_hash() {
    let (seed_folder, seed, seed_running, address) = seed().await;
    let content = vec![7; 100_000];
    std::fs::write(seed_folder.path().join("save/big"), &content).unwrap();
    let bytes = create::from_memory("big", 16 * 1024, &[("big", &content)], Kind::Hybrid).unwrap();
    let info = metainfo::parse(bytes.clone().into()).unwrap().info;
    let theirs = add(&seed, AddRequest { source: Source::Bytes(bytes), ..request(Vec::new()) }).await;
    reach(&seed, theirs, TorrentState::Seeding).await;
    let folder = tempfile::tempdir().unwrap();
    let (leecher, running) = engine(folder.path()).await;
    let hash = info.info_hash_v2.unwrap();
    let looked_for = add(&leecher, magnet(format!("magnet:?xt=urn:btmh:1220{hash}&x.pe={address}"))).await;
    assert_ne!(looked_for, theirs);
    reach(&leecher, theirs, TorrentState::Seeding).await;
    end(leecher, running).await;
    let (again, running) = engine(folder.path()).await;
    reach(&again, theirs, TorrentState::Seeding).await;
    assert_eq!(rows(&again).await.len(), 1, "the link is gone from the list");
    end(again, running).await;
    end(seed, seed_running).await;
}
