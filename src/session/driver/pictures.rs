//! What a driver shows: the torrent's line, all of it where somebody looks, and its log.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Shared, Watch};
use crate::contract::{Event, EventKind, LogLine, TorrentDetail, TorrentRow, TorrentState};
use crate::inspect;
use crate::limits;
use crate::session::clock::unix_s;
use crate::units::{Rate, Time, TorrentId};

/// Readers of a driver's pictures, for the directory.
pub(super) type Readers =
    (inspect::WatchReceiver<Arc<TorrentRow>>, inspect::WatchReceiver<Option<Arc<TorrentDetail>>>);

/// The pictures of one torrent.
pub(super) struct Pictures {
    log: VecDeque<LogLine>,
    rows: inspect::WatchSender<Arc<TorrentRow>>,
    details: inspect::WatchSender<Option<Arc<TorrentDetail>>>,
    watch: Watch,
    published_at: Time,
    /// Something changed since.
    pub(super) unpublished: bool,
}

impl Pictures {
    pub(super) fn new(name: &str, row: TorrentRow) -> (Self, Readers) {
        let (rows, row_reader) = inspect::watch(format!("row of {name}"), Arc::new(row));
        let (details, detail_reader) = inspect::watch(format!("detail of {name}"), None);
        let pictures = Self {
            log: VecDeque::new(),
            rows,
            details,
            watch: Watch::Off,
            published_at: Time::ZERO,
            unpublished: true,
        };
        (pictures, (row_reader, detail_reader))
    }

    /// Somebody begins or ceases to look at all of it; either shows at once.
    pub(super) fn watch(&mut self, watch: Watch) {
        self.watch = watch;
        self.published_at = Time::ZERO;
    }

    /// When the next picture is due, if one is.
    pub(super) fn next_at(&self) -> Option<Time> {
        self.unpublished.then(|| self.published_at + limits::SNAPSHOT_INTERVAL)
    }

    /// Whether something changed and the last picture is old enough; a change of state goes out at once.
    pub(super) fn is_due(&self, now: Time, state: TorrentState) -> bool {
        let old = now.since(self.published_at) >= limits::SNAPSHOT_INTERVAL;
        self.rows.latest().state != state || old && self.unpublished
    }

    /// Whether the detail goes into the picture.
    pub(super) fn is_watched(&self) -> bool {
        self.watch == Watch::On
    }

    pub(super) fn publish(
        &mut self,
        shared: &Shared,
        now: Time,
        row: Arc<TorrentRow>,
        detail: Option<TorrentDetail>,
    ) {
        let state_changed = self.rows.latest().state != row.state;
        // Rates fall without inputs: pictures go on until they are zero.
        self.unpublished = row.down_bps != Rate(0) || row.up_bps != Rate(0) || self.is_watched();
        self.published_at = now;
        self.rows.set(row);
        self.details.set(detail.map(Arc::new));
        if state_changed {
            // A full queue holds a nudge already.
            let _ = shared.nudge.try_send(());
        }
    }

    /// Tells listeners, and keeps it for the log tab unless it is one of very many.
    pub(super) fn tell(&mut self, shared: &Shared, torrent: TorrentId, kind: EventKind) {
        let event = Event { at: shared.clock.now(), torrent: Some(torrent), kind };
        shared.events.tell(&event);
        if !matches!(event.kind, EventKind::PieceDone { .. }) {
            if self.log.len() >= limits::LOG_LINES_MAX {
                self.log.pop_front();
            }
            self.log.push_back(LogLine { unix_s: unix_s(), event });
            self.unpublished = true;
        }
    }

    /// The latest events, oldest first.
    pub(super) fn log(&self) -> Vec<LogLine> {
        self.log.iter().cloned().collect()
    }
}
