//! An engine in this process, as the front ends start, fill and stop it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};

use super::UsageError;
use super::args::{CheckChoice, EngineOptions, FileLevel, YesNo, priority_changes};
use super::config::Effective;
use super::dump::{SignalDumps, Telling, write_dump};
use super::output::complain;
use super::signals::Signals;
use super::source;
use super::urls::{WEBSEED_SCHEMES, check_urls};
use crate::contract::{
    AddRequest, Answer, Assume, CheckPolicy, Command, Severity, Source, StartState, StoreTrust, TorrentRow,
    TorrentState, Untrusted, choose_files, redact_url,
};
use crate::inspect;
use crate::limits::SHUTDOWN_MAX;
use crate::metainfo::Metainfo;
use crate::session::diagnostics::{self, Bound, Diagnostics, DiagnosticsError};
use crate::session::{self, Handle, Restore, Running, Settings, Switch};
use crate::units::TorrentId;

/// A running engine.
pub(super) struct Engine {
    /// How to talk to it.
    pub(super) handle: Handle,
    running: Running,
    state_dir: PathBuf,
}

/// What a front end keeps beside its engine for those who look for a fault; it ends when this is dropped.
pub(super) struct Watched {
    _diagnostics: Option<Diagnostics>,
    _dumps: SignalDumps,
}

impl Engine {
    /// Starts one.
    pub(super) async fn start(settings: Settings) -> anyhow::Result<Self> {
        let state_dir = settings.state_dir.clone();
        let (handle, running) = session::start(settings).await?;
        Ok(Self { handle, running, state_dir })
    }

    /// Serves diagnostics, where a socket for it was opened, and writes dumps on SIGUSR1. `telling` says whether people
    /// read standard error.
    pub(super) fn watch(&self, diagnostics: Option<Bound>, telling: Telling) -> anyhow::Result<Watched> {
        let diagnostics = diagnostics.map(|bound| bound.serve(self.handle.clone())).transpose()?;
        if let Some(diagnostics) = &diagnostics {
            let message = format!("diagnostics at http://{}/", diagnostics.address());
            if telling == Telling::StandardErrorToo {
                complain("note", &message);
            }
            self.handle.tell(Severity::Info, message);
        }
        let dumps = SignalDumps::start(&self.state_dir, self.handle.clone(), telling);
        let dumps = dumps.context("cannot listen for SIGUSR1")?;
        Ok(Watched { _diagnostics: diagnostics, _dumps: dumps })
    }

    /// Writes a dump as SIGUSR1 does and says into which file; for a thread that may block.
    pub(super) fn dumping(
        &self,
        folder: Option<PathBuf>,
    ) -> impl Fn() -> std::io::Result<PathBuf> + Send + Sync + 'static {
        let (folder, handle) = (folder.unwrap_or_else(|| PathBuf::from(".")), self.handle.clone());
        move || write_dump(&folder, &handle)
    }

    /// Adds torrents; the first that fails ends it.
    pub(super) async fn add(&self, requests: Vec<AddRequest>) -> anyhow::Result<Vec<TorrentId>> {
        let mut added = Vec::with_capacity(requests.len());
        for request in requests {
            let name = source_name(&request.source);
            let answer = self.handle.request(Command::Add(Box::new(request))).await;
            match answer.with_context(|| format!("cannot add {name}"))? {
                Answer::Added { torrent, .. } => added.push(torrent),
                other => bail!("adding {name} was answered with {other:?}: please report this"),
            }
        }
        Ok(added)
    }

    /// Asks it to save, to say goodbye and to end. A signal while it does so ends the wait: the user insists.
    pub(super) async fn stop(self, signals: &mut Signals) -> anyhow::Result<()> {
        let end = async {
            // An engine that ended by itself cannot be asked, and need not be.
            let _ = self.handle.request(Command::Shutdown).await;
            self.running.ended().await
        };
        tokio::select! {
            ended = end => ended.context("the engine ended badly; please report this"),
            _ = signals.next() => bail!("stopped at once: the last records may not be saved"),
            () = inspect::sleep(SHUTDOWN_MAX) => {
                bail!("the engine did not end within {} s: the last records may not be saved", SHUTDOWN_MAX.as_secs())
            }
        }
    }
}

/// Opens the socket for diagnostics, before anything else is begun: what cannot be had is said at once.
pub(super) fn bind_diagnostics(address: Option<SocketAddr>) -> anyhow::Result<Option<Bound>> {
    match address.map(diagnostics::bind).transpose() {
        Ok(bound) => Ok(bound),
        Err(error @ DiagnosticsError::NotLoopback(_)) => Err(UsageError(error.to_string()).into()),
        Err(error) => Err(error.into()),
    }
}

/// What the words and the options ask to add. Nothing is asked of the engine if one of them is no torrent, or if a
/// `--file` fits nothing; with several torrents it need not fit each of them.
pub(super) fn add_requests(words: &[String], options: &EngineOptions) -> anyhow::Result<Vec<AddRequest>> {
    check_urls("--webseed", &options.webseed, WEBSEED_SCHEMES)?;
    let sources: Vec<_> = words.iter().map(|word| source::check(word)).collect::<Result<_, _>>()?;
    let fits = |file: &FileLevel, torrent: &Option<Metainfo>| {
        torrent.as_ref().is_none_or(|torrent| {
            let files = torrent.info.files.iter().filter(|file| !file.pad);
            !choose_files(&file.glob, files.map(|file| file.path.as_str())).is_empty()
        })
    };
    let is_vain = |file: &&FileLevel| !sources.iter().any(|(_, torrent)| fits(file, torrent));
    if let Some(file) = options.file.iter().find(is_vain).filter(|_| !sources.is_empty()) {
        bail!("--file: no file fits '{}'; `unchoke show SRC` lists them", Untrusted::new(file.glob.as_str()));
    }
    let request = |(source, torrent): &(Source, Option<Metainfo>)| {
        let files: Vec<_> = options.file.iter().filter(|file| fits(file, torrent)).cloned().collect();
        AddRequest {
            source: source.clone(),
            // Where payload goes is the engine's setting already.
            save_dir: None,
            priorities: priority_changes(&files),
            start: StartState::Running,
            order: options.order.change(),
            peers: options.peer.clone(),
            trackers: options.tracker.clone(),
            webseeds: options.webseed.clone(),
        }
    };
    Ok(sources.iter().map(request).collect())
}

/// A source as people know it.
fn source_name(source: &Source) -> Untrusted {
    match source {
        Source::Path(path) => Untrusted::new(path.to_string_lossy()),
        Source::Url(url) => redact_url(url),
        Source::Magnet(_) => Untrusted::new("the magnet link"),
        Source::Bytes(_) => Untrusted::new("the torrent"),
    }
}

/// Refuses what cannot be had, where going on would do something else than was asked.
pub(super) fn check_available(options: &EngineOptions) -> Result<(), super::UsageError> {
    match options.refusal() {
        Some(why) => Err(super::UsageError(why.to_owned())),
        None => Ok(()),
    }
}

/// The session's settings for what is in force.
pub(super) fn settings(effective: Effective, seed: Switch, restore: Restore) -> Settings {
    let Effective {
        save_dir,
        state_dir,
        bind,
        port,
        check,
        assume_complete,
        trust_store,
        down,
        up,
        trackers,
        webseeds,
        seed: _,
        diagnostics: _,
    } = effective;
    Settings {
        assume: match assume_complete {
            YesNo::Yes => Assume::Complete,
            YesNo::No => Assume::Nothing,
        },
        state_dir,
        save_dir,
        bind,
        port,
        check: match check {
            CheckChoice::Auto => CheckPolicy::Auto,
            CheckChoice::Never => CheckPolicy::Never,
            CheckChoice::Always => CheckPolicy::Always,
        },
        trust_store: match trust_store {
            YesNo::Yes => StoreTrust::Yes,
            YesNo::No => StoreTrust::No,
        },
        down_limit: down.0,
        up_limit: up.0,
        trackers: switch(trackers),
        webseeds: switch(webseeds),
        seed,
        debug: Switch::Off,
        restore,
    }
}

/// Whether the options ask for comparisons of the engine's own state.
pub(super) const fn debug(options: &EngineOptions) -> Switch {
    if options.debug { Switch::On } else { Switch::Off }
}

/// A yes or no as the session takes it.
pub(super) const fn switch(choice: YesNo) -> Switch {
    match choice {
        YesNo::Yes => Switch::On,
        YesNo::No => Switch::Off,
    }
}

/// Whether all that is wanted of it is here and on disk.
pub(super) fn is_complete(row: &Arc<TorrentRow>) -> bool {
    match row.state {
        TorrentState::Seeding | TorrentState::Finished => true,
        TorrentState::Metadata
        | TorrentState::Checking
        | TorrentState::Downloading
        | TorrentState::Paused
        | TorrentState::Error => false,
    }
}
