//! The screen: a literal snapshot, keys, and the picture they make.
//!
//! Pictures are compared as text with the `.snap` files beside this one; colours have tests of their own.

mod canned;
mod inspector;
mod keys;
pub(crate) mod live;
mod notices;
mod pictures;
mod robust;
mod webseeds;

use std::sync::Arc;

use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, buffer::Buffer};
use unchoke::contract::{Answer, Command, Refusal, Snapshot};
use unchoke::tui::{
    ColourDepth, Effect, Glyphs, Look, Message, Model, Names, Purpose, Size, Theme, ThemeSource,
};

/// A screen without a terminal and without an engine: effects are kept instead of carried out.
pub(crate) struct Screen {
    pub(crate) model: Model,
    asked: Vec<(Purpose, Command)>,
    effects: Vec<Effect>,
}

impl Screen {
    /// A screen of this size that shows `snapshot`.
    pub(crate) fn new(columns: u16, rows: u16, snapshot: Snapshot) -> Self {
        Self::with(columns, rows, snapshot, ColourDepth::True, Glyphs::Unicode)
    }

    pub(crate) fn with(
        columns: u16,
        rows: u16,
        snapshot: Snapshot,
        depth: ColourDepth,
        glyphs: Glyphs,
    ) -> Self {
        let theme = Theme::load(&ThemeSource::Default, depth).unwrap();
        let look = Look { theme, glyphs, names: Names::Shown };
        let model = Model::new(look, Some("/home/ada".into()));
        let mut screen = Self { model, asked: Vec::new(), effects: Vec::new() };
        screen.send(Message::Resize(Size { columns, rows }));
        screen.show(snapshot);
        screen
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, message: Message) -> &mut Self {
        for effect in unchoke::tui::update(&mut self.model, message) {
            match effect {
                Effect::Ask { purpose, command } => self.asked.push((purpose, command)),
                effect => self.effects.push(effect),
            }
        }
        self
    }

    /// A new snapshot comes.
    pub(crate) fn show(&mut self, snapshot: Snapshot) -> &mut Self {
        self.send(Message::Snapshot(Arc::new(snapshot)))
    }

    /// Presses keys: characters are themselves, names are in angle brackets (`<Enter>`, `<^c>`).
    pub(crate) fn press(&mut self, keys: &str) -> &mut Self {
        let mut rest = keys;
        while let Some(first) = rest.chars().next() {
            let event = match rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
                Some((name, after)) if name.len() > 1 => {
                    rest = after;
                    named(name)
                }
                _ => {
                    rest = &rest[first.len_utf8()..];
                    KeyEvent::new(KeyCode::Char(first), KeyModifiers::NONE)
                }
            };
            self.send(Message::Key(event));
        }
        self
    }

    /// What the engine was asked since the last call, watching aside.
    pub(crate) fn asked(&mut self) -> Vec<Command> {
        let asked = std::mem::take(&mut self.asked);
        asked
            .into_iter()
            .map(|(_, command)| command)
            .filter(|command| !matches!(command, Command::Watch(_)))
            .collect()
    }

    /// Answers the oldest command that is not answered.
    pub(crate) fn answer(&mut self, result: Result<Answer, Refusal>) -> &mut Self {
        let at = self.asked.iter().position(|(_, command)| !matches!(command, Command::Watch(_))).unwrap();
        let (purpose, _) = self.asked.remove(at);
        self.send(Message::Answered { purpose, result })
    }

    /// Effects other than commands since the last call.
    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The picture as cells.
    pub(crate) fn cells(&self) -> Buffer {
        let Size { columns, rows } = self.model.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal
            .draw(|frame| {
                unchoke::tui::view(&self.model, frame.buffer_mut());
            })
            .unwrap();
        terminal.backend().buffer().clone()
    }

    /// The picture as text, without spaces at the ends of lines.
    pub(crate) fn picture(&self) -> String {
        let cells = self.cells();
        let mut lines = Vec::new();
        for y in 0..cells.area().height {
            let mut line = String::new();
            let mut hidden = 0;
            for x in 0..cells.area().width {
                let symbol = cells[(x, y)].symbol();
                // The second cell of a wide character is not shown.
                if hidden > 0 {
                    hidden -= 1;
                    continue;
                }
                hidden = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
                line.push_str(symbol);
            }
            lines.push(line.trim_end().to_owned());
        }
        lines.join("\n")
    }
}

fn named(name: &str) -> KeyEvent {
    if let Some(letter) = name.strip_prefix('^') {
        let letter = letter.chars().next().unwrap();
        return KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
    }
    let code = match name {
        "Enter" => KeyCode::Enter,
        "Esc" => KeyCode::Esc,
        "Tab" => KeyCode::Tab,
        "BackTab" => KeyCode::BackTab,
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "Left" => KeyCode::Left,
        "Right" => KeyCode::Right,
        "PgUp" => KeyCode::PageUp,
        "PgDn" => KeyCode::PageDown,
        "Home" => KeyCode::Home,
        "End" => KeyCode::End,
        "Del" => KeyCode::Delete,
        "Backspace" => KeyCode::Backspace,
        "F1" => KeyCode::F(1),
        "F12" => KeyCode::F(12),
        _ => panic!("no such key: {name}"),
    };
    KeyEvent::new(code, KeyModifiers::NONE)
}
