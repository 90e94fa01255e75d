//! Numbers that cannot be mixed: indices, identities, time and rates.
//!
//! A piece index is not a file index and an instant is not a duration, so each is a type of its own. Byte counts
//! and offsets are plain `u64`, named `..._bytes` or `offset`, because arithmetic on them is everywhere.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Position of a piece in its torrent, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PieceIndex(pub u32);

impl PieceIndex {
    /// The index as a `usize`, for slices.
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// Position of a 16 KiB block in its piece, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockIndex(pub u32);

impl BlockIndex {
    /// The index as a `usize`, for slices.
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// Position of a file in its torrent, pad files included, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileIndex(pub u32);

impl FileIndex {
    /// The index as a `usize`, for slices.
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// A v1 info-hash: SHA-1 of the raw info dictionary (BEP 3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHashV1(pub [u8; 20]);

/// A v2 info-hash: SHA-256 of the raw info dictionary (BEP 52).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHashV2(pub [u8; 32]);

impl InfoHashV2 {
    /// The form used in handshakes and tracker announces: the first 20 bytes (BEP 52).
    pub fn truncated(&self) -> [u8; 20] {
        let mut short = [0; 20];
        short.copy_from_slice(&self.0[..20]);
        short
    }
}

/// What a torrent is known by in one run and in the state store: its v1 info-hash, or for a v2-only torrent the
/// first 20 bytes of its v2 info-hash. Shown as 40 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TorrentId(pub [u8; 20]);

/// Writes and reads a byte-array newtype as lower-case hex.
macro_rules! hex_identity {
    ($type:ident, $length:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($type))
            }
        }

        impl std::str::FromStr for $type {
            type Err = NotHex;

            fn from_str(text: &str) -> Result<Self, NotHex> {
                let mut bytes = [0u8; $length];
                if text.len() != 2 * $length || !text.is_ascii() {
                    return Err(NotHex { expected_digits: 2 * $length });
                }
                for (at, byte) in bytes.iter_mut().enumerate() {
                    *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16)
                        .map_err(|_| NotHex { expected_digits: 2 * $length })?;
                }
                Ok(Self(bytes))
            }
        }

        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_identity!(InfoHashV1, 20);
hex_identity!(InfoHashV2, 32);
hex_identity!(TorrentId, 20);

/// Text that should have been hex digits of a fixed count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected_digits} hex digits")]
pub struct NotHex {
    /// How many digits were expected.
    pub expected_digits: usize,
}

/// The 20-byte name a peer gives itself (BEP 3, BEP 20). Hostile text: show it only through `contract::Untrusted`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct PeerId(pub [u8; 20]);

/// One connection (to a peer) in the life of the process; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnectionId(pub u64);

/// A webseed of one torrent: its position when it was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebseedKey(pub u32);

/// One request of a webseed in the life of a torrent's owner; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FetchId(pub u64);

/// A monotonic instant: microseconds since the program (or the simulated world) started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(u64);

impl Time {
    /// The start of the clock.
    pub const ZERO: Self = Self(0);

    /// The instant `micros` microseconds after the start.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time passed since `earlier`; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// Bytes per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_there_and_back() {
        let text = "d43e185e297421ea3f253ae04300e373aef9404e";
        let id: TorrentId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert!("d43e".parse::<TorrentId>().is_err());
        assert!("é".repeat(20).parse::<TorrentId>().is_err());
    }

    #[test]
    fn time_never_goes_below_zero() {
        assert_eq!(Time::ZERO.since(Time::from_micros(5)), Duration::ZERO);
    }
}
