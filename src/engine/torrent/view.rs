//! How the torrent looks from outside: its line in the list, and the whole of it for the detail tabs.

use std::path::PathBuf;
use std::sync::Arc;

use super::Torrent;
use super::lifecycle::Phase;
use super::pieces::{Reach, RunCache};
use crate::contract::{
    FileRow, LogLine, PeerCounts, PeerRow, PieceCounts, PieceRuns, TorrentDetail, TorrentRow, TorrentState,
    Untrusted,
};
use crate::engine::bits::Bits;
use crate::engine::webseeds::source::Webseed;
use crate::limits::BLOCK_BYTES;
use crate::units::{FileIndex, Time};

/// What the shell knows of a torrent and its owner does not.
#[derive(Clone, Debug, Default)]
pub struct DetailExtras {
    /// The folder its payload is saved into.
    pub save_dir: PathBuf,
    /// The torrent's comment.
    pub comment: Option<Untrusted>,
    /// Its latest events.
    pub log: Vec<LogLine>,
}

impl Torrent {
    /// Its line in the list. `added_unix_s`: when it was added, which the shell knows.
    pub fn row(&self, now: Time, added_unix_s: u64) -> TorrentRow {
        let (wanted_bytes, done_bytes) = self.pieces.wanted_and_done_bytes();
        let peers = self.connections.values();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        TorrentRow {
            id: self.id,
            name: self.info.name.clone(),
            state: self.state(),
            cause: self.cause(now),
            order: self.order,
            done_bytes,
            wanted_bytes,
            total_bytes: self.pieces.payload_bytes(),
            down_bps: self.down.rate(now),
            up_bps: self.up.rate(now),
            downloaded_bytes: self.totals.downloaded_bytes,
            uploaded_bytes: self.totals.uploaded_bytes,
            peers: PeerCounts {
                connected: count(self.connections.len()),
                seeds: count(peers.clone().filter(|peer| peer.have.is_full()).count()),
                half_open: self.known.calling(),
                unchoked_us: count(peers.clone().filter(|peer| !peer.peer_choking).count()),
                known: self.known.count(),
                banned: count(self.bans.count()),
            },
            webseeds: self.webseeds.counts(now),
            pieces: self.piece_counts(now),
            requests_in_flight: peers.map(|peer| peer.requests.count()).sum(),
            disk_queue_bytes: self.storing.bytes(),
            wasted_bytes: self.totals.wasted_bytes,
            hash_failures: self.totals.hash_failures,
            listen_port: self.listen_port,
            added_unix_s,
        }
    }

    /// Counts of pieces by state; nothing is requestable where the whole torrent may request nothing.
    fn piece_counts(&self, now: Time) -> PieceCounts {
        match self.phase.blocked() {
            None => self.pieces.counts(&self.askable(now)),
            Some(_) => self.pieces.counts(&Bits::empty(self.info.piece_count())),
        }
    }

    /// What some connected peer or webseed has that may be asked for it.
    fn askable(&self, now: Time) -> Bits {
        let unchoking = self.connections.values().filter(|peer| !peer.peer_choking);
        let webseeds = self.webseeds.iter().filter(|webseed| self.webseeds.may_ask(webseed, now));
        let sets = unchoking.map(|peer| &peer.have).chain(webseeds.map(Webseed::have));
        Bits::union_of(self.info.piece_count(), sets)
    }

    /// What some connected peer or webseed has.
    fn held(&self) -> Bits {
        let webseeds = self.webseeds.iter().filter(|webseed| webseed.is_usable());
        let sets = self.connections.values().map(|peer| &peer.have).chain(webseeds.map(Webseed::have));
        Bits::union_of(self.info.piece_count(), sets)
    }

    /// Why it is not doing more, in a stable word, or the error's own text.
    fn cause(&self, now: Time) -> Option<Untrusted> {
        let word = match (&self.phase, self.state()) {
            (Phase::DiskTrouble { error, .. }, _) => return Some(error.message.clone()),
            (Phase::Broken { cause }, _) => return Some(cause.clone()),
            (Phase::Running, TorrentState::Downloading) => self.download_cause(now)?,
            (Phase::Running, TorrentState::Finished) if self.pieces.is_nothing_wanted() => "nothing_wanted",
            (Phase::Running | Phase::Paused | Phase::Stopping { .. } | Phase::Stopped, _) => return None,
        };
        Some(Untrusted::new(word))
    }

    fn download_cause(&self, now: Time) -> Option<&'static str> {
        let mut peers = self.connections.values().peekable();
        if self.webseeds.underway.values().any(|fetch| !fetch.stalled && fetch.credit != Some(0)) {
            return None;
        }
        if peers.peek().is_none() && !self.webseeds.is_empty() {
            return self.webseed_cause(now);
        }
        if peers.peek().is_none() {
            return Some(if self.slots.most() == 0 {
                "no_connection_slots"
            } else if self.known.any(|address| !self.bans.is_banned(address)) {
                "no_peer_reachable"
            } else if self.bans.is_empty() {
                "no_peers_known"
            } else {
                "all_peers_banned"
            });
        }
        if self.allowance.down_bytes.is_some() && self.allowance.down_bytes < Some(u64::from(BLOCK_BYTES)) {
            return Some("rate_limit");
        }
        let requesting = peers.clone().any(|peer| peer.requests.count() > 0 && !peer.requests.is_snubbed());
        if requesting {
            return None;
        }
        let useful: Vec<_> = peers.filter(|peer| peer.am_interested).collect();
        if useful.is_empty() {
            Some("no_source_for_wanted_pieces")
        } else if useful.iter().all(|peer| peer.peer_choking) {
            Some("all_peers_choke_us")
        } else if useful.iter().any(|peer| peer.requests.is_snubbed()) {
            Some("requests_overdue")
        } else {
            None
        }
    }

    /// All of it.
    pub fn detail(&mut self, now: Time, row: Arc<TorrentRow>, extras: DetailExtras) -> TorrentDetail {
        let runs = self.piece_runs(now);
        TorrentDetail {
            row,
            piece_length: self.info.piece_length,
            save_dir: extras.save_dir,
            comment: extras.comment,
            private: self.info.private,
            files: self.file_rows(),
            peers: self.peer_rows(now),
            trackers: self.trackers.rows(now),
            webseeds: self.webseed_rows(now),
            runs,
            rarest_availability: self.pieces.rarest(),
            log: extras.log,
        }
    }

    /// Its connections.
    pub fn peer_rows(&self, now: Time) -> Vec<PeerRow> {
        let optimistic = self.choker.optimistic();
        self.connections.values().map(|peer| peer.row(now, optimistic == Some(peer.id))).collect()
    }

    fn file_rows(&self) -> Vec<FileRow> {
        let rows = (0u32..).map(FileIndex).zip(&self.info.files).filter(|(_, file)| !file.pad);
        rows.map(|(index, file)| FileRow {
            index,
            path: Untrusted::new(file.path.as_str()),
            bytes: file.bytes,
            done_bytes: self.pieces.file_done_bytes(index),
            priority: self.pieces.file_priorities()[index.at()],
            pieces: self.info.pieces_of(index).map(|pieces| (*pieces.start(), *pieces.end())),
        })
        .collect()
    }

    /// All pieces as runs of equal state; only what changed since the last call is looked at.
    pub fn piece_runs(&mut self, now: Time) -> PieceRuns {
        let reach = Reach { held: self.held(), askable: self.askable(now) };
        self.pieces.runs(&mut self.runs, reach, self.phase.blocked())
    }

    /// Nobody looks at the runs any more: what is kept to make them is let go.
    pub fn forget_runs(&mut self) {
        self.runs = RunCache::default();
    }
}
