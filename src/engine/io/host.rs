//! What torrents say to the shared budget of a webseed's host, and hear of it.

use std::sync::Arc;

use crate::units::Time;

/// Where a webseed is, for the limit on requests of one host: scheme, host and port.
pub type HostKey = Arc<str>;

/// What a torrent says of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostAsk {
    /// It waits for so many places, in place of what it waited for before; 0: none any more. Answered by `HostNews`.
    Want(u32),
    /// So many places are free again.
    Return(u32),
    /// The host failed and is to be left alone, by all torrents.
    Rest(HostRest),
    /// A person wants it asked again at once.
    Wake,
}

/// What a torrent hears of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum HostNews {
    /// It may have so many more requests under way.
    Places(u32),
    /// Another torrent saw it fail.
    Rests(HostRest),
}

/// How long a host is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HostRest {
    /// Nothing is asked of it before this.
    pub until: Time,
    /// Failures in a row: the next rest is longer for each.
    pub failures: u32,
}
