//! How a fetch looks from outside: a torrent of which only the swarm is known.

use std::sync::Arc;

use super::MetadataFetch;
use crate::contract::{
    PeerCounts, PieceCounts, PieceRuns, TorrentDetail, TorrentRow, TorrentVitals, Untrusted, WebseedCounts,
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
                banned: count(self.bans.count()),
            },
            webseeds: WebseedCounts::default(),
            pieces: PieceCounts::default(),
            requests_in_flight: count(requests),
            disk_queue_bytes: 0,
            wasted_bytes: self.wasted_bytes,
            hash_failures: 0,
            listen_port: self.listen_port,
            added_unix_s,
        }
    }

    /// What is known of it and its peers beyond [`Self::detail`].
    pub fn vitals(&self, now: Time) -> TorrentVitals {
        // Of what peers claim, the dictionary that most is here of.
        let best = self.assemblies.iter().max_by_key(|(_, assembly)| assembly.bytes());
        let millis = |at: Time| u64::try_from(at.since(now).as_millis()).unwrap_or(u64::MAX);
        let deadline = self.next_deadline();
        TorrentVitals {
            info_hash_v2: self.magnet.info_hash_v2.map(|hash| hash.to_string()),
            announce_key: self.trackers.announce_key(),
            metadata_bytes: best.map(|(claim, _)| u64::from(claim.total_bytes)),
            metadata_have_bytes: best.map_or(0, |(_, assembly)| assembly.bytes() as u64),
            next_deadline: deadline.map(|(at, reason)| (reason.words().to_owned(), millis(at))),
            peers: self.connections.values().map(|peer| peer.connection.vitals(now, 0)).collect(),
            ..TorrentVitals::default()
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
