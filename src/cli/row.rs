//! A torrent's line as programs read it: `download --json` and `ctl list --json` give exactly these keys.

use serde::Serialize;

use crate::contract::{PeerCounts, PieceCounts, TorrentRow, Untrusted, WebseedCounts};
use crate::units::{Rate, TorrentId};

/// The stable keys.
#[derive(Debug, Serialize)]
pub(super) struct StatusLine<'a> {
    t_s: f64,
    id: TorrentId,
    name: &'a Untrusted,
    state: &'static str,
    cause: Option<&'a Untrusted>,
    done_bytes: u64,
    wanted_bytes: u64,
    total_bytes: u64,
    down_bps: Rate,
    up_bps: Rate,
    peers: PeerKeys,
    webseeds: WebseedCounts,
    pieces: PieceCounts,
    requests_in_flight: u32,
    disk_queue_bytes: u64,
    wasted_bytes: u64,
    listen_port: u16,
}

#[derive(Debug, Serialize)]
struct PeerKeys {
    connected: u32,
    seeds: u32,
    half_open: u32,
    unchoked_us: u32,
}

impl<'a> StatusLine<'a> {
    /// The line of `row` at `t_s` seconds. Names every field of the row, so that a new one is decided on here.
    pub(super) fn new(t_s: f64, row: &'a TorrentRow) -> Self {
        let TorrentRow {
            id,
            name,
            state,
            cause,
            order: _,
            done_bytes,
            wanted_bytes,
            total_bytes,
            down_bps,
            up_bps,
            downloaded_bytes: _,
            uploaded_bytes: _,
            peers,
            webseeds,
            pieces,
            requests_in_flight,
            disk_queue_bytes,
            wasted_bytes,
            hash_failures: _,
            listen_port,
            added_unix_s: _,
        } = row;
        let PeerCounts { connected, seeds, half_open, unchoked_us, known: _, banned: _ } = *peers;
        Self {
            t_s: to_millis(t_s),
            id: *id,
            name,
            state: state.word(),
            cause: cause.as_ref(),
            done_bytes: *done_bytes,
            wanted_bytes: *wanted_bytes,
            total_bytes: *total_bytes,
            down_bps: *down_bps,
            up_bps: *up_bps,
            peers: PeerKeys { connected, seeds, half_open, unchoked_us },
            webseeds: *webseeds,
            pieces: *pieces,
            requests_in_flight: *requests_in_flight,
            disk_queue_bytes: *disk_queue_bytes,
            wasted_bytes: *wasted_bytes,
            listen_port: *listen_port,
        }
    }
}

/// Seconds to the millisecond: more digits would only look exact.
pub(super) fn to_millis(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{DownloadOrder, TorrentState};

    #[test]
    fn the_keys_are_those_of_the_contract() {
        let row = TorrentRow {
            id: TorrentId([0xab; 20]),
            name: Untrusted::new("a\u{1b}b"),
            state: TorrentState::Downloading,
            cause: None,
            order: DownloadOrder::default(),
            done_bytes: 1,
            wanted_bytes: 2,
            total_bytes: 3,
            down_bps: Rate(4),
            up_bps: Rate(5),
            downloaded_bytes: 6,
            uploaded_bytes: 7,
            peers: PeerCounts::default(),
            webseeds: WebseedCounts::default(),
            pieces: PieceCounts::default(),
            requests_in_flight: 8,
            disk_queue_bytes: 9,
            wasted_bytes: 10,
            hash_failures: 13,
            listen_port: 11,
            added_unix_s: 12,
        };
        let line = serde_json::to_value(StatusLine::new(1.23456, &row)).unwrap();
        let expected = serde_json::json!({
            "t_s": 1.235, "id": "ab".repeat(20), "name": "a\u{1b}b", "state": "downloading", "cause": null,
            "done_bytes": 1, "wanted_bytes": 2, "total_bytes": 3, "down_bps": 4, "up_bps": 5,
            "peers": {"connected": 0, "seeds": 0, "half_open": 0, "unchoked_us": 0},
            "webseeds": {"active": 0, "backing_off": 0},
            "pieces": {"total": 0, "have": 0, "wanted": 0, "requestable": 0, "requested": 0, "checking": 0,
                       "unknown": 0},
            "requests_in_flight": 8, "disk_queue_bytes": 9, "wasted_bytes": 10, "listen_port": 11,
        });
        assert_eq!(line, expected);
    }
}
