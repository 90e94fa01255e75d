//! A webseed as the only source: nginx, which serves ranges as the web does.

use std::time::Duration;

use super::clients::{Client, Nginx, require_or_skip};
use super::payload::Payload;
use super::process::wait_for;
use super::selection::ctl;
use super::unchoke::{DOWNLOAD_MAX, DOWNLOAD_TIMEOUT_S, Download};

struct Scene {
    arena: tempfile::TempDir,
    payload: Payload,
    torrent: std::path::PathBuf,
    nginx: Nginx,
}

impl Scene {
    fn new(payload: impl FnOnce(&std::path::Path) -> Payload, extra: &str) -> Option<Self> {
        let program = require_or_skip(Client::Nginx)?;
        let arena = tempfile::tempdir().unwrap();
        let payload = payload(arena.path());
        let torrent = payload.torrent(&arena.path().join("t.torrent"), &[]);
        let nginx = Nginx::start(&program, &arena.path().join("nginx"), &payload.folder, extra);
        Some(Self { arena, payload, torrent, nginx })
    }

    fn download(&self, arguments: &[&str]) -> Download {
        let (home, target) = (self.arena.path().join("us"), self.arena.path().join("target"));
        let (url, timeout) = (self.nginx.url(), DOWNLOAD_TIMEOUT_S.to_string());
        let all = [&["--no-trackers", "--webseed", &url, "--timeout", &timeout], arguments].concat();
        Download::start(&home, &self.torrent, &target, &all)
    }
}

#[test]
fn fault_36_nginx_alone_brings_files_of_every_size_and_name() {
    let Some(scene) = Scene::new(Payload::borders, "") else { return };
    scene.download(&["--no-seed"]).wait_done();
    scene.payload.assert_only_this_in(&scene.arena.path().join("target"));
    let asked = scene.nginx.asked();
    assert!(asked.iter().all(|line| line.contains(" 206 ") || line.contains(" 200 ")), "{asked:#?}");
    let bytes: u64 = asked.iter().filter_map(|line| line.split(' ').nth(9)?.parse::<u64>().ok()).sum();
    assert!(
        bytes <= scene.payload.total_bytes * 101 / 100,
        "{bytes} bytes for {}",
        scene.payload.total_bytes
    );
    let encoded = "/%C3%9Cbung%20f%C3%BCr%20alle/Za%C5%BC%C3%B3%C5%82%C4%87/%E6%97%A5%E6%9C%AC%E8%AA%9E%20%F0%9F%93%A6.bin";
    assert!(asked.iter().any(|line| line.contains(encoded)), "{asked:#?}");
}

#[test]
fn fault_39_and_40_what_nginx_refuses_is_named_and_the_rest_comes() {
    let extra = "location ~ raised { return 404; }";
    let Some(scene) = Scene::new(Payload::between, extra) else { return };
    let mut us = scene.download(&[]);
    us.wait_status("has what nginx has", |status| {
        (status["cause"] == "no_source_for_wanted_pieces" && status["requests_in_flight"] == 0).then_some(())
    });
    let home = scene.arena.path().join("us");
    let rows = ctl(&home, &["webseeds", &scene.payload.info_hash]);
    assert_eq!(rows[0]["files_lacking"], 1, "{rows}");
    let error = rows[0]["last_error"].as_str().unwrap();
    assert!(error.contains("raised.bin") && error.contains("404"), "{rows}");
    let target = scene.arena.path().join("target");
    let files = ctl(&home, &["files", &scene.payload.info_hash]);
    let done = |number: usize| files[number]["done_bytes"].as_u64().unwrap();
    // All but the pieces that they share with the one that is missing.
    assert!(done(0) > 11_900_000 && done(1) < 100_000 && done(2) > 11_900_000, "{files}");
    assert!(target.join("between/before.bin").exists());
}

#[test]
fn fault_40_a_busy_nginx_is_asked_when_it_says_and_a_person_can_ask_at_once() {
    let extra = "error_page 503 @busy; location @busy { add_header Retry-After 3600 always; return 503; }\n\
                 location / { if (-f $document_root/open) { break; } return 503; }";
    let Some(scene) = Scene::new(Payload::borders, extra) else { return };
    let mut us = scene.download(&[]);
    us.wait_status("backs off", |status| (status["webseeds"]["backing_off"] == 1).then_some(()));
    let (home, id) = (scene.arena.path().join("us"), scene.payload.info_hash.as_str());
    let rows = ctl(&home, &["webseeds", id]);
    assert_eq!((&rows[0]["state"], &rows[0]["last_status"]), (&"backing_off".into(), &503.into()), "{rows}");
    assert!(rows[0]["retry_s"].as_u64().unwrap() > 3500, "{rows}");
    let asked = scene.nginx.asked().len();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(scene.nginx.asked().len(), asked, "it is left alone");
    std::fs::write(scene.payload.folder.join("open"), "").unwrap();
    ctl(&home, &["webseed", id, "retry", "0"]);
    wait_for("the rest comes", DOWNLOAD_MAX, || {
        (ctl(&home, &["list"])[0]["state"] == "seeding").then_some(())
    });
    scene.payload.assert_same_in(&scene.arena.path().join("target"));
}

#[test]
fn a_webseed_is_kept_over_a_restart_as_a_person_left_it() {
    let Some(scene) = Scene::new(Payload::between, "limit_rate 300k;") else { return };
    let (home, id) = (scene.arena.path().join("us"), scene.payload.info_hash.as_str());
    let mut us = scene.download(&[]);
    us.wait_status("downloads", |status| (status["done_bytes"].as_u64()? > 200_000).then_some(()));
    ctl(&home, &["webseed", id, "disable", "0"]);
    let rows = ctl(&home, &["webseeds", id]);
    assert_eq!(rows[0]["state"], "disabled", "{rows}");
    assert_eq!(rows[0]["requests"], serde_json::json!([]), "its requests end at once");
    let pid = rustix::process::Pid::from_raw(us.pid().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    us.wait();
    let target = scene.arena.path().join("target");
    let mut again = Download::start(&home, &scene.torrent, &target, &["--no-trackers"]);
    again.wait_status("is up", |status| status["state"].as_str().map(drop));
    let rows = ctl(&home, &["webseeds", id]);
    assert_eq!((&rows[0]["state"], &rows[0]["origin"]), (&"disabled".into(), &"manual".into()), "{rows}");
    ctl(&home, &["webseed", id, "enable", "0"]);
    again.wait_status("asks it again", |status| (status["webseeds"]["active"] == 1).then_some(()));
}
