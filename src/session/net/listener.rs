//! Answering peers that call us: the info-hash of their handshake says which torrent they want.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::handshake::{self, HandshakeError};
use super::{Greeted, next_connection};
use crate::contract::Direction;
use crate::engine::io::NewConnection;
use crate::inspect;
use crate::limits;
use crate::session::directory::Directory;
use crate::session::driver::ToDriver;
use crate::units::PeerId;

/// The port for peers could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for peers on {address}: {error}; choose another --port (0: any) or --bind")]
pub struct BindError {
    address: SocketAddr,
    error: io::Error,
}

/// Opens the port for peers.
pub(in crate::session) fn bind(address: IpAddr, port: u16) -> Result<TcpListener, BindError> {
    let address = SocketAddr::new(address, port);
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(limits::LISTEN_BACKLOG)
    };
    open().map_err(|error| BindError { address, error })
}

/// Answers callers until aborted; those over the bound wait in the system's own queue.
pub(in crate::session) async fn listen(listener: TcpListener, directory: Directory, peer_id: PeerId) {
    let places = Arc::new(inspect::Semaphore::new("callers shaking hands", limits::INCOMING_HANDSHAKES_MAX));
    loop {
        let place = places.acquire().await;
        match listener.accept().await {
            Ok((stream, address)) => {
                let directory = directory.clone();
                let answering = async move {
                    // A caller that breaks off or knows no torrent of ours is not worth an event.
                    let _ = answer(stream, address, &directory, peer_id).await;
                    drop(place);
                };
                inspect::spawn(format!("caller {address}: handshake"), answering).detach();
            }
            // Out of descriptors, most likely: they come back when connections close.
            Err(_) => tokio::time::sleep(limits::ACCEPT_RETRY).await,
        }
    }
}

async fn answer(
    mut stream: TcpStream,
    address: SocketAddr,
    directory: &Directory,
    peer_id: PeerId,
) -> Result<(), HandshakeError> {
    stream.set_nodelay(true)?;
    let theirs = handshake::receive(&mut stream).await?;
    let inbox = directory.inbox_of_swarm(&theirs.info_hash).ok_or(HandshakeError::UnknownSwarm)?;
    handshake::send(&mut stream, &handshake::ours(theirs.info_hash, peer_id)).await?;
    let new = NewConnection {
        connection: next_connection(),
        address,
        direction: Direction::Incoming,
        peer_id: theirs.peer_id,
        reserved: theirs.reserved,
    };
    // Where the torrent has just been removed the connection closes with the stream.
    let _ = inbox.send(ToDriver::Greeted(Greeted { stream, new })).await;
    Ok(())
}
