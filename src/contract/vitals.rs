//! What only a report of how things stand tells of a torrent and its peers: asked for now and then, not published.

use serde::{Deserialize, Serialize};

use super::untrusted::Untrusted;
use crate::units::{ConnectionId, PieceIndex, WebseedKey};

/// What a torrent's owner knows beyond its detail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TorrentVitals {
    /// The v2 info-hash as 64 hex digits, where it has one (BEP 52).
    pub info_hash_v2: Option<String>,
    /// What trackers tell us by when our address changes (BEP 7): the `key` of announces.
    pub announce_key: u32,
    /// Bytes of the info dictionary; `None` where a magnet does not know yet.
    pub metadata_bytes: Option<u64>,
    /// How many of them are here.
    pub metadata_have_bytes: u64,
    /// Pieces in the order in which they are requested: wanted, missing, with a block that nobody is asked for.
    pub order_length: u32,
    /// How many pieces (second) so many connected peers have (first), by rising number of peers.
    pub availability: Vec<(u32, u32)>,
    /// First and last piece that each reader wants now or soon.
    pub readers: Vec<(PieceIndex, PieceIndex)>,
    /// What it waits for next, and in how many milliseconds, if nothing happens before.
    pub next_deadline: Option<(String, u64)>,
    /// How many unfinished pieces hold a block of a webseed.
    pub webseed_pieces: Vec<(WebseedKey, u32)>,
    /// Its connections.
    pub peers: Vec<PeerVitals>,
}

/// The reserved bytes of a handshake (BEP 4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservedBits {
    /// The eight bytes as one number, first byte highest. Written as 16 hex digits: what reads JSON rounds numbers above
    /// 2^53.
    #[serde(with = "hex_digits")]
    pub bits: u64,
    /// Short names of the bits that are known: `ltep` (BEP 10), `fast` (BEP 6), `dht` (BEP 5), `v2` (BEP 52).
    pub names: Vec<String>,
}

mod hex_digits {
    use serde::de::{Deserialize as _, Deserializer, Error as _};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(bits: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{bits:016x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let digits = String::deserialize(deserializer)?;
        u64::from_str_radix(&digits, 16).map_err(D::Error::custom)
    }
}

/// What is known of one connection beyond its row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerVitals {
    /// The connection.
    pub connection: ConnectionId,
    /// The 20 bytes by which it goes (BEP 20); what is not printable ASCII as `\x00`.
    pub peer_id: Untrusted,
    /// What its handshake announces.
    pub reserved: ReservedBits,
    /// The extensions that it speaks and we do too, with its numbers for them (BEP 10).
    pub extensions: Vec<(String, u8)>,
    /// Requests that it queues (BEP 10 `reqq`, or what is assumed).
    pub requests_max: u32,
    /// Requests that were cancelled or given up and may still be answered.
    pub given_up: u32,
    /// Seconds for which we were interested, in all.
    pub interested_s: u64,
    /// Seconds for which requests of ours were on the wire, in all.
    pub expecting_s: u64,
    /// Seconds since its last block that was of use.
    pub last_useful_s: Option<u64>,
    /// Blocks that came.
    pub blocks_in: u64,
    /// Blocks among them that were of use.
    pub blocks_useful: u64,
    /// Blocks that were handed to its connection.
    pub blocks_out: u64,
    /// Unfinished pieces that hold a block of it, those that are just being stored too. A block that was written to disk
    /// before its piece was whole is not known by its sender any more.
    pub pieces_touched: u32,
    /// Pieces that it is asked for, and how many blocks of each.
    pub requested: Vec<(PieceIndex, u32)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_bits_are_text_in_json_so_that_none_is_rounded_away() {
        let reserved = ReservedBits { bits: 0x8000_0000_0010_0005, names: vec!["ltep".to_owned()] };
        let json = serde_json::to_string(&reserved).unwrap();
        assert_eq!(json, r#"{"bits":"8000000000100005","names":["ltep"]}"#);
        assert_eq!(serde_json::from_str::<ReservedBits>(&json).unwrap(), reserved);
        assert!(serde_json::from_str::<ReservedBits>(r#"{"bits":"rubbish","names":[]}"#).is_err());
    }
}
