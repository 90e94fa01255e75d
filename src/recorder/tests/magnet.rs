//! A magnet until its metadata is here and after it was refused.

use sha1::{Digest, Sha1};

use super::*;
use crate::codec::extension::{Extension, ExtensionHandshake, HANDSHAKE_ID, MetadataMessage};
use crate::codec::handshake;
use crate::contract::{Direction, TorrentState};
use crate::engine::io::{Effect, NewConnection, ResumeRecord};
use crate::engine::metadata::{FetchSetup, MetadataFetch};
use crate::limits::BLOCK_BYTES;
use crate::metainfo::Magnet;
use crate::units::{InfoHashV1, PeerId};

const CONNECTION: ConnectionId = ConnectionId(1);

struct Swarm {
    fetch: MetadataFetch,
    recorder: Recorder,
    dictionary: Bytes,
    now: Time,
}

impl Swarm {
    fn new() -> Self {
        let dictionary: Bytes = (0..40_000u32).map(|at| (at % 251) as u8).collect();
        let magnet = Magnet {
            info_hash_v1: Some(InfoHashV1(Sha1::digest(&dictionary).into())),
            trackers: vec!["http://tracker.example/announce".to_owned()],
            peers: vec!["203.0.113.77:6881".parse().unwrap()],
            ..Magnet::default()
        };
        let setup = FetchSetup {
            trackers: vec![magnet.trackers.clone()],
            magnet,
            peer_id: PeerId(*b"-UK0100-abcdefghijkl"),
            listen_port: 6881,
            announce_key: 1,
            record: ResumeRecord::default(),
            seed: 7,
        };
        let fetch = MetadataFetch::new(Time::ZERO, setup);
        let mut recorder = Recorder::default();
        recorder.settle(Time::ZERO, &fetch);
        Self { fetch, recorder, dictionary, now: Time::ZERO }
    }

    /// A turn, a second later; what follows of its effects.
    fn turn(&mut self, inputs: Vec<Input>) -> Vec<Input> {
        self.now = self.now + std::time::Duration::from_secs(1);
        for input in inputs {
            self.recorder.input(self.now, &self.fetch, &input);
            self.fetch.handle(self.now, input);
        }
        self.fetch.end_turn(self.now);
        let mut tally = EffectTally::default();
        let mut answers = Vec::new();
        while let Some(effect) = self.fetch.poll_effect() {
            tally.note(&effect);
            answers.extend(self.answer(effect));
        }
        self.recorder.turn_ended(self.now, tally);
        if self.fetch.take_found().is_some() {
            self.recorder.driver(self.now, &DriverWord::Taken);
        }
        self.recorder.settle(self.now, &self.fetch);
        answers
    }

    fn answer(&self, effect: Effect) -> Option<Input> {
        let said = |id, payload| {
            let messages = vec![Message::Extended { id, payload }];
            Some(Input::Messages { connection: CONNECTION, messages })
        };
        match effect {
            Effect::Connect { address } => {
                let mut reserved = [0; 8];
                handshake::EXTENSION.set(&mut reserved);
                let peer_id = PeerId(*b"-TR2940-secretsecret");
                let (connection, direction) = (CONNECTION, Direction::Outgoing);
                Some(Input::Connected(NewConnection { connection, address, direction, peer_id, reserved }))
            }
            Effect::Send { message: Message::Extended { id: HANDSHAKE_ID, .. }, .. } => {
                let handshake = ExtensionHandshake {
                    ids: vec![(Extension::UtMetadata, 9)],
                    metadata_bytes: Some(self.dictionary.len() as u32),
                    your_address: Some("198.51.100.9".parse().unwrap()),
                    ..ExtensionHandshake::decode(b"de").unwrap()
                };
                said(HANDSHAKE_ID, handshake.encode())
            }
            Effect::Send { message: Message::Extended { id: 9, payload }, .. } => {
                let Ok(MetadataMessage::Request { piece }) = MetadataMessage::decode(&payload) else {
                    return None;
                };
                let begin = (piece * BLOCK_BYTES) as usize;
                let end = self.dictionary.len().min(begin + BLOCK_BYTES as usize);
                let (total_bytes, data) = (self.dictionary.len() as u32, self.dictionary.slice(begin..end));
                let data = MetadataMessage::Data { piece, total_bytes, data };
                said(Extension::UtMetadata.our_id(), data.encode().unwrap())
            }
            Effect::SaveResume { generation, .. } => Some(Input::ResumeSaved { generation, result: Ok(()) }),
            _ => None,
        }
    }
}

#[test]
fn a_magnet_is_recorded_from_before_its_first_turn_and_replays_as_it_was() {
    let mut swarm = Swarm::new();
    let mut inputs = Vec::new();
    for _ in 0..8 {
        inputs = swarm.turn(inputs);
    }
    assert_eq!(swarm.fetch.take_found(), None, "it was found and taken");
    swarm.recorder.driver(swarm.now, &DriverWord::Refused("http://tracker.example says no".to_owned()));
    swarm.fetch.refuse(swarm.now, "http://tracker.example says no");
    swarm.recorder.driver(swarm.now, &DriverWord::Wished);
    swarm.fetch.wishes_changed();
    swarm.turn(Vec::new());
    assert_eq!(swarm.fetch.state(), TorrentState::Error);

    let recording = swarm.recorder.recording(swarm.now, &swarm.fetch).unwrap();
    assert_eq!((recording.subject, recording.began), (Subject::Magnet, Time::ZERO));
    let words: Vec<DriverWord> = turns(&recording).into_iter().flat_map(|turn| turn.driver).collect();
    let refused = DriverWord::Refused("http://tracker.example says no".to_owned());
    assert_eq!(words, [DriverWord::Taken, refused, DriverWord::Wished]);
    assert_eq!(replay(&recording, "as it is"), 9);
    let redacted = redact(&recording).unwrap();
    assert_eq!(replay(&redacted, "redacted"), 9);
    for secret in [&b"tracker.example"[..], &[203, 0, 113, 77], b"secretsecret", &[198, 51, 100, 9]] {
        assert!(has(&recording, secret), "{secret:?} is there to be hidden");
        assert!(!has(&redacted, secret), "{secret:?}");
    }
}

fn turns(recording: &Recording) -> Vec<Turn> {
    let mut replay = Replay::new(recording).unwrap();
    std::iter::from_fn(|| replay.turn().unwrap()).collect()
}
