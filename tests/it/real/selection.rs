//! Files chosen at the start and while it runs, with a real seed that counts what it gave.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::clients::{AddOptions, Client, Libtorrent, Rival as _, require_or_skip, wait_complete};
use super::payload::Payload;
use super::process::wait_for;
use super::unchoke::{DOWNLOAD_MAX, DOWNLOAD_TIMEOUT_S, Download, run};

/// Longest answer of a running engine, on a loaded machine.
const CALL_MAX: Duration = Duration::from_secs(20);

/// `unchoke ctl ... --json` to the engine of this home.
pub(super) fn ctl(home: &Path, arguments: &[&str]) -> Value {
    let state = home.join("state").to_string_lossy().into_owned();
    let all: Vec<&str> = [&["ctl"], arguments, &["--json", "--state-dir", &state]].concat();
    let output = run(&home.join("ctl"), &all, CALL_MAX);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

struct Scene {
    arena: tempfile::TempDir,
    payload: Payload,
    torrent: std::path::PathBuf,
    seed: Libtorrent,
}

impl Scene {
    fn new() -> Option<Self> {
        let python = require_or_skip(Client::Libtorrent)?;
        let arena = tempfile::tempdir().unwrap();
        let payload = Payload::borders(arena.path());
        let torrent = payload.torrent(&arena.path().join("t.torrent"), &[]);
        let mut seed = Libtorrent::session(&python, &arena.path().join("seed"));
        seed.add(&torrent, &payload.folder, &AddOptions::default());
        wait_complete(&mut seed, Client::Libtorrent);
        Some(Self { arena, payload, torrent, seed })
    }
}

#[test]
fn only_chosen_files_are_fetched() {
    let Some(mut scene) = Scene::new() else { return };
    let (home, target) = (scene.arena.path().join("us"), scene.arena.path().join("target"));
    let (peer, timeout) = (format!("127.0.0.1:{}", scene.seed.port()), DOWNLOAD_TIMEOUT_S.to_string());
    let choice =
        ["--file", "**=off", "--file", "exact.bin=high", "--no-seed", "--timeout", &timeout, "--peer", &peer];
    Download::start(&home, &scene.torrent, &target, &choice).wait_done();
    scene.payload.assert_file_in(&target, "borders/exact.bin");
    // The file is four whole pieces of 32 KiB and starts the torrent.
    assert_eq!(scene.seed.status()["uploaded"], 4 * 32 * 1024, "nothing else was fetched");
}

/// The stall of the post-mortem: a file shown as wanted whose pieces were not.
#[test]
fn a_file_raised_while_it_runs_is_fetched() {
    let Some(scene) = Scene::new() else { return };
    let (home, target) = (scene.arena.path().join("us"), scene.arena.path().join("target"));
    let peer = format!("127.0.0.1:{}", scene.seed.port());
    let mut us = Download::start(&home, &scene.torrent, &target, &["--file", "**=off", "--peer", &peer]);
    us.wait_status("has nothing to do", |status| (status["wanted_bytes"] == 0).then_some(()));
    let id = scene.payload.info_hash.as_str();

    for (pattern, path) in [("one less.bin", "borders/one less.bin"), ("**/日本語*", "Zażółć/日本語 📦.bin")]
    {
        ctl(&home, &["priority", id, pattern, "high"]);
        wait_for(&format!("{path} is complete"), DOWNLOAD_MAX, || {
            let files = ctl(&home, &["files", id]);
            let file = files
                .as_array()?
                .iter()
                .find(|file| file["path"].as_str().is_some_and(|text| text.ends_with(path)))?;
            assert_eq!(file["priority"], "high", "what was asked is what is shown");
            (file["done_bytes"] == file["bytes"]).then_some(())
        });
        scene.payload.assert_file_in(&target, path);
    }

    ctl(&home, &["priority", id, "**", "normal"]);
    us.wait_status("is complete", |status| (status["state"] == "seeding").then_some(()));
    let part_file = target.join(format!(".unchoke-{id}.parts"));
    wait_for("the part file is gone", CALL_MAX, || (!part_file.exists()).then_some(()));
    scene.payload.assert_only_this_in(&target);
}
