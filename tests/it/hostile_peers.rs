//! Peers that misbehave before or below the protocol, over real sockets on loopback.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use unchoke::codec::handshake::{HANDSHAKE_BYTES, Handshake};
use unchoke::contract::{Command, EventKind, TorrentState};
use unchoke::limits;
use unchoke::metainfo;
use unchoke::units::{PeerId, TorrentId};

use crate::session::{add, assert_payload, end, engine, loopback, reach, request, seed, torrent};

/// Longer than anything here takes where nothing waits for a limit.
const SOON: Duration = Duration::from_secs(5);

fn handshake(info_hash: [u8; 20]) -> [u8; HANDSHAKE_BYTES] {
    Handshake { reserved: [0; 8], info_hash, peer_id: PeerId(*b"-XX0000-123456789012") }.encode()
}

/// The torrent that the seed has.
fn id() -> TorrentId {
    metainfo::parse(torrent().into()).unwrap().info.id()
}

/// Waits until the other end closes; gives what came before.
async fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end as well: the other side had not read all of ours.
    let _ = timeout(SOON, stream.read_to_end(&mut bytes)).await.expect("the connection ends soon");
    bytes
}

async fn call(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_12_a_claim_of_a_message_of_four_gigabytes_ends_the_connection() {
    let (_folder, seed, running, address) = seed().await;
    for length in [u32::MAX, 1 << 31, limits::MESSAGE_BYTES_MAX + 1] {
        let mut stream = call(address, &handshake(id().0)).await;
        let mut answer = [0; HANDSHAKE_BYTES];
        timeout(SOON, stream.read_exact(&mut answer)).await.unwrap().unwrap();
        stream.write_all(&length.to_be_bytes()).await.unwrap();
        until_closed(&mut stream).await;
    }
    end(seed, running).await;
}

/// Each drips a byte now and then, and is gone when the time for a handshake is over; nobody waits for them meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn fault_15_hundreds_of_callers_who_drip_their_handshakes_keep_nobody_out() {
    let (_folder, seed, running, address) = seed().await;
    let said = handshake(id().0);
    let began = Instant::now();
    let mut slow = Vec::new();
    for _ in 0..500 {
        slow.push(call(address, &said[..1]).await);
    }
    let all_called = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let (leecher, leecher_running) = engine(folder.path()).await;
    let torrent = add(&leecher, request(vec![address])).await;
    reach(&leecher, torrent, TorrentState::Seeding).await;
    assert!(began.elapsed() < limits::HANDSHAKE_TIMEOUT, "while all of them were there");
    assert_payload(&folder.path().join("save"));
    end(leecher, leecher_running).await;
    tokio::time::sleep_until(began + limits::HANDSHAKE_TIMEOUT / 2).await;
    for stream in &mut slow {
        stream.write_all(&said[1..2]).await.unwrap();
    }
    tokio::time::sleep_until(all_called + limits::HANDSHAKE_TIMEOUT).await;
    for stream in &mut slow {
        assert_eq!(until_closed(stream).await, b"");
    }
    end(seed, running).await;
}

/// There is no encryption yet, so there is no key to be wrong.
#[tokio::test(flavor = "multi_thread")]
async fn fault_19_a_handshake_for_another_torrent_ends_the_connection_whoever_called() {
    let (_folder, seed, running, address) = seed().await;
    let mut stranger = call(address, &handshake([9; 20])).await;
    assert_eq!(until_closed(&mut stranger).await, b"", "nothing is said of ourselves");
    let mut no_peer = call(address, &[b'G'; HANDSHAKE_BYTES]).await;
    assert_eq!(until_closed(&mut no_peer).await, b"");

    let folder = tempfile::tempdir().unwrap();
    let (leecher, leecher_running) = engine(folder.path()).await;
    let torrent = add(&leecher, request(Vec::new())).await;
    let listener = TcpListener::bind(loopback(0)).await.unwrap();
    let liar = listener.local_addr().unwrap();
    let mut events = leecher.events();
    leecher.request(Command::AddPeer { torrent, address: liar }).await.unwrap();
    let (mut called, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    called.write_all(&handshake([9; 20])).await.unwrap();
    assert_eq!(until_closed(&mut called).await.len(), HANDSHAKE_BYTES);
    let told = async {
        while let Some(event) = events.recv().await {
            if let EventKind::PeerGone { address, reason } = event.kind
                && address == liar
            {
                return reason.raw().to_owned();
            }
        }
        panic!("the engine ended");
    };
    let reason = timeout(SOON, told).await.unwrap();
    assert_eq!(reason, "not reached: it belongs to another swarm");
    end(leecher, leecher_running).await;
    end(seed, running).await;
}
