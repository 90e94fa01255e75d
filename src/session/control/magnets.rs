//! Magnets: from a link to a task that looks for its metadata, and from the metadata to the torrent that takes over.

use std::sync::Arc;

use bytes::Bytes;

use super::adding::{Adder, Prepared, Wishes};
use super::asking::levels;
use super::{Control, Outcome};
use crate::contract::{
    AddRequest, Answer, EventKind, FileChoice, OrderChange, PeerSource, Priority, PriorityChange, Refusal,
    Severity, StartState, TorrentPreview, TorrentState, Untrusted,
};
use crate::engine::io::{Input, TorrentCommand};
use crate::engine::metadata::{FetchSetup, MetadataFetch};
use crate::inspect;
use crate::metainfo::{Info, Magnet};
use crate::session::clock::unix_s;
use crate::session::directory::Member;
use crate::session::driver::{self, FetchParts, FetchProgress, Found, HandedOver, Parts, ToDriver};
use crate::session::settings::Switch;
use crate::session::store::{Change, SavedMagnet, SavedResume, SavedSource, SavedTorrent};
use crate::units::{FileIndex, TorrentId};

/// A magnet whose fetch can start.
pub(super) struct PreparedMagnet {
    parts: FetchParts,
}

/// What came of the metadata of one magnet.
pub(super) struct Resolved {
    /// The magnet's id, and its position in the list.
    from: TorrentId,
    number: u64,
    outcome: Result<Prepared, Refusal>,
}

impl Adder {
    /// Reads a new magnet. It is saved when its fetch begins.
    pub(super) async fn prepare_magnet(
        &self,
        link: String,
        request: AddRequest,
    ) -> Result<PreparedMagnet, Refusal> {
        let magnet = parse(&link)?;
        let save_dir = self.save_dir_of(request.save_dir).await?;
        let (mut resume, _damaged) = self.load_resume(magnet.id()).await?;
        if !request.webseeds.is_empty() {
            // The record keeps them until there is a torrent that asks them.
            let record = &mut resume.get_or_insert_default().record;
            record.webseeds.added.extend(request.webseeds);
        }
        let saved_magnet = SavedMagnet { link, wishes: request.priorities };
        let saved = SavedTorrent {
            source: SavedSource::Magnet(saved_magnet.clone()),
            save_dir,
            added_unix_ms: unix_s() * 1000,
            trackers: request.trackers,
        };
        let mut prepared =
            self.fetch(magnet, saved_magnet, saved, resume, Some((request.start, request.order)));
        let found = Input::PeersFound { source: PeerSource::Manual, addresses: request.peers };
        prepared.parts.fetch.handle(self.shared.clock.now(), found);
        Ok(prepared)
    }

    /// Brings a magnet of the saved list back.
    pub(super) fn restore_magnet(
        &self,
        saved_magnet: SavedMagnet,
        saved: SavedTorrent,
        resume: Option<SavedResume>,
    ) -> Result<PreparedMagnet, Refusal> {
        let magnet = parse(&saved_magnet.link)?;
        Ok(self.fetch(magnet, saved_magnet, saved, resume, None))
    }

    fn fetch(
        &self,
        magnet: Magnet,
        saved_magnet: SavedMagnet,
        saved: SavedTorrent,
        resume: Option<SavedResume>,
        wishes: Option<(StartState, OrderChange)>,
    ) -> PreparedMagnet {
        let (mut record, stamps) = resume.map(|saved| (saved.record, saved.stamps)).unwrap_or_default();
        if let Some((start, order)) = wishes {
            record.paused = start == StartState::Paused;
            record.order = order.applied_to(record.order);
        }
        let urls = magnet.trackers.iter().chain(&saved.trackers);
        let trackers = match self.trackers {
            Switch::On => urls.map(|url| vec![url.clone()]).collect(),
            Switch::Off => Vec::new(),
        };
        let setup = FetchSetup {
            trackers,
            peer_id: self.shared.peer_id,
            listen_port: self.listen_port,
            announce_key: self.announce_key,
            record,
            seed: self.seed_of(magnet.id()),
            magnet,
        };
        let fetch = MetadataFetch::new(self.shared.clock.now(), setup);
        PreparedMagnet { parts: FetchParts { fetch, saved, magnet: saved_magnet, stamps } }
    }

    /// Makes the torrent of the metadata that was found.
    async fn resolve(&self, found: Found) -> Result<Prepared, Refusal> {
        let Found { raw_info, magnet, saved } = found;
        let raw = Bytes::from(magnet.torrent_of(&raw_info));
        let metainfo = self.parse("the metadata that peers sent", raw.clone()).await?;
        let (resume, _damaged) = self.load_resume(magnet.id()).await?;
        let wishes = Wishes {
            save_dir: saved.save_dir.clone(),
            trackers: saved.trackers.clone(),
            webseeds: Vec::new(),
            added_unix_s: saved.added_unix_ms / 1000,
            resume,
            priorities: selected(&magnet, &metainfo.info),
            order: OrderChange::default(),
            start: None,
        };
        let mut prepared = self.torrent(metainfo, wishes).await?;
        prepared.saved = Some(Box::new(SavedTorrent { source: SavedSource::Torrent(raw), ..saved }));
        Ok(prepared)
    }

    /// What a link says of itself: its files are known when its metadata is here.
    pub(super) fn preview_magnet(link: &str) -> Result<Answer, Refusal> {
        let magnet = parse(link)?;
        let name = magnet.name.clone().unwrap_or_else(|| Untrusted::new(magnet.id().to_string()));
        Ok(Answer::Preview(Arc::new(TorrentPreview {
            torrent: magnet.id(),
            name,
            total_bytes: 0,
            piece_length: 0,
            pieces: 0,
            private: false,
            files: Vec::new(),
        })))
    }
}

impl Control {
    /// Starts looking for the metadata of a magnet, or merges what is new into the torrent that is there.
    pub(super) async fn begin_magnet(&mut self, prepared: PreparedMagnet) -> Result<Answer, Refusal> {
        let PreparedMagnet { parts } = prepared;
        let magnet = parts.fetch.magnet();
        let (id, swarms) = (magnet.id(), magnet.swarm_hashes());
        self.refuse_leaving(id)?;
        if let Some((torrent, member)) = self.directory.find(&swarms) {
            let trackers = magnet.trackers.iter().chain(&parts.saved.trackers).cloned().collect();
            let adding = Input::Command(TorrentCommand::AddTrackers(trackers));
            let _ = member.inbox.send(ToDriver::Input(adding)).await;
            // Its webseeds are not handed on: what is added to a torrent that runs counts as named by hand, and may be
            // where only we can reach it. A link from outside must not have that said for it.
            for (source, addresses) in parts.fetch.known_peers() {
                let _ = member.inbox.send(ToDriver::Input(Input::PeersFound { source, addresses })).await;
            }
            return Ok(Answer::Added { torrent, already: true });
        }
        let name = parts.fetch.name();
        let (ends, mut finds) = driver::start_fetch(self.shared.clone(), parts);
        let number = self.take_number();
        let (inbox, rows, details) = (ends.inbox, ends.rows, ends.details);
        self.directory.insert(id, Member { inbox, rows, details, storage: None, swarms, number });
        self.drivers.insert(id, ends.task);
        let (adder, outcomes) = (self.adder.clone(), self.outcome_sender.clone());
        let resolving = async move {
            while let Some(found) = finds.recv().await {
                let outcome = adder.resolve(found).await;
                let resolved = Resolved { from: id, number, outcome };
                if outcomes.send(Outcome::Resolved(Box::new(resolved))).await.is_err() {
                    return;
                }
            }
        };
        inspect::spawn(format!("torrent of magnet {}", name.shown()), resolving).detach();
        self.event(Some(id), EventKind::Added { name });
        self.publish();
        Ok(Answer::Added { torrent: id, already: false })
    }

    /// The metadata of a magnet became a torrent, or cannot.
    pub(super) async fn resolved(&mut self, resolved: Resolved) {
        let Resolved { from, number, outcome } = resolved;
        // It may have been removed meanwhile, and even added again.
        let Some(member) = self.directory.member(from).filter(|member| member.number == number) else {
            return;
        };
        if member.storage.is_some() {
            return;
        }
        match outcome {
            Ok(prepared) => self.take_over(from, member, prepared).await,
            Err(refusal) => {
                let refused = FetchProgress::Refused(refusal.message);
                let _ = member.inbox.send(ToDriver::Fetch(refused)).await;
            }
        }
    }

    /// A torrent takes the place of the magnet that it was known by.
    pub(super) async fn take_over(&mut self, from: TorrentId, member: Member, prepared: Prepared) {
        let handed = hand_over(&member).await;
        self.directory.remove(from);
        self.drivers.remove(&from);
        let Prepared { mut torrent, storage, comment, added_unix_s, saved, order, .. } = prepared;
        let (id, now) = (torrent.id(), self.shared.clock.now());
        self.save_resolved(from, id, saved).await;
        let watched = self.watched == Some(from);
        self.watched = self.watched.filter(|_| !watched);
        if let Some(inbox) = self.directory.inbox(id) {
            // A v2 link to a hybrid that is in the list by its v1 info-hash.
            for (source, addresses) in handed.peers {
                let _ = inbox.send(ToDriver::Input(Input::PeersFound { source, addresses })).await;
            }
            return self.publish();
        }
        for (source, addresses) in handed.peers {
            torrent.handle(now, Input::PeersFound { source, addresses });
        }
        let levels = self.fitting(id, torrent.info(), &handed.wishes);
        torrent.handle(now, Input::Command(TorrentCommand::SetPriority(levels)));
        if let Some(known) = handed.order {
            let order = TorrentCommand::SetOrder(order.applied_to(known));
            torrent.handle(now, Input::Command(order));
        }
        if handed.paused {
            torrent.handle(now, Input::Command(TorrentCommand::Pause));
        }
        self.event(Some(id), EventKind::State { from: TorrentState::Metadata, to: torrent.state() });
        if torrent.info().private {
            let message =
                Untrusted::new("it is private (BEP 27): from now on peers come from its trackers only");
            self.event(Some(id), EventKind::Notice { severity: Severity::Info, message });
        }
        let parts = Parts { torrent, storage, comment, added_unix_s };
        self.start_driver(parts, member.number);
        if watched {
            self.watch(Some(id)).await;
        }
        self.publish();
    }

    /// Puts the torrent into the store in the magnet's place. The order among other changes is fixed here.
    async fn save_resolved(&self, from: TorrentId, id: TorrentId, saved: Option<Box<SavedTorrent>>) {
        let put = saved.map(|saved| Change::PutTorrent(id, saved));
        let remove = (from != id).then_some(Change::Remove(from));
        for change in put.into_iter().chain(remove) {
            let answer = self.shared.store.hand_over(change).await;
            let (events, now) = (self.ends.events.clone(), self.shared.clock.now());
            let watching = async move {
                let failed = match answer {
                    Ok(answer) => answer.await.ok().and_then(Result::err),
                    Err(error) => Some(error),
                };
                if let Some(error) = failed {
                    let message = Untrusted::new(format!("the torrent of a magnet is not saved: {error}"));
                    let kind = EventKind::Notice { severity: Severity::Error, message };
                    events.tell(&crate::contract::Event { at: now, torrent: Some(id), kind });
                }
            };
            inspect::spawn(format!("save of {id}"), watching).detach();
        }
    }

    /// The levels that wishes mean now that the files are known; those that fit no file are told of and left out.
    fn fitting(&self, id: TorrentId, info: &Info, wishes: &[PriorityChange]) -> Vec<(FileIndex, Priority)> {
        let files = info.file_indices().zip(&info.files).filter(|(_, file)| !file.pad);
        let files: Vec<_> = files.map(|(index, file)| (index, file.path.as_str())).collect();
        let mut fitting = Vec::new();
        for wish in wishes {
            match levels(std::slice::from_ref(wish), &files) {
                Ok(levels) => fitting.extend(levels),
                Err(refusal) => {
                    let message = Untrusted::new(format!("a wish for files was left out: {refusal}"));
                    self.event(Some(id), EventKind::Notice { severity: Severity::Warning, message });
                }
            }
        }
        fitting
    }
}

/// What the driver of a magnet leaves behind; nothing where it ended by itself.
async fn hand_over(member: &Member) -> HandedOver {
    let (reply, handed) = inspect::reply("what a magnet hands over");
    let _ = member.inbox.send(ToDriver::Fetch(FetchProgress::HandOver(reply))).await;
    handed.await.unwrap_or_default()
}

/// The files that the link wants (BEP 53). A choice that meets none of them is no choice.
fn selected(magnet: &Magnet, info: &Info) -> Vec<PriorityChange> {
    let Some(selection) = &magnet.selection else { return Vec::new() };
    let wanted = |index: &FileIndex| selection.contains(*index) && !info.files[index.at()].pad;
    let wanted: Vec<FileIndex> = info.file_indices().filter(wanted).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    vec![
        PriorityChange { files: FileChoice::All, level: Priority::Off },
        PriorityChange { files: FileChoice::Indices(wanted), level: Priority::Normal },
    ]
}

fn parse(link: &str) -> Result<Magnet, Refusal> {
    Magnet::parse(link)
        .map_err(|error| Refusal::new(Untrusted::new(format!("not a usable magnet link: {error}")).shown()))
}
