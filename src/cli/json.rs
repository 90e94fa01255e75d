//! JSON for programs that a terminal may also read.
//!
//! Every text is exact, but characters that act on a terminal or hide are written as `\u` escapes: a parser
//! sees the same text, and a person who looks at the raw output is not fooled by it. serde_json escapes C0
//! alone.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use crate::contract::acts_or_hides;

/// The value as one line, without its line end.
pub fn line<T: Serialize>(value: &T) -> anyhow::Result<String> {
    let mut out = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Visible(CompactFormatter)))?;
    Ok(String::from_utf8(out)?)
}

/// As the compact formatter, with more characters escaped. Compact punctuation is the default of every other
/// method.
struct Visible(CompactFormatter);

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut plain_from = 0;
        for (at, character) in fragment.char_indices().filter(|(_, character)| acts_or_hides(*character)) {
            self.0.write_string_fragment(writer, &fragment[plain_from..at])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain_from = at + character.len_utf8();
        }
        self.0.write_string_fragment(writer, &fragment[plain_from..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_that_acts_or_hides_is_written_and_none_is_lost() {
        let all: String =
            (0u32..0x3000).chain(0xfe00..0xffff).chain(0xe0000..0xe0100).filter_map(char::from_u32).collect();
        let line = line(&all).unwrap();
        assert!(!line.chars().any(acts_or_hides));
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), all);
        assert_eq!(super::line(&["a\u{9b}2J", "ä"]).unwrap(), r#"["a\u009b2J","ä"]"#);
    }
}
