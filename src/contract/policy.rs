//! Settings of a torrent: how its data on disk is believed (DESIGN: the truth table of completion), and in which order its
//! pieces are fetched.

use serde::{Deserialize, Serialize};

/// Whether data found on disk is hashed when a torrent is added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckPolicy {
    /// What the state store does not vouch for is hashed.
    #[default]
    Auto,
    /// Nothing is hashed at the start; a piece that may be there is hashed when it would be requested, or when a peer or
    /// a reader asks for it.
    Never,
    /// Everything that is there is hashed, once: a later run goes on where that was stopped.
    Always,
}

/// Whether data is taken for complete on the user's word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assume {
    /// It is not.
    #[default]
    Nothing,
    /// What is on disk counts as here; each piece is hashed once before it is first served.
    Complete,
}

/// Whether the state store's claims count. They never do for a file whose size or modification time differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreTrust {
    /// They count.
    #[default]
    Yes,
    /// They do not.
    No,
}

/// In which order the pieces of a torrent are fetched, beside their files' priorities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadOrder {
    /// The order among pieces of equal level.
    pub sequence: PieceSequence,
    /// Whether the first and the last piece of each wanted file go before all others.
    pub first_last: FirstLast,
}

/// A change of a [`DownloadOrder`]: what is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderChange {
    /// The order among pieces of equal level.
    pub sequence: Option<PieceSequence>,
    /// Whether first and last pieces go before all others.
    pub first_last: Option<FirstLast>,
}

impl OrderChange {
    /// The order after this change.
    pub fn applied_to(self, order: DownloadOrder) -> DownloadOrder {
        DownloadOrder {
            sequence: self.sequence.unwrap_or(order.sequence),
            first_last: self.first_last.unwrap_or(order.first_last),
        }
    }
}

/// The order among pieces of equal level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PieceSequence {
    /// Those that few peers have go first, which keeps all pieces available.
    #[default]
    RarestFirst,
    /// In the order of the data.
    InOrder,
}

/// Whether the first and the last piece of each wanted file go before all others, so that a player can open it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstLast {
    /// They have no place of their own.
    #[default]
    Alike,
    /// They go first.
    First,
}
