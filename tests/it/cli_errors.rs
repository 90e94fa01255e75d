//! What the program says when it cannot do what it was asked: one line that names the matter, the right exit status,
//! and nothing left on disk.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use crate::real::payload::{Payload, list_files};
use crate::real::process::{find_program, free_port, say};
use crate::real::stub_tracker::StubTracker;
use crate::real::unchoke::{Download, run};

/// Longest run of a call that fails at once, on a loaded machine.
const FAIL_MAX: Duration = Duration::from_secs(30);

/// The folders of one call.
struct Call {
    arena: tempfile::TempDir,
}

impl Call {
    fn new() -> Self {
        Self { arena: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.arena.path().join(name)
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name).to_string_lossy().into_owned()
    }

    fn torrent(&self, trackers: &[String]) -> String {
        let payload = Payload::borders(&self.path("elsewhere"));
        payload.torrent(&self.path("t.torrent"), trackers).to_string_lossy().into_owned()
    }

    /// `unchoke download SOURCE` into folders of its own that do not exist yet.
    fn download(&self, source: &str, more: &[&str]) -> Output {
        self.download_into(&self.path("target"), source, more)
    }

    fn download_into(&self, target: &Path, source: &str, more: &[&str]) -> Output {
        let (target, state) =
            (target.to_string_lossy().into_owned(), self.path("state").to_string_lossy().into_owned());
        let mut arguments = vec!["download", source, "--dir", &target, "--state-dir", &state, "--no-seed"];
        arguments.extend_from_slice(&["--bind", "127.0.0.1", "--no-dht", "--no-pex", "--no-lsd", "--no-utp"]);
        if !more.contains(&"--port") {
            arguments.extend_from_slice(&["--port", "0"]);
        }
        arguments.extend_from_slice(more);
        run(&self.path("home"), &arguments, FAIL_MAX)
    }

    fn assert_no_data(&self) {
        let target = self.path("target");
        assert!(!target.exists() || list_files(&target).is_empty(), "{:?}", list_files(&target));
    }

    /// Neither data nor state nor anything in the home folder.
    fn assert_nothing_created(&self) {
        self.assert_no_data();
        assert!(!self.path("state").exists(), "a state folder for a call that did nothing");
        let strays: Vec<_> = list_files(&self.path("home"))
            .into_iter()
            .filter(|file| file.extension() != Some("log".as_ref()))
            .collect();
        assert!(strays.is_empty(), "{strays:?}");
    }
}

/// Exit status 1, and one line on standard error that names every one of `words`.
fn assert_one_clear_line(output: &Output, words: &[&str]) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert_eq!(error.trim_end().lines().count(), 1, "one line: {error:?}");
    for word in words {
        assert!(error.to_lowercase().contains(&word.to_lowercase()), "{word:?} in {error:?}");
    }
}

#[test]
fn a_file_that_is_no_torrent_is_named() {
    let call = Call::new();
    let source = call.file("notes.torrent", b"these are my notes");
    assert_one_clear_line(&call.download(&source, &[]), &["notes.torrent"]);
    call.assert_nothing_created();
}

#[test]
fn an_empty_torrent_file_is_named() {
    let call = Call::new();
    let source = call.file("empty.torrent", b"");
    assert_one_clear_line(&call.download(&source, &[]), &["empty.torrent"]);
    call.assert_nothing_created();
}

#[test]
fn a_truncated_torrent_is_named() {
    let call = Call::new();
    let whole = std::fs::read(call.torrent(&[])).unwrap();
    let source = call.file("half.torrent", &whole[..whole.len() / 2]);
    assert_one_clear_line(&call.download(&source, &[]), &["half.torrent"]);
    call.assert_nothing_created();
}

#[test]
fn a_missing_torrent_file_is_named() {
    let call = Call::new();
    let source = call.path("gone.torrent").to_string_lossy().into_owned();
    assert_one_clear_line(&call.download(&source, &[]), &["gone.torrent"]);
    call.assert_nothing_created();
}

#[test]
fn a_magnet_without_a_hash_is_refused() {
    let call = Call::new();
    assert_one_clear_line(&call.download("magnet:?dn=nothing", &[]), &["magnet"]);
    call.assert_nothing_created();
}

#[test]
fn show_names_the_file_it_cannot_read() {
    let call = Call::new();
    let source = call.file("notes.torrent", b"d4:infod4:name1:aee");
    assert_one_clear_line(&run(&call.path("home"), &["show", &source], FAIL_MAX), &["notes.torrent"]);
    call.assert_nothing_created();
}

#[test]
fn a_server_that_does_not_answer_is_named() {
    let call = Call::new();
    let url = format!("http://127.0.0.1:{}/t.torrent", free_port());
    assert_one_clear_line(&call.download(&url, &[]), &["127.0.0.1"]);
    call.assert_no_data();
}

#[test]
fn a_web_page_instead_of_a_torrent_is_said() {
    let call = Call::new();
    let page = StubTracker::answering("text/html", b"<html>please log in</html>".to_vec());
    assert_one_clear_line(&call.download(&page.url(), &[]), &["127.0.0.1"]);
    assert!(!page.requests().is_empty(), "the server was asked");
    call.assert_no_data();
}

#[test]
fn a_folder_below_a_file_cannot_be_written() {
    let call = Call::new();
    let source = call.torrent(&[]);
    let file = call.file("a-file", b"");
    let output = call.download_into(&Path::new(&file).join("below"), &source, &["--timeout", "20"]);
    assert_one_clear_line(&output, &["a-file"]);
    assert_eq!(std::fs::read(file).unwrap(), b"", "the file is as it was");
}

#[test]
fn a_port_in_use_is_named() {
    let call = Call::new();
    let source = call.torrent(&[]);
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert_one_clear_line(&call.download(&source, &["--port", &port, "--timeout", "20"]), &[&port]);
    call.assert_no_data();
}

#[test]
fn a_second_engine_on_the_same_state_names_the_first() {
    let call = Call::new();
    let source = call.torrent(&[]);
    let home = call.arena.path();
    let mut first = Download::start(home, source.as_ref(), &call.path("first"), &["--timeout", "60"]);
    first.wait_status("is up", |status| status["listen_port"].as_u64());
    let pid = first.pid().to_string();
    assert_one_clear_line(&call.download(&source, &["--timeout", "20"]), &[&pid]);
    assert!(first.is_running(), "the first goes on");
    call.assert_no_data();
}

#[test]
fn a_call_to_an_engine_that_does_not_run_says_so() {
    let call = Call::new();
    let state = call.path("state").to_string_lossy().into_owned();
    let arguments = ["ctl", "list", "--state-dir", &state];
    assert_one_clear_line(&run(&call.path("home"), &arguments, FAIL_MAX), &[&state]);
    call.assert_nothing_created();
}

/// A tracker that answers with a web page is a finding, not an end: the download waits for peers until its time is up.
#[test]
fn a_tracker_that_answers_html_ends_by_the_timeout() {
    let call = Call::new();
    let tracker = StubTracker::answering("text/html", b"<html>moved</html>".to_vec());
    let source = call.torrent(&[tracker.url()]);
    let output = call.download(&source, &["--timeout", "4", "--json"]);
    assert_one_clear_line(&output, &["4"]);
    assert!(!tracker.requests().is_empty(), "the tracker was asked");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(lines.lines().count() >= 4, "a status line a second: {lines}");
}

#[test]
fn an_unreachable_peer_ends_by_the_timeout() {
    let call = Call::new();
    let source = call.torrent(&[]);
    let peer = format!("127.0.0.1:{}", free_port());
    assert_one_clear_line(&call.download(&source, &["--timeout", "3", "--peer", &peer]), &["3"]);
}

#[test]
fn wrong_usage_ends_with_two() {
    let call = Call::new();
    let source = call.torrent(&[]);
    let output = call.path("made.torrent").to_string_lossy().into_owned();
    let wrong: [&[&str]; 14] = [
        &["download"],
        &["download", &source, "--no-such-option"],
        &["download", &source, "--port", "banana"],
        &["download", &source, "--port", "70000"],
        &["download", &source, "--check", "sometimes"],
        &["download", &source, "--peer", "nowhere"],
        &["download", &source, "--assume-complete", "--check", "always"],
        &["download", &source, "--file", "*.iso=loud"],
        &["ctl", "secrets"],
        &["ctl", "priority", "d43e", "a.bin", "loud"],
        &["create", &source, "-o", &output, "--piece-length", "1000"],
        &["create", &source, "-o", &output, "--tracker", "nowhere"],
        &["shwo", &source],
        &["dowload", &source, "--no-seed"],
    ];
    for arguments in wrong {
        let output = run(&call.path("home"), arguments, FAIL_MAX);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(!error.trim().is_empty(), "{arguments:?} says why");
    }
    call.assert_nothing_created();
}

#[test]
fn a_mistyped_command_is_told_what_it_was_to_be() {
    let call = Call::new();
    let output = run(&call.path("home"), &["shwo", "x.torrent"], FAIL_MAX);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("no such command or file 'shwo'; did you mean 'show'?"), "{error}");
    call.assert_nothing_created();
}

#[test]
fn a_named_configuration_that_is_wrong_is_refused_where_it_is_not_needed() {
    let call = Call::new();
    let (source, config) = (call.torrent(&[]), call.file("bad.toml", b"prot = 1"));
    let output = run(&call.path("home"), &["--config", &config, "show", &source], FAIL_MAX);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("bad.toml") && error.contains("prot"), "{error}");
}

#[test]
fn a_file_that_is_there_is_not_made_anew() {
    let call = Call::new();
    let torrent = call.torrent(&[]);
    let before = std::fs::read(&torrent).unwrap();
    let data = call.file("data", b"x");
    let output = run(&call.path("home"), &["create", &data, "-o", &torrent], FAIL_MAX);
    assert_one_clear_line(&output, &["t.torrent", "already there", "--force"]);
    assert_eq!(std::fs::read(&torrent).unwrap(), before);
    let forced = run(&call.path("home"), &["create", &data, "-o", &torrent, "--force"], FAIL_MAX);
    assert!(forced.status.success());
}

#[test]
fn a_folder_to_verify_that_is_not_there_is_named() {
    let call = Call::new();
    let source = call.torrent(&[]);
    let output = run(&call.path("home"), &["verify", &source, "--dir", "/nope"], FAIL_MAX);
    assert_one_clear_line(&output, &["/nope", "--dir"]);
}

/// A file system of one megabyte, while it lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&folder).unwrap();
        let mount = std::process::Command::new(find_program("mount")?)
            .args(["-t", "tmpfs", "-o", "size=1m", "unchoke-test"])
            .arg(&folder)
            .stderr(std::process::Stdio::null())
            .status();
        mount.is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_said_and_ends_by_the_timeout() {
    let call = Call::new();
    let Some(disk) = SmallDisk::mount(call.path("target")) else {
        say("skipped: a small file system cannot be mounted here");
        return;
    };
    let payload = Payload::large(&call.path("elsewhere"), 4 << 20);
    let torrent = payload.torrent(&call.path("t.torrent"), &[]);
    let (_seed, port) = Download::seed(&call.path("seed"), &torrent, &payload.folder, &[]);
    let peer = format!("127.0.0.1:{port}");
    let source = torrent.to_string_lossy();
    let output = call.download_into(&disk.0, &source, &["--peer", &peer, "--timeout", "15", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let mut said = String::from_utf8_lossy(&output.stdout).to_lowercase();
    said.push_str(&String::from_utf8_lossy(&output.stderr).to_lowercase());
    let cause =
        ["no space", "space left", "disk_full", "disk-full", "disk full", "out_of_space", "out-of-space"];
    assert!(cause.iter().any(|words| said.contains(words)), "the full disk is named: {said}");
}

#[test]
fn a_webseed_that_could_never_be_asked_is_refused_before_anything_is_done() {
    let call = Call::new();
    let torrent = call.torrent(&[]);
    let dir = call.path("dir").to_string_lossy().into_owned();
    let output = run(
        &call.path("home"),
        &["download", &torrent, "--dir", &dir, "--webseed", "ftp://w.example/"],
        FAIL_MAX,
    );
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("--webseed ftp://w.example/: give a URL that starts with http://, https://"));
    assert!(!call.path("dir").exists());
}
