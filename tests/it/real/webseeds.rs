//! A webseed as the only source: nginx, which serves ranges as the web does.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::clients::{Client, Lighttpd, Nginx, require_or_skip};
use super::payload::Payload;
use super::process::{free_port, wait_for};
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
        self.download_from(&self.nginx.url(), &[], arguments)
    }

    fn download_from(&self, url: &str, environment: &[(&str, &str)], arguments: &[&str]) -> Download {
        let (home, target) = (self.arena.path().join("us"), self.arena.path().join("target"));
        let timeout = DOWNLOAD_TIMEOUT_S.to_string();
        let all = [&["--no-trackers", "--webseed", url, "--timeout", &timeout], arguments].concat();
        Download::start_in(environment, &home, &self.torrent, &target, &all)
    }

    fn assert_whole(&self) {
        self.payload.assert_only_this_in(&self.arena.path().join("target"));
    }
}

/// A certificate of 127.0.0.1 and its key.
fn certificate(openssl: &Path, folder: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let configuration = folder.join("openssl.conf");
    let text = "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = own\n[name]\nCN = webseed\n\
                [own]\nsubjectAltName = IP:127.0.0.1\nbasicConstraints = CA:FALSE\n";
    std::fs::write(&configuration, text).unwrap();
    let mut command = Command::new(openssl);
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    command.args(["-days", "2", "-config"]).arg(&configuration);
    command.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (certificate, key)
}

#[test]
fn fault_36_nginx_alone_brings_files_of_every_size_and_name() {
    let Some(scene) = Scene::new(Payload::borders, "") else { return };
    scene.download(&["--no-seed"]).wait_done();
    scene.assert_whole();
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
fn fault_36_lighttpd_alone_brings_files_of_every_size_and_name() {
    let Some(scene) = Scene::new(Payload::borders, "") else { return };
    let Some(program) = require_or_skip(Client::Lighttpd) else { return };
    let lighttpd = Lighttpd::start(&program, &scene.arena.path().join("lighttpd"), &scene.payload.folder);
    scene.download_from(&lighttpd.url(), &[], &["--no-seed"]).wait_done();
    scene.assert_whole();
    assert_eq!(scene.nginx.asked(), [""; 0], "lighttpd alone was asked");
}

#[test]
fn over_tls_the_server_is_proved_and_http_2_is_spoken_where_it_is_offered() {
    let Some(openssl) = require_or_skip(Client::Openssl) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate(&openssl, folder.path());
    let port = free_port();
    let extra = format!(
        "listen 127.0.0.1:{port} ssl http2; ssl_certificate {}; ssl_certificate_key {};",
        certificate.display(),
        key.display()
    );
    let Some(scene) = Scene::new(Payload::borders, &extra) else { return };
    let url = format!("https://127.0.0.1:{port}/");
    let mut stranger = scene.download_from(&url, &[], &[]);
    stranger
        .wait_status("does not believe it", |status| (status["webseeds"]["backing_off"] == 1).then_some(()));
    let rows = ctl(&scene.arena.path().join("us"), &["webseeds", &scene.payload.info_hash]);
    let error = rows[0]["last_error"].as_str().unwrap();
    assert!(error.contains("TLS failed") && error.contains("certificate"), "{rows}");
    assert_eq!(scene.nginx.asked(), [""; 0], "nothing is asked of who is not proved");
    drop(stranger);
    let trusted = [("SSL_CERT_FILE", certificate.to_str().unwrap())];
    let mut us = scene.download_from(&url, &trusted, &[]);
    us.wait_status("is complete", |status| (status["state"] == "seeding").then_some(()));
    scene.assert_whole();
    let rows = ctl(&scene.arena.path().join("us"), &["webseeds", &scene.payload.info_hash]);
    assert_eq!(rows[0]["protocol"], "HTTP/2", "{rows}");
    let asked = scene.nginx.asked();
    assert!(asked.iter().all(|line| line.contains(" HTTP/2.0\"")), "{asked:#?}");
}

#[test]
fn what_is_not_on_this_machine_is_asked_through_the_proxy_of_the_environment() {
    let Some(scene) = Scene::new(Payload::borders, "") else { return };
    let url = scene.nginx.url();
    // Nobody can resolve the name: the proxy is told the whole URL.
    let proxy = [("http_proxy", url.as_str())];
    scene.download_from("http://webseed.invalid/", &proxy, &["--no-seed"]).wait_done();
    scene.assert_whole();
    let asked = scene.nginx.asked();
    assert!(asked.iter().all(|line| line.contains("\"GET http://webseed.invalid/")), "{asked:#?}");
}

#[test]
fn fault_39_and_40_what_nginx_refuses_is_named_and_the_rest_comes() {
    let extra = "location ~ raised { return 404; }";
    let Some(scene) = Scene::new(Payload::between, extra) else { return };
    let mut us = scene.download(&[]);
    us.wait_status("has what nginx has", |status| {
        (status["cause"] == "no_source_for_wanted_pieces" && status["webseeds"]["active"] == 0).then_some(())
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
