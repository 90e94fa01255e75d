//! The first 68 bytes each way (BEP 3), with a time limit so that a slow caller holds nothing up.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::codec::handshake::{self, HANDSHAKE_BYTES, Handshake, NotAHandshake};
use crate::inspect;
use crate::limits;
use crate::units::PeerId;

/// Why a handshake came to nothing.
#[derive(Debug, thiserror::Error)]
pub(in crate::session) enum HandshakeError {
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("no handshake within {} s", limits::HANDSHAKE_TIMEOUT.as_secs())]
    TimedOut,
    #[error(transparent)]
    NotAHandshake(#[from] NotAHandshake),
    #[error("it belongs to another swarm")]
    OtherSwarm,
    #[error("no such torrent here")]
    UnknownSwarm,
}

/// What we say of ourselves in one swarm.
pub(super) fn ours(info_hash: [u8; 20], peer_id: PeerId) -> Handshake {
    Handshake { reserved: reserved(), info_hash, peer_id }
}

/// The extensions that our handshakes announce.
pub(in crate::session) fn reserved() -> [u8; 8] {
    let mut reserved = [0; 8];
    handshake::FAST.set(&mut reserved);
    handshake::EXTENSION.set(&mut reserved);
    reserved
}

pub(super) async fn send(stream: &mut TcpStream, handshake: &Handshake) -> Result<(), HandshakeError> {
    let bytes = handshake.encode();
    let sent = inspect::timeout(limits::HANDSHAKE_TIMEOUT, inspect::writing(stream.write_all(&bytes)));
    Ok(sent.await.map_err(|_| HandshakeError::TimedOut)??)
}

pub(super) async fn receive(stream: &mut TcpStream) -> Result<Handshake, HandshakeError> {
    let mut bytes = [0; HANDSHAKE_BYTES];
    let received =
        inspect::timeout(limits::HANDSHAKE_TIMEOUT, inspect::reading(stream.read_exact(&mut bytes)));
    received.await.map_err(|_| HandshakeError::TimedOut)??;
    Ok(Handshake::decode(&bytes)?)
}
