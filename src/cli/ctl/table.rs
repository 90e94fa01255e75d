//! Tables for people: columns as wide as their widest cell, text from outside made safe to show.

use std::sync::Arc;

use crate::contract::{
    Direction, DownloadOrder, FileRow, FirstLast, PeerRow, PieceRuns, PieceSequence, TorrentRow, TrackerRow,
    Untrusted, WebseedRow,
};
use crate::tui::{format, text};
use crate::units::Rate;

/// A table. The last column is never padded, so long names do not fill the screen with spaces.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(head: &[&str]) -> Self {
        let head: Vec<_> = head.iter().map(|&word| word.to_owned()).collect();
        Self { rows: if head.is_empty() { Vec::new() } else { vec![head] } }
    }

    pub(super) fn rows(mut self, rows: impl Iterator<Item = Vec<String>>) -> Self {
        self.rows.extend(rows);
        self
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| format::width(cell)).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        self.rows.iter().map(move |row| {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line += cell;
                line += &" ".repeat(width - format::width(cell) + 2);
            }
            line.trim_end().to_owned()
        })
    }
}

pub(super) fn torrents(rows: &[Arc<TorrentRow>]) -> Table {
    Table::new(&["ID", "STATE", "DONE", "SIZE", "DOWN", "UP", "PEERS", "NAME"]).rows(rows.iter().map(|row| {
        let cause = row.cause.as_ref().map(|cause| format!(" ({})", text::cause(cause))).unwrap_or_default();
        vec![
            row.id.to_string()[..10].to_owned(),
            row.state.word().to_owned(),
            format::percent(row.done_bytes, row.wanted_bytes),
            format::bytes(row.total_bytes),
            format::rate(row.down_bps),
            format::rate(row.up_bps),
            row.peers.connected.to_string(),
            format!("{}{cause}", row.name),
        ]
    }))
}

pub(super) fn files(rows: &[FileRow]) -> Table {
    Table::new(&["INDEX", "PRIORITY", "DONE", "SIZE", "PATH"]).rows(rows.iter().map(|row| {
        vec![
            row.index.0.to_string(),
            row.priority.word().to_owned(),
            format::percent(row.done_bytes, row.bytes),
            format::bytes(row.bytes),
            row.path.shown(),
        ]
    }))
}

pub(super) fn runs(rows: &PieceRuns) -> Table {
    Table::new(&["FIRST", "COUNT", "PRIORITY", "STATE", "BLOCKED"]).rows(rows.iter().map(|run| {
        vec![
            run.start.0.to_string(),
            run.length.to_string(),
            run.priority.word().to_owned(),
            text::run_state(&run),
            run.blocked.map_or("", text::blocked).to_owned(),
        ]
    }))
}

pub(super) fn peers(rows: &[PeerRow]) -> Table {
    Table::new(&["ADDRESS", "WAY", "HAS", "DOWN", "UP", "ASKED", "STATE", "CLIENT"]).rows(rows.iter().map(
        |row| {
            let flags = [
                (row.flags.we_are_interested, "interested"),
                (row.flags.they_choke, "chokes us"),
                (row.flags.they_are_interested && row.flags.we_choke, "choked by us"),
                (row.flags.snubbed, "snubbed"),
                (row.flags.seed, "seed"),
            ];
            let words: Vec<_> = flags.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
            let way = match row.direction {
                Direction::Incoming => "in",
                Direction::Outgoing => "out",
            };
            vec![
                row.address.to_string(),
                way.to_owned(),
                row.pieces_have.to_string(),
                format::rate(row.down_bps),
                format::rate(row.up_bps),
                row.requests_out.to_string(),
                words.join(", "),
                row.client.shown(),
            ]
        },
    ))
}

pub(super) fn trackers(rows: &[TrackerRow]) -> Table {
    Table::new(&["TIER", "STATE", "NEXT", "PEERS", "URL", "MESSAGE"]).rows(rows.iter().map(|row| {
        vec![
            row.tier.to_string(),
            text::tracker_state(row.state).to_owned(),
            row.next_announce_s.map(format::duration).unwrap_or_default(),
            row.peers.to_string(),
            row.url.shown(),
            row.message.as_ref().map(|message| message.shown()).unwrap_or_default(),
        ]
    }))
}

pub(super) fn webseeds(rows: &[WebseedRow]) -> Table {
    let head =
        ["KEY", "STATE", "REQUESTS", "DOWN", "RECEIVED", "WASTED", "STATUS", "LATENCY", "URL", "LAST ERROR"];
    Table::new(&head).rows(rows.iter().map(|row| {
        vec![
            row.key.0.to_string(),
            text::webseed_state(row),
            text::webseed_requests(row),
            format::rate(row.down_bps),
            format::bytes(row.downloaded_bytes),
            format::bytes(row.wasted_bytes),
            row.last_status.map(|status| status.to_string()).unwrap_or_default(),
            row.latency_ms.map(|millis| format::millis(millis.into())).unwrap_or_default(),
            row.url.shown(),
            row.last_error.as_ref().map(Untrusted::shown).unwrap_or_default(),
        ]
    }))
}

pub(super) fn order(order: DownloadOrder) -> Table {
    let DownloadOrder { sequence, first_last } = order;
    let sequential = match sequence {
        PieceSequence::InOrder => "on",
        PieceSequence::RarestFirst => "off",
    };
    let first_last = match first_last {
        FirstLast::First => "on",
        FirstLast::Alike => "off",
    };
    let row = |name: &str, cell: &str| vec![name.to_owned(), cell.to_owned()];
    Table::new(&[]).rows([row("sequential", sequential), row("first-last", first_last)].into_iter())
}

pub(super) fn debug(on: bool) -> Table {
    let word = if on { "on" } else { "off" };
    Table::new(&[]).rows(std::iter::once(vec!["debug".to_owned(), word.to_owned()]))
}

pub(super) fn limits(down: Option<Rate>, up: Option<Rate>) -> Table {
    let cell = |limit: Option<Rate>| limit.map_or_else(|| "no limit".to_owned(), format::rate);
    Table::new(&[]).rows([vec!["down".to_owned(), cell(down)], vec!["up".to_owned(), cell(up)]].into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Blocked, PieceLevel, PieceRun, Priority};
    use crate::units::{FileIndex, PieceIndex};

    #[test]
    fn columns_line_up_by_what_a_terminal_shows() {
        let rows = [("日本", "a"), ("x", "b")].map(|(left, right)| vec![left.to_owned(), right.to_owned()]);
        let lines: Vec<_> = Table::new(&["NAME", "Z"]).rows(rows.into_iter()).lines().collect();
        assert_eq!(lines, ["NAME  Z", "日本  a", "x     b"]);
    }

    #[test]
    fn hostile_paths_are_made_safe() {
        let row = FileRow {
            index: FileIndex(0),
            path: Untrusted::new("a\u{1b}[2Jb"),
            bytes: 2048,
            done_bytes: 1024,
            priority: Priority::High,
            pieces: None,
        };
        let lines: Vec<_> = files(&[row]).lines().collect();
        assert!(lines[1].starts_with("0      high") && lines[1].ends_with("a␛[2Jb"), "{lines:?}");
    }

    #[test]
    fn a_run_names_all_its_states_and_why_it_waits() {
        let run = PieceRun {
            start: PieceIndex(3),
            length: 2,
            priority: PieceLevel::Normal,
            have: false,
            partial: true,
            checking: false,
            unknown: false,
            unverified: false,
            requested: true,
            blocked: Some(Blocked::AllRequested),
        };
        let line = runs(&[run].into_iter().collect()).lines().nth(1).unwrap();
        assert!(line.ends_with("partial, requested  all of it is requested"), "{line}");
    }
}
