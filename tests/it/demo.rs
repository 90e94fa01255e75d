//! `unchoke --demo` on a pseudo-terminal: it shows its swarm, and leaves nothing behind.

use std::path::Path;

use portable_pty::CommandBuilder;

use crate::real::http::request;
use crate::real::process::free_port;
use crate::real::unchoke::program;
use crate::screens::live::Program;

fn demo(temporary: &Path) -> CommandBuilder {
    let mut command = CommandBuilder::new(program());
    command.arg("--demo");
    command.env("TMPDIR", temporary);
    command.env("LANG", "C.UTF-8");
    command.env_remove("LC_ALL");
    command
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn the_demo_shows_its_torrents_and_quitting_removes_its_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut command = demo(temporary.path());
    command.args(["--diagnostics", &format!("127.0.0.1:{port}")]);
    let mut demo = Program::run(command);
    demo.wait_text("Tide tables").wait_text("Herbarium");
    assert_eq!(entries(temporary.path()), 1, "one folder while it runs");
    let status = request(port, "GET", "/debug/status", &[], b"").unwrap().text();
    assert!(status.contains("\nPeer ID: \"-UK") && status.contains("# Torrents: 3 "), "{status}");
    // It asks first only if something is on its way already.
    demo.press("Qy");
    assert_eq!(demo.exit_status(), 0);
    assert_eq!(entries(temporary.path()), 0);
}

#[test]
fn a_lock_held_on_purpose_is_the_inspectors_finding_with_its_holder() {
    let temporary = tempfile::tempdir().unwrap();
    // Wide enough for the finding as a whole.
    let mut demo = Program::run_on(demo(temporary.path()), 40, 200);
    demo.wait_text("Tide tables").press("!").wait_text("a task holds a lock for 10 s");
    // The first of the menu.
    demo.press("\r").wait("the menu gone", |screen| !screen.contents().contains("a task panics"));
    demo.press("I").wait("the held lock and its holder", |screen| {
        let contents = screen.contents();
        let mut found = contents
            .lines()
            .filter(|line| line.contains("lock \"demo: a lock held on purpose\" has been held for "));
        found.any(|line| line.contains("\"demo: holds a lock on purpose\""))
    });
    // What is in the way of quitting is not waited for: the holder has seconds to go.
    demo.press("q").wait("the list", |screen| !screen.contents().contains("Inspector"));
    demo.press("Qy");
    assert_eq!(demo.exit_status(), 0);
    assert_eq!(entries(temporary.path()), 0);
}
