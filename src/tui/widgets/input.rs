//! A text field of one line.

use ratatui::crossterm::event::KeyCode;
use unicode_segmentation::UnicodeSegmentation;

use crate::contract::Untrusted;
use crate::limits;
use crate::tui::format;
use crate::tui::keymap::Key;

/// What is typed, and where the next character goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineInput {
    text: String,
    cursor: usize,
}

impl LineInput {
    /// A field that holds `text`, the cursor at its end.
    pub fn new(text: &str) -> Self {
        let mut input = Self::default();
        input.paste(text);
        input
    }

    /// What is typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Puts text in at the cursor. Characters that act on a terminal or hide are left out, and so is what exceeds the
    /// bound.
    pub fn paste(&mut self, text: &str) {
        let safe = Untrusted::new(text).shown();
        let kept = text.chars().zip(safe.chars()).filter(|(typed, shown)| typed == shown);
        for (character, _) in kept {
            if self.text.len() + character.len_utf8() > limits::INPUT_BYTES_MAX {
                return;
            }
            self.text.insert(self.cursor, character);
            self.cursor += character.len_utf8();
        }
    }

    /// Edits by one key; whether it meant anything.
    pub fn key(&mut self, key: Key) -> bool {
        let before = self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(at, _)| at);
        let after = self.cursor + self.text[self.cursor..].graphemes(true).next().map_or(0, str::len);
        match key {
            Key::Char(letter) => self.paste(letter.encode_utf8(&mut [0; 4])),
            Key::Named(KeyCode::Left) => self.cursor = before,
            Key::Named(KeyCode::Right) => self.cursor = after,
            Key::Named(KeyCode::Home) | Key::Ctrl('a') => self.cursor = 0,
            Key::Named(KeyCode::End) | Key::Ctrl('e') => self.cursor = self.text.len(),
            Key::Named(KeyCode::Backspace) | Key::Ctrl('h') => self.remove(before..self.cursor),
            Key::Named(KeyCode::Delete) => self.remove(self.cursor..after),
            Key::Ctrl('u') => self.remove(0..self.cursor),
            Key::Ctrl('k') => self.remove(self.cursor..self.text.len()),
            Key::Ctrl('w') => {
                let kept =
                    self.text[..self.cursor].trim_end().trim_end_matches(|c: char| c.is_alphanumeric());
                let start = if kept.len() == self.cursor { before } else { kept.len() };
                self.remove(start..self.cursor);
            }
            Key::Named(_) | Key::Ctrl(_) => return false,
        }
        true
    }

    fn remove(&mut self, range: std::ops::Range<usize>) {
        self.cursor = range.start;
        self.text.replace_range(range, "");
    }

    /// The part that fits into `columns` with the cursor in it, and the cursor's column.
    pub fn window(&self, columns: usize) -> (String, usize) {
        let before = format::cut_start(&self.text[..self.cursor], columns.saturating_sub(1), "");
        let at = format::width(&before);
        let after = format::cut(&self.text[self.cursor..], columns.saturating_sub(at), "");
        (before + &after, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editing_never_splits_a_character() {
        let mut input = LineInput::new("a日e\u{301}\n\u{202e}\u{1b}[2J");
        assert_eq!(input.text(), "a日e\u{301}[2J");
        let keys = [KeyCode::Left, KeyCode::Left, KeyCode::Left, KeyCode::Backspace, KeyCode::Backspace];
        for key in keys {
            assert!(input.key(Key::Named(key)));
        }
        assert_eq!(input.text(), "a[2J");
    }

    #[test]
    fn a_long_text_shows_the_part_round_the_cursor() {
        let mut input = LineInput::new("0123456789");
        assert_eq!(input.window(5), ("6789".to_owned(), 4));
        input.key(Key::Ctrl('a'));
        assert_eq!(input.window(5), ("01234".to_owned(), 0));
    }

    #[test]
    fn what_is_typed_is_bounded() {
        let mut input = LineInput::new(&"x".repeat(limits::INPUT_BYTES_MAX + 5));
        input.key(Key::Char('y'));
        assert_eq!(input.text().len(), limits::INPUT_BYTES_MAX);
    }
}
