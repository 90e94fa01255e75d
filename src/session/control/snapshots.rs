//! The picture of all torrents, put together from those that the drivers publish.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval};

use super::Control;
use crate::codec::handshake;
use crate::contract::{EngineStatus, Snapshot, TorrentRow};
use crate::inspect;
use crate::limits;
use crate::session::disk::free_bytes;
use crate::session::net::reserved;
use crate::units::Rate;

/// Free bytes where payload is saved, looked up now and then by a task of its own: a file system that does not answer
/// holds up nobody.
pub(super) fn watch_free_space(folder: PathBuf) -> inspect::WatchReceiver<Option<u64>> {
    let (told, reader) = inspect::watch("free space", None);
    let looking = async move {
        let mut ticks = interval(limits::FREE_SPACE_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !told.is_closed() {
            inspect::ticking(ticks.tick()).await;
            let folder = folder.clone();
            let looked = inspect::spawn_blocking("look at free space", move || free_bytes(&folder)).await;
            told.set(looked.ok().flatten());
        }
    };
    inspect::spawn("free space", looking).detach();
    reader
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
            peer_id: self.shared.peer_id.0.escape_ascii().to_string(),
            reserved: handshake::reserved_bits(&reserved()),
            connections_max: self.shared.connections_max,
            down_bps: sum(|row| row.down_bps),
            up_bps: sum(|row| row.up_bps),
            down_limit,
            up_limit,
            disk_queue_bytes: self.shared.disk.queued_bytes(),
            disk_free_bytes: self.free_space.latest(),
            save_dir: self.settings.save_dir.clone(),
            debug: self.debug.latest(),
        }
    }
}
