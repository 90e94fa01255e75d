//! Torrents of more than a million pieces.

use std::sync::Arc;

use super::*;
use crate::contract::Direction;
use crate::engine::io::NewConnection;
use crate::engine::torrent::{Policy, Setup, StartingPoint, Torrent, WhenComplete};
use crate::limits::RECORDED_STATE_BYTES_MAX;
use crate::units::PeerId;

fn torrent(pieces: usize) -> Torrent {
    let length = pieces * 16 * 1024;
    let mut info = format!("d6:lengthi{length}e4:name1:x12:piece lengthi16384e6:pieces{}:", pieces * 20);
    info.extend(std::iter::repeat_n('h', pieces * 20));
    info.push('e');
    let info = crate::metainfo::parse_info(info.into_bytes().into()).unwrap();
    let setup = Setup {
        info: Arc::new(info),
        trackers: Vec::new(),
        webseeds: Vec::new(),
        peer_id: PeerId([1; 20]),
        listen_port: 6881,
        announce_key: 1,
        start: StartingPoint::default(),
        policy: Policy::default(),
        when_complete: WhenComplete::Seed,
        seed: 1,
    };
    Torrent::new(Time::ZERO, setup)
}

fn turn(recorder: &mut Recorder, torrent: &mut Torrent, now: Time, input: Input) {
    recorder.input(now, torrent, &input);
    assert!(recorder.bytes() <= RECORDING_BYTES_MAX, "{} bytes", recorder.bytes());
    torrent.handle(now, input);
    torrent.end_turn(now);
    let mut tally = EffectTally::default();
    std::iter::from_fn(|| torrent.poll_effect()).for_each(|effect| tally.note(&effect));
    recorder.turn_ended(now, tally);
    recorder.settle(now, torrent);
    assert!(recorder.bytes() <= RECORDING_BYTES_MAX, "{} bytes", recorder.bytes());
}

#[test]
fn a_torrent_of_1_2_million_pieces_is_recorded_and_replayed() {
    let count = 1_200_000;
    let mut torrent = torrent(count);
    let mut recorder = Recorder::default();
    recorder.settle(Time::ZERO, &torrent);
    assert!(recorder.bytes() > count, "{} bytes: it is recorded from the beginning", recorder.bytes());
    let mut rng = fastrand::Rng::with_seed(1);
    for peer in 0..3u8 {
        let now = Time::from_micros(u64::from(peer + 1) * 1_000_000);
        let connection = ConnectionId(peer.into());
        let mut peer_id = [b'p'; 20];
        peer_id[19] = peer;
        let new = NewConnection {
            connection,
            address: format!("10.0.0.{peer}:6881").parse().unwrap(),
            direction: Direction::Outgoing,
            peer_id: PeerId(peer_id),
            reserved: [0; 8],
        };
        turn(&mut recorder, &mut torrent, now, Input::Connected(new));
        let bits: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(count / 8).collect();
        let messages = vec![Message::Bitfield(bits.into()), Message::Unchoke];
        turn(&mut recorder, &mut torrent, now, Input::Messages { connection, messages });
    }
    let now = Time::from_micros(5_000_000);
    let recording = recorder.recording(now, &torrent).unwrap();
    let state = recording.end_state.len();
    assert!(state <= RECORDED_STATE_BYTES_MAX, "{state} bytes with three peers");
    assert_eq!((recording.began, recording.parts.len()), (Time::ZERO, 1));
    assert_eq!(replay(&recording, "large"), 6);
    let file = recording.to_bytes().unwrap();
    assert_eq!(Recording::from_bytes(&file).as_ref(), Ok(&recording));
}
