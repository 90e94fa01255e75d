//! How long work on one torrent holds up another: `cargo bench --bench isolation`.
//!
//! A session in this process downloads from a peer of our own on loopback, which answers one request a millisecond and
//! notes when each comes. Meanwhile a torrent of a million pieces is added, checked, changed, watched and removed, and one
//! with data on the disk is checked. The longest gap between two requests is what the download felt; the longest gap
//! between two beats of a thread that only sleeps is what the machine itself did to everybody. Fails where the median of
//! a disturbance is more than ten milliseconds above that of the quiet.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use sha1::Digest;
use unchoke::codec::handshake::{EXTENSION, FAST, HANDSHAKE_BYTES, Handshake};
use unchoke::codec::peer::{BlockRequest, Message};
use unchoke::contract::{
    AddRequest, Answer, Command, FileChoice, Priority, PriorityChange, RemoveData, Source, TorrentRow,
    TorrentState,
};
use unchoke::session::{self, Handle, Settings};
use unchoke::units::{PeerId, TorrentId};

/// The download: pieces of zeros, more than the peer gives while we look.
const PIECES: usize = 40_000;
const PIECE_BYTES: usize = 64 << 10;
/// The torrent that is worked on meanwhile.
const BIG_PIECES: usize = 1_000_000;
const BIG_FILES: usize = 100_000;
/// Between two answers of our peer.
const ANSWER_EVERY: Duration = Duration::from_millis(1);
/// Each disturbance is looked at for at least this long.
const LOOK: Duration = Duration::from_secs(2);
const ROUNDS: usize = 3;
/// What a disturbance may add to the gap when nothing else happens.
const ADDED_MOST: Duration = Duration::from_millis(10);
/// The torrent whose data is hashed.
const DATA_PIECES: usize = 4_000;
const QUIET: &str = "nothing else happens";

/// Instants of requests, and of beats of a thread that only sleeps.
#[derive(Clone, Default)]
struct Log {
    requests: Arc<Mutex<Vec<Instant>>>,
    beats: Arc<Mutex<Vec<Instant>>>,
}

/// The longest gaps in a span.
#[derive(Clone, Copy)]
struct Gaps {
    requests: Duration,
    beats: Duration,
}

impl Log {
    fn gaps(&self, from: Instant, to: Instant) -> Gaps {
        let longest = |instants: &Mutex<Vec<Instant>>| {
            let instants = instants.lock().expect("no thread panics with it");
            let within: Vec<Instant> =
                instants.iter().copied().filter(|at| (from..=to).contains(at)).chain([to]).collect();
            let gaps = within.windows(2).map(|pair| pair[1] - pair[0]);
            gaps.max().unwrap_or(to - from)
        };
        Gaps { requests: longest(&self.requests), beats: longest(&self.beats) }
    }
}

fn text(bytes: &[u8]) -> Vec<u8> {
    [format!("{}:", bytes.len()).as_bytes(), bytes].concat()
}

/// One file of zeros.
fn zeros(name: &str, pieces: usize) -> Vec<u8> {
    let hash = sha1::Sha1::digest(vec![0; PIECE_BYTES]);
    let head = format!(
        "d4:infod6:lengthi{}e4:name{}:{name}12:piece lengthi{PIECE_BYTES}e6:pieces",
        pieces * PIECE_BYTES,
        name.len()
    );
    [head.as_bytes(), &text(&hash.repeat(pieces)), b"ee"].concat()
}

/// Adds a torrent whose file is there, without taking room on the disk.
async fn add_with_data(handle: &Handle, save_dir: &Path) -> TorrentId {
    std::fs::create_dir_all(save_dir).expect("it is made");
    let file = std::fs::File::create(save_dir.join("data")).expect("it is made");
    file.set_len((DATA_PIECES * PIECE_BYTES) as u64).expect("it has holes");
    let torrent = add(handle, request(Source::Bytes(zeros("data", DATA_PIECES)), Vec::new())).await;
    checked(handle, torrent).await;
    torrent
}

/// Waits until a torrent's check is over.
async fn checked(handle: &Handle, torrent: TorrentId) {
    let is_done = |row: &TorrentRow| row.id == torrent && row.state == TorrentState::Seeding;
    let mut snapshots = handle.snapshots();
    let over = snapshots.wait_until(|snapshot| snapshot.torrents.iter().any(|row| is_done(row)));
    over.await.expect("the engine runs");
}

/// Very many pieces and files, with made-up hashes.
fn big() -> Vec<u8> {
    let each = BIG_PIECES / BIG_FILES * 16_384;
    let files: String = (0..BIG_FILES)
        .map(|at| {
            let name = format!("file-{at:07}.dat");
            format!("d6:lengthi{each}e4:pathl3:dir{}:{name}ee", name.len())
        })
        .collect();
    let head = format!("d4:infod5:filesl{files}e4:name3:big12:piece lengthi16384e6:pieces");
    [head.as_bytes(), &text(&vec![7; BIG_PIECES * 20]), b"ee"].concat()
}

/// A seed of zeros that notes when it is asked.
fn serve(listener: &TcpListener, log: &Log) -> std::io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    let mut theirs = [0; HANDSHAKE_BYTES];
    stream.read_exact(&mut theirs)?;
    let theirs = Handshake::decode(&theirs).map_err(std::io::Error::other)?;
    let mut reserved = [0; 8];
    FAST.set(&mut reserved);
    EXTENSION.set(&mut reserved);
    let ours = Handshake { reserved, info_hash: theirs.info_hash, peer_id: PeerId(*b"-BN0001-benchmarking") };
    stream.write_all(&ours.encode())?;
    let mut hello = BytesMut::new();
    Message::HaveAll.encode(&mut hello);
    Message::Unchoke.encode(&mut hello);
    stream.write_all(&hello)?;
    let (asked, requests) = mpsc::channel();
    let writer = stream.try_clone()?;
    std::thread::spawn(move || answer(writer, &requests));
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut frame)?;
        if let Ok(Message::Request(request)) = Message::decode(Bytes::from(frame)) {
            log.requests.lock().expect("no thread panics with it").push(Instant::now());
            let _ = asked.send(request);
        }
    }
}

fn answer(mut stream: TcpStream, requests: &mpsc::Receiver<BlockRequest>) {
    let mut due = Instant::now();
    while let Ok(BlockRequest { piece, begin, length }) = requests.recv() {
        // Late answers are not made up for: each request is the answer to one block.
        due = (due + ANSWER_EVERY).max(Instant::now());
        std::thread::sleep(due - Instant::now());
        let mut out = BytesMut::new();
        Message::Piece { piece, begin, data: vec![0; length as usize].into() }.encode(&mut out);
        if stream.write_all(&out).is_err() {
            return;
        }
    }
}

fn beat(log: &Log, ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        log.beats.lock().expect("no thread panics with it").push(Instant::now());
        std::thread::sleep(ANSWER_EVERY);
    }
}

fn request(source: Source, peers: Vec<SocketAddr>) -> AddRequest {
    AddRequest { peers, ..AddRequest::of(source) }
}

async fn ask(handle: &Handle, command: Command) -> Answer {
    handle.request(command).await.expect("it is granted")
}

async fn add(handle: &Handle, request: AddRequest) -> TorrentId {
    match ask(handle, Command::Add(Box::new(request))).await {
        Answer::Added { torrent, .. } => torrent,
        other => panic!("{other:?}"),
    }
}

/// Rows of what was measured, one a round.
#[derive(Default)]
struct Rows(Vec<(&'static str, Vec<Gaps>)>);

impl Rows {
    fn note(&mut self, name: &'static str, gaps: Gaps) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rounds)) => rounds.push(gaps),
            None => self.0.push((name, vec![gaps])),
        }
    }

    /// The median of the gaps of a disturbance.
    fn median(&self, name: &str) -> Duration {
        let rounds = self.0.iter().find(|(known, _)| *known == name).map(|(_, rounds)| rounds);
        let mut gaps: Vec<Duration> = rounds.into_iter().flatten().map(|gaps| gaps.requests).collect();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied().unwrap_or_default()
    }

    /// Whether no disturbance added more than it may.
    fn are_within(&self) -> bool {
        let most = self.median(QUIET) + ADDED_MOST;
        self.0.iter().all(|(name, _)| self.median(name) <= most)
    }

    fn print(&self) {
        let quiet = self.median(QUIET);
        let head = format!(
            "{:<34} {:>12} {:>12} {:>12} {:>12} {:>14}",
            "longest gap while", "best", "median", "worst", "added", "machine, worst"
        );
        say(&head);
        for (name, rounds) in &self.0 {
            let mut gaps: Vec<Duration> = rounds.iter().map(|gaps| gaps.requests).collect();
            gaps.sort_unstable();
            let beats = rounds.iter().map(|gaps| gaps.beats).max().unwrap_or_default();
            let shown = |gap: Duration| format!("{:.1} ms", gap.as_secs_f64() * 1e3);
            let (best, median, worst) = (gaps[0], gaps[gaps.len() / 2], gaps[gaps.len() - 1]);
            let figures = [best, median, worst].map(shown);
            say(&format!(
                "{name:<34} {:>12} {:>12} {:>12} {:>12} {:>14}",
                figures[0],
                figures[1],
                figures[2],
                shown(median.saturating_sub(quiet)),
                shown(beats)
            ));
        }
    }
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

async fn look(rows: &mut Rows, log: &Log, name: &'static str, work: impl Future<Output = ()>) {
    let from = Instant::now();
    work.await;
    tokio::time::sleep(LOOK.saturating_sub(from.elapsed())).await;
    rows.note(name, log.gaps(from, Instant::now()));
}

async fn round(rows: &mut Rows, handle: &Handle, log: &Log, (big_file, data): (&Path, TorrentId)) {
    look(rows, log, QUIET, async {}).await;
    look(rows, log, "data on the disk is checked", async {
        ask(handle, Command::Recheck(data)).await;
        tokio::time::sleep(LOOK / 4).await;
        checked(handle, data).await;
    })
    .await;
    let mut torrent = TorrentId([0; 20]);
    look(rows, log, "a large torrent is added", async {
        torrent = add(handle, request(Source::Path(big_file.to_owned()), Vec::new())).await;
    })
    .await;
    look(rows, log, "all its files change priority", async {
        let low = PriorityChange { files: FileChoice::All, level: Priority::Low };
        ask(handle, Command::SetPriority { torrent, changes: vec![low] }).await;
    })
    .await;
    look(rows, log, "it is watched", async {
        ask(handle, Command::Watch(Some(torrent))).await;
    })
    .await;
    ask(handle, Command::Watch(None)).await;
    look(rows, log, "it is checked, without data", async {
        ask(handle, Command::Recheck(torrent)).await;
    })
    .await;
    look(rows, log, "it is removed", async {
        ask(handle, Command::Remove { torrent, data: RemoveData::Keep }).await;
    })
    .await;
}

/// Whether all is within the bound.
async fn bench() -> bool {
    let log = Log::default();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    let peer = listener.local_addr().expect("it is bound");
    let (of_peer, of_beats) = (log.clone(), log.clone());
    std::thread::spawn(move || serve(&listener, &of_peer));
    let ended = Arc::new(AtomicBool::new(false));
    let no_more = Arc::clone(&ended);
    std::thread::spawn(move || beat(&of_beats, &no_more));
    let folder = tempfile::tempdir().expect("a folder");
    let big_file = folder.path().join("big.torrent");
    std::fs::write(&big_file, big()).expect("it is written");
    let (handle, running) = session::start(Settings::on_loopback(folder.path())).await.expect("it starts");
    add(&handle, request(Source::Bytes(zeros("zeros", PIECES)), vec![peer])).await;
    tokio::time::sleep(LOOK).await;
    assert!(!log.requests.lock().expect("no thread panics with it").is_empty(), "it downloads");
    let data = add_with_data(&handle, &Settings::on_loopback(folder.path()).save_dir).await;
    let mut rows = Rows::default();
    for _ in 0..ROUNDS {
        round(&mut rows, &handle, &log, (&big_file, data)).await;
    }
    rows.print();
    ended.store(true, Ordering::Relaxed);
    ask(&handle, Command::Shutdown).await;
    running.ended().await.expect("it ends");
    rows.are_within()
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    // As front ends ask from tasks of their own.
    let within = runtime.block_on(async { tokio::spawn(bench()).await.expect("it does not panic") });
    if within {
        ExitCode::SUCCESS
    } else {
        say(&format!("a disturbance added more than {} ms", ADDED_MOST.as_millis()));
        ExitCode::FAILURE
    }
}
