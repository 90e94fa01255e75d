//! Payload in a recording: how much there was, and none of it.
//!
//! The engine counts payload and passes it on; it never looks inside, a digest of blocks that failed aside
//! (`engine::torrent::BlockDigests`). So its length is all that is written, and zeros are as good as the bytes when it is
//! read again.

use std::sync::LazyLock;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::{BLOCK_BYTES, RECORDED_PAYLOAD_BYTES_MAX};

static ZEROS: [u8; BLOCK_BYTES as usize] = [0; BLOCK_BYTES as usize];

/// As many as any payload may have.
static ALL_ZEROS: LazyLock<Bytes> = LazyLock::new(|| vec![0; RECORDED_PAYLOAD_BYTES_MAX].into());

/// Zeros in place of payload, the same for all: however often a recording claims some, they are there once. `None`: more
/// than any payload has.
fn zeros(length: u64) -> Option<Bytes> {
    let length = usize::try_from(length).ok().filter(|length| *length <= RECORDED_PAYLOAD_BYTES_MAX)?;
    Some(ZEROS.get(..length).map_or_else(|| ALL_ZEROS.slice(..length), Bytes::from_static))
}

/// A length for [`Serialize`] and [`Deserialize`] in place of bytes.
struct Length(Bytes);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let length = u64::deserialize(deserializer)?;
        zeros(length).map(Self).ok_or_else(|| serde::de::Error::custom("more payload than one can be"))
    }
}

/// For `#[serde(with)]` of a field that holds payload: writes its length.
pub fn serialize<S: Serializer>(data: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    (data.len() as u64).serialize(serializer)
}

/// For `#[serde(with)]` of a field that holds payload: zeros of the written length.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    Length::deserialize(deserializer).map(|length| length.0)
}

/// As [`serialize`] and [`deserialize`], for payload in pieces.
pub mod list {
    use super::*;

    /// Writes the lengths.
    pub fn serialize<S: Serializer>(blocks: &[Bytes], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(blocks.iter().map(|block| block.len() as u64))
    }

    /// Zeros of the written lengths.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Bytes>, D::Error> {
        let lengths: Vec<Length> = Deserialize::deserialize(deserializer)?;
        Ok(lengths.into_iter().map(|length| length.0).collect())
    }
}

/// As [`serialize`] and [`deserialize`], for payload that may not have come.
pub mod result {
    use super::*;

    /// Writes the length, or why there is none.
    pub fn serialize<S: Serializer, E: Serialize>(
        result: &Result<Bytes, E>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        result.as_ref().map(|data| data.len() as u64).serialize(serializer)
    }

    /// Zeros of the written length, or why there are none.
    pub fn deserialize<'de, D: Deserializer<'de>, E: Deserialize<'de>>(
        deserializer: D,
    ) -> Result<Result<Bytes, E>, D::Error> {
        let result: Result<Length, E> = Deserialize::deserialize(deserializer)?;
        Ok(result.map(|length| length.0))
    }
}
