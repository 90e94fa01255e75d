//! What must not be in a file for others, in every place where it may come up.

use super::*;
use crate::codec::extension::Extension;
use crate::codec::tracker::{AnnounceAnswer, TrackerError};
use crate::contract::{Direction, PeerSource, WebseedAction};
use crate::engine::io::{NewConnection, TrackerKey};
use crate::units::PeerId;

const PASSKEY: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";

fn connected(connection: u64, address: &str, peer_id: &[u8; 20]) -> Input {
    Input::Connected(NewConnection {
        connection: ConnectionId(connection),
        address: address.parse().unwrap(),
        direction: Direction::Incoming,
        peer_id: PeerId(*peer_id),
        reserved: [0, 0, 0, 0, 0, 0x10, 0, 0],
    })
}

fn inputs() -> Vec<Input> {
    let trackers = [
        format!("http://Tracker.Example:8080/{PASSKEY}/announce"),
        "http://198.51.100.200/announce-me?passkey=letters".to_owned(),
        "udp://[2001:db8:77::5]:1337".to_owned(),
        "http://user:pass-word@b\u{fc}cher.example/a#frag".to_owned(),
        "http:///no-host".to_owned(),
    ];
    let pex = Bytes::from_static(b"d5:added6:\xcb\x00\x71\x4d\x1a\xe1e");
    let extended = |id, payload| Input::Messages {
        connection: ConnectionId(1),
        messages: vec![Message::Extended { id, payload }],
    };
    let failed = |reason: &str| Input::ConnectFailed {
        address: "203.0.113.77:6881".parse().unwrap(),
        reason: reason.to_owned(),
    };
    let answer = AnnounceAnswer {
        peers: vec!["[2001:db8:77::6]:6881".parse().unwrap()],
        external_address: Some("203.0.113.99".parse().unwrap()),
        ..AnnounceAnswer::default()
    };
    vec![
        Input::Command(TorrentCommand::AddTrackers(trackers.to_vec())),
        Input::Command(TorrentCommand::Webseed(WebseedAction::Add("https://Files.Example/get/f".to_owned()))),
        Input::Command(TorrentCommand::Webseed(WebseedAction::Add(
            "https://files.example./get/g".to_owned(),
        ))),
        Input::Command(TorrentCommand::Webseed(WebseedAction::Add("https://no^host/".to_owned()))),
        Input::PeersFound {
            source: PeerSource::Tracker,
            addresses: vec!["203.0.113.77:6881".parse().unwrap()],
        },
        connected(1, "198.51.100.9:6881", b"-TR2940-hiddentail01"),
        connected(2, "198.51.100.10:6881", b"readable-and-unusual"),
        extended(0, Bytes::from_static(b"d1:md6:ut_pexi1ee6:yourip4:\xcb\x00\x71\x63e")),
        extended(Extension::UtPex.our_id(), pex),
        failed("cannot connect to 203.0.113.77:6881 (via tracker.example)"),
        failed("[2001:db8:77::6]:6881: no route"),
        Input::Announced {
            tracker: TrackerKey(0),
            result: Err(TrackerError::Refused {
                reason: format!("passkey {PASSKEY} is unknown at tracker.example"),
                retry: None,
            }),
        },
        Input::Announced { tracker: TrackerKey(1), result: Ok(answer) },
    ]
}

fn record(inputs: Vec<Input>) -> Recording {
    let (mut world, mut recorder, node) = begun();
    let torrent = world.engine_mut(node).unwrap().torrent_mut();
    for (at, input) in (1u64..).zip(inputs) {
        let now = Time::from_micros(at * 1_000_000);
        recorder.input(now, torrent, &input);
        torrent.handle(now, input);
        torrent.end_turn(now);
        let mut tally = EffectTally::default();
        std::iter::from_fn(|| torrent.poll_effect()).for_each(|effect| tally.note(&effect));
        recorder.turn_ended(now, tally);
    }
    recorder.recording(Time::from_micros(60_000_000), torrent).unwrap()
}

#[test]
fn no_secret_and_no_address_comes_up_in_a_redacted_file_wherever_it_was() {
    let recording = record(inputs());
    assert_eq!(replay(&recording, "as it is"), 13);
    let redacted = redact(&recording).unwrap();
    assert_eq!(replay(&redacted, "redacted"), 13);
    let texts = [
        PASSKEY,
        "letters",
        "user:pass-word",
        "frag",
        "Tracker.Example",
        "tracker.example",
        "198.51.100.200",
        "2001:db8:77::5",
        "b\u{fc}cher",
        "Files.Example",
        "files.example",
        "203.0.113.77",
        "2001:db8:77::6",
        "hiddentail01",
        "and-unusual",
        "no^host",
    ];
    let bytes: [&[u8]; 6] = [
        &[203, 0, 113, 77],
        &[203, 0, 113, 99],
        &[198, 51, 100, 9],
        &[198, 51, 100, 10],
        &[0x20, 0x01, 0x0d, 0xb8, 0, 0x77],
        b"5:added",
    ];
    for secret in texts.iter().map(|text| text.as_bytes()).chain(bytes) {
        let text = String::from_utf8_lossy(secret);
        assert!(has(&recording, secret), "{text} is there to be hidden");
        assert!(!has(&redacted, secret), "{text}");
    }
    for kept in
        ["-TR2940-", "readable", ":8080/", ":1337", "/announce-hidden", "https://HOST-", "cannot connect to "]
    {
        let there = has(&redacted, kept.as_bytes()) || has(&redacted, kept.to_lowercase().as_bytes());
        assert!(there, "{kept} helps whoever looks at it");
    }
}

/// What others say, and the secret in it.
const SAID: [(&str, &str); 22] = [
    ("cannot resolve secret.tracker.example: no such host", "secret.tracker.example"),
    ("cannot resolve Secret.Tracker.Example.", "Secret.Tracker.Example"),
    ("the certificate is for *.tracker.example alone", "*.tracker.example"),
    ("no answer of cdn.secret.tracker.example", "secret.tracker.example"),
    ("host=-secret.tracker.example-", "secret.tracker.example"),
    ("cannot resolve xn--bcher-kva.example", "xn--bcher-kva"),
    ("cannot resolve B\u{dc}CHER.example", "B\u{dc}CHER"),
    ("Banned IP:203.0.113.9", "203.0.113.9"),
    ("failed:203.0.113.10:6881", "203.0.113.10"),
    ("203.0.113.11:banned", "203.0.113.11"),
    ("dead203.0.113.12beef", "203.0.113.12"),
    ("failed:[2001:db8:78::1]:6881", "2001:db8:78::1"),
    ("IP:2001:db8:78::2", "2001:db8:78::2"),
    ("2001:db8:78::3:banned", "2001:db8:78::3"),
    ("secret.tracker.example:2001:db8:78::4", "2001:db8:78::4"),
    ("::ffff:203.0.113.13:6881", "203.0.113.13"),
    ("203.0.113.14:http://x.example/", "203.0.113.14"),
    ("key=0123456789abcdef0123,http://x.example/", "0123456789abcdef0123"),
    ("secret.tracker.example,http://x.example/", "secret.tracker.example"),
    ("(key:AbC+d/ef==) is unknown", "AbC+d/ef=="),
    ("heard of 239.1.2.3", "239.1.2.3"),
    ("heard of 250.1.2.3", "250.1.2.3"),
];

#[test]
fn what_others_say_hides_what_urls_have_and_addresses_however_it_is_spelled_and_what_is_around() {
    let urls =
        ["http://SECRET.tracker.example/announce?key=AbC+d/ef==", "http://b\u{fc}cher.example/announce"];
    let told = SAID.map(|(reason, _)| Input::ConnectFailed {
        address: "10.1.1.1:6881".parse().unwrap(),
        reason: reason.to_owned(),
    });
    let urls = Input::Command(TorrentCommand::AddTrackers(urls.map(str::to_owned).to_vec()));
    let recording = record(std::iter::once(urls).chain(told).collect());
    let redacted = redact(&recording).unwrap();
    replay(&redacted, "redacted");
    let shown: Vec<String> = turns_of(&redacted).skip(1).collect();
    let found = SAID.iter().zip(&shown).filter(|((_, secret), shown)| shown.contains(secret));
    let found: Vec<_> = found.collect();
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(shown.len(), SAID.len());
    for (at, kept) in [
        (0, "cannot resolve host-00001.invalid: no such host"),
        (2, "the certificate is for *.above-host-00001.invalid alone"),
        (3, "no answer of below.host-00001.invalid"),
        (11, "failed:[2001:db8::3]:6881"),
        (20, "heard of 224.0.0.1"),
    ] {
        assert_eq!(shown[at], kept);
    }
}

/// The reason that the only input of each turn tells.
fn turns_of(recording: &Recording) -> impl Iterator<Item = String> {
    let mut replay = Replay::new(recording).unwrap();
    std::iter::from_fn(move || replay.turn().unwrap()).map(|turn| match turn.inputs.as_slice() {
        [Input::ConnectFailed { reason, .. }] => reason.clone(),
        _ => String::new(),
    })
}

#[test]
fn what_is_redacted_is_the_same_when_it_is_redacted_again() {
    let recording = scenario::run_recorded(3).unwrap().remove(1).unwrap();
    let once = redact(&recording).unwrap();
    assert_eq!(redact(&once).unwrap().end_state.len(), once.end_state.len());
    replay(&redact(&once).unwrap(), "twice");
}
