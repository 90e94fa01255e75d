//! How a fetch looks from outside: a torrent of which only the swarm is known.

use std::sync::Arc;

use super::MetadataFetch;
use crate::contract::{
    PeerCounts, PieceCounts, PieceRuns, TorrentDetail, TorrentRow, Untrusted, WebseedCounts,
};
use crate::engine::torrent::DetailExtras;
use crate::units::{Rate, Time};

impl MetadataFetch {
    /// The name that the magnet gives, or its info-hash.
    pub fn name(&self) -> Untrusted {
        let given = self.magnet.name.clone().filter(|name| !name.raw().is_empty());
        given.unwrap_or_else(|| Untrusted::new(self.id.to_string()))
    }

    /// Its line in the list.
    pub fn row(&self, added_unix_s: u64) -> TorrentRow {
        let requests = self.connections.values().map(|peer| peer.requests.len()).sum::<usize>();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        TorrentRow {
            id: self.id,
            name: self.name(),
            state: self.state(),
            cause: self.cause(),
            order: self.record.order,
            done_bytes: 0,
            wanted_bytes: 0,
            total_bytes: 0,
            down_bps: Rate(0),
            up_bps: Rate(0),
            downloaded_bytes: self.record.downloaded_bytes,
            uploaded_bytes: self.record.uploaded_bytes,
            peers: PeerCounts {
                connected: count(self.connections.len()),
                seeds: 0,
                half_open: self.known.calling(),
                unchoked_us: 0,
                known: self.known.count(),
            },
            webseeds: WebseedCounts::default(),
            pieces: PieceCounts::default(),
            requests_in_flight: count(requests),
            disk_queue_bytes: 0,
            wasted_bytes: self.wasted_bytes,
            listen_port: self.listen_port,
            added_unix_s,
        }
    }

    /// All of it.
    pub fn detail(&self, now: Time, row: Arc<TorrentRow>, extras: DetailExtras) -> TorrentDetail {
        TorrentDetail {
            row,
            piece_length: 0,
            save_dir: extras.save_dir,
            comment: extras.comment,
            private: false,
            files: Vec::new(),
            peers: self.connections.values().map(|peer| peer.connection.row(now, false)).collect(),
            trackers: self.trackers.rows(now),
            webseeds: Vec::new(),
            runs: PieceRuns::default(),
            rarest_availability: None,
            log: extras.log,
        }
    }
}
