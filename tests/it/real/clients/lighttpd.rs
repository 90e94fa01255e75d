//! lighttpd as a webseed: a second opinion on what a range is.

use std::path::Path;

use super::super::process::{Process, free_port, wait_for_port};
use super::super::unchoke::PROGRAM_START_MAX;

/// A running lighttpd that serves a folder.
pub(crate) struct Lighttpd {
    _process: Process,
    port: u16,
}

impl Lighttpd {
    pub(crate) fn start(program: &Path, home: &Path, root: &Path) -> Self {
        let port = free_port();
        std::fs::create_dir_all(home).unwrap();
        let configuration = format!(
            "server.document-root = \"{}\"\nserver.bind = \"127.0.0.1\"\nserver.port = {port}\n\
             server.errorlog = \"{}\"\n",
            root.display(),
            home.join("error.log").display()
        );
        let file = home.join("lighttpd.conf");
        std::fs::write(&file, configuration).unwrap();
        let process = Process::start("lighttpd", program, home, |command| {
            command.arg("-D").arg("-f").arg(&file);
        });
        wait_for_port("lighttpd", port, PROGRAM_START_MAX);
        Self { _process: process, port }
    }

    /// The URL of the folder it serves.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}
