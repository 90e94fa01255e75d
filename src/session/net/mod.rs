//! TCP connections to peers: calling, answering, the BitTorrent handshake, then one reading and one writing task each.
//!
//! A connection belongs to one torrent's driver. The reader hands over whole messages in batches and stops reading while
//! the disk queue is full; the writer sends control messages before blocks. Neither knows what the messages mean.

mod dial;
mod handshake;
mod listener;
mod peer;

pub(in crate::session) use dial::{Caller, dial};
pub(in crate::session) use handshake::reserved;
pub use listener::BindError;
pub(in crate::session) use listener::{bind, listen};
pub(in crate::session) use peer::{Link, Outgoing, OutgoingBlock};

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::TcpStream;

use crate::engine::io::NewConnection;
use crate::units::ConnectionId;

/// A connection whose handshake is done.
#[derive(Debug)]
pub(in crate::session) struct Greeted {
    pub(in crate::session) stream: TcpStream,
    pub(in crate::session) new: NewConnection,
}

/// A name for a connection that no other has had.
fn next_connection() -> ConnectionId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    ConnectionId(NEXT.fetch_add(1, Ordering::Relaxed))
}
