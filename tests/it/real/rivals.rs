//! The rivals against each other, through the same harness: each as a seed for libtorrent, each as a leech of it.

use super::clients::{
    AddOptions, Client, Job, Libtorrent, Opentracker, Rival as _, Role, require_or_skip, start, wait_complete,
};
use super::payload::Payload;
use super::process::{loopback, wait_for};
use super::stub_tracker::StubTracker;

fn libtorrent_downloads_from(client: Client) {
    let (Some(program), Some(python)) = (require_or_skip(client), require_or_skip(Client::Libtorrent)) else {
        return;
    };
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::borders(arena.path());
    let tracker = StubTracker::without_peers();
    // rtorrent refuses a torrent without trackers.
    let torrent = payload.torrent(&arena.path().join("t.torrent"), &[tracker.url()]);
    let seed_home = arena.path().join("seed");
    let seed = start(
        client,
        &program,
        &Job {
            home: &seed_home,
            torrent: &torrent,
            info_hash: &payload.info_hash,
            folder: &payload.folder,
            role: Role::Seed,
        },
    );
    let target = arena.path().join("target");
    let mut leech = Libtorrent::session(&python, &arena.path().join("leech"));
    leech.add(&torrent, &target, &AddOptions::default());
    leech.connect(seed.port());
    wait_complete(&mut leech, Client::Libtorrent);
    payload.assert_only_this_in(&target);
}

fn downloads_from_libtorrent(client: Client) {
    let (Some(program), Some(python)) = (require_or_skip(client), require_or_skip(Client::Libtorrent)) else {
        return;
    };
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::borders(arena.path());
    let mut seed = Libtorrent::session(&python, &arena.path().join("seed"));
    let tracker = StubTracker::with_peer(loopback(seed.port()));
    let torrent = payload.torrent(&arena.path().join("t.torrent"), &[tracker.url()]);
    let bare = payload.torrent(&arena.path().join("bare.torrent"), &[]);
    seed.add(&bare, &payload.folder, &AddOptions::default());
    wait_for("libtorrent seeds", super::unchoke::PROGRAM_START_MAX, || seed.is_complete().then_some(()));
    let target = arena.path().join("target");
    let home = arena.path().join("leech");
    let mut leech = start(
        client,
        &program,
        &Job {
            home: &home,
            torrent: &torrent,
            info_hash: &payload.info_hash,
            folder: &target,
            role: Role::Leech,
        },
    );
    if client == Client::Transmission {
        seed.connect(leech.port());
    }
    wait_complete(&mut *leech, client);
    payload.assert_same_in(&target);
    assert!(!tracker.requests().is_empty(), "{client:?} asked the tracker");
}

fn libtorrent_finds_libtorrent_by(url: impl FnOnce(&Opentracker) -> String) {
    let (Some(program), Some(python)) =
        (require_or_skip(Client::Opentracker), require_or_skip(Client::Libtorrent))
    else {
        return;
    };
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::borders(arena.path());
    let tracker = Opentracker::start(&program, &arena.path().join("tracker"), &[&payload.info_hash]);
    let torrent = payload.torrent(&arena.path().join("t.torrent"), &[url(&tracker)]);
    let mut seed = Libtorrent::session(&python, &arena.path().join("seed"));
    seed.add(&torrent, &payload.folder, &AddOptions::default());
    let target = arena.path().join("target");
    let mut leech = Libtorrent::session(&python, &arena.path().join("leech"));
    leech.add(&torrent, &target, &AddOptions::default());
    wait_complete(&mut leech, Client::Libtorrent);
    payload.assert_only_this_in(&target);
}

#[test]
fn libtorrent_finds_libtorrent_by_http() {
    libtorrent_finds_libtorrent_by(Opentracker::http);
}

#[test]
fn libtorrent_finds_libtorrent_by_udp() {
    libtorrent_finds_libtorrent_by(Opentracker::udp);
}

#[test]
fn libtorrent_downloads_from_transmission() {
    libtorrent_downloads_from(Client::Transmission);
}

#[test]
fn libtorrent_downloads_from_aria2() {
    libtorrent_downloads_from(Client::Aria2);
}

#[test]
fn libtorrent_downloads_from_qbittorrent() {
    libtorrent_downloads_from(Client::Qbittorrent);
}

#[test]
fn libtorrent_downloads_from_rtorrent() {
    libtorrent_downloads_from(Client::Rtorrent);
}

#[test]
fn transmission_downloads_from_libtorrent() {
    downloads_from_libtorrent(Client::Transmission);
}

#[test]
fn aria2_downloads_from_libtorrent() {
    downloads_from_libtorrent(Client::Aria2);
}

#[test]
fn qbittorrent_downloads_from_libtorrent() {
    downloads_from_libtorrent(Client::Qbittorrent);
}

#[test]
fn rtorrent_downloads_from_libtorrent() {
    downloads_from_libtorrent(Client::Rtorrent);
}
