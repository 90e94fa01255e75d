//! The menu of troubles that the demo can make.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{body, frame};
use crate::tui::model::Model;
use crate::tui::theme::Role;
use crate::tui::widgets::Span;
use crate::tui::{layout, text};

const COLUMNS: u16 = 72;
/// Frame, an empty line and the hints.
const ROWS_AROUND: u16 = 4;

/// Draws the menu where it is open.
pub(in crate::tui) fn draw(model: &Model, buffer: &mut Buffer) {
    let Some(mut scroll) = model.chaos.menu else { return };
    let names = &model.chaos.names;
    let wanted = u16::try_from(names.len()).unwrap_or(u16::MAX).saturating_add(ROWS_AROUND);
    let area = layout::centred(model.size, COLUMNS, wanted);
    frame(&model.look, buffer, area, text::CHAOS_TITLE);
    let page = usize::from(area.height.saturating_sub(ROWS_AROUND));
    scroll.settle(names.len(), page);
    let seen = scroll.seen(names.len(), page);
    let line = |name: &String| vec![Span::new(model.look.plain(name.clone()), Role::Text)];
    let mut lines: Vec<_> = names[seen.clone()].iter().map(line).collect();
    lines.push(vec![]);
    lines.push(vec![Span::new(text::hints::line(text::hints::CHAOS), Role::Quiet)]);
    body(&model.look, buffer, area, &lines);
    let row = u16::try_from(scroll.at() - seen.start).unwrap_or(0);
    let row = Rect { x: area.x + 1, y: area.y + 1 + row, width: area.width.saturating_sub(2), height: 1 };
    model.look.select(buffer, row, Role::Selected);
}
