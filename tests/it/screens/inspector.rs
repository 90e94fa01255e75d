//! The inspector's screen.

use unchoke::contract::{
    Answer, BlockedTask, Command, Dump, DumpKind, DumpRows, LockReport, LockWaiter, QueueKind, QueueReport,
    Stuck, StuckThing, TaskId, TaskKind, TaskName, TaskReport, TaskState, WaitKind, WaitReport,
};
use unchoke::tui::{ColourDepth, Effect, Glyphs};

use super::Screen;
use super::canned::{library, snapshot};

const READ: &str = "src/session/net/peer.rs:113";

fn wait(kind: WaitKind, on: Option<&str>, site: &str) -> WaitReport {
    WaitReport { kind, on: on.map(|on| on.to_owned().into()), site: site.to_owned() }
}

fn task(id: u64, name: &str, state: TaskState, waits: Vec<WaitReport>) -> TaskReport {
    let waiting = state == TaskState::Waiting;
    TaskReport {
        id: TaskId(id),
        name: name.to_owned().into(),
        kind: TaskKind::Task,
        site: "src/session/net/peer.rs:80".to_owned(),
        parent: None,
        torrent: None,
        peer: None,
        frames: Vec::new(),
        ready_us: 90,
        age_ms: 90_000,
        polls: 40 * id,
        busy_us: 1_500 * id,
        longest_poll_us: 700,
        wakes: 41 * id,
        poll_ms: (!waiting).then_some(2),
        state,
        waits,
        waited_ms: waiting.then_some(id * 1_700),
    }
}

/// Peers that read, an owner and a budget that wait for two things each, one that runs, one that panicked.
fn tasks() -> DumpRows {
    let mut rows: Vec<TaskReport> = (1..=12)
        .map(|id| {
            let name = format!("peer 10.0.0.{id}:51413 of debian-12.iso: read");
            task(id, &name, TaskState::Waiting, vec![wait(WaitKind::SocketRead, None, READ)])
        })
        .collect();
    let inbox =
        wait(WaitKind::QueueReceive, Some("inputs of debian-12.iso"), "src/session/driver/mod.rs:201");
    let timer = wait(WaitKind::Timer, None, "src/session/driver/mod.rs:202");
    rows.push(task(20, "owner of debian-12.iso", TaskState::Waiting, vec![inbox, timer]));
    rows.push(task(21, "hash of debian-12.iso", TaskState::Running, Vec::new()));
    rows.push(task(22, "tracker\u{1b}[2J", TaskState::Panicked("a bug".to_owned()), Vec::new()));
    rows.push(task(23, "metadata of a magnet", TaskState::Finished, Vec::new()));
    DumpRows::Tasks(rows)
}

fn name(id: u64, name: &str) -> TaskName {
    TaskName { id: TaskId(id), name: name.to_owned().into(), site: "src/a.rs:1".to_owned(), torrent: None }
}

fn stuck() -> Vec<Stuck> {
    let what = StuckThing::Hold {
        lock: "list of torrents".into(),
        site: "src/session/handle.rs:40".to_owned(),
        taken_at: Some("src/session/handle.rs:77".to_owned()),
        holder: Some(name(20, "owner of debian-12.iso")),
        waiters: vec![name(7, "control")],
    };
    vec![Stuck { what, since_unix_ms: 1_700_000_000_000, lasted_ms: 2_300 }]
}

fn open(columns: u16, rows: u16, look: Dump) -> Screen {
    let mut screen = Screen::new(columns, rows, snapshot(library()));
    screen.press("I");
    screen.answer(Ok(Answer::Dump(Box::new(look))));
    screen
}

#[test]
fn tasks_stand_in_groups_and_what_is_stuck_above_them() {
    for (columns, rows) in [(80, 24), (120, 40), (200, 60)] {
        let mut screen = open(columns, rows, Dump { stuck: stuck(), rows: tasks() });
        screen.press("jj");
        insta::assert_snapshot!(format!("inspector-tasks-{columns}x{rows}"), screen.picture());
    }
    let mut screen = open(120, 40, Dump { stuck: Vec::new(), rows: tasks() });
    screen.press("jj<Enter>j");
    insta::assert_snapshot!("inspector-group-120x40", screen.picture());
}

#[test]
fn locks_queues_and_waits_have_pages_of_their_own() {
    let mut screen = open(120, 40, Dump { stuck: Vec::new(), rows: tasks() });
    let lock = LockReport {
        name: "list of torrents".into(),
        site: "src/session/handle.rs:40".to_owned(),
        held: true,
        holder: Some(TaskId(20)),
        held_ms: Some(2_300),
        holder_site: Some("src/session/handle.rs:77".to_owned()),
        waiters: vec![LockWaiter {
            task: TaskId(7),
            site: "src/session/handle.rs:91".to_owned(),
            waited_ms: 2_200,
        }],
        acquisitions: 400,
        contended: 3,
        longest_hold_us: 900,
        longest_wait_us: 700,
    };
    let queue = QueueReport {
        name: "inputs of debian-12.iso".into(),
        site: "src/session/driver/mod.rs:150".to_owned(),
        kind: QueueKind::Channel,
        depth: 256,
        capacity: 256,
        sends: 90_000,
        full: 12,
        high_water: 256,
        full_ms: Some(5_100),
        oldest_ms: Some(5_200),
        receiver: Some(TaskId(20)),
    };
    let blocked = BlockedTask {
        task: name(9, "peer 10.0.0.9:51413 of debian-12.iso: read"),
        waited_ms: 5_100,
        wait: wait(WaitKind::QueueSend, Some("inputs of debian-12.iso"), READ),
        behind: Some(name(20, "owner of debian-12.iso")),
    };
    let pages = [
        ("2", DumpKind::Locks, DumpRows::Locks(vec![lock]), "inspector-locks-120x40"),
        ("3", DumpKind::Queues, DumpRows::Queues(vec![queue]), "inspector-queues-120x40"),
        ("4", DumpKind::Waits, DumpRows::Waits(vec![blocked]), "inspector-waits-120x40"),
    ];
    for (key, kind, rows, picture) in pages {
        screen.asked();
        screen.press(key);
        assert!(matches!(screen.asked.as_slice(), [(_, Command::Dump(asked))] if *asked == kind));
        screen.answer(Ok(Answer::Dump(Box::new(Dump { stuck: Vec::new(), rows }))));
        insta::assert_snapshot!(picture, screen.picture());
    }
}

#[test]
fn it_opens_from_anywhere_freezes_is_copied_and_closes() {
    let mut screen = Screen::new(80, 24, snapshot(library()));
    screen.press("a<F12>");
    assert!(screen.picture().contains("Inspector"), "{}", screen.picture());
    screen.answer(Ok(Answer::Dump(Box::new(Dump { stuck: Vec::new(), rows: tasks() }))));
    screen.press("z");
    assert!(screen.picture().contains("FROZEN"));
    screen.send(unchoke::tui::Message::Tick(std::time::Duration::from_secs(60)));
    assert!(screen.asked().is_empty(), "nothing is asked for a picture that stands still");
    screen.press("y");
    let effects = screen.effects();
    assert!(
        matches!(effects.as_slice(), [Effect::Copy(text)] if text.contains("peer * of debian-*.iso: read")),
        "{effects:?}"
    );
    screen.press("?");
    assert!(screen.picture().contains("show each of a group"), "{}", screen.picture());
    screen.press("<Esc><Esc>");
    assert!(!screen.picture().contains("Inspector"));
    assert!(screen.picture().contains("Add"), "the dialog under it is open still: {}", screen.picture());
}

#[test]
fn it_reads_in_ascii_and_hides_names() {
    let mut screen = Screen::with(80, 24, snapshot(library()), ColourDepth::None, Glyphs::Ascii);
    screen.press("xI");
    screen.answer(Ok(Answer::Dump(Box::new(Dump { stuck: stuck(), rows: tasks() }))));
    let picture = screen.picture();
    assert!(
        picture.is_ascii() && !picture.contains("debian-12") && !picture.contains("owner of"),
        "{picture}"
    );
}

#[test]
fn small_screens_draw_without_harm() {
    for (columns, rows) in [(1, 1), (20, 5), (30, 8), (40, 16)] {
        let screen = open(columns, rows, Dump { stuck: stuck(), rows: tasks() });
        assert!(screen.picture().len() < 10_000);
    }
}
