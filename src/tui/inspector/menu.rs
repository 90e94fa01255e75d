//! The sort menu of the inspector.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Inspector, SortKey};
use crate::tui::dialogs::{body, frame};
use crate::tui::message::Size;
use crate::tui::theme::Role;
use crate::tui::widgets::{Look, Scroll, Span};
use crate::tui::{layout, text};

const COLUMNS: u16 = 32;
/// Frame, an empty line and the hints.
const ROWS_AROUND: u16 = 4;

pub(super) fn draw(look: &Look, inspector: &Inspector, scroll: &Scroll, size: Size, buffer: &mut Buffer) {
    let page = inspector.page();
    let numbers = page.number_words();
    let keys = SortKey::all(numbers.len());
    let wanted = u16::try_from(keys.len()).unwrap_or(u16::MAX).saturating_add(ROWS_AROUND);
    let area = layout::centred(size, COLUMNS, wanted);
    frame(look, buffer, area, text::INSPECTOR_SORT);
    let room = usize::from(area.height.saturating_sub(ROWS_AROUND));
    let mut scroll = *scroll;
    scroll.settle(keys.len(), room);
    let seen = scroll.seen(keys.len(), room);
    let mut lines = Vec::new();
    for key in &keys[seen.clone()] {
        let mark = if *key == page.sort { text::sort_mark(page.direction) } else { " " };
        lines.push(vec![Span::new(format!("{mark} {}", text::inspector_sort(*key, &numbers)), Role::Text)]);
    }
    lines.push(vec![]);
    lines.push(vec![Span::new(text::hints::line(text::hints::SORT), Role::Quiet)]);
    body(look, buffer, area, &lines);
    let row = u16::try_from(scroll.at() - seen.start).unwrap_or(0);
    let row = Rect { x: area.x + 1, y: area.y + 1 + row, width: area.width.saturating_sub(2), height: 1 };
    look.select(buffer, row, Role::Selected);
}
