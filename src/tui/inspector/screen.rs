//! The inspector drawn: what is stuck, then groups of like things, and the selected one in full.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Group, Inspector, Line, PAGES, in_words, time_heading, title};
use crate::contract::{Dump, Untrusted};
use crate::tui::format;
use crate::tui::message::Size;
use crate::tui::text::{self, heading};
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, FittedColumn, Look, Span, draw_heading, draw_row, fit};

#[derive(Clone, Copy)]
enum Field {
    Count,
    State,
    Time,
    Name,
    Waits,
    Numbers,
    Place,
}

const FIELDS: [Field; 7] =
    [Field::Count, Field::State, Field::Time, Field::Name, Field::Waits, Field::Numbers, Field::Place];

/// Rows of what is stuck; more are counted.
const STUCK_ROWS_MAX: u16 = 4;
/// Rows of what is said of the selected line.
const FACTS_ROWS: u16 = 4;

/// The parts of the screen.
struct Areas {
    bar: Rect,
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
    let bar = take(1);
    let stuck = take(stuck_rows);
    let table = take(size.rows.saturating_sub(bar.height + stuck.height + FACTS_ROWS + 1));
    let facts = take(FACTS_ROWS);
    Areas { bar, stuck, table, facts, hints: take(1) }
}

/// Lines of the table that are seen at once.
pub(in crate::tui) fn page(inspector: &Inspector, size: Size) -> usize {
    let stuck = inspector.look.as_ref().map_or(0, |look| look.stuck.len());
    usize::from(areas(size, stuck).table.height.saturating_sub(1))
}

/// Draws the inspector over the whole screen.
pub(in crate::tui) fn draw(look: &Look, inspector: &Inspector, size: Size, buffer: &mut Buffer) {
    let whole = *buffer.area();
    look.clear(buffer, whole, Role::Text);
    let dump = inspector.look.as_ref();
    let areas = areas(size, dump.map_or(0, |dump| dump.stuck.len()));
    draw_bar(look, inspector, buffer, areas.bar);
    let hints = text::hints::line(text::hints::INSPECTOR);
    look.line(buffer, areas.hints, &[Span::new(format!(" {hints}"), Role::Quiet)]);
    let Some(dump) = dump else {
        return look.line(buffer, areas.table, &[Span::new(format!(" {}", text::LOADING), Role::Quiet)]);
    };
    draw_stuck(look, dump, buffer, areas.stuck);
    draw_table(look, inspector, dump, buffer, areas.table);
    if let Some(selected) = inspector.line(inspector.rows.at()) {
        draw_facts(look, &selected, buffer, areas.facts);
    }
}

fn draw_bar(look: &Look, inspector: &Inspector, buffer: &mut Buffer, area: Rect) {
    look.clear(buffer, area, Role::Bar);
    let mut spans = vec![Span::new(format!(" {} ", text::INSPECTOR), Role::Title)];
    for (number, kind) in (1..).zip(PAGES) {
        let name = text::inspector_page(kind);
        if kind == inspector.shows {
            spans.push(Span::new(format!("[{number} {name}]"), Role::Selected));
        } else {
            spans.push(Span::new(format!(" {number}"), Role::Key));
            spans.push(Span::new(format!(" {name} "), Role::Bar));
        }
    }
    if inspector.frozen {
        spans.push(Span::new(format!("  {}", text::FROZEN), Role::Warning));
    }
    if let Some(dump) = &inspector.look {
        spans.push(Span::new(format!("  {}", title(&dump.rows)), Role::Bar));
    }
    look.line(buffer, area, &spans);
}

fn draw_stuck(look: &Look, dump: &Dump, buffer: &mut Buffer, area: Rect) {
    let rows = usize::from(area.height);
    for (at, row) in area.rows().enumerate() {
        let left = dump.stuck.len() - at;
        let said = if at + 1 == rows && left > 1 {
            text::more_stuck(left)
        } else {
            text::stuck(&dump.stuck[at], |outside| look.outside(outside, || None))
        };
        look.line(buffer, row, &[Span::new(format!(" {said}"), Role::Error)]);
    }
}

fn columns(dump: &Dump) -> [Column; 7] {
    [
        Column::number(heading::COUNT, 5, 0),
        Column::words(heading::STATE, 8, 0),
        Column::number(time_heading(&dump.rows), 6, 0),
        Column::growing(heading::NAME, 24, 60, 0),
        Column::growing(heading::WAITS_FOR, 30, 70, 1),
        Column::growing(heading::NUMBERS, 26, 60, 3),
        Column::growing(heading::PLACE, 22, 50, 2),
    ]
}

fn draw_table(look: &Look, inspector: &Inspector, dump: &Dump, buffer: &mut Buffer, area: Rect) {
    let columns = columns(dump);
    let heading = Rect { height: area.height.min(1), ..area };
    let below = Rect { y: area.y + heading.height, height: area.height - heading.height, ..area };
    let fitted = fit(&columns, area.width, 0);
    draw_heading(look, buffer, heading, &columns, &fitted, None);
    let seen = inspector.rows.seen(inspector.lines().len(), usize::from(below.height));
    for (at, row) in seen.zip(below.rows()) {
        let Some(group) = inspector.line(at) else { continue };
        let is_member = matches!(inspector.lines()[at], Line::Member(_));
        let ground = (at == inspector.rows.at()).then_some(Role::Selected);
        draw_row(look, buffer, row, &columns, &fitted, ground, |place| cell(look, &group, is_member, place));
    }
}

fn cell(look: &Look, group: &Group, is_member: bool, place: FittedColumn) -> Cell {
    let shown = |text: &Untrusted| look.name(text, || text::HIDDEN_TEXT.to_owned());
    match FIELDS[place.index] {
        Field::Count if is_member => Cell::new("", Role::Quiet),
        Field::Count => Cell::new(group.members.len().to_string(), Role::Text),
        Field::State => Cell::new(group.kind.state.clone(), state_role(&group.kind.state)),
        Field::Time => match group.longest_ms {
            Some(millis) => Cell::new(format::duration(millis / 1000), Role::Text),
            None => Cell::new(look.nothing(), Role::Quiet),
        },
        Field::Name if is_member => Cell::new(format!("  {}", shown(&group.kind.name)), Role::Text),
        Field::Name => Cell::new(shown(&group.kind.name), Role::Text),
        Field::Waits => Cell::new(shown(&group.kind.waits), Role::Quiet),
        Field::Numbers => Cell::new(in_words(&group.numbers), Role::Quiet),
        Field::Place => Cell::new(look.text(&group.kind.site), Role::Quiet),
    }
}

fn state_role(state: &str) -> Role {
    match state {
        "running" | "ready" | "filled" => Role::Active,
        "panicked" => Role::Error,
        "held" | "full" => Role::Warning,
        _ => Role::Quiet,
    }
}

/// What the columns may have cut off.
fn draw_facts(look: &Look, group: &Group, buffer: &mut Buffer, area: Rect) {
    let shown = |text: &Untrusted| look.name(text, || text::HIDDEN_TEXT.to_owned());
    let waits = shown(&group.kind.waits);
    let waits = if waits.is_empty() { waits } else { format!(" {} {waits}", text::WAITS_FOR) };
    let made = format!(" {} {}", text::MADE_AT, look.text(&group.kind.site));
    let lines = [
        Span::new(format!(" {}", shown(&group.kind.name)), Role::Title),
        Span::new(waits, Role::Text),
        Span::new(format!(" {}", in_words(&group.numbers)), Role::Quiet),
        Span::new(made, Role::Quiet),
    ];
    for (row, line) in area.rows().zip(lines) {
        look.line(buffer, row, &[line]);
    }
}
