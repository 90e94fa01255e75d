//! aria2: a one-shot program, which ends when its download is complete. Finds peers only through trackers.

use std::path::Path;

use super::super::process::{Process, free_port, wait_for_port};
use super::super::unchoke::PROGRAM_START_MAX;
use super::{Job, Rival, Role};

pub(super) struct Aria2 {
    process: Process,
    port: u16,
    role: Role,
}

impl Aria2 {
    pub(super) fn start(program: &Path, job: &Job<'_>) -> Self {
        let port = free_port();
        let mut process = Process::start("aria2", program, job.home, |command| {
            command.args([
                "--no-conf=true",
                "--enable-dht=false",
                "--enable-dht6=false",
                "--bt-enable-lpd=false",
                "--enable-peer-exchange=false",
                "--disable-ipv6=true",
                "--async-dns=false",
                "--interface=127.0.0.1",
                "--file-allocation=none",
                "--summary-interval=0",
                "--console-log-level=info",
                "--show-console-readout=false",
                "--allow-overwrite=true",
                "--auto-save-interval=0",
                "--bt-tracker-interval=2",
            ]);
            command.arg(format!("--dir={}", job.folder.display())).arg(format!("--listen-port={port}"));
            match job.role {
                Role::Seed => command.args(["--seed-ratio=0.0", "--check-integrity=true"]),
                Role::Leech => command.arg("--seed-time=0"),
            };
            command.arg(job.torrent);
        });
        // A leech may be done before anyone sees its port.
        if job.role == Role::Seed {
            wait_for_port("aria2", port, PROGRAM_START_MAX);
            process.assert_running();
        }
        Self { process, port, role: job.role }
    }
}

impl Rival for Aria2 {
    fn port(&self) -> u16 {
        self.port
    }

    fn is_complete(&mut self) -> bool {
        match self.role {
            // It opens its port after the check.
            Role::Seed => {
                self.process.assert_running();
                true
            }
            Role::Leech => match self.process.ended() {
                Some(status) => {
                    assert!(status.success(), "aria2 ended with {status}\n{}", self.process.log_tail());
                    true
                }
                None => false,
            },
        }
    }
}
