//! The torrent list.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{count, quiet, rate, rows, say, selected_role, size};
use crate::contract::{TorrentRow, TorrentState};
use crate::tui::format;
use crate::tui::model::{Focus, Model};
use crate::tui::text::{self, heading};
use crate::tui::theme::Role;
use crate::tui::torrents::{SortKey, eta, left_bytes, rates};
use crate::tui::widgets::{Cell, Column, FittedColumn, draw_heading, draw_row, fit};
use crate::units::Rate;

/// What a column shows.
#[derive(Clone, Copy)]
enum Field {
    Mark,
    State,
    Name,
    Progress,
    Size,
    Done,
    Left,
    Down,
    Up,
    Eta,
    Peers,
    Seeds,
    Ratio,
    Sent,
}

const FIELDS: [Field; 14] = [
    Field::Mark,
    Field::State,
    Field::Name,
    Field::Progress,
    Field::Size,
    Field::Done,
    Field::Left,
    Field::Down,
    Field::Up,
    Field::Eta,
    Field::Peers,
    Field::Seeds,
    Field::Ratio,
    Field::Sent,
];

const COLUMNS: [Column; 14] = [
    Column::words("", 2, 0),
    Column::words(heading::STATE, 11, 0),
    Column::growing(heading::NAME, 12, 100, 0),
    Column::growing(heading::PROGRESS, 10, 24, 10),
    Column::number(heading::SIZE, 5, 4),
    Column::number(heading::DONE, 5, 1),
    Column::number(heading::LEFT, 5, 11),
    Column::number(heading::DOWN, 6, 2),
    Column::number(heading::UP, 6, 5),
    Column::number(heading::ETA, 6, 3),
    Column::number(heading::PEERS, 5, 6),
    Column::number(heading::SEEDS, 5, 9),
    Column::number(heading::RATIO, 5, 7),
    Column::number(heading::SENT, 5, 12),
];

/// The column whose heading shows that the list is sorted by it.
fn column_of(key: SortKey) -> Option<usize> {
    let is_it = |field: &Field| {
        matches!(
            (key, field),
            (SortKey::State, Field::State)
                | (SortKey::Name, Field::Name)
                | (SortKey::Size, Field::Size)
                | (SortKey::Done, Field::Done)
                | (SortKey::Down, Field::Down)
                | (SortKey::Up, Field::Up)
                | (SortKey::Eta, Field::Eta)
                | (SortKey::Peers, Field::Peers)
                | (SortKey::Ratio, Field::Ratio)
        )
    };
    FIELDS.iter().position(is_it)
}

/// Draws headings and rows.
pub(in crate::tui) fn draw(model: &Model, buffer: &mut Buffer, heading: Rect, area: Rect) {
    if heading.is_empty() {
        return;
    }
    let look = &model.look;
    // Names get a fair share before the columns of wide screens come in.
    let columns = columns(area.width);
    let fitted = fit(&columns, area.width, model.list.columns_skipped);
    let sorted = column_of(model.list.sort).map(|column| (column, text::sort_mark(model.list.direction)));
    draw_heading(
        look,
        buffer,
        heading,
        &marked(columns, &fitted, model.list.columns_skipped),
        &fitted,
        sorted,
    );
    if model.list.is_empty() {
        let nothing = model.snapshot.torrents.is_empty();
        let why = if nothing { text::hints::no_torrents() } else { text::hints::no_match() };
        return say(look, buffer, area, &why);
    }
    let seen = model.list.seen(usize::from(area.height));
    rows(area, seen, |row, area| {
        let Some(position) = model.list.position(row) else { return };
        let Some(torrent) = model.snapshot.torrents.get(position) else { return };
        let ground = (row == model.list.cursor()).then(|| selected_role(model.focus == Focus::List));
        draw_row(look, buffer, area, &COLUMNS, &fitted, ground, |place| {
            cell(model, torrent, position, place)
        });
    });
}

/// The columns with the name's least width for a screen this wide: a fair share, before extra columns come in.
fn columns(width: u16) -> [Column; 14] {
    let mut columns = COLUMNS;
    columns[Field::Name as usize].width = (width * 3 / 10).clamp(12, 60);
    columns
}

/// The columns, the first of them saying on which sides others are hidden.
fn marked(mut columns: [Column; 14], fitted: &[FittedColumn], skipped: usize) -> [Column; 14] {
    let last_is_shown = fitted.last().is_some_and(|last| last.index + 1 == columns.len());
    columns[Field::Mark as usize].title = match (skipped > 0, last_is_shown) {
        (false, true) => "",
        (false, false) => " >",
        (true, true) => "<",
        (true, false) => "<>",
    };
    columns
}

/// How many columns can be scrolled away before the last one is shown.
pub(in crate::tui) fn skipped_max(width: u16) -> usize {
    let columns = columns(width);
    let last_is_shown = |skipped: &usize| {
        fit(&columns, width, *skipped).last().is_some_and(|last| last.index + 1 == columns.len())
    };
    (0..columns.len()).find(last_is_shown).unwrap_or(columns.len())
}

fn cell(model: &Model, torrent: &TorrentRow, position: usize, place: FittedColumn) -> Cell {
    let look = &model.look;
    match FIELDS[place.index] {
        Field::Mark => mark(model, torrent),
        Field::State => Cell::new(text::state(torrent.state), state_role(torrent)),
        Field::Name => {
            let name = look.name(&torrent.name, || format!("torrent {}", position + 1));
            Cell::new(name, Role::Text)
        }
        Field::Progress if torrent.state == TorrentState::Metadata => quiet(look),
        Field::Progress => {
            let bar = look.bar(torrent.done_bytes, torrent.wanted_bytes, place.width);
            Cell::new(bar, state_role(torrent))
        }
        Field::Size => size(look, torrent.wanted_bytes, Role::Text),
        Field::Done if torrent.state == TorrentState::Metadata => quiet(look),
        Field::Done => {
            let done = format::percent(torrent.done_bytes, torrent.wanted_bytes);
            Cell::new(done, if left_bytes(torrent) == 0 { Role::Good } else { Role::Text })
        }
        Field::Left => size(look, left_bytes(torrent), Role::Text),
        Field::Down => rate(look, rates(torrent).0, Role::Down),
        Field::Up => rate(look, rates(torrent).1, Role::Up),
        Field::Eta => match eta(torrent) {
            Some(eta) => Cell::new(format::duration(eta.as_secs()), Role::Text),
            None => quiet(look),
        },
        Field::Peers => count(look, u64::from(torrent.peers.connected), Role::Text),
        Field::Seeds => count(look, u64::from(torrent.peers.seeds), Role::Text),
        Field::Ratio => format::ratio(torrent.uploaded_bytes, torrent.downloaded_bytes)
            .map_or_else(|| quiet(look), |ratio| Cell::new(ratio, Role::Text)),
        Field::Sent => size(look, torrent.uploaded_bytes, Role::Text),
    }
}

/// `*` for a marked torrent, `!` for one whose cause the banner tells.
fn mark(model: &Model, torrent: &TorrentRow) -> Cell {
    let marked = if model.list.is_marked(torrent.id) { "*" } else { " " };
    let stalled = if torrent.cause.is_some() { "!" } else { " " };
    let role = match (marked, torrent.state) {
        ("*", _) => Role::Mark,
        (_, TorrentState::Error) => Role::Error,
        _ => Role::Warning,
    };
    Cell::new(format!("{marked}{stalled}"), role)
}

/// How the state of a torrent looks.
pub(super) fn state_role(torrent: &TorrentRow) -> Role {
    match torrent.state {
        TorrentState::Metadata | TorrentState::Checking => Role::Waiting,
        TorrentState::Downloading if torrent.down_bps == Rate(0) => Role::Warning,
        TorrentState::Downloading => Role::Active,
        TorrentState::Seeding | TorrentState::Finished => Role::Good,
        TorrentState::Paused => Role::Quiet,
        TorrentState::Error => Role::Error,
    }
}
