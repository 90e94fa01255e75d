//! The letters of a magnet link: percent-encoding and base32.

use std::fmt;

/// The bytes that percent-encoded text stands for; a broken escape stands for itself.
pub(super) fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let escaped = match after {
            [high, low, ..] if *byte == b'%' => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest = &after[2..];
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    bytes
}

/// Writes text so that nothing in it means anything in a link.
pub(super) fn write_percent_encoded(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.bytes().try_for_each(|byte| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => {
            write!(f, "{}", char::from(byte))
        }
        _ => write!(f, "%{byte:02X}"),
    })
}

/// The 20 bytes that 32 base32 letters stand for (RFC 4648), in either case.
pub(super) fn base32_hash(text: &str) -> Option<[u8; 20]> {
    let mut hash = [0; 20];
    let (mut bits, mut bit_count, mut at) = (0u32, 0, 0);
    for letter in text.bytes() {
        let value = match letter.to_ascii_uppercase() {
            upper @ b'A'..=b'Z' => upper - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5 | u32::from(value)) & 0xfff;
        bit_count += 5;
        if bit_count >= 8 {
            bit_count -= 8;
            *hash.get_mut(at)? = (bits >> bit_count) as u8;
            at += 1;
        }
    }
    (at == hash.len() && bit_count == 0).then_some(hash)
}

fn hex_digit(letter: u8) -> Option<u8> {
    char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
