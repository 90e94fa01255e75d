//! The sort menu.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{body, frame};
use crate::tui::model::Model;
use crate::tui::theme::Role;
use crate::tui::torrents::SortKey;
use crate::tui::widgets::{Scroll, Span};
use crate::tui::{layout, text};

const COLUMNS: u16 = 30;
/// Frame, an empty line and the line about reversing.
const ROWS_AROUND: u16 = 4;

pub(super) fn draw(model: &Model, scroll: &Scroll, buffer: &mut Buffer) {
    let rows = SortKey::ALL.len();
    let wanted = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(ROWS_AROUND);
    let area = layout::centred(model.size, COLUMNS, wanted);
    frame(&model.look, buffer, area, text::SORT_TITLE);
    let page = usize::from(area.height.saturating_sub(ROWS_AROUND));
    let mut scroll = *scroll;
    scroll.settle(rows, page);
    let mut lines = Vec::new();
    for key in &SortKey::ALL[scroll.seen(rows, page)] {
        let mark = if *key == model.list.sort { text::sort_mark(model.list.direction) } else { " " };
        lines.push(vec![Span::new(format!("{mark} {}", text::sort_name(*key)), Role::Text)]);
    }
    lines.push(vec![]);
    lines.push(vec![Span::new(text::hints::line(text::hints::SORT), Role::Quiet)]);
    body(&model.look, buffer, area, &lines);
    let row = scroll.at() - scroll.seen(rows, page).start;
    let row = Rect {
        x: area.x + 1,
        y: area.y + 1 + u16::try_from(row).unwrap_or(0),
        width: area.width.saturating_sub(2),
        height: 1,
    };
    model.look.select(buffer, row, Role::Selected);
}
