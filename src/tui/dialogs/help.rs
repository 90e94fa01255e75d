//! The keys that hold where the help was asked for, made from the keymap.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::frame;
use crate::tui::keymap::{BINDINGS, Context, Key};
use crate::tui::model::Model;
use crate::tui::theme::Role;
use crate::tui::widgets::{Scroll, Span};
use crate::tui::{format, layout, text};

/// The help, and the contexts it is for.
#[derive(Debug)]
pub struct HelpDialog {
    /// Innermost first.
    pub contexts: Vec<Context>,
    /// Its first line that is seen.
    pub scroll: Scroll,
}

/// One line of the help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The name of a group.
    Group(&'static str),
    /// Keys and what they do.
    Keys {
        /// By name.
        keys: String,
        /// In words.
        does: &'static str,
    },
    /// Nothing.
    Gap,
}

/// All lines of the help for these contexts. A key that an inner context takes is left out of the outer ones.
pub fn lines(contexts: &[Context]) -> Vec<Line> {
    let mut taken: Vec<Key> = Vec::new();
    let mut lines = Vec::new();
    for &context in contexts {
        let mut group = Vec::new();
        let mut keys_here = Vec::new();
        for binding in BINDINGS.iter().filter(|binding| binding.context == context) {
            let free: Vec<Key> = binding.keys.iter().filter(|key| !taken.contains(key)).copied().collect();
            if free.is_empty() {
                continue;
            }
            let names = free.iter().map(|key| key.name()).collect::<Vec<_>>().join(" ");
            let action = text::action(context, binding.action);
            match group.last_mut() {
                // Keys of one meaning share a line.
                Some(Line::Keys { keys, does }) if *does == action => *keys = format!("{keys} {names}"),
                Some(_) | None => group.push(Line::Keys { keys: names, does: action }),
            }
            keys_here.extend(free);
        }
        taken.extend(keys_here);
        if !group.is_empty() {
            if !lines.is_empty() {
                lines.push(Line::Gap);
            }
            lines.push(Line::Group(text::context(context)));
            lines.append(&mut group);
        }
    }
    lines
}

const KEYS_COLUMNS: usize = 16;

/// Draws the help over everything else.
pub fn draw(model: &Model, help: &HelpDialog, buffer: &mut Buffer) {
    let look = &model.look;
    let sheet = layout::sheet(model.size);
    frame(look, buffer, sheet, text::HELP_TITLE);
    let area = layout::help_text(model.size);
    let lines = lines(&help.contexts);
    let first = help.scroll.at();
    for (row, line) in layout::help_rows(area).zip(lines.iter().skip(first)) {
        let spans = match line {
            Line::Group(name) => vec![Span::new(*name, Role::Title)],
            Line::Keys { keys, does } => {
                let keys = format::cut(keys, KEYS_COLUMNS, look.more());
                vec![Span::new(format!("  {keys:KEYS_COLUMNS$} "), Role::Key), Span::new(*does, Role::Text)]
            }
            Line::Gap => vec![],
        };
        look.line(buffer, row, &spans);
    }
    let below = lines.len().saturating_sub(first + layout::help_rows(area).count());
    let foot = Rect { y: sheet.bottom().saturating_sub(2), height: 1, ..area };
    look.line(
        buffer,
        foot,
        &[Span::new(text::help_foot(below) + &text::hints::line(text::hints::HELP), Role::Quiet)],
    );
}
