//! Trackers: how each stands, when it is asked next, what it said last.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{count, pane_role, quiet, rows, say, split_heading};
use crate::contract::{TorrentDetail, TrackerRow, TrackerState, Untrusted};
use crate::tui::model::Model;
use crate::tui::text::{self, heading};
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, FittedColumn, Look, Span, draw_heading, draw_row, fit};
use crate::tui::{format, layout};

#[derive(Clone, Copy)]
enum Field {
    Tier,
    State,
    Url,
    Next,
    Seeds,
    Leeches,
    Peers,
    Message,
}

const FIELDS: [Field; 8] = [
    Field::Tier,
    Field::State,
    Field::Url,
    Field::Next,
    Field::Seeds,
    Field::Leeches,
    Field::Peers,
    Field::Message,
];

const COLUMNS: [Column; 8] = [
    Column::number(heading::TIER, 4, 4),
    Column::words(heading::STATE, 9, 0),
    Column::growing(heading::URL, 18, 60, 0),
    Column::number(heading::NEXT, 6, 1),
    Column::number(heading::SEEDS, 5, 3),
    Column::number(heading::LEECHES, 7, 5),
    Column::number(heading::PEERS, 5, 6),
    Column::growing(heading::MESSAGE, 14, u16::MAX, 2),
];

/// Draws the trackers pane.
pub(super) fn draw(model: &Model, detail: &TorrentDetail, buffer: &mut Buffer, area: Rect) {
    let look = &model.look;
    if detail.trackers.is_empty() {
        return say(look, buffer, area, text::NO_TRACKERS);
    }
    let (heading, area) = split_heading(area);
    let foot_rows = layout::TRACKER_FOOT_ROWS.min(area.height);
    let foot = Rect { y: area.bottom() - foot_rows, height: foot_rows, ..area };
    let area = Rect { height: area.height - foot_rows, ..area };
    draw_foot(model, detail, buffer, foot);
    let fitted = fit(&COLUMNS, area.width, model.pane.columns_skipped);
    draw_heading(look, buffer, heading, &COLUMNS, &fitted, None);
    let page = usize::from(area.height);
    rows(area, model.pane.rows.seen(detail.trackers.len(), page), |row, area| {
        let Some(tracker) = detail.trackers.get(row) else { return };
        let ground = (row == model.pane.rows.at()).then(|| pane_role(model));
        draw_row(look, buffer, area, &COLUMNS, &fitted, ground, |place| cell(look, tracker, row, place));
    });
}

/// What the columns may have cut off of the selected tracker.
fn draw_foot(model: &Model, detail: &TorrentDetail, buffer: &mut Buffer, area: Rect) {
    let look = &model.look;
    let Some(tracker) = detail.trackers.get(model.pane.rows.at()) else { return };
    let shown = |text: &Untrusted| format!(" {}", look.name(text, || text::HIDDEN_TEXT.to_owned()));
    let url = Span::new(shown(&tracker.url), Role::Quiet);
    let message = tracker.message.as_ref().map(|message| Span::new(shown(message), Role::Text));
    for (row, span) in area.rows().zip([Some(url), message].into_iter().flatten()) {
        look.line(buffer, row, &[span]);
    }
}

fn cell(look: &Look, tracker: &TrackerRow, row: usize, place: FittedColumn) -> Cell {
    let counted = |number: Option<u32>| match number {
        Some(number) => count(look, u64::from(number), Role::Text),
        None => quiet(look),
    };
    let role = match tracker.state {
        TrackerState::Idle => Role::Quiet,
        TrackerState::Announcing => Role::Active,
        TrackerState::Working => Role::Good,
        TrackerState::Failing => Role::Warning,
        TrackerState::Off => Role::Off,
    };
    match FIELDS[place.index] {
        Field::Tier => Cell::new(tracker.tier.to_string(), Role::Quiet),
        Field::State => Cell::new(text::tracker_state(tracker.state), role),
        Field::Url => {
            let url = look.name(&tracker.url, || format!("{} {}", text::HIDDEN_TRACKER, row + 1));
            Cell::new(url, Role::Text)
        }
        Field::Next => match tracker.next_announce_s {
            Some(seconds) => Cell::new(format::duration(seconds), Role::Text),
            None => quiet(look),
        },
        Field::Seeds => counted(tracker.seeds),
        Field::Leeches => counted(tracker.leeches),
        Field::Peers => count(look, u64::from(tracker.peers), Role::Text),
        Field::Message => match &tracker.message {
            Some(message) => Cell::new(look.name(message, || text::HIDDEN_TEXT.to_owned()), role),
            None => quiet(look),
        },
    }
}
