//! Recordings of random scenarios, replayed; what is in a file and what is not; bounds.

use bytes::Bytes;

use super::*;
use crate::codec::peer::Message;
use crate::engine::io::{Input, TorrentCommand};
use crate::limits::RECORDING_BYTES_MAX;
use crate::sim::scenario;
use crate::sim::{EngineOptions, Shape, World};
use crate::units::{ConnectionId, PieceIndex, Time};

mod crafted;
mod hiding;
mod identity;
mod large;
mod magnet;

/// Runs a recording to its end; gives its turns.
fn replay(recording: &Recording, what: &str) -> u64 {
    let mut replay = Replay::new(recording).unwrap();
    let mut turns = 0;
    while let Some(turn) = replay.turn().unwrap() {
        assert!(turn.same, "{what}: turn {} at {:?}: {:?}", turn.number, turn.at, turn.effects);
        turns = turn.number;
    }
    assert!(replay.is_identical(), "{what}: other state at the end");
    turns
}

/// A share of the seeds: each is replayed, and so is what is left of it for others.
fn run_share(share: u64) {
    let (mut turns, mut begun_before_the_first_turn) = (0, 0);
    for seed in (0..50).filter(|seed| seed % 2 == share) {
        let recordings = scenario::run_recorded(seed).unwrap_or_else(|failure| panic!("{failure}"));
        assert!(recordings.len() >= 2, "a seed and a leecher");
        for (engine, recording) in recordings.into_iter().enumerate() {
            let what = format!("seed {seed}, engine {engine}");
            let recording = recording.unwrap_or_else(|error| panic!("{what}: {error}"));
            begun_before_the_first_turn += u32::from(recording.began == Time::ZERO);
            turns += replay(&recording, &what);
            let redacted = redact(&recording).unwrap();
            assert!(redacted.redacted && redacted.end_state != recording.end_state, "{what}");
            replay(&redacted, &format!("{what}, redacted"));
        }
    }
    assert!(turns > 10_000, "{turns} turns");
    assert!(
        begun_before_the_first_turn > 10,
        "{begun_before_the_first_turn} without a crash or too many inputs"
    );
}

#[test]
fn fifty_random_scenarios_replay_to_identical_states_1_of_2() {
    run_share(0);
}

#[test]
fn fifty_random_scenarios_replay_to_identical_states_2_of_2() {
    run_share(1);
}

/// Whether the file of a recording has these bytes somewhere.
fn has(recording: &Recording, what: &[u8]) -> bool {
    let file = recording.to_bytes().unwrap();
    assert_eq!(Recording::from_bytes(&file).as_ref(), Ok(recording));
    file.windows(what.len()).any(|bytes| bytes == what)
}

/// A recorder of a torrent that had no turn yet.
fn begun() -> (World, Recorder, crate::sim::NodeId) {
    let mut world = World::new(1, &Shape::pieces(64));
    let node = world.add_engine(EngineOptions::leecher());
    let mut recorder = Recorder::default();
    recorder.settle(Time::ZERO, world.engine(node).unwrap().torrent());
    assert!(recorder.bytes() > 0, "a state is there");
    (world, recorder, node)
}

#[test]
fn a_ring_never_takes_more_than_its_bound_and_keeps_what_is_newest() {
    let (world, mut recorder, node) = begun();
    let torrent = world.engine(node).unwrap().torrent();
    let bitfield = Bytes::from(vec![0x55; 200_000]);
    for step in 0..400u64 {
        let messages = vec![Message::Bitfield(bitfield.clone())];
        let now = Time::from_micros(step * 1_000);
        recorder.input(now, torrent, &Input::Messages { connection: ConnectionId(step), messages });
        assert!(recorder.bytes() <= RECORDING_BYTES_MAX, "{} bytes at {step}", recorder.bytes());
        recorder.turn_ended(now, EffectTally::default());
        recorder.settle(now, torrent);
        assert!(recorder.bytes() <= RECORDING_BYTES_MAX, "{} bytes at {step}", recorder.bytes());
    }
    let recording = recorder.recording(Time::from_micros(400_000), torrent).unwrap();
    assert!(recording.began > Time::ZERO, "the oldest went");
    let kept: usize = recording.parts.iter().map(|part| part.state.len() + part.entries.len()).sum();
    assert!(kept > RECORDING_BYTES_MAX / 2, "{kept} bytes are left of 80 MB");
}

#[test]
fn neither_payload_nor_passkeys_nor_addresses_are_in_a_redacted_file() {
    let (mut world, mut recorder, node) = begun();
    let torrent = world.engine_mut(node).unwrap().torrent_mut();
    let payload = b"payload-payload-payload-payload-";
    let piece = Message::Piece { piece: PieceIndex(0), begin: 0, data: Bytes::from_static(payload) };
    let url = "http://user:word@tracker.example/0123456789abcdef0123/announce?passkey=sesame".to_owned();
    let inputs = [
        Input::Messages { connection: ConnectionId(7), messages: vec![piece] },
        Input::Command(TorrentCommand::AddTrackers(vec![url])),
        Input::PeersFound {
            source: crate::contract::PeerSource::Tracker,
            addresses: vec!["203.0.113.77:6881".parse().unwrap(), "198.51.100.9:6881".parse().unwrap()],
        },
        Input::ConnectFailed {
            address: "203.0.113.77:6881".parse().unwrap(),
            reason: "cannot connect to 203.0.113.77:6881".to_owned(),
        },
    ];
    let now = Time::from_micros(1_000_000);
    for input in inputs {
        recorder.input(now, torrent, &input);
        torrent.handle(now, input);
    }
    torrent.end_turn(now);
    let mut tally = EffectTally::default();
    std::iter::from_fn(|| torrent.poll_effect()).for_each(|effect| tally.note(&effect));
    recorder.turn_ended(now, tally);
    let recording = recorder.recording(now, torrent).unwrap();
    assert_eq!(replay(&recording, "as it is"), 1);
    let redacted = redact(&recording).unwrap();
    assert_eq!(replay(&redacted, "redacted"), 1);
    assert!(!has(&recording, b"payload-payload"), "in neither");
    for secret in [
        &b"sesame"[..],
        b"0123456789abcdef0123",
        b"user:word",
        &[203, 0, 113, 77],
        b"203.0.113.77",
        &[198, 51, 100, 9],
    ] {
        assert!(has(&recording, secret), "{secret:?} is there to be hidden");
        assert!(!has(&redacted, secret), "{secret:?}");
    }
    assert!(has(&redacted, b"http://hidden4@host-00001.invalid/hidden1/announce?hidden2"));
}

#[test]
fn what_is_no_whole_recording_is_refused_by_name() {
    let (world, recorder, node) = begun();
    let recording = recorder.recording(Time::ZERO, world.engine(node).unwrap().torrent()).unwrap();
    let file = recording.to_bytes().unwrap();
    let mut changed = file.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(Recording::from_bytes(&changed), Err(FileError::Damaged));
    assert_eq!(Recording::from_bytes(&file[..file.len() - 1]), Err(FileError::Damaged));
    assert_eq!(Recording::from_bytes(b"d8:announce"), Err(FileError::NotOne));
    // 2 is of before what connections and totals count for reports.
    for format in [2, 9] {
        let mut other = file.clone();
        other[17] = format;
        let error = Recording::from_bytes(&other).unwrap_err();
        assert_eq!(error, FileError::Format(format));
        assert!(error.to_string().contains("use the program that made it"), "{error}");
    }
}

#[test]
fn a_torrent_without_a_turn_has_no_recording_and_says_so() {
    let (world, _, node) = begun();
    let torrent = world.engine(node).unwrap().torrent();
    assert_eq!(Recorder::default().recording(Time::ZERO, torrent), Err(NotRecorded::NotYet));
}
