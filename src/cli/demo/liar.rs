//! The demo's lying peer: says that it has everything, and spoils the first block of each piece. A mute one says the same
//! and never answers.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::payload::MappedPayload;
use crate::codec::handshake::{HANDSHAKE_BYTES, Handshake};
use crate::codec::peer::{BlockRequest, Message};
use crate::inspect;
use crate::limits::{DEMO_CLIENTS_MAX, DEMO_LIAR_PAUSE, DEMO_PATIENCE, REQUEST_BYTES_MAX};
use crate::transport::Framer;
use crate::units::PeerId;

/// What it can lie about, by info-hash.
type Payloads = BTreeMap<[u8; 20], Arc<MappedPayload>>;

/// How it answers requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// With spoiled blocks.
    Lying,
    /// Not at all.
    Mute,
}

/// Starts it on a free port and says where.
pub(super) async fn start(payloads: Payloads) -> io::Result<SocketAddrV4> {
    listen(payloads, Manner::Lying).await
}

/// Starts one that answers no request for this torrent.
pub(super) async fn start_mute(info_hash: [u8; 20], payload: Arc<MappedPayload>) -> io::Result<SocketAddrV4> {
    listen(Payloads::from([(info_hash, payload)]), Manner::Mute).await
}

async fn listen(payloads: Payloads, manner: Manner) -> io::Result<SocketAddrV4> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    inspect::spawn("demo liar: accept", accept(listener, Arc::new(payloads), manner)).detach();
    Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

/// Takes calls until the program ends.
async fn accept(listener: TcpListener, payloads: Arc<Payloads>, manner: Manner) {
    let places = inspect::Semaphore::new("demo liar: clients", DEMO_CLIENTS_MAX);
    loop {
        let place = places.acquire().await;
        let Ok((stream, _)) = inspect::reading(listener.accept()).await else {
            inspect::sleep(DEMO_PATIENCE).await;
            continue;
        };
        let payloads = Arc::clone(&payloads);
        let lie = async move {
            // The caller hangs up sooner or later, that is the point.
            let _ = serve(stream, &payloads, manner).await;
            drop(place);
        };
        inspect::spawn("demo liar: client", lie).detach();
    }
}

async fn serve(mut stream: TcpStream, payloads: &Payloads, manner: Manner) -> io::Result<()> {
    let mut bytes = [0; HANDSHAKE_BYTES];
    inspect::timeout(DEMO_PATIENCE, stream.read_exact(&mut bytes)).await??;
    let theirs = Handshake::decode(&bytes).map_err(io::Error::other)?;
    let Some(payload) = payloads.get(&theirs.info_hash) else { return Ok(()) };
    let ours = Handshake { reserved: [0; 8], peer_id: PeerId(*b"-LI0001-demo-of-lies"), ..theirs };
    let mut out = BytesMut::from(&ours.encode()[..]);
    Message::Bitfield(all_pieces(payload.info().piece_count())).encode(&mut out);
    Message::Unchoke.encode(&mut out);
    stream.write_all(&out).await?;
    let mut framer = Framer::new();
    while stream.read_buf(framer.read_buffer()).await? > 0 {
        while let Some(message) = framer.next_message().map_err(io::Error::other)? {
            let Message::Request(range) = message else { continue };
            if manner == Manner::Mute {
                continue;
            }
            // It must not be the fastest, or it would get to spoil everything before it is found out.
            inspect::sleep(DEMO_LIAR_PAUSE).await;
            let data = spoiled(payload, range);
            let mut out = BytesMut::new();
            Message::Piece { piece: range.piece, begin: range.begin, data }.encode(&mut out);
            stream.write_all(&out).await?;
        }
    }
    Ok(())
}

/// A bitfield with every piece; bits beyond the last stay clear (BEP 3).
fn all_pieces(count: u32) -> Bytes {
    let mut bits = vec![0xff; count.div_ceil(8) as usize];
    if let Some(last) = bits.last_mut().filter(|_| !count.is_multiple_of(8)) {
        *last <<= 8 - count % 8;
    }
    bits.into()
}

/// The block that was asked for, with one byte turned over in the first of each piece.
fn spoiled(payload: &MappedPayload, range: BlockRequest) -> Bytes {
    let mut block = payload.block(BlockRequest { length: range.length.min(REQUEST_BYTES_MAX), ..range });
    if let Some(first) = block.first_mut().filter(|_| range.begin == 0) {
        *first = !*first;
    }
    block.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_claims_every_piece_and_none_beyond() {
        assert_eq!(all_pieces(8)[..], [0xff]);
        assert_eq!(all_pieces(11)[..], [0xff, 0b1110_0000]);
        assert!(all_pieces(0).is_empty());
    }
}
