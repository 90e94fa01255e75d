//! A torrent's dealings with the outside, whether it has its metadata or not: links to peers, calls, questions to
//! trackers, fetches from webseeds. What comes back goes into the driver's own inbox.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::owed::{Owed, TASK_FAILED};
use super::{Shared, ToDriver};
use crate::codec::peer::Message;
use crate::codec::tracker::{AnnounceRequest, TrackerError};
use crate::engine::io::{Fetch, Input, NewConnection, TrackerKey};
use crate::inspect;
use crate::session::disk::DiskBudget;
use crate::session::net::{Caller, Greeted, Link, Outgoing, OutgoingBlock, dial};
use crate::session::webseed::{self, FetchHandle};
use crate::units::{ConnectionId, FetchId, TorrentId};

/// What a driver has outside.
pub(super) struct Outside {
    pub(super) shared: Shared,
    pub(super) id: TorrentId,
    /// The torrent's name, safe to show, for the names of tasks.
    pub(super) name: String,
    /// Our own inbox, for what answers come back to.
    pub(super) inbox: inspect::Sender<ToDriver>,
    /// What of it waits for the disk.
    budget: Arc<DiskBudget>,
    links: BTreeMap<ConnectionId, Link>,
    fetches: BTreeMap<FetchId, FetchHandle>,
    /// What goes out at the end of the turn: what goes to one peer goes as one batch.
    outgoing: BTreeMap<ConnectionId, Outgoing>,
}

impl Outside {
    pub(super) fn new(
        shared: Shared,
        (id, name): (TorrentId, String),
        inbox: inspect::Sender<ToDriver>,
        budget: Arc<DiskBudget>,
    ) -> Self {
        Self {
            shared,
            id,
            name,
            inbox,
            budget,
            links: BTreeMap::new(),
            fetches: BTreeMap::new(),
            outgoing: BTreeMap::new(),
        }
    }

    /// Starts the tasks of a connection.
    pub(super) fn open(&mut self, greeted: Greeted) -> NewConnection {
        let new = greeted.new.clone();
        let budget = Arc::clone(&self.budget);
        let link = Link::open(greeted, &self.name, &self.inbox, budget);
        self.links.insert(new.connection, link);
        new
    }

    /// Ends a connection.
    pub(super) fn close(&mut self, connection: ConnectionId) {
        self.outgoing.remove(&connection);
        self.links.remove(&connection);
    }

    pub(super) fn close_all(&mut self) {
        self.outgoing.clear();
        self.links.clear();
        self.fetches.clear();
    }

    pub(super) fn send(&mut self, connection: ConnectionId, message: Message) {
        self.outgoing.entry(connection).or_default().control.push(message);
    }

    pub(super) fn send_block(&mut self, connection: ConnectionId, block: OutgoingBlock) {
        self.outgoing.entry(connection).or_default().blocks.push(block);
    }

    /// Hands over what was to be sent. A peer that has drained nothing for thousands of turns is sent away, and
    /// nobody waits for it: these come back as inputs.
    pub(super) fn flush(&mut self) -> Vec<Input> {
        let mut gone = Vec::new();
        for (connection, batch) in std::mem::take(&mut self.outgoing) {
            let Some(link) = self.links.get(&connection) else { continue };
            if !link.send(batch) {
                let reason = format!("{} does not read what it is sent", link.address);
                self.links.remove(&connection);
                gone.push(Input::Closed { connection, reason });
            }
        }
        gone
    }

    pub(super) fn call(&self, address: SocketAddr) {
        let info_hash = self.id.0;
        let caller = Caller { bind: self.shared.bind, info_hash, peer_id: self.shared.peer_id };
        let owed = self.owe(Input::ConnectFailed { address, reason: TASK_FAILED.to_owned() });
        let calling = async move {
            let outcome = match dial(caller, address).await {
                Ok(greeted) => ToDriver::Greeted(greeted),
                Err(error) => ToDriver::Input(Input::ConnectFailed { address, reason: error.to_string() }),
            };
            owed.pay(outcome).await;
        };
        inspect::spawn_for(address, format!("call of {address} for {}", self.name), calling).detach();
    }

    pub(super) fn announce(&self, tracker: TrackerKey, url: String, request: AnnounceRequest) {
        let client = self.shared.trackers.clone();
        let failed = Input::Announced { tracker, result: Err(TrackerError::Network(TASK_FAILED.to_owned())) };
        self.ask(format!("announce to tracker {} of {}", tracker.0, self.name), failed, async move {
            Input::Announced {
                tracker,
                result: inspect::frame("announce", client.announce(&url, &request)).await,
            }
        });
    }

    pub(super) fn scrape(&self, tracker: TrackerKey, url: String, info_hash: [u8; 20]) {
        let client = self.shared.trackers.clone();
        let failed = Input::Scraped { tracker, result: Err(TrackerError::Network(TASK_FAILED.to_owned())) };
        self.ask(format!("scrape of tracker {} of {}", tracker.0, self.name), failed, async move {
            Input::Scraped {
                tracker,
                result: inspect::frame("scrape", client.scrape(&url, &info_hash)).await,
            }
        });
    }

    /// Starts a request of a webseed.
    pub(super) fn fetch(&mut self, fetch: Fetch) {
        let id = fetch.id;
        let client = self.shared.webseeds.clone();
        let budget = Arc::clone(&self.budget);
        let handle = webseed::start(client, fetch, &self.name, self.inbox.clone(), budget);
        self.fetches.insert(id, handle);
    }

    /// Lets a request of a webseed bring more bytes. One that has ended needs none.
    pub(super) fn credit(&self, fetch: FetchId, bytes: u64) {
        if let Some(handle) = self.fetches.get(&fetch) {
            handle.credit(bytes);
        }
    }

    /// Ends a request of a webseed, or forgets one that has ended.
    pub(super) fn end_fetch(&mut self, fetch: FetchId) {
        self.fetches.remove(&fetch);
    }

    /// Runs what asks the outside as a task of its own; the answer comes back as an input, `failed` where the task
    /// panics.
    pub(super) fn ask(
        &self,
        name: String,
        failed: Input,
        asking: impl Future<Output = Input> + Send + 'static,
    ) {
        let owed = self.owe(failed);
        let asking = async move {
            let answer = asking.await;
            owed.pay(ToDriver::Input(answer)).await;
        };
        inspect::spawn(name, asking).detach();
    }

    /// What a task of ours holds while it owes an answer.
    pub(super) fn owe(&self, failed: Input) -> Owed {
        Owed::new(self.inbox.clone(), failed)
    }
}
