//! The first 68 bytes of a connection (BEP 3) and the reserved bits in them (BEP 5, 6, 10, 52).

use crate::contract::ReservedBits;
use crate::units::PeerId;

/// Bytes of a handshake.
pub const HANDSHAKE_BYTES: usize = 68;

/// What every handshake starts with: the length and the name of the protocol.
pub const PROTOCOL: [u8; 20] = *b"\x13BitTorrent protocol";

/// A bit of the reserved bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReservedBit {
    byte: usize,
    mask: u8,
}

/// The extension protocol (BEP 10).
pub const EXTENSION: ReservedBit = ReservedBit { byte: 5, mask: 0x10 };
/// The fast extension (BEP 6).
pub const FAST: ReservedBit = ReservedBit { byte: 7, mask: 0x04 };
/// A DHT node (BEP 5).
pub const DHT: ReservedBit = ReservedBit { byte: 7, mask: 0x01 };
/// A hybrid torrent's peer that also speaks v2 (BEP 52).
pub const V2: ReservedBit = ReservedBit { byte: 7, mask: 0x10 };

impl ReservedBit {
    /// Whether the bit is set.
    pub const fn is_set(self, reserved: &[u8; 8]) -> bool {
        reserved[self.byte] & self.mask != 0
    }

    /// Sets the bit.
    pub const fn set(self, reserved: &mut [u8; 8]) {
        reserved[self.byte] |= self.mask;
    }
}

/// The bits of eight reserved bytes, with the short names of those that are known.
pub fn reserved_bits(reserved: &[u8; 8]) -> ReservedBits {
    let known = [(EXTENSION, "ltep"), (FAST, "fast"), (DHT, "dht"), (V2, "v2")];
    let names = known.into_iter().filter(|(bit, _)| bit.is_set(reserved));
    ReservedBits {
        bits: u64::from_be_bytes(*reserved),
        names: names.map(|(_, name)| name.to_owned()).collect(),
    }
}

/// A handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// Bits of extensions.
    pub reserved: [u8; 8],
    /// The swarm: a v1 info-hash or a truncated v2 one.
    pub info_hash: [u8; 20],
    /// What the sender calls itself.
    pub peer_id: PeerId,
}

/// The first bytes are not those of a BitTorrent connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a BitTorrent handshake")]
pub struct NotAHandshake;

impl Handshake {
    /// Reads a handshake.
    pub fn decode(bytes: &[u8; HANDSHAKE_BYTES]) -> Result<Self, NotAHandshake> {
        if bytes[..20] != PROTOCOL {
            return Err(NotAHandshake);
        }
        let mut handshake = Self { reserved: [0; 8], info_hash: [0; 20], peer_id: PeerId([0; 20]) };
        handshake.reserved.copy_from_slice(&bytes[20..28]);
        handshake.info_hash.copy_from_slice(&bytes[28..48]);
        handshake.peer_id.0.copy_from_slice(&bytes[48..]);
        Ok(handshake)
    }

    /// Writes a handshake.
    pub fn encode(&self) -> [u8; HANDSHAKE_BYTES] {
        let mut bytes = [0; HANDSHAKE_BYTES];
        bytes[..20].copy_from_slice(&PROTOCOL);
        bytes[20..28].copy_from_slice(&self.reserved);
        bytes[28..48].copy_from_slice(&self.info_hash);
        bytes[48..].copy_from_slice(&self.peer_id.0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshake_goes_there_and_back() {
        let mut reserved = [0; 8];
        EXTENSION.set(&mut reserved);
        FAST.set(&mut reserved);
        assert_eq!(reserved, [0, 0, 0, 0, 0, 0x10, 0, 0x04]);
        let ReservedBits { bits, names } = reserved_bits(&reserved);
        assert_eq!((bits, names.join(" ").as_str()), (0x10_0004, "ltep fast"));
        assert!(FAST.is_set(&reserved) && !DHT.is_set(&reserved) && !V2.is_set(&reserved));
        let handshake = Handshake { reserved, info_hash: [7; 20], peer_id: PeerId([9; 20]) };
        assert_eq!(Handshake::decode(&handshake.encode()), Ok(handshake));
    }

    #[test]
    fn another_protocol_is_refused() {
        let mut bytes = [0; HANDSHAKE_BYTES];
        bytes[..16].copy_from_slice(b"GET / HTTP/1.1\r\n");
        assert_eq!(Handshake::decode(&bytes), Err(NotAHandshake));
    }
}
