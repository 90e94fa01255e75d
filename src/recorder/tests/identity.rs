//! What the engine makes of what is not hidden: the same in the redacted recording and in its replay, whatever it looks like.

use std::sync::Arc;

use super::*;
use crate::codec::extension::HANDSHAKE_ID;
use crate::contract::{Direction, Untrusted, WebseedKind, WebseedOrigin};
use crate::engine::NamedWebseed;
use crate::engine::io::{Effect, FetchError, FetchErrorKind, HostAsk, HostNews, NewConnection};
use crate::engine::torrent::{Policy, Setup, StartingPoint, Torrent, WhenComplete};

use crate::units::{FileIndex, PeerId};

const FILE: &str = "ubuntu-22-04-desktop-amd64-image.iso";

fn torrent() -> Torrent {
    let hashes = "h".repeat(80);
    let info =
        format!("d6:lengthi65536e4:name{}:{FILE}12:piece lengthi16384e6:pieces80:{hashes}e", FILE.len());
    let webseed = |url: &str| NamedWebseed {
        url: url.to_owned(),
        kind: WebseedKind::UrlList,
        origin: WebseedOrigin::Torrent,
    };
    let setup = Setup {
        info: Arc::new(crate::metainfo::parse_info(info.into_bytes().into()).unwrap()),
        trackers: Vec::new(),
        webseeds: vec![webseed("http://Files.Example/"), webseed("http://[2001:db8:77::5]:8080/")],
        peer_id: PeerId(*b"-UK0100-abcdefghijkl"),
        listen_port: 6881,
        announce_key: 1,
        start: StartingPoint::default(),
        policy: Policy::default(),
        when_complete: WhenComplete::Seed,
        seed: 1,
    };
    Torrent::new(Time::ZERO, setup)
}

struct Recorded {
    torrent: Torrent,
    recorder: Recorder,
    now: Time,
}

impl Recorded {
    fn new() -> Self {
        let (torrent, mut recorder, now) = (torrent(), Recorder::default(), Time::ZERO);
        recorder.settle(now, &torrent);
        Self { torrent, recorder, now }
    }

    /// A turn, a second later.
    fn turn(&mut self, inputs: Vec<Input>) -> Vec<Effect> {
        self.now = self.now + std::time::Duration::from_secs(1);
        for input in inputs {
            self.recorder.input(self.now, &self.torrent, &input);
            self.torrent.handle(self.now, input);
        }
        self.torrent.end_turn(self.now);
        let effects: Vec<Effect> = std::iter::from_fn(|| self.torrent.poll_effect()).collect();
        let mut tally = EffectTally::default();
        effects.iter().for_each(|effect| tally.note(effect));
        self.recorder.turn_ended(self.now, tally);
        self.recorder.settle(self.now, &self.torrent);
        effects
    }

    /// Both replay to their end; gives the redacted one.
    fn replayed(&self) -> Recording {
        let recording = self.recorder.recording(self.now, &self.torrent).unwrap();
        replay(&recording, "as it is");
        let redacted = redact(&recording).unwrap();
        replay(&redacted, "redacted");
        redacted
    }
}

/// Connects clients of these peer ids that say these names, if any.
fn connect(recorded: &mut Recorded, clients: &[(&[u8; 20], Option<&[u8]>)]) {
    for (at, (peer_id, name)) in (1u8..).zip(clients) {
        let connection = ConnectionId(at.into());
        let mut inputs = vec![Input::Connected(NewConnection {
            connection,
            address: format!("203.0.113.{at}:6881").parse().unwrap(),
            direction: Direction::Incoming,
            peer_id: PeerId(**peer_id),
            reserved: [0, 0, 0, 0, 0, 0x10, 0, 0],
        })];
        if let Some(name) = name {
            let payload = [format!("d1:v{}:", name.len()).as_bytes(), name, b"e"].concat().into();
            let messages = vec![Message::Extended { id: HANDSHAKE_ID, payload }];
            inputs.push(Input::Messages { connection, messages });
        }
        recorded.turn(inputs);
    }
}

#[test]
fn clients_whose_names_look_like_addresses_and_secrets_are_called_the_same_in_a_replay() {
    for clients in [
        &[(b"-UT355W-hiddentail01", None)][..],
        &[(b"-TR2940-hiddentail01", Some(&b"x/4.6.3.10"[..]))],
        &[(b"-TR2940-hiddentail01", Some(b"SomeClient-with-v12345"))],
        // What a peer id that names no client says is hidden, wherever it is said.
        &[(b"readable-and-unusual", None), (b"-TR2940-hiddentail01", Some(b"readable-and-unusual"))],
        &[(b"readable1\x01ddentail01", None), (b"readable1\x02ddentail01", None)],
        &[(b"M123-123-123-tail-01", None)],
        // Each byte takes three as text.
        &[(b"-TR2940-hiddentail01", Some(&[0xff; 64]))],
    ] {
        let mut recorded = Recorded::new();
        connect(&mut recorded, clients);
        let redacted = recorded.replayed();
        assert!(!has(&redacted, b"ddentail01") && !has(&redacted, b"and-unusual"), "{clients:?}");
        if let (_, Some(name)) = clients[0] {
            let kept = Untrusted::from_bytes(&name[..name.len().min(60)]).raw().as_bytes()[..10].to_vec();
            assert!(has(&redacted, &kept), "{clients:?}");
        }
    }
}

#[test]
fn what_went_wrong_with_a_file_of_a_webseed_is_the_same_in_a_replay_however_the_file_is_called() {
    for kind in [FetchErrorKind::Trouble, FetchErrorKind::Forbidden, FetchErrorKind::NotThere] {
        let mut recorded = Recorded::new();
        let (mut inputs, mut failed) = (Vec::new(), 0);
        for _ in 0..6 {
            let effects = recorded.turn(std::mem::take(&mut inputs));
            inputs.extend(effects.into_iter().filter_map(|effect| match effect {
                Effect::Host { host, ask: HostAsk::Want(count) } if count > 0 => {
                    Some(Input::Host { host, news: HostNews::Places(count) })
                }
                Effect::Fetch(fetch) => {
                    failed += 1;
                    let message = format!("files.example does not give {FILE} to 203.0.113.9");
                    let error = FetchError {
                        kind,
                        file: Some(FileIndex(0)),
                        status: Some(500),
                        retry_after_s: None,
                        message: Untrusted::new(message),
                    };
                    Some(Input::FetchEnded { fetch: fetch.id, result: Err(error) })
                }
                Effect::SaveResume { generation, .. } => {
                    Some(Input::ResumeSaved { generation, result: Ok(()) })
                }
                _ => None,
            }));
        }
        assert!(failed >= 2, "{failed} fetches");
        let redacted = recorded.replayed();
        assert!(has(&redacted, format!("{FILE}: host-").as_bytes()), "{kind:?}");
        for secret in [&b"iles.Example"[..], b"iles.example", b"203.0.113.9"] {
            assert!(!has(&redacted, secret), "{kind:?}: {}", String::from_utf8_lossy(secret));
        }
    }
}
