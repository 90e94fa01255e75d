//! What lies over the screen and takes the keys: adding, questions, the sort menu, the help.
//!
//! At most one is open, and the help over it. Each file holds the state of one dialog and how it is drawn; what its keys do is in `update`.

mod add;
mod chaos;
mod help;
mod question;
mod sort;
mod webseed;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

pub use add::{AddChoice, AddDialog, AddField, AddStep, in_home};
pub(super) use chaos::draw as draw_chaos;
pub use help::{HelpDialog, draw as draw_help, lines as help_lines};
pub use question::RemoveDialog;
pub use webseed::{RemoveWebseedDialog, WebseedDialog};

use super::format;
use super::keymap::Context;
use super::model::Model;
use super::theme::Role;
use super::widgets::{LineInput, Look, Scroll, Span};

/// The dialog that is open.
#[derive(Debug)]
pub enum Dialog {
    /// Adding a torrent.
    Add(Box<AddDialog>),
    /// Whether to remove torrents.
    Remove(RemoveDialog),
    /// Whether to quit while this many torrents transfer.
    Quit {
        /// How many.
        transferring: usize,
    },
    /// What to sort by.
    Sort(Scroll),
    /// The URL of a webseed.
    Webseed(WebseedDialog),
    /// Whether to remove a webseed.
    RemoveWebseed(RemoveWebseedDialog),
}

impl Dialog {
    /// The contexts that hold in it, innermost first.
    pub fn contexts(&self) -> Vec<Context> {
        match self {
            Self::Add(add) => match &add.step {
                AddStep::Source { .. } => vec![Context::Text, Context::Anywhere],
                AddStep::Reading { .. } => vec![Context::AddReading, Context::Anywhere],
                AddStep::Choice(choice) => match choice.field {
                    AddField::Files => vec![
                        Context::AddFiles,
                        Context::AddChoice,
                        Context::Tree,
                        Context::Marks,
                        Context::Rows,
                        Context::Anywhere,
                    ],
                    AddField::Folder => vec![Context::AddChoice, Context::Text, Context::Anywhere],
                },
            },
            Self::Remove(remove) => vec![remove.context(), Context::Anywhere],
            Self::Webseed(_) => vec![Context::Text, Context::Anywhere],
            Self::Quit { .. } | Self::RemoveWebseed(_) => vec![Context::Question, Context::Anywhere],
            Self::Sort(_) => vec![Context::SortMenu, Context::Rows, Context::Anywhere],
        }
    }
}

/// Draws the open dialog; where the text cursor is, if it has one.
pub fn draw(model: &Model, buffer: &mut Buffer) -> Option<Position> {
    match model.dialog.as_ref()? {
        Dialog::Add(add) => add::draw(model, add, buffer),
        Dialog::Remove(remove) => {
            question::draw_remove(model, remove, buffer);
            None
        }
        Dialog::Quit { transferring } => {
            question::draw_quit(model, *transferring, buffer);
            None
        }
        Dialog::Sort(scroll) => {
            sort::draw(model, scroll, buffer);
            None
        }
        Dialog::Webseed(dialog) => Some(webseed::draw_add(model, dialog, buffer)),
        Dialog::RemoveWebseed(dialog) => {
            webseed::draw_remove(model, dialog, buffer);
            None
        }
    }
}

/// An empty box with a title in its upper edge.
pub(super) fn frame(look: &Look, buffer: &mut Buffer, area: Rect, title: &str) {
    look.clear(buffer, area, Role::Text);
    if area.width < 2 || area.height < 2 {
        return;
    }
    let [corners, edge, side] = match look.glyph("unicode", "ascii") {
        "unicode" => [["┌", "┐", "└", "┘"], ["─"; 4], ["│"; 4]],
        _ => [["+"; 4], ["-"; 4], ["|"; 4]],
    };
    let inner = edge[0].repeat(usize::from(area.width - 2));
    let row = |y: u16| Rect { y, height: 1, ..area };
    let edges = |left: &str, right: &str| [Span::new(format!("{left}{inner}{right}"), Role::Border)];
    look.line(buffer, row(area.y), &edges(corners[0], corners[1]));
    look.line(buffer, row(area.bottom() - 1), &edges(corners[2], corners[3]));
    for y in area.y + 1..area.bottom() - 1 {
        look.line(buffer, row(y), &[Span::new(side[0], Role::Border)]);
        look.line(
            buffer,
            Rect { x: area.right() - 1, y, width: 1, height: 1 },
            &[Span::new(side[0], Role::Border)],
        );
    }
    let title_area = Rect { x: area.x + 2, width: area.width.saturating_sub(4), ..row(area.y) };
    look.line(buffer, title_area, &[Span::new(format!(" {title} "), Role::Title)]);
}

/// Draws lines inside a frame, as far as they have room.
pub(super) fn body(look: &Look, buffer: &mut Buffer, area: Rect, lines: &[Vec<Span>]) {
    let inner = Rect {
        x: area.x + 2,
        y: area.y + 1,
        width: area.width.saturating_sub(4),
        height: area.height.saturating_sub(2),
    };
    for (row, line) in inner.rows().zip(lines) {
        look.line(buffer, row, line);
    }
}

/// Draws a text field; where its cursor is.
pub(super) fn draw_field(look: &Look, buffer: &mut Buffer, area: Rect, input: &LineInput) -> Position {
    look.clear(buffer, area, Role::Bar);
    let (shown, at) = input.window(usize::from(area.width));
    look.line(
        buffer,
        area,
        &[Span::new(look.plain(format::cut(&shown, usize::from(area.width), "")), Role::Bar)],
    );
    Position { x: area.x + u16::try_from(at).unwrap_or(0).min(area.width.saturating_sub(1)), y: area.y }
}
