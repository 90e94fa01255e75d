//! The flight recorder over real sockets: a download among peers who lie, stall and hang up, recorded, dumped by the
//! program and replayed by it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use unchoke::codec::handshake::{HANDSHAKE_BYTES, Handshake};
use unchoke::contract::{AddRequest, Command, Source, TorrentState};
use unchoke::engine::io::{Effect, Input};
use unchoke::metainfo;
use unchoke::recorder::{EffectTally, Recorder, Recording, Replay, Subject, Turn, redact};
use unchoke::session::remote::serve;
use unchoke::sim::{EngineOptions, Shape, World};
use unchoke::units::{PeerId, PieceIndex, Time};

use crate::real::unchoke::run;
use crate::session::{add, assert_payload, end, engine, reach, request, seed, torrent};

/// A call on loopback ends long before this.
const CALL_MAX: Duration = Duration::from_secs(60);

/// A peer that says it has everything. What it does with each request is drawn: wrong bytes, nothing, or the end.
async fn serve_badly(mut stream: TcpStream, mut rng: fastrand::Rng) -> std::io::Result<()> {
    let info = metainfo::parse(torrent().into()).unwrap().info;
    let mut theirs = [0; HANDSHAKE_BYTES];
    stream.read_exact(&mut theirs).await?;
    let mut peer_id = *b"-XX0000-000000000000";
    peer_id[8..].fill_with(|| rng.alphanumeric() as u8);
    let ours = Handshake { reserved: [0; 8], info_hash: info.id().0, peer_id: PeerId(peer_id) }.encode();
    stream.write_all(&ours).await?;
    let mut bits = vec![0xffu8; info.piece_count().div_ceil(8) as usize];
    if !info.piece_count().is_multiple_of(8) {
        *bits.last_mut().unwrap() = 0xff << (8 - info.piece_count() % 8);
    }
    let length = u32::try_from(bits.len() + 1).unwrap();
    stream.write_all(&[&length.to_be_bytes()[..], &[5], &bits, &1u32.to_be_bytes(), &[1]].concat()).await?;
    loop {
        let length = stream.read_u32().await? as usize;
        let mut message = vec![0; length];
        stream.read_exact(&mut message).await?;
        if message.first() != Some(&6) {
            continue;
        }
        match rng.u8(..10) {
            0 => return Ok(()),
            1..=3 => {}
            _ => {
                let bytes = u32::from_be_bytes(message[9..13].try_into().unwrap());
                let wrong = vec![rng.u8(..); bytes as usize];
                let head = [&(9 + bytes).to_be_bytes()[..], &[7], &message[1..9]].concat();
                stream.write_all(&[head, wrong].concat()).await?;
            }
        }
    }
}

async fn bad_peer(seed: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut rng = fastrand::Rng::with_seed(seed);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_badly(stream, rng.fork()));
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_among_liars_is_recorded_dumped_and_replayed_to_the_identical_state() {
    let (_seed_folder, seed, seed_running, address) = seed().await;
    let mut peers = Vec::new();
    for number in 0..3 {
        peers.push(bad_peer(number).await);
    }
    let folder = tempfile::tempdir().unwrap();
    let (leecher, running) = engine(folder.path()).await;
    let server = serve(folder.path(), leecher.clone()).unwrap();
    let called = peers.clone();
    let id = add(&leecher, request(peers)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    leecher.request(Command::Pause(id)).await.unwrap();
    leecher.request(Command::Resume(id)).await.unwrap();
    leecher.request(Command::Detail(id)).await.unwrap();
    leecher.request(Command::AddPeer { torrent: id, address }).await.unwrap();
    reach(&leecher, id, TorrentState::Seeding).await;
    assert_payload(&folder.path().join("save"));

    let state_dir = folder.path().to_string_lossy().into_owned();
    let call = move |words: &[&str]| run(&std::path::Path::new(&state_dir).join("home"), words, CALL_MAX);
    let state_dir = folder.path().to_string_lossy().into_owned();
    let file = folder.path().join("flight").to_string_lossy().into_owned();
    let raw = folder.path().join("raw").to_string_lossy().into_owned();
    let prefix = id.to_string()[..8].to_owned();
    let told = tokio::task::spawn_blocking(move || {
        let dump = ["dump", "--state-dir", &state_dir, "recorder"];
        let dumped = call(&[&dump[..], &[&prefix, "--out", &file]].concat());
        assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
        let dumped = call(&[&dump[..], &["--out", &raw, "--unredacted"]].concat());
        assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
        let told = [&file, &raw].map(|file| {
            let replayed = call(&["replay", file]);
            let told = String::from_utf8(replayed.stdout).unwrap();
            assert!(replayed.status.success(), "{told}{}", String::from_utf8_lossy(&replayed.stderr));
            told
        });
        let stopped = call(&["replay", &file, "--quiet", "--stop-on", "got piece"]);
        assert!(stopped.status.success());
        assert!(String::from_utf8(stopped.stdout).unwrap().contains("stopped behind turn"));
        let bytes = std::fs::read(&raw).unwrap();
        assert_begins_before_the_first_turn(&Recording::from_bytes(&bytes).unwrap(), &called);
        let mut other = Recording::from_bytes(&bytes).unwrap();
        let mut state = other.end_state.to_vec();
        *state.last_mut().unwrap() ^= 1;
        other.end_state = state.into();
        std::fs::write(&raw, other.to_bytes().unwrap()).unwrap();
        let other = call(&["replay", &raw, "--quiet"]);
        assert_eq!(other.status.code(), Some(1), "another state at the end is told");
        assert!(redact(&Recording::from_bytes(&bytes).unwrap()).is_ok());
        told
    });
    for told in told.await.unwrap() {
        assert!(told.contains("identical: "), "{told}");
        assert!(told.contains("send request"), "{told}");
        assert!(told.contains("piece mismatch"), "the liars lied: {told}");
    }
    drop(server);
    end(leecher, running).await;
    end(seed, seed_running).await;
}

/// The torrent is recorded from when it knew nobody, and whom it called first is in the recording.
fn assert_begins_before_the_first_turn(recording: &Recording, called: &[SocketAddr]) {
    let mut replay = Replay::new(recording).unwrap();
    let row = replay.row(recording.began).unwrap();
    assert_eq!((row.peers.half_open, row.peers.connected, row.downloaded_bytes), (0, 0, 0));
    let first = replay.turn().unwrap().unwrap();
    assert!(first.inputs.is_empty(), "it begins before anything is said: {:?}", first.inputs);
    let mut calls = calls_of(first);
    while let Some(turn) = replay.turn().unwrap() {
        calls.extend(calls_of(turn));
    }
    assert!(called.iter().all(|address| calls.contains(address)), "{calls:?}");
}

fn calls_of(turn: Turn) -> Vec<SocketAddr> {
    let call = |effect| match effect {
        Effect::Connect { address } => Some(address),
        _ => None,
    };
    turn.effects.into_iter().filter_map(call).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_magnet_without_metadata_is_dumped_and_replayed_to_the_identical_state() {
    let peer = bad_peer(1).await;
    let folder = tempfile::tempdir().unwrap();
    let (leecher, running) = engine(folder.path()).await;
    let server = serve(folder.path(), leecher.clone()).unwrap();
    let id = metainfo::parse(torrent().into()).unwrap().info.id();
    let link = format!("magnet:?xt=urn:btih:{id}&x.pe={peer}");
    let id = add(&leecher, AddRequest { source: Source::Magnet(link), ..request(Vec::new()) }).await;
    leecher.request(Command::Pause(id)).await.unwrap();
    leecher.request(Command::Resume(id)).await.unwrap();
    let state_dir = folder.path().to_string_lossy().into_owned();
    let file = folder.path().join("flight");
    let told = tokio::task::spawn_blocking(move || {
        let call = |words: &[&str]| run(&std::path::Path::new(&state_dir).join("home"), words, CALL_MAX);
        let path = file.to_string_lossy().into_owned();
        let dumped = call(&["dump", "--state-dir", &state_dir, "recorder", "--out", &path, "--unredacted"]);
        assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
        let said = String::from_utf8(dumped.stdout).unwrap();
        assert!(said.contains("the search for the metadata of"), "{said}");
        let recording = Recording::from_bytes(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(recording.subject, Subject::Magnet);
        assert_begins_before_the_first_turn(&recording, &[peer]);
        let replayed = call(&["replay", &path]);
        assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
        String::from_utf8(replayed.stdout).unwrap()
    });
    let told = told.await.unwrap();
    assert!(told.contains("identical: ") && told.contains(": metadata, "), "{told}");
    drop(server);
    end(leecher, running).await;
}

#[test]
fn a_file_that_does_not_fit_the_engine_is_an_error_that_names_it_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let recording = unchoke::sim::scenario::run_recorded(3).unwrap().remove(1).unwrap();
    let mut rng = fastrand::Rng::with_seed(1);
    let changed = (1..60).map(|_| {
        let mut crafted = recording.clone();
        let mut state = crafted.parts[0].state.to_vec();
        let at = rng.usize(..state.len());
        state[at] = rng.u8(..);
        crafted.parts[0].state = state.into();
        crafted
    });
    for (number, crafted) in std::iter::once(with_a_piece_that_is_none()).chain(changed).enumerate() {
        let path = folder.path().join(format!("crafted-{number}"));
        std::fs::write(&path, crafted.to_bytes().unwrap()).unwrap();
        let replayed = run(folder.path(), &["replay", "--quiet", &path.to_string_lossy()], CALL_MAX);
        let said = String::from_utf8(replayed.stderr).unwrap();
        assert!(matches!(replayed.status.code(), Some(0 | 1)), "{number}: {:?} {said}", replayed.status);
        assert!(!said.contains("panicked at"), "{number}: {said}");
        if !said.is_empty() {
            assert!(
                said.contains(&format!("crafted-{number}")) && said.contains("again"),
                "{number}: {said}"
            );
        }
        assert!(number > 0 || said.contains("the engine stumbles in turn 1"), "{said}");
    }
}

/// Of a disk job for a piece that the torrent does not have: the engine believes its disk.
fn with_a_piece_that_is_none() -> Recording {
    let mut world = World::new(1, &Shape::pieces(64));
    let node = world.add_engine(EngineOptions::leecher());
    let torrent = world.engine(node).unwrap().torrent();
    let mut recorder = Recorder::default();
    recorder.settle(Time::ZERO, torrent);
    recorder.input(Time::ZERO, torrent, &Input::PieceStored { piece: PieceIndex(u32::MAX) });
    recorder.turn_ended(Time::ZERO, EffectTally::default());
    recorder.recording(Time::ZERO, torrent).unwrap()
}
