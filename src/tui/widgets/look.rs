//! How everything is drawn: theme, glyphs, and the one way text from outside reaches the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::contract::Untrusted;
use crate::tui::format;
use crate::tui::text::{self, Outside};
use crate::tui::theme::{Role, Theme};

/// Which characters the terminal shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Glyphs {
    /// Box drawing, blocks and all text.
    #[default]
    Unicode,
    /// ASCII; other characters become `?`.
    Ascii,
}

/// Whether names and addresses are shown (`x`: fit for a screenshot).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// As they are.
    #[default]
    Shown,
    /// Replaced by numbers.
    Hidden,
}

/// Theme, glyphs and privacy together.
#[derive(Clone, Debug)]
pub struct Look {
    /// The colours.
    pub theme: Theme,
    /// The characters.
    pub glyphs: Glyphs,
    /// The names.
    pub names: Names,
}

/// A piece of a line.
#[derive(Clone, Debug)]
pub struct Span {
    text: String,
    role: Role,
}

impl Span {
    /// Text of one meaning.
    pub fn new(text: impl Into<String>, role: Role) -> Self {
        Self { text: text.into(), role }
    }

    /// Its columns.
    pub fn width(&self) -> usize {
        format::width(&self.text)
    }
}

impl Look {
    /// How a role looks.
    pub fn style(&self, role: Role) -> Style {
        self.theme.style(role)
    }

    /// The glyph for this terminal.
    pub fn glyph(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        match self.glyphs {
            Glyphs::Unicode => unicode,
            Glyphs::Ascii => ascii,
        }
    }

    /// The sign that something is cut off.
    pub fn more(&self) -> &'static str {
        self.glyph("…", "~")
    }

    /// What stands for a zero that says nothing.
    pub fn nothing(&self) -> &'static str {
        self.glyph("·", ".")
    }

    /// Text from outside, safe on this terminal.
    pub fn text(&self, text: &Untrusted) -> String {
        self.plain(text.shown())
    }

    /// A name from outside, or `instead` where names are hidden.
    pub fn name(&self, name: &Untrusted, instead: impl FnOnce() -> String) -> String {
        match self.names {
            Names::Shown => self.text(name),
            Names::Hidden => instead(),
        }
    }

    /// A part of an event. Where names are hidden, a peer, tracker or webseed is the `number` it has in its pane.
    pub fn outside(&self, outside: Outside<'_>, number: impl FnOnce() -> Option<usize>) -> String {
        let hidden = || number().map_or(text::HIDDEN_TEXT.to_owned(), |number| number.to_string());
        match outside {
            Outside::Open(text) => self.text(text),
            Outside::Peer(address) => self.name(&Untrusted::new(address.to_string()), hidden),
            Outside::Tracker(named) | Outside::Webseed(named) | Outside::Named(named) => {
                self.name(named, hidden)
            }
        }
    }

    /// Text that may hold more than ASCII, for this terminal.
    pub fn plain(&self, text: String) -> String {
        match self.glyphs {
            Glyphs::Unicode => text,
            Glyphs::Ascii if text.is_ascii() => text,
            Glyphs::Ascii => {
                text.chars().map(|letter| if letter.is_ascii() { letter } else { '?' }).collect()
            }
        }
    }

    /// Draws spans one after the other in the first row of `area`, cut at its end.
    pub fn line(&self, buffer: &mut Buffer, area: Rect, spans: &[Span]) {
        let area = area.intersection(*buffer.area());
        if area.is_empty() {
            return;
        }
        let mut x = area.x;
        for span in spans {
            let room = usize::from(area.right().saturating_sub(x));
            if room == 0 {
                return;
            }
            let text = format::cut(&span.text, room, self.more());
            let mut style = self.style(span.role);
            if let Some(cell) = buffer.cell((x, area.y)) {
                // On a bar or a selected row, what is written keeps that ground.
                let on_page = self.style(Role::Text).bg.is_none_or(|page| cell.bg == page);
                if !on_page && style.bg == self.style(Role::Text).bg {
                    style.bg = None;
                }
            }
            x = buffer.set_stringn(x, area.y, &text, room, style).0;
        }
    }

    /// Gives a drawn row the ground of a selected one, and its text that weight.
    pub fn select(&self, buffer: &mut Buffer, area: Rect, ground: Role) {
        let mut style = self.style(ground);
        if ground == Role::SelectedFar {
            style.fg = None;
        }
        buffer.set_style(area.intersection(*buffer.area()), style);
    }

    /// Empties an area.
    pub fn clear(&self, buffer: &mut Buffer, area: Rect, role: Role) {
        let area = area.intersection(*buffer.area());
        for y in area.rows().map(|row| row.y) {
            // A wide character that the area cuts in half would hide its first cell.
            if let Some(cell) = area.x.checked_sub(1).and_then(|x| buffer.cell_mut((x, y)))
                && format::width(cell.symbol()) > 1
            {
                cell.set_symbol(" ");
            }
            for x in area.left()..area.right() {
                if let Some(cell) = buffer.cell_mut((x, y)) {
                    cell.reset();
                    cell.set_style(self.style(role));
                }
            }
        }
    }

    /// A bar of `columns` that is filled by `done` of `whole`.
    pub fn bar(&self, done: u64, whole: u64, columns: u16) -> String {
        let columns = u64::from(columns);
        let share = if whole == 0 {
            u128::from(columns)
        } else {
            u128::from(done) * u128::from(columns) / u128::from(whole)
        };
        let filled = usize::try_from(share.min(u128::from(columns))).unwrap_or(0);
        let rest = usize::try_from(columns).unwrap_or(0) - filled;
        self.glyph("█", "#").repeat(filled) + &self.glyph("░", "-").repeat(rest)
    }
}
