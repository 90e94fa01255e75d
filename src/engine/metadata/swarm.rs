//! Connections and trackers of a fetch.

use std::net::SocketAddr;

use super::MetadataFetch;
use super::peer::MetadataPeer;
use super::phase::Phase;
use crate::codec::extension::{self, Extension, ExtensionHandshake};
use crate::codec::peer::Message;
use crate::codec::tracker::{AnnounceAnswer, AnnounceRequest, TrackerError};
use crate::contract::{Direction, EventKind, PeerSource, Untrusted};
use crate::engine::io::{Effect, NewConnection, TrackerKey};
use crate::engine::peers::ban::Sender;
use crate::engine::peers::connection::Connection;
use crate::engine::peers::known::{Seeds, Usefulness};
use crate::engine::trackers::{Due, PeerNeed};
use crate::limits;
use crate::units::{ConnectionId, Time};

impl MetadataFetch {
    /// Calls as many addresses as pace and bounds allow.
    pub(super) fn call_peers(&mut self, now: Time) {
        let room = limits::METADATA_CONNECTIONS_MAX.saturating_sub(self.connections.len());
        for _ in 0..room {
            let bans = &self.bans;
            let allowed = |address| !bans.is_banned(address);
            let Some(address) = self.known.next_call(now, Seeds::Call, allowed) else { break };
            self.effects.push_back(Effect::Connect { address });
        }
    }

    pub(super) fn connected(&mut self, now: Time, new: &NewConnection) {
        if let Err(reason) = self.welcome(new) {
            if new.direction == Direction::Outgoing {
                self.known.failed(now, new.address);
            }
            self.effects.push_back(Effect::Disconnect { connection: new.connection });
            self.notify_gone(new.address, reason);
            return;
        }
        let source = match new.direction {
            Direction::Incoming => PeerSource::Incoming,
            Direction::Outgoing => self.known.source(new.address),
        };
        self.known.connected(new.address);
        let connection = Connection::new(now, new, source, 0);
        let (id, fast, extended) = (connection.id, connection.fast, connection.extended);
        self.notify(EventKind::PeerConnected { address: new.address, client: connection.client.clone() });
        self.connections.insert(id, MetadataPeer::new(connection));
        if fast {
            self.send(now, id, Message::HaveNone);
        }
        if extended {
            let handshake = ExtensionHandshake {
                ids: vec![(Extension::UtMetadata, Extension::UtMetadata.our_id())],
                client: Some(Untrusted::new(concat!("unchoke ", env!("CARGO_PKG_VERSION")))),
                listen_port: Some(self.listen_port).filter(|port| *port != 0),
                ..ExtensionHandshake::default()
            };
            let payload = handshake.encode();
            self.send(now, id, Message::Extended { id: extension::HANDSHAKE_ID, payload });
        }
    }

    /// Whether a connection is kept, or why not.
    fn welcome(&mut self, new: &NewConnection) -> Result<(), &'static str> {
        let same = |peer: &MetadataPeer| peer.connection.peer_id == new.peer_id;
        if new.peer_id == self.peer_id {
            self.known.is_ourselves(new.address);
            Err("it is ourselves")
        } else if self.phase != Phase::Running {
            Err("the torrent is paused")
        } else if self.bans.is_banned(new.address) {
            Err("banned")
        } else if self.connections.len() >= limits::METADATA_CONNECTIONS_MAX {
            Err("too many connections")
        } else if self.connections.values().any(same) {
            Err("connected already")
        } else {
            Ok(())
        }
    }

    pub(super) fn closed(&mut self, now: Time, id: ConnectionId, reason: &str) {
        if let Some(peer) = self.remove_connection(now, id) {
            self.notify_gone(peer.connection.address, reason);
        }
    }

    /// Sends a peer away.
    pub(super) fn disconnect(&mut self, now: Time, id: ConnectionId, reason: &str) {
        if let Some(peer) = self.remove_connection(now, id) {
            self.effects.push_back(Effect::Disconnect { connection: id });
            self.notify_gone(peer.connection.address, reason);
        }
    }

    pub(super) fn close_all(&mut self, now: Time, reason: &str) {
        let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
        all.into_iter().for_each(|id| self.disconnect(now, id, reason));
        self.known.end_all_calls(now);
    }

    fn remove_connection(&mut self, now: Time, id: ConnectionId) -> Option<MetadataPeer> {
        let peer = self.connections.remove(&id)?;
        let useful = peer.connection.downloaded_bytes > 0;
        let usefulness = if useful { Usefulness::Useful } else { Usefulness::Useless };
        self.known.disconnected(now, peer.connection.address, usefulness);
        Some(peer)
    }

    /// Those who lied are never talked to again.
    pub(super) fn send_away_banned(&mut self, now: Time, banned: &[Sender]) {
        for &sender in banned {
            let Sender::Peer(address) = sender else { continue };
            self.notify(EventKind::PeerBanned { address, reason: "sent wrong metadata".to_owned() });
        }
        let bans = &self.bans;
        let of_banned = |peer: &&MetadataPeer| {
            let address = peer.connection.address;
            bans.is_banned(address) || banned.contains(&Sender::Peer(address))
        };
        let ids: Vec<_> =
            self.connections.values().filter(of_banned).map(|peer| peer.connection.id).collect();
        ids.into_iter().for_each(|id| self.disconnect(now, id, "banned"));
    }

    pub(super) fn send(&mut self, now: Time, id: ConnectionId, message: Message) {
        if let Some(peer) = self.connections.get_mut(&id) {
            peer.connection.last_sent_at = now;
            self.effects.push_back(Effect::Send { connection: id, message });
        }
    }

    /// Silence, overdue requests, keep-alives, and room for peers that may have what these have not.
    pub(super) fn housekeeping(&mut self, now: Time) {
        if now < self.next_housekeeping_at {
            return;
        }
        self.next_housekeeping_at = now + limits::HOUSEKEEPING;
        let full = self.connections.len() >= limits::METADATA_CONNECTIONS_MAX;
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in ids {
            let Some(peer) = self.connections.get_mut(&id) else { continue };
            let address = peer.connection.address;
            if now.since(peer.connection.last_received_at) >= limits::PEER_SILENCE_MAX {
                self.disconnect(now, id, "silent for too long");
            } else if full && peer.is_useless(now) {
                self.disconnect(now, id, "has no metadata, and others may");
            } else if peer.is_overdue(now) {
                let requests = u32::try_from(peer.requests.len()).unwrap_or(u32::MAX);
                peer.set_aside(now);
                self.notify(EventKind::PeerSnubbed { address, requests });
            } else if now.since(peer.connection.last_sent_at) >= limits::KEEP_ALIVE {
                self.send(now, id, Message::KeepAlive);
            }
        }
    }

    pub(super) fn pump_trackers(&mut self, now: Time) {
        let lonely = self.connections.len() < limits::CONNECTIONS_WANTED;
        self.trackers.set_need(if lonely { PeerNeed::More } else { PeerNeed::Enough });
        while let Some(due) = self.trackers.poll(now) {
            let info_hash = self.id.0;
            let effect = match due {
                Due::Announce { tracker, url, event, num_want, key } => {
                    let request = AnnounceRequest {
                        info_hash,
                        peer_id: self.peer_id.0,
                        port: self.listen_port,
                        uploaded_bytes: 0,
                        downloaded_bytes: 0,
                        // Unknown, and 0 would make a seed of us.
                        left_bytes: u64::from(limits::BLOCK_BYTES),
                        event,
                        num_want,
                        key,
                    };
                    Effect::Announce { tracker, url, request }
                }
                Due::Scrape { tracker, url } => Effect::Scrape { tracker, url, info_hash },
            };
            self.effects.push_back(effect);
        }
    }

    pub(super) fn announced(
        &mut self,
        now: Time,
        tracker: TrackerKey,
        result: Result<AnnounceAnswer, TrackerError>,
    ) {
        let (peers, event) = self.trackers.take_answer(now, tracker, result);
        if self.phase != Phase::Running {
            return;
        }
        self.known.found(now, PeerSource::Tracker, &peers);
        self.notify(event);
    }

    fn notify_gone(&mut self, address: SocketAddr, reason: &str) {
        self.notify(EventKind::PeerGone { address, reason: Untrusted::new(reason) });
    }
}
