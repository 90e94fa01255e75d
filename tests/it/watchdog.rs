//! What does not go on is named: over the event channel, on the screen, and in the dump that an operator sends.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use serde_json::Value;
use unchoke::contract::{Event, EventKind, Stuck, StuckThing};
use unchoke::inspect;
use unchoke::tui::Message;
use unchoke::units::TorrentId;

use crate::real::unchoke::run;
use crate::screens::Screen;
use crate::session::{add, end, engine, request};

/// A call on loopback, and what the watchdog tells, come long before this.
const PATIENCE: Duration = Duration::from_secs(30);

/// The name of the task that the test holds.
pub(crate) const HELD: &str = "peer 10.0.0.7:51413 of debian.iso: held by the test";

/// Lets the held task go, also where the test fails.
pub(crate) struct Release(Arc<AtomicBool>);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Starts a task that does not come back from its poll.
pub(crate) fn hold_a_task(torrent: TorrentId) -> Release {
    let release = Release(Arc::new(AtomicBool::new(false)));
    let released = Arc::clone(&release.0);
    let holding = async move {
        while !released.load(Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    inspect::spawn_for(torrent, HELD, holding).detach();
    release
}

/// The next event that `pick` knows.
pub(crate) async fn told<T>(
    events: &mut inspect::Receiver<Event>,
    pick: impl Fn(&EventKind) -> Option<T>,
) -> (Event, T) {
    let waiting = async {
        loop {
            let event = events.recv().await.unwrap();
            if let Some(picked) = pick(&event.kind) {
                return (event, picked);
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("told in time")
}

/// Whether it is the task held for this torrent: each test sees the tasks of all tests of this process.
fn is_held(stuck: &Stuck, torrent: TorrentId) -> bool {
    matches!(&stuck.what, StuckThing::Poll { task, .. } if task.name == HELD && task.torrent == Some(torrent))
}

pub(crate) async fn dump(state_dir: &Path, words: &'static str) -> (Option<i32>, String, String) {
    let state_dir = state_dir.to_owned();
    inspect::spawn_blocking("a call of dump", move || dump_blocking(&state_dir, words)).await.unwrap()
}

pub(crate) fn dump_blocking(state_dir: &Path, words: &str) -> (Option<i32>, String, String) {
    let state_dir_text = state_dir.to_string_lossy();
    let mut arguments = vec!["dump", "--state-dir", &state_dir_text];
    arguments.extend(words.split_whitespace());
    let output = run(&state_dir.join("home"), &arguments, PATIENCE);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_93_a_held_task_is_named_on_screen_and_in_the_dump() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = engine(folder.path()).await;
    let torrent = add(&handle, request(Vec::new())).await;
    let mut events = handle.events();
    let release = hold_a_task(torrent);
    let (event, stuck) = told(&mut events, |kind| match kind {
        EventKind::Stuck(stuck) if is_held(stuck, torrent) => Some(stuck.clone()),
        _ => None,
    })
    .await;
    assert_eq!(event.torrent, Some(torrent));
    assert!(stuck.lasted_ms >= 1000, "{stuck:?}");

    let mut screen = Screen::new(160, 24, (*handle.snapshots().latest()).clone());
    let picture = screen.send(Message::Event(event)).picture();
    assert!(picture.contains(HELD) && picture.contains("bundle: task "), "{picture}");
    assert!(picture.contains(" s, since "), "{picture}");

    let state_dir = folder.path().join("state");
    let (status, text, _) = dump(&state_dir, "tasks").await;
    assert_eq!(status, Some(0));
    let line = text.lines().find(|line| line.contains(&torrent.to_string())).expect(&text);
    assert!(line.contains(&format!("\"{HELD}\" has held its thread for ")), "{line}");
    assert!(line.contains("tests/it/watchdog.rs:"), "{line}");
    assert!(text.contains("  peer * of debian.iso: held by the test  "), "{text}");

    let (status, json, _) = dump(&state_dir, "tasks --json").await;
    assert_eq!(status, Some(0));
    let json: Value = serde_json::from_str(&json).unwrap();
    let id = Value::from(torrent.to_string());
    let stuck =
        json["stuck"].as_array().unwrap().iter().find(|stuck| stuck["task"]["torrent"] == id).unwrap();
    assert_eq!((&stuck["what"], &stuck["task"]["name"]), (&"poll".into(), &HELD.into()));
    let mut tasks = json["tasks"].as_array().unwrap().iter();
    let task = tasks.find(|task| task["name"] == HELD && task["torrent"] == id).unwrap();
    assert!(task["poll_ms"].as_u64().unwrap() >= 1000 && task["state"] == "running", "{task}");

    drop(release);
    let (_, lasted) = told(&mut events, |kind| match kind {
        EventKind::Unstuck(stuck) if is_held(stuck, torrent) => Some(stuck.lasted_ms),
        _ => None,
    })
    .await;
    assert!(lasted >= 1000);
    end(handle, running).await;
}

#[test]
fn fault_93_with_every_worker_held_the_event_and_the_dump_still_come() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = runtime.block_on(engine(folder.path()));
    let mut events = handle.events();
    let guard = runtime.enter();
    let torrent = TorrentId([93; 20]);
    let released = [hold_a_task(torrent), hold_a_task(torrent)];
    drop(guard);
    // Nobody drives the runtime's timers now, so the bound on the wait is a thread's.
    let (telling, told) = std::sync::mpsc::channel();
    std::thread::spawn(
        move || while events.recv_blocking().is_some_and(|event| telling.send(event).is_ok()) {},
    );
    let mut named = 0;
    while named < released.len() {
        let event = told.recv_timeout(PATIENCE).unwrap();
        let is_held = |kind: &EventKind| matches!(kind, EventKind::Stuck(stuck) if is_held(stuck, torrent));
        named += usize::from(is_held(&event.kind));
    }
    let (status, text, error) = dump_blocking(&folder.path().join("state"), "tasks");
    assert_eq!(status, Some(0), "{error}");
    let named = text.lines().filter(|line| line.contains(HELD) && line.contains(&torrent.to_string()));
    assert_eq!(named.count(), 2, "{text}");
    drop(released);
    runtime.block_on(end(handle, running));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_queues_and_waits_are_dumped_while_the_engine_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, running) = engine(folder.path()).await;
    let state_dir = folder.path().join("state");
    let (_, text, _) = dump(&state_dir, "locks").await;
    assert!(text.contains("event listeners") && text.contains("src/session/handle.rs:"), "{text}");
    let (_, json, _) = dump(&state_dir, "queues --json").await;
    let json: Value = serde_json::from_str(&json).unwrap();
    let queues = json["queues"].as_array().unwrap();
    assert!(queues.iter().any(|queue| queue["name"] == "requests of front ends"), "{json}");
    let (_, text, _) = dump(&state_dir, "waits").await;
    assert!(text.contains("behind others"), "{text}");
    end(handle, running).await;
    let (status, _, error) = dump(&state_dir, "tasks").await;
    assert_eq!(status, Some(1));
    assert!(error.contains(&*state_dir.to_string_lossy()), "{error}");
}
