//! Reading a file while it is downloaded: two engines in one process, over real sockets on loopback.

use std::time::Duration;

use unchoke::contract::{
    AddRequest, Answer, Command, FileBytes, FileChoice, PieceLevel, Priority, PriorityChange, Source,
    TorrentState,
};
use unchoke::metainfo::{Kind, create};
use unchoke::session::Handle;
use unchoke::session::remote::Client;
use unchoke::units::{FileIndex, Rate, TorrentId};

use crate::session::{add, end, engine, loopback, payload, reach, request};

const BIG: FileIndex = FileIndex(0);
const OFF: FileIndex = FileIndex(1);
/// Eight times what is on its way from one peer at most.
const BIG_BYTES: usize = 32 << 20;

fn off() -> Vec<u8> {
    payload(100_000, 6)
}

/// A torrent of a file and one that nobody wants.
fn adding(big: &[u8]) -> AddRequest {
    let files: [(&str, &[u8]); 2] = [("big.bin", big), ("off.bin", &off())];
    let bytes = create::from_memory("film", 32 * 1024, &files, Kind::V1).unwrap();
    let unwanted = PriorityChange { files: FileChoice::Glob("film/off.bin".into()), level: Priority::Off };
    AddRequest { source: Source::Bytes(bytes), priorities: vec![unwanted], ..request(vec![]) }
}

fn read(torrent: TorrentId, file: FileIndex, offset: u64, bytes_max: u32) -> Command {
    Command::Read { torrent, reader: 0, file, offset, bytes_max, ahead_bytes: 0 }
}

/// Reads a range as a player does, answer by answer.
async fn range(handle: &Handle, torrent: TorrentId, file: FileIndex, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let left = u32::try_from(length - bytes.len()).unwrap();
        match handle.request(read(torrent, file, offset + bytes.len() as u64, left)).await.unwrap() {
            Answer::Bytes(FileBytes(more)) if !more.is_empty() => bytes.extend_from_slice(&more),
            other => panic!("{other:?}"),
        }
    }
    bytes
}

/// Whether a piece is wanted because somebody reads.
async fn is_read(handle: &Handle, torrent: TorrentId) -> bool {
    match handle.request(Command::Detail(torrent)).await.unwrap() {
        Answer::Detail(detail) => detail.runs.iter().any(|run| run.priority >= PieceLevel::Ahead),
        other => panic!("{other:?}"),
    }
}

async fn wait_until_read(handle: &Handle, torrent: TorrentId, wanted: bool) {
    let reached = async {
        while is_read(handle, torrent).await != wanted {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reached).await.expect("well before a reader is idle");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_middle_of_a_file_is_read_long_before_the_whole_is_here() {
    let big = payload(BIG_BYTES, 5);
    let seed_folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(seed_folder.path().join("save/film")).unwrap();
    std::fs::write(seed_folder.path().join("save/film/big.bin"), &big).unwrap();
    std::fs::write(seed_folder.path().join("save/film/off.bin"), off()).unwrap();
    let (seed, seed_running) = engine(seed_folder.path()).await;
    let torrent = add(&seed, AddRequest { priorities: vec![], ..adding(&big) }).await;
    reach(&seed, torrent, TorrentState::Seeding).await;
    // The whole would take eight seconds.
    seed.request(Command::SetLimits { down: None, up: Some(Rate(4_000_000)) }).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let (leecher, running) = engine(folder.path()).await;
    let peers = vec![loopback(seed.listen_port())];
    add(&leecher, AddRequest { peers, ..adding(&big) }).await;
    let (offset, length) = (BIG_BYTES / 2 + 777, 150_000);
    let reading = range(&leecher, torrent, BIG, offset as u64, length);
    let bytes = tokio::time::timeout(Duration::from_secs(20), reading).await.unwrap();
    assert!(bytes == big[offset..offset + length], "right bytes");
    let bytes = range(&leecher, torrent, OFF, 50_000, 50_000).await;
    assert!(bytes == off()[50_000..], "of a file that is off");
    let Answer::List(rows) = leecher.request(Command::List).await.unwrap() else { panic!("no list") };
    assert!(rows[0].done_bytes < BIG_BYTES as u64 / 2, "long before the whole is here: {:?}", rows[0]);
    let at_the_end = leecher.request(read(torrent, OFF, 100_000, 9)).await.unwrap();
    assert!(matches!(&at_the_end, Answer::Bytes(FileBytes(bytes)) if bytes.is_empty()), "{at_the_end:?}");
    assert!(leecher.request(read(torrent, FileIndex(2), 0, 9)).await.is_err(), "there is no such file");
    end(leecher, running).await;
    end(seed, seed_running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_gone_moves_nothing_forward_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = engine(folder.path()).await;
    // Nobody has it: a read waits for ever.
    let torrent = add(&handle, adding(&payload(500_000, 5))).await;
    let waiting = tokio::spawn({
        let handle = handle.clone();
        async move { handle.request(read(torrent, BIG, 0, 9)).await }
    });
    wait_until_read(&handle, torrent, true).await;
    waiting.abort();
    wait_until_read(&handle, torrent, false).await;
    // The same over the socket, whose client hangs up.
    let mut client = Client::connect(&folder.path().join("state")).await.unwrap();
    let waiting = tokio::spawn(async move { client.request(read(torrent, OFF, 0, 9)).await.map(|_| ()) });
    wait_until_read(&handle, torrent, true).await;
    waiting.abort();
    wait_until_read(&handle, torrent, false).await;
    // A read that takes the place of one that was given up is not ended with it.
    for _ in 0..20 {
        let given_up = handle.request(read(torrent, BIG, 0, 9));
        let ended = tokio::time::timeout(Duration::from_millis(1), given_up).await;
        assert!(ended.is_err(), "a read of what nobody has: {ended:?}");
    }
    let last = handle.request(read(torrent, BIG, 0, 9));
    assert!(tokio::time::timeout(Duration::from_millis(300), last).await.is_err(), "it waits on");
    handle.request(Command::Pause(torrent)).await.unwrap();
    end(handle, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn askers_do_not_take_each_others_place() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = engine(folder.path()).await;
    let torrent = add(&handle, adding(&payload(500_000, 5))).await;
    let ask = |handle: Handle| {
        tokio::spawn(async move { handle.request(read(torrent, BIG, 0, 9)).await.map(|_| ()) })
    };
    let (one, other) = (ask(handle.for_another()), ask(handle.for_another()));
    wait_until_read(&handle, torrent, true).await;
    one.abort();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(is_read(&handle, torrent).await, "the other one reads on");
    assert!(!other.is_finished());
    other.abort();
    wait_until_read(&handle, torrent, false).await;
    end(handle, running).await;
}
