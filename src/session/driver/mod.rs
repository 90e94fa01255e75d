//! The task that drives one torrent: inputs in, a turn, effects out, pictures published.
//!
//! It is the only one that touches the torrent's owner. It never waits for a socket, a disk, a lock or another torrent:
//! what it hands out goes through queues that either take it at once or say that they are full.

mod disk;
mod effects;
mod saving;

pub(in crate::session) use saving::{ask, stamps};

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::time::sleep_until;

use super::budget::ToBudget;
use super::clock::{Clock, unix_s};
use super::discovery::TrackerClient;
use super::disk::{DiskPool, Job, Storage};
use super::handle::EventHub;
use super::net::{Greeted, Link};
use super::store::StoreHandle;
use crate::contract::{Event, EventKind, LogLine, TorrentDetail, TorrentRow, Untrusted};
use crate::engine::io::{DiskError, Input};
use crate::engine::torrent::{DetailExtras, Torrent};
use crate::inspect;
use crate::limits;
use crate::units::{ConnectionId, PeerId, Rate, Time, TorrentId};

/// What is said to a driver.
#[derive(Debug)]
pub(in crate::session) enum ToDriver {
    /// Something happened to the torrent.
    Input(Input),
    /// A connection is up.
    Greeted(Greeted),
    /// Somebody asks; the answer comes after the turn that this is part of.
    Do(Input, inspect::ReplySender<()>),
    /// Somebody wants to see all of it, once.
    Detail(inspect::ReplySender<Arc<TorrentDetail>>),
    /// Somebody begins or ceases to look at all of it.
    Watch(Watch),
    /// A disk job that no input answers failed.
    DiskNotice(DiskError),
}

/// Whether a torrent's detail is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum Watch {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// What all drivers share.
#[derive(Clone, Debug)]
pub(in crate::session) struct Shared {
    pub(in crate::session) clock: Clock,
    pub(in crate::session) bind: IpAddr,
    pub(in crate::session) peer_id: PeerId,
    pub(in crate::session) disk: Arc<DiskPool>,
    pub(in crate::session) store: StoreHandle,
    pub(in crate::session) trackers: TrackerClient,
    pub(in crate::session) budget: inspect::Sender<ToBudget>,
    pub(in crate::session) events: EventHub,
    /// Says that a torrent's state changed, so that the next picture of all comes at once.
    pub(in crate::session) nudge: inspect::Sender<()>,
}

/// What one driver is made from.
#[derive(Debug)]
pub(in crate::session) struct Parts {
    pub(in crate::session) torrent: Torrent,
    pub(in crate::session) storage: Arc<Storage>,
    pub(in crate::session) comment: Option<Untrusted>,
    pub(in crate::session) added_unix_s: u64,
}

/// The driver's queues, for the directory.
#[derive(Debug)]
pub(in crate::session) struct Ends {
    pub(in crate::session) inbox: inspect::Sender<ToDriver>,
    pub(in crate::session) rows: inspect::WatchReceiver<Arc<TorrentRow>>,
    pub(in crate::session) details: inspect::WatchReceiver<Option<Arc<TorrentDetail>>>,
    pub(in crate::session) task: inspect::TaskHandle<()>,
}

/// Drives one torrent.
struct Driver {
    shared: Shared,
    torrent: Torrent,
    id: TorrentId,
    /// The torrent's name, safe to show, for the names of tasks.
    name: String,
    storage: Arc<Storage>,
    comment: Option<Untrusted>,
    added_unix_s: u64,
    /// Our own inbox, for what answers come back to.
    inbox: inspect::Sender<ToDriver>,
    links: BTreeMap<ConnectionId, Link>,
    /// Jobs that found the disk queue full.
    waiting_jobs: VecDeque<Job>,
    log: VecDeque<LogLine>,
    rows: inspect::WatchSender<Arc<TorrentRow>>,
    details: inspect::WatchSender<Option<Arc<TorrentDetail>>>,
    watch: Watch,
    published_at: Time,
    /// Something changed since.
    unpublished: bool,
    stopped: bool,
}

/// Starts driving a torrent.
pub(in crate::session) fn start(shared: Shared, parts: Parts) -> Ends {
    let name = parts.torrent.info().name.shown();
    let (inbox, receiver) = inspect::channel(format!("inputs of {name}"), limits::DRIVER_QUEUE);
    let row = Arc::new(parts.torrent.row(shared.clock.now(), parts.added_unix_s));
    let (rows, row_reader) = inspect::watch(format!("row of {name}"), row);
    let (details, detail_reader) = inspect::watch(format!("detail of {name}"), None);
    let driver = Driver {
        id: parts.torrent.id(),
        torrent: parts.torrent,
        storage: parts.storage,
        comment: parts.comment,
        added_unix_s: parts.added_unix_s,
        inbox: inbox.clone(),
        links: BTreeMap::new(),
        waiting_jobs: VecDeque::new(),
        log: VecDeque::new(),
        rows,
        details,
        watch: Watch::Off,
        published_at: Time::ZERO,
        unpublished: true,
        stopped: false,
        name: name.clone(),
        shared,
    };
    let task = inspect::spawn(format!("owner of {name}"), driver.run(receiver));
    Ends { inbox, rows: row_reader, details: detail_reader, task }
}

impl Driver {
    async fn run(mut self, mut inbox: inspect::Receiver<ToDriver>) {
        let mut batch = Vec::with_capacity(limits::TURN_INPUTS_MAX);
        let begin = ToBudget::Begin(self.id, self.inbox.clone());
        let _ = self.shared.budget.send(begin).await;
        self.create_empty_files();
        self.turn(&mut batch);
        while !self.stopped {
            let wake = self.shared.clock.instant(self.next_wake());
            tokio::select! {
                count = inbox.recv_many(&mut batch, limits::TURN_INPUTS_MAX) => if count == 0 { break },
                () = sleep_until(wake) => {}
            }
            self.turn(&mut batch);
        }
        self.links.clear();
        self.storage.close_files();
        let _ = self.shared.budget.send(ToBudget::End(self.id)).await;
    }

    /// The earliest of the torrent's deadline, the next picture and the next try of a disk job.
    fn next_wake(&self) -> Time {
        let now = self.shared.clock.now();
        let deadline = self.torrent.next_deadline().map(|(at, _)| at);
        let picture = self.unpublished.then(|| self.published_at + limits::SNAPSHOT_INTERVAL);
        let job = (!self.waiting_jobs.is_empty()).then(|| now + limits::DISK_SUBMIT_RETRY);
        let idle = now + limits::DRIVER_IDLE;
        [deadline, picture, job].into_iter().flatten().fold(idle, Time::min)
    }

    /// One turn: every input that waits, one plan, all effects, a picture if one is due.
    fn turn(&mut self, batch: &mut Vec<ToDriver>) {
        let began = self.shared.clock.now();
        let mut slowest = Slowest::default();
        let mut answers = Vec::new();
        self.unpublished |= !batch.is_empty();
        for said in batch.drain(..) {
            let before = self.shared.clock.now();
            let kind = self.take(before, said, &mut answers);
            slowest.consider(kind, before, self.shared.clock.now());
        }
        let now = self.shared.clock.now();
        self.torrent.end_turn(now);
        slowest.consider("planning", now, self.shared.clock.now());
        self.submit_waiting();
        self.perform_effects();
        self.publish(now);
        answers.into_iter().for_each(|answer| self.answer(answer));
        let took = self.shared.clock.now().since(began);
        if took >= limits::TURN_SLOW {
            let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            self.tell(EventKind::SlowTurn { millis, input: slowest.kind.to_owned() });
        }
    }

    /// Takes one thing that was said; gives a word for it.
    fn take(&mut self, now: Time, said: ToDriver, answers: &mut Vec<PendingAnswer>) -> &'static str {
        match said {
            ToDriver::Input(input) => self.take_input(now, input),
            ToDriver::Greeted(greeted) => {
                let new = greeted.new.clone();
                let budget = Arc::clone(self.shared.disk.budget());
                let link = Link::open(greeted, &self.name, &self.inbox, budget);
                self.links.insert(new.connection, link);
                self.take_input(now, Input::Connected(new))
            }
            ToDriver::Do(input, reply) => {
                answers.push(PendingAnswer::Done(reply));
                self.take_input(now, input)
            }
            ToDriver::Detail(reply) => {
                answers.push(PendingAnswer::Detail(reply));
                "detail"
            }
            ToDriver::DiskNotice(error) => {
                self.tell(EventKind::DiskFailed { message: error.message });
                "disk notice"
            }
            ToDriver::Watch(watch) => {
                self.watch = watch;
                self.published_at = Time::ZERO;
                "watch"
            }
        }
    }

    fn take_input(&mut self, now: Time, input: Input) -> &'static str {
        let kind = input.kind();
        if let Input::Closed { connection, .. } = &input {
            self.links.remove(connection);
        }
        self.torrent.handle(now, input);
        kind
    }

    fn answer(&mut self, answer: PendingAnswer) {
        match answer {
            PendingAnswer::Done(reply) => reply.send(()),
            PendingAnswer::Detail(reply) => {
                let now = self.shared.clock.now();
                let row = Arc::new(self.torrent.row(now, self.added_unix_s));
                reply.send(Arc::new(self.detail(now, row)));
            }
        }
    }

    /// Publishes a picture where something changed and the last one is old enough; a change of state goes out at once.
    fn publish(&mut self, now: Time) {
        let due = now.since(self.published_at) >= limits::SNAPSHOT_INTERVAL;
        let state_changed = self.rows.latest().state != self.torrent.state();
        if !(state_changed || due && self.unpublished) {
            return;
        }
        let row = Arc::new(self.torrent.row(now, self.added_unix_s));
        // Rates fall without inputs: pictures go on until they are zero.
        self.unpublished = row.down_bps != Rate(0) || row.up_bps != Rate(0) || self.watch == Watch::On;
        self.published_at = now;
        self.rows.set(Arc::clone(&row));
        let detail = (self.watch == Watch::On).then(|| Arc::new(self.detail(now, row)));
        self.details.set(detail);
        if state_changed {
            // A full queue holds a nudge already.
            let _ = self.shared.nudge.try_send(());
        }
    }

    fn detail(&self, now: Time, row: Arc<TorrentRow>) -> TorrentDetail {
        let extras = DetailExtras {
            save_dir: PathBuf::from(self.storage.save_dir()),
            comment: self.comment.clone(),
            log: self.log.iter().cloned().collect(),
        };
        self.torrent.detail(now, row, extras)
    }

    /// Tells listeners, and keeps it for the log tab unless it is one of very many.
    fn tell(&mut self, kind: EventKind) {
        let event = Event { at: self.shared.clock.now(), torrent: Some(self.id), kind };
        self.shared.events.tell(&event);
        if !matches!(event.kind, EventKind::PieceDone { .. }) {
            if self.log.len() >= limits::LOG_LINES_MAX {
                self.log.pop_front();
            }
            self.log.push_back(LogLine { unix_s: unix_s(), event });
            self.unpublished = true;
        }
    }
}

/// An answer that is due at the end of the turn.
enum PendingAnswer {
    Done(inspect::ReplySender<()>),
    Detail(inspect::ReplySender<Arc<TorrentDetail>>),
}

/// The input that took longest in a turn.
#[derive(Default)]
struct Slowest {
    kind: &'static str,
    micros: u128,
}

impl Slowest {
    fn consider(&mut self, kind: &'static str, from: Time, to: Time) {
        let micros = to.since(from).as_micros();
        if micros >= self.micros {
            *self = Self { kind, micros };
        }
    }
}
