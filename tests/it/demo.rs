//! `unchoke --demo` on a pseudo-terminal: it shows its swarm, and leaves nothing behind.

use std::path::Path;

use portable_pty::CommandBuilder;

use crate::real::unchoke::program;
use crate::screens::live::Program;

fn demo(temporary: &Path) -> Program {
    let mut command = CommandBuilder::new(program());
    command.arg("--demo");
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
    let mut demo = demo(temporary.path());
    demo.wait_text("Tide tables").wait_text("Herbarium");
    assert_eq!(entries(temporary.path()), 1, "one folder while it runs");
    // It asks first only if something is on its way already.
    demo.press("Qy");
    assert_eq!(demo.exit_status(), 0);
    assert_eq!(entries(temporary.path()), 0);
}
