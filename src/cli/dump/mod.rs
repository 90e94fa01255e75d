//! `unchoke dump`: tasks, locks, queues and torrents of a running program, for the one who is to find out why it does not
//! go on.
//!
//! For people what is stuck comes first, then like things together, as in Go's `goroutine?debug=1`: a program with two
//! thousand peers fits a screen, and the odd one out stands alone. Programs get every row, or a profile. It is answered
//! by a thread that needs no worker of the engine's runtime.

mod on_signal;
mod recorder;

use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};

use super::args::{DumpArgs, DumpWhat};
use super::output::Output;
use super::{Exit, UsageError};
use crate::contract::{Answer, Command, Dump, DumpKind, DumpRows, LockReport, StatusReport, TaskReport};
use crate::report::{self, Stacks, profiles};
use crate::session::remote::Client;
use crate::tui::inspector::{self, Names};
use crate::tui::text::{self, Outside};

pub(super) use on_signal::{SignalDumps, Telling, write as write_dump};

/// Runs the command.
pub(super) async fn run(arguments: &DumpArgs, state_dir: &Path) -> anyhow::Result<Exit> {
    check(arguments)?;
    if arguments.what == DumpWhat::Recorder {
        return recorder::run(arguments, state_dir).await;
    }
    let mut output = Output::new();
    if arguments.pprof {
        let stacks = stacks(arguments.what, state_dir).await?;
        let bytes = stacks.encode(unix_ns());
        match &arguments.out {
            Some(file) => {
                std::fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))?;
            }
            None => {
                output.write_all(&bytes)?;
                output.flush()?;
            }
        }
        return Ok(Exit::Done);
    }
    let Some(kind) = kind(arguments.what) else {
        let report = ask_report(state_dir).await?;
        match arguments.json {
            true => output.json(&report)?,
            false => output.line(report::status(&report).trim_end())?,
        }
        return Ok(Exit::Done);
    };
    let dump = ask(state_dir, kind).await?;
    match &dump.rows {
        _ if arguments.json => output.json(&dump)?,
        DumpRows::Tasks(tasks) if arguments.stacks => output.line(report::blocks(tasks).trim_end())?,
        rows => {
            lines(&dump, &names_for(rows, state_dir).await).iter().try_for_each(|line| output.line(line))?;
        }
    }
    Ok(Exit::Done)
}

/// What does not go together is wrong usage whether an engine runs or not.
fn check(arguments: &DumpArgs) -> anyhow::Result<()> {
    let refused = |message: &str| Err(UsageError(message.to_owned()).into());
    match arguments.what {
        DumpWhat::Tasks | DumpWhat::Locks | DumpWhat::Waits => {}
        DumpWhat::Queues
        | DumpWhat::Semaphores
        | DumpWhat::Owners
        | DumpWhat::Torrents
        | DumpWhat::Recorder => {
            if arguments.pprof {
                return refused("--pprof: there are profiles of tasks, locks and waits only");
            }
        }
    }
    if arguments.what != DumpWhat::Recorder && (arguments.torrent.is_some() || arguments.unredacted) {
        return refused("a torrent and --unredacted go with `dump recorder` only");
    }
    if arguments.what != DumpWhat::Recorder && arguments.out.is_some() && !arguments.pprof {
        return refused("--out goes with --pprof and with `dump recorder` only");
    }
    if arguments.stacks && arguments.what != DumpWhat::Tasks {
        return refused("--stacks: only tasks have stacks: `unchoke dump tasks --stacks`");
    }
    if arguments.pprof && arguments.out.is_none() && Output::new().is_terminal() {
        return refused("--pprof: a profile is nothing for a terminal; name a file with --out, or pipe it");
    }
    Ok(())
}

/// The rows that are looked at; `None`: torrents, which are not rows of the inspector.
const fn kind(what: DumpWhat) -> Option<DumpKind> {
    match what {
        DumpWhat::Tasks => Some(DumpKind::Tasks),
        DumpWhat::Locks => Some(DumpKind::Locks),
        DumpWhat::Queues => Some(DumpKind::Queues),
        DumpWhat::Semaphores => Some(DumpKind::Semaphores),
        DumpWhat::Owners => Some(DumpKind::Owners),
        DumpWhat::Waits => Some(DumpKind::Waits),
        DumpWhat::Torrents | DumpWhat::Recorder => None,
    }
}

async fn ask(state_dir: &Path, kind: DumpKind) -> anyhow::Result<Dump> {
    let mut client = Client::connect_for_dump(state_dir).await?;
    match client.request(Command::Dump(kind)).await? {
        Answer::Dump(dump) => Ok(*dump),
        other => Err(super::unexpected(&other)),
    }
}

/// The names of tasks, where the rows have their numbers only.
async fn names_for(rows: &DumpRows, state_dir: &Path) -> Names {
    match rows {
        DumpRows::Tasks(_) | DumpRows::Owners(_) | DumpRows::Waits(_) => Names::new(),
        DumpRows::Locks(_) | DumpRows::Queues(_) | DumpRows::Semaphores(_) => {
            // The rows are here: without names they are still worth showing.
            match ask(state_dir, DumpKind::Tasks).await.map(|dump| dump.rows) {
                Ok(DumpRows::Tasks(tasks)) => inspector::names(&tasks),
                Ok(_) | Err(_) => Names::new(),
            }
        }
    }
}

async fn ask_report(state_dir: &Path) -> anyhow::Result<StatusReport> {
    let mut client = Client::connect_for_dump(state_dir).await?;
    match client.request(Command::Report).await? {
        Answer::Report(report) => Ok(*report),
        other => Err(super::unexpected(&other)),
    }
}

async fn stacks(what: DumpWhat, state_dir: &Path) -> anyhow::Result<Stacks> {
    let tasks: Vec<TaskReport> = match ask(state_dir, DumpKind::Tasks).await?.rows {
        DumpRows::Tasks(tasks) => tasks,
        _ => bail!("the engine gave something else than tasks: restart it, it is another version"),
    };
    if what == DumpWhat::Tasks {
        return Ok(profiles::goroutine(&tasks));
    }
    let locks: Vec<LockReport> = match ask(state_dir, DumpKind::Locks).await?.rows {
        DumpRows::Locks(locks) => locks,
        _ => bail!("the engine gave something else than locks: restart it, it is another version"),
    };
    match what {
        DumpWhat::Locks => Ok(profiles::lock_holders(&locks, &tasks)),
        _ => Ok(profiles::lock_blockers(&locks, &tasks)),
    }
}

fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The dump for people, safe to show.
fn lines(dump: &Dump, names: &Names) -> Vec<String> {
    let mut lines = match dump.stuck.len() {
        0 => vec!["nothing is stuck".to_owned()],
        count => vec![format!("STUCK: {count}")],
    };
    for stuck in &dump.stuck {
        let said = text::stuck(stuck, |outside| match outside {
            Outside::Peer(address) => address.to_string(),
            Outside::Tracker(text) | Outside::Webseed(text) | Outside::Named(text) | Outside::Open(text) => {
                text.shown()
            }
        });
        lines.push(format!("  {said}"));
    }
    lines.push(String::new());
    lines.extend(inspector::lines(&dump.rows, names));
    lines
}
