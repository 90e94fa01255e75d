//! From a source to a torrent that can start: read, understood, compared with the store and the disk.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::asking::levels;
use super::magnets::PreparedMagnet;
use crate::contract::{
    AddRequest, Answer, FilePreview, OrderChange, Priority, PriorityChange, Refusal, RemoveData, Source,
    StartState, TorrentPreview, Untrusted, WebseedKind, WebseedOrigin,
};
use crate::engine::NamedWebseed;
use crate::engine::io::ResumeRecord;
use crate::engine::torrent::{Origin, Policy, Setup, StartingPoint, Torrent, WhenComplete};
use crate::inspect;
use crate::limits;
use crate::metainfo::{self, Info, Metainfo};
use crate::session::clock::unix_s;
use crate::session::directory::Directory;
use crate::session::discovery::{Http, fetch_torrent};
use crate::session::disk::{FileStamp, Job, Storage, Wanted};
use crate::session::driver::{self, Shared};
use crate::session::settings::{Settings, Switch};
use crate::session::store::{
    Change, LoadedResume, SavedResume, SavedSource, SavedTorrent, Stored, untrusted_files,
};
use crate::units::{FileIndex, PieceIndex, TorrentId};

/// A torrent that can start.
pub(super) struct Prepared {
    pub(super) torrent: Torrent,
    pub(super) storage: Arc<Storage>,
    pub(super) comment: Option<Untrusted>,
    pub(super) added_unix_s: u64,
    pub(super) peers: Vec<std::net::SocketAddr>,
    /// Trackers beyond the torrent's own.
    pub(super) trackers: Vec<String>,
    /// Webseeds beyond the torrent's own; the torrent has them already, one that runs has not.
    pub(super) webseeds: Vec<String>,
    /// What whoever adds it wishes of its order; the torrent has it already, a magnet that it takes over from has not.
    pub(super) order: OrderChange,
    /// Its place in the list, where it may have to be saved again.
    pub(super) saved: Option<Box<SavedTorrent>>,
}

/// What comes of a source.
pub(super) enum Addition {
    Torrent(Box<Prepared>),
    Magnet(Box<PreparedMagnet>),
}

/// Makes torrents of sources. Cloned into each task that does so.
#[derive(Clone)]
pub(super) struct Adder {
    pub(super) shared: Shared,
    directory: Directory,
    http: Http,
    save_dir: PathBuf,
    policy: Policy,
    pub(super) trackers: Switch,
    when_complete: WhenComplete,
    pub(super) listen_port: u16,
    pub(super) announce_key: u32,
    seed: u64,
}

/// What is known of how a torrent is to begin, beside its metainfo.
pub(super) struct Wishes {
    pub(super) save_dir: PathBuf,
    pub(super) trackers: Vec<String>,
    /// Webseeds beyond the torrent's own.
    pub(super) webseeds: Vec<String>,
    pub(super) added_unix_s: u64,
    pub(super) resume: Option<SavedResume>,
    pub(super) priorities: Vec<PriorityChange>,
    pub(super) order: OrderChange,
    pub(super) start: Option<StartState>,
}

impl Adder {
    pub(super) fn new(
        settings: &Settings,
        shared: Shared,
        directory: Directory,
        http: Http,
        (listen_port, mut rng): (u16, fastrand::Rng),
    ) -> Self {
        Self {
            shared,
            directory,
            http,
            save_dir: settings.save_dir.clone(),
            policy: Policy {
                check: settings.check,
                trust: settings.trust_store,
                assume: settings.assume,
                ask_webseeds: settings.webseeds == Switch::On,
            },
            trackers: settings.trackers,
            when_complete: match settings.seed {
                Switch::On => WhenComplete::Seed,
                Switch::Off => WhenComplete::Pause,
            },
            listen_port,
            announce_key: rng.u32(..),
            seed: rng.u64(..),
        }
    }

    /// Reads a new torrent and puts it on the saved list; a magnet is put there when its fetch begins.
    pub(super) async fn prepare(&self, mut request: AddRequest) -> Result<Addition, Refusal> {
        let source = match std::mem::replace(&mut request.source, Source::Bytes(Vec::new())) {
            Source::Magnet(link) => {
                let prepared = self.prepare_magnet(link, request).await?;
                return Ok(Addition::Magnet(Box::new(prepared)));
            }
            source @ (Source::Path(_) | Source::Url(_) | Source::Bytes(_)) => source,
        };
        let metainfo = inspect::frame("read the torrent", self.read(source)).await?;
        let id = metainfo.info.id();
        let save_dir = inspect::frame("look at the folder", self.save_dir_of(request.save_dir)).await?;
        let (resume, _damaged) = self.load_resume(id).await?;
        let raw = metainfo.raw.clone();
        let wishes = Wishes {
            save_dir: save_dir.clone(),
            trackers: request.trackers.clone(),
            webseeds: request.webseeds.clone(),
            added_unix_s: unix_s(),
            resume,
            priorities: request.priorities,
            order: request.order,
            start: Some(request.start),
        };
        let mut prepared = inspect::frame("look at the files", self.torrent(metainfo, wishes)).await?;
        let saved = SavedTorrent {
            source: SavedSource::Torrent(raw),
            save_dir,
            added_unix_ms: prepared.added_unix_s * 1000,
            trackers: request.trackers.clone(),
        };
        // One that runs keeps what it was saved with: its folder is not moved by adding it again.
        if self.directory.member(id).is_none_or(|member| member.storage.is_none()) {
            let put = self.shared.store.apply(Change::PutTorrent(id, Box::new(saved.clone())));
            let put = inspect::frame("save it in the list", put).await;
            put.map_err(|error| Refusal::new(error.to_string()))?;
        }
        prepared.saved = Some(Box::new(saved));
        prepared.peers = request.peers;
        prepared.trackers = request.trackers;
        prepared.webseeds = request.webseeds;
        Ok(Addition::Torrent(Box::new(prepared)))
    }

    /// The folder to save into, known to be writable.
    pub(super) async fn save_dir_of(&self, wanted: Option<PathBuf>) -> Result<PathBuf, Refusal> {
        let save_dir = wanted.unwrap_or_else(|| self.save_dir.clone());
        let probe = save_dir.clone();
        let writable = inspect::spawn_blocking("look at the save folder", move || check_writable(&probe));
        writable.await.map_err(|error| Refusal::new(error.to_string()))??;
        Ok(save_dir)
    }

    pub(super) async fn load_resume(&self, id: TorrentId) -> Result<LoadedResume, Refusal> {
        self.shared.store.load_resume(id).await.map_err(|error| Refusal::new(error.to_string()))
    }

    /// Brings a torrent of the saved list back.
    pub(super) async fn restore(&self, stored: Stored) -> Result<Addition, Refusal> {
        let bytes = match &stored.torrent.source {
            SavedSource::Torrent(bytes) => bytes.clone(),
            SavedSource::Magnet(magnet) => {
                let prepared = self.restore_magnet(magnet.clone(), stored.torrent, stored.resume)?;
                return Ok(Addition::Magnet(Box::new(prepared)));
            }
        };
        let SavedTorrent { source: _, save_dir, added_unix_ms, trackers } = stored.torrent;
        let metainfo = self.parse("a torrent of the saved list", bytes).await?;
        let wishes = Wishes {
            save_dir,
            trackers,
            webseeds: Vec::new(),
            added_unix_s: added_unix_ms / 1000,
            resume: stored.resume,
            priorities: Vec::new(),
            order: OrderChange::default(),
            start: None,
        };
        Ok(Addition::Torrent(Box::new(self.torrent(metainfo, wishes).await?)))
    }

    /// Says what a source holds.
    pub(super) async fn preview(&self, source: Source) -> Result<Answer, Refusal> {
        if let Source::Magnet(link) = &source {
            return Self::preview_magnet(link);
        }
        let metainfo = self.read(source).await?;
        let info = &metainfo.info;
        let files = info.file_indices().zip(&info.files).filter(|(_, file)| !file.pad);
        let preview = TorrentPreview {
            torrent: info.id(),
            name: info.name.clone(),
            total_bytes: info.payload_bytes(),
            piece_length: info.piece_length,
            pieces: info.piece_count(),
            private: info.private,
            files: files
                .map(|(index, file)| FilePreview {
                    index,
                    path: Untrusted::new(file.path.as_str()),
                    bytes: file.bytes,
                })
                .collect(),
        };
        Ok(Answer::Preview(Arc::new(preview)))
    }

    /// Takes a removed torrent out of the store, and its payload off the disk.
    pub(super) async fn forget(
        &self,
        torrent: TorrentId,
        data: RemoveData,
        storage: Option<Arc<Storage>>,
    ) -> Result<(), Refusal> {
        let removed = self.shared.store.apply(Change::Remove(torrent)).await;
        removed.map_err(|error| Refusal::new(error.to_string()))?;
        if let Some(storage) = storage.filter(|_| data == RemoveData::Delete) {
            let deleted = driver::ask(&self.shared.disk, |done| Job::delete(storage, done)).await;
            deleted.map_err(|error| Refusal::new(error.message.shown()))?;
        }
        Ok(())
    }

    async fn read(&self, source: Source) -> Result<Metainfo, Refusal> {
        let (shown, bytes) = match source {
            Source::Path(path) => {
                let shown = format!("'{}'", path.display());
                let reading = inspect::spawn_blocking("read a .torrent file", move || read_file(&path));
                (shown, reading.await.map_err(|error| Refusal::new(error.to_string()))??)
            }
            Source::Url(url) => {
                let bytes = fetch_torrent(&self.http, &url).await;
                let shown = crate::contract::redact_url(&url).shown();
                (shown, bytes.map_err(|error| Refusal::new(error.to_string()))?)
            }
            Source::Bytes(bytes) => ("the torrent given".to_owned(), bytes),
            Source::Magnet(_) => {
                return Err(Refusal::new("a magnet link has no torrent until peers send it"));
            }
        };
        self.parse(&shown, bytes.into()).await
    }

    /// Understands the bytes of a .torrent file; `shown` is what people know it by.
    pub(super) async fn parse(&self, shown: &str, bytes: Bytes) -> Result<Metainfo, Refusal> {
        let parsing = inspect::spawn_blocking("parse a torrent", move || {
            let parsed = metainfo::parse(bytes);
            let unverifiable = parsed.as_ref().is_ok_and(|metainfo| {
                let mut pieces = (0..metainfo.info.piece_count()).map(PieceIndex);
                pieces.any(|piece| metainfo.info.verifier(piece).is_none())
            });
            parsed.map(|metainfo| (metainfo, unverifiable))
        });
        let parsed = parsing.await.map_err(|error| Refusal::new(error.to_string()))?;
        let (metainfo, unverifiable) = parsed.map_err(|error| {
            let message =
                format!("{shown} is not a valid torrent: {error}; get the file again from its source");
            Refusal::new(Untrusted::new(message).shown())
        })?;
        if unverifiable {
            let message = format!(
                "{shown} has no piece layers (BEP 52), and fetching them from peers is not built yet; \
                 use a .torrent file that has them"
            );
            return Err(Refusal::new(message));
        }
        Ok(metainfo)
    }

    pub(super) async fn torrent(&self, metainfo: Metainfo, mut wishes: Wishes) -> Result<Prepared, Refusal> {
        let Metainfo { info, trackers, comment, webseeds, httpseeds, .. } = metainfo;
        let save_dir = wishes.save_dir.clone();
        let storage =
            inspect::aside(|| Arc::new(Storage::new(Arc::clone(&info), save_dir, &self.shared.disk)));
        let found = driver::stamps(&self.shared.disk, Arc::clone(&storage)).await;
        let found = found.map_err(|error| Refusal::new(error.message.shown()))?;
        let mut start = inspect::aside(|| starting_point(&info, &found, &mut wishes))?;
        let kept = driver::ask(&self.shared.disk, |done| Job::kept_apart(Arc::clone(&storage), done)).await;
        start.kept_apart = kept.map_err(|error| Refusal::new(error.message.shown()))?;
        for (file, level) in
            (0u32..).map(FileIndex).zip(start.record.iter().flat_map(|record| &record.priorities))
        {
            storage.set_wanted(file, if *level == Priority::Off { Wanted::No } else { Wanted::Yes });
        }
        let tiers = match self.trackers {
            Switch::On => {
                trackers.into_iter().chain(wishes.trackers.into_iter().map(|url| vec![url])).collect()
            }
            Switch::Off => Vec::new(),
        };
        let seed = self.seed_of(info.id());
        let setup = Setup {
            info,
            trackers: tiers,
            webseeds: named_webseeds(webseeds, httpseeds),
            peer_id: self.shared.peer_id,
            listen_port: self.listen_port,
            announce_key: self.announce_key,
            start,
            policy: self.policy,
            when_complete: self.when_complete,
            seed,
        };
        let now = self.shared.clock.now();
        let making = inspect::spawn_blocking("make a torrent's pieces", move || Torrent::new(now, setup));
        let torrent = making.await.map_err(|error| Refusal::new(error.to_string()))?;
        let added_unix_s = wishes.added_unix_s;
        Ok(Prepared {
            torrent,
            storage,
            comment,
            added_unix_s,
            peers: Vec::new(),
            trackers: Vec::new(),
            webseeds: Vec::new(),
            order: wishes.order,
            saved: None,
        })
    }

    /// Seeds what is random in a torrent of this run.
    pub(super) fn seed_of(&self, id: TorrentId) -> u64 {
        self.seed ^ u64::from_le_bytes(id.0[..8].try_into().unwrap_or_default())
    }
}

/// The webseeds of a torrent or a magnet, in its order (BEP 19, then BEP 17).
fn named_webseeds(url_list: Vec<String>, httpseeds: Vec<String>) -> Vec<NamedWebseed> {
    let named = |kind| move |url| NamedWebseed { url, kind, origin: WebseedOrigin::Torrent };
    let url_list = url_list.into_iter().map(named(WebseedKind::UrlList));
    url_list.chain(httpseeds.into_iter().map(named(WebseedKind::HttpSeed))).collect()
}

/// What the store and the disk say, with the wishes of whoever adds it on top.
fn starting_point(
    info: &Info,
    found: &[Option<FileStamp>],
    wishes: &mut Wishes,
) -> Result<StartingPoint, Refusal> {
    let files: Vec<(FileIndex, &str)> = info
        .file_indices()
        .zip(&info.files)
        .filter(|(_, file)| !file.pad)
        .map(|(index, file)| (index, file.path.as_str()))
        .collect();
    let (resume, start) = (wishes.resume.take(), wishes.start);
    let untrusted_files =
        resume.as_ref().map(|saved| untrusted_files(&saved.stamps, found)).unwrap_or_default();
    let mut record = resume.map(|saved| saved.record);
    if !wishes.priorities.is_empty() || start.is_some() {
        let record = record.get_or_insert_with(ResumeRecord::default);
        record.priorities.resize(info.files.len(), Priority::Normal);
        for (file, level) in levels(&wishes.priorities, &files)? {
            record.priorities[file.at()] = level;
        }
        record.order = wishes.order.applied_to(record.order);
        for url in std::mem::take(&mut wishes.webseeds) {
            if !record.webseeds.added.contains(&url) {
                record.webseeds.added.push(url);
            }
        }
        record.paused = start.map_or(record.paused, |start| start == StartState::Paused);
    }
    let bytes_on_disk = found.iter().map(|stamp| stamp.as_ref().map_or(0, |stamp| stamp.bytes)).collect();
    let origin = if start.is_some() { Origin::Added } else { Origin::Restored };
    Ok(StartingPoint { origin, record, untrusted_files, bytes_on_disk, kept_apart: BTreeSet::new() })
}

fn read_file(path: &Path) -> Result<Vec<u8>, Refusal> {
    let refuse = |error: &dyn std::fmt::Display, advice: &str| {
        Refusal::new(format!("cannot read the torrent file '{}': {error}; {advice}", path.display()))
    };
    let metadata = std::fs::metadata(path).map_err(|error| refuse(&error, "check the path"))?;
    if !metadata.is_file() {
        return Err(refuse(&"it is not a file", "give the path of a .torrent file"));
    }
    if metadata.len() > limits::TORRENT_BYTES_MAX as u64 {
        return Err(refuse(&"it is too large for a torrent file", "check the path"));
    }
    read_whole(path, metadata.len()).map_err(|error| refuse(&error, "check its permissions"))
}

/// Reads a file that may be large, giving way now and then: a system that does not interrupt a call of its own lets
/// nobody else have the processor until it ends.
fn read_whole(path: &Path, length: u64) -> std::io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(path)?;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    // One that grows meanwhile is no torrent file.
    while file.by_ref().take(limits::READ_AT_ONCE_BYTES).read_to_end(&mut bytes)? > 0 {
        if bytes.len() > limits::TORRENT_BYTES_MAX {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        inspect::give_way();
    }
    Ok(bytes)
}

/// Whether payload could be saved there; makes nothing.
fn check_writable(folder: &Path) -> Result<(), Refusal> {
    let refuse = |what: &Path, why: &dyn std::fmt::Display| {
        let message = format!(
            "cannot save into '{}': {}: {why}; choose another --dir",
            folder.display(),
            what.display()
        );
        Err(Refusal::new(message))
    };
    for existing in folder.ancestors() {
        let existing = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
        match std::fs::metadata(existing) {
            Ok(metadata) if !metadata.is_dir() => return refuse(existing, &"it is not a folder"),
            Ok(_) => {
                let may =
                    rustix::fs::access(existing, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
                return may.or_else(|error| refuse(existing, &std::io::Error::from(error)));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return refuse(existing, &error),
        }
    }
    Ok(())
}
