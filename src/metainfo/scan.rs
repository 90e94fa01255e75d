//! One pass over bencode that proves it safe to read: depth, number of values, string lengths, integer range,
//! and whether it is canonical. Nothing is allocated but a stack of bounded depth.
//!
//! Runs before `read`: the bencode crate recurses and lets integers overflow, so it only ever sees what
//! passed here.

use super::error::MetainfoError;
use crate::limits::{METAINFO_DEPTH_MAX, METAINFO_TOKENS_MAX};

/// What a scan found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scanned {
    /// Bytes of the first value; what follows it is not part of it.
    pub(super) end: usize,
    /// The first departure from the canonical form: keys unsorted or repeated, a number with leading zeros.
    pub(super) irregular: Option<Irregular>,
}

/// A departure from the canonical form that a v1 torrent may have and a v2 torrent may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Irregular {
    /// Where.
    pub(super) at: usize,
    /// What.
    pub(super) what: &'static str,
}

/// A container that is open.
enum Frame<'a> {
    List,
    Key { last: Option<&'a [u8]> },
    Value { key: &'a [u8] },
}

struct Scanner<'a> {
    input: &'a [u8],
    at: usize,
    tokens: usize,
    irregular: Option<Irregular>,
    open: Vec<Frame<'a>>,
}

/// Scans the first value of `input`.
pub(super) fn scan(input: &[u8]) -> Result<Scanned, MetainfoError> {
    let open = Vec::with_capacity(METAINFO_DEPTH_MAX);
    let mut scanner = Scanner { input, at: 0, tokens: 0, irregular: None, open };
    loop {
        scanner.tokens += 1;
        if scanner.tokens > METAINFO_TOKENS_MAX {
            return Err(MetainfoError::TooManyTokens { tokens_max: METAINFO_TOKENS_MAX });
        }
        scanner.step()?;
        if scanner.open.is_empty() {
            return Ok(Scanned { end: scanner.at, irregular: scanner.irregular });
        }
    }
}

impl<'a> Scanner<'a> {
    /// Reads one token.
    fn step(&mut self) -> Result<(), MetainfoError> {
        let byte = self.peek()?;
        match (byte, self.open.last()) {
            (b'e', Some(Frame::List | Frame::Key { .. })) => {
                self.at += 1;
                self.open.pop();
                self.value_done();
            }
            (b'0'..=b'9', Some(Frame::Key { .. })) => self.key()?,
            (_, Some(Frame::Key { .. })) => return Err(self.bad("a dictionary key is not a string")),
            (b'0'..=b'9', _) => {
                self.string()?;
                self.value_done();
            }
            (b'i', _) => {
                self.integer()?;
                self.value_done();
            }
            (b'l', _) => self.enter(Frame::List)?,
            (b'd', _) => self.enter(Frame::Key { last: None })?,
            _ => return Err(self.bad("no value starts like this")),
        }
        Ok(())
    }

    fn enter(&mut self, frame: Frame<'a>) -> Result<(), MetainfoError> {
        if self.open.len() >= METAINFO_DEPTH_MAX {
            return Err(MetainfoError::DepthExceeded { depth_max: METAINFO_DEPTH_MAX });
        }
        self.at += 1;
        self.open.push(frame);
        Ok(())
    }

    fn key(&mut self) -> Result<(), MetainfoError> {
        let at = self.at;
        let key = self.string()?;
        if let Some(Frame::Key { last: Some(last) }) = self.open.last()
            && *last >= key
        {
            self.note(at, "dictionary keys are unsorted or repeated");
        }
        if let Some(top) = self.open.last_mut() {
            *top = Frame::Value { key };
        }
        Ok(())
    }

    /// A value is complete: a dictionary waits for its next key.
    fn value_done(&mut self) {
        if let Some(top) = self.open.last_mut()
            && let Frame::Value { key } = *top
        {
            *top = Frame::Key { last: Some(key) };
        }
    }

    fn string(&mut self) -> Result<&'a [u8], MetainfoError> {
        let at = self.at;
        let mut length = 0usize;
        while let digit @ b'0'..=b'9' = self.peek()? {
            length = length
                .checked_mul(10)
                .and_then(|length| length.checked_add(usize::from(digit - b'0')))
                .ok_or_else(|| self.bad("a string length is too large"))?;
            self.at += 1;
        }
        if self.peek()? != b':' {
            return Err(self.bad("a string length is not followed by ':'"));
        }
        if self.input[at] == b'0' && self.at > at + 1 {
            self.note(at, "a string length has leading zeros");
        }
        let rest = &self.input[self.at + 1..];
        let string = rest.get(..length).ok_or_else(|| self.bad("a string is longer than the input"))?;
        self.at += 1 + length;
        Ok(string)
    }

    fn integer(&mut self) -> Result<(), MetainfoError> {
        let at = self.at;
        self.at += 1;
        let start = self.at;
        if self.peek()? == b'-' {
            self.at += 1;
        }
        let digits_start = self.at;
        while self.peek()?.is_ascii_digit() {
            self.at += 1;
        }
        let (text, digits) = (&self.input[start..self.at], &self.input[digits_start..self.at]);
        if digits.is_empty() || self.peek()? != b'e' {
            return Err(self.bad("an integer is not made of digits"));
        }
        let in_range = std::str::from_utf8(text).is_ok_and(|text| text.parse::<i64>().is_ok());
        if !in_range {
            return Err(self.bad("an integer does not fit 64 bits"));
        }
        if (digits[0] == b'0' && digits.len() > 1) || text == b"-0" {
            self.note(at, "an integer has leading zeros");
        }
        self.at += 1;
        Ok(())
    }

    fn peek(&self) -> Result<u8, MetainfoError> {
        self.input.get(self.at).copied().ok_or_else(|| self.bad("the input ends in the middle of a value"))
    }

    fn note(&mut self, at: usize, what: &'static str) {
        self.irregular.get_or_insert(Irregular { at, what });
    }

    fn bad(&self, what: &'static str) -> MetainfoError {
        MetainfoError::InvalidBencoding { at: self.at, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(input: &[u8]) -> bool {
        matches!(scan(input), Err(MetainfoError::InvalidBencoding { .. }))
    }

    #[test]
    fn the_first_value_ends_where_it_ends() {
        assert_eq!(scan(b"d1:ai1eetrailing").unwrap(), Scanned { end: 8, irregular: None });
        assert_eq!(scan(b"le").unwrap().end, 2);
    }

    #[test]
    fn broken_bencode_is_refused() {
        let cases: [&[u8]; 14] = [
            b"",
            b"d",
            b"l",
            b"e",
            b"i",
            b"ie",
            b"i-e",
            b"i+1e",
            b"i1",
            b"5:abcd",
            b"di1ei1ee",
            b"d1:ae",
            b"1a:b",
            b"99999999999999999999999:a",
        ];
        for case in cases {
            assert!(fails(case), "{}", case.escape_ascii());
        }
        assert!(fails(b"i9223372036854775808e") && !fails(b"i-9223372036854775808e"));
    }

    #[test]
    fn departures_from_the_canonical_form_are_noted_with_their_place() {
        let at = |input: &[u8]| scan(input).unwrap().irregular.map(|found| found.at);
        assert_eq!(at(b"d1:bi1e1:ai1ee"), Some(7));
        assert_eq!(at(b"d1:ai1e1:ai1ee"), Some(7));
        assert_eq!(at(b"li07ee"), Some(1));
        assert_eq!(at(b"li-0ee"), Some(1));
        assert_eq!(at(b"l01:ae"), Some(1));
        assert_eq!(at(b"d1:ad1:zi0ee1:bi1ee"), None);
    }

    #[test]
    fn depth_is_bounded_without_recursion() {
        let deep = vec![b'l'; 1_000_000];
        assert_eq!(scan(&deep), Err(MetainfoError::DepthExceeded { depth_max: METAINFO_DEPTH_MAX }));
    }
}
