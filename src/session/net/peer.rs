//! The two tasks of a connection, and the driver's end of it.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::Greeted;
use crate::codec::peer::{Message, PIECE_HEADER_BYTES, piece_header};
use crate::engine::io::Input;
use crate::inspect;
use crate::limits;
use crate::session::disk::DiskBudget;
use crate::session::driver::ToDriver;
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
        let writing = write(write_half, id, queue, driver.clone());
        Self {
            address,
            outgoing,
            reader: inspect::spawn(format!("peer {address} of {torrent}: read"), reading),
            writer: inspect::spawn(format!("peer {address} of {torrent}: write"), writing),
        }
    }

    /// Hands over what goes out. Never waits; false where the peer has not drained what it was sent before.
    pub(in crate::session) fn send(&self, outgoing: Outgoing) -> bool {
        self.outgoing.try_send(outgoing).is_ok()
    }
}

async fn read(
    half: OwnedReadHalf,
    connection: ConnectionId,
    driver: inspect::Sender<ToDriver>,
    budget: Arc<DiskBudget>,
) {
    let reason = read_until_error(half, connection, &driver, &budget).await;
    let _ = driver.send(ToDriver::Input(Input::Closed { connection, reason })).await;
}

/// Reads until the connection ends; gives the reason.
async fn read_until_error(
    mut half: OwnedReadHalf,
    connection: ConnectionId,
    driver: &inspect::Sender<ToDriver>,
    budget: &DiskBudget,
) -> String {
    let mut framer = Framer::new();
    loop {
        budget.wait_for_room().await;
        match half.read_buf(framer.read_buffer()).await {
            Ok(0) => return "the peer closed the connection".to_owned(),
            Ok(_) => {}
            Err(error) => return format!("reading failed: {error}"),
        }
        let mut messages = Vec::new();
        let broken = loop {
            match framer.next_message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        if !messages.is_empty() {
            let batch = ToDriver::Input(Input::Messages { connection, messages });
            if driver.send(batch).await.is_err() {
                return "the torrent is gone".to_owned();
            }
        }
        if let Some(violation) = broken {
            return violation;
        }
    }
}

async fn write(
    half: OwnedWriteHalf,
    connection: ConnectionId,
    queue: inspect::Receiver<Outgoing>,
    driver: inspect::Sender<ToDriver>,
) {
    let mut writer = Writer { half, queue, control: BytesMut::new(), blocks: VecDeque::new() };
    if let Err(error) = writer.run(connection, &driver).await {
        let reason = format!("writing failed: {error}");
        let _ = driver.send(ToDriver::Input(Input::Closed { connection, reason })).await;
    }
}

/// What waits to be written.
struct Writer {
    half: OwnedWriteHalf,
    queue: inspect::Receiver<Outgoing>,
    control: BytesMut,
    blocks: VecDeque<OutgoingBlock>,
}

impl Writer {
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
                self.half.write_all_buf(&mut self.control).await?;
            }
            let payload_bytes = self.write_blocks().await?;
            if payload_bytes > 0 {
                let sent = Input::Sent { connection, payload_bytes };
                if driver.send(ToDriver::Input(sent)).await.is_err() {
                    return Ok(());
                }
            }
        }
    }

    fn take(&mut self, outgoing: Outgoing) {
        outgoing.control.iter().for_each(|message| message.encode(&mut self.control));
        self.blocks.extend(outgoing.blocks);
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
            let written = self.half.write_vectored(left).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut left, written);
        }
        Ok(batch.iter().map(|block| block.data.len() as u64).sum())
    }
}
