//! A participant that is the engine: a torrent's owner, its disk and its share of a budget.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;

use super::disk::Disk;
use super::pace::Pace;
use super::payload::Payload;
use super::web::WebRequest;
use crate::codec::handshake;
use crate::contract::{EventKind, TorrentState, WebseedKind, WebseedOrigin};
use crate::engine::NamedWebseed;
use crate::engine::budget::{Budget, Grant, HostPlaces};
use crate::engine::io::{Input, ReadError, ReaderId, ResumeRecord};
use crate::engine::torrent::{Origin, Policy, Setup, StartingPoint, Torrent, WhenComplete};
use crate::recorder::Recorder;
use crate::units::{FetchId, PeerId, PieceIndex, Rate, Time};

/// Events kept of one engine.
const EVENTS_KEPT: usize = 10_000;

/// How an engine begins.
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// Pieces whose right bytes are on disk; `None`: all.
    pub on_disk: Option<Vec<PieceIndex>>,
    /// Pieces that a record or the user claims wrongly: those of them on disk have a wrong byte.
    pub wrong: Vec<PieceIndex>,
    /// Whether a record vouches for them.
    pub recorded: bool,
    /// How they are believed.
    pub policy: Policy,
    /// The rest of the record: priorities, order, whether it is paused.
    pub record: ResumeRecord,
    /// What happens when all that is wanted is here.
    pub when_complete: WhenComplete,
    /// Whether it asks the world's tracker.
    pub tracker: bool,
    /// URLs of its webseeds (`World::add_web_server`).
    pub webseeds: Vec<String>,
    /// Speaks the fast extension (BEP 6).
    pub fast: bool,
    /// Most bytes a second from peers.
    pub down_limit: Option<Rate>,
    /// Most bytes a second to peers.
    pub up_limit: Option<Rate>,
}

impl EngineOptions {
    /// One that has nothing.
    pub fn leecher() -> Self {
        Self { on_disk: Some(Vec::new()), fast: true, ..Self::default() }
    }

    /// One that has everything, and a record that says so.
    pub fn seed() -> Self {
        Self { recorded: true, fast: true, ..Self::default() }
    }
}

/// A participant that is the engine.
#[derive(Debug)]
pub struct EngineNode {
    pub(super) torrent: Torrent,
    /// Records this run, where that is asked for.
    pub(super) recorder: Option<Recorder>,
    pub(super) disk: Disk,
    pub(super) budget: Budget,
    /// What it may read for peers under its limit, for the checker.
    pub(super) up_pace: Pace,
    pub(super) places: HostPlaces,
    /// What its webseeds are asked for.
    pub(super) fetches: BTreeMap<FetchId, WebRequest>,
    pub(super) options: EngineOptions,
    pub(super) reserved: [u8; 8],
    pub(super) peer_id: PeerId,
    /// Counts restarts: what was meant for an earlier run is lost.
    pub(super) epoch: u32,
    /// When its next wake is planned.
    pub(super) wake_at: Option<Time>,
    pub(super) grants_planned: bool,
    /// A request has been missing since then.
    pub(super) missed_since: Option<Time>,
    /// Something came of its turns since the checkers looked at it: nothing else changes what they would find.
    pub(super) unlooked: bool,
    /// Turns in a row after which its deadline was over still.
    pub(super) overdue_turns: u32,
    /// What it told front ends.
    pub(super) events: Vec<EventKind>,
    pub(super) answers: BTreeMap<ReaderId, Vec<Result<Bytes, ReadError>>>,
    /// It said its goodbyes.
    pub(super) stopped: bool,
    /// What it is to be told first: its share of the limits.
    pub(super) first: Option<Input>,
    /// Requests it sent, for tests that count them.
    pub(super) requests_sent: u64,
    pub(super) rejects_sent: u64,
    /// Whom it called, and when.
    pub(super) calls: Vec<(Time, SocketAddr)>,
}

impl EngineNode {
    pub(super) fn new(
        now: Time,
        number: usize,
        payload: &Payload,
        options: EngineOptions,
        seed: u64,
    ) -> Self {
        let mut disk = Disk::new(payload.clone());
        let count = payload.info.piece_count();
        let there = options.on_disk.clone().unwrap_or_else(|| (0..count).map(PieceIndex).collect());
        there.iter().for_each(|piece| disk.put_right(*piece));
        for piece in &options.wrong {
            if there.contains(piece) {
                disk.corrupt(*piece);
            } else {
                disk.lose(*piece);
            }
        }
        let record = record_of(&options, count, &there, &mut disk);
        let mut budget = Budget::default();
        budget.set_limits(now, options.down_limit, options.up_limit);
        let number = u8::try_from(number).expect("a world has few participants");
        let peer_id = PeerId([b'E', number, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]);
        let start = StartingPoint {
            origin: Origin::Added,
            record: Some(record),
            bytes_on_disk: disk.lengths(),
            ..StartingPoint::default()
        };
        let mut reserved = [0; 8];
        handshake::EXTENSION.set(&mut reserved);
        if options.fast {
            handshake::FAST.set(&mut reserved);
        }
        let torrent = Torrent::new(now, setup(payload, &options, peer_id, start, seed));
        let first = opening(&budget, &torrent);
        Self {
            torrent,
            recorder: None,
            disk,
            up_pace: Pace::new(now, budget.limits().1),
            budget,
            places: HostPlaces::default(),
            fetches: BTreeMap::new(),
            options,
            reserved,
            peer_id,
            epoch: 0,
            wake_at: None,
            grants_planned: false,
            missed_since: None,
            unlooked: true,
            overdue_turns: 0,
            events: Vec::new(),
            answers: BTreeMap::new(),
            stopped: false,
            first,
            requests_sent: 0,
            rejects_sent: 0,
            calls: Vec::new(),
        }
    }

    /// Begins again from what the disk has, as after a crash.
    pub(super) fn restart(&mut self, now: Time, payload: &Payload, seed: u64) {
        self.epoch += 1;
        let start = StartingPoint {
            origin: Origin::Restored,
            record: self.disk.saved.as_ref().map(|saved| saved.record.clone()),
            untrusted_files: self.disk.untrusted_files(),
            bytes_on_disk: self.disk.lengths(),
            ..StartingPoint::default()
        };
        self.torrent = Torrent::new(now, setup(payload, &self.options, self.peer_id, start, seed));
        if self.recorder.is_some() {
            self.start_recording(now);
        }
        self.first = opening(&self.budget, &self.torrent);
        self.wake_at = None;
        self.grants_planned = false;
        self.missed_since = None;
        self.unlooked = true;
        self.stopped = false;
        self.fetches.clear();
        self.places = HostPlaces::default();
        self.answers.clear();
    }

    /// Records from now on.
    pub(super) fn start_recording(&mut self, now: Time) {
        let mut recorder = Recorder::default();
        recorder.settle(now, &self.torrent);
        self.recorder = Some(recorder);
    }

    pub(super) fn note(&mut self, event: EventKind) {
        if self.events.len() < EVENTS_KEPT {
            self.events.push(event);
        }
    }

    /// What it is doing.
    pub fn state(&self) -> TorrentState {
        self.torrent.state()
    }

    /// Its owner.
    pub fn torrent(&self) -> &Torrent {
        &self.torrent
    }

    /// Its owner, for what makes a picture.
    pub fn torrent_mut(&mut self) -> &mut Torrent {
        &mut self.torrent
    }

    /// What it told front ends.
    pub fn events(&self) -> &[EventKind] {
        &self.events
    }

    /// What a reader was answered, in order.
    pub fn answers(&self, reader: ReaderId) -> &[Result<Bytes, ReadError>] {
        self.answers.get(&reader).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether the right bytes of a piece are on its disk.
    pub fn has_right(&self, piece: PieceIndex) -> bool {
        self.disk.is_right(piece)
    }

    /// The first piece that it says is here and whose bytes are wrong, those damaged behind its back aside.
    pub(super) fn first_wrong(&self) -> Option<PieceIndex> {
        let here = self.torrent.pieces_here().into_iter();
        here.into_iter().find(|piece| !self.disk.is_right(*piece) && !self.disk.damaged.contains(piece))
    }

    /// The record saved last.
    pub fn record(&self) -> Option<&ResumeRecord> {
        self.disk.saved.as_ref().map(|saved| &saved.record)
    }

    /// How many requests it has sent.
    pub fn requests_sent(&self) -> u64 {
        self.requests_sent
    }

    /// Whom it called, and when, over all its runs.
    pub fn calls(&self) -> &[(Time, SocketAddr)] {
        &self.calls
    }

    /// How many rejects it has sent.
    pub fn rejects_sent(&self) -> u64 {
        self.rejects_sent
    }

    /// Whether it has ended.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }
}

/// The record that a node begins with; what it vouches for counts as stored.
fn record_of(options: &EngineOptions, count: u32, there: &[PieceIndex], disk: &mut Disk) -> ResumeRecord {
    let mut record = options.record.clone();
    if options.recorded {
        let mut have = vec![0u8; count.div_ceil(8) as usize];
        there.iter().for_each(|piece| have[piece.at() / 8] |= 0x80 >> (piece.at() % 8));
        let mut known = vec![0xffu8; count.div_ceil(8) as usize];
        if let Some(last) = known.last_mut().filter(|_| !count.is_multiple_of(8)) {
            *last = 0xff << (8 - count % 8);
        }
        (record.have, record.known) = (have, known);
        there.iter().for_each(|piece| {
            disk.stored.insert(*piece);
        });
    }
    record
}

/// What a torrent is told first where there are limits.
fn opening(budget: &Budget, torrent: &Torrent) -> Option<Input> {
    let Grant { torrent: _, up_bytes, down_bytes } = budget.opening(torrent.id());
    (up_bytes.is_some() || down_bytes.is_some()).then_some(Input::Granted { up_bytes, down_bytes })
}

fn setup(
    payload: &Payload,
    options: &EngineOptions,
    peer_id: PeerId,
    start: StartingPoint,
    seed: u64,
) -> Setup {
    let trackers =
        if options.tracker { vec![vec!["http://tracker.sim/announce".to_owned()]] } else { Vec::new() };
    Setup {
        info: payload.info.clone(),
        trackers,
        webseeds: options.webseeds.iter().map(|url| named(url)).collect(),
        peer_id,
        listen_port: 6881,
        announce_key: 1,
        start,
        policy: options.policy,
        when_complete: options.when_complete,
        seed,
    }
}

fn named(url: &str) -> NamedWebseed {
    NamedWebseed { url: url.to_owned(), kind: WebseedKind::UrlList, origin: WebseedOrigin::Torrent }
}
