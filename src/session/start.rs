//! Starting an engine: its folder, its port, its tasks.

use std::sync::Arc;

use tokio::net::TcpListener;

use super::budget::{self, ToBudget};
use super::clock::Clock;
use super::control::{Control, ControlParts};
use super::directory::Directory;
use super::discovery::{DiscoverySettings, Http, TrackerClient};
use super::disk::{DiskPool, descriptors};
use super::driver::Shared;
use super::handle::{EventHub, Handle};
use super::net::{self, BindError};
use super::remote::{self, ServeError};
use super::settings::{Restore, Settings, Switch};
use super::store::{StateDirError, StateDirLock, Store, StoreError, StoreHandle};
use super::webseed::{WebseedBounds, WebseedClient};
use crate::codec::peer_id;
use crate::contract::{Event, EventKind};
use crate::inspect;
use crate::limits;

/// Why an engine could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory is in use or cannot be made.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The state store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The port cannot be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The control socket cannot be opened.
    #[error(transparent)]
    Control(#[from] ServeError),
    /// The system gives no threads.
    #[error("cannot start a thread: {0}; raise the limit on threads (ulimit -u)")]
    Threads(#[from] std::io::Error),
}

/// A running engine. Dropping it leaves the engine running; wait for [`Running::ended`] to let it save and close.
#[derive(Debug)]
pub struct Running {
    control: inspect::TaskHandle<()>,
    listeners: Vec<inspect::TaskHandle<()>>,
    server: remote::Server,
    dumps: remote::DumpServer,
    watchdog: inspect::Watchdog,
    store_closing: inspect::ReplyReceiver<()>,
    lock: StateDirLock,
}

impl Running {
    /// Waits until the engine has ended (`Command::Shutdown`), then gives up port, socket and folder.
    pub async fn ended(self) -> Result<(), inspect::TaskEnded> {
        let Self { control, listeners, server, dumps, watchdog, store_closing, lock } = self;
        let result = control.await;
        listeners.iter().for_each(inspect::TaskHandle::abort);
        drop((server, dumps));
        drop(watchdog);
        // The next engine of this folder may open the store at once.
        let _ = inspect::timeout(limits::SHUTDOWN_GRACE, store_closing).await;
        drop(lock);
        result
    }
}

/// Limits set by hand in an earlier run go on where the list does, unless this run names others.
fn with_saved_limits(settings: Settings, store: &mut Store) -> Result<Settings, StoreError> {
    if settings.restore == Restore::Nothing {
        return Ok(settings);
    }
    let saved = store.load_limits()?;
    let (down_limit, up_limit) = (settings.down_limit.or(saved.down), settings.up_limit.or(saved.up));
    Ok(Settings { down_limit, up_limit, ..settings })
}

/// Lets every front end hear of what does not go on, from a thread that no task can hold.
fn watch_over(clock: Clock, events: EventHub) -> std::io::Result<inspect::Watchdog> {
    inspect::watch_over(inspect::Bounds::default(), move |told| {
        let (torrent, kind) = match told {
            inspect::Told::Began(stuck) => (stuck.torrent(), EventKind::Stuck(stuck)),
            inspect::Told::Ended(stuck) => (stuck.torrent(), EventKind::Unstuck(stuck)),
        };
        events.tell(&Event { at: clock.now(), torrent, kind });
    })
}

/// Starts an engine.
pub async fn start(settings: Settings) -> Result<(Handle, Running), StartError> {
    let (handle, running, _) = start_with_directory(settings).await?;
    Ok((handle, running))
}

/// As [`start`], with the way to each torrent's owner.
pub(in crate::session) async fn start_with_directory(
    settings: Settings,
) -> Result<(Handle, Running, Directory), StartError> {
    let lock = StateDirLock::acquire(&settings.state_dir)?;
    let listeners = net::bind(settings.bind, settings.port)?;
    let listen_port =
        listeners.first().map(TcpListener::local_addr).transpose()?.map_or(0, |address| address.port());
    let mut store = Store::open(lock.dir())?;
    let (stored, damaged) = store.load_all()?;
    let settings = with_saved_limits(settings, &mut store)?;
    let (handle, ends) = Handle::new(listen_port);
    let clock = Clock::start();
    let watchdog = watch_over(clock, ends.events.clone())?;
    let connections = budget::connections_max(descriptors());
    let (budget, budget_inbox) = inspect::channel("what the budget is told", limits::BUDGET_QUEUE);
    inspect::spawn("budget", budget::run(budget_inbox, clock, ends.events.clone(), connections)).detach();
    let limits_say = ToBudget::Limits(settings.down_limit, settings.up_limit);
    let _ = budget.send(limits_say).await;
    let bind = (!settings.bind.is_unspecified()).then_some(settings.bind);
    let http = Http::new(DiscoverySettings { bind, ..DiscoverySettings::default() });
    let mut rng = fastrand::Rng::new();
    let (nudge, nudges) = inspect::channel("a torrent changed state", 1);
    let (store, store_closing) = StoreHandle::start(store)?;
    let (debug, debug_reader) = inspect::watch("debug switch", settings.debug == Switch::On);
    let shared = Shared {
        clock,
        debug: debug_reader,
        bind: settings.bind,
        peer_id: peer_id::ours(&mut rng),
        disk: Arc::new(DiskPool::start(DiskPool::default_threads())?),
        store,
        connections_max: connections,
        trackers: TrackerClient::new(http.clone()),
        webseeds: WebseedClient::new(&http, WebseedBounds::default()),
        budget,
        events: ends.events.clone(),
        nudge,
    };
    let directory = Directory::new();
    let listen = |listener: TcpListener| {
        let family =
            if listener.local_addr().is_ok_and(|address| address.is_ipv6()) { "IPv6" } else { "IPv4" };
        let listening = net::listen(listener, directory.clone(), shared.peer_id);
        inspect::spawn(format!("port {listen_port}: accept {family}"), listening)
    };
    let listeners = listeners.into_iter().map(listen).collect();
    let server = remote::serve(lock.dir(), handle.clone())?;
    let dumps = remote::serve_dumps(lock.dir(), handle.clone())?;
    let stored = if settings.restore == Restore::SavedList { stored } else { Vec::new() };
    let reached = directory.clone();
    let parts = ControlParts { settings, shared, directory, http, ends, nudges, debug, listen_port, rng };
    let control = Control::new(parts, stored, damaged);
    let control = inspect::spawn("control", control.run());
    let running = Running { control, listeners, server, dumps, watchdog, store_closing, lock };
    Ok((handle, running, reached))
}
