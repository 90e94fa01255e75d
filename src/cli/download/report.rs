//! What a download prints: for people a line that is kept up to date (or one every few seconds where nobody looks),
//! for programs one JSON object a line.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use serde::Serialize;

use super::progress::Change;
use crate::cli::args::DownloadArgs;
use crate::cli::output::Output;
use crate::cli::row::{StatusLine, to_millis};
use crate::contract::{Event, EventKind, Snapshot, TorrentRow, TorrentState, Untrusted};
use crate::limits::{STATUS_INTERVAL, UNWATCHED_STATUS_INTERVAL};
use crate::tui::format;
use crate::tui::text::{self, Outside};
use crate::units::{Rate, Time, TorrentId};

/// The printer of a download.
pub(in crate::cli) struct Report {
    output: Output,
    style: Style,
    events: Events,
    since_last_status: Duration,
    /// For the names of events.
    names: BTreeMap<TorrentId, Untrusted>,
}

/// How the state of affairs is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// One line that is kept up to date.
    Watched,
    /// A line for each torrent every few seconds.
    Unwatched,
    /// A line for each torrent every second.
    Stats,
    /// The same as JSON.
    Json,
}

/// Whether events are told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Events {
    Told,
    Left,
}

/// The last line of a torrent's download.
#[derive(Serialize)]
struct DoneLine {
    event: &'static str,
    id: TorrentId,
    seconds: f64,
    bytes: u64,
}

/// An event as programs read it.
#[derive(Serialize)]
struct EventLine<'a> {
    t_s: f64,
    id: Option<TorrentId>,
    #[serde(flatten)]
    kind: &'a EventKind,
}

impl Report {
    /// As the command line wants it.
    pub(super) fn new(arguments: &DownloadArgs) -> Self {
        let people = Self::for_people();
        let style = match (arguments.json, arguments.stats) {
            (true, _) => Style::Json,
            (false, true) => Style::Stats,
            (false, false) => people.style,
        };
        let events = if arguments.events { Events::Told } else { Events::Left };
        Self { style, events, ..people }
    }

    /// For people, who may be watching or not.
    pub(in crate::cli) fn for_people() -> Self {
        let output = Output::for_news();
        let style = if output.is_terminal() { Style::Watched } else { Style::Unwatched };
        Self {
            output,
            style,
            events: Events::Left,
            since_last_status: Duration::ZERO,
            names: BTreeMap::new(),
        }
    }

    pub(super) fn wants_events(&self) -> bool {
        self.events == Events::Told
    }

    /// The engine is up. Programs find the port in every line.
    pub(super) fn listening(&mut self, port: u16) -> io::Result<()> {
        match self.style {
            Style::Json => Ok(()),
            Style::Watched | Style::Unwatched | Style::Stats => {
                self.output.line(format_args!("listening on port {port}"))
            }
        }
    }

    /// A second has passed.
    pub(super) fn tick(&mut self, elapsed: Duration, snapshot: &Snapshot) -> io::Result<()> {
        self.since_last_status += STATUS_INTERVAL;
        match self.style {
            Style::Watched => {
                let columns = crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns));
                let line = summary(snapshot);
                // The last column stays free: some terminals wrap when it is written.
                return self.output.passing_line(format::cut(&line, columns.saturating_sub(1), "…"));
            }
            Style::Unwatched if self.since_last_status < UNWATCHED_STATUS_INTERVAL => return Ok(()),
            Style::Unwatched | Style::Stats | Style::Json => {}
        }
        self.since_last_status = Duration::ZERO;
        snapshot.torrents.iter().try_for_each(|row| self.status(elapsed, row))
    }

    /// A torrent came, changed state, or is complete.
    pub(super) fn change(&mut self, elapsed: Duration, change: &Change) -> io::Result<()> {
        match change {
            Change::State(row) => {
                self.names.insert(row.id, row.name.clone());
                self.status(elapsed, row)
            }
            Change::Completed(row) => self.done(elapsed, row),
        }
    }

    /// An event, where they are wanted.
    pub(super) fn event(&mut self, event: &Event) -> io::Result<()> {
        let t_s = to_millis(event.at.since(Time::ZERO).as_secs_f64());
        let line = EventLine { t_s, id: event.torrent, kind: &event.kind };
        if self.style == Style::Json {
            return self.output.json(&line);
        }
        let whose = match event.torrent {
            Some(id) => self.names.get(&id).map_or_else(|| id.to_string(), Untrusted::shown),
            None => "unchoke".to_owned(),
        };
        self.output.line(format_args!("{t_s:9.3} s  {whose}: {}", text::event(&event.kind, shown)))
    }

    fn status(&mut self, elapsed: Duration, row: &TorrentRow) -> io::Result<()> {
        match self.style {
            Style::Json => self.output.json(&StatusLine::new(elapsed.as_secs_f64(), row)),
            Style::Watched | Style::Unwatched | Style::Stats => {
                self.output.line(format_args!("{:5} s  {}", elapsed.as_secs(), person_line(row)))
            }
        }
    }

    fn done(&mut self, elapsed: Duration, row: &TorrentRow) -> io::Result<()> {
        let seconds = to_millis(elapsed.as_secs_f64());
        match self.style {
            Style::Json => {
                let line = DoneLine { event: "done", id: row.id, seconds, bytes: row.done_bytes };
                self.output.json(&line)
            }
            Style::Watched | Style::Unwatched | Style::Stats => {
                let size = format::bytes(row.done_bytes);
                self.output.line(format_args!("done: {}, {size} in {seconds:.1} s", row.name))
            }
        }
    }
}

/// A part of an event as it is safe to show.
fn shown(outside: Outside<'_>) -> String {
    match outside {
        Outside::Peer(address) => address.to_string(),
        Outside::Tracker(text) | Outside::Webseed(text) | Outside::Named(text) | Outside::Open(text) => {
            text.shown()
        }
    }
}

/// A torrent as a line for people.
fn person_line(row: &TorrentRow) -> String {
    let mut line = format!(
        "{}: {} {}, {} of {}",
        row.name,
        row.state.word(),
        format::percent(row.done_bytes, row.wanted_bytes),
        format::bytes(row.done_bytes),
        format::bytes(row.wanted_bytes),
    );
    if row.state == TorrentState::Downloading || row.down_bps.0 > 0 {
        line += &format!(", down {}", format::rate(row.down_bps));
    }
    if row.up_bps.0 > 0 {
        line += &format!(", up {}", format::rate(row.up_bps));
    }
    line += &format!(", {}", text::count(row.peers.connected, "peer"));
    if let Some(cause) = &row.cause {
        line += &format!(" ({})", text::cause(cause));
    }
    line
}

/// All torrents as a line for people.
fn summary(snapshot: &Snapshot) -> String {
    match &snapshot.torrents[..] {
        [] => "no torrents yet".to_owned(),
        [row] => person_line(row),
        rows => {
            let sum = |of: fn(&TorrentRow) -> u64| rows.iter().map(|row| of(row)).sum::<u64>();
            let (done, wanted) = (sum(|row| row.done_bytes), sum(|row| row.wanted_bytes));
            format!(
                "{} torrents: {}, {} of {}, down {}, up {}, {}",
                rows.len(),
                format::percent(done, wanted),
                format::bytes(done),
                format::bytes(wanted),
                format::rate(Rate(sum(|row| row.down_bps.0))),
                format::rate(Rate(sum(|row| row.up_bps.0))),
                text::count(rows.iter().map(|row| row.peers.connected).sum(), "peer"),
            )
        }
    }
}
