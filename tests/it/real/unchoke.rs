//! Our own program, started as a user would start it, and its status lines.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use serde_json::Value;

use super::process::{Process, wait_for};

/// Longest start of any program here on a loaded machine.
pub(crate) const PROGRAM_START_MAX: Duration = Duration::from_secs(30);
/// What `--timeout` gets: a download that hangs ends with status 1 and its log.
pub(crate) const DOWNLOAD_TIMEOUT_S: u64 = 60;
/// Longest wait for our program to end, a little over its own bound.
pub(crate) const DOWNLOAD_MAX: Duration = Duration::from_secs(DOWNLOAD_TIMEOUT_S + 30);

pub(crate) fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_unchoke"))
}

/// `unchoke download ... --json` on loopback, without any way to find peers but those the arguments give.
pub(crate) struct Download {
    process: Process,
    lines: Receiver<String>,
    /// The latest line.
    latest: Value,
    /// The events among the lines, where `--events` asks for them; those of single pieces are left out.
    events: Vec<Value>,
}

impl Download {
    /// `home` takes the state and the log; `arguments` come after the source.
    pub(crate) fn start(home: &Path, torrent: &Path, folder: &Path, arguments: &[&str]) -> Self {
        Self::start_in(&[], home, torrent, folder, arguments)
    }

    /// The same with these variables in its environment.
    pub(crate) fn start_in(
        environment: &[(&str, &str)],
        home: &Path,
        torrent: &Path,
        folder: &Path,
        arguments: &[&str],
    ) -> Self {
        let mut process = Process::start("unchoke", &program(), home, |command| {
            command.envs(environment.iter().copied());
            command
                .arg("download")
                .arg(torrent)
                .arg("--dir")
                .arg(folder)
                .arg("--state-dir")
                .arg(home.join("state"));
            command.args(["--json", "--bind", "127.0.0.1", "--no-dht", "--no-pex", "--no-lsd", "--no-utp"]);
            if !arguments.contains(&"--port") {
                command.args(["--port", "0"]);
            }
            command.args(arguments).stdout(Stdio::piped());
        });
        let stdout = process.child().stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { process, lines, latest: Value::Null, events: Vec::new() }
    }

    /// Downloads from one peer that we dial, and ends when complete.
    pub(crate) fn from_peer(home: &Path, torrent: &Path, folder: &Path, port: u16) -> Self {
        let timeout = DOWNLOAD_TIMEOUT_S.to_string();
        Self::start(
            home,
            torrent,
            folder,
            &["--peer", &format!("127.0.0.1:{port}"), "--no-seed", "--timeout", &timeout],
        )
    }

    /// Seeds data that is there already; returns when it is checked and its port is known.
    pub(crate) fn seed(home: &Path, torrent: &Path, folder: &Path, arguments: &[&str]) -> (Self, u16) {
        let mut all = vec!["--check", "always"];
        all.extend_from_slice(arguments);
        let mut download = Self::start(home, torrent, folder, &all);
        let port = download.wait_status("seeds", |status| {
            let port = status["listen_port"].as_u64().and_then(|port| u16::try_from(port).ok())?;
            (status["state"] == "seeding" && port != 0).then_some(port)
        });
        (download, port)
    }

    /// Reads status lines until `pick` answers.
    pub(crate) fn wait_status<T>(&mut self, what: &str, mut pick: impl FnMut(&Value) -> Option<T>) -> T {
        wait_for(&format!("unchoke {what}"), DOWNLOAD_MAX, || {
            loop {
                match self.lines.try_recv() {
                    Ok(line) => self.take(&line),
                    Err(TryRecvError::Empty) => {
                        self.process.assert_running();
                        return None;
                    }
                    Err(TryRecvError::Disconnected) => {
                        let status = self.process.wait(DOWNLOAD_MAX);
                        panic!(
                            "unchoke ended with {status} before it {what}; last line {}\n{}",
                            self.latest,
                            self.log()
                        );
                    }
                }
                if let Some(answer) = pick(&self.latest) {
                    return Some(answer);
                }
            }
        })
    }

    /// The events that it has told of so far, those of single pieces aside.
    pub(crate) fn events(&mut self) -> &[Value] {
        while let Ok(line) = self.lines.try_recv() {
            self.take(&line);
        }
        &self.events
    }

    fn take(&mut self, line: &str) {
        self.latest = parse_line(line);
        if self.latest["event"].as_str().is_some_and(|event| event != "piece_done") {
            self.events.push(self.latest.clone());
        }
    }

    pub(crate) fn pid(&mut self) -> u32 {
        self.process.child().id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// Waits for the end; gives the status and the last line.
    pub(crate) fn wait(&mut self) -> (ExitStatus, Value) {
        let status = self.process.wait(DOWNLOAD_MAX);
        // The reader ends with the pipe, so this loop does too.
        while let Ok(line) = self.lines.recv_timeout(PROGRAM_START_MAX) {
            self.take(&line);
        }
        (status, self.latest.clone())
    }

    /// Waits for a complete download: status 0 and a last line that says so.
    pub(crate) fn wait_done(&mut self) {
        let (status, last) = self.wait();
        assert!(status.success(), "unchoke ended with {status}; last line {last}\n{}", self.log());
        assert_eq!(last["event"], "done", "the last line");
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    fn log(&self) -> String {
        self.process.log_tail()
    }
}

/// Runs our program to its end, with its output taken.
pub(crate) fn run(home: &Path, arguments: &[&str], bound: Duration) -> Output {
    std::fs::create_dir_all(home).unwrap();
    let mut process = Process::start("unchoke", &program(), home, |command| {
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    });
    let stdout = read_all(process.child().stdout.take().unwrap());
    let stderr = read_all(process.child().stderr.take().unwrap());
    let status = process.wait(bound);
    Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

fn read_all(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

fn parse_line(line: &str) -> Value {
    serde_json::from_str(line)
        .unwrap_or_else(|error| panic!("--json gives a line that is not JSON ({error}): {line}"))
}
