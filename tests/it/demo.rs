//! `unchoke --demo` on a pseudo-terminal: it shows its swarm, and leaves nothing behind.

use std::path::Path;

use portable_pty::CommandBuilder;

use crate::real::http::request;
use crate::real::process::free_port;
use crate::real::unchoke::program;
use crate::screens::live::Program;

fn demo(temporary: &Path, diagnostics: u16) -> Program {
    let mut command = CommandBuilder::new(program());
    command.args(["--demo", "--diagnostics", &format!("127.0.0.1:{diagnostics}")]);
    command.env("TMPDIR", temporary);
    command.env("LANG", "C.UTF-8");
    command.env_remove("LC_ALL");
    Program::run(command)
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn the_demo_shows_its_torrents_and_quitting_removes_its_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut demo = demo(temporary.path(), port);
    demo.wait_text("Tide tables").wait_text("Herbarium");
    assert_eq!(entries(temporary.path()), 1, "one folder while it runs");
    let status = request(port, "GET", "/debug/status", &[], b"").unwrap().text();
    assert!(status.contains("\nPeer ID: \"-UK") && status.contains("# Torrents: 3 "), "{status}");
    // It asks first only if something is on its way already.
    demo.press("Qy");
    assert_eq!(demo.exit_status(), 0);
    assert_eq!(entries(temporary.path()), 0);
}
