//! Pieces: counts, a map scaled to the screen, and the runs in words.
//!
//! A cell of the map shows the most telling state of the pieces it stands for, so a single missing piece among ten
//! thousand is still seen. Every state has a glyph of its own: the map reads without colour.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{count, pane_role, quiet, rows, say, split_heading};
use crate::contract::{Blocked, PieceCounts, PieceLevel, PieceRun, PieceRuns, TorrentDetail, WebseedRow};
use crate::tui::layout;
use crate::tui::model::Model;
use crate::tui::text::{self, heading};
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, FittedColumn, Look, Span, draw_heading, draw_row, fit};

/// What a cell of the map shows, from the least telling to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MapCell {
    Have,
    Unwanted,
    Low,
    Normal,
    High,
    Urgent,
    Choked,
    Unknown,
    Checking,
    Partial,
    Requested,
    Webseed,
    NoSource,
}

impl MapCell {
    const ALL: [Self; 13] = [
        Self::Have,
        Self::Partial,
        Self::Requested,
        Self::Webseed,
        Self::Checking,
        Self::Unknown,
        Self::Urgent,
        Self::High,
        Self::Normal,
        Self::Low,
        Self::Unwanted,
        Self::Choked,
        Self::NoSource,
    ];

    fn of(run: &PieceRun) -> Self {
        match run {
            PieceRun { have: true, .. } => Self::Have,
            PieceRun { checking: true, .. } => Self::Checking,
            PieceRun { blocked: Some(Blocked::NoSource), .. } => Self::NoSource,
            PieceRun { requested: true, .. } => Self::Requested,
            PieceRun { partial: true, .. } => Self::Partial,
            PieceRun { priority: PieceLevel::Off, .. } => Self::Unwanted,
            PieceRun { unknown: true, .. } => Self::Unknown,
            PieceRun { blocked: Some(Blocked::Choked), .. } => Self::Choked,
            PieceRun { priority: PieceLevel::Low, .. } => Self::Low,
            PieceRun { priority: PieceLevel::Normal, .. } => Self::Normal,
            PieceRun { priority: PieceLevel::High, .. } => Self::High,
            PieceRun { priority: PieceLevel::FirstLast | PieceLevel::Ahead | PieceLevel::Now, .. } => {
                Self::Urgent
            }
        }
    }

    /// What a piece of the run shows that a webseed was asked for.
    fn of_webseed(run: &PieceRun) -> Self {
        // A request may go across pieces that came meanwhile.
        if run.have || run.checking { Self::of(run) } else { Self::Webseed }
    }

    fn glyph(self, look: &Look) -> &'static str {
        match self {
            Self::Have => look.glyph("█", "#"),
            Self::Partial => look.glyph("▄", "+"),
            Self::Requested => ">",
            Self::Webseed => "w",
            Self::Checking => "c",
            Self::Unknown => "?",
            Self::Urgent => "!",
            Self::Choked => "z",
            Self::High => "^",
            Self::Normal => "-",
            Self::Low => "_",
            Self::Unwanted => look.nothing(),
            Self::NoSource => "x",
        }
    }

    fn role(self) -> Role {
        match self {
            Self::Have => Role::Good,
            Self::Partial | Self::Requested => Role::Active,
            Self::Webseed => Role::Down,
            Self::Checking | Self::Unknown => Role::Waiting,
            Self::High | Self::Urgent => Role::High,
            Self::Choked => Role::Warning,
            Self::Normal => Role::Text,
            Self::Low => Role::Low,
            Self::Unwanted => Role::Off,
            Self::NoSource => Role::Error,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Have => text::MAP_HAVE,
            Self::Partial => text::MAP_PARTIAL,
            Self::Requested => text::MAP_REQUESTED,
            Self::Webseed => text::MAP_WEBSEED,
            Self::Checking => text::MAP_CHECKING,
            Self::Unknown => text::MAP_UNKNOWN,
            Self::Urgent => text::MAP_URGENT,
            Self::Choked => text::MAP_CHOKED,
            Self::High => text::MAP_HIGH,
            Self::Normal => text::MAP_NORMAL,
            Self::Low => text::MAP_LOW,
            Self::Unwanted => text::MAP_UNWANTED,
            Self::NoSource => text::MAP_NO_SOURCE,
        }
    }
}

/// The pieces that webseeds are asked for, as ranges in order that do not touch. The engine's runs do not say whom a piece is
/// asked of.
pub(super) fn webseed_ranges(webseeds: &[WebseedRow]) -> Vec<Range<u64>> {
    let requests = webseeds.iter().flat_map(|webseed| &webseed.requests);
    let mut ranges: Vec<Range<u64>> =
        requests.map(|request| u64::from(request.first.0)..u64::from(request.last.0) + 1).collect();
    ranges.retain(|range| !range.is_empty());
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            Some(_) | None => joined.push(range),
        }
    }
    joined
}

/// How many pieces of a run lie in `ranges`.
fn pieces_in(run: &PieceRun, ranges: &[Range<u64>]) -> u64 {
    let (start, end) = (u64::from(run.start.0), u64::from(run.start.0) + u64::from(run.length));
    ranges.iter().map(|range| range.end.min(end).saturating_sub(range.start.max(start))).sum()
}

/// The map of `runs` in at most `room` cells: one a piece where they fit, else each cell stands for several. `webseed` are
/// the pieces that webseeds are asked for.
pub(super) fn map(runs: &PieceRuns, webseed: &[Range<u64>], room: usize) -> Vec<MapCell> {
    let total: u64 = runs.iter().map(|run| u64::from(run.length)).sum();
    let cells = total.min(room as u64);
    if cells == 0 {
        return Vec::new();
    }
    let cell_of = |piece: u64| usize::try_from(piece * cells / total).unwrap_or(usize::MAX);
    let mut map = vec![MapCell::Have; usize::try_from(cells).unwrap_or(0)];
    let mut start = 0;
    for run in runs.iter() {
        let end = start + u64::from(run.length);
        let shown = MapCell::of(&run);
        let mut show = |pieces: Range<u64>, shown: MapCell| {
            if !pieces.is_empty() {
                let cells = cell_of(pieces.start)..=cell_of(pieces.end - 1);
                map[cells].iter_mut().for_each(|cell| *cell = shown.max(*cell));
            }
        };
        let shown_webseed = MapCell::of_webseed(&run);
        let mut at = start;
        for asked in webseed.iter().filter(|asked| asked.start < end && asked.end > start) {
            show(at..asked.start.max(start), shown);
            show(asked.start.max(start)..asked.end.min(end), shown_webseed);
            at = asked.end.min(end);
        }
        show(at..end, shown);
        start = end;
    }
    map
}

#[derive(Clone, Copy)]
enum Field {
    Start,
    Length,
    Priority,
    State,
    Webseed,
    Blocked,
}

const FIELDS: [Field; 6] =
    [Field::Start, Field::Length, Field::Priority, Field::State, Field::Webseed, Field::Blocked];

const COLUMNS: [Column; 6] = [
    Column::number(heading::START, 7, 0),
    Column::number(heading::LENGTH, 7, 0),
    Column::words(heading::PRIORITY, 10, 2),
    Column::growing(heading::STATE, 12, 24, 0),
    Column::number(heading::WEBSEED, 7, 3),
    Column::growing(heading::BLOCKED, 24, 40, 1),
];

/// Draws the pieces pane.
pub(super) fn draw(
    model: &Model,
    detail: &TorrentDetail,
    counts: &PieceCounts,
    buffer: &mut Buffer,
    area: Rect,
) {
    let look = &model.look;
    if detail.runs.is_empty() {
        return say(look, buffer, area, text::NO_PIECES);
    }
    let parts = layout::pieces(area, detail.row.pieces.total);
    let said = text::piece_counts(counts, detail.piece_length, detail.rarest_availability);
    look.line(buffer, parts.counts, &[Span::new(format!(" {said}"), Role::Text)]);
    let webseed = webseed_ranges(&detail.webseeds);
    draw_map(look, buffer, parts.map, &detail.runs, &webseed);
    draw_legend(look, buffer, parts.legend);
    let (heading, area) = split_heading(parts.runs);
    let fitted = fit(&COLUMNS, area.width, 0);
    draw_heading(look, buffer, heading, &COLUMNS, &fitted, None);
    let page = usize::from(area.height);
    rows(area, model.pane.rows.seen(detail.runs.len(), page), |row, area| {
        let Some(run) = detail.runs.get(row) else { return };
        let ground = (row == model.pane.rows.at()).then(|| pane_role(model));
        draw_row(look, buffer, area, &COLUMNS, &fitted, ground, |place| cell(look, &run, &webseed, place));
    });
}

fn draw_map(look: &Look, buffer: &mut Buffer, area: Rect, runs: &PieceRuns, webseed: &[Range<u64>]) {
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let cells = map(runs, webseed, usize::from(area.width) * usize::from(area.height));
    for (row, cells) in area.rows().zip(cells.chunks(usize::from(area.width).max(1))) {
        // Neighbours of one state are one span: a map is drawn in few writes.
        let spans: Vec<Span> = cells
            .chunk_by(|a, b| a == b)
            .map(|same| Span::new(same[0].glyph(look).repeat(same.len()), same[0].role()))
            .collect();
        look.line(buffer, row, &spans);
    }
}

/// What a cell means.
fn legend_entry(look: &Look, state: MapCell) -> [Span; 2] {
    [
        Span::new(format!(" {}", state.glyph(look)), state.role()),
        Span::new(format!(" {} ", state.word()), Role::Quiet),
    ]
}

fn draw_legend(look: &Look, buffer: &mut Buffer, area: Rect) {
    let mut lines = vec![Vec::new()];
    let mut used = 0;
    for state in MapCell::ALL {
        let entry = legend_entry(look, state);
        let columns: usize = entry.iter().map(Span::width).sum();
        if used + columns > usize::from(area.width) {
            lines.push(Vec::new());
            used = 0;
        }
        used += columns;
        if let Some(line) = lines.last_mut() {
            line.extend(entry);
        }
    }
    for (row, line) in area.rows().zip(&lines) {
        look.line(buffer, row, line);
    }
}

fn cell(look: &Look, run: &PieceRun, webseed: &[Range<u64>], place: FittedColumn) -> Cell {
    let asked = pieces_in(run, webseed);
    match FIELDS[place.index] {
        Field::Start => Cell::new(run.start.0.to_string(), Role::Text),
        Field::Length => Cell::new(run.length.to_string(), Role::Text),
        Field::Priority => {
            let role = if run.priority >= PieceLevel::High { Role::High } else { Role::Quiet };
            Cell::new(text::level(run.priority), role)
        }
        Field::State => {
            let all = asked == u64::from(run.length);
            let shown = if all { MapCell::of_webseed(run) } else { MapCell::of(run) };
            Cell::new(format!("{} {}", shown.glyph(look), text::run_state(run)), shown.role())
        }
        // Of pieces that are here already a request brings nothing.
        Field::Webseed if run.have => quiet(look),
        Field::Webseed => count(look, asked, Role::Down),
        Field::Blocked => match run.blocked {
            Some(blocked) => {
                let role = if blocked == Blocked::NoSource { Role::Error } else { Role::Quiet };
                Cell::new(text::blocked(blocked), role)
            }
            None => quiet(look),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::{ColourDepth, Theme, ThemeSource};
    use crate::tui::widgets::{Glyphs, Names};
    use crate::units::PieceIndex;

    fn run(length: u32, have: bool) -> PieceRun {
        PieceRun {
            start: PieceIndex(0),
            length,
            priority: PieceLevel::Normal,
            have,
            partial: false,
            checking: false,
            unknown: false,
            unverified: false,
            requested: false,
            blocked: None,
        }
    }

    fn runs(runs: &[PieceRun]) -> PieceRuns {
        runs.iter().copied().collect()
    }

    #[test]
    fn a_single_missing_piece_is_seen_in_any_scale() {
        for room in 1..200 {
            let cells = map(&runs(&[run(50_000, true), run(1, false), run(49_999, true)]), &[], room);
            assert_eq!(cells.len(), room);
            assert_eq!(cells.iter().filter(|cell| **cell == MapCell::Normal).count(), 1);
        }
    }

    #[test]
    fn the_legend_has_a_second_row_where_one_would_lose_a_part_of_it() {
        let theme = Theme::load(&ThemeSource::Default, ColourDepth::None).unwrap();
        let look = Look { theme, glyphs: Glyphs::Unicode, names: Names::Shown };
        let entries = MapCell::ALL.into_iter().flat_map(|state| legend_entry(&look, state));
        let columns: usize = entries.map(|span| span.width()).sum();
        assert_eq!(columns, usize::from(layout::LEGEND_COLUMNS));
    }

    #[test]
    fn few_pieces_take_one_cell_each() {
        assert_eq!(
            map(&runs(&[run(2, true), run(1, false)]), &[], 80),
            [MapCell::Have, MapCell::Have, MapCell::Normal]
        );
        assert!(map(&runs(&[]), &[], 80).is_empty() && map(&runs(&[run(3, true)]), &[], 0).is_empty());
    }

    #[test]
    fn what_webseeds_are_asked_for_is_seen_within_and_across_runs() {
        use MapCell::{Have, Normal, Webseed};
        let runs = runs(&[run(2, true), run(5, false), run(2, true)]);
        // The second one starts in what is here, and one that claims pieces beyond the end is cut.
        let cells = map(&runs, &[1..4, 6..1_000], 80);
        assert_eq!(cells, [Have, Have, Webseed, Webseed, Normal, Normal, Webseed, Have, Have]);
        let of = |start, length| PieceRun { start: PieceIndex(start), ..run(length, false) };
        assert_eq!(pieces_in(&of(2, 5), &[1..4, 6..1_000]), 3);
        assert_eq!(pieces_in(&of(4, 2), &[1..4, 6..1_000]), 0);
    }
}
