//! qbittorrent-nox, by its WebUI API.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use super::super::http;
use super::super::process::{Process, free_port, loopback, wait_for, wait_for_port};
use super::super::unchoke::PROGRAM_START_MAX;
use super::{Job, Rival};

/// States of its API in which all data is there, checked and offered.
const COMPLETE_STATES: [&str; 3] = ["uploading", "stalledUP", "forcedUP"];

/// How long a probing handshake waits.
const PROBE_MAX: Duration = Duration::from_secs(2);

pub(super) struct Qbittorrent {
    process: Process,
    port: u16,
    api_port: u16,
}

impl Qbittorrent {
    pub(super) fn start(program: &Path, job: &Job<'_>) -> Self {
        let (port, api_port) = (free_port(), free_port());
        let config = job.home.join("qBittorrent/config");
        std::fs::create_dir_all(&config).unwrap();
        std::fs::write(config.join("qBittorrent.conf"), configuration(port, api_port)).unwrap();
        let process = Process::start("qbittorrent", program, job.home, |command| {
            command.arg(format!("--profile={}", job.home.display())).arg(format!("--webui-port={api_port}"));
        });
        wait_for_port("qbittorrent's API", api_port, PROGRAM_START_MAX);
        let client = Self { process, port, api_port };
        client.add(job);
        // For a while after its start it accepts connections only to close them, and would be dialled in vain.
        wait_for("qbittorrent answers a handshake", PROGRAM_START_MAX, || {
            answers_handshake(port, job.info_hash).then_some(())
        });
        client
    }

    fn add(&self, job: &Job<'_>) {
        let boundary = "----unchoke-test";
        let mut body = Vec::new();
        for (name, value) in [
            ("savepath", &*job.folder.to_string_lossy()),
            ("autoTMM", "false"),
            ("contentLayout", "Original"),
        ] {
            body.extend_from_slice(
                format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                    .as_bytes(),
            );
        }
        body.extend_from_slice(
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"torrents\"; filename=\"t.torrent\"\r\n\
                 Content-Type: application/x-bittorrent\r\n\r\n"
            )
            .as_bytes(),
        );
        body.extend_from_slice(&std::fs::read(job.torrent).unwrap());
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let content_type = format!("multipart/form-data; boundary={boundary}");
        wait_for("qbittorrent takes the torrent", PROGRAM_START_MAX, || {
            let headers = [("Content-Type", content_type.as_str())];
            let answer =
                http::request(self.api_port, "POST", "/api/v2/torrents/add", &headers, &body).ok()?;
            (answer.status == 200 && answer.text().trim() == "Ok.").then_some(())
        });
    }
}

impl Rival for Qbittorrent {
    fn port(&self) -> u16 {
        self.port
    }

    fn is_complete(&mut self) -> bool {
        self.process.assert_running();
        let Ok(answer) = http::request(self.api_port, "GET", "/api/v2/torrents/info", &[], b"") else {
            return false;
        };
        let torrents = answer.json();
        torrents[0]["state"].as_str().is_some_and(|state| COMPLETE_STATES.contains(&state))
    }
}

/// Sends a handshake (BEP 3) and looks for the head of one in return.
fn answers_handshake(port: u16, info_hash: &str) -> bool {
    let hash = (0..20).map(|index| u8::from_str_radix(&info_hash[2 * index..2 * index + 2], 16).unwrap());
    let mut handshake = b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0".to_vec();
    handshake.extend(hash);
    handshake.extend_from_slice(b"-XX0000-probe0probe0");
    let exchange = || {
        let mut stream = TcpStream::connect_timeout(&loopback(port), PROBE_MAX)?;
        stream.set_read_timeout(Some(PROBE_MAX))?;
        stream.write_all(&handshake)?;
        let mut head = [0; 20];
        stream.read_exact(&mut head)?;
        std::io::Result::Ok(head[..] == handshake[..20])
    };
    exchange().unwrap_or(false)
}

fn configuration(port: u16, api_port: u16) -> String {
    format!(
        r"[BitTorrent]
Session\Interface=lo
Session\InterfaceName=lo
Session\InterfaceAddress=127.0.0.1
Session\Port={port}
Session\DHTEnabled=false
Session\LSDEnabled=false
Session\PeXEnabled=false
Session\BTProtocol=TCP
Session\QueueingSystemEnabled=false
Session\Preallocation=false
Session\MultiConnectionsPerIp=true
Session\RefreshInterval=100
[LegalNotice]
Accepted=true
[Network]
PortForwardingEnabled=false
[Preferences]
General\Locale=en
WebUI\Address=127.0.0.1
WebUI\Port={api_port}
WebUI\LocalHostAuth=false
WebUI\CSRFProtection=false
WebUI\HostHeaderValidation=false
"
    )
}
