//! The task that drives a magnet until its metadata is here. To everybody else it is a torrent like any other: it has
//! an inbox, a line and a detail, peers that call us find it, and it is recorded until a torrent takes over.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::outside::Outside;
use super::pictures::Pictures;
use super::saving::save_failed;
use super::{Ends, PendingAnswer, Shared, ToDriver};
use crate::contract::{DownloadOrder, PeerSource, PriorityChange, TorrentDetail, TorrentRow};
use crate::engine::io::{Effect, Input, ResumeRecord, TorrentCommand};
use crate::engine::metadata::MetadataFetch;
use crate::engine::torrent::DetailExtras;
use crate::inspect;
use crate::limits;
use crate::metainfo::Magnet;
use crate::recorder::{DriverWord, EffectTally, Recorder};
use crate::session::disk::FileStamp;
use crate::session::store::{Change, SavedMagnet, SavedResume, SavedSource, SavedTorrent};
use crate::units::Time;

/// What is said to the driver of a magnet alone.
#[derive(Debug)]
pub(in crate::session) enum FetchProgress {
    /// Levels for files that are not known yet; answered when they are remembered.
    Wish(Vec<PriorityChange>, inspect::ReplySender<()>),
    /// What was found cannot be used, for this reason.
    Refused(String),
    /// A torrent takes over: the driver answers and ends, without goodbyes, as the swarm stays.
    HandOver(inspect::ReplySender<HandedOver>),
}

/// The metadata, and what is to become of it.
#[derive(Debug)]
pub(in crate::session) struct Found {
    /// The info dictionary, right by its hash.
    pub(in crate::session) raw_info: Bytes,
    /// The link it was found for.
    pub(in crate::session) magnet: Magnet,
    /// The magnet's place in the list, with the wishes so far.
    pub(in crate::session) saved: SavedTorrent,
}

/// What the torrent takes over.
#[derive(Debug, Default)]
pub(in crate::session) struct HandedOver {
    /// The user stopped it meanwhile.
    pub(in crate::session) paused: bool,
    /// In which order pieces are to be fetched.
    pub(in crate::session) order: Option<DownloadOrder>,
    /// Addresses and how each became known.
    pub(in crate::session) peers: BTreeMap<PeerSource, Vec<SocketAddr>>,
    /// All wishes, those of [`Found`] among them.
    pub(in crate::session) wishes: Vec<PriorityChange>,
}

/// What the driver of a magnet is made from.
#[derive(Debug)]
pub(in crate::session) struct FetchParts {
    pub(in crate::session) fetch: MetadataFetch,
    /// Its place in the list but for the source.
    pub(in crate::session) saved: SavedTorrent,
    pub(in crate::session) magnet: SavedMagnet,
    /// The stamps of an earlier run's record, which is saved with them again.
    pub(in crate::session) stamps: Vec<Option<FileStamp>>,
}

/// Drives one magnet.
struct Fetching {
    outside: Outside,
    fetch: MetadataFetch,
    saved: SavedTorrent,
    magnet: SavedMagnet,
    stamps: Vec<Option<FileStamp>>,
    pictures: Pictures,
    recorder: Recorder,
    found: inspect::Sender<Found>,
    ended: bool,
}

/// Starts driving a magnet. What is found comes out of the receiver; it is found again after it was refused.
pub(in crate::session) fn start_fetch(shared: Shared, parts: FetchParts) -> (Ends, inspect::Receiver<Found>) {
    let name = parts.fetch.name().shown();
    let (inbox, receiver) = inspect::channel(format!("inputs of {name}"), limits::DRIVER_QUEUE);
    let (found, finds) = inspect::channel(format!("metadata of {name}"), 1);
    let added_unix_s = parts.saved.added_unix_ms / 1000;
    let (pictures, (rows, details)) = Pictures::new(&name, parts.fetch.row(added_unix_s));
    // It writes no payload, so its peers never wait for the disk.
    let budget = shared.disk.new_budget();
    let driver = Fetching {
        outside: Outside::new(shared, (parts.fetch.id(), name.clone()), inbox.clone(), budget),
        fetch: parts.fetch,
        saved: parts.saved,
        magnet: parts.magnet,
        stamps: parts.stamps,
        pictures,
        recorder: Recorder::default(),
        found,
        ended: false,
    };
    let id = driver.fetch.id();
    let task = inspect::spawn_for(id, format!("metadata of {name}"), driver.run(receiver));
    (Ends { inbox, rows, details, task }, finds)
}

impl Fetching {
    async fn run(mut self, mut inbox: inspect::Receiver<ToDriver>) {
        let mut batch = Vec::with_capacity(limits::TURN_INPUTS_MAX);
        let slow_turns =
            self.outside.shared.events.slow_turns(self.outside.shared.clock, Some(self.outside.id), "");
        let owner = inspect::Owner::of(&inbox).telling(slow_turns);
        self.recorder.settle(self.outside.shared.clock.now(), &self.fetch);
        owner.turn("begin", || self.turn(&mut batch));
        while !self.ended {
            let wake = self.outside.shared.clock.instant(self.next_wake());
            tokio::select! {
                count = inbox.recv_many(&mut batch, limits::TURN_INPUTS_MAX) => if count == 0 { break },
                () = inspect::sleep_until(wake) => {}
            }
            owner.turn("metadata", || self.turn(&mut batch));
        }
        self.outside.close_all();
    }

    fn next_wake(&self) -> Time {
        let deadline = self.fetch.next_deadline().map(|(at, _)| at);
        let idle = self.outside.shared.clock.now() + limits::DRIVER_IDLE;
        [deadline, self.pictures.next_at()].into_iter().flatten().fold(idle, Time::min)
    }

    fn turn(&mut self, batch: &mut Vec<ToDriver>) {
        let mut answers = Vec::new();
        self.pictures.unpublished |= !batch.is_empty();
        for said in batch.drain(..) {
            self.take(said, &mut answers);
        }
        if self.ended {
            return;
        }
        let now = self.outside.shared.clock.now();
        self.plan(now);
        self.offer_found(now);
        self.settle_recorder(now);
        self.publish(now);
        for answer in answers {
            match answer {
                PendingAnswer::Done(reply) => reply.send(()),
                PendingAnswer::Recording(reply) => {
                    let now = self.outside.shared.clock.now();
                    reply.send(inspect::aside(|| self.recorder.recording(now, &self.fetch)));
                }
                PendingAnswer::Detail(reply) => reply.send(Arc::new(self.detail(now, self.row()))),
                PendingAnswer::Vitals(reply) => {
                    reply.send((Arc::new(self.detail(now, self.row())), self.fetch.vitals(now)));
                }
            }
        }
    }

    /// A fetch that holds much of what peers claim has a state of megabytes.
    fn settle_recorder(&mut self, now: Time) {
        if self.recorder.is_due(now) {
            inspect::aside(|| self.recorder.settle(now, &self.fetch));
        } else {
            self.recorder.settle(now, &self.fetch);
        }
    }

    /// Plans and performs; once more where peers turn out not to read, without them.
    fn plan(&mut self, now: Time) {
        loop {
            self.fetch.end_turn(now);
            let effects = self.perform_effects();
            self.recorder.turn_ended(now, effects);
            let gone = self.outside.flush();
            if gone.is_empty() {
                return;
            }
            gone.into_iter().for_each(|closed| self.handle(now, closed));
        }
    }

    /// Records an input, and hands it to the fetch.
    fn handle(&mut self, now: Time, input: Input) {
        self.recorder.input(now, &self.fetch, &input);
        self.fetch.handle(now, input);
    }

    fn take(&mut self, said: ToDriver, answers: &mut Vec<PendingAnswer>) {
        let now = self.outside.shared.clock.now();
        match said {
            ToDriver::Heard(heard) => self.handle(now, heard.input()),
            ToDriver::Input(input) => {
                if let Input::Closed { connection, .. } = &input {
                    self.outside.close(*connection);
                }
                self.handle(now, input);
            }
            ToDriver::Greeted(greeted) => {
                let new = self.outside.open(greeted);
                self.handle(now, Input::Connected(new));
            }
            ToDriver::Do(input, reply) => {
                answers.push(PendingAnswer::Done(reply));
                self.handle(now, input);
            }
            ToDriver::Order(change, reply) => {
                answers.push(PendingAnswer::Done(reply));
                let order = change.applied_to(self.fetch.order());
                self.handle(now, Input::Command(TorrentCommand::SetOrder(order)));
            }
            ToDriver::Detail(reply) => answers.push(PendingAnswer::Detail(reply)),
            ToDriver::Vitals(reply) => answers.push(PendingAnswer::Vitals(reply)),
            ToDriver::Watch(watch) => self.pictures.watch(watch),
            ToDriver::Fetch(FetchProgress::Wish(changes, reply)) => {
                self.magnet.wishes.extend(changes);
                self.recorder.driver(now, &DriverWord::Wished);
                self.fetch.wishes_changed();
                answers.push(PendingAnswer::Done(reply));
            }
            ToDriver::Fetch(FetchProgress::Refused(reason)) => {
                self.fetch.refuse(now, &reason);
                self.recorder.driver(now, &DriverWord::Refused(reason));
            }
            ToDriver::Fetch(FetchProgress::HandOver(reply)) => {
                self.ended = true;
                reply.send(HandedOver {
                    paused: self.fetch.is_paused(),
                    order: Some(self.fetch.order()),
                    peers: self.fetch.known_peers(),
                    wishes: self.magnet.wishes.clone(),
                });
            }
            // It has no files yet: whoever asked is told that nobody answers.
            ToDriver::Read(..) | ToDriver::EndRead(_) => {}
            ToDriver::Recording(reply) => answers.push(PendingAnswer::Recording(reply)),
            // It has no disk jobs.
            ToDriver::DiskNotice(_) => {}
            #[cfg(test)]
            ToDriver::Panic => panic!("told to break"),
            #[cfg(test)]
            ToDriver::Spoil(_) => (),
        }
    }

    /// Performs what the fetch wants done; what goes to peers is handed over by `Outside::flush`. Counts it.
    fn perform_effects(&mut self) -> EffectTally {
        let mut tally = EffectTally::default();
        while let Some(effect) = self.fetch.poll_effect() {
            tally.note(&effect);
            match effect {
                Effect::Send { connection, message } => self.outside.send(connection, message),
                Effect::Disconnect { connection } => self.outside.close(connection),
                Effect::Connect { address } => self.outside.call(address),
                Effect::SaveResume { generation, record } => self.save(generation, *record),
                Effect::Announce { tracker, url, request } => self.outside.announce(tracker, url, request),
                Effect::Scrape { tracker, url, info_hash } => self.outside.scrape(tracker, url, info_hash),
                Effect::Notify(event) => {
                    self.pictures.tell(&self.outside.shared, self.outside.id, event);
                }
                Effect::Stopped => self.ended = true,
                // A magnet has no payload.
                Effect::SendBlock { .. }
                | Effect::StorePiece { .. }
                | Effect::WriteBlocks { .. }
                | Effect::HashPiece { .. }
                | Effect::ReadBlocks { .. }
                | Effect::AnswerRead { .. }
                | Effect::FilesWanted { .. }
                | Effect::WantGrant { .. }
                | Effect::AskSlots(_)
                | Effect::Fetch(_)
                | Effect::FetchCredit { .. }
                | Effect::EndFetch { .. }
                | Effect::Host { .. } => {}
            }
        }
        tally
    }

    /// Saves the magnet with its wishes, and the record.
    fn save(&self, generation: u64, record: ResumeRecord) {
        let (id, store) = (self.outside.id, self.outside.shared.store.clone());
        let put = Change::PutTorrent(id, Box::new(self.saved_magnet()));
        let resume = SavedResume { record, stamps: self.stamps.clone() };
        let failed = save_failed(generation);
        self.outside.ask(format!("save of {}", self.outside.name), failed, async move {
            let saved = match store.apply(put).await {
                Ok(()) => store.save_resume(id, resume).await,
                Err(error) => Err(error),
            };
            Input::ResumeSaved { generation, result: saved.map_err(|error| error.as_disk_error()) }
        });
    }

    fn saved_magnet(&self) -> SavedTorrent {
        SavedTorrent { source: SavedSource::Magnet(self.magnet.clone()), ..self.saved.clone() }
    }

    fn offer_found(&mut self, now: Time) {
        if let Some(raw_info) = self.fetch.take_found() {
            self.recorder.driver(now, &DriverWord::Taken);
            let found = Found { raw_info, magnet: self.fetch.magnet().clone(), saved: self.saved_magnet() };
            // There is room: the last find was taken before it was refused. Nobody listens when the program ends.
            let _ = self.found.try_send(found);
        }
    }

    fn publish(&mut self, now: Time) {
        if !self.pictures.is_due(now, self.fetch.state()) {
            return;
        }
        let row = self.row();
        let detail = self.pictures.is_watched().then(|| self.detail(now, Arc::clone(&row)));
        self.pictures.publish(&self.outside.shared, now, row, detail);
    }

    fn row(&self) -> Arc<TorrentRow> {
        Arc::new(self.fetch.row(self.saved.added_unix_ms / 1000))
    }

    fn detail(&self, now: Time, row: Arc<TorrentRow>) -> TorrentDetail {
        let save_dir = PathBuf::from(&self.saved.save_dir);
        let extras = DetailExtras { save_dir, comment: None, log: self.pictures.log() };
        self.fetch.detail(now, row, extras)
    }
}
