use std::path::PathBuf;

use super::*;
use crate::contract::{
    Direction, PeerFlags, PeerRow, PeerSource, PeerVitals, PieceCounts, TorrentState, Untrusted,
};
use crate::units::{ConnectionId, PieceIndex, Time, TorrentId};

fn row() -> TorrentRow {
    TorrentRow {
        id: TorrentId([1; 20]),
        name: Untrusted::new("debian.iso"),
        state: TorrentState::Downloading,
        cause: None,
        order: DownloadOrder::default(),
        done_bytes: 1,
        wanted_bytes: 4,
        total_bytes: 4,
        down_bps: Rate(0),
        up_bps: Rate(0),
        downloaded_bytes: 0,
        uploaded_bytes: 0,
        peers: crate::contract::PeerCounts { banned: 2, connected: 4, half_open: 3, ..Default::default() },
        webseeds: crate::contract::WebseedCounts::default(),
        pieces: PieceCounts { total: 672, have: 31, ..PieceCounts::default() },
        requests_in_flight: 0,
        disk_queue_bytes: 0,
        wasted_bytes: 0,
        hash_failures: 3,
        listen_port: 1,
        added_unix_s: 0,
    }
}

fn peer() -> PeerRow {
    PeerRow {
        connection: ConnectionId(7),
        address: ([198, 51, 100, 7], 51413).into(),
        client: Untrusted::new("Transmission 4.0.0"),
        source: PeerSource::Tracker,
        direction: Direction::Outgoing,
        flags: PeerFlags { we_are_interested: true, they_choke: true, ..PeerFlags::default() },
        pieces_have: 650,
        down_bps: Rate(0),
        up_bps: Rate(0),
        downloaded_bytes: 0,
        uploaded_bytes: 0,
        requests_out: 12,
        pipeline: 24,
        requests_in: 3,
        connected_s: 664,
        last_message_s: 1,
    }
}

fn vitals() -> PeerVitals {
    PeerVitals {
        connection: ConnectionId(7),
        peer_id: Untrusted::new("-TR4000-\\x00\u{1b}"),
        reserved: ReservedBits { bits: 0x10_0005, names: vec!["ltep".to_owned(), "dht".to_owned()] },
        extensions: vec![("ut_metadata".to_owned(), 3), ("ut_pex".to_owned(), 1)],
        requests_max: 250,
        given_up: 1,
        interested_s: 600,
        expecting_s: 10,
        last_useful_s: Some(5),
        blocks_in: 41,
        blocks_useful: 40,
        blocks_out: 6,
        pieces_touched: 3,
        requested: vec![(PieceIndex(17), 4), (PieceIndex(18), 8)],
    }
}

fn told(vitals: TorrentVitals) -> String {
    let inside = TorrentInside {
        piece_length: 262_144,
        save_dir: PathBuf::from("/srv"),
        private: false,
        log_events: 0,
        failures: Vec::new(),
        files: 1,
        piece_states: "31C 641.".to_owned(),
        blocked: Vec::new(),
        rarest_availability: Some(1),
        trackers: Vec::new(),
        webseeds: Vec::new(),
        peers: vec![peer()],
        vitals,
    };
    let owner = OwnerSays::Inside(Box::new(inside));
    let engine = crate::contract::EngineStatus {
        connections_max: 4000,
        peer_id: "-UK00010-abcdefghijk".to_owned(),
        reserved: ReservedBits { bits: 0x10_0004, names: vec!["ltep".to_owned(), "fast".to_owned()] },
        ..Default::default()
    };
    status(&StatusReport {
        at: Time::ZERO,
        engine,
        control_silent_ms: None,
        stuck: Vec::new(),
        owners: Vec::new(),
        torrents: vec![TorrentReport { row: row().into(), owner }],
    })
}

/// Every line the old engine's `WriteStatus` had, of those that say something of what this engine does.
#[test]
fn it_has_what_operators_knew_from_the_engine_before() {
    let text = told(TorrentVitals {
        info_hash_v2: Some("ab".repeat(32)),
        announce_key: 0x66e7_272d,
        metadata_bytes: Some(13_571),
        metadata_have_bytes: 13_571,
        order_length: 640,
        availability: vec![(1, 12), (5, 660)],
        readers: vec![(PieceIndex(0), PieceIndex(9))],
        next_deadline: Some(("a tracker".to_owned(), 12_000)),
        webseed_pieces: Vec::new(),
        peers: vec![vitals()],
    });
    for line in [
        "Peer ID: \"-UK00010-abcdefghijk\"",
        "Extension bits: 0000000000100004 (ltep, fast)",
        "Connections: 7 of 4000",
        "Banned IPs: 2, each torrent's own counted",
        &format!("Infohash v2: {}", "ab".repeat(32)),
        "Metadata length: 13571",
        "Announce key: 66e7272d",
        "Transfer: 0 B/s down, 0 B/s up, 0 bytes down, 0 bytes up, 0 wasted, 3 pieces failed their hash",
        "Piece request order length: 640",
        "Piece length: 262144 (16 chunks)",
        "Piece States: 31C 641.",
        "Piece availability frequency: 1: 12, 5: 660",
        "Reader Pieces: 0:10",
        "- 198.51.100.7:51413 (Outgoing, Tracker)",
        "  peer id: \"-TR4000-\\x00␛\"",
        "  extensions: 0000000000100005 (ltep, dht)",
        "  ltep extensions: ut_metadata:3 ut_pex:1",
        "  reqq: 12+1/(24/250):3/2000, flags: i:c",
        "  last msg: 1s ago, connected: 664s ago, 650/672 completed",
        "  last helpful: 5s ago, itime: 600s, etime: 10s, chunks uploaded: 6",
        "  requested pieces: 17(4) 18(8)",
        "  3 pieces touched, good chunks: 40/41, dr: 65536 B/s",
        "timer next: 12000 ms, for a tracker",
    ] {
        assert!(text.lines().any(|told| told == line), "{line}: {text}");
    }
}

#[test]
fn what_is_long_ends_at_a_bound_and_what_is_not_known_says_so() {
    let many: Vec<_> = (0..100).map(|piece| (PieceIndex(piece), 1)).collect();
    let text = told(TorrentVitals {
        availability: (0..100).map(|peers| (peers, 2)).collect(),
        metadata_bytes: Some(100),
        metadata_have_bytes: 16,
        peers: vec![PeerVitals { requested: many, last_useful_s: None, ..vitals() }],
        ..TorrentVitals::default()
    });
    assert!(text.contains(", 63: 2, 64 and more: 72\n"), "{text}");
    assert!(text.contains(" 31(1) and more\n"), "{text}");
    assert!(text.contains("  last helpful: never,"), "{text}");
    assert!(text.contains("Metadata length: 100, as a peer claims; 16 bytes of it here\n"), "{text}");
    let text = told(TorrentVitals::default());
    assert!(text.contains("Metadata length: not known yet\n"), "{text}");
    assert!(text.contains("  reqq: 12+?/(24/?):3/2000"), "{text}");
}
