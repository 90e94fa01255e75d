//! Asking real trackers on loopback: the good, the broken and the hostile.

mod http;
mod udp;

use std::time::Duration;

use unchoke::codec::tracker::{AnnounceEvent, AnnounceRequest};
use unchoke::session::discovery::{DiscoverySettings, Http, TrackerClient};

/// Bounds short enough for tests whose server is silent on purpose, long enough for a loaded machine otherwise.
fn impatient() -> DiscoverySettings {
    DiscoverySettings {
        idle: Duration::from_secs(5),
        http_total: Duration::from_millis(500),
        udp_total: Duration::from_millis(500),
        udp_resend: Duration::from_millis(100),
        ..DiscoverySettings::default()
    }
}

fn client(settings: DiscoverySettings) -> TrackerClient {
    TrackerClient::new(Http::new(settings))
}

fn request() -> AnnounceRequest {
    AnnounceRequest {
        info_hash: *b"\x00\xff %aaaaaaaaaaaaaaaa",
        peer_id: *b"-UK0010-abcdefghijkl",
        port: 6881,
        uploaded_bytes: 0,
        downloaded_bytes: 0,
        left_bytes: 1000,
        event: AnnounceEvent::Started,
        num_want: 200,
        key: 1,
    }
}
