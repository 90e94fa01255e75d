//! Magnets among the rivals: they give us the metadata, and we give it to them.

use super::clients::{
    AddOptions, Client, Job, Libtorrent, Rival as _, Role, require_or_skip, start, wait_complete,
};
use super::payload::Payload;
use super::process::loopback;
use super::stub_tracker::StubTracker;
use super::unchoke::Download;

/// The rival seeds and hears of nobody; all that we have is its info-hash and its address.
fn we_download_a_magnet_from(client: Client) {
    let Some(program) = require_or_skip(client) else { return };
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::borders(arena.path());
    let tracker = StubTracker::without_peers();
    let theirs = payload.torrent(&arena.path().join("theirs.torrent"), &[tracker.url()]);
    let home = arena.path().join("seed");
    let job = Job {
        home: &home,
        torrent: &theirs,
        info_hash: &payload.info_hash,
        folder: &payload.folder,
        role: Role::Seed,
    };
    let seed = start(client, &program, &job);
    let magnet = format!("magnet:?xt=urn:btih:{}&x.pe={}", payload.info_hash, loopback(seed.port()));
    let target = arena.path().join("target");
    let arguments = ["--no-seed", "--timeout", "60"];
    Download::start(&arena.path().join("us"), magnet.as_ref(), &target, &arguments).wait_done();
    payload.assert_only_this_in(&target);
}

#[test]
fn we_download_a_magnet_from_transmission() {
    we_download_a_magnet_from(Client::Transmission);
}

#[test]
fn we_download_a_magnet_from_aria2() {
    we_download_a_magnet_from(Client::Aria2);
}

#[test]
fn we_download_a_magnet_from_libtorrent() {
    we_download_a_magnet_from(Client::Libtorrent);
}

/// The peer comes from the tracker that the link names.
#[test]
fn we_find_the_peers_of_a_magnet_by_its_tracker() {
    let Some(python) = require_or_skip(Client::Libtorrent) else { return };
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::borders(arena.path());
    let torrent = payload.torrent(&arena.path().join("t.torrent"), &[]);
    let mut seed = Libtorrent::session(&python, &arena.path().join("seed"));
    seed.add(&torrent, &payload.folder, &AddOptions::default());
    wait_complete(&mut seed, Client::Libtorrent);
    let tracker = StubTracker::with_peer(loopback(seed.port()));
    let magnet = format!("magnet:?xt=urn:btih:{}&tr={}", payload.info_hash, tracker.url());
    let target = arena.path().join("target");
    let arguments = ["--no-seed", "--timeout", "60"];
    Download::start(&arena.path().join("us"), magnet.as_ref(), &target, &arguments).wait_done();
    payload.assert_only_this_in(&target);
}

/// A hybrid found by its v1 info-hash, as most links to hybrids name it too.
#[test]
fn we_download_a_magnet_of_a_hybrid_from_libtorrent() {
    let Some(python) = require_or_skip(Client::Libtorrent) else { return };
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::borders(arena.path());
    let torrent = arena.path().join("t.torrent");
    let mut seed = Libtorrent::session(&python, &arena.path().join("seed"));
    let hashes = seed.create(&payload.root(), "hybrid", 32 * 1024, &torrent);
    seed.add(&torrent, &payload.folder, &AddOptions::default());
    wait_complete(&mut seed, Client::Libtorrent);
    let (v1, v2) = (hashes["info_hash_v1"].as_str().unwrap(), hashes["info_hash_v2"].as_str().unwrap());
    let magnet = format!("magnet:?xt=urn:btih:{v1}&xt=urn:btmh:1220{v2}");
    let target = arena.path().join("target");
    let port = seed.port();
    Download::from_peer(&arena.path().join("us"), magnet.as_ref(), &target, port).wait_done();
    payload.assert_only_this_in(&target);
}
