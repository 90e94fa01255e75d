//! What is written, entry after entry: inputs, what they say of payload, and where turns end.

use serde::{Deserialize, Serialize};

use crate::engine::io::{Effect, Input};
use crate::engine::torrent::BlockDigests;
use crate::units::Time;

/// An entry as it is read.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Entry {
    /// An input was taken.
    Input(Time, Input),
    /// What the engine is about to see of payload.
    Digests(BlockDigests),
    /// A plan was made, and these effects came out.
    TurnEnds(Time, EffectTally),
    /// The driver of a magnet said something that is no input.
    Driver(Time, DriverWord),
}

/// An entry as it is written: without a copy of the input. The variants are those of [`Entry`], in the same order.
#[derive(Debug, Serialize)]
pub(super) enum EntryRef<'a> {
    Input(Time, &'a Input),
    Digests(&'a BlockDigests),
    TurnEnds(Time, EffectTally),
    Driver(Time, &'a DriverWord),
}

/// What the driver of a magnet does with its fetch beside handing it inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DriverWord {
    /// Wishes that are saved beside the record changed.
    Wished,
    /// What was found cannot be used, for this reason.
    Refused(String),
    /// What was found was taken.
    Taken,
}

impl DriverWord {
    /// One word for it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Wished => "wished",
            Self::Refused(_) => "refused",
            Self::Taken => "taken",
        }
    }
}

/// The effects of a turn, as far as is needed to see that a replay has others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectTally {
    /// How many.
    pub count: u32,
    /// A number that follows from their kinds and order (FNV-1a).
    pub kinds: u64,
}

impl EffectTally {
    /// Counts one.
    pub fn note(&mut self, effect: &Effect) {
        self.count = self.count.saturating_add(1);
        for byte in effect.kind().bytes() {
            self.kinds = (self.kinds ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
