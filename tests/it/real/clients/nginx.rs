//! nginx as a webseed: ranges of a folder, with limits and errors on wish.

use std::path::{Path, PathBuf};

use super::super::process::{Process, free_port, wait_for_port};
use super::super::unchoke::PROGRAM_START_MAX;

/// A running nginx that serves a folder.
pub(crate) struct Nginx {
    _process: Process,
    port: u16,
    home: PathBuf,
}

impl Nginx {
    /// Serves `root`; `extra` goes into the configuration of the server.
    pub(crate) fn start(program: &Path, home: &Path, root: &Path, extra: &str) -> Self {
        let port = free_port();
        std::fs::create_dir_all(home).unwrap();
        let (home_text, root) = (home.display(), root.display());
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|what| format!("{what}_temp_path {home_text}/{what};\n"))
            .collect();
        let configuration = format!(
            "daemon off; master_process off; pid {home_text}/nginx.pid; error_log {home_text}/error.log;\n\
             events {{ worker_connections 256; }}\n\
             http {{ access_log {home_text}/access.log; {temporary}\n\
             server {{ listen 127.0.0.1:{port}; root \"{root}\"; {extra} }} }}\n"
        );
        let file = home.join("nginx.conf");
        std::fs::write(&file, configuration).unwrap();
        let process = Process::start("nginx", program, home, |command| {
            command.arg("-e").arg(home.join("error.log")).arg("-c").arg(&file);
        });
        wait_for_port("nginx", port, PROGRAM_START_MAX);
        Self { _process: process, port, home: home.to_owned() }
    }

    /// The URL of the folder it serves.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// What it was asked: the lines of its log.
    pub(crate) fn asked(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.home.join("access.log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}
