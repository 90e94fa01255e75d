//! Text from outside, and the one way it reaches a screen, a log or the clipboard.
//!
//! Torrent, file, peer, tracker and webseed texts are hostile until shown otherwise: an escape sequence in a torrent's
//! name must not move the cursor. [`Untrusted`] keeps the exact text for programs (JSON) and shows people a form in
//! which every character that could act on a terminal or hide is a visible mark.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Text from a torrent, file, peer, tracker or webseed. `Display` is the safe form.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Untrusted(String);

impl Untrusted {
    /// Takes text as it came.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Takes bytes that ought to be UTF-8; what is not becomes U+FFFD.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).into_owned())
    }

    /// The exact text, for comparing, matching and machine-readable output. Never print it to a person.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The safe form: C0, DEL and C1 controls as `␀`-style marks or `�`, bidi and zero-width characters as `·`.
    pub fn shown(&self) -> String {
        self.0.chars().map(visible).collect()
    }
}

/// The character itself, or the mark that stands for one which could act on a terminal or hide.
fn visible(character: char) -> char {
    match character {
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' => '\u{fffd}',
        _ if hides(character) => '·',
        _ => character,
    }
}

/// Whether a character could act on a terminal (C0, DEL, C1) or hide (soft hyphen, bidi marks, zero width, tags): the one
/// list of them, for every renderer.
pub fn acts_or_hides(character: char) -> bool {
    character.is_control() || hides(character)
}

fn hides(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.shown())
    }
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.shown())
    }
}

/// A URL fit for showing: userinfo, query and long opaque path parts (passkeys) are replaced by `…`.
///
/// Private trackers put the passkey into the path or the query, so both are treated as secrets.
pub fn redact_url(url: &str) -> Untrusted {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Untrusted::new(url.chars().take(80).collect::<String>());
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let mut parts = rest.split('/');
    let authority = parts.next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let mut shown = format!("{scheme}://{host}");
    for part in parts {
        shown.push('/');
        shown.push_str(if looks_secret(part) { "…" } else { part });
    }
    if url.contains('?') {
        shown.push_str("?…");
    }
    Untrusted::new(shown)
}

/// Whether a path part has the look of a passkey: 16 or more letters and digits with at least one digit.
fn looks_secret(part: &str) -> bool {
    part.len() >= 16
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        && part.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_that_acts_on_a_terminal_is_shown() {
        let hostile: String = (0u32..0x3000).filter_map(char::from_u32).collect();
        let shown = Untrusted::new(hostile).to_string();
        assert!(shown.chars().all(|character| !character.is_control()));
        assert!(!shown.contains('\u{202e}') && !shown.contains('\u{200b}'));
    }

    #[test]
    fn the_raw_text_is_kept() {
        let name = Untrusted::new("a\u{1b}[2Jb");
        assert_eq!(name.raw(), "a\u{1b}[2Jb");
        assert_eq!(name.to_string(), "a␛[2Jb");
    }

    #[test]
    fn secrets_in_urls_are_hidden() {
        let shown = redact_url("https://user:pw@t.example:8443/0123456789abcdef0123/announce?passkey=1");
        assert_eq!(shown.raw(), "https://t.example:8443/…/announce?…");
        assert_eq!(redact_url("udp://t.example:80/announce").raw(), "udp://t.example:80/announce");
    }
}
