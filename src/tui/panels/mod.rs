//! The parts of the screen under the dialogs, each a pure drawing of the model into its area.
//!
//! A panel formats only the rows that are seen, so a frame costs the same for ten torrents and for ten thousand.

pub(super) mod files;
mod log;
mod peers;
mod pieces;
mod status;
mod torrents;
mod trackers;
mod webseeds;

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::model::{Focus, Model, Tab};
use super::text;
use super::theme::Role;
use super::widgets::{Cell, Look, Span};
use crate::units::Rate;

pub(super) use status::{banner, filter_line, status, toast, totals};
pub(super) use torrents::{draw as torrents, skipped_max as list_columns_skipped_max};

/// Draws the open tab.
pub(super) fn pane(model: &Model, buffer: &mut Buffer, area: Rect) {
    let look = &model.look;
    if area.is_empty() {
        return;
    }
    let Some(selected) = model.selected() else {
        return say(look, buffer, area, text::NOTHING_SELECTED);
    };
    let Some(detail) = model.detail() else {
        return say(look, buffer, area, text::LOADING);
    };
    match model.pane.tab {
        Tab::Files => files::draw(model, buffer, area),
        Tab::Peers => peers::draw(model, detail, buffer, area),
        Tab::Trackers => trackers::draw(model, detail, buffer, area),
        Tab::Webseeds => webseeds::draw(model, detail, buffer, area),
        Tab::Pieces => pieces::draw(model, detail, &selected.pieces, buffer, area),
        Tab::Log => log::draw(model, detail, buffer, area),
    }
}

/// A filter has at most this much room beside the names of the tabs.
const FILTER_COLUMNS: usize = 16;

/// The names of the tabs, the open one marked, the filter, and how far its cursor is.
pub(super) fn tabs(model: &Model, buffer: &mut Buffer, area: Rect) {
    let look = &model.look;
    look.clear(buffer, area, Role::Bar);
    let mut spans = vec![Span::new(" ", Role::Bar)];
    for tab in Tab::ALL {
        let (key, name) = text::hints::tab(tab);
        if tab == model.pane.tab {
            let role = if model.focus == Focus::Pane { Role::Selected } else { Role::Title };
            spans.push(Span::new(format!("[{key} {name}]"), role));
        } else {
            spans.push(Span::new(format!(" {key}"), Role::Key));
            spans.push(Span::new(format!(" {name} "), Role::Bar));
        }
    }
    look.line(buffer, area, &spans);
    let rows = model.pane_rows();
    let at = match model.pane.tab {
        Tab::Files => model.pane.files.cursor(),
        Tab::Peers | Tab::Trackers | Tab::Webseeds | Tab::Pieces | Tab::Log => model.pane.rows.at(),
    };
    let used: usize = spans.iter().map(Span::width).sum();
    let room = usize::from(area.width).saturating_sub(used);
    let cursor = if rows > 0 { format!("{}/{rows} ", at + 1) } else { String::new() };
    let mut place = Vec::new();
    if model.pane.tab == Tab::Files && !model.pane.files.filter().is_empty() {
        let filter = look.plain(model.pane.files.filter().to_owned());
        let spaces = 2;
        let beside = text::FILTER.len() + spaces + cursor.len() + 1;
        let filter =
            super::format::cut(&filter, room.saturating_sub(beside).min(FILTER_COLUMNS), look.more());
        place.push(Span::new(format!("{}{filter}{}", text::FILTER, " ".repeat(spaces)), Role::Mark));
    }
    place.push(Span::new(cursor, Role::Bar));
    let columns: usize = place.iter().map(Span::width).sum();
    if columns < room {
        let columns = u16::try_from(columns).unwrap_or(0);
        look.line(buffer, Rect { x: area.right() - columns, width: columns, ..area }, &place);
    }
}

/// How the row of the cursor looks in a part that has the keys or has not.
pub(super) fn selected_role(has_keys: bool) -> Role {
    if has_keys { Role::Selected } else { Role::SelectedFar }
}

/// The role of the cursor's row in the pane.
fn pane_role(model: &Model) -> Role {
    selected_role(model.focus == Focus::Pane)
}

/// One quiet line instead of content.
fn say(look: &Look, buffer: &mut Buffer, area: Rect, line: &str) {
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area };
    look.line(buffer, area, &[Span::new(line, Role::Quiet)]);
}

/// Draws the seen rows of a table, one below the other.
fn rows(area: Rect, seen: Range<usize>, mut draw: impl FnMut(usize, Rect)) {
    for (row, area) in seen.zip(area.rows()) {
        draw(row, area);
    }
}

/// The first row of an area, and the rest.
fn split_heading(area: Rect) -> (Rect, Rect) {
    let heading = Rect { height: area.height.min(1), ..area };
    (heading, Rect { y: area.y + heading.height, height: area.height - heading.height, ..area })
}

/// A number, or the quiet dot for zero.
fn count(look: &Look, count: u64, role: Role) -> Cell {
    if count == 0 { quiet(look) } else { Cell::new(count.to_string(), role) }
}

/// A size, or the quiet dot for zero.
fn size(look: &Look, bytes: u64, role: Role) -> Cell {
    if bytes == 0 { quiet(look) } else { Cell::new(super::format::short_bytes(bytes), role) }
}

/// A rate, or the quiet dot for zero.
fn rate(look: &Look, rate: Rate, role: Role) -> Cell {
    size(look, rate.0, role)
}

/// What says nothing.
fn quiet(look: &Look) -> Cell {
    Cell::new(look.nothing(), Role::Quiet)
}
