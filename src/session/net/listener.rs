//! Answering peers that call us: the info-hash of their handshake says which torrent they want.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

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

/// Opens the port for peers. Where no address is asked for, IPv6 callers are answered on the same port, if the machine
/// has IPv6 at all.
pub(in crate::session) fn bind(address: IpAddr, port: u16) -> Result<Vec<TcpListener>, BindError> {
    let address = SocketAddr::new(address, port);
    let refuse = |error| BindError { address, error };
    let first = open(address).map_err(refuse)?;
    let mut listeners = Vec::new();
    if address.ip() == IpAddr::V4(Ipv4Addr::UNSPECIFIED) {
        let port = first.local_addr().map_err(refuse)?.port();
        listeners.extend(open(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))).ok());
    }
    listeners.insert(0, first);
    Ok(listeners)
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // IPv4 callers have a listener of their own and keep their plain addresses.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(limits::LISTEN_BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Answers callers until aborted; those over the bound wait in the system's own queue.
pub(in crate::session) async fn listen(listener: TcpListener, directory: Directory, peer_id: PeerId) {
    let places = Arc::new(inspect::Semaphore::new("callers shaking hands", limits::INCOMING_HANDSHAKES_MAX));
    loop {
        let place = places.acquire().await;
        match inspect::reading(listener.accept()).await {
            Ok((stream, address)) => {
                let directory = directory.clone();
                let answering = async move {
                    // A caller that breaks off or knows no torrent of ours is not worth an event.
                    let _ = answer(stream, address, &directory, peer_id).await;
                    drop(place);
                };
                inspect::spawn_for(address, format!("caller {address}: handshake"), answering).detach();
            }
            // Out of descriptors, most likely: they come back when connections close.
            Err(_) => inspect::sleep(limits::ACCEPT_RETRY).await,
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
    let theirs = inspect::frame("read the handshake", handshake::receive(&mut stream)).await?;
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
