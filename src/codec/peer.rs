//! Messages between peers after the handshake (BEP 3, BEP 6, BEP 10, BEP 52's ids as unknown).

use bytes::Bytes;

use crate::units::PieceIndex;

/// A range of a piece, as `request`, `cancel` and `reject` carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockRequest {
    /// The piece.
    pub piece: PieceIndex,
    /// First byte, from the start of the piece.
    pub begin: u32,
    /// Number of bytes.
    pub length: u32,
}

/// A message of the peer wire. Payloads are slices of the receive buffer: cloning one copies no bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Length 0.
    KeepAlive,
    /// 0
    Choke,
    /// 1
    Unchoke,
    /// 2
    Interested,
    /// 3
    NotInterested,
    /// 4
    Have(PieceIndex),
    /// 5: one bit a piece, high bit first.
    Bitfield(Bytes),
    /// 6
    Request(BlockRequest),
    /// 7
    Piece {
        /// The piece.
        piece: PieceIndex,
        /// First byte, from the start of the piece.
        begin: u32,
        /// The block.
        data: Bytes,
    },
    /// 8
    Cancel(BlockRequest),
    /// 9: the peer's DHT port (BEP 5).
    Port(u16),
    /// 13 (BEP 6)
    Suggest(PieceIndex),
    /// 14 (BEP 6)
    HaveAll,
    /// 15 (BEP 6)
    HaveNone,
    /// 16 (BEP 6)
    Reject(BlockRequest),
    /// 17 (BEP 6)
    AllowedFast(PieceIndex),
    /// 20 (BEP 10)
    Extended {
        /// 0 is the extension handshake; others are of the receiver's own numbering.
        id: u8,
        /// What follows.
        payload: Bytes,
    },
    /// An id we do not know: ignored, and counted.
    Unknown {
        /// The id.
        id: u8,
    },
}
