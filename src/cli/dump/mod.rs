//! `unchoke dump`: tasks, locks and queues of a running program, for the one who is to find out why it does not go on.
//!
//! For people what is stuck comes first, then like things together, as in Go's `goroutine?debug=1`: a program with two
//! thousand peers fits a screen, and the odd one out stands alone. Programs get every row. It is answered by a thread that
//! needs no worker of the engine's runtime.

mod recorder;

use std::path::Path;

use super::args::{DumpArgs, DumpWhat};
use super::output::Output;
use super::{Exit, UsageError};
use crate::contract::{Answer, Command, Dump, DumpKind};
use crate::session::remote::Client;
use crate::tui::inspector;
use crate::tui::text::{self, Outside};

/// Runs the command.
pub(super) async fn run(arguments: &DumpArgs, state_dir: &Path) -> anyhow::Result<Exit> {
    if arguments.what == DumpWhat::Recorder && !arguments.pprof {
        return recorder::run(arguments, state_dir).await;
    }
    let kind = kind(arguments)?;
    let mut client = Client::connect_for_dump(state_dir).await?;
    let dump = match client.request(Command::Dump(kind)).await? {
        Answer::Dump(dump) => dump,
        other => return Err(super::unexpected(&other)),
    };
    let mut output = Output::new();
    if arguments.json {
        output.json(&dump)?;
    } else {
        lines(&dump).iter().try_for_each(|line| output.line(line))?;
    }
    Ok(Exit::Done)
}

/// What is asked for; refused where it is not built. That is wrong usage whether an engine runs or not.
fn kind(arguments: &DumpArgs) -> Result<DumpKind, UsageError> {
    let not_built = |what: &str| {
        Err(UsageError(format!(
            "{what} is not built yet; `unchoke dump` shows tasks, locks, queues and waits, also as --json"
        )))
    };
    if arguments.pprof {
        return not_built("dump --pprof");
    }
    if arguments.torrent.is_some() || arguments.out.is_some() || arguments.unredacted {
        let message = "a torrent, --out and --unredacted go with `dump recorder` only";
        return Err(UsageError(message.to_owned()));
    }
    match arguments.what {
        DumpWhat::Tasks => Ok(DumpKind::Tasks),
        DumpWhat::Locks => Ok(DumpKind::Locks),
        DumpWhat::Queues => Ok(DumpKind::Queues),
        DumpWhat::Waits => Ok(DumpKind::Waits),
        DumpWhat::Torrents => not_built("dump torrents"),
        DumpWhat::Recorder => not_built("dump recorder"),
    }
}

/// The dump for people, safe to show.
fn lines(dump: &Dump) -> Vec<String> {
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
    lines.extend(inspector::lines(&dump.rows));
    lines
}
