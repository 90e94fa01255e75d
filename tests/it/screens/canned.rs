//! Snapshots to look at.

use std::net::SocketAddr;
use std::sync::Arc;

use unchoke::contract::*;
use unchoke::units::*;

/// The identity of the torrent with this number.
pub(super) fn id(number: u64) -> TorrentId {
    let mut bytes = [0xab; 20];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    TorrentId(bytes)
}

/// A torrent that does nothing yet.
pub(super) fn row(number: u64, name: &str, state: TorrentState) -> TorrentRow {
    TorrentRow {
        id: id(number),
        name: Untrusted::new(name),
        state,
        cause: None,
        order: DownloadOrder::default(),
        done_bytes: 0,
        wanted_bytes: 1 << 30,
        total_bytes: 1 << 30,
        down_bps: Rate(0),
        up_bps: Rate(0),
        downloaded_bytes: 0,
        uploaded_bytes: 0,
        peers: PeerCounts::default(),
        webseeds: WebseedCounts::default(),
        pieces: PieceCounts { total: 1024, ..PieceCounts::default() },
        requests_in_flight: 0,
        disk_queue_bytes: 0,
        wasted_bytes: 0,
        hash_failures: 0,
        listen_port: 51413,
        added_unix_s: 1_760_000_000 + number,
    }
}

/// Torrents in every state, with names of several kinds.
pub(super) fn library() -> Vec<TorrentRow> {
    let gib = 1u64 << 30;
    vec![
        TorrentRow {
            done_bytes: 3 * gib / 2,
            wanted_bytes: 4 * gib,
            total_bytes: 5 * gib,
            down_bps: Rate(12_900_000),
            up_bps: Rate(130_000),
            downloaded_bytes: 3 * gib / 2,
            uploaded_bytes: gib / 4,
            peers: PeerCounts {
                connected: 34,
                seeds: 12,
                half_open: 3,
                unchoked_us: 9,
                known: 180,
                banned: 0,
            },
            webseeds: WebseedCounts { active: 1, backing_off: 1 },
            pieces: PieceCounts {
                total: 1280,
                have: 384,
                wanted: 1024,
                requestable: 600,
                requested: 40,
                checking: 0,
                unknown: 0,
            },
            ..row(1, "debian-12.7.0-amd64-DVD-1.iso", TorrentState::Downloading)
        },
        TorrentRow {
            done_bytes: gib - 1,
            cause: Some(Untrusted::new("no_source")),
            peers: PeerCounts { connected: 2, seeds: 0, half_open: 0, unchoked_us: 0, known: 2, banned: 0 },
            ..row(
                2,
                "A very long name of a torrent that nobody would type by hand but somebody did [2024] (complete)",
                TorrentState::Downloading,
            )
        },
        TorrentRow {
            done_bytes: gib,
            up_bps: Rate(2_000_000),
            downloaded_bytes: gib,
            uploaded_bytes: 3 * gib,
            peers: PeerCounts { connected: 5, seeds: 0, half_open: 0, unchoked_us: 0, known: 9, banned: 0 },
            ..row(3, "archlinux-2026.11.01-x86_64.iso", TorrentState::Seeding)
        },
        TorrentRow {
            done_bytes: gib / 2,
            wanted_bytes: gib / 2,
            ..row(4, "日本語の長い名前のトレント", TorrentState::Finished)
        },
        TorrentRow { done_bytes: gib / 3, ..row(5, "paused one", TorrentState::Paused) },
        TorrentRow { done_bytes: gib / 8, ..row(6, "being checked", TorrentState::Checking) },
        TorrentRow {
            wanted_bytes: 0,
            total_bytes: 0,
            ..row(7, "magnet without metadata", TorrentState::Metadata)
        },
        TorrentRow {
            cause: Some(Untrusted::new(
                "cannot write to /srv/x: No space left on device; free some and press p",
            )),
            ..row(8, "out of luck", TorrentState::Error)
        },
    ]
}

/// A snapshot of these torrents.
pub(super) fn snapshot(rows: Vec<TorrentRow>) -> Snapshot {
    let down: u64 = rows.iter().map(|row| row.down_bps.0).sum();
    let up: u64 = rows.iter().map(|row| row.up_bps.0).sum();
    Snapshot {
        at: Time::from_micros(5_000_000),
        engine: EngineStatus {
            peer_id: String::new(),
            reserved: Default::default(),
            connections_max: 4000,
            listen_port: 51413,
            down_bps: Rate(down),
            up_bps: Rate(up),
            down_limit: None,
            up_limit: Some(Rate(2 << 20)),
            disk_queue_bytes: 0,
            disk_free_bytes: Some(123 << 30),
            save_dir: "/srv/torrents".into(),
            debug: false,
        },
        torrents: rows.into_iter().map(Arc::new).collect(),
        detail: None,
    }
}

/// The same, with the detail of the torrent in this place.
pub(super) fn with_detail(rows: Vec<TorrentRow>, place: usize) -> Snapshot {
    let mut snapshot = snapshot(rows);
    snapshot.detail = Some(Arc::new(detail(Arc::clone(&snapshot.torrents[place]))));
    snapshot
}

/// A detail with something in every tab.
pub(super) fn detail(row: Arc<TorrentRow>) -> TorrentDetail {
    TorrentDetail {
        row,
        piece_length: 4 << 20,
        save_dir: "/srv/torrents".into(),
        comment: None,
        private: false,
        files: files(),
        peers: peers(),
        trackers: trackers(),
        webseeds: webseeds(),
        runs: runs().into_iter().collect(),
        rarest_availability: Some(2),
        log: log(),
    }
}

pub(super) fn file(index: u32, path: &str, bytes: u64, done_bytes: u64, priority: Priority) -> FileRow {
    let pieces = Some((PieceIndex(index), PieceIndex(index + 1)));
    FileRow { index: FileIndex(index), path: Untrusted::new(path), bytes, done_bytes, priority, pieces }
}

fn files() -> Vec<FileRow> {
    let mib = 1u64 << 20;
    vec![
        file(0, "debian/pool/main/a.deb", 700 * mib, 700 * mib, Priority::Normal),
        file(1, "debian/pool/main/b.deb", 300 * mib, 20 * mib, Priority::High),
        file(3, "debian/pool/contrib/c.deb", 90 * mib, 0, Priority::Off),
        file(4, "debian/README", 4_000, 4_000, Priority::Low),
        file(
            5,
            "debian/a file with quite a long name that will not fit on narrow screens at all.iso",
            3_000 * mib,
            mib,
            Priority::Normal,
        ),
        file(6, "debian/empty", 0, 0, Priority::Normal),
    ]
}

fn peers() -> Vec<PeerRow> {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let fast = PeerFlags { fast: true, extended: true, ..PeerFlags::default() };
    let peer = |number: u64, address: SocketAddr, client: &str, flags: PeerFlags| PeerRow {
        connection: ConnectionId(number),
        address,
        client: Untrusted::new(client),
        source: PeerSource::Tracker,
        direction: Direction::Outgoing,
        flags,
        pieces_have: 1280,
        down_bps: Rate(0),
        up_bps: Rate(0),
        downloaded_bytes: 0,
        uploaded_bytes: 0,
        requests_out: 0,
        pipeline: 0,
        requests_in: 0,
        connected_s: 75 * number,
        last_message_s: number,
    };
    vec![
        PeerRow {
            down_bps: Rate(8_000_000),
            downloaded_bytes: 900 << 20,
            requests_out: 118,
            pipeline: 128,
            ..peer(
                1,
                address("192.0.2.17:6881"),
                "qBittorrent/5.1.0",
                PeerFlags { we_are_interested: true, seed: true, we_choke: true, ..fast },
            )
        },
        PeerRow {
            pieces_have: 640,
            up_bps: Rate(130_000),
            uploaded_bytes: 256 << 20,
            requests_in: 12,
            pipeline: 8,
            source: PeerSource::Incoming,
            direction: Direction::Incoming,
            ..peer(
                2,
                address("198.51.100.200:51413"),
                "Transmission 4.0.6",
                PeerFlags {
                    we_are_interested: true,
                    they_choke: true,
                    they_are_interested: true,
                    optimistic: true,
                    ..fast
                },
            )
        },
        PeerRow {
            pieces_have: 0,
            ..peer(
                3,
                address("[2001:db8:1234:5678:9abc:def0:1234:5678]:6881"),
                "-XX0001-",
                PeerFlags { snubbed: true, they_choke: true, we_choke: true, ..PeerFlags::default() },
            )
        },
    ]
}

fn trackers() -> Vec<TrackerRow> {
    let tracker = |tier: u32, url: &str, state: TrackerState| TrackerRow {
        url: Untrusted::new(url),
        tier,
        state,
        message: None,
        next_announce_s: Some(1_234),
        last_answer_s: Some(560),
        peers: 0,
        seeds: None,
        leeches: None,
        downloads: None,
    };
    vec![
        TrackerRow {
            peers: 50,
            seeds: Some(812),
            leeches: Some(34),
            ..tracker(0, "http://bttracker.debian.org:6969/announce", TrackerState::Working)
        },
        TrackerRow {
            message: Some(Untrusted::new("HTTP 503 from the tracker")),
            next_announce_s: Some(20),
            ..tracker(1, "udp://tracker.example.org:1337/announce", TrackerState::Failing)
        },
        TrackerRow { next_announce_s: None, ..tracker(2, "wss://tracker.example.org", TrackerState::Off) },
    ]
}

/// A webseed of which nothing is known yet.
pub(super) fn webseed(key: u32, url: &str, state: WebseedState) -> WebseedRow {
    WebseedRow {
        key: WebseedKey(key),
        url: Untrusted::new(url),
        kind: WebseedKind::UrlList,
        origin: WebseedOrigin::Torrent,
        state,
        retry_s: None,
        requests: Vec::new(),
        requests_max: 4,
        waiting_for_host: 0,
        down_bps: Rate(0),
        downloaded_bytes: 0,
        wasted_bytes: 0,
        last_status: None,
        last_error: None,
        latency_ms: None,
        protocol: None,
        connections: 0,
        failures: 0,
        files_lacking: 0,
    }
}

/// One in every state; the active one brings pieces 430 to 441 and is late with piece 625.
fn webseeds() -> Vec<WebseedRow> {
    use WebseedState::{Active, BackingOff, Banned, Disabled, Idle};
    let request = WebseedRequestRow {
        first: PieceIndex(430),
        last: PieceIndex(441),
        file: Some(FileIndex(1)),
        bytes: 48 << 20,
        received_bytes: 13 << 20,
        age_ms: 1_840,
        silent_ms: 12,
        status: Some(206),
        stalled: false,
    };
    let late = WebseedRequestRow {
        first: PieceIndex(625),
        last: PieceIndex(625),
        file: Some(FileIndex(5)),
        bytes: 4 << 20,
        received_bytes: 0,
        age_ms: 25_300,
        silent_ms: 25_300,
        status: None,
        stalled: true,
    };
    vec![
        WebseedRow {
            requests: vec![request, late],
            waiting_for_host: 1,
            down_bps: Rate(7_300_000),
            downloaded_bytes: 812 << 20,
            wasted_bytes: 3 << 20,
            last_status: Some(206),
            latency_ms: Some(85),
            protocol: Some("HTTP/1.1".to_owned()),
            connections: 2,
            ..webseed(0, "https://cdimage.debian.org/cdimage/release/12.7.0/amd64/iso-dvd/", Active)
        },
        WebseedRow {
            retry_s: Some(12),
            last_status: Some(503),
            last_error: Some(Untrusted::new(
                "HTTP 503 Service Unavailable; asked to wait 120 s (Retry-After) for debian/pool/main/b.deb",
            )),
            latency_ms: Some(1_204),
            protocol: Some("HTTP/2".to_owned()),
            failures: 3,
            ..webseed(1, "http://mirror.example.org/debian/", BackingOff)
        },
        WebseedRow {
            downloaded_bytes: 4 << 20,
            last_status: Some(206),
            origin: WebseedOrigin::Manual,
            ..webseed(2, "http://198.51.100.7:8080/files/", Disabled)
        },
        WebseedRow {
            wasted_bytes: 24 << 20,
            last_status: Some(200),
            last_error: Some(Untrusted::new("piece 18 failed its hash: all of it came from here")),
            failures: 1,
            files_lacking: 2,
            kind: WebseedKind::HttpSeed,
            ..webseed(3, "http://liar.example/\u{1b}[2J\u{1b}]0;owned\u{7}/x?…", Banned)
        },
        webseed(4, "https://idle.example.net/pub/", Idle),
    ]
}

pub(super) fn run(start: u32, length: u32, priority: Priority) -> PieceRun {
    PieceRun {
        start: PieceIndex(start),
        length,
        priority: priority.into(),
        have: false,
        partial: false,
        checking: false,
        unknown: false,
        unverified: false,
        requested: false,
        blocked: None,
    }
}

fn runs() -> Vec<PieceRun> {
    vec![
        PieceRun { have: true, ..run(0, 384, Priority::Normal) },
        PieceRun {
            requested: true,
            partial: true,
            blocked: Some(Blocked::AllRequested),
            ..run(384, 40, Priority::High)
        },
        run(424, 200, Priority::High),
        PieceRun { blocked: Some(Blocked::NoSource), ..run(624, 1, Priority::Normal) },
        run(625, 300, Priority::Normal),
        PieceRun { partial: true, ..run(925, 2, Priority::Normal) },
        PieceRun { checking: true, blocked: Some(Blocked::Checking), ..run(927, 40, Priority::Normal) },
        PieceRun { unknown: true, ..run(967, 33, Priority::Normal) },
        run(1000, 24, Priority::Low),
        run(1024, 256, Priority::Off),
    ]
}

fn log() -> Vec<LogLine> {
    let line = |second: u64, kind: EventKind| LogLine {
        unix_s: 1_760_000_000 + second,
        event: Event { at: Time::from_micros(second * 1_000_000), torrent: Some(id(1)), kind },
    };
    vec![
        line(0, EventKind::Added { name: Untrusted::new("debian-12.7.0-amd64-DVD-1.iso") }),
        line(
            1,
            EventKind::TrackerAnswered {
                url: Untrusted::new("http://bttracker.debian.org:6969/announce"),
                peers: 50,
                warning: None,
            },
        ),
        line(
            2,
            EventKind::PeerConnected {
                address: "192.0.2.17:6881".parse().unwrap(),
                client: Untrusted::new("qBittorrent/5.1.0"),
            },
        ),
        line(9, EventKind::PieceDone { piece: PieceIndex(17) }),
        line(12, EventKind::PieceFailed { piece: PieceIndex(18), contributors: 3 }),
        line(
            13,
            EventKind::TrackerFailed {
                url: Untrusted::new("udp://tracker.example.org:1337/announce"),
                error: Untrusted::new("HTTP 503 from the tracker"),
                retry_s: 20,
            },
        ),
        line(
            14,
            EventKind::DiskFailed {
                message: Untrusted::new(
                    "cannot write to /srv/x: No space left on device; free some and press p",
                ),
            },
        ),
    ]
}

/// What a source holds.
pub(super) fn preview() -> Answer {
    let files = files()
        .into_iter()
        .map(|file| FilePreview { index: file.index, path: file.path, bytes: file.bytes })
        .collect();
    Answer::Preview(Arc::new(TorrentPreview {
        torrent: id(99),
        name: Untrusted::new("debian"),
        total_bytes: 4_090 << 20,
        piece_length: 4 << 20,
        pieces: 1023,
        private: true,
        files,
    }))
}
