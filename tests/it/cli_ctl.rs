//! `unchoke ctl` against an engine that answers from a fixed list: what programs get, and what reaches the engine.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use unchoke::contract::{
    Answer, Command, DownloadOrder, EngineStatus, FileBytes, FileRow, PeerCounts, PieceCounts, PieceLevel,
    PieceRun, Priority, Refusal, TorrentDetail, TorrentRow, TorrentState, Untrusted, WebseedCounts,
    WebseedKind, WebseedOrigin, WebseedRequestRow, WebseedRow, WebseedState,
};
use unchoke::inspect;
use unchoke::session::remote::{Server, serve};
use unchoke::session::{EngineEnds, Handle};
use unchoke::units::{FileIndex, PieceIndex, Rate, Time, TorrentId, WebseedKey};

use crate::real::unchoke::run;

/// The bytes of the only file that can be read.
const CONTENT: &[u8; 10] = b"\0\x1b[2J\xff\n6\r9";

/// A call on loopback ends long before this.
const CALL_MAX: Duration = Duration::from_secs(30);

/// An engine with two torrents whose info-hashes begin alike, serving on a state folder of its own.
struct Engine {
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    _server: Server,
    told: inspect::Receiver<Command>,
}

impl Engine {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let (handle, ends) = Handle::new(7);
        let (telling, told) = inspect::channel("commands that change something", 16);
        let guard = runtime.enter();
        inspect::spawn("engine of the test", answer(ends, telling)).detach();
        let server = serve(folder.path(), handle).unwrap();
        drop(guard);
        Self { folder, runtime, _server: server, told }
    }

    fn ctl(&self, words: &str) -> Output {
        ctl(self.folder.path(), words)
    }

    fn json(&self, words: &str) -> Value {
        let output = self.ctl(&format!("--json {words}"));
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refusal(&self, words: &str) -> String {
        let output = self.ctl(words);
        assert_eq!(output.status.code(), Some(1), "{words}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The next command that reached the engine and would change something.
    fn told(&mut self) -> Value {
        let command = self.runtime.block_on(self.told.recv()).unwrap();
        serde_json::to_value(command).unwrap()
    }
}

fn ctl(state_dir: &Path, words: &str) -> Output {
    let state_dir_text = state_dir.to_string_lossy();
    let mut arguments = vec!["ctl", "--state-dir", &state_dir_text];
    arguments.extend(words.split_whitespace());
    run(&state_dir.join("home"), &arguments, CALL_MAX)
}

async fn answer(mut ends: EngineEnds, telling: inspect::Sender<Command>) {
    while let Some(request) = ends.requests.recv().await {
        let answer = match request.command {
            Command::Status => {
                let engine = EngineStatus { down_limit: Some(Rate(500)), ..EngineStatus::default() };
                Ok(Answer::Status { at: Time::from_micros(1_500_000), engine })
            }
            Command::List => Ok(Answer::List(vec![row(0xa1), row(0xa2)])),
            Command::Detail(_) => Ok(Answer::Detail(Arc::new(detail()))),
            Command::Recheck(_) => Err(Refusal::new("it is being checked already")),
            Command::Read { file: FileIndex(2), .. } => {
                let late = async move {
                    tokio::time::sleep(Duration::from_secs(3)).await;
                    request.reply.send(Ok(Answer::Bytes(FileBytes(CONTENT[..].into()))));
                };
                inspect::spawn("a read that waits", late).detach();
                continue;
            }
            Command::Read { file: FileIndex(1), offset, bytes_max, .. } => {
                // Pieces end at 4 and 8: no answer goes across.
                let end = (offset / 4 * 4 + 4).min(offset + u64::from(bytes_max)).min(10);
                let range = usize::try_from(offset).unwrap()..usize::try_from(end).unwrap();
                Ok(Answer::Bytes(FileBytes(CONTENT[range].to_vec().into())))
            }
            command => {
                telling.send(command).await.unwrap();
                Ok(Answer::Done)
            }
        };
        request.reply.send(answer);
    }
}

fn row(last_byte: u8) -> Arc<TorrentRow> {
    let mut id = [0xab; 20];
    id[19] = last_byte;
    Arc::new(TorrentRow {
        id: TorrentId(id),
        name: Untrusted::new("a\u{1b}[2Jb"),
        state: TorrentState::Downloading,
        cause: None,
        order: DownloadOrder::default(),
        done_bytes: 10,
        wanted_bytes: 20,
        total_bytes: 30,
        down_bps: Rate(0),
        up_bps: Rate(0),
        downloaded_bytes: 0,
        uploaded_bytes: 0,
        peers: PeerCounts::default(),
        webseeds: WebseedCounts::default(),
        pieces: PieceCounts::default(),
        requests_in_flight: 0,
        disk_queue_bytes: 0,
        wasted_bytes: 0,
        hash_failures: 0,
        listen_port: 7,
        added_unix_s: 0,
    })
}

fn detail() -> TorrentDetail {
    let file = |index, path: &str| FileRow {
        index: FileIndex(index),
        path: Untrusted::new(path),
        bytes: 10,
        done_bytes: 5,
        priority: Priority::Normal,
        pieces: Some((PieceIndex(index), PieceIndex(index + 1))),
    };
    TorrentDetail {
        row: row(0xa1),
        piece_length: 16384,
        save_dir: "/data".into(),
        comment: None,
        private: false,
        files: vec![file(0, "t/a.bin"), file(1, "t/b.bin"), file(2, "t/sub/c.nfo")],
        peers: Vec::new(),
        trackers: Vec::new(),
        webseeds: vec![
            webseed(0, "https://w.example/a/"),
            webseed(1, "https://v.example/\u{1b}[2J"),
            webseed(2, "https://u.example/f?…"),
            webseed(3, "https://u.example/f?…"),
        ],
        runs: [PieceRun {
            start: PieceIndex(0),
            length: 4,
            priority: PieceLevel::Normal,
            have: false,
            partial: false,
            checking: false,
            unknown: false,
            unverified: false,
            requested: false,
            blocked: None,
        }]
        .into_iter()
        .collect(),
        rarest_availability: None,
        log: Vec::new(),
    }
}

fn webseed(key: u32, url: &str) -> WebseedRow {
    WebseedRow {
        key: WebseedKey(key),
        url: Untrusted::new(url),
        kind: WebseedKind::UrlList,
        origin: WebseedOrigin::Torrent,
        state: WebseedState::BackingOff,
        retry_s: Some(12),
        requests: vec![WebseedRequestRow {
            first: PieceIndex(1),
            last: PieceIndex(2),
            file: Some(FileIndex(1)),
            bytes: 20,
            received_bytes: 5,
            age_ms: 1_500,
            silent_ms: 70,
            status: Some(206),
            stalled: false,
        }],
        requests_max: 4,
        waiting_for_host: 1,
        down_bps: Rate(2_048),
        downloaded_bytes: 4_096,
        wasted_bytes: 7,
        last_status: Some(503),
        last_error: Some(Untrusted::new("HTTP 503\u{1b}")),
        latency_ms: Some(85),
        protocol: Some("HTTP/1.1".to_owned()),
        connections: 1,
        failures: 3,
        files_lacking: 2,
    }
}

fn first() -> String {
    row(0xa1).id.to_string()
}

#[test]
fn programs_get_the_stable_keys() {
    let engine = Engine::start();
    let list = engine.json("list");
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!((&list[0]["id"], &list[0]["t_s"]), (&json!(first()), &json!(1.5)));
    let files = engine.json(&format!("files {}", first()));
    let expected = json!({"index": 1, "path": "t/b.bin", "bytes": 10, "done_bytes": 5, "priority": "normal",
                          "pieces": [1, 2]});
    assert_eq!(files[1], expected);
    let runs = engine.json(&format!("pieces {}", first()));
    let expected = json!([{"start": 0, "length": 4, "priority": "normal", "have": false, "partial": false,
                           "checking": false, "unknown": false, "unverified": false, "requested": false,
                           "blocked": null}]);
    assert_eq!(runs, expected);
    assert_eq!(engine.json(&format!("peers {}", first())), json!([]));
    assert_eq!(engine.json(&format!("trackers {}", first())), json!([]));
}

#[test]
fn programs_get_the_stable_keys_of_webseeds() {
    let engine = Engine::start();
    let webseeds = engine.json(&format!("webseeds {}", first()));
    let request = json!({"first": 1, "last": 2, "file": 1, "bytes": 20, "received_bytes": 5, "age_ms": 1500,
                         "silent_ms": 70, "status": 206, "stalled": false});
    let expected = json!({"key": 0, "url": "https://w.example/a/", "kind": "url_list", "origin": "torrent",
                          "state": "backing_off", "retry_s": 12, "requests": [request], "requests_max": 4,
                          "waiting_for_host": 1, "down_bps": 2048, "downloaded_bytes": 4096, "wasted_bytes": 7,
                          "last_status": 503, "last_error": "HTTP 503\u{1b}", "latency_ms": 85,
                          "protocol": "HTTP/1.1", "connections": 1, "failures": 3, "files_lacking": 2});
    assert_eq!(webseeds[0], expected);
    let text = String::from_utf8(engine.ctl(&format!("webseeds {}", first())).stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("KEY  STATE") && lines.len() == 5, "{text}");
    let expected =
        "0    again in 12s  1/4 +1    2.00 KiB/s  4.00 KiB  7 B     503     85ms     https://w.example/a/";
    assert!(lines[1].starts_with(expected) && lines[1].ends_with("HTTP 503␛"), "{text}");
    assert!(lines[2].contains("https://v.example/␛[2J") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_webseed_is_named_by_its_number_or_its_url() {
    let mut engine = Engine::start();
    for (words, action) in [
        ("add http://new.example/", json!({"add": "http://new.example/"})),
        ("remove 1", json!({"remove": 1})),
        ("retry https://w.example/a/", json!({"retry": 0})),
        ("disable 2", json!({"disable": 2})),
        ("enable 2", json!({"enable": 2})),
        ("limit https://w.example/a/ 8", json!({"limit": [0, 8]})),
    ] {
        let id = first();
        assert_eq!(engine.json(&format!("webseed {id} {words}")), json!({"id": id}), "{words}");
        assert_eq!(engine.told(), json!({"webseed": {"torrent": id, "action": action}}), "{words}");
    }
    let output = engine.ctl(&format!("webseed {} disable 0", first()));
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told, "a␛[2Jb: Webseed disabled: nothing is asked of it.\n");
}

#[test]
fn a_webseed_that_is_not_meant_is_left_alone() {
    let mut engine = Engine::start();
    let refused = |words: &str| engine.refusal(&format!("webseed {} {words}", first()));
    assert!(refused("remove 9").contains("no webseed has the number 9: `unchoke ctl webseeds`"));
    assert!(refused("retry http://x.example/").contains("no webseed has the URL 'http://x.example/'"));
    // With their secrets they may be two; shown they are one.
    assert!(refused("disable https://u.example/f?key=7").contains("2 webseeds are shown as"));
    for (words, named) in [
        (format!("webseed {} add ftp://w.example/", first()), "webseed add ftp://w.example/: give a URL"),
        ("add a.torrent --webseed w.example".to_owned(), "--webseed w.example: give a URL"),
    ] {
        let output = engine.ctl(&words);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && error.contains(named), "{words}: {error}");
    }
    engine.json(&format!("webseed {} retry 3", first()));
    let expected = json!({"webseed": {"torrent": first(), "action": {"retry": 3}}});
    assert_eq!(engine.told(), expected, "the ones before it reached nobody");
}

#[test]
fn a_torrent_is_added_with_further_webseeds() {
    let mut engine = Engine::start();
    let magnet = format!("magnet:?xt=urn:btih:{}", "ab".repeat(20));
    engine.ctl(&format!("add {magnet} --webseed http://w.example/ --webseed https://v.example/"));
    let told = engine.told();
    assert_eq!(told["add"]["webseeds"], json!(["http://w.example/", "https://v.example/"]));
}

#[test]
fn people_never_see_what_acts_on_their_terminal() {
    let engine = Engine::start();
    let output = engine.ctl("list");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("a␛[2Jb") && !text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn people_are_told_what_has_taken_effect() {
    let engine = Engine::start();
    for (words, told) in [
        (format!("pause {}", first()), "Paused."),
        (format!("remove {} --data", first()), "Removed with its data."),
        (format!("priority {} 0 off", first()), "Priority set."),
    ] {
        let output = engine.ctl(&words);
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("a␛[2Jb: {told}\n"), "{words}");
    }
}

#[test]
fn several_levels_reach_the_engine_as_one_change() {
    let mut engine = Engine::start();
    engine.json(&format!("priority {} ** off t/a.bin 2 high", first()));
    let changes = json!([{"files": {"indices": [0, 1, 2]}, "level": "off"},
                         {"files": {"indices": [0, 2]}, "level": "high"}]);
    let expected = json!({"set_priority": {"torrent": first(), "changes": changes}});
    assert_eq!(engine.told(), expected);
}

#[test]
fn a_prefix_must_fit_one_torrent_and_a_wrong_one_changes_nothing() {
    let mut engine = Engine::start();
    assert!(engine.refusal("pause abab").contains("2 torrents"));
    assert!(engine.refusal(&format!("pause {} ffff", first())).contains("'ffff'"));
    engine.json(&format!("remove --data {}", first().to_uppercase()));
    let expected = json!({"remove": {"torrent": first(), "data": "delete"}});
    assert_eq!(engine.told(), expected, "the pauses before it reached nobody");
}

#[test]
fn one_limit_is_set_and_the_other_kept() {
    let mut engine = Engine::start();
    assert_eq!(engine.json("limit"), json!({"down_bps": 500, "up_bps": null}));
    assert_eq!(engine.json("limit --up 2k"), json!({"down_bps": 500, "up_bps": 2000}));
    assert_eq!(engine.told(), json!({"set_limits": {"down": 500, "up": 2000}}));
}

#[test]
fn a_part_of_the_order_is_set_and_what_is_in_force_printed() {
    let mut engine = Engine::start();
    let of =
        |sequential, first_last| json!({"id": first(), "sequential": sequential, "first_last": first_last});
    assert_eq!(engine.json(&format!("order {}", first())), of(false, false));
    assert_eq!(engine.json(&format!("order {} --sequential on", first())), of(true, false));
    let change = json!({"sequence": "in_order", "first_last": null});
    assert_eq!(engine.told(), json!({"set_order": {"torrent": first(), "order": change}}));
    let output = engine.ctl(&format!("order {} --first-last on", first()));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, "sequential  off\nfirst-last  on\n");
}

#[test]
fn bytes_of_a_file_are_written_as_they_are() {
    let engine = Engine::start();
    for (options, range) in
        [("", 0..10), ("--offset 3", 3..10), ("--offset 3 --length 4", 3..7), ("--offset 10", 10..10)]
    {
        let output = engine.ctl(&format!("read {} t/b.bin {options}", first()));
        assert_eq!(output.stdout, CONTENT[range], "{options}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success());
    }
    assert!(engine.refusal(&format!("read {} 1 --offset 11", first())).contains("10 bytes"));
    assert!(engine.refusal(&format!("read {} t/*", first())).contains("2 files"));
    assert_eq!(engine.ctl(&format!("read {} 1 --json", first())).status.code(), Some(2));
}

#[test]
fn a_read_that_waits_says_what_the_torrent_is_doing() {
    let engine = Engine::start();
    let output = engine.ctl(&format!("read {} 2", first()));
    assert_eq!(output.stdout, CONTENT);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "note: waiting for bytes of a␛[2Jb: downloading\n");
}

#[test]
fn people_see_runs_as_a_line_and_as_a_table() {
    let engine = Engine::start();
    let text = String::from_utf8(engine.ctl(&format!("pieces {}", first())).stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines[0], lines.len()), ("4.", 3), "{text}");
    assert!(lines[1].starts_with("FIRST") && lines[2].contains("missing"), "{text}");
}

#[test]
fn the_debug_switch_is_shown_and_moved() {
    let mut engine = Engine::start();
    assert_eq!(engine.json("debug"), json!({"debug": false}));
    assert_eq!(engine.json("debug on"), json!({"debug": true}));
    assert_eq!(engine.told(), json!({"set_debug": true}));
    assert_eq!(String::from_utf8(engine.ctl("debug off").stdout).unwrap(), "debug  off\n");
}

#[test]
fn the_engines_own_no_is_passed_on() {
    let engine = Engine::start();
    assert!(engine.refusal(&format!("recheck {}", first())).contains("being checked already"));
    assert!(engine.refusal("add nowhere.torrent").contains("nowhere.torrent"));
    assert!(engine.refusal(&format!("priority {} x.bin off", first())).contains("x.bin"));
    let output = engine.ctl(&format!("priority {} t/a.bin", first()));
    assert_eq!(output.status.code(), Some(2), "a level is missing");
}

#[test]
fn without_an_engine_the_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = ctl(folder.path(), "list");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(&*folder.path().to_string_lossy()), "{error}");
}
