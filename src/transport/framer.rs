//! Cuts a peer's byte stream into messages without copying blocks.
//!
//! The socket is read straight into [`Framer::read_buffer`]; a block is then a counted slice of that buffer all the
//! way to the disk. Invariants: memory grows with bytes that came, never with a length that was claimed, and the way
//! the stream was cut into reads cannot be seen in the messages.

use bytes::{Buf, BytesMut};

use crate::codec::peer::{DecodeError, Message};
use crate::limits::{
    MESSAGE_BYTES_MAX, READ_BYTES_MAX, READ_BYTES_MIN, READ_SMALL_MAX, READ_SPARE_BYTES_MIN,
};

/// Bytes of the length before each message.
const LENGTH_BYTES: usize = 4;

/// Why a stream cannot be read on: the peer broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A length prefix over the limit.
    #[error("the peer announced a message of {length} bytes; the longest legal one has {MESSAGE_BYTES_MAX}")]
    TooLong {
        /// As claimed.
        length: u32,
    },
    /// A whole frame that is no message.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
}

/// The reading half of a connection.
#[derive(Debug)]
pub struct Framer {
    buffer: BytesMut,
    /// How much room a fresh buffer gets: follows how much each read brings.
    read_bytes: usize,
    /// `buffer.len()` and its room when `read_buffer` gave it out.
    offered: Offered,
    /// Bytes cut off since then.
    cut_bytes: usize,
    /// Reads in a row that used less than a quarter of `read_bytes`.
    small_reads: u32,
}

/// What `read_buffer` gave out.
#[derive(Clone, Copy, Debug, Default)]
struct Offered {
    length: usize,
    room: usize,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new()
    }
}

impl Framer {
    /// A framer for a stream whose handshake has been taken off.
    pub fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            read_bytes: READ_BYTES_MIN,
            offered: Offered::default(),
            cut_bytes: 0,
            small_reads: 0,
        }
    }

    /// The buffer to append the next read to. It has room for at least `READ_SPARE_BYTES_MIN` bytes.
    pub fn read_buffer(&mut self) -> &mut BytesMut {
        self.adapt();
        if self.buffer.is_empty() && self.buffer.capacity() > 2 * self.read_bytes {
            self.buffer = BytesMut::new();
        }
        if self.buffer.capacity() - self.buffer.len() < READ_SPARE_BYTES_MIN {
            self.buffer.reserve(self.read_bytes);
        }
        self.cut_bytes = 0;
        self.offered =
            Offered { length: self.buffer.len(), room: self.buffer.capacity() - self.buffer.len() };
        &mut self.buffer
    }

    /// The next whole message; `None` until more bytes come. After an error the stream is of no more use.
    pub fn next_message(&mut self) -> Result<Option<Message>, FrameError> {
        let Some(prefix) = self.buffer.first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*prefix);
        if length > MESSAGE_BYTES_MAX {
            return Err(FrameError::TooLong { length });
        }
        let length = length as usize;
        if self.buffer.len() < LENGTH_BYTES + length {
            return Ok(None);
        }
        self.cut_bytes += LENGTH_BYTES + length;
        self.buffer.advance(LENGTH_BYTES);
        Ok(Some(Message::decode(self.buffer.split_to(length).freeze())?))
    }

    /// Follows the peer's pace: room doubles when a read filled it, and halves when reads stay small.
    fn adapt(&mut self) {
        let read = (self.buffer.len() + self.cut_bytes).saturating_sub(self.offered.length);
        if read >= self.offered.room.max(self.read_bytes / 2) {
            self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
            self.small_reads = 0;
        } else if read < self.offered.room.min(self.read_bytes / 4) {
            self.small_reads += 1;
        } else {
            self.small_reads = 0;
        }
        if self.small_reads >= READ_SMALL_MAX {
            self.read_bytes = (self.read_bytes / 2).max(READ_BYTES_MIN);
            self.small_reads = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, Bytes};
    use proptest::prelude::*;

    use super::*;
    use crate::codec::peer::BlockRequest;
    use crate::units::PieceIndex;

    /// Appends no more than there is room for, as a socket read does; gives how much.
    fn read_once(framer: &mut Framer, stream: &[u8]) -> usize {
        let buffer = framer.read_buffer();
        let room = buffer.capacity() - buffer.len();
        assert!(room >= READ_SPARE_BYTES_MIN);
        let count = stream.len().min(room);
        buffer.put_slice(&stream[..count]);
        count
    }

    /// All messages up to the end or the first error, reading at most `cuts[i]` bytes in the i-th read.
    fn messages(stream: &[u8], cuts: &[usize]) -> (Vec<Message>, Option<FrameError>) {
        let mut framer = Framer::new();
        let (mut seen, mut at, mut turn) = (Vec::new(), 0, 0);
        while at < stream.len() {
            let wanted = cuts.get(turn).copied().unwrap_or(usize::MAX).max(1);
            turn += 1;
            at += read_once(&mut framer, &stream[at..stream.len().min(at.saturating_add(wanted))]);
            loop {
                match framer.next_message() {
                    Ok(Some(message)) => seen.push(message),
                    Ok(None) => break,
                    Err(error) => return (seen, Some(error)),
                }
            }
        }
        (seen, None)
    }

    fn any_message() -> impl Strategy<Value = Message> {
        let piece = any::<u32>().prop_map(PieceIndex);
        let range = (any::<u32>(), any::<u32>(), any::<u32>())
            .prop_map(|(piece, begin, length)| BlockRequest { piece: PieceIndex(piece), begin, length });
        let payload = || proptest::collection::vec(any::<u8>(), 0..3000).prop_map(Bytes::from);
        prop_oneof![
            Just(Message::KeepAlive),
            Just(Message::Choke),
            Just(Message::Unchoke),
            Just(Message::Interested),
            Just(Message::NotInterested),
            Just(Message::HaveAll),
            Just(Message::HaveNone),
            piece.clone().prop_map(Message::Have),
            piece.clone().prop_map(Message::Suggest),
            piece.clone().prop_map(Message::AllowedFast),
            range.clone().prop_map(Message::Request),
            range.clone().prop_map(Message::Cancel),
            range.prop_map(Message::Reject),
            any::<u16>().prop_map(Message::Port),
            payload().prop_map(Message::Bitfield),
            (any::<u8>(), payload()).prop_map(|(id, payload)| Message::Extended { id, payload }),
            (piece, any::<u32>(), payload()).prop_map(|(piece, begin, data)| Message::Piece {
                piece,
                begin,
                data
            }),
        ]
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_messages(
            sent in proptest::collection::vec(any_message(), 0..20),
            cuts in proptest::collection::vec(1usize..5000, 0..40),
        ) {
            let mut stream = BytesMut::new();
            for message in &sent {
                let before = stream.len();
                message.encode(&mut stream);
                prop_assert_eq!(stream.len() - before, message.wire_bytes());
            }
            prop_assert_eq!(messages(&stream, &cuts), (sent, None));
        }

        #[test]
        fn no_bytes_panic_and_no_split_matters(
            stream in proptest::collection::vec(prop_oneof![Just(0u8), 0u8..24, any::<u8>()], 0..400),
            cuts in proptest::collection::vec(1usize..50, 0..40),
        ) {
            prop_assert_eq!(messages(&stream, &cuts), messages(&stream, &[]));
        }
    }

    #[test]
    fn fault_12_a_claimed_length_allocates_nothing() {
        let mut framer = Framer::new();
        framer.read_buffer().put_u32(MESSAGE_BYTES_MAX);
        assert_eq!(framer.next_message(), Ok(None));
        assert!(framer.read_buffer().capacity() <= 2 * READ_BYTES_MIN);
        framer = Framer::new();
        framer.read_buffer().put_u32(u32::MAX);
        assert_eq!(framer.next_message(), Err(FrameError::TooLong { length: u32::MAX }));
    }

    #[test]
    fn the_longest_bitfield_comes_through() {
        let sent = Message::Bitfield(Bytes::from(vec![0xa5; MESSAGE_BYTES_MAX as usize - 1]));
        let mut stream = BytesMut::new();
        sent.encode(&mut stream);
        assert_eq!(messages(&stream, &[]), (vec![sent], None));
    }

    #[test]
    fn room_follows_the_pace_of_the_peer() {
        let block = Message::Piece { piece: PieceIndex(0), begin: 0, data: Bytes::from(vec![1; 16 * 1024]) };
        let mut stream = BytesMut::new();
        (0..200).for_each(|_| block.encode(&mut stream));
        let mut framer = Framer::new();
        let mut at = 0;
        while at < stream.len() {
            at += read_once(&mut framer, &stream[at..]);
            while framer.next_message().unwrap().is_some() {}
        }
        assert_eq!(framer.read_bytes, READ_BYTES_MAX);
        for _ in 0..4 * READ_SMALL_MAX {
            read_once(&mut framer, &[0; 4]);
            assert_eq!(framer.next_message(), Ok(Some(Message::KeepAlive)));
        }
        assert_eq!(framer.read_bytes, READ_BYTES_MIN);
        assert!(framer.read_buffer().capacity() <= 2 * READ_BYTES_MIN);
    }
}
