//! One connection of a fetch: what it claims, what it is asked for, and when it may be asked.

use std::collections::BTreeMap;

use super::assembly::Claim;
use crate::codec::extension::Extension;
use crate::engine::peers::connection::Connection;
use crate::limits;
use crate::units::{PieceIndex, Time};

/// The info dictionary is judged and its liars are found as if it were this piece.
pub(super) const DICTIONARY: PieceIndex = PieceIndex(0);

/// Whether blocks of several peers may make one dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// They may.
    Together,
    /// Somebody lied: each peer is asked for all of it.
    Alone,
}

/// One connection of a fetch.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct MetadataPeer {
    pub(super) connection: Connection,
    /// Bytes of the dictionary as it claims; `None`: it has not said, or has none.
    pub(super) claimed_bytes: Option<u32>,
    /// Its extension handshake came.
    pub(super) introduced: bool,
    /// Blocks on the wire and when each was asked for.
    pub(super) requests: BTreeMap<u32, Time>,
    /// It rejected or was silent: not asked before then.
    pub(super) set_aside_until: Time,
}

impl MetadataPeer {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            connection,
            claimed_bytes: None,
            introduced: false,
            requests: BTreeMap::new(),
            set_aside_until: Time::ZERO,
        }
    }

    /// What its blocks belong to; `None` where it has no metadata to give.
    pub(super) fn claim(&self, trust: Trust) -> Option<Claim> {
        self.connection.extension_id(Extension::UtMetadata)?;
        let alone = match trust {
            Trust::Together => None,
            Trust::Alone => Some(self.connection.id),
        };
        Some(Claim { total_bytes: self.claimed_bytes?, alone })
    }

    /// How many more blocks it may be asked for now.
    pub(super) fn room(&self, now: Time) -> usize {
        if now < self.set_aside_until {
            return 0;
        }
        limits::METADATA_PIPELINE.saturating_sub(self.requests.len())
    }

    /// Whether it let a request time out.
    pub(super) fn is_overdue(&self, now: Time) -> bool {
        self.requests.values().any(|sent| now.since(*sent) >= limits::METADATA_REQUEST_TIMEOUT)
    }

    /// Leaves it alone for a while; what it was asked for goes to others.
    pub(super) fn set_aside(&mut self, now: Time) {
        self.requests.clear();
        self.set_aside_until = now + limits::METADATA_RETRY;
    }

    /// Whether it has had time to introduce itself and offers nothing.
    pub(super) fn is_useless(&self, now: Time) -> bool {
        let waited = now.since(self.connection.connected_at) >= limits::METADATA_REQUEST_TIMEOUT;
        self.claim(Trust::Together).is_none() && (self.introduced || waited || !self.connection.extended)
    }
}
