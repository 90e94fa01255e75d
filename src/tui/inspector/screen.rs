//! The inspector drawn: what is stuck, then the lines of the page, and the selected one in full.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::shown::{self, Shown};
use super::{Inspector, PAGES, menu, time_heading, title};
use crate::contract::{Dump, DumpKind};
use crate::tui::dialogs::draw_field;
use crate::tui::format;
use crate::tui::message::Size;
use crate::tui::text::{self, heading};
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, FittedColumn, Look, Names, Span, draw_heading, draw_row, fit};

#[derive(Clone, Copy)]
enum Field {
    Count,
    State,
    Time,
    Name,
    About,
    Numbers,
    Place,
}

const FIELDS: [Field; 7] =
    [Field::Count, Field::State, Field::Time, Field::Name, Field::About, Field::Numbers, Field::Place];

/// Rows of what is stuck; more are counted.
const STUCK_ROWS_MAX: u16 = 4;
/// Rows of what is said of the selected line.
const FACTS_ROWS: u16 = 4;

/// The parts of the screen.
struct Areas {
    bar: Rect,
    status: Rect,
    stuck: Rect,
    table: Rect,
    facts: Rect,
    hints: Rect,
}

fn areas(size: Size, stuck: usize) -> Areas {
    let mut y = 0;
    let mut take = |rows: u16| {
        let area = Rect { x: 0, y, width: size.columns, height: rows.min(size.rows.saturating_sub(y)) };
        y += area.height;
        area
    };
    let stuck_rows = u16::try_from(stuck).unwrap_or(u16::MAX).min(STUCK_ROWS_MAX);
    let (bar, status) = (take(1), take(1));
    let stuck = take(stuck_rows);
    let above = bar.height + status.height + stuck.height;
    let table = take(size.rows.saturating_sub(above + FACTS_ROWS + 1));
    let facts = take(FACTS_ROWS);
    Areas { bar, status, stuck, table, facts, hints: take(1) }
}

/// Lines of the table that are seen at once.
pub(in crate::tui) fn page(inspector: &Inspector, size: Size) -> usize {
    let stuck = inspector.page().look.as_ref().map_or(0, |look| look.stuck.len());
    usize::from(areas(size, stuck).table.height.saturating_sub(1))
}

/// Draws the inspector over the whole screen; where the text cursor is, if its filter is typed.
pub(in crate::tui) fn draw(
    look: &Look,
    inspector: &Inspector,
    size: Size,
    buffer: &mut Buffer,
) -> Option<Position> {
    let whole = *buffer.area();
    look.clear(buffer, whole, Role::Text);
    let dump = inspector.page().look.as_ref();
    let areas = areas(size, dump.map_or(0, |dump| dump.stuck.len()));
    draw_bar(look, inspector, buffer, areas.bar);
    draw_status(look, inspector, buffer, areas.status);
    let last = match &inspector.said {
        Some(said) => Span::new(format!(" {}", look.plain(said.clone())), Role::Mark),
        None => Span::new(format!(" {}", text::hints::line(text::hints::INSPECTOR)), Role::Quiet),
    };
    look.line(buffer, areas.hints, &[last]);
    if let Some(dump) = dump {
        draw_stuck(look, dump, buffer, areas.stuck);
        draw_table(look, inspector, dump, buffer, areas.table);
        draw_selected(look, inspector, buffer, areas.facts);
    } else {
        look.line(buffer, areas.table, &[Span::new(format!(" {}", text::LOADING), Role::Quiet)]);
    }
    if let Some(scroll) = &inspector.menu {
        menu::draw(look, inspector, scroll, size, buffer);
    }
    let input = inspector.typing.as_ref()?;
    let label = Rect { width: areas.hints.width.min(2), ..areas.hints };
    let field = Rect { x: label.right(), width: areas.hints.width - label.width, ..areas.hints };
    look.clear(buffer, areas.hints, Role::Bar);
    look.line(buffer, label, &[Span::new(format!(" {}", text::FILTER), Role::Key)]);
    Some(draw_field(look, buffer, field, input))
}

fn draw_bar(look: &Look, inspector: &Inspector, buffer: &mut Buffer, area: Rect) {
    look.clear(buffer, area, Role::Bar);
    let mut spans = vec![Span::new(format!(" {} ", text::INSPECTOR), Role::Title)];
    for (number, kind) in (1..).zip(PAGES) {
        let name = text::inspector_page(kind);
        if kind == inspector.page().kind {
            spans.push(Span::new(format!("[{number} {name}]"), Role::Selected));
        } else {
            spans.push(Span::new(format!(" {number}"), Role::Key));
            spans.push(Span::new(format!(" {name} "), Role::Bar));
        }
    }
    look.line(buffer, area, &spans);
}

/// How the picture stands, how much there is, and what is left out of it.
fn draw_status(look: &Look, inspector: &Inspector, buffer: &mut Buffer, area: Rect) {
    let page = inspector.page();
    let mut spans = Vec::new();
    if inspector.frozen {
        spans.push(Span::new(format!(" {}", text::FROZEN), Role::Warning));
    }
    if page.comparing {
        spans.push(Span::new(format!(" {}", text::COMPARED), Role::Mark));
    }
    if let Some(dump) = &page.look {
        spans.push(Span::new(format!(" {}", title(&dump.rows)), Role::Text));
    }
    if !page.filter.is_empty() {
        let filter = match look.names {
            Names::Shown => look.plain(page.filter.clone()),
            Names::Hidden => text::HIDDEN_TEXT.to_owned(),
        };
        spans.push(Span::new(format!("  {}{filter}", text::FILTER), Role::Mark));
    }
    if page.kind != DumpKind::Waits && !page.comparing {
        let sorted = text::inspector_sorted(page.sort, page.direction, &page.number_words());
        spans.push(Span::new(format!("  {sorted}"), Role::Quiet));
    }
    look.line(buffer, area, &spans);
}

fn draw_stuck(look: &Look, dump: &Dump, buffer: &mut Buffer, area: Rect) {
    let rows = usize::from(area.height);
    let stuck = shown::causes_first(dump);
    for (at, row) in area.rows().enumerate() {
        let left = stuck.len() - at;
        let said = if at + 1 == rows && left > 1 {
            text::more_stuck(left)
        } else {
            text::stuck(stuck[at], |outside| look.outside(outside, || None))
        };
        look.line(buffer, row, &[Span::new(format!(" {said}"), Role::Error)]);
    }
}

/// The columns of a page. What is most asked for there has room on the narrowest screen.
fn columns(inspector: &Inspector, dump: &Dump) -> [Column; 7] {
    let kind = inspector.page().kind;
    let comparing = inspector.page().comparing;
    let (count, name, about) = match kind {
        DumpKind::Waits if !comparing => (heading::HOLDS_UP, (26, 70), (24, 70)),
        DumpKind::Semaphores | DumpKind::Queues => (heading::COUNT, (26, 50), (22, 30)),
        DumpKind::Tasks | DumpKind::Locks | DumpKind::Owners | DumpKind::Waits => {
            (heading::COUNT, (24, 60), (30, 70))
        }
    };
    let (numbers, state) = if comparing { ((26, 60, 1), 8) } else { ((42, 60, 3), 8) };
    let about_rank = if comparing { 3 } else { 1 };
    [
        Column::number(count, 5, 0),
        Column::words(heading::STATE, state, 0),
        Column::number(time_heading(&dump.rows), 6, 0),
        Column::growing(heading::NAME, name.0, name.1, 0),
        Column::growing(text::about_heading(kind), about.0, about.1, about_rank),
        Column::growing(heading::NUMBERS, numbers.0, numbers.1, numbers.2),
        Column::growing(heading::PLACE, 22, 50, 2),
    ]
}

fn draw_table(look: &Look, inspector: &Inspector, dump: &Dump, buffer: &mut Buffer, area: Rect) {
    let page = inspector.page();
    let columns = columns(inspector, dump);
    let heading = Rect { height: area.height.min(1), ..area };
    let below = Rect { y: area.y + heading.height, height: area.height - heading.height, ..area };
    let fitted = fit(&columns, area.width, inspector.columns_skipped);
    draw_heading(look, buffer, heading, &columns, &fitted, None);
    if page.lines().is_empty() {
        let said = match (page.comparing, page.filter.is_empty()) {
            (true, _) => text::NO_CHANGE,
            (false, true) => text::NOTHING_HERE,
            (false, false) => text::NO_ROW_MATCHES,
        };
        return look.line(buffer, below, &[Span::new(format!(" {said}"), Role::Quiet)]);
    }
    let seen = page.rows.seen(page.lines().len(), usize::from(below.height));
    for (at, row) in seen.zip(below.rows()) {
        let shown = shown::line(look, inspector, &page.lines()[at]);
        let ground = (at == page.rows.at()).then_some(Role::Selected);
        if let Some((across, role)) = &shown.across {
            let across = format::cut(across, usize::from(row.width), look.more());
            look.line(buffer, row, &[Span::new(across, *role)]);
            if let Some(ground) = ground {
                look.select(buffer, row, ground);
            }
            continue;
        }
        draw_row(look, buffer, row, &columns, &fitted, ground, |place| cell(&shown, place));
    }
}

fn cell(shown: &Shown, place: FittedColumn) -> Cell {
    let (said, role) = match FIELDS[place.index] {
        Field::Count => (&shown.count, Role::Text),
        Field::State => (&shown.state, state_role(&shown.state)),
        Field::Time => (&shown.time, Role::Text),
        Field::Name => (&shown.name, Role::Text),
        Field::About => (&shown.about, Role::Quiet),
        Field::Numbers => (&shown.numbers, Role::Quiet),
        Field::Place => (&shown.place, Role::Quiet),
    };
    Cell::new(said.clone(), role)
}

fn state_role(state: &str) -> Role {
    match state {
        "running" | "ready" | "filled" | "turning" | "some out" | "new" => Role::Active,
        "panicked" | text::DEADLOCK => Role::Error,
        "held" | "full" | "all out" | "behind" | text::HOLDS_UP => Role::Warning,
        _ => Role::Quiet,
    }
}

/// What the columns may have cut off of the selected line.
fn draw_selected(look: &Look, inspector: &Inspector, buffer: &mut Buffer, area: Rect) {
    let page = inspector.page();
    let Some(line) = page.lines().get(page.rows.at()) else { return };
    let Shown { name, about, numbers, place, across, .. } = shown::line(look, inspector, line);
    if let Some((across, role)) = across {
        let mut rest = across.trim_start();
        for row in area.rows() {
            let room = usize::from(area.width).saturating_sub(2);
            look.line(buffer, row, &[Span::new(format!(" {}", format::cut(rest, room, "")), role)]);
            rest = format::skip(rest, room);
        }
        return;
    }
    let before = |label: &str, said: String| match said.is_empty() {
        true => said,
        false => format!(" {} {said}", label.to_lowercase()),
    };
    let lines = [
        Span::new(format!(" {}", name.trim_start()), Role::Title),
        Span::new(
            before(if page.comparing { "" } else { text::about_heading(page.kind) }, about),
            Role::Text,
        ),
        Span::new(format!(" {numbers}"), Role::Quiet),
        Span::new(before(text::MADE_AT, place), Role::Quiet),
    ];
    for (row, line) in area.rows().zip(lines) {
        look.line(buffer, row, &[line]);
    }
}
