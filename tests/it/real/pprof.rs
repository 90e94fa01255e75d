//! `go tool pprof` reads our profiles: Go's own reader is the judge of their format.

use std::process::Stdio;
use std::time::Duration;

use unchoke::inspect;
use unchoke::session::{Handle, diagnostics};

use super::clients::{Client, require_or_skip};
use super::http::request;
use super::payload::Payload;
use super::process::{Process, free_port};
use super::unchoke::Download;

/// Go's tool starts slowly on a loaded machine.
const TOOL_MAX: Duration = Duration::from_secs(60);

/// What `go tool pprof` says of a profile with these options.
fn pprof(go: &std::path::Path, options: &[&str], profile: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (file, output) = (folder.path().join("profile.pb.gz"), folder.path().join("output"));
    std::fs::write(&file, profile).unwrap();
    let mut tool = Process::start("go", go, folder.path(), |command| {
        // As `curl ... | go tool pprof -top /dev/stdin` does; Go's tool takes `-` for the name of a file.
        command.args(["tool", "pprof"]).args(options).arg("/dev/stdin");
        command.stdin(std::fs::File::open(&file).unwrap());
        command.stdout(Stdio::from(std::fs::File::create(&output).unwrap()));
    });
    let status = tool.wait(TOOL_MAX);
    let text = std::fs::read_to_string(&output).unwrap();
    assert!(status.success(), "{status}: {text}\n{}", tool.log_tail());
    text
}

#[test]
fn go_reads_the_profiles_of_a_running_engine() {
    let Some(go) = require_or_skip(Client::Go) else { return };
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::borders(&arena.path().join("data"));
    let torrent = payload.torrent(&arena.path().join("t.torrent"), &[]);
    let port = free_port();
    let diagnostics = ["--diagnostics", &format!("127.0.0.1:{port}")];
    let (_download, _) = Download::seed(arena.path(), &torrent, &payload.folder, &diagnostics);
    let profile = |name: &str| request(port, "GET", &format!("/debug/pprof/{name}"), &[], b"").unwrap().body;
    let text = pprof(&go, &["-top"], &profile("goroutine"));
    assert!(text.contains("File: unchoke\nType: goroutine\n") && text.contains("queue"), "{text}");
    let text = pprof(&go, &["-traces"], &profile("goroutine"));
    assert!(text.contains("watchdog") && text.contains("task:"), "{text}");
    // Most likely nobody holds a lock at this moment; that must be a profile too.
    let text = pprof(&go, &["-top"], &profile("lockHolders"));
    assert!(text.contains("Type: held"), "{text}");
    pprof(&go, &["-top"], &profile("lockBlockers"));
}

#[test]
fn go_reads_who_holds_a_lock_and_who_waits_for_it() {
    let Some(go) = require_or_skip(Client::Go) else { return };
    let (handle, _ends) = Handle::new(7);
    let server = diagnostics::bind("127.0.0.1:0".parse().unwrap()).unwrap().serve(handle).unwrap();
    let lock = std::sync::Arc::new(inspect::Lock::new("of the pprof test", ()));
    let held = lock.lock();
    let waiting = std::sync::Arc::clone(&lock);
    let waiter = inspect::spawn_thread("waits for the pprof test", move || drop(waiting.lock())).unwrap();
    let port = server.address().port();
    let profile = |name: &str| request(port, "GET", &format!("/debug/pprof/{name}"), &[], b"").unwrap().body;
    super::process::wait_for("somebody waits", TOOL_MAX, || {
        let blockers = profile("lockBlockers?debug=1");
        String::from_utf8_lossy(&blockers).contains("of the pprof test").then_some(())
    });
    for (name, value) in [("lockHolders", "holders"), ("lockBlockers", "contentions")] {
        let text = pprof(&go, &["-top", &format!("-sample_index={value}")], &profile(name));
        assert!(text.contains(&format!("Type: {value}")), "{text}");
        assert!(text.contains("lock \"of the pprof test\""), "{text}");
    }
    let text = pprof(&go, &["-traces", "-sample_index=contentions"], &profile("lockBlockers"));
    assert!(text.contains("waits for the pprof test"), "{text}");
    drop(held);
    waiter.join().unwrap();
}
