//! Settings of how a torrent's data on disk is believed (DESIGN: the truth table of completion).

use serde::{Deserialize, Serialize};

/// Whether data found on disk is hashed when a torrent is added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckPolicy {
    /// What the state store does not vouch for is hashed.
    #[default]
    Auto,
    /// Nothing is hashed at the start; a piece that may be there is hashed when it would be requested.
    Never,
    /// Everything that is there is hashed.
    Always,
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
