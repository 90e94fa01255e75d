//! libtorrent (arvidn's), by a Python script that takes JSON commands.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::process::{Process, find_program, free_port, wait_for_port};
use super::super::unchoke::PROGRAM_START_MAX;
use super::{Job, Rival};

/// Longest wait for the reply to a command.
const REPLY_MAX: Duration = Duration::from_secs(30);

/// A Python that can import libtorrent. Distributions put the module where only their own Python looks.
pub(super) fn find_python() -> Option<PathBuf> {
    [Some(PathBuf::from("/usr/bin/python3")), find_program("python3")].into_iter().flatten().find(|python| {
        Command::new(python)
            .args(["-c", "import libtorrent"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
}

/// How a torrent is added, beyond what every client can do.
#[derive(Default)]
pub(crate) struct AddOptions {
    /// Bytes a second that it uploads at most; 0 is no limit.
    pub(crate) upload_limit: u32,
}

pub(crate) struct Libtorrent {
    stdin: ChildStdin,
    replies: Receiver<String>,
    port: u16,
    process: Process,
}

impl Libtorrent {
    /// A session without torrents.
    pub(crate) fn session(python: &Path, home: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assets/libtorrent_peer.py");
        let port = free_port();
        let mut process = Process::start("libtorrent", python, home, |command| {
            command.arg(script).arg("127.0.0.1").arg(port.to_string());
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
        });
        let stdin = process.child().stdin.take().unwrap();
        let stdout = process.child().stdout.take().unwrap();
        let (sender, replies) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { stdin, replies, port, process }
    }

    pub(super) fn start(python: &Path, job: &Job<'_>) -> Self {
        let mut client = Self::session(python, job.home);
        client.add(job.torrent, job.folder, &AddOptions::default());
        client
    }

    pub(crate) fn add(&mut self, torrent: &Path, folder: &Path, options: &AddOptions) {
        std::fs::create_dir_all(folder).unwrap();
        self.call(&json!({ "op": "add", "torrent": torrent, "folder": folder, "upload_limit": options.upload_limit }));
        wait_for_port("libtorrent", self.port, PROGRAM_START_MAX);
    }

    /// Has it dial a peer on loopback.
    pub(crate) fn connect(&mut self, port: u16) {
        self.call(&json!({ "op": "connect", "address": "127.0.0.1", "port": port }));
    }

    /// `state`, `seeding`, `uploaded`, `downloaded`, `clients` and others, as the script names them.
    pub(crate) fn status(&mut self) -> Value {
        self.call(&json!({ "op": "status" }))
    }

    /// Makes a .torrent of a folder; `kind` is v1, v2 or hybrid. Gives its info-hashes.
    pub(crate) fn create(&mut self, folder: &Path, kind: &str, piece_length: u32, output: &Path) -> Value {
        self.call(&json!({
            "op": "create", "folder": folder, "kind": kind, "piece_length": piece_length, "output": output
        }))
    }

    fn call(&mut self, command: &Value) -> Value {
        self.process.assert_running();
        writeln!(self.stdin, "{command}").unwrap();
        let line = self
            .replies
            .recv_timeout(REPLY_MAX)
            .unwrap_or_else(|error| panic!("libtorrent and {command}: {error}"));
        let reply: Value = serde_json::from_str(&line).unwrap();
        assert!(reply.get("error").is_none(), "libtorrent refuses {command}: {reply}");
        reply
    }
}

impl Rival for Libtorrent {
    fn port(&self) -> u16 {
        self.port
    }

    fn is_complete(&mut self) -> bool {
        self.status()["seeding"] == true
    }
}
