//! Messages between peers after the handshake (BEP 3, BEP 6, BEP 10, BEP 52's ids as unknown).

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::units::PieceIndex;

/// A range of a piece, as `request`, `cancel` and `reject` carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct BlockRequest {
    /// The piece.
    pub piece: PieceIndex,
    /// First byte, from the start of the piece.
    pub begin: u32,
    /// Number of bytes.
    pub length: u32,
}

/// A message of the peer wire. Payloads are slices of the receive buffer: cloning one copies no bytes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
        #[serde(with = "super::payload")]
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

/// Bytes of a block message before its block: length prefix, id, piece and begin.
pub const PIECE_HEADER_BYTES: usize = 13;

/// Why a frame is not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The id is known and its message has another length.
    #[error("message {id} has {length} bytes after its id instead of {expected}")]
    WrongLength {
        /// The message id.
        id: u8,
        /// Bytes after the id.
        length: usize,
        /// What the id asks for.
        expected: Expected,
    },
}

/// How long a message of a known id is, id aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Exactly so many bytes.
    Exactly(usize),
    /// So many bytes or more.
    AtLeast(usize),
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exactly(length) => write!(f, "{length}"),
            Self::AtLeast(length) => write!(f, "{length} or more"),
        }
    }
}

impl Message {
    /// Reads a message from a whole frame, its length prefix taken off. Payloads are slices of `frame`.
    pub fn decode(mut frame: Bytes) -> Result<Self, DecodeError> {
        let Some(&id) = frame.first() else {
            return Ok(Self::KeepAlive);
        };
        frame.advance(1);
        check_length(id, frame.len())?;
        Ok(match id {
            0 => Self::Choke,
            1 => Self::Unchoke,
            2 => Self::Interested,
            3 => Self::NotInterested,
            4 => Self::Have(PieceIndex(frame.get_u32())),
            5 => Self::Bitfield(frame),
            6 => Self::Request(range(frame)),
            7 => Self::Piece { piece: PieceIndex(frame.get_u32()), begin: frame.get_u32(), data: frame },
            8 => Self::Cancel(range(frame)),
            9 => Self::Port(frame.get_u16()),
            13 => Self::Suggest(PieceIndex(frame.get_u32())),
            14 => Self::HaveAll,
            15 => Self::HaveNone,
            16 => Self::Reject(range(frame)),
            17 => Self::AllowedFast(PieceIndex(frame.get_u32())),
            20 => Self::Extended { id: frame.get_u8(), payload: frame },
            id => Self::Unknown { id },
        })
    }

    /// Appends the message with its length prefix. A block is copied; where that matters use [`piece_header`].
    pub fn encode(&self, out: &mut BytesMut) {
        out.reserve(self.wire_bytes());
        match self {
            Self::KeepAlive => out.put_u32(0),
            Self::Choke => put_head(out, 0, 0),
            Self::Unchoke => put_head(out, 1, 0),
            Self::Interested => put_head(out, 2, 0),
            Self::NotInterested => put_head(out, 3, 0),
            Self::Have(piece) => put_piece(out, 4, *piece),
            Self::Bitfield(bits) => {
                put_head(out, 5, bits.len());
                out.put_slice(bits);
            }
            Self::Request(range) => put_range(out, 6, *range),
            Self::Piece { piece, begin, data } => {
                out.put_slice(&piece_header(*piece, *begin, data.len()));
                out.put_slice(data);
            }
            Self::Cancel(range) => put_range(out, 8, *range),
            Self::Port(port) => {
                put_head(out, 9, 2);
                out.put_u16(*port);
            }
            Self::Suggest(piece) => put_piece(out, 13, *piece),
            Self::HaveAll => put_head(out, 14, 0),
            Self::HaveNone => put_head(out, 15, 0),
            Self::Reject(range) => put_range(out, 16, *range),
            Self::AllowedFast(piece) => put_piece(out, 17, *piece),
            Self::Extended { id, payload } => {
                put_head(out, 20, 1 + payload.len());
                out.put_u8(*id);
                out.put_slice(payload);
            }
            Self::Unknown { id } => put_head(out, *id, 0),
        }
    }

    /// Bytes on the wire, length prefix included.
    pub fn wire_bytes(&self) -> usize {
        match self {
            Self::KeepAlive => 4,
            Self::Choke
            | Self::Unchoke
            | Self::Interested
            | Self::NotInterested
            | Self::HaveAll
            | Self::HaveNone
            | Self::Unknown { .. } => 5,
            Self::Port(_) => 7,
            Self::Have(_) | Self::Suggest(_) | Self::AllowedFast(_) => 9,
            Self::Request(_) | Self::Cancel(_) | Self::Reject(_) => 17,
            Self::Bitfield(bits) => 5 + bits.len(),
            Self::Piece { data, .. } => PIECE_HEADER_BYTES + data.len(),
            Self::Extended { payload, .. } => 6 + payload.len(),
        }
    }
}

/// What goes before a block of `length` bytes on the wire.
pub fn piece_header(piece: PieceIndex, begin: u32, length: usize) -> [u8; PIECE_HEADER_BYTES] {
    let mut header = [0; PIECE_HEADER_BYTES];
    header[..4].copy_from_slice(&length_prefix(9 + length).to_be_bytes());
    header[4] = 7;
    header[5..9].copy_from_slice(&piece.0.to_be_bytes());
    header[9..].copy_from_slice(&begin.to_be_bytes());
    header
}

fn check_length(id: u8, length: usize) -> Result<(), DecodeError> {
    let expected = match id {
        0..=3 | 14 | 15 => Expected::Exactly(0),
        4 | 13 | 17 => Expected::Exactly(4),
        6 | 8 | 16 => Expected::Exactly(12),
        9 => Expected::Exactly(2),
        7 => Expected::AtLeast(8),
        20 => Expected::AtLeast(1),
        _ => Expected::AtLeast(0),
    };
    let right = match expected {
        Expected::Exactly(wanted) => length == wanted,
        Expected::AtLeast(wanted) => length >= wanted,
    };
    if right { Ok(()) } else { Err(DecodeError::WrongLength { id, length, expected }) }
}

fn range(mut body: Bytes) -> BlockRequest {
    BlockRequest { piece: PieceIndex(body.get_u32()), begin: body.get_u32(), length: body.get_u32() }
}

fn length_prefix(length: usize) -> u32 {
    u32::try_from(length).expect("we make no message near 4 GiB: blocks and bitfields are bounded by limits")
}

fn put_head(out: &mut BytesMut, id: u8, body_bytes: usize) {
    out.put_u32(length_prefix(1 + body_bytes));
    out.put_u8(id);
}

fn put_piece(out: &mut BytesMut, id: u8, piece: PieceIndex) {
    put_head(out, id, 4);
    out.put_u32(piece.0);
}

fn put_range(out: &mut BytesMut, id: u8, range: BlockRequest) {
    put_head(out, id, 12);
    out.put_u32(range.piece.0);
    out.put_u32(range.begin);
    out.put_u32(range.length);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: &'static [u8]) -> Bytes {
        Bytes::from_static(bytes)
    }

    #[test]
    fn a_request_has_its_known_bytes() {
        let mut out = BytesMut::new();
        let range = BlockRequest { piece: PieceIndex(1), begin: 0x4000, length: 0x4000 };
        Message::Request(range).encode(&mut out);
        assert_eq!(out[..], [0, 0, 0, 13, 6, 0, 0, 0, 1, 0, 0, 0x40, 0, 0, 0, 0x40, 0]);
    }

    #[test]
    fn wrong_lengths_are_named() {
        let cases: [(&[u8], Expected); 6] = [
            (b"\x00x", Expected::Exactly(0)),
            (b"\x04xxx", Expected::Exactly(4)),
            (b"\x06xxxxxxxxxxxxx", Expected::Exactly(12)),
            (b"\x07xxxxxxx", Expected::AtLeast(8)),
            (b"\x09x", Expected::Exactly(2)),
            (b"\x14", Expected::AtLeast(1)),
        ];
        for (bytes, wanted) in cases {
            let DecodeError::WrongLength { expected, .. } = Message::decode(frame(bytes)).unwrap_err();
            assert_eq!(expected, wanted);
        }
    }

    #[test]
    fn unknown_ids_are_not_errors() {
        assert_eq!(Message::decode(frame(b"\x15abc")), Ok(Message::Unknown { id: 21 }));
        assert_eq!(Message::decode(Bytes::new()), Ok(Message::KeepAlive));
    }

    #[test]
    fn a_block_is_a_slice_of_its_frame() {
        let whole = Bytes::from(b"\x07\x00\x00\x00\x01\x00\x00\x00\x02block".to_vec());
        let Ok(Message::Piece { data, .. }) = Message::decode(whole.clone()) else { panic!("no block") };
        assert_eq!(data.as_ptr(), whole[9..].as_ptr());
    }
}
