//! Torrents across clients: what libtorrent makes we read alike, and what we make it seeds.

use std::path::Path;
use std::time::Duration;

use super::clients::{AddOptions, Client, Libtorrent, require_or_skip, wait_complete};
use super::payload::Payload;
use super::unchoke::run;

/// Longest run of a call that reads or hashes a few megabytes, on a loaded machine.
const CALL_MAX: Duration = Duration::from_secs(60);
const PIECE_LENGTH: u32 = 32 * 1024;

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn show_and_verify_agree_with_libtorrent(kind: &str) {
    let Some(python) = require_or_skip(Client::Libtorrent) else { return };
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::borders(arena.path());
    let torrent = arena.path().join("t.torrent");
    let hashes = Libtorrent::session(&python, &arena.path().join("maker")).create(
        &payload.root(),
        kind,
        PIECE_LENGTH,
        &torrent,
    );
    let home = arena.path().join("home");

    let shown = run(&home, &["show", &text(&torrent), "--json"], CALL_MAX);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["kind"], kind);
    assert_eq!(shown["info_hash_v1"], hashes["info_hash_v1"]);
    assert_eq!(shown["info_hash_v2"], hashes["info_hash_v2"]);
    assert_eq!(shown["total_bytes"], payload.total_bytes);
    assert_eq!(shown["piece_length"], PIECE_LENGTH);

    let verify = ["verify", &text(&torrent), "--dir", &text(&payload.folder), "--json"];
    let whole = run(&home, &verify, CALL_MAX);
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    std::fs::write(payload.root().join("one.byte"), b"other").unwrap();
    std::fs::write(payload.root().join("borders/exact.bin"), b"short").unwrap();
    assert_eq!(run(&home, &verify, CALL_MAX).status.code(), Some(1), "damage is found");
}

#[test]
fn we_read_and_verify_a_v1_torrent_of_libtorrent() {
    show_and_verify_agree_with_libtorrent("v1");
}

#[test]
fn we_read_and_verify_a_v2_torrent_of_libtorrent() {
    show_and_verify_agree_with_libtorrent("v2");
}

#[test]
fn we_read_and_verify_a_hybrid_torrent_of_libtorrent() {
    show_and_verify_agree_with_libtorrent("hybrid");
}

/// It hashes the data against our torrent before it seeds, so our hashes and layout are right.
fn libtorrent_seeds_what_we_made(kind: &str) {
    let Some(python) = require_or_skip(Client::Libtorrent) else { return };
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::borders(arena.path());
    let torrent = arena.path().join("made.torrent");
    let home = arena.path().join("home");
    let arguments =
        ["create", &text(&payload.root()), "-o", &text(&torrent), kind, "--piece-length", "32768"];
    let made = run(&home, &arguments, CALL_MAX);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut seed = Libtorrent::session(&python, &arena.path().join("seed"));
    seed.add(&torrent, &payload.folder, &AddOptions::default());
    wait_complete(&mut seed, Client::Libtorrent);
}

#[test]
fn libtorrent_seeds_a_v1_torrent_that_we_made() {
    libtorrent_seeds_what_we_made("--v1");
}

#[test]
fn libtorrent_seeds_a_v2_torrent_that_we_made() {
    libtorrent_seeds_what_we_made("--v2");
}

#[test]
fn libtorrent_seeds_a_hybrid_torrent_that_we_made() {
    libtorrent_seeds_what_we_made("--hybrid");
}
