//! rtorrent as a daemon, by XML-RPC over SCGI.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use super::super::process::{Process, free_port, loopback, wait_for, wait_for_port};
use super::super::unchoke::PROGRAM_START_MAX;
use super::{Job, Rival};

/// Longest wait for an answer: it hashes in the same thread that answers.
const ANSWER_MAX: Duration = Duration::from_secs(20);

pub(super) struct Rtorrent {
    process: Process,
    port: u16,
    scgi_port: u16,
}

impl Rtorrent {
    pub(super) fn start(program: &Path, job: &Job<'_>) -> Self {
        let (port, scgi_port) = (free_port(), free_port());
        std::fs::create_dir_all(job.home.join("session")).unwrap();
        let file = job.home.join("rtorrent.rc");
        std::fs::write(&file, configuration(job.home, port, scgi_port)).unwrap();
        let process = Process::start("rtorrent", program, job.home, |command| {
            command.args(["-n", "-o"]).arg(format!("import={}", file.display())).env("TERM", "xterm");
        });
        wait_for_port("rtorrent's SCGI", scgi_port, PROGRAM_START_MAX);
        let client = Self { process, port, scgi_port };
        let directory = format!("d.directory.set=\"{}\"", job.folder.display());
        client.call("load.start_verbose", &["", &job.torrent.to_string_lossy(), &directory]);
        wait_for_port("rtorrent", port, PROGRAM_START_MAX);
        client
    }

    /// Calls a method whose arguments are all strings; gives the XML of the answer.
    fn call(&self, method: &str, arguments: &[&str]) -> String {
        wait_for(&format!("rtorrent answers {method}"), PROGRAM_START_MAX, || {
            self.try_call(method, arguments).ok()
        })
    }

    fn try_call(&self, method: &str, arguments: &[&str]) -> std::io::Result<String> {
        let parameters: String = arguments
            .iter()
            .map(|argument| argument.replace('&', "&amp;").replace('<', "&lt;"))
            .map(|argument| format!("<param><value><string>{argument}</string></value></param>"))
            .collect();
        let body = format!(
            "<?xml version=\"1.0\"?><methodCall><methodName>{method}</methodName><params>{parameters}</params></methodCall>"
        );
        let headers = format!("CONTENT_LENGTH\0{}\0SCGI\x001\0", body.len());
        let mut stream = TcpStream::connect_timeout(&loopback(self.scgi_port), ANSWER_MAX)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.write_all(format!("{}:{headers},{body}", headers.len()).as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        assert!(!answer.contains("<fault>"), "rtorrent refuses {method} {arguments:?}: {answer}");
        Ok(answer)
    }
}

impl Rival for Rtorrent {
    fn port(&self) -> u16 {
        self.port
    }

    fn is_complete(&mut self) -> bool {
        self.process.assert_running();
        let answer = self.call("d.multicall2", &["", "main", "d.complete=", "d.hashing=", "d.is_active="]);
        let values: Vec<&str> = answer
            .split("<i8>")
            .skip(1)
            .filter_map(|rest| rest.split_once("</i8>").map(|(value, _)| value))
            .collect();
        values == ["1", "0", "1"]
    }
}

fn configuration(home: &Path, port: u16, scgi_port: u16) -> String {
    format!(
        "system.daemon.set = true
session.path.set = {home}/session
network.port_range.set = {port}-{port}
network.port_random.set = no
network.bind_address.set = 127.0.0.1
protocol.pex.set = no
dht.mode.set = disable
trackers.use_udp.set = no
system.file.allocate.set = 0
network.scgi.open_port = \"127.0.0.1:{scgi_port}\"
log.open_file = \"log\", \"{home}/rtorrent.log\"
log.add_output = \"info\", \"log\"
log.add_output = \"tracker_debug\", \"log\"
",
        home = home.display()
    )
}
