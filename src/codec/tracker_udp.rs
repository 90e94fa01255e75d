//! Datagrams between us and a UDP tracker (BEP 15) and the URL options behind an announce (BEP 41).

use super::tracker::{AnnounceAnswer, AnnounceEvent, AnnounceRequest, ScrapeAnswer};
use super::tracker::{cut_text, left_as_sent};
use super::tracker_http::{push_compact_v4, push_compact_v6};

/// The connection id of a connect request.
const CONNECT_MAGIC: u64 = 0x0417_2710_1980;

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;

/// BEP 41's option types.
const OPTION_END: u8 = 0;
const OPTION_URL_DATA: u8 = 2;

/// Bytes of an answer to a connect, and of the fixed parts of the others.
const CONNECTED_BYTES: usize = 16;
const ANNOUNCED_BYTES: usize = 20;
const SCRAPED_BYTES: usize = 20;

/// Which peers an answer lists: the family of the socket decides, not the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// 6 bytes a peer.
    V4,
    /// 18 bytes a peer.
    V6,
}

/// A tracker's datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The connection id to use from now on, for a minute.
    Connected(u64),
    /// Peers.
    Announced(AnnounceAnswer),
    /// Counts of the one torrent asked about.
    Scraped(ScrapeAnswer),
    /// The tracker's words.
    Refused(String),
}

/// A datagram that is not the answer waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// Another transaction's, or not a tracker's at all: go on waiting.
    #[error("a datagram of another transaction")]
    NotOurs,
    /// The right transaction, but too short or of an unknown action.
    #[error("a datagram of {bytes} bytes with action {action}")]
    Malformed {
        /// Its length.
        bytes: usize,
        /// Its action.
        action: u32,
    },
}

/// A request for a connection id.
pub fn encode_connect(transaction: u32) -> Vec<u8> {
    head(CONNECT_MAGIC, CONNECT, transaction)
}

/// An announce. `path_and_query` of the tracker's URL goes along as BEP 41 options; without them a tracker that wants
/// a passkey silently gives nothing.
pub fn encode_announce(
    connection_id: u64,
    transaction: u32,
    request: &AnnounceRequest,
    path_and_query: &str,
) -> Vec<u8> {
    let event: u32 = match request.event {
        AnnounceEvent::Periodic => 0,
        AnnounceEvent::Completed => 1,
        AnnounceEvent::Started => 2,
        AnnounceEvent::Stopped => 3,
    };
    let mut out = head(connection_id, ANNOUNCE, transaction);
    out.extend_from_slice(&request.info_hash);
    out.extend_from_slice(&request.peer_id);
    out.extend_from_slice(&request.downloaded_bytes.to_be_bytes());
    out.extend_from_slice(&left_as_sent(request.left_bytes).to_be_bytes());
    out.extend_from_slice(&request.uploaded_bytes.to_be_bytes());
    out.extend_from_slice(&event.to_be_bytes());
    // Our address: 0 leaves it to the tracker, which sees the true one.
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&request.key.to_be_bytes());
    out.extend_from_slice(&request.num_want.to_be_bytes());
    out.extend_from_slice(&request.port.to_be_bytes());
    push_options(&mut out, path_and_query);
    out
}

/// A scrape of one torrent.
pub fn encode_scrape(connection_id: u64, transaction: u32, info_hash: &[u8; 20]) -> Vec<u8> {
    let mut out = head(connection_id, SCRAPE, transaction);
    out.extend_from_slice(info_hash);
    out
}

/// Reads a datagram in answer to `transaction`.
pub fn decode(datagram: &[u8], transaction: u32, family: Family) -> Result<Reply, ReplyError> {
    let (Some(action), Some(answered)) = (number(datagram, 0), number(datagram, 4)) else {
        return Err(ReplyError::NotOurs);
    };
    if answered != transaction {
        return Err(ReplyError::NotOurs);
    }
    let malformed = ReplyError::Malformed { bytes: datagram.len(), action };
    match action {
        CONNECT if datagram.len() >= CONNECTED_BYTES => {
            let id = datagram[8..16].try_into().map_err(|_| malformed)?;
            Ok(Reply::Connected(u64::from_be_bytes(id)))
        }
        ANNOUNCE if datagram.len() >= ANNOUNCED_BYTES => Ok(Reply::Announced(announced(datagram, family))),
        SCRAPE if datagram.len() >= SCRAPED_BYTES => Ok(Reply::Scraped(ScrapeAnswer {
            seeds: number(datagram, 8).unwrap_or(0),
            downloads: number(datagram, 12).unwrap_or(0),
            leeches: number(datagram, 16).unwrap_or(0),
        })),
        ERROR => Ok(Reply::Refused(cut_text(&datagram[8..]))),
        _ => Err(malformed),
    }
}

fn announced(datagram: &[u8], family: Family) -> AnnounceAnswer {
    let mut peers = Vec::new();
    let compact = &datagram[ANNOUNCED_BYTES..];
    match family {
        Family::V4 => push_compact_v4(&mut peers, compact),
        Family::V6 => push_compact_v6(&mut peers, compact),
    }
    AnnounceAnswer {
        interval_s: number(datagram, 8).map(u64::from),
        leeches: number(datagram, 12),
        seeds: number(datagram, 16),
        peers,
        ..AnnounceAnswer::default()
    }
}

fn head(connection_id: u64, action: u32, transaction: u32) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&connection_id.to_be_bytes());
    out.extend_from_slice(&action.to_be_bytes());
    out.extend_from_slice(&transaction.to_be_bytes());
    out
}

/// Text longer than one option holds is split over several, to be joined by the tracker (BEP 41).
fn push_options(out: &mut Vec<u8>, path_and_query: &str) {
    if matches!(path_and_query, "" | "/") {
        return;
    }
    for part in path_and_query.as_bytes().chunks(usize::from(u8::MAX)) {
        out.push(OPTION_URL_DATA);
        out.push(u8::try_from(part.len()).expect("chunks are of 255 bytes at most"));
        out.extend_from_slice(part);
    }
    out.push(OPTION_END);
}

fn number(datagram: &[u8], at: usize) -> Option<u32> {
    datagram.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request() -> AnnounceRequest {
        AnnounceRequest {
            info_hash: [1; 20],
            peer_id: [2; 20],
            port: 0x1ae1,
            uploaded_bytes: 3,
            downloaded_bytes: 4,
            left_bytes: 5,
            event: AnnounceEvent::Completed,
            num_want: 200,
            key: 6,
        }
    }

    #[test]
    fn a_connect_has_its_known_bytes() {
        let known = [0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 0, 0, 0, 9];
        assert_eq!(encode_connect(9), known);
    }

    #[test]
    fn an_announce_has_98_bytes_and_its_fields_in_place() {
        let sent = encode_announce(7, 8, &request(), "/");
        assert_eq!(sent.len(), 98);
        assert_eq!(number(&sent, 8), Some(ANNOUNCE));
        assert_eq!(sent[56..80], [0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 3]);
        assert_eq!(number(&sent, 80), Some(1));
        assert_eq!(number(&sent, 88), Some(6));
        assert_eq!(number(&sent, 92), Some(200));
        assert_eq!(sent[96..], [0x1a, 0xe1]);
    }

    #[test]
    fn long_paths_are_split_over_options() {
        let path = format!("/announce?passkey={}", "x".repeat(300));
        let sent = encode_announce(7, 8, &request(), &path);
        assert_eq!(sent[98..100], [2, 255]);
        let second = 98 + 2 + 255;
        assert_eq!(sent[second..second + 2], [2, u8::try_from(path.len() - 255).unwrap()]);
        assert_eq!(sent.last(), Some(&0));
        let joined = [&sent[100..second], &sent[second + 2..sent.len() - 1]].concat();
        assert_eq!(joined, path.as_bytes());
    }

    #[test]
    fn answers_are_read() {
        let connected = [&[0; 4][..], &[0, 0, 0, 9], &[0, 0, 0, 0, 0, 0, 0, 5]].concat();
        assert_eq!(decode(&connected, 9, Family::V4), Ok(Reply::Connected(5)));
        let mut announced = [0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 7, 8, 0, 0, 0, 2, 0, 0, 0, 3].to_vec();
        announced.extend_from_slice(&[10, 0, 0, 1, 0x1a, 0xe1, 10, 0, 0, 2, 0, 0, 0xff]);
        let Ok(Reply::Announced(answer)) = decode(&announced, 9, Family::V4) else { panic!("no answer") };
        assert_eq!(answer.peers, ["10.0.0.1:6881".parse().unwrap()]);
        assert_eq!((answer.interval_s, answer.leeches, answer.seeds), (Some(1800), Some(2), Some(3)));
        let refused = [&[0, 0, 0, 3, 0, 0, 0, 9][..], b"go away"].concat();
        assert_eq!(decode(&refused, 9, Family::V4), Ok(Reply::Refused("go away".to_owned())));
    }

    #[test]
    fn other_transactions_and_short_answers_are_refused() {
        let connected = [0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 5];
        assert_eq!(decode(&connected, 10, Family::V4), Err(ReplyError::NotOurs));
        assert_eq!(decode(&connected[..7], 9, Family::V4), Err(ReplyError::NotOurs));
        let short = ReplyError::Malformed { bytes: 12, action: 0 };
        assert_eq!(decode(&connected[..12], 9, Family::V4), Err(short));
    }

    proptest! {
        #[test]
        fn no_datagram_panics(tail in proptest::collection::vec(any::<u8>(), 0..80), action in 0u8..6) {
            let datagram = [&[0, 0, 0, action, 0, 0, 0, 9][..], &tail].concat();
            let _ = decode(&datagram, 9, Family::V4);
            let _ = decode(&datagram, 9, Family::V6);
        }
    }
}
