//! What is told of a running program to those who look for a fault: by command line, by signal, over HTTP.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use unchoke::session::diagnostics;
use unchoke::units::TorrentId;

use crate::real::http::request as http;
use crate::real::payload::Payload;
use crate::real::process::{free_port, wait_for};
use crate::real::unchoke::{Download, run};
use crate::session::{add, end, engine, request};
use crate::watchdog::{HELD, dump, dump_blocking, hold_a_task};

/// Anything on loopback comes long before this.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_dump_comes_as_text_json_stacks_or_a_profile() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = engine(folder.path()).await;
    let torrent = add(&handle, request(Vec::new())).await;
    let state_dir = folder.path().join("state");
    for (words, has) in [
        ("semaphores", "COUNT  STATE"),
        ("owners", "longest turn: "),
        ("tasks --stacks", "thread "),
        ("tasks --stacks", "  started"),
        ("torrents", "# Torrents: 1 "),
        ("torrents", "Piece States: "),
        ("torrents", "\nOwner: 0 wait"),
        ("torrents", "\nOwner \"budget\": "),
        ("torrents", "\nAmong its last "),
    ] {
        let (status, text, error) = dump(&state_dir, words).await;
        assert_eq!(status, Some(0), "{words}: {error}");
        assert!(text.contains(has), "{words}: {text}");
    }
    let (_, json, _) = dump(&state_dir, "torrents --json").await;
    let json: Value = serde_json::from_str(&json).unwrap();
    let bits = json["engine"]["reserved"]["bits"].as_str().unwrap();
    assert_eq!((bits.len(), &bits[10..11]), (16, "1"), "hex digits, with BEP 10's bit: {bits}");
    let row = &json["torrents"][0];
    assert_eq!(row["id"], torrent.to_string());
    assert!(row["owner"]["inside"]["piece_length"].as_u64() > Some(0), "{row}");
    for words in ["queues --pprof", "torrents --pprof", "locks --stacks"] {
        let (status, _, error) = dump(&state_dir, words).await;
        assert_eq!(status, Some(2), "{words}: {error}");
    }
    for words in ["tasks", "locks", "waits"] {
        let (state_dir_text, file) =
            (state_dir.to_string_lossy(), folder.path().join(format!("{words}.pb.gz")));
        let file_text = file.to_string_lossy();
        let arguments = ["dump", "--state-dir", &state_dir_text, words, "--pprof", "--out", &file_text];
        let output = tokio::task::block_in_place(|| run(&folder.path().join("home"), &arguments, PATIENCE));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(std::fs::read(&file).unwrap().starts_with(&[0x1f, 0x8b]), "{words}: gzip");
        let output =
            tokio::task::block_in_place(|| run(&folder.path().join("home"), &arguments[..5], PATIENCE));
        assert!(output.stdout.starts_with(&[0x1f, 0x8b]), "{words}: gzip on a pipe");
    }
    end(handle, running).await;
}

#[test]
fn with_every_worker_held_torrents_status_and_profiles_still_come() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = runtime.block_on(engine(folder.path()));
    let torrent = runtime.block_on(add(&handle, request(Vec::new())));
    let server = diagnostics::bind("127.0.0.1:0".parse().unwrap()).unwrap().serve(handle.clone()).unwrap();
    let guard = runtime.enter();
    let released = [hold_a_task(TorrentId([94; 20])), hold_a_task(TorrentId([94; 20]))];
    drop(guard);
    let port = server.address().port();
    let page = |path: &str| {
        let answer = http(port, "GET", path, &[], b"").unwrap();
        assert_eq!(answer.status, 200, "{path}");
        answer.text()
    };
    wait_for("both workers are held", PATIENCE, || {
        let text = page("/debug/pprof/goroutine?debug=2");
        let held = |block: &&str| {
            block.contains(HELD) && block.contains("[running") && block.contains(&"5e".repeat(20))
        };
        (text.split("\n\n").filter(held).count() == 2).then_some(())
    });
    let row = format!("Infohash: {torrent}");
    let (status, text, error) = dump_blocking(&folder.path().join("state"), "torrents");
    assert_eq!(status, Some(0), "{error}");
    for text in [text, page("/debug/status")] {
        assert!(text.contains(&row) && text.contains("\"control\" HAS NOT ANSWERED"), "{text}");
    }
    assert!(page("/debug/pprof/goroutine?debug=1").contains("\trunning\ttests/it/watchdog.rs:"));
    assert!(page("/metrics").contains(&format!("unchoke_torrent_wanted_bytes{{info_hash=\"{torrent}\"}}")));
    drop(released);
    drop(server);
    runtime.block_on(end(handle, running));
}

#[test]
fn a_signal_writes_a_dump_and_the_program_goes_on() {
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::borders(&arena.path().join("data"));
    let torrent = payload.torrent(&arena.path().join("t.torrent"), &[]);
    let port = free_port();
    let diagnostics = ["--diagnostics", &format!("127.0.0.1:{port}")];
    let (mut download, _) = Download::seed(arena.path(), &torrent, &payload.folder, &diagnostics);
    let metrics = http(port, "GET", "/metrics", &[], b"").unwrap().text();
    assert!(metrics.contains("unchoke_torrents{state=\"seeding\"} 1\n"), "{metrics}");
    let stacks = || http(port, "GET", "/debug/pprof/goroutine?debug=2", &[], b"").unwrap().text();
    let stacks = wait_for("every thread that waits says so", PATIENCE, || {
        Some(stacks()).filter(|text| threads_that_run(text).is_empty())
    });
    for (thread, wait) in
        [("watchdog", "timer"), ("control socket: dumps", "socket read"), ("SIGUSR1: dumps", "signal")]
    {
        let block =
            stacks.split("\n\n").find(|block| block.contains(&format!(" \"{thread}\" ["))).expect(thread);
        assert!(block.contains("[waiting") && block.contains(&format!("\n  waits for {wait}\n")), "{block}");
    }
    let pid = Pid::from_raw(i32::try_from(download.pid()).unwrap()).unwrap();
    kill_process(pid, Signal::USR1).unwrap();
    // The line on standard error comes once the file is whole.
    let log = arena.path().join("unchoke.log");
    wait_for("the dump is told", PATIENCE, || {
        std::fs::read_to_string(&log).ok()?.contains("SIGUSR1: the dump is in ").then_some(())
    });
    let found = dumps(&arena.path().join("state"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(std::fs::metadata(&found[0]).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&found[0]).unwrap();
    for part in
        ["== tasks\nnothing is stuck\n", "== owners\n", "# Torrents: 1 (0 incomplete)\n", "State: seeding"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(download.is_running());
}

/// The names of the threads that are said to be doing something.
fn threads_that_run(stacks: &str) -> Vec<&str> {
    stacks.lines().filter(|line| line.starts_with("thread ") && line.contains("[running")).collect()
}

fn dumps(state_dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(state_dir).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "txt")).collect()
}

#[test]
fn diagnostics_for_others_are_wrong_usage_and_a_taken_port_is_a_failure() {
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::borders(&arena.path().join("data"));
    let torrent = payload.torrent(&arena.path().join("t.torrent"), &[]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().map(|address| (address.to_string(), taken)).unwrap();
    for (address, status, has) in
        [("0.0.0.0:6060", 2, "loopback"), ("10.1.2.3:0", 2, "loopback"), (&taken.0, 1, "another port")]
    {
        let output = run(
            arena.path(),
            &["download", &torrent.to_string_lossy(), "--state-dir", "s", "--diagnostics", address],
            PATIENCE,
        );
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{error}");
        assert!(error.contains(has) && error.contains(address), "{error}");
    }
}
