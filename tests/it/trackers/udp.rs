use std::net::SocketAddr;

use tokio::net::UdpSocket;
use unchoke::codec::tracker::TrackerError;

use super::{client, impatient, request};

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const ERROR: u32 = 3;
const CONNECTION_ID: u64 = 0x1234_5678_9abc_def0;

/// A question as a tracker reads it.
struct Question {
    bytes: Vec<u8>,
    from: SocketAddr,
}

impl Question {
    fn action(&self) -> u32 {
        u32::from_be_bytes(self.bytes[8..12].try_into().unwrap())
    }

    fn transaction(&self) -> u32 {
        u32::from_be_bytes(self.bytes[12..16].try_into().unwrap())
    }
}

/// Our side of a tracker's socket.
struct Tracker {
    socket: UdpSocket,
}

impl Tracker {
    async fn new() -> (Self, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let url = format!("udp://{}/announce?passkey=x", socket.local_addr().unwrap());
        (Self { socket }, url)
    }

    async fn question(&self) -> Question {
        let mut buffer = vec![0; 2048];
        let (length, from) = self.socket.recv_from(&mut buffer).await.unwrap();
        buffer.truncate(length);
        Question { bytes: buffer, from }
    }

    async fn send(&self, to: SocketAddr, datagram: &[u8]) {
        self.socket.send_to(datagram, to).await.unwrap();
    }

    /// Answers a question as a good tracker does.
    async fn answer(&self, question: &Question) {
        let datagram = match question.action() {
            CONNECT => connected(question.transaction()),
            ANNOUNCE => announced(question.transaction(), 1),
            _ => scraped(question.transaction()),
        };
        self.send(question.from, &datagram).await;
    }
}

fn head(action: u32, transaction: u32) -> Vec<u8> {
    [action.to_be_bytes(), transaction.to_be_bytes()].concat()
}

fn connected(transaction: u32) -> Vec<u8> {
    [head(CONNECT, transaction), CONNECTION_ID.to_be_bytes().to_vec()].concat()
}

/// One peer, 10.0.0.`last`:6881.
fn announced(transaction: u32, last: u8) -> Vec<u8> {
    let counts = [900u32, 2, 3].map(u32::to_be_bytes).concat();
    [head(ANNOUNCE, transaction), counts, vec![10, 0, 0, last, 0x1a, 0xe1]].concat()
}

fn scraped(transaction: u32) -> Vec<u8> {
    [head(2, transaction), [3u32, 9, 1].map(u32::to_be_bytes).concat()].concat()
}

#[tokio::test]
async fn a_connection_id_serves_several_questions_and_the_path_goes_along() {
    let (tracker, url) = Tracker::new().await;
    let served = tokio::spawn(async move {
        let mut actions = Vec::new();
        let mut announce = Vec::new();
        for _ in 0..3 {
            let question = tracker.question().await;
            tracker.answer(&question).await;
            actions.push(question.action());
            if question.action() == ANNOUNCE {
                announce = question.bytes;
            }
        }
        (actions, announce)
    });
    let client = client(impatient());
    let answer = client.announce(&url, &request()).await.unwrap();
    assert_eq!(answer.peers, ["10.0.0.1:6881".parse().unwrap()]);
    let counts = client.scrape(&url, &request().info_hash).await.unwrap();
    assert_eq!((counts.seeds, counts.downloads, counts.leeches), (3, 9, 1));
    let (actions, announce) = served.await.unwrap();
    assert_eq!(actions, [CONNECT, ANNOUNCE, 2]);
    assert_eq!(announce[..8], CONNECTION_ID.to_be_bytes());
    assert_eq!(announce[98..], *b"\x02\x13/announce?passkey=x\x00");
}

#[tokio::test]
async fn lost_datagrams_are_sent_again() {
    let (tracker, url) = Tracker::new().await;
    tokio::spawn(async move {
        for received in 0.. {
            let question = tracker.question().await;
            // The first connect and the first announce are lost.
            if received != 0 && received != 2 {
                tracker.answer(&question).await;
            }
        }
    });
    let answer = client(impatient()).announce(&url, &request()).await.unwrap();
    assert_eq!(answer.peers.len(), 1);
}

#[tokio::test]
async fn another_transaction_and_another_source_are_not_believed() {
    let (tracker, url) = Tracker::new().await;
    tokio::spawn(async move {
        let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let connect = tracker.question().await;
        tracker.answer(&connect).await;
        let announce = tracker.question().await;
        let transaction = announce.transaction();
        stranger.send_to(&announced(transaction, 66), announce.from).await.unwrap();
        tracker.send(announce.from, &announced(transaction ^ 1, 67)).await;
        tracker.send(announce.from, b"junk").await;
        tracker.answer(&announce).await;
    });
    let answer = client(impatient()).announce(&url, &request()).await.unwrap();
    assert_eq!(answer.peers, ["10.0.0.1:6881".parse().unwrap()]);
}

#[tokio::test]
async fn an_id_that_the_tracker_forgot_is_asked_for_again() {
    let (tracker, url) = Tracker::new().await;
    let served = tokio::spawn(async move {
        let mut actions = Vec::new();
        for received in 0..5 {
            let question = tracker.question().await;
            actions.push(question.action());
            if received == 2 {
                let refusal = [head(ERROR, question.transaction()), b"who are you".to_vec()].concat();
                tracker.send(question.from, &refusal).await;
            } else {
                tracker.answer(&question).await;
            }
        }
        actions
    });
    let client = client(impatient());
    client.announce(&url, &request()).await.unwrap();
    client.announce(&url, &request()).await.unwrap();
    assert_eq!(served.await.unwrap(), [CONNECT, ANNOUNCE, ANNOUNCE, CONNECT, ANNOUNCE]);
}

#[tokio::test]
async fn a_refusal_keeps_its_words() {
    let (tracker, url) = Tracker::new().await;
    tokio::spawn(async move {
        let connect = tracker.question().await;
        tracker.answer(&connect).await;
        let announce = tracker.question().await;
        let refusal = [head(ERROR, announce.transaction()), b"not registered".to_vec()].concat();
        tracker.send(announce.from, &refusal).await;
    });
    let refused = TrackerError::Refused { reason: "not registered".to_owned(), retry: None };
    assert_eq!(client(impatient()).announce(&url, &request()).await, Err(refused));
}

#[tokio::test]
async fn silence_ends_at_the_bound_and_a_closed_port_at_once() {
    let (tracker, url) = Tracker::new().await;
    let silent = client(impatient()).announce(&url, &request()).await;
    assert!(matches!(silent, Err(TrackerError::TimedOut(_))), "{silent:?}");
    drop(tracker);
    let closed = client(impatient()).announce(&url, &request()).await;
    assert!(matches!(closed, Err(TrackerError::Network(_))), "{closed:?}");
    let portless = client(impatient()).announce("udp://127.0.0.1/announce", &request()).await;
    assert!(matches!(portless, Err(TrackerError::BadUrl(_))), "{portless:?}");
}
