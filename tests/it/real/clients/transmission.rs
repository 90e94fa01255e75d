//! transmission-daemon, by its JSON RPC. It ignores peers on 127/8 that it is told of, but accepts their connections.

use std::path::Path;

use serde_json::{Value, json};

use super::super::http;
use super::super::process::{Process, free_port, wait_for, wait_for_port};
use super::super::unchoke::PROGRAM_START_MAX;
use super::{Job, Rival};

/// Status 6 of its RPC: seeding, which comes after every check.
const STATUS_SEEDING: u64 = 6;

pub(crate) struct Transmission {
    process: Process,
    port: u16,
    rpc_port: u16,
    session: String,
}

impl Transmission {
    pub(super) fn start(program: &Path, job: &Job<'_>) -> Self {
        Self::start_with(program, job, None)
    }

    /// One that gives at most so many kilobytes a second.
    pub(crate) fn start_limited(program: &Path, job: &Job<'_>, kb_s: u32) -> Self {
        Self::start_with(program, job, Some(kb_s))
    }

    fn start_with(program: &Path, job: &Job<'_>, up_limit_kb_s: Option<u32>) -> Self {
        std::fs::create_dir_all(job.folder).unwrap();
        let (port, rpc_port) = (free_port(), free_port());
        let settings = json!({
            "bind-address-ipv4": "127.0.0.1", "bind-address-ipv6": "::1", "peer-port": port,
            "rpc-bind-address": "127.0.0.1", "rpc-port": rpc_port,
            "rpc-whitelist-enabled": false, "rpc-host-whitelist-enabled": false, "rpc-authentication-required": false,
            "dht-enabled": false, "lpd-enabled": false, "pex-enabled": false, "utp-enabled": false,
            "port-forwarding-enabled": false, "preallocation": 0, "download-queue-enabled": false,
            "seed-queue-enabled": false, "message-level": 2,
            "speed-limit-up-enabled": up_limit_kb_s.is_some(), "speed-limit-up": up_limit_kb_s.unwrap_or(0),
        });
        let config = job.home.join("config");
        std::fs::create_dir_all(&config).unwrap();
        std::fs::write(config.join("settings.json"), settings.to_string()).unwrap();
        let process = Process::start("transmission", program, job.home, |command| {
            command.arg("--foreground").arg("--config-dir").arg(&config);
        });
        wait_for_port("transmission's RPC", rpc_port, PROGRAM_START_MAX);
        let mut client = Self { process, port, rpc_port, session: "none".to_owned() };
        client.call("torrent-add", &json!({ "filename": job.torrent, "download-dir": job.folder }));
        wait_for_port("transmission", port, PROGRAM_START_MAX);
        client
    }

    fn call(&mut self, method: &str, arguments: &Value) -> Value {
        self.process.assert_running();
        let body = json!({ "method": method, "arguments": arguments }).to_string();
        wait_for(&format!("transmission answers {method}"), PROGRAM_START_MAX, || {
            let headers = [("X-Transmission-Session-Id", self.session.as_str())];
            let answer =
                http::request(self.rpc_port, "POST", "/transmission/rpc", &headers, body.as_bytes()).ok()?;
            if answer.status == 409 {
                self.session = answer.header("X-Transmission-Session-Id")?.to_owned();
                return None;
            }
            let reply = answer.json();
            assert_eq!(reply["result"], "success", "{method} {arguments}");
            Some(reply["arguments"].clone())
        })
    }
}

impl Rival for Transmission {
    fn port(&self) -> u16 {
        self.port
    }

    fn is_complete(&mut self) -> bool {
        let reply = self.call("torrent-get", &json!({ "fields": ["percentDone", "status"] }));
        let torrent = &reply["torrents"][0];
        torrent["percentDone"].as_f64() == Some(1.0) && torrent["status"].as_u64() == Some(STATUS_SEEDING)
    }
}
