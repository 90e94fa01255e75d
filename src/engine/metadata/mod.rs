//! Fetching the info dictionary of a magnet from peers (BEP 9, BEP 10): a pure machine with a torrent's own door.
//!
//! [`MetadataFetch::handle`] for each input, [`MetadataFetch::end_turn`] once, [`MetadataFetch::poll_effect`] until
//! empty, [`MetadataFetch::next_deadline`] to sleep. What peers claim is believed of nobody: each size is put together
//! on its own, and only what hashes to the magnet's info-hash comes out of [`MetadataFetch::take_found`]. After a lie
//! whose teller cannot be named, each peer is asked alone, so a liar convicts itself and never spoils an honest one.
//! The metadata driver of the shell calls it, and replaces it by a [`crate::engine::torrent::Torrent`] when it is done.

mod asking;
mod assembly;
mod peer;
mod phase;
mod swarm;
mod view;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use bytes::Bytes;

use crate::contract::{DownloadOrder, EventKind, PeerSource, TorrentState, Untrusted};
use crate::engine::io::{Effect, Input, ResumeRecord, TorrentCommand};
use crate::engine::peers::ban::Bans;
use crate::engine::peers::known::KnownPeers;
use crate::engine::torrent::Reason;
use crate::engine::trackers::Trackers;
use crate::limits;
use crate::metainfo::Magnet;
use crate::units::{ConnectionId, PeerId, Time, TorrentId};

use assembly::{Assembly, Claim};
use peer::MetadataPeer;
use phase::Phase;

/// Everything a fetch is made from.
#[derive(Clone, Debug)]
pub struct FetchSetup {
    /// What is looked for.
    pub magnet: Magnet,
    /// Tiers of tracker URLs (BEP 12).
    pub trackers: Vec<Vec<String>>,
    /// What we call ourselves.
    pub peer_id: PeerId,
    /// The TCP port peers reach us at.
    pub listen_port: u16,
    /// The announce key of this run (BEP 7).
    pub announce_key: u32,
    /// The record of an earlier run: whether it is paused and whom to call are ours, the rest is kept as it is.
    pub record: ResumeRecord,
    /// Seeds everything random: same seed and inputs, same effects.
    pub seed: u64,
}

/// The owner of a magnet whose metadata is not here yet.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct MetadataFetch {
    magnet: Magnet,
    id: TorrentId,
    peer_id: PeerId,
    listen_port: u16,
    record: ResumeRecord,
    connections: BTreeMap<ConnectionId, MetadataPeer>,
    known: KnownPeers,
    bans: Bans,
    trackers: Trackers,
    assemblies: BTreeMap<Claim, Assembly>,
    phase: Phase,
    found: Option<Bytes>,
    told_state: TorrentState,
    wasted_bytes: u64,
    saving: Saving,
    #[serde(skip)]
    effects: VecDeque<Effect>,
    next_housekeeping_at: Time,
}

/// Whether the record in the store is the one we would save.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
struct Saving {
    dirty: bool,
    /// The save under way.
    in_flight: Option<u64>,
    generation: u64,
    /// The metadata was taken: whoever has it saves the torrent, and a late record of ours must not replace that.
    given_up: bool,
}

impl MetadataFetch {
    /// A fetch at the beginning of this run.
    pub fn new(now: Time, setup: FetchSetup) -> Self {
        let mut rng = fastrand::Rng::with_seed(setup.seed);
        let mut trackers = Trackers::new(&setup.trackers, setup.announce_key, rng.fork());
        let mut known = KnownPeers::default();
        known.found(now, PeerSource::Resume, &setup.record.peers);
        known.found(now, PeerSource::Manual, &setup.magnet.peers);
        let phase = if setup.record.paused { Phase::Paused } else { Phase::Running };
        if phase == Phase::Running {
            trackers.start(now);
        }
        let mut fetch = Self {
            id: setup.magnet.id(),
            magnet: setup.magnet,
            peer_id: setup.peer_id,
            listen_port: setup.listen_port,
            connections: BTreeMap::new(),
            known,
            bans: Bans::new(setup.record.banned.iter().copied(), rng.u64(..)),
            record: setup.record,
            trackers,
            assemblies: BTreeMap::new(),
            phase,
            found: None,
            told_state: TorrentState::Metadata,
            wasted_bytes: 0,
            saving: Saving { dirty: true, in_flight: None, generation: 0, given_up: false },
            effects: VecDeque::new(),
            next_housekeeping_at: now,
        };
        fetch.told_state = fetch.state();
        fetch
    }

    /// Its identity; metadata may show another one where the magnet has no v1 info-hash.
    pub fn id(&self) -> TorrentId {
        self.id
    }

    /// What is looked for.
    pub fn magnet(&self) -> &Magnet {
        &self.magnet
    }

    /// The info dictionary, once: it hashes to every info-hash of the magnet. It comes when the record is saved, with the
    /// liars that were found out; from then on nothing is saved.
    pub fn take_found(&mut self) -> Option<Bytes> {
        if self.saving.dirty || self.saving.in_flight.is_some() {
            return None;
        }
        let found = self.found.take()?;
        self.saving.given_up = true;
        Some(found)
    }

    /// What the shell saves beside the record changed.
    pub fn wishes_changed(&mut self) {
        self.saving.dirty = true;
    }

    /// What was found cannot be used, for a reason that people are told. `Resume` fetches it again.
    pub fn refuse(&mut self, now: Time, reason: &str) {
        self.saving.given_up = false;
        self.fail(now, Untrusted::new(reason), "its metadata cannot be used");
    }

    /// Addresses of peers and how each was learned of, for the torrent that takes over.
    pub fn known_peers(&self) -> BTreeMap<PeerSource, Vec<SocketAddr>> {
        self.known.by_source()
    }

    /// Whether the user stopped it.
    pub fn is_paused(&self) -> bool {
        self.phase == Phase::Paused
    }

    /// In which order the pieces of its torrent are to be fetched.
    pub fn order(&self) -> DownloadOrder {
        self.record.order
    }

    /// Takes one input. Nothing is planned before [`Self::end_turn`].
    pub fn handle(&mut self, now: Time, input: Input) {
        match input {
            Input::Command(command) => self.command(now, command),
            Input::PeersFound { source, addresses } => self.known.found(now, source, &addresses),
            Input::Connected(new) => self.connected(now, &new),
            Input::ConnectFailed { address, reason: _ } => self.known.failed(now, address),
            Input::Messages { connection, messages } => self.messages(now, connection, messages),
            Input::Closed { connection, reason } => self.closed(now, connection, &reason),
            Input::Announced { tracker, result } => self.announced(now, tracker, result),
            Input::Scraped { tracker, result } => self.trackers.scraped(tracker, &result),
            Input::ResumeSaved { generation, result: _ } => {
                if self.saving.in_flight == Some(generation) {
                    self.saving.in_flight = None;
                }
            }
            Input::TaskFailed { cause } => self.fail(now, cause, "one of our tasks failed"),
            // Nothing of a fetch is on disk, sends payload or asks for a grant.
            Input::Sent { .. }
            | Input::PieceStored { .. }
            | Input::PieceMismatch { .. }
            | Input::StoreFailed { .. }
            | Input::WriteFailed { .. }
            | Input::BlocksWritten { .. }
            | Input::PieceHashed { .. }
            | Input::BlocksRead { .. }
            | Input::FetchAnswered { .. }
            | Input::Fetched { .. }
            | Input::FetchEnded { .. }
            | Input::Host { .. }
            | Input::Slots { .. }
            | Input::Granted { .. }
            | Input::Deadline => {}
        }
    }

    /// Derives from state everything that is to be done. Called once after the inputs of a turn.
    pub fn end_turn(&mut self, now: Time) {
        self.housekeeping(now);
        if self.phase == Phase::Running {
            self.keep_within_memory(now);
            self.call_peers(now);
            self.ask_peers(now);
        }
        self.pump_trackers(now);
        self.save();
        self.finish_stop(now);
        self.tell_state();
    }

    /// The next thing it wants done, in order.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Until when it may be left alone, and what for.
    pub fn next_deadline(&self) -> Option<(Time, Reason)> {
        let mut due = vec![(self.trackers.next_deadline(), Reason::Tracker)];
        due.push((self.stop_grace_at(), Reason::StopGrace));
        if self.phase == Phase::Running {
            if self.connections.len() < limits::METADATA_CONNECTIONS_MAX {
                due.push((self.known.next_call_at(), Reason::Call));
            }
            if !self.connections.is_empty() {
                due.push((Some(self.next_housekeeping_at), Reason::Housekeeping));
            }
        }
        due.into_iter().filter_map(|(at, reason)| Some((at?, reason))).min_by_key(|(at, _)| *at)
    }

    fn command(&mut self, now: Time, command: TorrentCommand) {
        match command {
            TorrentCommand::Pause => self.pause(now),
            TorrentCommand::Resume => self.resume(now),
            TorrentCommand::Announce => self.trackers.announce_now(now),
            TorrentCommand::AddTrackers(urls) => {
                urls.into_iter().for_each(|url| self.trackers.add(&url, now));
            }
            TorrentCommand::Stop => self.stop(now),
            TorrentCommand::SetOrder(order) => {
                self.record.order = order;
                self.saving.dirty = true;
            }
            // There are no files to want and nothing to check yet; the shell remembers wishes for files.
            TorrentCommand::SetPriority(_)
            | TorrentCommand::Webseed(_)
            | TorrentCommand::Recheck
            | TorrentCommand::Read(_)
            | TorrentCommand::EndRead(_) => {}
        }
    }

    fn notify(&mut self, event: EventKind) {
        self.effects.push_back(Effect::Notify(event));
    }
}

#[cfg(test)]
mod tests;
