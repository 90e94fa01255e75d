//! A priority from the command line to the wire, against a real seed that is slow: what is asked for shows at once there,
//! although the pipeline is full of other requests.

use std::time::{Duration, Instant};

use super::clients::{Client, Job, Rival as _, Role, Transmission, require_or_skip};
use super::payload::Payload;
use super::process::wait_for;
use super::selection::ctl;
use super::unchoke::{DOWNLOAD_MAX, Download};
use super::wire_tap::WireTap;

/// What the seed gives, kilobytes a second: slow enough for a full pipeline to hold seconds of it.
const SEED_KB_S: u32 = 1500;
/// From the command's return to a request on the wire.
const ON_THE_WIRE_MAX: Duration = Duration::from_millis(100);

#[test]
fn a_file_raised_in_mid_download_is_on_the_wire_at_once_and_complete_first() {
    let Some(program) = require_or_skip(Client::Transmission) else { return };
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::between(arena.path());
    let torrent = payload.torrent(&arena.path().join("t.torrent"), &[]);
    let job = Job {
        home: &arena.path().join("seed"),
        torrent: &torrent,
        info_hash: &payload.info_hash,
        folder: &payload.folder,
        role: Role::Seed,
    };
    let mut seed = Transmission::start_limited(&program, &job, SEED_KB_S);
    wait_for("transmission seeds", DOWNLOAD_MAX, || seed.is_complete().then_some(()));
    let tap = WireTap::start(seed.port());

    let (home, target) = (arena.path().join("us"), arena.path().join("target"));
    let peer = format!("127.0.0.1:{}", tap.port());
    let arguments = ["--file", "raised.bin=off", "--peer", &peer];
    let mut us = Download::start(&home, &torrent, &target, &arguments);
    us.wait_status("is in mid-download", |status| {
        (status["done_bytes"].as_u64()? > 2_000_000 && status["requests_in_flight"].as_u64()? > 20)
            .then_some(())
    });
    let id = payload.info_hash.as_str();
    let files = ctl(&home, &["files", id]);
    let pieces = &files.as_array().unwrap().iter().find(|file| file["path"] == "between/raised.bin").unwrap()
        ["pieces"];
    // At its borders it shares pieces with its neighbours.
    let (first, last) = (pieces[0].as_u64().unwrap() + 1, pieces[1].as_u64().unwrap() - 1);
    let raised = |piece: u32| (first..=last).contains(&u64::from(piece));
    assert!(!tap.requests().iter().any(|seen| raised(seen.piece)), "asked for while it was off");

    ctl(&home, &["priority", id, "raised.bin", "high"]);
    let applied = Instant::now();
    let seen = wait_for("a request for the raised file", DOWNLOAD_MAX, || {
        tap.requests().into_iter().find(|seen| raised(seen.piece))
    });
    let waited = seen.at.saturating_duration_since(applied);
    super::process::say(&format!("priority: on the wire {waited:?} after the command returned"));
    assert!(waited <= ON_THE_WIRE_MAX, "on the wire only after {waited:?}");

    wait_for("the raised file is complete", DOWNLOAD_MAX, || {
        let files = ctl(&home, &["files", id]);
        let done = |path: &str| {
            let file = files.as_array()?.iter().find(|file| file["path"] == path)?;
            Some(file["done_bytes"] == file["bytes"])
        };
        if done("between/raised.bin")? {
            assert_eq!(done("between/before.bin"), Some(false), "others were complete first");
            assert_eq!(done("between/behind.bin"), Some(false), "others were complete first");
            return Some(());
        }
        None
    });
    payload.assert_file_in(&target, "raised.bin");
}
