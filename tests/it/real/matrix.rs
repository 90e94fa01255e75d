//! We download from each rival, and each rival downloads from us.

use super::clients::{
    AddOptions, Client, Job, Libtorrent, Rival as _, Role, require_or_skip, start, wait_complete,
};
use super::payload::Payload;
use super::process::loopback;
use super::stub_tracker::StubTracker;
use super::unchoke::Download;

/// The rival seeds and hears of nobody; we dial it.
fn we_download_from(client: Client) {
    let Some(program) = require_or_skip(client) else { return };
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::borders(arena.path());
    // rtorrent refuses a torrent without trackers.
    let tracker = StubTracker::without_peers();
    let theirs = payload.torrent(&arena.path().join("theirs.torrent"), &[tracker.url()]);
    let ours = payload.torrent(&arena.path().join("ours.torrent"), &[]);
    let seed_home = arena.path().join("seed");
    let seed = start(
        client,
        &program,
        &Job {
            home: &seed_home,
            torrent: &theirs,
            info_hash: &payload.info_hash,
            folder: &payload.folder,
            role: Role::Seed,
        },
    );
    let target = arena.path().join("target");
    Download::from_peer(&arena.path().join("us"), &ours, &target, seed.port()).wait_done();
    payload.assert_only_this_in(&target);
}

/// We seed; the rival hears of us from its tracker and dials us.
fn downloads_from_us(client: Client) {
    let Some(program) = require_or_skip(client) else { return };
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::borders(arena.path());
    let ours = payload.torrent(&arena.path().join("ours.torrent"), &[]);
    let (mut us, port) = Download::seed(&arena.path().join("us"), &ours, &payload.folder, &[]);
    let tracker = StubTracker::with_peer(loopback(port));
    let theirs = payload.torrent(&arena.path().join("theirs.torrent"), &[tracker.url()]);
    let target = arena.path().join("target");
    let home = arena.path().join("leech");
    let mut leech = start(
        client,
        &program,
        &Job {
            home: &home,
            torrent: &theirs,
            info_hash: &payload.info_hash,
            folder: &target,
            role: Role::Leech,
        },
    );
    wait_complete(&mut *leech, client);
    payload.assert_same_in(&target);
    assert!(us.is_running(), "we go on seeding");
    payload.assert_only_this_in(&payload.folder);
}

#[test]
fn we_download_from_transmission() {
    we_download_from(Client::Transmission);
}

#[test]
fn we_download_from_aria2() {
    we_download_from(Client::Aria2);
}

#[test]
fn we_download_from_qbittorrent() {
    we_download_from(Client::Qbittorrent);
}

#[test]
fn we_download_from_rtorrent() {
    we_download_from(Client::Rtorrent);
}

#[test]
fn we_download_from_libtorrent() {
    we_download_from(Client::Libtorrent);
}

/// transmission ignores peers on 127/8 that a tracker names, so here we dial it, having all it wants.
#[test]
fn transmission_downloads_from_us() {
    let Some(program) = require_or_skip(Client::Transmission) else { return };
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::borders(arena.path());
    let torrent = payload.torrent(&arena.path().join("t.torrent"), &[]);
    let target = arena.path().join("target");
    let home = arena.path().join("leech");
    let job = Job {
        home: &home,
        torrent: &torrent,
        info_hash: &payload.info_hash,
        folder: &target,
        role: Role::Leech,
    };
    let mut leech = start(Client::Transmission, &program, &job);
    let peer = format!("127.0.0.1:{}", leech.port());
    let (mut us, _) = Download::seed(&arena.path().join("us"), &torrent, &payload.folder, &["--peer", &peer]);
    wait_complete(&mut *leech, Client::Transmission);
    payload.assert_same_in(&target);
    assert!(us.is_running(), "we go on seeding");
}

#[test]
fn aria2_downloads_from_us() {
    downloads_from_us(Client::Aria2);
}

#[test]
fn qbittorrent_downloads_from_us() {
    downloads_from_us(Client::Qbittorrent);
}

#[test]
fn rtorrent_downloads_from_us() {
    downloads_from_us(Client::Rtorrent);
}

#[test]
fn libtorrent_downloads_from_us() {
    downloads_from_us(Client::Libtorrent);
}

/// The other kinds of torrents, which of the rivals only libtorrent makes and serves in full.
fn we_download_kind_from_libtorrent(kind: &str) {
    let Some(python) = require_or_skip(Client::Libtorrent) else { return };
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::borders(arena.path());
    let torrent = arena.path().join("t.torrent");
    let mut seed = Libtorrent::session(&python, &arena.path().join("seed"));
    seed.create(&payload.root(), kind, 32 * 1024, &torrent);
    seed.add(&torrent, &payload.folder, &AddOptions::default());
    wait_complete(&mut seed, Client::Libtorrent);
    let target = arena.path().join("target");
    Download::from_peer(&arena.path().join("us"), &torrent, &target, seed.port()).wait_done();
    payload.assert_only_this_in(&target);
}

#[test]
fn we_download_a_v2_torrent_from_libtorrent() {
    we_download_kind_from_libtorrent("v2");
}

#[test]
fn we_download_a_hybrid_torrent_from_libtorrent() {
    we_download_kind_from_libtorrent("hybrid");
}
