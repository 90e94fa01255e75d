//! Webseeds: how each stands and what it brings; below them the selected one in full, request by request.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{pane_role, quiet, rate, rows, say, size, split_heading};
use crate::contract::{TorrentDetail, Untrusted, WebseedRequestRow, WebseedRow, WebseedState};
use crate::tui::layout::WebseedsAreas;
use crate::tui::model::Model;
use crate::tui::text::{self, heading};
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, FittedColumn, Look, Span, draw_heading, draw_row, fit};
use crate::tui::{format, layout};
use crate::units::FileIndex;

#[derive(Clone, Copy)]
enum Field {
    State,
    Url,
    Requests,
    Down,
    Status,
    Received,
    Wasted,
    Latency,
    Protocol,
    Error,
}

const FIELDS: [Field; 10] = [
    Field::State,
    Field::Url,
    Field::Requests,
    Field::Down,
    Field::Status,
    Field::Received,
    Field::Wasted,
    Field::Latency,
    Field::Protocol,
    Field::Error,
];

const COLUMNS: [Column; 10] = [
    // As wide as `again in 12m05s`.
    Column::words(heading::STATE, 15, 0),
    Column::growing(heading::URL, 20, 60, 0),
    Column::number(heading::REQUESTS, 7, 1),
    Column::number(heading::DOWN, 6, 2),
    Column::number(heading::STATUS, 6, 4),
    Column::number(heading::RECEIVED, 5, 5),
    Column::number(heading::WASTED, 6, 6),
    Column::number(heading::LATENCY, 7, 7),
    Column::words(heading::PROTOCOL, 8, 8),
    Column::growing(heading::LAST_ERROR, 14, u16::MAX, 3),
];

/// Draws the webseeds pane.
pub(super) fn draw(model: &Model, detail: &TorrentDetail, buffer: &mut Buffer, area: Rect) {
    let look = &model.look;
    if detail.webseeds.is_empty() {
        return say(look, buffer, area, &text::no_webseeds());
    }
    let parts = layout::webseeds(area, detail.webseeds.len());
    let (heading, area) = split_heading(parts.table);
    let fitted = fit(&COLUMNS, area.width, model.pane.columns_skipped);
    draw_heading(look, buffer, heading, &COLUMNS, &fitted, None);
    let page = usize::from(area.height);
    rows(area, model.pane.rows.seen(detail.webseeds.len(), page), |row, area| {
        let Some(webseed) = detail.webseeds.get(row) else { return };
        let ground = (row == model.pane.rows.at()).then(|| pane_role(model));
        draw_row(look, buffer, area, &COLUMNS, &fitted, ground, |place| cell(look, webseed, row, place));
    });
    if let Some(webseed) = detail.webseeds.get(model.pane.rows.at()) {
        draw_facts(look, webseed, buffer, &parts);
        draw_requests(look, detail, webseed, buffer, parts.requests);
    }
}

fn cell(look: &Look, webseed: &WebseedRow, row: usize, place: FittedColumn) -> Cell {
    let role = state_role(webseed);
    match FIELDS[place.index] {
        Field::State => Cell::new(text::webseed_state(webseed), role),
        Field::Url => {
            let url = look.name(&webseed.url, || format!("{} {}", text::HIDDEN_WEBSEED, row + 1));
            Cell::new(url, Role::Text)
        }
        Field::Requests => {
            let under_way = !webseed.requests.is_empty() || webseed.waiting_for_host > 0;
            Cell::new(text::webseed_requests(webseed), if under_way { Role::Text } else { Role::Quiet })
        }
        Field::Down => rate(look, webseed.down_bps, Role::Down),
        Field::Status => match webseed.last_status {
            Some(status) => Cell::new(status.to_string(), status_role(status)),
            None => quiet(look),
        },
        Field::Received => size(look, webseed.downloaded_bytes, Role::Text),
        Field::Wasted => size(look, webseed.wasted_bytes, Role::Warning),
        Field::Latency => match webseed.latency_ms {
            Some(millis) => Cell::new(format::millis(u64::from(millis)), Role::Text),
            None => quiet(look),
        },
        Field::Protocol => match &webseed.protocol {
            Some(protocol) => Cell::new(look.text(&Untrusted::new(protocol.as_str())), Role::Quiet),
            None => quiet(look),
        },
        Field::Error => match &webseed.last_error {
            Some(error) => Cell::new(look.name(error, || text::HIDDEN_TEXT.to_owned()), error_role(webseed)),
            None => quiet(look),
        },
    }
}

fn state_role(webseed: &WebseedRow) -> Role {
    match webseed.state {
        WebseedState::Idle => Role::Quiet,
        WebseedState::Active if text::all_stalled(webseed) => Role::Warning,
        WebseedState::Active => Role::Active,
        WebseedState::BackingOff => Role::Warning,
        WebseedState::Disabled => Role::Off,
        WebseedState::Banned => Role::Error,
    }
}

/// An error that is over is told without alarm.
fn error_role(webseed: &WebseedRow) -> Role {
    match webseed.state {
        WebseedState::BackingOff => Role::Warning,
        WebseedState::Banned => Role::Error,
        WebseedState::Idle | WebseedState::Active | WebseedState::Disabled => Role::Quiet,
    }
}

fn status_role(status: u16) -> Role {
    if (200..300).contains(&status) { Role::Text } else { Role::Warning }
}

/// What the columns may have cut off of the selected webseed, and what none of them says. While no request is under way,
/// a long error has their rows.
fn draw_facts(look: &Look, webseed: &WebseedRow, buffer: &mut Buffer, parts: &WebseedsAreas) {
    let shown = |text: &Untrusted| look.name(text, || text::HIDDEN_TEXT.to_owned());
    let mut lines = vec![
        Span::new(format!(" {}", shown(&webseed.url)), Role::Title),
        Span::new(format!(" {}", text::webseed_facts(webseed)), Role::Quiet),
    ];
    let error = webseed.last_error.as_ref().map(shown).unwrap_or_default();
    let role = error_role(webseed);
    let mut area = parts.facts;
    if webseed.requests.is_empty() {
        area.height += parts.requests.height;
        let wrapped = wrapped(&error, usize::from(area.width.saturating_sub(2)));
        lines.extend(wrapped.iter().map(|line| Span::new(format!(" {line}"), role)));
        lines.push(Span::new(format!(" {}", text::NO_WEBSEED_REQUESTS), Role::Quiet));
    } else {
        lines.push(Span::new(format!(" {error}"), role));
    }
    for (row, span) in area.rows().zip(lines) {
        look.line(buffer, row, &[span]);
    }
}

/// A text in parts that each fit into `columns`.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let line = format::cut(rest, columns, "");
        if line.is_empty() {
            break;
        }
        rest = &rest[line.len()..];
        lines.push(line);
    }
    lines
}

#[derive(Clone, Copy)]
enum RequestField {
    Pieces,
    State,
    File,
    Received,
    Age,
    Silent,
    Status,
}

const REQUEST_FIELDS: [RequestField; 7] = [
    RequestField::Pieces,
    RequestField::State,
    RequestField::File,
    RequestField::Received,
    RequestField::Age,
    RequestField::Silent,
    RequestField::Status,
];

const REQUEST_COLUMNS: [Column; 7] = [
    Column::words(heading::PIECES, 11, 0),
    Column::words(heading::STATE, 9, 0),
    Column::growing(heading::FILE, 16, 80, 2),
    Column::number(heading::RECEIVED_OF, 11, 1),
    Column::number(heading::AGE, 6, 4),
    Column::number(heading::SILENT, 6, 3),
    Column::number(heading::STATUS, 6, 5),
];

/// The requests of the selected webseed that are under way.
fn draw_requests(look: &Look, detail: &TorrentDetail, webseed: &WebseedRow, buffer: &mut Buffer, area: Rect) {
    let (heading, area) = split_heading(area);
    if area.is_empty() || webseed.requests.is_empty() {
        return;
    }
    let fitted = fit(&REQUEST_COLUMNS, area.width, 0);
    draw_heading(look, buffer, heading, &REQUEST_COLUMNS, &fitted, None);
    let page = usize::from(area.height);
    let shown = if webseed.requests.len() > page { page - 1 } else { webseed.requests.len() };
    rows(area, 0..shown, |row, area| {
        let Some(request) = webseed.requests.get(row) else { return };
        draw_row(look, buffer, area, &REQUEST_COLUMNS, &fitted, None, |place| {
            request_cell(look, detail, request, place)
        });
    });
    if shown < webseed.requests.len() {
        let last = Rect { y: area.bottom() - 1, height: 1, ..area };
        say(look, buffer, last, &text::more_webseed_requests(webseed.requests.len() - shown));
    }
}

fn request_cell(
    look: &Look,
    detail: &TorrentDetail,
    request: &WebseedRequestRow,
    place: FittedColumn,
) -> Cell {
    match REQUEST_FIELDS[place.index] {
        RequestField::Pieces if request.first == request.last => {
            Cell::new(request.first.0.to_string(), Role::Text)
        }
        RequestField::Pieces => Cell::new(format!("{}-{}", request.first.0, request.last.0), Role::Text),
        RequestField::State => {
            let role = match (request.stalled, request.status) {
                (true, _) => Role::Warning,
                (false, None) => Role::Waiting,
                (false, Some(_)) => Role::Active,
            };
            Cell::new(text::webseed_request_state(request), role)
        }
        RequestField::File => match request.file {
            Some(file) => file_cell(look, detail, file, place.width),
            None => quiet(look),
        },
        RequestField::Received => {
            let [received, bytes] = [request.received_bytes, request.bytes].map(format::short_bytes);
            Cell::new(format!("{received}/{bytes}"), Role::Text)
        }
        RequestField::Age => Cell::new(format::millis(request.age_ms), Role::Quiet),
        RequestField::Silent => {
            let role = if request.stalled { Role::Warning } else { Role::Quiet };
            Cell::new(format::millis(request.silent_ms), role)
        }
        RequestField::Status => match request.status {
            Some(status) => Cell::new(status.to_string(), status_role(status)),
            None => quiet(look),
        },
    }
}

/// The file by its path: of a long one the end, which tells files of a folder apart.
fn file_cell(look: &Look, detail: &TorrentDetail, file: FileIndex, width: u16) -> Cell {
    let row = detail.files.binary_search_by_key(&file, |row| row.index);
    let Some(row) = row.ok().and_then(|at| detail.files.get(at)) else { return quiet(look) };
    let path = look.name(&row.path, || format!("{} {}", text::HIDDEN_FILE, file.0 + 1));
    Cell::new(format::cut_start(&path, usize::from(width), look.more()), Role::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_error_is_told_to_its_end() {
        for columns in 2..30 {
            let lines = wrapped("HTTP 503 for 日本語/a file.bin", columns);
            assert_eq!(lines.concat(), "HTTP 503 for 日本語/a file.bin");
            assert!(lines.iter().all(|line| format::width(line) <= columns));
        }
        assert!(wrapped("日本語", 1).is_empty() && wrapped("", 5).is_empty());
    }
}
