//! `unchoke --demo`: a swarm on loopback over real sockets, in a temporary folder that goes when it ends.
//!
//! A tracker, seeds of different speed (engines of our own with upload limits), a peer that lies, a webseed, and an engine
//! that downloads what they share. On a terminal the UI shows that engine; elsewhere it is followed to its end.

mod chaos;
mod liar;
mod payload;
mod tracker;
mod webseed;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;

use super::Exit;
use super::args::{EngineOptions, FileLevel};
use super::download::{self, Goal, Plan, Report};
use super::dump::Telling;
use super::engine::{self, Engine};
use super::output::Output;
use super::screen;
use super::signals::Signals;
use crate::contract::{AddRequest, Priority};
use crate::inspect;
use crate::limits::DEMO_MAX;
use crate::session::{Restore, Settings, Switch};
use crate::units::Rate;
use payload::{LEFT_OUT, MappedPayload, WANTED_FIRST, WITH_WEBSEED};
use tracker::Tracker;
use webseed::Webseed;

/// What the seeds send at most, each: together some 40 seconds for all that is wanted.
const SEED_RATES: [Rate; 3] = [Rate(700_000), Rate(250_000), Rate(60_000)];

/// A tracker that nobody answers at: port 9 is "discard" and on loopback as good as always closed.
const DEAD_TRACKER: &str = "http://127.0.0.1:9/announce";

/// Runs the demo to its end. Of the options it follows `--diagnostics` and `--debug`.
pub(super) async fn run(options: &EngineOptions) -> anyhow::Result<Exit> {
    let diagnostics = engine::bind_diagnostics(options.diagnostics)?;
    let mut signals = Signals::new().context("cannot listen for signals")?;
    let mut output = Output::new();
    let folder = tempfile::Builder::new().prefix("unchoke-demo-").tempdir();
    let folder = folder.context("cannot make a temporary folder: is TMPDIR writable?")?;
    let mut swarm = Swarm::start(folder.path(), engine::debug(options)).await?;
    let on_terminal = screen::is_possible();
    let telling = if on_terminal { Telling::Events } else { Telling::StandardErrorToo };
    let watched = swarm.downloader.watch(diagnostics, telling)?;
    let outcome = match on_terminal {
        true => swarm.show().await,
        false => swarm.follow(folder.path(), &mut output, &mut signals).await,
    };
    drop(watched);
    // Made anew, because the screen has its own and leaves to these what it has seen already.
    let stopped = swarm.stop(&mut Signals::new().context("cannot listen for signals")?).await;
    // Said aloud, because a folder that stays is what a demo must not leave.
    folder.close().context("cannot remove the demo's folder")?;
    stopped.and(outcome)
}

/// Everything that runs in the demo.
struct Swarm {
    seeds: Vec<Engine>,
    downloader: Engine,
    /// What the downloader is to add.
    adds: Vec<AddRequest>,
    /// What trouble can be made of.
    trouble: Option<(MappedPayload, chaos::Failing)>,
}

impl Swarm {
    /// Makes the files and starts everything; the downloader has no torrents yet.
    async fn start(folder: &Path, debug: Switch) -> anyhow::Result<Self> {
        let tracker = Tracker::start().await.context("cannot listen on loopback")?;
        let webseed = Webseed::bind().await.context("cannot listen on loopback")?;
        let webseed_url = webseed.url()?;
        let payload_dir = folder.join("shared");
        let torrents = {
            let (payload_dir, torrent_dir) = (payload_dir.clone(), folder.to_owned());
            let trackers = [tracker.url(), DEAD_TRACKER.to_owned()];
            let make = move || payload::make(&payload_dir, &torrent_dir, &trackers, &webseed_url);
            inspect::spawn_blocking("demo: make the files", make).await??
        };
        let mut payloads = BTreeMap::new();
        for torrent in &torrents {
            let payload = MappedPayload::new(&torrent.info, &payload_dir)?;
            payloads.insert(torrent.info.id().0, Arc::new(payload));
        }
        let with_webseed = &torrents[WITH_WEBSEED].info;
        let failing = chaos::not_failing();
        webseed.serve(MappedPayload::new(with_webseed, &payload_dir)?, Arc::clone(&failing));
        let trouble = Some((MappedPayload::new(with_webseed, &payload_dir)?, failing));
        let liar = liar::start(payloads).await.context("cannot listen on loopback")?;
        let words: Vec<_> =
            torrents.iter().map(|torrent| torrent.path.to_string_lossy().into_owned()).collect();
        let mut seeds = Vec::with_capacity(SEED_RATES.len());
        for (number, rate) in SEED_RATES.into_iter().enumerate() {
            let state_dir = folder.join(format!("seed-{number}"));
            let settings = Settings { up_limit: Some(rate), ..settings(state_dir, payload_dir.clone()) };
            let seed = Engine::start(settings).await?;
            seed.add(engine::add_requests(&words, &EngineOptions::default())?).await?;
            seeds.push(seed);
        }
        let ports = seeds.iter().map(|seed| seed.handle.listen_port());
        let peers: Vec<_> =
            ports.map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).chain([liar]).collect();
        for torrent in &torrents {
            tracker.open(torrent.info.id().0, peers.iter().copied());
        }
        let settings = settings(folder.join("state"), folder.join("downloads"));
        let downloader = Engine::start(Settings { trackers: Switch::On, debug, ..settings }).await?;
        let level = |glob: &str, level| FileLevel { glob: glob.to_owned(), level };
        let file = vec![level(LEFT_OUT, Priority::Off), level(WANTED_FIRST, Priority::High)];
        let adds = engine::add_requests(&words, &EngineOptions { file, ..EngineOptions::default() })?;
        Ok(Self { seeds, downloader, adds, trouble })
    }

    /// Shows the downloader on the terminal until the user quits.
    async fn show(&mut self) -> anyhow::Result<Exit> {
        let handle = &self.downloader.handle;
        let chaos = self.trouble.take().map(|(payload, failing)| chaos::start(handle, payload, failing));
        screen::show(&self.downloader, std::mem::take(&mut self.adds), chaos, None).await
    }

    /// Says what it does, and follows the downloads to their end.
    async fn follow(
        &mut self,
        folder: &Path,
        output: &mut Output,
        signals: &mut Signals,
    ) -> anyhow::Result<Exit> {
        output.line(format_args!(
            "demo: {} torrents from {} slow seeds, a webseed and a lying peer, over loopback, in {}",
            self.adds.len(),
            self.seeds.len(),
            folder.display()
        ))?;
        output.line("it ends when all wanted files are complete, and removes its folder")?;
        let adds = std::mem::take(&mut self.adds);
        let plan = Plan { adds, goal: Goal::Complete, timeout: Some(DEMO_MAX) };
        let exit = download::follow(plan, &self.downloader, signals, &mut Report::for_people()).await?;
        if exit == Exit::Done {
            output.line("demo: all wanted files are complete")?;
        }
        Ok(exit)
    }

    /// Ends all engines, the downloader first, so that it does not see the seeds go.
    async fn stop(self, signals: &mut Signals) -> anyhow::Result<()> {
        self.downloader.stop(signals).await?;
        for seed in self.seeds {
            seed.stop(signals).await?;
        }
        Ok(())
    }
}

/// Settings of an engine on loopback that asks nobody.
fn settings(state_dir: PathBuf, save_dir: PathBuf) -> Settings {
    Settings { state_dir, save_dir, restore: Restore::Nothing, ..Settings::on_loopback(Path::new("")) }
}
