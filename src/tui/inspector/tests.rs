//! The state of the inspector without a screen.

use super::*;
use crate::contract::{TaskId, TaskKind, TaskReport, TaskState};

fn look(names: &[&str]) -> Dump {
    let rows = names.iter().zip(1..).map(|(name, id)| TaskReport {
        id: TaskId(id),
        name: (*name).to_owned().into(),
        kind: TaskKind::Task,
        site: "src/a.rs:1".to_owned(),
        parent: None,
        torrent: None,
        peer: None,
        ready_us: 0,
        frames: Vec::new(),
        age_ms: 1000 * id,
        polls: 1,
        busy_us: 0,
        longest_poll_us: 0,
        wakes: 0,
        poll_ms: None,
        state: TaskState::Waiting,
        waits: Vec::new(),
        waited_ms: Some(1000 * id),
    });
    Dump { stuck: Vec::new(), rows: DumpRows::Tasks(rows.collect()) }
}

/// The name on a line.
fn named(inspector: &Inspector, at: usize) -> String {
    let page = inspector.page();
    match &page.lines()[at] {
        Line::Group(group) => page.group(*group).unwrap().kind.name.shown(),
        Line::Member(row) => groups::member(page.dump_rows().unwrap(), *row).unwrap().kind.name.shown(),
        line => panic!("{line:?}"),
    }
}

#[test]
fn who_is_about_to_go_on_is_not_said_to_have_been_so_for_all_its_life() {
    let Dump { rows: DumpRows::Tasks(mut rows), .. } = look(&["ready", "just polled", "held", "waits"])
    else {
        panic!("tasks")
    };
    for (row, state) in rows.iter_mut().zip([TaskState::Ready, TaskState::Running, TaskState::Running]) {
        (row.state, row.waited_ms) = (state, None);
    }
    rows[2].poll_ms = Some(7);
    let rows = DumpRows::Tasks(rows);
    let since: Vec<_> = (0..4).map(|at| groups::member(&rows, at).unwrap().longest_ms).collect();
    assert_eq!(since, [None, None, Some(7), Some(4000)]);
}

#[test]
fn it_asks_once_a_second_and_not_while_it_waits_or_is_frozen() {
    let mut inspector = Inspector::default();
    let at = Duration::from_secs;
    assert_eq!(inspector.ask(at(5)), Some(DumpKind::Tasks));
    assert_eq!(inspector.ask(at(9)), None, "the first is not answered");
    inspector.take(Some(look(&["a"])));
    assert_eq!(inspector.ask(at(5)), None);
    assert_eq!(inspector.ask(at(6)), Some(DumpKind::Tasks));
    inspector.frozen = true;
    inspector.take(Some(look(&["b", "c"])));
    assert_eq!(inspector.page().lines().len(), 1, "the picture stands still");
    assert_eq!(inspector.ask(at(60)), None);
}

#[test]
fn the_cursor_stays_on_its_group_and_a_late_look_of_another_kind_is_left() {
    let mut inspector = Inspector::default();
    inspector.take(Some(look(&["peer 1", "peer 2", "budget"])));
    assert_eq!(inspector.page().lines(), [Line::Group(0), Line::Group(1)]);
    inspector.walk(Motion::Last, 10);
    inspector.take(Some(look(&["budget", "zebra", "zebra", "peer 1", "peer 2", "peer 3"])));
    let name = |inspector: &Inspector| named(inspector, inspector.page().rows.at());
    assert_eq!(name(&inspector), "budget");
    inspector.walk(Motion::First, 10);
    inspector.toggle();
    let shown: Vec<_> = (0..inspector.page().lines().len()).map(|at| named(&inspector, at)).collect();
    assert_eq!(shown, ["peer *", "peer 3", "peer 2", "peer 1", "zebra", "budget"], "the oldest first");
    inspector.walk(Motion::Down, 10);
    inspector.walk(Motion::Down, 10);
    assert_eq!(name(&inspector), "peer 2");
    let mut later = look(&["budget", "zebra", "zebra", "peer 1", "peer 2", "peer 3", "peer 4"]);
    if let DumpRows::Tasks(rows) = &mut later.rows {
        rows.remove(0);
    }
    inspector.take(Some(later));
    assert_eq!(name(&inspector), "peer 2", "the cursor stays on its task though the rows have moved");
    inspector.walk(Motion::First, 10);
    inspector.toggle();
    assert_eq!(inspector.page().lines().len(), 2);
    inspector.step(1);
    inspector.take(Some(look(&["late"])));
    assert_eq!((inspector.page().kind, inspector.page().lines().len()), (DumpKind::Locks, 0));
    inspector.step(5);
    assert_eq!(inspector.page().kind, DumpKind::Tasks);
}
