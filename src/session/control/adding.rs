//! From a source to a torrent that can start: read, understood, compared with the store and the disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::asking::levels;
use crate::contract::{
    AddRequest, Answer, FilePreview, Priority, PriorityChange, Refusal, RemoveData, Source, StartState,
    TorrentPreview, Untrusted,
};
use crate::engine::io::ResumeRecord;
use crate::engine::torrent::{Policy, Setup, StartingPoint, Torrent, WhenComplete};
use crate::inspect;
use crate::limits;
use crate::metainfo::magnet::Magnet;
use crate::metainfo::{self, Info, Metainfo};
use crate::session::clock::unix_s;
use crate::session::discovery::{Http, fetch_torrent};
use crate::session::disk::{FileStamp, Job, Storage};
use crate::session::driver::{self, Shared};
use crate::session::settings::{Settings, Switch};
use crate::session::store::{Change, SavedResume, SavedSource, SavedTorrent, Stored, untrusted_files};
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
}

/// Makes torrents of sources. Cloned into each task that does so.
#[derive(Clone)]
pub(super) struct Adder {
    shared: Shared,
    http: Http,
    save_dir: PathBuf,
    policy: Policy,
    trackers: Switch,
    when_complete: WhenComplete,
    listen_port: u16,
    announce_key: u32,
    seed: u64,
}

/// What is known of how a torrent is to begin, beside its metainfo.
struct Wishes {
    save_dir: PathBuf,
    trackers: Vec<String>,
    added_unix_s: u64,
    resume: Option<SavedResume>,
    priorities: Vec<PriorityChange>,
    start: Option<StartState>,
}

impl Adder {
    pub(super) fn new(
        settings: &Settings,
        shared: Shared,
        http: Http,
        listen_port: u16,
        mut rng: fastrand::Rng,
    ) -> Self {
        Self {
            shared,
            http,
            save_dir: settings.save_dir.clone(),
            policy: Policy { check: settings.check, trust: settings.trust_store },
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

    /// Reads a new torrent and puts it on the saved list.
    pub(super) async fn prepare(&self, request: AddRequest) -> Result<Prepared, Refusal> {
        let metainfo = self.read(request.source).await?;
        let id = metainfo.info.id();
        let save_dir = request.save_dir.unwrap_or_else(|| self.save_dir.clone());
        let probe = save_dir.clone();
        let writable = inspect::spawn_blocking("look at the save folder", move || check_writable(&probe));
        writable.await.map_err(|error| Refusal::new(error.to_string()))??;
        let (resume, _damaged) =
            self.shared.store.load_resume(id).await.map_err(|error| Refusal::new(error.to_string()))?;
        let raw = metainfo.raw.to_vec();
        let wishes = Wishes {
            save_dir: save_dir.clone(),
            trackers: request.trackers.clone(),
            added_unix_s: unix_s(),
            resume,
            priorities: request.priorities,
            start: Some(request.start),
        };
        let mut prepared = self.torrent(metainfo, wishes).await?;
        let saved = SavedTorrent {
            source: SavedSource::Torrent(raw),
            save_dir,
            added_unix_ms: prepared.added_unix_s * 1000,
            trackers: request.trackers.clone(),
        };
        let put = self.shared.store.apply(Change::PutTorrent(id, Box::new(saved))).await;
        put.map_err(|error| Refusal::new(error.to_string()))?;
        prepared.peers = request.peers;
        prepared.trackers = request.trackers;
        Ok(prepared)
    }

    /// Brings a torrent of the saved list back.
    pub(super) async fn restore(&self, stored: Stored) -> Result<Prepared, Refusal> {
        let SavedTorrent { source, save_dir, added_unix_ms, trackers } = stored.torrent;
        let source = match source {
            SavedSource::Torrent(bytes) => Source::Bytes(bytes),
            SavedSource::Magnet(link) => Source::Magnet(link),
        };
        let metainfo = self.read(source).await?;
        let wishes = Wishes {
            save_dir,
            trackers,
            added_unix_s: added_unix_ms / 1000,
            resume: stored.resume,
            priorities: Vec::new(),
            start: None,
        };
        self.torrent(metainfo, wishes).await
    }

    /// Says what a source holds.
    pub(super) async fn preview(&self, source: Source) -> Result<Answer, Refusal> {
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
        storage: Arc<Storage>,
    ) -> Result<(), Refusal> {
        let removed = self.shared.store.apply(Change::Remove(torrent)).await;
        removed.map_err(|error| Refusal::new(error.to_string()))?;
        if data == RemoveData::Delete {
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
            Source::Magnet(link) => return Err(magnet_refusal(&link)),
        };
        let parsing = inspect::spawn_blocking("parse a torrent", move || metainfo::parse(Bytes::from(bytes)));
        let parsed = parsing.await.map_err(|error| Refusal::new(error.to_string()))?;
        let metainfo = parsed.map_err(|error| {
            let message =
                format!("{shown} is not a valid torrent: {error}; get the file again from its source");
            Refusal::new(Untrusted::new(message).shown())
        })?;
        let info = Arc::clone(&metainfo.info);
        if (0..info.piece_count()).map(PieceIndex).any(|piece| info.verifier(piece).is_none()) {
            let message = format!(
                "{shown} has no piece layers (BEP 52), and fetching them from peers is not built yet; \
                 use a .torrent file that has them"
            );
            return Err(Refusal::new(message));
        }
        Ok(metainfo)
    }

    async fn torrent(&self, metainfo: Metainfo, wishes: Wishes) -> Result<Prepared, Refusal> {
        let Metainfo { info, trackers, comment, .. } = metainfo;
        let handles = Arc::clone(self.shared.disk.handles());
        let storage = Arc::new(Storage::new(Arc::clone(&info), wishes.save_dir, handles));
        let found = driver::stamps(&self.shared.disk, Arc::clone(&storage)).await;
        let found = found.map_err(|error| Refusal::new(error.message.shown()))?;
        let start = starting_point(&info, wishes.resume, &found, &wishes.priorities, wishes.start)?;
        let tiers = match self.trackers {
            Switch::On => {
                trackers.into_iter().chain(wishes.trackers.into_iter().map(|url| vec![url])).collect()
            }
            Switch::Off => Vec::new(),
        };
        let seed = self.seed ^ u64::from_le_bytes(info.id().0[..8].try_into().unwrap_or_default());
        let setup = Setup {
            info,
            trackers: tiers,
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
        Ok(Prepared { torrent, storage, comment, added_unix_s, peers: Vec::new(), trackers: Vec::new() })
    }
}

/// What the store and the disk say, with the wishes of whoever adds it on top.
fn starting_point(
    info: &Info,
    resume: Option<SavedResume>,
    found: &[Option<FileStamp>],
    priorities: &[PriorityChange],
    start: Option<StartState>,
) -> Result<StartingPoint, Refusal> {
    let files: Vec<(FileIndex, &str)> = info
        .file_indices()
        .zip(&info.files)
        .filter(|(_, file)| !file.pad)
        .map(|(index, file)| (index, file.path.as_str()))
        .collect();
    let untrusted_files =
        resume.as_ref().map(|saved| untrusted_files(&saved.stamps, found)).unwrap_or_default();
    let mut record = resume.map(|saved| saved.record);
    if !priorities.is_empty() || start.is_some() {
        let record = record.get_or_insert_with(ResumeRecord::default);
        record.priorities.resize(info.files.len(), Priority::Normal);
        for (file, level) in levels(priorities, &files)? {
            record.priorities[file.at()] = level;
        }
        record.paused = start.map_or(record.paused, |start| start == StartState::Paused);
    }
    let bytes_on_disk = found.iter().map(|stamp| stamp.as_ref().map_or(0, |stamp| stamp.bytes)).collect();
    Ok(StartingPoint { record, untrusted_files, bytes_on_disk })
}

fn magnet_refusal(link: &str) -> Refusal {
    match Magnet::parse(link) {
        Ok(_) => Refusal::new(
            "magnet links need metadata from peers, which is not built yet; add the .torrent file or its URL",
        ),
        Err(error) => Refusal::new(Untrusted::new(format!("not a usable magnet link: {error}")).shown()),
    }
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
    std::fs::read(path).map_err(|error| refuse(&error, "check its permissions"))
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
