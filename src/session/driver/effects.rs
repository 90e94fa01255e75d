//! What the torrent wants done, done: messages to peers, calls, announces, events.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{Driver, ToDriver};
use crate::engine::budget::Flow;
use crate::engine::io::{Effect, Input};
use crate::inspect;
use crate::session::budget::ToBudget;
use crate::session::disk::PieceWork;
use crate::session::net::{Caller, Outgoing, OutgoingBlock, dial};
use crate::units::ConnectionId;

impl Driver {
    /// Performs all effects of a turn. What goes to one peer goes as one batch.
    pub(super) fn perform_effects(&mut self) {
        let mut outgoing: BTreeMap<ConnectionId, Outgoing> = BTreeMap::new();
        while let Some(effect) = self.torrent.poll_effect() {
            match effect {
                Effect::Send { connection, message } => {
                    outgoing.entry(connection).or_default().control.push(message);
                }
                Effect::SendBlock { connection, piece, begin, data } => {
                    let block = OutgoingBlock { piece, begin, data };
                    outgoing.entry(connection).or_default().blocks.push(block);
                }
                Effect::Disconnect { connection } => {
                    outgoing.remove(&connection);
                    self.links.remove(&connection);
                }
                Effect::Connect { address } => self.call(address),
                Effect::StorePiece { piece, blocks } => self.piece_job(PieceWork::Store { piece, blocks }),
                Effect::WriteBlocks { piece, blocks } => self.piece_job(PieceWork::Write { piece, blocks }),
                Effect::HashPiece { piece } => self.piece_job(PieceWork::Hash { piece }),
                Effect::ReadBlocks { connection, range } => {
                    self.piece_job(PieceWork::Read { connection, range });
                }
                Effect::SaveResume { generation, record } => self.save(generation, *record),
                Effect::Announce { tracker, url, request } => {
                    let client = self.shared.trackers.clone();
                    self.ask(format!("announce to tracker {} of {}", tracker.0, self.name), async move {
                        Input::Announced { tracker, result: client.announce(&url, &request).await }
                    });
                }
                Effect::Scrape { tracker, url, info_hash } => {
                    let client = self.shared.trackers.clone();
                    self.ask(format!("scrape of tracker {} of {}", tracker.0, self.name), async move {
                        Input::Scraped { tracker, result: client.scrape(&url, &info_hash).await }
                    });
                }
                Effect::WantGrant { up, down } => self.want_grant(up, down),
                Effect::Notify(event) => self.tell(event),
                Effect::Stopped => self.stopped = true,
            }
        }
        outgoing.into_iter().for_each(|(connection, batch)| self.hand_over(connection, batch));
    }

    /// A peer that has drained nothing for thousands of turns is sent away; nobody waits for it.
    fn hand_over(&mut self, connection: ConnectionId, batch: Outgoing) {
        let Some(link) = self.links.get(&connection) else { return };
        if !link.send(batch) {
            let reason = format!("{} does not read what it is sent", link.address);
            self.links.remove(&connection);
            self.torrent.handle(self.shared.clock.now(), Input::Closed { connection, reason });
        }
    }

    fn call(&self, address: SocketAddr) {
        let info_hash = self.id.0;
        let caller = Caller { bind: self.shared.bind, info_hash, peer_id: self.shared.peer_id };
        let inbox = self.inbox.clone();
        let calling = async move {
            let outcome = match dial(caller, address).await {
                Ok(greeted) => ToDriver::Greeted(greeted),
                Err(error) => ToDriver::Input(Input::ConnectFailed { address, reason: error.to_string() }),
            };
            let _ = inbox.send(outcome).await;
        };
        inspect::spawn(format!("call of {address} for {}", self.name), calling).detach();
    }

    /// Runs what asks the outside as a task of its own; the answer comes back as an input.
    fn ask(&self, name: String, asking: impl Future<Output = Input> + Send + 'static) {
        let inbox = self.inbox.clone();
        let asking = async move {
            let _ = inbox.send(ToDriver::Input(asking.await)).await;
        };
        inspect::spawn(name, asking).detach();
    }

    fn want_grant(&self, up: bool, down: bool) {
        for (wanted, flow) in [(up, Flow::Up), (down, Flow::Down)] {
            // The budget's queue holds one ask of each torrent many times over.
            if wanted {
                let _ = self.shared.budget.try_send(ToBudget::Wants(self.id, flow));
            }
        }
    }
}
