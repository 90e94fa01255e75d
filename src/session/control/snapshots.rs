//! The picture of all torrents, put together from those that the drivers publish.

use std::path::Path;
use std::sync::Arc;

use super::Control;
use crate::contract::{EngineStatus, Snapshot, TorrentRow};
use crate::limits;
use crate::session::disk::free_bytes;
use crate::units::{Rate, Time};

/// Free bytes where payload is saved, looked up now and then.
#[derive(Debug, Default)]
pub(super) struct FreeSpace {
    looked_at: Option<Time>,
    bytes: Option<u64>,
}

impl FreeSpace {
    fn of(&mut self, now: Time, folder: &Path) -> Option<u64> {
        let fresh = |at: Time| now.since(at) < limits::FREE_SPACE_INTERVAL;
        if !self.looked_at.is_some_and(fresh) {
            self.looked_at = Some(now);
            self.bytes = free_bytes(folder);
        }
        self.bytes
    }
}

impl Control {
    pub(super) fn publish(&mut self) {
        let at = self.shared.clock.now();
        let torrents = self.rows();
        let engine = self.status(&torrents);
        let watched = self.watched;
        let member = self.directory.members().into_iter().find(|(id, _)| Some(*id) == watched);
        let detail = member.and_then(|(_, mut member)| member.details.latest());
        self.ends.snapshots.set(Arc::new(Snapshot { at, engine, torrents, detail }));
    }

    pub(super) fn rows(&self) -> Vec<Arc<TorrentRow>> {
        self.directory.members().into_iter().map(|(_, mut member)| member.rows.latest()).collect()
    }

    pub(super) fn status(&mut self, rows: &[Arc<TorrentRow>]) -> EngineStatus {
        let sum = |rate: fn(&TorrentRow) -> Rate| Rate(rows.iter().map(|row| rate(row).0).sum());
        let (down_limit, up_limit) = self.limits;
        EngineStatus {
            listen_port: self.listen_port,
            down_bps: sum(|row| row.down_bps),
            up_bps: sum(|row| row.up_bps),
            down_limit,
            up_limit,
            disk_queue_bytes: self.shared.disk.budget().queued_bytes(),
            disk_free_bytes: self.free_space.of(self.shared.clock.now(), &self.settings.save_dir),
            save_dir: self.settings.save_dir.clone(),
        }
    }
}
