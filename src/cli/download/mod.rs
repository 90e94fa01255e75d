//! `unchoke download`: torrents without the terminal UI.
//!
//! [`run`] starts an engine, adds what was asked for, follows its snapshots and events until something ends the
//! download, and stops the engine cleanly whatever that was. What is printed is [`report`]'s matter, what has happened
//! since the last look [`progress`]'s.

mod progress;
mod report;

use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::time::{Instant, MissedTickBehavior};

use super::Exit;
use super::args::{DownloadArgs, YesNo};
use super::config::Effective;
use super::dump::Telling;
use super::engine::{self, Engine};
use super::signals::{Signals, StopSignal};
use crate::contract::{AddRequest, Event, Snapshot};
use crate::inspect;
use crate::limits::STATUS_INTERVAL;
use crate::session::{Restore, Settings, Switch};
use progress::{Progress, Standing};
pub(super) use report::Report;

/// Runs the command.
pub(super) async fn run(arguments: &DownloadArgs, effective: Effective) -> anyhow::Result<Exit> {
    engine::check_available(&arguments.engine)?;
    effective.check()?;
    let goal = match effective.seed {
        YesNo::Yes => Goal::Seed,
        YesNo::No => Goal::Complete,
    };
    let diagnostics = engine::bind_diagnostics(effective.diagnostics)?;
    // This front end ends the program when all is complete, so the engine must not pause what is.
    let settings = engine::settings(effective, Switch::On, Restore::Nothing);
    let settings = Settings { debug: engine::debug(&arguments.engine), ..settings };
    let adds = engine::add_requests(&arguments.sources, &arguments.engine)?;
    let mut signals = Signals::new().context("cannot listen for signals")?;
    let engine = Engine::start(settings).await?;
    let watched = engine.watch(diagnostics, Telling::StandardErrorToo)?;
    let plan = Plan { adds, goal, timeout: arguments.timeout };
    let mut report = Report::new(arguments);
    let outcome = follow(plan, &engine, &mut signals, &mut report).await;
    drop(watched);
    let stopped = engine.stop(&mut signals).await;
    let exit = outcome?;
    match exit {
        Exit::Interrupted => Ok(exit),
        Exit::Done | Exit::Failed | Exit::Usage => stopped.map(|()| exit),
    }
}

/// What is to be downloaded, and when it is over.
pub(super) struct Plan {
    pub(super) adds: Vec<AddRequest>,
    pub(super) goal: Goal,
    pub(super) timeout: Option<Duration>,
}

/// When a download is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// All that is wanted is complete.
    Complete,
    /// Never by itself.
    Seed,
}

/// Adds the torrents and follows them until the download is over.
pub(super) async fn follow(
    plan: Plan,
    engine: &Engine,
    signals: &mut Signals,
    report: &mut Report,
) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let mut snapshots = engine.handle.snapshots();
    let mut events = report.wants_events().then(|| engine.handle.events());
    report.listening(engine.handle.listen_port())?;
    let added = tokio::select! {
        added = engine.add(plan.adds) => added?,
        signal = signals.next() => return Ok(exit_of(signal)),
    };
    let mut progress = Progress::new(added);
    let mut tick = tokio::time::interval(STATUS_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            signal = signals.next() => return Ok(exit_of(signal)),
            () = at(plan.timeout.map(|timeout| started + timeout)) => {
                let snapshot = snapshots.latest();
                return progress.missing(&snapshot).map_or(Ok(Exit::Done), |missing| {
                    Err(anyhow!("not complete after {} s: {missing}", started.elapsed().as_secs()))
                });
            }
            event = next(&mut events) => report.event(&event)?,
            _ = inspect::ticking(tick.tick()) => report.tick(started.elapsed(), &snapshots.latest())?,
            changed = snapshots.changed() => {
                changed.context("the engine has ended by itself")?;
                let snapshot = snapshots.latest();
                // What led to it goes before it; the line that says done is to be the last.
                while let Some(Ok(event)) = events.as_mut().map(inspect::Receiver::try_recv) {
                    report.event(&event)?;
                }
                if let Some(exit) = look(plan.goal, started.elapsed(), &snapshot, &mut progress, report)? {
                    return Ok(exit);
                }
            }
        }
    }
}

/// Reports what the snapshot changes, and says whether it ends the download.
fn look(
    goal: Goal,
    elapsed: Duration,
    snapshot: &Snapshot,
    progress: &mut Progress,
    report: &mut Report,
) -> anyhow::Result<Option<Exit>> {
    for change in progress.update(snapshot) {
        report.change(elapsed, &change)?;
    }
    match (goal, progress.standing(snapshot)) {
        (Goal::Seed, _) | (Goal::Complete, Standing::UnderWay) => Ok(None),
        (Goal::Complete, Standing::Complete) => Ok(Some(Exit::Done)),
        (Goal::Complete, Standing::Failed(causes)) => Err(anyhow!(causes)),
    }
}

/// SIGTERM is how services are ended: nothing went wrong.
const fn exit_of(signal: StopSignal) -> Exit {
    match signal {
        StopSignal::Interrupt => Exit::Interrupted,
        StopSignal::Terminate => Exit::Done,
    }
}

/// Waits for the instant; for ever where there is none.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => inspect::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Waits for the next event; for ever where nobody wants any or none will come.
async fn next(events: &mut Option<inspect::Receiver<Event>>) -> Event {
    match events {
        Some(receiver) => match receiver.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}
