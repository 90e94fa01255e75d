//! A generator of random numbers in a recording: what its numbers to come follow from.

use fastrand::Rng;
use serde::{Deserialize, Deserializer, Serializer};

/// For `#[serde(with)]`: writes its state.
pub(in crate::engine) fn serialize<S: Serializer>(rng: &Rng, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(rng.get_seed())
}

/// For `#[serde(with)]`: one that goes on as the written one did.
pub(in crate::engine) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Rng, D::Error> {
    u64::deserialize(deserializer).map(Rng::with_seed)
}
