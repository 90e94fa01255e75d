//! Bencode of small messages from the network: extension messages and tracker answers.
//!
//! Own code rather than the crate that reads .torrent files, because that one wraps or panics on a number that does
//! not fit, keeps dictionaries in an order that differs from run to run, and does not bound the number of values.
//! Values borrow from the input; nothing is allocated by a claimed length. Torrents are read by `metainfo`.

use bytes::{BufMut, BytesMut};

use crate::limits::{BENCODE_DEPTH_MAX, BENCODE_VALUES_MAX};

/// A bencoded value that borrows its strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `i...e`
    Integer(i64),
    /// `n:...`
    Bytes(&'a [u8]),
    /// `l...e`
    List(Vec<Self>),
    /// `d...e`, in the order sent.
    Dict(Dict<'a>),
}

impl<'a> Value<'a> {
    /// The number, if it is one.
    pub const fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Bytes(_) | Self::List(_) | Self::Dict(_) => None,
        }
    }

    /// The string, if it is one.
    pub const fn as_bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Integer(_) | Self::List(_) | Self::Dict(_) => None,
        }
    }

    /// The list, if it is one.
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) => Some(list),
            Self::Integer(_) | Self::Bytes(_) | Self::Dict(_) => None,
        }
    }

    /// The dictionary, if it is one.
    pub const fn as_dict(&self) -> Option<&Dict<'a>> {
        match self {
            Self::Dict(dict) => Some(dict),
            Self::Integer(_) | Self::Bytes(_) | Self::List(_) => None,
        }
    }
}

/// A dictionary in the order sent. Of equal keys the first counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dict<'a>(Vec<(&'a [u8], Value<'a>)>);

impl<'a> Dict<'a> {
    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<&Value<'a>> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// The number at a key; `None` also where it is of another type.
    pub fn integer(&self, key: &[u8]) -> Option<i64> {
        self.get(key).and_then(Value::as_integer)
    }

    /// The number at a key, where it is not negative and fits.
    pub fn unsigned<N: TryFrom<i64>>(&self, key: &[u8]) -> Option<N> {
        self.integer(key).and_then(|number| N::try_from(number).ok())
    }

    /// The string at a key; `None` also where it is of another type.
    pub fn bytes(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.get(key).and_then(Value::as_bytes)
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = &(&'a [u8], Value<'a>)> {
        self.0.iter()
    }
}

/// Why bytes are not bencode that we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BencodeError {
    /// The input ends inside a value.
    #[error("bencode ends too early")]
    TooShort,
    /// A byte that cannot stand where it stands.
    #[error("bencode has a wrong byte at {at}")]
    WrongByte {
        /// Where.
        at: usize,
    },
    /// A number of no use: does not fit 64 bits.
    #[error("bencode has a number that does not fit 64 bits at {at}")]
    NumberTooLarge {
        /// Where it starts.
        at: usize,
    },
    /// Nested deeper than any known message.
    #[error("bencode is nested deeper than {BENCODE_DEPTH_MAX}")]
    TooDeep,
    /// More values than any known message has.
    #[error("bencode has more than {BENCODE_VALUES_MAX} values")]
    TooMany,
    /// A dictionary was expected.
    #[error("bencode is not a dictionary")]
    NotADictionary,
}

/// Reads the dictionary that `input` starts with, and gives what follows it.
pub fn dict_and_rest(input: &[u8]) -> Result<(Dict<'_>, &[u8]), BencodeError> {
    let mut reader = Reader { input, at: 0, values: 0 };
    match reader.value(0)? {
        Value::Dict(dict) => Ok((dict, &input[reader.at..])),
        Value::Integer(_) | Value::Bytes(_) | Value::List(_) => Err(BencodeError::NotADictionary),
    }
}

/// The place where reading stands.
struct Reader<'a> {
    input: &'a [u8],
    at: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Result<u8, BencodeError> {
        self.input.get(self.at).copied().ok_or(BencodeError::TooShort)
    }

    /// Recursion is bounded by `BENCODE_DEPTH_MAX`.
    fn value(&mut self, depth: usize) -> Result<Value<'a>, BencodeError> {
        self.values += 1;
        if self.values > BENCODE_VALUES_MAX {
            return Err(BencodeError::TooMany);
        }
        if depth > BENCODE_DEPTH_MAX {
            return Err(BencodeError::TooDeep);
        }
        match self.peek()? {
            b'i' => {
                self.at += 1;
                self.number(b'e').map(Value::Integer)
            }
            b'l' => {
                self.at += 1;
                let mut list = Vec::new();
                while !self.end()? {
                    list.push(self.value(depth + 1)?);
                }
                Ok(Value::List(list))
            }
            b'd' => {
                self.at += 1;
                let mut entries = Vec::new();
                while !self.end()? {
                    entries.push((self.string()?, self.value(depth + 1)?));
                }
                Ok(Value::Dict(Dict(entries)))
            }
            _ => self.string().map(Value::Bytes),
        }
    }

    /// Steps over the `e` of a list or dictionary, if it is next.
    fn end(&mut self) -> Result<bool, BencodeError> {
        let ended = self.peek()? == b'e';
        self.at += usize::from(ended);
        Ok(ended)
    }

    fn string(&mut self) -> Result<&'a [u8], BencodeError> {
        if !self.peek()?.is_ascii_digit() {
            return Err(BencodeError::WrongByte { at: self.at });
        }
        let length = usize::try_from(self.number(b':')?).map_err(|_| BencodeError::TooShort)?;
        let end = self.at.checked_add(length).ok_or(BencodeError::TooShort)?;
        let bytes = self.input.get(self.at..end).ok_or(BencodeError::TooShort)?;
        self.at = end;
        Ok(bytes)
    }

    /// Leading zeros are let through: some trackers send them, and no hash depends on these messages.
    fn number(&mut self, end: u8) -> Result<i64, BencodeError> {
        let start = self.at;
        let negative = self.peek()? == b'-';
        self.at += usize::from(negative);
        let mut digits = 0;
        let mut number = 0i64;
        loop {
            let byte = self.peek()?;
            self.at += 1;
            if byte == end && digits > 0 {
                return Ok(number);
            }
            if !byte.is_ascii_digit() {
                return Err(BencodeError::WrongByte { at: self.at - 1 });
            }
            digits += 1;
            let digit = i64::from(byte - b'0');
            let digit = if negative { -digit } else { digit };
            number = number
                .checked_mul(10)
                .and_then(|tens| tens.checked_add(digit))
                .ok_or(BencodeError::NumberTooLarge { at: start })?;
        }
    }
}

/// Writes a string.
pub fn write_bytes(out: &mut BytesMut, bytes: &[u8]) {
    out.put_slice(bytes.len().to_string().as_bytes());
    out.put_u8(b':');
    out.put_slice(bytes);
}

/// Writes a number.
pub fn write_integer(out: &mut BytesMut, number: u64) {
    out.put_u8(b'i');
    out.put_slice(number.to_string().as_bytes());
    out.put_u8(b'e');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_rest_after_a_dictionary_is_kept() {
        let (dict, rest) = dict_and_rest(b"d1:ai-7e1:bl2:xyee!!").unwrap();
        assert_eq!(dict.integer(b"a"), Some(-7));
        assert_eq!(dict.unsigned::<u32>(b"a"), None);
        assert_eq!(dict.get(b"b").and_then(Value::as_list).map(<[_]>::len), Some(1));
        assert_eq!(rest, b"!!");
    }

    #[test]
    fn hostile_input_is_named() {
        let deep = [b"d1:a".as_slice(), &[b'l'; 40_000]].concat();
        let many = [b"d1:al".as_slice(), &b"le".repeat(BENCODE_VALUES_MAX), b"ee"].concat();
        let cases: [(&[u8], BencodeError); 8] = [
            (b"", BencodeError::TooShort),
            (b"d1:a", BencodeError::TooShort),
            (b"d9999999999999999:a", BencodeError::TooShort),
            (b"d1:ai99999999999999999999ee", BencodeError::NumberTooLarge { at: 5 }),
            (b"d1:ai--1ee", BencodeError::WrongByte { at: 6 }),
            (b"le", BencodeError::NotADictionary),
            (&deep, BencodeError::TooDeep),
            (&many, BencodeError::TooMany),
        ];
        for (input, error) in cases {
            assert_eq!(dict_and_rest(input), Err(error));
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(input in "[dlie0-9:\\-a]{0,64}") {
            let _ = dict_and_rest(input.as_bytes());
        }
    }
}
