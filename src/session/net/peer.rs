//! The two tasks of a connection, and the driver's end of it.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::Greeted;
use crate::codec::peer::{Message, PIECE_HEADER_BYTES, piece_header};
use crate::engine::io::Input;
use crate::inspect;
use crate::limits;
use crate::session::disk::DiskBudget;
use crate::session::driver::{Heard, Owed, TASK_FAILED, ToDriver};
use crate::transport::Framer;
use crate::units::{ConnectionId, PieceIndex};

/// What goes out to a peer in one turn.
#[derive(Debug, Default)]
pub(in crate::session) struct Outgoing {
    /// Sent before any block that waits.
    pub(in crate::session) control: Vec<Message>,
    /// Sent when no control message waits.
    pub(in crate::session) blocks: Vec<OutgoingBlock>,
}

/// A block on its way out.
#[derive(Debug)]
pub(in crate::session) struct OutgoingBlock {
    pub(in crate::session) piece: PieceIndex,
    pub(in crate::session) begin: u32,
    pub(in crate::session) data: Bytes,
}

/// The driver's end of a connection. Dropping it ends both tasks and closes the socket.
#[derive(Debug)]
pub(in crate::session) struct Link {
    pub(in crate::session) address: SocketAddr,
    outgoing: inspect::Sender<Outgoing>,
    /// Control messages handed over and not yet on their way.
    unsent: Arc<AtomicUsize>,
    reader: inspect::TaskHandle<()>,
    writer: inspect::TaskHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reader.abort();
        self.writer.abort();
    }
}

impl Link {
    /// Starts the tasks of a connection of the torrent called `torrent`.
    pub(in crate::session) fn open(
        greeted: Greeted,
        torrent: &str,
        driver: &inspect::Sender<ToDriver>,
        budget: Arc<DiskBudget>,
    ) -> Self {
        let Greeted { stream, new } = greeted;
        let (id, address) = (new.connection, new.address);
        let (read_half, write_half) = stream.into_split();
        let (outgoing, queue) =
            inspect::channel(format!("to peer {address} of {torrent}"), limits::OUTGOING_TURNS_MAX);
        let reading = read(read_half, id, driver.clone(), budget);
        let unsent = Arc::new(AtomicUsize::new(0));
        let writer = Writer::new(write_half, queue, Arc::clone(&unsent));
        let writing = write(writer, id, driver.clone());
        Self {
            address,
            outgoing,
            unsent,
            reader: inspect::spawn_for(address, format!("peer {address} of {torrent}: read"), reading),
            writer: inspect::spawn_for(address, format!("peer {address} of {torrent}: write"), writing),
        }
    }

    /// Hands over what goes out. Never waits; false where the peer has not drained what it was sent before.
    pub(in crate::session) fn send(&self, outgoing: Outgoing) -> bool {
        let count = outgoing.control.len();
        let before = self.unsent.fetch_add(count, Ordering::Relaxed);
        before + count <= limits::OUTGOING_MESSAGES_MAX && self.outgoing.try_send(outgoing).is_ok()
    }
}

async fn read(
    half: OwnedReadHalf,
    connection: ConnectionId,
    driver: inspect::Sender<ToDriver>,
    budget: Arc<DiskBudget>,
) {
    let owed = Owed::new(driver.clone(), Input::Closed { connection, reason: TASK_FAILED.to_owned() });
    let reason = read_until_error(half, connection, &driver, &budget).await;
    owed.pay(ToDriver::Input(Input::Closed { connection, reason })).await;
}

/// Reads until the connection ends; gives the reason.
async fn read_until_error(
    mut half: OwnedReadHalf,
    connection: ConnectionId,
    driver: &inspect::Sender<ToDriver>,
    budget: &DiskBudget,
) -> String {
    let mut framer = Framer::new();
    let places = inspect::Semaphore::new("inputs of a peer", limits::PEER_INPUTS_MAX);
    loop {
        inspect::frame("wait for the disk", budget.wait_for_room()).await;
        match inspect::reading(half.read_buf(framer.read_buffer())).await {
            Ok(0) => return "the peer closed the connection".to_owned(),
            Ok(_) => {}
            Err(error) => return format!("reading failed: {error}"),
        }
        let mut rest = Rest::More;
        while let Rest::More = rest {
            let messages;
            (messages, rest) = next_batch(&mut framer);
            if messages.is_empty() {
                break;
            }
            let place = inspect::frame("wait for the owner", places.acquire()).await;
            let batch = ToDriver::Heard(Heard::new(Input::Messages { connection, messages }, place));
            if driver.send(batch).await.is_err() {
                return "the torrent is gone".to_owned();
            }
        }
        if let Rest::Broken(violation) = rest {
            return violation;
        }
    }
}

/// What is left in a framer after a batch.
enum Rest {
    /// Perhaps more messages.
    More,
    /// None until more bytes come.
    Dry,
    /// Nothing of use: the rule that the peer broke.
    Broken(String),
}

/// The next messages of what was read, a bounded number.
fn next_batch(framer: &mut Framer) -> (Vec<Message>, Rest) {
    let mut messages = Vec::new();
    while messages.len() < limits::MESSAGES_PER_INPUT_MAX {
        match framer.next_message() {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, Rest::Dry),
            Err(error) => return (messages, Rest::Broken(error.to_string())),
        }
    }
    (messages, Rest::More)
}

async fn write(mut writer: Writer, connection: ConnectionId, driver: inspect::Sender<ToDriver>) {
    let owed = Owed::new(driver.clone(), Input::Closed { connection, reason: TASK_FAILED.to_owned() });
    if let Err(error) = writer.run(connection, &driver).await {
        let reason = format!("writing failed: {error}");
        owed.pay(ToDriver::Input(Input::Closed { connection, reason })).await;
    }
}

/// What waits to be written.
struct Writer {
    half: OwnedWriteHalf,
    queue: inspect::Receiver<Outgoing>,
    /// Messages as they came: encoded, one of 30 bytes may be 16 KiB.
    control: VecDeque<Message>,
    unsent: Arc<AtomicUsize>,
    encoded: BytesMut,
    blocks: VecDeque<OutgoingBlock>,
}

impl Writer {
    fn new(half: OwnedWriteHalf, queue: inspect::Receiver<Outgoing>, unsent: Arc<AtomicUsize>) -> Self {
        let (control, blocks) = (VecDeque::new(), VecDeque::new());
        Self { half, queue, control, unsent, encoded: BytesMut::new(), blocks }
    }

    async fn run(&mut self, connection: ConnectionId, driver: &inspect::Sender<ToDriver>) -> io::Result<()> {
        loop {
            if self.control.is_empty() && self.blocks.is_empty() {
                let Some(outgoing) = self.queue.recv().await else { return Ok(()) };
                self.take(outgoing);
            }
            while let Ok(outgoing) = self.queue.try_recv() {
                self.take(outgoing);
            }
            if !self.control.is_empty() {
                inspect::frame("write messages", self.write_control()).await?;
                // What came meanwhile goes before blocks as well.
                continue;
            }
            let payload_bytes = inspect::frame("write blocks", self.write_blocks()).await?;
            if payload_bytes > 0 {
                let sent = Input::Sent { connection, payload_bytes };
                if driver.send(ToDriver::Input(sent)).await.is_err() {
                    return Ok(());
                }
            }
        }
    }

    fn take(&mut self, outgoing: Outgoing) {
        self.control.extend(outgoing.control);
        self.blocks.extend(outgoing.blocks);
    }

    /// Writes a bounded number of bytes, however much waits.
    async fn write_control(&mut self) -> io::Result<()> {
        while self.encoded.len() < limits::CONTROL_BYTES_PER_WRITE
            && let Some(message) = self.control.pop_front()
        {
            message.encode(&mut self.encoded);
            self.unsent.fetch_sub(1, Ordering::Relaxed);
        }
        inspect::writing(self.half.write_all_buf(&mut self.encoded)).await
    }

    /// Writes a bounded number of blocks with one call, so that control messages never wait for more than these.
    async fn write_blocks(&mut self) -> io::Result<u64> {
        let count = self.blocks.len().min(limits::BLOCKS_PER_WRITE);
        let batch: Vec<OutgoingBlock> = self.blocks.drain(..count).collect();
        let headers: Vec<[u8; PIECE_HEADER_BYTES]> =
            batch.iter().map(|block| piece_header(block.piece, block.begin, block.data.len())).collect();
        let parts = headers.iter().zip(&batch).flat_map(|(header, block)| [&header[..], &block.data[..]]);
        let mut slices: Vec<IoSlice<'_>> = parts.map(IoSlice::new).collect();
        let mut left = &mut slices[..];
        while !left.is_empty() {
            let written = inspect::writing(self.half.write_vectored(left)).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut left, written);
        }
        Ok(batch.iter().map(|block| block.data.len() as u64).sum())
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::contract::Direction;
    use crate::engine::io::NewConnection;
    use crate::units::PeerId;

    /// A link to a peer, and the peer's end of it.
    async fn link() -> (Link, TcpStream, inspect::Receiver<ToDriver>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let (peer, _) = listener.accept().await.unwrap();
        let new = NewConnection {
            connection: ConnectionId(1),
            address,
            direction: Direction::Outgoing,
            peer_id: PeerId([0; 20]),
            reserved: [0; 8],
        };
        let (driver, inbox) = inspect::channel("test: driver", 64);
        let budget = Arc::new(DiskBudget::new());
        (Link::open(Greeted { stream, new }, "test", &driver, budget), peer, inbox)
    }

    fn batch(count: usize) -> Outgoing {
        let message = Message::Extended { id: 2, payload: Bytes::from_static(&[0; 16 * 1024]) };
        Outgoing { control: vec![message; count], blocks: Vec::new() }
    }

    #[test]
    fn a_read_full_of_small_messages_is_handed_over_in_parts() {
        let mut framer = Framer::new();
        let count = 2 * limits::MESSAGES_PER_INPUT_MAX + 1;
        let buffer = framer.read_buffer();
        (0..count).for_each(|_| Message::Interested.encode(buffer));
        buffer.extend_from_slice(&u32::MAX.to_be_bytes());
        let mut lengths = Vec::new();
        let violation = loop {
            let (messages, rest) = next_batch(&mut framer);
            lengths.push(messages.len());
            match rest {
                Rest::More => {}
                Rest::Dry => panic!("the stream is broken"),
                Rest::Broken(violation) => break violation,
            }
        };
        assert_eq!(lengths, [limits::MESSAGES_PER_INPUT_MAX, limits::MESSAGES_PER_INPUT_MAX, 1]);
        assert!(violation.contains("4294967295"), "{violation}");
    }

    #[tokio::test]
    async fn a_peer_that_reads_nothing_is_given_up_before_much_waits_for_it() {
        let (link, _peer, _inbox) = link().await;
        let mut taken = 0;
        while link.send(batch(1024)) {
            taken += 1024;
            tokio::task::yield_now().await;
            // What the system's own buffers take comes on top.
            assert!(taken < 2 * limits::OUTGOING_MESSAGES_MAX, "{taken} messages wait");
        }
    }

    #[tokio::test]
    async fn a_flood_of_one_peer_leaves_the_owners_queue_to_others() {
        let (_link, mut peer, mut inbox) = link().await;
        let mut flood = BytesMut::new();
        let batches = limits::PEER_INPUTS_MAX + 2;
        (0..batches * limits::MESSAGES_PER_INPUT_MAX).for_each(|_| Message::Interested.encode(&mut flood));
        peer.write_all(&flood).await.unwrap();
        let mut waiting = Vec::new();
        while waiting.len() < limits::PEER_INPUTS_MAX {
            waiting.push(inbox.recv().await.unwrap());
        }
        // The reader runs on this thread: once it has had its turns, more would be here.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(inbox.try_recv().is_err(), "none comes while these wait");
        drop(waiting);
        assert!(matches!(inbox.recv().await, Some(ToDriver::Heard(_))), "then the rest does");
    }

    #[tokio::test]
    async fn a_peer_that_reads_gets_every_message_however_many_there_are() {
        let (link, mut peer, _inbox) = link().await;
        let count = 200;
        assert!(link.send(batch(count)));
        let message_bytes = 4 + 2 + 16 * 1024;
        let mut all = vec![0; count * message_bytes];
        peer.read_exact(&mut all).await.unwrap();
        assert!(all.chunks(message_bytes).all(|message| message[..6] == all[..6]));
        assert_eq!(link.unsent.load(Ordering::Relaxed), 0);
    }
}
