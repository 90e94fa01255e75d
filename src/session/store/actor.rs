//! The thread that owns the store. Changes that wait are joined into one commit, because each commit is a sync.

use std::io;

use super::database::{Change, Store};
use super::error::StoreError;
use super::record::{Damaged, SavedLimits, SavedResume};
use crate::inspect::{self, Receiver, ReplyReceiver, ReplySender, Sender};
use crate::limits::{STORE_COMMIT_CHANGES_MAX, STORE_REQUESTS_MAX};
use crate::units::TorrentId;

/// Asks the store's thread. Cloning gives another handle; the thread ends when all are gone and nothing waits.
#[derive(Clone, Debug)]
pub struct StoreHandle {
    requests: Sender<Request>,
}

/// The saved progress of one torrent, and what had to be set aside to read it.
pub type LoadedResume = (Option<SavedResume>, Vec<Damaged>);

#[derive(Debug)]
enum Request {
    Change(Change, ReplySender<Result<(), StoreError>>),
    LoadResume(TorrentId, ReplySender<Result<LoadedResume, StoreError>>),
}

impl StoreHandle {
    /// Hands the store to a thread of its own. The receiver answers when all handles are gone and the file is closed.
    pub fn start(store: Store) -> io::Result<(Self, ReplyReceiver<()>)> {
        let (requests, receiver) = inspect::channel("state store", STORE_REQUESTS_MAX);
        let (closed, closing) = inspect::reply("close of the state store");
        inspect::spawn_thread("state store", move || {
            serve(store, receiver);
            closed.send(());
        })?;
        Ok((Self { requests }, closing))
    }

    /// Makes a change; it is on the disk when this returns. Changes take effect in the order they are handed over.
    pub async fn apply(&self, change: Change) -> Result<(), StoreError> {
        self.hand_over(change).await?.await.map_err(|_| StoreError::Ended)?
    }

    /// Hands a change over, so that its place among others is fixed; the answer comes when it is on the disk.
    pub async fn hand_over(
        &self,
        change: Change,
    ) -> Result<ReplyReceiver<Result<(), StoreError>>, StoreError> {
        let (reply, answer) = inspect::reply("a saved change");
        self.requests.send(Request::Change(change, reply)).await.map_err(|_| StoreError::Ended)?;
        Ok(answer)
    }

    /// Saves the progress of a torrent. Everything it claims must be synced before.
    pub async fn save_resume(&self, id: TorrentId, resume: SavedResume) -> Result<(), StoreError> {
        self.apply(Change::SaveResume(id, Box::new(resume))).await
    }

    /// Saves the limits set by hand.
    pub async fn save_limits(&self, limits: SavedLimits) -> Result<(), StoreError> {
        self.apply(Change::PutLimits(limits)).await
    }

    /// The saved progress of a torrent, on the list or not.
    pub async fn load_resume(&self, id: TorrentId) -> Result<LoadedResume, StoreError> {
        let (reply, answer) = inspect::reply("saved progress");
        self.requests.send(Request::LoadResume(id, reply)).await.map_err(|_| StoreError::Ended)?;
        answer.await.map_err(|_| StoreError::Ended)?
    }
}

fn serve(mut store: Store, mut requests: Receiver<Request>) {
    let mut changes = Vec::new();
    let mut replies = Vec::new();
    while let Some(first) = requests.recv_blocking() {
        let mut next = Some(first);
        while let Some(request) = next.take() {
            match request {
                Request::Change(change, reply) => {
                    changes.push(change);
                    replies.push(reply);
                }
                Request::LoadResume(id, reply) => {
                    commit(&mut store, &mut changes, &mut replies);
                    reply.send(store.load_resume(id));
                }
            }
            if changes.len() < STORE_COMMIT_CHANGES_MAX {
                next = requests.try_recv().ok();
            }
        }
        commit(&mut store, &mut changes, &mut replies);
    }
}

fn commit(
    store: &mut Store,
    changes: &mut Vec<Change>,
    replies: &mut Vec<ReplySender<Result<(), StoreError>>>,
) {
    if changes.is_empty() {
        return;
    }
    let result = store.apply(changes);
    changes.clear();
    for reply in replies.drain(..) {
        reply.send(result.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{SavedMagnet, SavedSource, SavedTorrent};
    use super::*;

    #[tokio::test]
    async fn changes_of_many_tasks_are_all_saved_and_answered() {
        let dir = tempfile::tempdir().unwrap();
        let (handle, closing) = StoreHandle::start(Store::open(dir.path()).unwrap()).unwrap();
        let torrent = |number: u8| SavedTorrent {
            source: SavedSource::Magnet(SavedMagnet {
                link: format!("magnet:?xt=urn:btih:{number}"),
                wishes: Vec::new(),
            }),
            save_dir: "/save".into(),
            added_unix_ms: u64::from(number),
            trackers: Vec::new(),
        };
        let saving = (0..50u8).map(|number| {
            let change = Change::PutTorrent(TorrentId([number; 20]), Box::new(torrent(number)));
            handle.apply(change)
        });
        let saved = futures_util::future::join_all(saving).await;
        assert!(saved.iter().all(Result::is_ok));
        assert_eq!(handle.load_resume(TorrentId([1; 20])).await, Ok((None, Vec::new())));
        drop(handle);
        closing.await.unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        assert_eq!(store.load_all().unwrap().0.len(), 50);
    }
}
