//! The demo's tracker: announces over HTTP on loopback (BEP 3, compact answers of BEP 23), nothing else.
//!
//! One connection is one announce. Everything is bounded, though only the demo's own engines know the port.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::inspect;
use crate::limits::{
    DEMO_CLIENTS_MAX, DEMO_INTERVAL_S, DEMO_PATIENCE, DEMO_PEERS_MAX, DEMO_REQUEST_BYTES_MAX,
};

/// The running tracker.
pub(super) struct Tracker {
    address: SocketAddr,
    swarms: Arc<inspect::Lock<Swarms>>,
}

/// Who is in which swarm.
#[derive(Debug, Default)]
struct Swarms(BTreeMap<[u8; 20], Swarm>);

#[derive(Debug, Default)]
struct Swarm {
    seeds: BTreeSet<SocketAddrV4>,
    leeches: BTreeSet<SocketAddrV4>,
}

impl Tracker {
    /// Starts it on a free port.
    pub(super) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let swarms = Arc::new(inspect::Lock::new("swarms of the demo's tracker", Swarms::default()));
        inspect::spawn("demo tracker: accept", accept(listener, Arc::clone(&swarms))).detach();
        Ok(Self { address, swarms })
    }

    /// What torrents name.
    pub(super) fn url(&self) -> String {
        format!("http://{}/announce", self.address)
    }

    /// Opens a swarm, with peers that need not announce themselves.
    pub(super) fn open(&self, info_hash: [u8; 20], seeds: impl IntoIterator<Item = SocketAddrV4>) {
        self.swarms.lock().0.entry(info_hash).or_default().seeds.extend(seeds);
    }
}

/// Takes announces until the program ends.
async fn accept(listener: TcpListener, swarms: Arc<inspect::Lock<Swarms>>) {
    let places = inspect::Semaphore::new("demo tracker: clients", DEMO_CLIENTS_MAX);
    loop {
        let place = places.acquire().await;
        let Ok((stream, from)) = inspect::reading(listener.accept()).await else {
            inspect::sleep(DEMO_PATIENCE).await;
            continue;
        };
        let swarms = Arc::clone(&swarms);
        let answer = async move {
            // A client that goes away, or does not speak HTTP, gets nothing and costs nothing.
            let _ = inspect::timeout(DEMO_PATIENCE, serve(stream, from, &swarms)).await;
            drop(place);
        };
        inspect::spawn("demo tracker: announce", answer).detach();
    }
}

async fn serve(mut stream: TcpStream, from: SocketAddr, swarms: &inspect::Lock<Swarms>) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        if request.len() > DEMO_REQUEST_BYTES_MAX || stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let body = match Announce::read(&request) {
        Some(announce) => swarms.lock().announce(&announce, from),
        None => failure("not an announce"),
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), &body].concat()).await?;
    stream.shutdown().await
}

/// What an announce says, as far as the demo cares.
#[derive(Debug, PartialEq, Eq)]
struct Announce {
    info_hash: [u8; 20],
    port: u16,
    left: u64,
    stopped: bool,
}

impl Announce {
    fn read(request: &[u8]) -> Option<Self> {
        let line = request.split(|byte| *byte == b'\r').next()?;
        let target = line.strip_prefix(b"GET /announce?")?.split(|byte| *byte == b' ').next()?;
        let (mut info_hash, mut port, mut left, mut stopped) = (None, None, 0, false);
        for pair in target.split(|byte| *byte == b'&') {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            let value = percent_decoded(&pair[at + 1..])?;
            let number = || std::str::from_utf8(&value).ok()?.parse::<u64>().ok();
            match &pair[..at] {
                b"info_hash" => info_hash = value.try_into().ok(),
                b"port" => port = number().and_then(|port| u16::try_from(port).ok()),
                b"left" => left = number()?,
                b"event" => stopped = value == b"stopped",
                _ => {}
            }
        }
        Some(Self { info_hash: info_hash?, port: port?, left, stopped })
    }
}

/// Undoes `%XX`; `None` where two hex digits are missing.
pub(super) fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = tail;
    }
    Some(bytes)
}

impl Swarms {
    /// Takes note of an announce and answers it.
    fn announce(&mut self, announce: &Announce, from: SocketAddr) -> Vec<u8> {
        let Some(swarm) = self.0.get_mut(&announce.info_hash) else {
            return failure("this torrent is not part of the demo");
        };
        let SocketAddr::V4(from) = from else { return failure("the demo speaks IPv4") };
        let asker = SocketAddrV4::new(*from.ip(), announce.port);
        swarm.seeds.remove(&asker);
        swarm.leeches.remove(&asker);
        let side = if announce.left == 0 { &mut swarm.seeds } else { &mut swarm.leeches };
        if !announce.stopped && side.len() < DEMO_PEERS_MAX {
            side.insert(asker);
        }
        let mut peers = Vec::new();
        for peer in swarm.seeds.iter().chain(&swarm.leeches).filter(|peer| **peer != asker) {
            peers.extend_from_slice(&peer.ip().octets());
            peers.extend_from_slice(&peer.port().to_be_bytes());
        }
        let mut body = format!(
            "d8:completei{}e10:incompletei{}e8:intervali{DEMO_INTERVAL_S}e5:peers{}:",
            swarm.seeds.len(),
            swarm.leeches.len(),
            peers.len()
        )
        .into_bytes();
        body.extend_from_slice(&peers);
        body.push(b'e');
        body
    }
}

/// A refusal, as trackers give it.
fn failure(reason: &str) -> Vec<u8> {
    format!("d14:failure reason{}:{reason}e", reason.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0x1234);

    fn from(port: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    #[test]
    fn an_announce_is_read_from_its_request_line() {
        let request =
            b"GET /announce?info_hash=%00%ffabcdefghijklmnopq%7e&port=81&left=5&event=stopped HTTP/1.1\r\n";
        let announce = Announce::read(request).unwrap();
        assert_eq!(&announce.info_hash, b"\x00\xffabcdefghijklmnopq~");
        assert_eq!((announce.port, announce.left, announce.stopped), (81, 5, true));
        for wrong in
            [&b"GET /announce?port=1 HTTP/1.1"[..], b"GET / HTTP/1.1", b"", b"GET /announce?info_hash=%0"]
        {
            assert_eq!(Announce::read(wrong), None);
        }
    }

    #[test]
    fn an_asker_is_told_of_the_others_but_not_of_itself() {
        let mut swarms = Swarms::default();
        swarms.0.entry([1; 20]).or_default().seeds.insert(PEER);
        let mut announce = Announce { info_hash: [1; 20], port: 81, left: 5, stopped: false };
        let answer = swarms.announce(&announce, from(5000));
        assert_eq!(answer, b"d8:completei1e10:incompletei1e8:intervali30e5:peers6:\x7f\0\0\x01\x12\x34e");
        announce.stopped = true;
        swarms.announce(&announce, from(5001));
        assert!(swarms.0[&[1; 20]].leeches.is_empty());
        announce.info_hash = [2; 20];
        assert!(swarms.announce(&announce, from(5002)).starts_with(b"d14:failure reason"));
    }
}
