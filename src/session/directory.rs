//! Which torrents run, and where their owners' queues are. Held for lookups only, never over a wait.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::contract::{TorrentDetail, TorrentRow};
use crate::inspect;
use crate::session::disk::Storage;
use crate::session::driver::ToDriver;
use crate::units::TorrentId;

/// A running torrent.
#[derive(Clone, Debug)]
pub(in crate::session) struct Member {
    pub(in crate::session) inbox: inspect::Sender<ToDriver>,
    pub(in crate::session) rows: inspect::WatchReceiver<Arc<TorrentRow>>,
    pub(in crate::session) details: inspect::WatchReceiver<Option<Arc<TorrentDetail>>>,
    /// Its files; `None`: a magnet whose metadata is not here yet.
    pub(in crate::session) storage: Option<Arc<Storage>>,
    pub(in crate::session) swarms: Vec<[u8; 20]>,
    /// Position in the list.
    pub(in crate::session) number: u64,
}

/// The running torrents.
#[derive(Clone, Debug)]
pub(in crate::session) struct Directory {
    members: Arc<inspect::Lock<BTreeMap<TorrentId, Member>>>,
}

impl Directory {
    pub(in crate::session) fn new() -> Self {
        Self { members: Arc::new(inspect::Lock::new("running torrents", BTreeMap::new())) }
    }

    pub(in crate::session) fn insert(&self, torrent: TorrentId, member: Member) {
        self.members.lock().insert(torrent, member);
    }

    pub(in crate::session) fn remove(&self, torrent: TorrentId) -> Option<Member> {
        self.members.lock().remove(&torrent)
    }

    pub(in crate::session) fn inbox(&self, torrent: TorrentId) -> Option<inspect::Sender<ToDriver>> {
        self.members.lock().get(&torrent).map(|member| member.inbox.clone())
    }

    pub(in crate::session) fn member(&self, torrent: TorrentId) -> Option<Member> {
        self.members.lock().get(&torrent).cloned()
    }

    /// The torrent or magnet that is in one of these swarms.
    pub(in crate::session) fn find(&self, swarms: &[[u8; 20]]) -> Option<(TorrentId, Member)> {
        let members = self.members.lock();
        let shares = |member: &Member| member.swarms.iter().any(|swarm| swarms.contains(swarm));
        members.iter().find(|(_, member)| shares(member)).map(|(id, member)| (*id, member.clone()))
    }

    /// A running torrent other than `torrent` that keeps a file where `storage` keeps one.
    pub(in crate::session) fn sharing_files(
        &self,
        torrent: TorrentId,
        storage: &Storage,
    ) -> Option<TorrentId> {
        let same_folder = |member: &Storage| member.save_dir() == storage.save_dir();
        let members: Vec<(TorrentId, Arc<Storage>)> = self
            .members
            .lock()
            .iter()
            .filter(|(id, _)| **id != torrent)
            .filter_map(|(id, member)| Some((*id, Arc::clone(member.storage.as_ref()?))))
            .collect();
        // Most torrents have a folder of their own, so that few are compared path by path.
        let ours_at_top = tops(storage);
        let same_folder = |member: &Storage| {
            same_folder(member) && tops(member).iter().any(|top| ours_at_top.contains(top))
        };
        let paths = |storage: &Storage| -> BTreeSet<String> {
            let files = storage.info().files.iter().filter(|file| !file.pad);
            files.map(|file| file.path.as_str().to_owned()).collect()
        };
        let ours = members.iter().any(|(_, member)| same_folder(member)).then(|| paths(storage))?;
        let shares = |member: &Storage| {
            same_folder(member) && member.info().files.iter().any(|file| ours.contains(file.path.as_str()))
        };
        members.iter().find(|(_, member)| shares(member)).map(|(id, _)| *id)
    }

    /// The torrent whose swarm has this v1 or truncated v2 info-hash.
    pub(in crate::session) fn inbox_of_swarm(
        &self,
        info_hash: &[u8; 20],
    ) -> Option<inspect::Sender<ToDriver>> {
        let members = self.members.lock();
        let by_id = members.get(&TorrentId(*info_hash));
        let member = by_id.or_else(|| members.values().find(|member| member.swarms.contains(info_hash)));
        member.map(|member| member.inbox.clone())
    }

    /// All torrents, in the order they were added.
    pub(in crate::session) fn members(&self) -> Vec<(TorrentId, Member)> {
        let mut members: Vec<_> =
            self.members.lock().iter().map(|(id, member)| (*id, member.clone())).collect();
        members.sort_by_key(|(_, member)| member.number);
        members
    }
}

/// The names directly below the save folder.
fn tops(storage: &Storage) -> BTreeSet<&str> {
    let files = storage.info().files.iter().filter(|file| !file.pad);
    files.filter_map(|file| file.path.parts().next()).collect()
}
