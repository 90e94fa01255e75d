//! opentracker: HTTP and UDP on one port. Distributions build it to serve only the info-hashes of a list.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::super::process::{Process, free_port, wait_for_port};
use super::super::unchoke::PROGRAM_START_MAX;

pub(crate) struct Opentracker {
    _process: Process,
    port: u16,
}

impl Opentracker {
    /// Serves these info-hashes (hex).
    pub(crate) fn start(program: &Path, home: &Path, info_hashes: &[&str]) -> Self {
        std::fs::create_dir_all(home).unwrap();
        // Started by root it gives its rights away, and must still be able to read the list.
        std::fs::set_permissions(home, std::fs::Permissions::from_mode(0o755)).unwrap();
        let list = info_hashes.iter().fold(String::new(), |mut list, hash| {
            let _ = writeln!(list, "{hash}");
            list
        });
        std::fs::write(home.join("served"), list).unwrap();
        let port = free_port();
        let process = Process::start("opentracker", program, home, |command| {
            let port = port.to_string();
            command.args(["-i", "127.0.0.1", "-p", &port, "-P", &port, "-w", "served", "-d"]).arg(home);
        });
        wait_for_port("opentracker", port, PROGRAM_START_MAX);
        Self { _process: process, port }
    }

    pub(crate) fn http(&self) -> String {
        format!("http://127.0.0.1:{}/announce", self.port)
    }

    pub(crate) fn udp(&self) -> String {
        format!("udp://127.0.0.1:{}", self.port)
    }
}
