//! A child process that cannot outlive its test, and waits with a bound.

use std::fs::File;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often a condition of another process is looked at; nothing tells us when it changes.
const POLL: Duration = Duration::from_millis(20);
/// How much of a log is worth showing when a test fails.
const LOG_TAIL_BYTES: usize = 4000;

/// Writes to the real standard error, past the capture of the test runner.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Asks `probe` until it answers; fails the test after `bound`.
pub(crate) fn wait_for<T>(what: &str, bound: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(start.elapsed() < bound, "waited {bound:?} in vain: {what}");
        std::thread::sleep(POLL);
    }
}

/// A loopback port that is free for TCP and UDP, and that no other test of this run was given.
pub(crate) fn free_port() -> u16 {
    static GIVEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());
    let mut given = GIVEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for _ in 0..1000 {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = tcp.local_addr().unwrap().port();
        if !given.contains(&port) && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            given.push(port);
            return port;
        }
    }
    panic!("no loopback port is free for both TCP and UDP");
}

pub(crate) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Waits until something accepts connections on a loopback port.
pub(crate) fn wait_for_port(what: &str, port: u16, bound: Duration) {
    wait_for(&format!("{what} listens on port {port}"), bound, || {
        TcpStream::connect_timeout(&loopback(port), Duration::from_secs(1)).ok()
    });
}

/// The program of that name on the PATH or in the folders of system programs.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// A running child, leader of its own process group. Dropping it kills the group.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `program` with standard output and error going to `NAME.log` in `folder`, unless `prepare` takes them.
    pub(crate) fn start(
        name: &str,
        program: &Path,
        folder: &Path,
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let log = folder.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log).unwrap();
        let mut command = with_parent_death_signal(program);
        command
            .process_group(0)
            .current_dir(folder)
            .stdin(std::process::Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder)
            .env("LC_ALL", "C.UTF-8");
        prepare(&mut command);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name} ({}): {error}", program.display()));
        Self { name: name.to_owned(), child, log, ended: None }
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().unwrap();
        }
        self.ended
    }

    /// Waits for the end of the process; the status is the caller's to judge.
    pub(crate) fn wait(&mut self, bound: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        wait_for(&what, bound, || self.ended())
    }

    pub(crate) fn assert_running(&mut self) {
        let ended = self.ended();
        assert!(ended.is_none(), "{} ended early: {ended:?}\n{}", self.name, self.log_tail());
    }

    /// SIGKILL to the whole group, then reaps the child: afterwards nothing of it runs.
    pub(crate) fn kill(&mut self) {
        if self.ended.is_some() {
            return;
        }
        let group = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        self.ended = self.child.wait().ok();
    }

    /// The end of what it printed.
    pub(crate) fn log_tail(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        let start = bytes.len().saturating_sub(LOG_TAIL_BYTES);
        String::from_utf8_lossy(&bytes[start..]).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            say(&format!(
                "---- end of the log of {} ({:?}) ----\n{}",
                self.name,
                self.ended,
                self.log_tail()
            ));
        }
    }
}

/// Where `setpriv` is there, the kernel kills the child when the test thread dies, even by SIGKILL or Ctrl-C.
fn with_parent_death_signal(program: &Path) -> Command {
    match find_program("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}
