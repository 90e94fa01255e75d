//! The inspector's screen.

use unchoke::contract::{
    Answer, BlockedTask, Command, Dump, DumpKind, DumpRows, EventKind, FrameReport, LockReport, OwnerReport,
    QueueKind, QueueReport, SemaphoreReport, Stuck, StuckThing, TaskId, TaskKind, TaskName, TaskReport,
    TaskState, WaitKind, WaitReport, WaitingTask,
};
use unchoke::tui::text::{self, Outside};
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

fn locks() -> DumpRows {
    let held = LockReport {
        name: "list of torrents".into(),
        site: "src/session/handle.rs:40".to_owned(),
        held: true,
        holder: Some(TaskId(20)),
        held_ms: Some(2_300),
        holder_site: Some("src/session/handle.rs:77".to_owned()),
        waiters: vec![
            WaitingTask { task: TaskId(7), site: "src/session/handle.rs:91".to_owned(), waited_ms: 2_200 },
            WaitingTask { task: TaskId(12), site: "src/session/handle.rs:91".to_owned(), waited_ms: 100 },
        ],
        acquisitions: 400,
        contended: 3,
        longest_hold_us: 900,
        longest_wait_us: 70_000,
    };
    let free = LockReport {
        name: "budget".into(),
        held: false,
        holder: None,
        held_ms: None,
        holder_site: None,
        waiters: Vec::new(),
        ..held.clone()
    };
    DumpRows::Locks(vec![held, free])
}

fn queues() -> DumpRows {
    DumpRows::Queues(vec![QueueReport {
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
        senders: vec![WaitingTask { task: TaskId(1), site: READ.to_owned(), waited_ms: 5_000 }],
    }])
}

fn semaphores() -> DumpRows {
    DumpRows::Semaphores(vec![SemaphoreReport {
        name: "callers shaking hands".into(),
        site: "src/session/net/listen.rs:30".to_owned(),
        permits: 8,
        taken: 8,
        acquisitions: 90,
        contended: 4,
        waiters: vec![WaitingTask {
            task: TaskId(7),
            site: "src/session/net/listen.rs:44".to_owned(),
            waited_ms: 1_200,
        }],
        longest_hold_us: 9_000_000,
        longest_wait_us: 1_400_000,
    }])
}

fn owners() -> DumpRows {
    DumpRows::Owners(vec![OwnerReport {
        task: name(20, "owner of debian-12.iso"),
        depth: 12,
        oldest_ms: Some(625),
        turns: 90_000,
        turn_ms: Some(30),
        longest_turn_us: 1_400_000,
        longest_turn_input: "Verified".into(),
        latest_us: 829_000,
    }])
}

/// Ten peers behind an owner that waits for a lock which control holds, and two tasks that wait for each other.
fn waits() -> DumpRows {
    let blocked = |id: u64, label: &str, wait, behind| BlockedTask {
        task: name(id, label),
        waited_ms: 5_000 + id,
        wait,
        behind,
    };
    let (owner, control) = (name(20, "owner of debian-12.iso"), name(50, "control"));
    let full = || wait(WaitKind::QueueSend, Some("inputs of debian-12.iso"), READ);
    let lock = |on| wait(WaitKind::Lock, Some(on), "src/session/handle.rs:91");
    let mut rows: Vec<_> = (1..=10)
        .map(|id| {
            let label = format!("peer 10.0.0.{id}:51413 of debian-12.iso: read");
            blocked(id, &label, full(), Some(owner.clone()))
        })
        .collect();
    rows.push(blocked(20, "owner of debian-12.iso", lock("list of torrents"), Some(control)));
    rows.push(blocked(30, "save", lock("budget"), Some(name(31, "verify"))));
    rows.push(blocked(31, "verify", lock("store"), Some(name(30, "save"))));
    DumpRows::Waits(rows)
}

/// Presses the key of a page and answers what it asks for.
fn page(screen: &mut Screen, key: &str, kind: DumpKind, rows: DumpRows) {
    screen.asked();
    screen.press(key);
    assert!(matches!(screen.asked.as_slice(), [(_, Command::Dump(asked))] if *asked == kind), "{key}");
    screen.answer(Ok(Answer::Dump(Box::new(Dump { stuck: Vec::new(), rows }))));
}

#[test]
fn every_kind_has_a_page_of_its_own_and_a_row_opens_in_full() {
    for (columns, rows) in [(80, 24), (120, 40)] {
        let mut screen = open(columns, rows, Dump { stuck: Vec::new(), rows: tasks() });
        let pages = [
            ("2", DumpKind::Locks, locks(), "locks", "<Enter>"),
            ("3", DumpKind::Queues, queues(), "queues", "<Enter>"),
            ("4", DumpKind::Semaphores, semaphores(), "semaphores", "<Enter>"),
            ("5", DumpKind::Owners, owners(), "owners", "<Enter>"),
            ("6", DumpKind::Waits, waits(), "waits", "jj"),
        ];
        for (key, kind, dump, picture, keys) in pages {
            page(&mut screen, key, kind, dump);
            screen.press(keys);
            insta::assert_snapshot!(format!("inspector-{picture}-{columns}x{rows}"), screen.picture());
        }
    }
}

#[test]
fn a_task_opens_with_its_frames_and_leads_to_its_peer() {
    let library = library();
    let torrent = library[1].id;
    let address = "10.0.0.7:51413".parse().unwrap();
    let mut rows = tasks();
    if let DumpRows::Tasks(rows) = &mut rows {
        let frame = |name: &'static str, site: &str| FrameReport { name: name.into(), site: site.to_owned() };
        rows[6].frames = vec![frame("read a frame", READ), frame("serve", "src/session/net/peer.rs:90")];
        rows[6].torrent = Some(torrent);
        rows[6].peer = Some(address);
        rows[6].parent = Some(TaskId(20));
    }
    let mut screen = Screen::new(80, 24, snapshot(library));
    screen.press("I");
    screen.answer(Ok(Answer::Dump(Box::new(Dump { stuck: Vec::new(), rows }))));
    screen.press("/10.0.0.7:<Enter>j<Enter>");
    insta::assert_snapshot!("inspector-task-80x24", screen.picture());
    screen.press("p");
    assert!(screen.model.inspector.is_none());
    assert_eq!(screen.model.selected().unwrap().id, torrent);
    assert_eq!(screen.model.pane.tab, unchoke::tui::model::Tab::Peers);
}

#[test]
fn a_lock_leads_to_its_holder_and_back() {
    let mut screen = open(80, 24, Dump { stuck: Vec::new(), rows: tasks() });
    page(&mut screen, "2", DumpKind::Locks, locks());
    screen.asked();
    screen.press("f");
    assert!(matches!(screen.asked.as_slice(), [(_, Command::Dump(DumpKind::Tasks))]));
    screen.answer(Ok(Answer::Dump(Box::new(Dump { stuck: Vec::new(), rows: tasks() }))));
    let picture = screen.picture();
    assert!(picture.contains("task 20, async"), "{picture}");
    screen.press("b");
    screen.answer(Ok(Answer::Dump(Box::new(Dump { stuck: Vec::new(), rows: locks() }))));
    let picture = screen.picture();
    assert!(picture.contains("[2 locks]") && picture.contains("\n list of torrents"), "{picture}");
    screen.press("b");
    assert!(screen.picture().contains("no place to go back to"));
}

#[test]
fn two_looks_are_compared() {
    let mut screen = open(80, 24, Dump { stuck: Vec::new(), rows: tasks() });
    screen.press("m");
    let mut later = tasks();
    if let DumpRows::Tasks(rows) = &mut later {
        rows[12].polls += 77;
        rows.remove(0);
        rows.push(task(60, "webseed", TaskState::Running, Vec::new()));
    }
    screen.send(unchoke::tui::Message::Tick(std::time::Duration::from_secs(2)));
    screen.answer(Ok(Answer::Dump(Box::new(Dump { stuck: Vec::new(), rows: later }))));
    screen.press("=jj<Enter>");
    insta::assert_snapshot!("inspector-changes-80x24", screen.picture());
}

#[test]
fn a_page_is_saved_and_trouble_is_made_only_where_there_is_some() {
    let mut screen = open(80, 24, Dump { stuck: stuck(), rows: tasks() });
    screen.press("w");
    let effects = screen.effects();
    let is_page = |text: &str| text.contains("list of torrents") && text.contains("hash of debian-12.iso");
    assert!(
        matches!(effects.as_slice(), [Effect::Save { name, text }] if name == "inspector-tasks" && is_page(text)),
        "{effects:?}"
    );
    screen.send(unchoke::tui::Message::Saved(Err("cannot write /x: no room".to_owned())));
    assert!(screen.picture().contains("Not saved: cannot write /x"));
    screen.press("!<Enter>");
    assert!(screen.effects().is_empty(), "a normal run has no such key");
    screen.model.chaos.names = vec!["a held lock".to_owned(), "a mute peer".to_owned()];
    screen.press("!");
    assert!(screen.picture().contains("a mute peer"), "{}", screen.picture());
    screen.press("j<Enter>");
    assert!(matches!(screen.effects().as_slice(), [Effect::Chaos(1)]));
}

/// What the next copy gives.
fn copied(screen: &mut Screen, keys: &str) -> String {
    screen.press(keys);
    match screen.effects().as_slice() {
        [Effect::Copy(text)] => text.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_row_is_copied_in_full_from_the_look_that_stands_still() {
    let mut screen = open(80, 24, Dump { stuck: Vec::new(), rows: tasks() });
    screen.press("z/owner<Enter>");
    let block = copied(&mut screen, "Y");
    let expected = "task 20 \"owner of debian-12.iso\" [waiting, 34.0s]:
  waits for queue \"inputs of debian-12.iso\"
    src/session/driver/mod.rs:201
  waits for timer
    src/session/driver/mod.rs:202
  started
    src/session/net/peer.rs:80
  age 90.0s, polls 800, wakes 820, busy 30000 us, ready 90 us, longest poll 700 us
";
    assert_eq!(block, expected);
    assert!(screen.picture().contains("Sent to the clipboard: this row in full"), "{}", screen.picture());
    // The looks of the other pages are those of the moment when the picture was frozen.
    for rows in [locks(), queues(), semaphores(), owners(), waits()] {
        screen.answer(Ok(Answer::Dump(Box::new(Dump { stuck: Vec::new(), rows }))));
    }
    let lock = copied(&mut screen, "2Y");
    assert!(lock.starts_with("lock \"list of torrents\" [held, 2.3s]:\n"), "{lock}");
    assert!(lock.contains("  held by       task 20 \"owner of debian-12.iso\"  for 2.3s  at "), "{lock}");
    assert!(
        lock.contains("  waiting       task 7 \"peer 10.0.0.7:51413 of debian-12.iso: read\"  for 2.2s  at "),
        "{lock}"
    );
    let waits = copied(&mut screen, "6jY");
    assert!(waits.contains("  behind        task "), "{waits}");
    screen.press("x");
    for page in ["1", "2", "6"] {
        let hidden = copied(&mut screen, &format!("{page}Y"));
        assert!(!hidden.contains("debian") && !hidden.contains("list of torrents"), "{hidden}");
    }
}

#[test]
fn tasks_are_sorted_by_the_time_they_were_ready() {
    let mut screen = open(80, 24, Dump { stuck: Vec::new(), rows: tasks() });
    screen.press("sjjjjjj<Enter>");
    let picture = screen.picture();
    assert!(picture.contains("by us ready"), "{picture}");
    // Twelve peers that were ready for 90 us each, the others alone.
    assert!(picture.lines().nth(3).unwrap().contains("peer *"), "{picture}");
    screen.press("S");
    assert!(screen.picture().lines().nth(7).unwrap().contains("peer *"), "{}", screen.picture());
}

#[test]
fn a_key_has_everything_dumped_and_says_where_it_is() {
    let mut screen = open(80, 24, Dump { stuck: Vec::new(), rows: tasks() });
    screen.press("D");
    assert!(matches!(screen.effects().as_slice(), [Effect::Dump]));
    assert!(screen.picture().contains("Writing a dump"), "{}", screen.picture());
    screen.send(unchoke::tui::Message::Saved(Ok("/state/dump-7.txt".into())));
    assert!(screen.picture().contains("Saved as /state/dump-7.txt"), "{}", screen.picture());
}

#[test]
fn of_those_who_wait_for_a_held_lock_the_first_are_named_and_the_others_counted() {
    let mut held = stuck().remove(0);
    if let StuckThing::Hold { waiters, .. } = &mut held.what {
        *waiters = (1..=6).map(|id| name(id, &format!("waiter {id}"))).collect();
    }
    let said = text::event(&EventKind::Stuck(held), |outside| match outside {
        Outside::Named(name) => name.shown(),
        _ => String::new(),
    });
    assert!(
        said.contains("waiting: task 1 \"waiter 1\", ") && said.contains("\"waiter 4\" and 2 more;"),
        "{said}"
    );
}

#[test]
fn it_opens_from_anywhere_freezes_is_copied_and_closes() {
    let mut screen = Screen::new(80, 24, snapshot(library()));
    screen.press("a<F12>");
    assert!(screen.picture().contains("Inspector"), "{}", screen.picture());
    screen.answer(Ok(Answer::Dump(Box::new(Dump { stuck: Vec::new(), rows: tasks() }))));
    screen.press("z");
    assert!(screen.picture().contains("FROZEN"));
    // The other pages are looked at once, so that they stand still with this one.
    for rows in [locks(), queues(), semaphores(), owners(), waits()] {
        screen.answer(Ok(Answer::Dump(Box::new(Dump { stuck: Vec::new(), rows }))));
    }
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
