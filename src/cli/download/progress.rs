//! What has changed between two looks at the engine, and how the download stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cli::engine::is_complete;
use crate::contract::{Snapshot, TorrentRow, TorrentState};
use crate::tui::{format, text};
use crate::units::TorrentId;

/// What is known of the torrents from the last look.
pub(super) struct Progress {
    /// Torrents that were added but have been in no snapshot yet.
    awaited: Vec<TorrentId>,
    seen: BTreeMap<TorrentId, Seen>,
}

struct Seen {
    state: TorrentState,
    completion: Completion,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Completion {
    NotYet,
    Told,
}

/// Something worth a line of its own.
pub(super) enum Change {
    /// A torrent came, or changed state.
    State(Arc<TorrentRow>),
    /// All that is wanted of a torrent is here, for the first time in this run.
    Completed(Arc<TorrentRow>),
}

/// How the torrents stand together.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Something is still to come.
    UnderWay,
    /// All that is wanted of all torrents is here and on disk.
    Complete,
    /// Nothing more will come: these are in error, with their causes.
    Failed(String),
}

impl Progress {
    pub(super) fn new(awaited: Vec<TorrentId>) -> Self {
        Self { awaited, seen: BTreeMap::new() }
    }

    /// Takes a look; gives what is new, a torrent's state before its completion.
    pub(super) fn update(&mut self, snapshot: &Snapshot) -> Vec<Change> {
        let mut changes = Vec::new();
        self.seen.retain(|id, _| snapshot.torrents.iter().any(|row| row.id == *id));
        self.awaited.retain(|id| snapshot.torrents.iter().all(|row| row.id != *id));
        for row in &snapshot.torrents {
            let before = self.seen.get(&row.id);
            if before.is_none_or(|seen| seen.state != row.state) {
                changes.push(Change::State(Arc::clone(row)));
            }
            let mut completion = before.map_or(Completion::NotYet, |seen| seen.completion);
            if completion == Completion::NotYet && is_complete(row) {
                completion = Completion::Told;
                changes.push(Change::Completed(Arc::clone(row)));
            }
            self.seen.insert(row.id, Seen { state: row.state, completion });
        }
        changes
    }

    /// How all torrents stand. Torrents that were removed meanwhile do not count.
    pub(super) fn standing(&self, snapshot: &Snapshot) -> Standing {
        if !self.awaited.is_empty() {
            return Standing::UnderWay;
        }
        let mut failures = Vec::new();
        for row in snapshot.torrents.iter().filter(|row| !is_complete(row)) {
            if row.state != TorrentState::Error {
                return Standing::UnderWay;
            }
            failures.push(describe(row));
        }
        if failures.is_empty() { Standing::Complete } else { Standing::Failed(failures.join("; ")) }
    }

    /// What is missing of what, in words; `None` where nothing is.
    pub(super) fn missing(&self, snapshot: &Snapshot) -> Option<String> {
        let unseen = self.awaited.iter().map(|id| format!("{id}: not begun"));
        let rows = snapshot.torrents.iter().filter(|row| !is_complete(row)).map(|row| describe(row));
        let missing: Vec<String> = unseen.chain(rows).collect();
        (!missing.is_empty()).then(|| missing.join("; "))
    }
}

/// A torrent that is not complete: what it is doing, why not more, and how much is missing.
fn describe(row: &TorrentRow) -> String {
    let cause = row.cause.as_ref().map(|cause| format!(" ({})", text::cause(cause))).unwrap_or_default();
    let missing = match row.state {
        TorrentState::Metadata => "metadata missing".to_owned(),
        _ if row.pieces.total == 0 => "nothing known of its pieces".to_owned(),
        _ => format!(
            "{} of {} missing, {} of {} pieces here",
            format::bytes(row.wanted_bytes.saturating_sub(row.done_bytes)),
            format::bytes(row.wanted_bytes),
            row.pieces.have,
            row.pieces.total,
        ),
    };
    format!("{}: {}{cause}, {missing}", row.name, row.state.word())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{DownloadOrder, PeerCounts, PieceCounts, Untrusted, WebseedCounts};
    use crate::units::Rate;

    const ID: TorrentId = TorrentId([1; 20]);

    fn row(state: TorrentState) -> Arc<TorrentRow> {
        Arc::new(TorrentRow {
            id: ID,
            name: Untrusted::new("debian.iso"),
            state,
            cause: (state == TorrentState::Error).then(|| Untrusted::new("disk_full")),
            order: DownloadOrder::default(),
            done_bytes: 1024,
            wanted_bytes: 4096,
            total_bytes: 4096,
            down_bps: Rate(0),
            up_bps: Rate(0),
            downloaded_bytes: 0,
            uploaded_bytes: 0,
            peers: PeerCounts::default(),
            webseeds: WebseedCounts::default(),
            pieces: PieceCounts { total: 4, have: 1, ..PieceCounts::default() },
            requests_in_flight: 0,
            disk_queue_bytes: 0,
            wasted_bytes: 0,
            hash_failures: 0,
            listen_port: 1,
            added_unix_s: 0,
        })
    }

    fn snapshot(rows: &[Arc<TorrentRow>]) -> Snapshot {
        Snapshot { torrents: rows.to_vec(), ..Snapshot::default() }
    }

    fn told(changes: &[Change]) -> Vec<&'static str> {
        let word = |change: &Change| match change {
            Change::State(row) => row.state.word(),
            Change::Completed(_) => "completed",
        };
        changes.iter().map(word).collect()
    }

    #[test]
    fn each_state_is_told_once_and_completion_once_in_a_run() {
        let mut progress = Progress::new(vec![ID]);
        let look = |progress: &mut Progress, state| told(&progress.update(&snapshot(&[row(state)])));
        assert_eq!(look(&mut progress, TorrentState::Checking), ["checking"]);
        assert_eq!(look(&mut progress, TorrentState::Checking), [""; 0]);
        assert_eq!(look(&mut progress, TorrentState::Seeding), ["seeding", "completed"]);
        assert_eq!(look(&mut progress, TorrentState::Downloading), ["downloading"]);
        assert_eq!(look(&mut progress, TorrentState::Finished), ["finished"]);
    }

    #[test]
    fn a_torrent_that_is_in_no_snapshot_yet_is_waited_for() {
        let mut progress = Progress::new(vec![ID]);
        let empty = snapshot(&[]);
        progress.update(&empty);
        assert_eq!(progress.standing(&empty), Standing::UnderWay);
        assert_eq!(progress.missing(&empty), Some(format!("{ID}: not begun")));
    }

    #[test]
    fn a_torrent_that_was_removed_no_longer_counts() {
        let mut progress = Progress::new(vec![ID]);
        progress.update(&snapshot(&[row(TorrentState::Downloading)]));
        let empty = snapshot(&[]);
        progress.update(&empty);
        assert_eq!(progress.standing(&empty), Standing::Complete);
    }

    #[test]
    fn an_error_ends_it_only_when_nothing_else_is_under_way() {
        let mut progress = Progress::new(vec![ID]);
        let both = snapshot(&[row(TorrentState::Error), row(TorrentState::Downloading)]);
        progress.update(&both);
        assert_eq!(progress.standing(&both), Standing::UnderWay);
        let failed = snapshot(&[row(TorrentState::Error), row(TorrentState::Seeding)]);
        let expected = "debian.iso: error (disk full), 3.00 KiB of 4.00 KiB missing, 1 of 4 pieces here";
        assert_eq!(progress.standing(&failed), Standing::Failed(expected.to_owned()));
    }
}
