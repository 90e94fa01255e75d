//! The task that answers front ends and keeps the list: adds, removes, snapshots, shutdown.
//!
//! It waits for nothing but room in a driver's queue, which drivers always make: whatever takes time (reading a torrent,
//! a driver's turn, a goodbye) is a task of its own whose outcome comes back as a message.

mod adding;
mod asking;
mod magnets;
mod panics;
mod reading;
mod snapshots;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval};

use super::budget::ToBudget;
use super::directory::{Directory, Member};
use super::discovery::Http;
use super::driver::{self, Parts, Shared, ToDriver, Watch};
use super::handle::{EngineEnds, Request};
use super::settings::Settings;
use super::store::{Change, Damaged, SavedLimits, Stored};
use crate::contract::{
    Answer, Command, Event, EventKind, PeerSource, Refusal, RemoveData, Severity, Untrusted, WebseedAction,
};
use crate::engine::io::{Input, ReadRequest, TorrentCommand};
use crate::inspect;
use crate::limits;
use crate::units::{Rate, TorrentId};

use adding::{Adder, Addition, Prepared};
use magnets::Resolved;

/// What the control task is made from.
pub(in crate::session) struct ControlParts {
    pub(in crate::session) settings: Settings,
    pub(in crate::session) shared: Shared,
    pub(in crate::session) directory: Directory,
    pub(in crate::session) http: Http,
    pub(in crate::session) ends: EngineEnds,
    pub(in crate::session) nudges: inspect::Receiver<()>,
    pub(in crate::session) debug: inspect::WatchSender<bool>,
    pub(in crate::session) listen_port: u16,
    pub(in crate::session) rng: fastrand::Rng,
}

/// The answer's way back to whoever asked.
type Reply = inspect::ReplySender<Result<Answer, Refusal>>;

/// What comes back from the tasks that work for the control task.
enum Outcome {
    /// A torrent or a magnet is ready to start.
    Prepared(Addition, Option<Reply>),
    /// The metadata of a magnet is here.
    Resolved(Box<Resolved>),
    /// A torrent could not be read; nobody waits for the answer.
    NotRestored(Refusal),
    /// A torrent has said goodbye.
    Removed(TorrentId),
}

/// The list of torrents and all who work for it.
pub(in crate::session) struct Control {
    settings: Settings,
    shared: Shared,
    directory: Directory,
    ends: EngineEnds,
    nudges: inspect::Receiver<()>,
    /// The debug switch, which all drivers see.
    debug: inspect::WatchSender<bool>,
    adder: Adder,
    outcomes: inspect::Receiver<Outcome>,
    outcome_sender: inspect::Sender<Outcome>,
    drivers: BTreeMap<TorrentId, inspect::TaskHandle<()>>,
    leaving: BTreeSet<TorrentId>,
    next_number: u64,
    watched: Option<TorrentId>,
    limits: (Option<Rate>, Option<Rate>),
    listen_port: u16,
    free_space: inspect::WatchReceiver<Option<u64>>,
}

impl Control {
    pub(in crate::session) fn new(parts: ControlParts, stored: Vec<Stored>, damaged: Vec<Damaged>) -> Self {
        let ControlParts { settings, shared, directory, http, ends, nudges, debug, listen_port, rng } = parts;
        let (outcome_sender, outcomes) = inspect::channel("outcomes for control", limits::OUTCOME_QUEUE);
        let adder = Adder::new(&settings, shared.clone(), directory.clone(), http, (listen_port, rng));
        let free_space = snapshots::watch_free_space(settings.save_dir.clone());
        let control = Self {
            limits: (settings.down_limit, settings.up_limit),
            settings,
            shared,
            directory,
            ends,
            nudges,
            debug,
            adder,
            outcomes,
            outcome_sender,
            drivers: BTreeMap::new(),
            leaving: BTreeSet::new(),
            next_number: 0,
            watched: None,
            listen_port,
            free_space,
        };
        control.restore(stored, damaged);
        control
    }

    /// Runs until a shutdown is asked for, or nobody can ask any more.
    pub(in crate::session) async fn run(mut self) {
        let slow_turns = self.ends.events.slow_turns(self.shared.clock, None, "control: ");
        let owner = inspect::Owner::of(&self.ends.requests).telling(slow_turns);
        let mut panics = inspect::subscribe_panics();
        let mut ticks = interval(limits::SNAPSHOT_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let reply = loop {
            tokio::select! {
                request = self.ends.requests.recv() => match request {
                    Some(Request { command: Command::Shutdown, reply, asker: _ }) => break Some(reply),
                    Some(request) => owner.turn_of("command", inspect::frame("command", self.request(request))).await,
                    None => break None,
                },
                Some(outcome) = self.outcomes.recv() => {
                    owner.turn_of("outcome", inspect::frame("outcome", self.outcome(outcome))).await;
                }
                Some(panic) = panics.recv() => owner.turn("panic", || self.panicked(&panic)),
                Some(()) = self.nudges.recv() => owner.turn("nudge", || self.publish()),
                _ = inspect::ticking(ticks.tick()) => owner.turn("picture", || self.publish()),
            }
        };
        drop(owner);
        inspect::frame("shut down", self.shut_down()).await;
        if let Some(reply) = reply {
            reply.send(Ok(Answer::Done));
        }
    }

    /// Brings the saved torrents back, each as a task of its own.
    fn restore(&self, stored: Vec<Stored>, damaged: Vec<Damaged>) {
        for part in damaged {
            self.notice(Severity::Error, part.message);
        }
        let outcomes = self.outcome_sender.clone();
        let adder = self.adder.clone();
        let restoring = async move {
            // One after the other: the list keeps its order, but for those whose disk does not answer.
            let mut patience = limits::RESTORE_PATIENCE;
            for torrent in stored {
                let (adder, outcomes) = (adder.clone(), outcomes.clone());
                let bringing = async move {
                    let outcome = match adder.restore(torrent).await {
                        Ok(prepared) => Outcome::Prepared(prepared, None),
                        Err(refusal) => Outcome::NotRestored(refusal),
                    };
                    let _ = outcomes.send(outcome).await;
                };
                let bringing = inspect::spawn("restore a torrent", bringing);
                if inspect::timeout(patience, bringing).await.is_err() {
                    patience = limits::RESTORE_PATIENCE_NEXT;
                }
            }
        };
        inspect::spawn("restore the saved list", restoring).detach();
    }

    async fn request(&mut self, request: Request) {
        let Request { command, asker, reply } = request;
        match command {
            Command::Add(request) => {
                let (adder, outcomes) = (self.adder.clone(), self.outcome_sender.clone());
                let adding = async move {
                    match adder.prepare(*request).await {
                        Ok(prepared) => {
                            let _ = outcomes.send(Outcome::Prepared(prepared, Some(reply))).await;
                        }
                        Err(refusal) => reply.send(Err(refusal)),
                    }
                };
                inspect::spawn("add a torrent", adding).detach();
            }
            Command::Preview(source) => {
                let adder = self.adder.clone();
                let previewing = async move { reply.send(adder.preview(source).await) };
                inspect::spawn("preview a torrent", previewing).detach();
            }
            Command::Remove { torrent, data } => self.remove(torrent, data, reply),
            Command::SetLimits { down, up } => {
                self.limits = (down, up);
                let _ = self.shared.budget.send(ToBudget::Limits(down, up)).await;
                let store = self.shared.store.clone();
                let saving = async move {
                    let saved = store.save_limits(SavedLimits { down, up }).await;
                    reply.send(saved.map(|()| Answer::Done).map_err(|error| Refusal::new(error.to_string())));
                };
                inspect::spawn("save limits", saving).detach();
            }
            Command::Watch(torrent) => {
                self.watch(torrent).await;
                reply.send(Ok(Answer::Done));
            }
            Command::SetDebug(on) => {
                self.debug.set(on);
                reply.send(Ok(Answer::Done));
            }
            Command::List => reply.send(Ok(Answer::List(self.rows()))),
            Command::Status => {
                let rows = self.rows();
                let (at, engine) = (self.shared.clock.now(), self.status(&rows));
                reply.send(Ok(Answer::Status { at, engine }));
            }
            Command::Pause(torrent) => self.tell(torrent, TorrentCommand::Pause, reply),
            Command::Resume(torrent) => self.tell(torrent, TorrentCommand::Resume, reply),
            Command::Recheck(torrent) => self.tell(torrent, TorrentCommand::Recheck, reply),
            Command::Announce(torrent) => self.tell(torrent, TorrentCommand::Announce, reply),
            Command::SetOrder { torrent, order } => self.set_order(torrent, order, reply),
            Command::SetPriority { torrent, changes } => self.set_priority(torrent, changes, reply),
            Command::AddPeer { torrent, address } => {
                let input = Input::PeersFound { source: PeerSource::Manual, addresses: vec![address] };
                self.tell_input(torrent, input, reply);
            }
            Command::Read { torrent, reader, file, offset, bytes_max, ahead_bytes } => {
                let reader = reading::reader_id(asker, reader);
                self.read(torrent, ReadRequest { reader, file, offset, bytes_max, ahead_bytes }, reply);
            }
            Command::Webseed { torrent, action } => self.webseed(torrent, action, reply),
            Command::Detail(torrent) => self.detail(torrent, reply),
            Command::Vitals(torrent) => self.vitals(torrent, reply),
            Command::Recording(torrent) => self.recording(torrent, reply),
            Command::Dump(kind) => reply.send(Ok(Answer::Dump(Box::new(inspect::dump(kind))))),
            // The asker's own handle puts it together from many answers.
            Command::Report => reply.send(Err(Refusal::new("ask the handle for a report"))),
            Command::Shutdown => {}
        }
    }

    async fn outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Prepared(prepared, reply) => {
                let answer = match prepared {
                    Addition::Torrent(prepared) => self.begin(*prepared).await,
                    Addition::Magnet(prepared) => self.begin_magnet(*prepared).await,
                };
                match (reply, answer) {
                    (Some(reply), answer) => reply.send(answer),
                    (None, Err(refusal)) => self.notice(Severity::Error, refusal.message),
                    (None, Ok(_)) => {}
                }
            }
            Outcome::Resolved(resolved) => self.resolved(*resolved).await,
            Outcome::NotRestored(refusal) => self.notice(Severity::Error, refusal.message),
            Outcome::Removed(torrent) => {
                self.leaving.remove(&torrent);
                self.publish();
            }
        }
    }

    /// Starts the driver of a torrent, or merges what is new into the one that runs.
    async fn begin(&mut self, mut prepared: Prepared) -> Result<Answer, Refusal> {
        let id = prepared.torrent.id();
        if let Err(refusal) = self.refuse_leaving(id) {
            // It was put into the saved list meanwhile, and would come back with the next start.
            let _ = self.shared.store.apply(Change::Remove(id)).await;
            return Err(refusal);
        }
        let (peers, trackers) = (std::mem::take(&mut prepared.peers), std::mem::take(&mut prepared.trackers));
        let webseeds = std::mem::take(&mut prepared.webseeds);
        let known = self.directory.find(&prepared.torrent.info().swarm_hashes());
        let already = known.is_some();
        let listed = match known {
            Some((magnet, member)) if member.storage.is_none() => {
                self.take_over(magnet, member, prepared).await;
                id
            }
            Some((listed, _)) => listed,
            None => {
                let Prepared { torrent, storage, comment, added_unix_s, saved, .. } = prepared;
                drop(saved);
                let name = torrent.info().name.clone();
                if let Some(other) = inspect::aside(|| self.directory.sharing_files(id, &storage)) {
                    let message = format!(
                        "{name} and torrent {other} keep files in the same place: one may overwrite what the other has; give one of them another folder"
                    );
                    self.notice(Severity::Warning, message);
                }
                let number = self.take_number();
                self.start_driver(Parts { torrent, storage, comment, added_unix_s }, number);
                self.event(Some(id), EventKind::Added { name });
                id
            }
        };
        let adding = (already && !trackers.is_empty()).then_some(TorrentCommand::AddTrackers(trackers));
        let peers =
            (!peers.is_empty()).then_some(Input::PeersFound { source: PeerSource::Manual, addresses: peers });
        if let Some(inbox) = self.directory.inbox(listed) {
            let webseeds = webseeds
                .into_iter()
                .filter(|_| already)
                .map(|url| Input::Command(TorrentCommand::Webseed(WebseedAction::Add(url))));
            for input in adding.map(Input::Command).into_iter().chain(webseeds).chain(peers) {
                let _ = inbox.send(ToDriver::Input(input)).await;
            }
        }
        self.publish();
        Ok(Answer::Added { torrent: listed, already })
    }

    /// Starts the driver of a torrent at a position of the list.
    fn start_driver(&mut self, parts: Parts, number: u64) {
        let (id, storage) = (parts.torrent.id(), Some(Arc::clone(&parts.storage)));
        let swarms = parts.torrent.info().swarm_hashes();
        let ends = driver::start(self.shared.clone(), parts);
        let (inbox, rows, details) = (ends.inbox, ends.rows, ends.details);
        self.directory.insert(id, Member { inbox, rows, details, storage, swarms, number });
        self.drivers.insert(id, ends.task);
    }

    /// The next position in the list.
    fn take_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn refuse_leaving(&self, id: TorrentId) -> Result<(), Refusal> {
        if self.leaving.contains(&id) {
            let message = format!("torrent {id} is just being removed; add it again in a moment");
            return Err(Refusal::new(message));
        }
        Ok(())
    }

    /// Takes a torrent off the list at once; its goodbyes and its files are the work of a task.
    fn remove(&mut self, torrent: TorrentId, data: RemoveData, reply: Reply) {
        let endangered = match data {
            RemoveData::Delete => self.owner_of_same_files(torrent),
            RemoveData::Keep => None,
        };
        if let Some(other) = endangered {
            let message = format!(
                "torrent {other} keeps files in the same place as {torrent}: its data would go too; remove it first, or \
                 remove this one without data"
            );
            reply.send(Err(Refusal::new(message)));
            return;
        }
        let (Some(member), Some(task)) = (self.directory.remove(torrent), self.drivers.remove(&torrent))
        else {
            reply.send(Err(no_such_torrent(torrent)));
            return;
        };
        self.leaving.insert(torrent);
        if self.watched == Some(torrent) {
            self.watched = None;
        }
        self.event(Some(torrent), EventKind::Removed);
        self.publish();
        let (adder, outcomes) = (self.adder.clone(), self.outcome_sender.clone());
        let leaving = async move {
            let _ = member.inbox.send(ToDriver::Input(Input::Command(TorrentCommand::Stop))).await;
            let _ = task.await;
            let answer = adder.forget(torrent, data, member.storage).await;
            let _ = outcomes.send(Outcome::Removed(torrent)).await;
            reply.send(answer.map(|()| Answer::Done));
        };
        inspect::spawn_for(torrent, format!("remove {torrent}"), leaving).detach();
    }

    fn owner_of_same_files(&self, torrent: TorrentId) -> Option<TorrentId> {
        let storage = self.directory.member(torrent)?.storage?;
        inspect::aside(|| self.directory.sharing_files(torrent, &storage))
    }

    async fn watch(&mut self, torrent: Option<TorrentId>) {
        for (id, watch) in [(self.watched.take(), Watch::Off), (torrent, Watch::On)] {
            if let Some(inbox) = id.and_then(|id| self.directory.inbox(id)) {
                let _ = inbox.send(ToDriver::Watch(watch)).await;
            }
        }
        self.watched = torrent;
    }

    /// Lets every torrent say goodbye, within a bound.
    async fn shut_down(&mut self) {
        let tasks = std::mem::take(&mut self.drivers);
        for (_, member) in self.directory.members() {
            let _ = member.inbox.send(ToDriver::Input(Input::Command(TorrentCommand::Stop))).await;
        }
        let all = async {
            for task in tasks.into_values() {
                let _ = task.await;
            }
        };
        if inspect::timeout(limits::SHUTDOWN_GRACE, all).await.is_err() {
            self.notice(
                Severity::Warning,
                "some torrents did not end in time; their last seconds may be lost",
            );
        }
        self.publish();
    }

    fn notice(&self, severity: Severity, message: impl Into<String>) {
        self.event(None, EventKind::Notice { severity, message: Untrusted::new(message) });
    }

    fn event(&self, torrent: Option<TorrentId>, kind: EventKind) {
        self.ends.events.tell(&Event { at: self.shared.clock.now(), torrent, kind });
    }
}

fn no_such_torrent(torrent: TorrentId) -> Refusal {
    Refusal::new(format!("no torrent {torrent} in the list; `unchoke ctl list` shows what is there"))
}
