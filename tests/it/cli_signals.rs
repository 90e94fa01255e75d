//! How a download ends when it is asked to from outside: cleanly, and with the status that scripts expect.

use rustix::process::{Pid, Signal, kill_process};

use crate::real::payload::Payload;
use crate::real::process::say;
use crate::real::unchoke::Download;

/// Exit status of a seeding download after the signal, and whether its control socket is gone.
fn ended_by(signal: Signal) -> (Option<i32>, bool) {
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::borders(&arena.path().join("data"));
    let torrent = payload.torrent(&arena.path().join("t.torrent"), &[]);
    let (mut download, _port) = Download::seed(arena.path(), &torrent, &payload.folder, &[]);
    let socket = arena.path().join("state/unchoke.sock");
    assert!(socket.exists(), "it can be talked to while it runs");
    let pid = i32::try_from(download.pid()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    let (status, _last) = download.wait();
    (status.code(), !socket.exists())
}

#[test]
fn an_interrupt_ends_with_130_after_a_clean_stop() {
    assert_eq!(ended_by(Signal::INT), (Some(130), true));
}

#[test]
fn a_request_to_terminate_is_no_failure() {
    assert_eq!(ended_by(Signal::TERM), (Some(0), true));
}

#[test]
fn a_hangup_is_a_request_to_terminate() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    if u64::from_str_radix(mask.trim(), 16).unwrap() & 1 == 1 {
        say("skipped: these tests run under nohup, and so would what they start");
        return;
    }
    assert_eq!(ended_by(Signal::HUP), (Some(0), true));
}
