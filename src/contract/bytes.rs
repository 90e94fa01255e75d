//! Bytes of a file, which are hex digits where they cross the border as text.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of a file. Over the socket: a text of two lower-case hex digits a byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileBytes(pub Bytes);

const DIGITS: &[u8; 16] = b"0123456789abcdef";

impl Serialize for FileBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(2 * self.0.len());
        for byte in &self.0 {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 0xf)]));
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for FileBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let bytes: Option<Vec<u8>> =
            pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
        match bytes {
            Some(bytes) if rest.is_empty() => Ok(Self(bytes.into())),
            Some(_) | None => Err(serde::de::Error::custom("expected hex digits, two a byte")),
        }
    }
}

fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        b'A'..=b'F' => Some(letter - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back_and_what_is_no_hex_is_refused() {
        let all = FileBytes((0..=255u8).collect::<Vec<_>>().into());
        let text = serde_json::to_string(&all).unwrap();
        assert!(text.starts_with("\"000102") && text.ends_with("fdfeff\""), "{text}");
        assert_eq!(serde_json::from_str::<FileBytes>(&text).unwrap(), all);
        assert_eq!(
            serde_json::from_str::<FileBytes>("\"Ab\"").unwrap(),
            FileBytes(Bytes::from_static(&[0xab]))
        );
        for wrong in ["\"a\"", "\"0g\"", "\"\u{e4}\"", "7"] {
            assert!(serde_json::from_str::<FileBytes>(wrong).is_err(), "{wrong}");
        }
    }
}
