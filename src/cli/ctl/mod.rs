//! `unchoke ctl`: asks a running engine over its socket, and prints the answer for people or programs.
//!
//! What a person types (a prefix, a path, a pattern) is resolved here against what the engine says; what goes over the
//! socket is exact. A call returns when the change has taken effect.

mod choice;
mod read;
mod table;
mod webseeds;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;

use super::args::{
    AddArgs, CtlArgs, CtlCommand, LimitArgs, OnOff, OrderArgs, WebseedArgs, WebseedCommand, priority_changes,
};
pub(super) use choice::torrent as find_torrent;

use super::output::Output;
use super::row::StatusLine;
use super::source;
use super::urls::{WEBSEED_SCHEMES, check_urls};
use super::{Exit, UsageError, unexpected};
use crate::contract::{
    AddRequest, Answer, Command, EngineStatus, FileRow, FirstLast, OrderChange, PieceSequence, Priority,
    RemoveData, Source, StartState, TorrentDetail, TorrentRow, Untrusted, redact_url,
};
use crate::session::remote::Client;
use crate::tui::{Done, text};
use crate::units::{FileIndex, PieceIndex, Rate, Time, TorrentId};

/// Runs the command.
pub(super) async fn run(arguments: &CtlArgs, state_dir: &Path) -> anyhow::Result<Exit> {
    if let CtlCommand::Priority { words, .. } = &arguments.command {
        // Wrong usage is that whether an engine runs or not.
        choice::levels(words)?;
    }
    let format = if arguments.json { Format::Json } else { Format::Table };
    let output = Output::new();
    if let CtlCommand::Read(_) = &arguments.command {
        read::check(format, output.is_terminal())?;
    }
    check_webseeds(&arguments.command)?;
    let client = Client::connect(state_dir).await?;
    let mut call = Call { client, output, format };
    match &arguments.command {
        CtlCommand::List => call.list().await?,
        CtlCommand::Add(add) => call.add(add).await?,
        CtlCommand::Pause { ids } => call.each(ids, Done::Paused, Command::Pause).await?,
        CtlCommand::Resume { ids } => call.each(ids, Done::Resumed, Command::Resume).await?,
        CtlCommand::Remove { ids, data } => {
            let (data, done) = match data {
                true => (RemoveData::Delete, Done::Deleted),
                false => (RemoveData::Keep, Done::Removed),
            };
            call.each(ids, done, |torrent| Command::Remove { torrent, data }).await?;
        }
        CtlCommand::Files { id } => call.files(id).await?,
        CtlCommand::Priority { id, words } => call.priority(id, words).await?,
        CtlCommand::Order(order) => call.order(order).await?,
        CtlCommand::Pieces { id } => call.pieces(id).await?,
        CtlCommand::Read(wanted) => call.read(wanted, state_dir).await?,
        CtlCommand::Peers { id } => {
            let detail = call.detail(id).await?;
            call.print(&detail.peers, || table::peers(&detail.peers))?;
        }
        CtlCommand::Trackers { id } => {
            let detail = call.detail(id).await?;
            call.print(&detail.trackers, || table::trackers(&detail.trackers))?;
        }
        CtlCommand::Webseeds { id } => {
            let detail = call.detail(id).await?;
            call.print(&detail.webseeds, || table::webseeds(&detail.webseeds))?;
        }
        CtlCommand::Webseed(wanted) => call.webseed(wanted).await?,
        CtlCommand::Recheck { ids } => call.each(ids, Done::Verifying, Command::Recheck).await?,
        CtlCommand::Announce { ids } => call.each(ids, Done::Announced, Command::Announce).await?,
        CtlCommand::Limit(limits) => call.limit(limits).await?,
        CtlCommand::Debug { choice } => call.debug(*choice).await?,
    }
    Ok(Exit::Done)
}

/// Whom the output is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Table,
    Json,
}

/// One call of `ctl`.
struct Call {
    client: Client,
    output: Output,
    format: Format,
}

/// What a command that changes something comes to, for programs.
#[derive(Serialize)]
struct Changed {
    id: TorrentId,
    #[serde(skip_serializing_if = "Option::is_none")]
    already: Option<bool>,
}

/// The rate limits, for programs; null: none.
#[derive(Serialize)]
struct Limits {
    down_bps: Option<Rate>,
    up_bps: Option<Rate>,
}

/// In which order pieces are fetched, for programs.
#[derive(Serialize)]
struct OrderKeys {
    id: TorrentId,
    sequential: bool,
    first_last: bool,
}

/// The debug switch, for programs.
#[derive(Serialize)]
struct DebugKeys {
    debug: bool,
}

/// A file, for programs.
#[derive(Serialize)]
struct FileKeys<'a> {
    index: FileIndex,
    path: &'a Untrusted,
    bytes: u64,
    done_bytes: u64,
    priority: Priority,
    pieces: Option<(PieceIndex, PieceIndex)>,
}

impl<'a> FileKeys<'a> {
    fn new(row: &'a FileRow) -> Self {
        let FileRow { index, path, bytes, done_bytes, priority, pieces } = row;
        Self {
            index: *index,
            path,
            bytes: *bytes,
            done_bytes: *done_bytes,
            priority: *priority,
            pieces: *pieces,
        }
    }
}

impl Call {
    async fn list(&mut self) -> anyhow::Result<()> {
        let (at, _) = self.status().await?;
        let rows = self.rows().await?;
        let t_s = at.since(Time::ZERO).as_secs_f64();
        let lines: Vec<_> = rows.iter().map(|row| StatusLine::new(t_s, row)).collect();
        self.print(&lines, || table::torrents(&rows))
    }

    async fn add(&mut self, add: &AddArgs) -> anyhow::Result<()> {
        let mut changed = Vec::with_capacity(add.sources.len());
        for text in &add.sources {
            let request = AddRequest {
                source: absolute(source::check(text)?.0)?,
                save_dir: add.dir.as_ref().map(std::path::absolute).transpose()?,
                priorities: priority_changes(&add.file),
                start: if add.paused { StartState::Paused } else { StartState::Running },
                order: add.order.change(),
                peers: add.peer.clone(),
                trackers: add.tracker.clone(),
                webseeds: add.webseed.clone(),
            };
            let name = redact_url(text);
            let answer = self.client.request(Command::Add(Box::new(request))).await;
            match answer.with_context(|| format!("cannot add {name}"))? {
                Answer::Added { torrent, already } => {
                    changed.push(Changed { id: torrent, already: Some(already) });
                }
                other => return Err(unexpected(&other)),
            }
        }
        self.print(&changed, || {
            let word = |changed: &Changed| match changed.already {
                Some(true) => "was there",
                Some(false) | None => "added",
            };
            table::Table::new(&[]).rows(changed.iter().map(|it| vec![it.id.to_string(), word(it).into()]))
        })
    }

    /// Asks the same of several torrents. All IDs are looked up first: a wrong one changes nothing.
    async fn each(
        &mut self,
        ids: &[String],
        done: Done,
        command: impl Fn(TorrentId) -> Command,
    ) -> anyhow::Result<()> {
        let rows = self.rows().await?;
        let found: Vec<_> = ids.iter().map(|id| choice::torrent(id, &rows)).collect::<Result<_, _>>()?;
        for row in &found {
            let answer = self.client.request(command(row.id)).await;
            match answer.with_context(|| format!("{}", row.name))? {
                Answer::Done => self.tell(&row.name, done)?,
                other => return Err(unexpected(&other)),
            }
        }
        if self.format == Format::Json {
            let changed: Vec<_> = found.iter().map(|row| Changed { id: row.id, already: None }).collect();
            self.output.json(&changed)?;
        }
        Ok(())
    }

    /// Tells people what has taken effect; programs get all of it at the end.
    fn tell(&mut self, name: &Untrusted, done: Done) -> anyhow::Result<()> {
        if self.format == Format::Table {
            self.output.line(format_args!("{name}: {}", text::done(done)))?;
        }
        Ok(())
    }

    async fn files(&mut self, id: &str) -> anyhow::Result<()> {
        let detail = self.detail(id).await?;
        let files: Vec<_> = detail.files.iter().map(FileKeys::new).collect();
        self.print(&files, || table::files(&detail.files))
    }

    async fn pieces(&mut self, id: &str) -> anyhow::Result<()> {
        let detail = self.detail(id).await?;
        if self.format == Format::Table && !detail.runs.is_empty() {
            self.output.line(text::run_line(&detail.runs))?;
        }
        self.print(&detail.runs, || table::runs(&detail.runs))
    }

    async fn priority(&mut self, id: &str, words: &[String]) -> anyhow::Result<()> {
        let groups = choice::levels(words)?;
        let detail = self.detail(id).await?;
        let changes = choice::changes(&groups, &detail.files)?;
        let torrent = detail.row.id;
        match self.client.request(Command::SetPriority { torrent, changes }).await? {
            Answer::Done => self.tell(&detail.row.name, Done::PrioritySet)?,
            other => return Err(unexpected(&other)),
        }
        if self.format == Format::Json {
            self.output.json(&[Changed { id: torrent, already: None }])?;
        }
        Ok(())
    }

    /// Sets what was named of the order and keeps the rest; prints what is in force.
    async fn order(&mut self, wanted: &OrderArgs) -> anyhow::Result<()> {
        let change = OrderChange {
            sequence: wanted.sequential.map(|choice| match choice {
                OnOff::On => PieceSequence::InOrder,
                OnOff::Off => PieceSequence::RarestFirst,
            }),
            first_last: wanted.first_last.map(|choice| match choice {
                OnOff::On => FirstLast::First,
                OnOff::Off => FirstLast::Alike,
            }),
        };
        let rows = self.rows().await?;
        let row = choice::torrent(&wanted.id, &rows)?;
        let torrent = row.id;
        if change != OrderChange::default() {
            match self.client.request(Command::SetOrder { torrent, order: change }).await? {
                Answer::Done => {}
                other => return Err(unexpected(&other)),
            }
        }
        let order = change.applied_to(row.order);
        let sequential = order.sequence == PieceSequence::InOrder;
        let first_last = order.first_last == FirstLast::First;
        self.print(&OrderKeys { id: torrent, sequential, first_last }, || table::order(order))
    }

    /// Sets the limits that were named and keeps the others; prints what is in force.
    async fn limit(&mut self, wanted: &LimitArgs) -> anyhow::Result<()> {
        let (_, status) = self.status().await?;
        let down = wanted.down.map_or(status.down_limit, |limit| limit.0);
        let up = wanted.up.map_or(status.up_limit, |limit| limit.0);
        if (down, up) != (status.down_limit, status.up_limit) {
            match self.client.request(Command::SetLimits { down, up }).await? {
                Answer::Done => {}
                other => return Err(unexpected(&other)),
            }
        }
        self.print(&Limits { down_bps: down, up_bps: up }, || table::limits(down, up))
    }

    /// Moves the debug switch where that was asked for; prints where it is.
    async fn debug(&mut self, choice: Option<OnOff>) -> anyhow::Result<()> {
        let debug = match choice {
            None => self.status().await?.1.debug,
            Some(choice) => {
                let on = choice == OnOff::On;
                match self.client.request(Command::SetDebug(on)).await? {
                    Answer::Done => on,
                    other => return Err(unexpected(&other)),
                }
            }
        };
        self.print(&DebugKeys { debug }, || table::debug(debug))
    }

    async fn status(&mut self) -> anyhow::Result<(Time, EngineStatus)> {
        match self.client.request(Command::Status).await? {
            Answer::Status { at, engine } => Ok((at, engine)),
            other => Err(unexpected(&other)),
        }
    }

    async fn rows(&mut self) -> anyhow::Result<Vec<Arc<TorrentRow>>> {
        match self.client.request(Command::List).await? {
            Answer::List(rows) => Ok(rows),
            other => Err(unexpected(&other)),
        }
    }

    async fn detail(&mut self, id: &str) -> anyhow::Result<Arc<TorrentDetail>> {
        let rows = self.rows().await?;
        let torrent = choice::torrent(id, &rows)?.id;
        match self.client.request(Command::Detail(torrent)).await? {
            Answer::Detail(detail) => Ok(detail),
            other => Err(unexpected(&other)),
        }
    }

    fn print(&mut self, value: &impl Serialize, table: impl FnOnce() -> table::Table) -> anyhow::Result<()> {
        match self.format {
            Format::Json => self.output.json(value)?,
            Format::Table => table().lines().try_for_each(|line| self.output.line(line))?,
        }
        Ok(())
    }
}

/// Refuses a webseed that could never be asked, whether an engine runs or not.
fn check_webseeds(command: &CtlCommand) -> Result<(), UsageError> {
    match command {
        CtlCommand::Add(add) => check_urls("--webseed", &add.webseed, WEBSEED_SCHEMES),
        CtlCommand::Webseed(WebseedArgs { action: WebseedCommand::Add { url }, .. }) => {
            check_urls("webseed add", std::slice::from_ref(url), WEBSEED_SCHEMES)
        }
        _ => Ok(()),
    }
}

/// The engine may run in another folder than we do.
fn absolute(source: Source) -> anyhow::Result<Source> {
    Ok(match source {
        Source::Path(path) => Source::Path(std::path::absolute(path)?),
        Source::Url(_) | Source::Magnet(_) | Source::Bytes(_) => source,
    })
}
