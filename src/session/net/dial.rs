//! Calling a peer.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpSocket, TcpStream};

use super::handshake::{self, HandshakeError};
use super::{Greeted, next_connection};
use crate::contract::Direction;
use crate::engine::io::NewConnection;
use crate::inspect;
use crate::limits;
use crate::units::PeerId;

/// Who calls, and for which swarm.
#[derive(Clone, Copy, Debug)]
pub(in crate::session) struct Caller {
    pub(in crate::session) bind: IpAddr,
    pub(in crate::session) info_hash: [u8; 20],
    pub(in crate::session) peer_id: PeerId,
}

/// Connects and shakes hands.
pub(in crate::session) async fn dial(caller: Caller, address: SocketAddr) -> Result<Greeted, HandshakeError> {
    let connecting = inspect::timeout(limits::CONNECT_TIMEOUT, connect(caller.bind, address));
    let connecting = inspect::frame("connect", connecting);
    let mut stream = connecting.await.map_err(|_| timed_out())??;
    stream.set_nodelay(true)?;
    let ours = handshake::ours(caller.info_hash, caller.peer_id);
    inspect::frame("send the handshake", handshake::send(&mut stream, &ours)).await?;
    let theirs = inspect::frame("read the handshake", handshake::receive(&mut stream)).await?;
    if theirs.info_hash != caller.info_hash {
        return Err(HandshakeError::OtherSwarm);
    }
    let new = NewConnection {
        connection: next_connection(),
        address,
        direction: Direction::Outgoing,
        peer_id: theirs.peer_id,
        reserved: theirs.reserved,
    };
    Ok(Greeted { stream, new })
}

fn timed_out() -> io::Error {
    let seconds = limits::CONNECT_TIMEOUT.as_secs();
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {seconds} s"))
}

/// Connects from the address that the user bound us to, where it is of the same family.
async fn connect(bind: IpAddr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if !bind.is_unspecified() {
        if bind.is_ipv4() != address.is_ipv4() {
            let message = format!("{address} cannot be called from {bind}, which --bind names");
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, message));
        }
        socket.bind(SocketAddr::new(bind, 0))?;
    }
    inspect::writing(socket.connect(address)).await
}
