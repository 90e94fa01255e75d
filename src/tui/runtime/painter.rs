//! Turns the model into the bytes that change the screen, and only those.

use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::crossterm::cursor::{Hide, MoveTo, Show};
use ratatui::crossterm::queue;
use ratatui::crossterm::style::ResetColor;
use ratatui::crossterm::terminal::{Clear, ClearType};
use ratatui::layout::{Position, Rect};

use crate::tui::model::Model;
use crate::tui::view::view;

/// What the terminal shows, as far as we know.
#[derive(Default)]
pub(super) struct Painter {
    shown: Option<Buffer>,
    cursor: Option<Position>,
    /// Sequences that go out with the next frame.
    appended: Vec<u8>,
}

impl Painter {
    /// Forgets what the terminal shows: the next frame draws everything.
    pub(super) fn forget(&mut self) {
        self.shown = None;
    }

    /// Has `bytes` go out with the next frame.
    pub(super) fn append(&mut self, bytes: Vec<u8>) {
        self.appended.extend(bytes);
    }

    /// The bytes of one frame; `None` where nothing changes.
    pub(super) fn paint(&mut self, model: &Model) -> Option<Vec<u8>> {
        let area = Rect::new(0, 0, model.size.columns, model.size.rows);
        let mut next = Buffer::empty(area);
        let cursor = view(model, &mut next);
        let mut bytes = std::mem::take(&mut self.appended);
        let fresh = self.shown.as_ref().is_none_or(|shown| *shown.area() != area);
        if fresh {
            self.shown = Some(Buffer::empty(area));
        }
        let shown = self.shown.get_or_insert_with(|| Buffer::empty(area));
        let changes = shown.diff(&next);
        if !fresh && changes.is_empty() && cursor == self.cursor && bytes.is_empty() {
            return None;
        }
        let written = encode(&mut bytes, fresh, &changes, cursor);
        written.expect("writing to a byte vector cannot fail");
        self.shown = Some(next);
        self.cursor = cursor;
        Some(bytes)
    }
}

fn encode(
    bytes: &mut Vec<u8>,
    fresh: bool,
    changes: &[(u16, u16, &ratatui::buffer::Cell)],
    cursor: Option<Position>,
) -> std::io::Result<()> {
    queue!(bytes, Hide)?;
    if fresh {
        queue!(bytes, ResetColor, Clear(ClearType::All))?;
    }
    CrosstermBackend::new(&mut *bytes).draw(changes.iter().copied())?;
    if let Some(Position { x, y }) = cursor {
        queue!(bytes, MoveTo(x, y), Show)?;
    }
    Ok(())
}
