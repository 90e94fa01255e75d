//! A dump as lines of text for a terminal: like things together, and below what holds others up all that is known of it.

use super::facts::{self, Names, Part};
use super::groups::{Group, groups, in_words, time_heading, title, wait_words};
use crate::contract::{BlockedTask, DumpRows, TaskName, TaskReport, Untrusted};
use crate::limits::DUMP_FACTS_PER_GROUP;
use crate::tui::{format, text};

/// A dump as lines of text, safe to show. `names` are those of tasks that the rows have the number of only.
pub fn lines(rows: &DumpRows, names: &Names) -> Vec<String> {
    if let DumpRows::Waits(waits) = rows {
        return std::iter::once(title(rows))
            .chain(waits.iter().map(|row| format!("  {}", wait_line(row))))
            .collect();
    }
    let time = time_heading(rows).to_uppercase();
    let mut lines =
        vec![title(rows), format!("{:>6}  {:8}  {time:>6}  NAME, NUMBERS, PLACE", "COUNT", "STATE")];
    for group in groups(rows) {
        let Group { kind, members, longest_ms, numbers } = &group;
        let longest = longest_ms.map_or_else(String::new, |millis| format::duration(millis / 1000));
        let (name, site, waits) = (kind.name.shown(), kind.site.shown(), kind.waits.shown());
        let (count, state, numbers) = (members.len(), &kind.state, in_words(numbers));
        let waits = if waits.is_empty() { waits } else { format!("  waits for {waits}") };
        let turn = longest_turn(rows, members);
        lines.push(format!("{count:>6}  {state:8}  {longest:>6}  {name}  ({numbers})  {site}{waits}{turn}"));
        let notable = members.iter().filter(|row| holds_up(rows, **row)).take(DUMP_FACTS_PER_GROUP);
        notable.for_each(|row| lines.extend(fact_lines(rows, *row, names)));
    }
    lines
}

/// The names of tasks, by their number.
pub fn names(tasks: &[TaskReport]) -> Names {
    tasks.iter().map(|task| (task.id, Untrusted::new(&*task.name))).collect()
}

/// Who a task waits for, as a line.
pub fn wait_line(row: &BlockedTask) -> String {
    let BlockedTask { task, waited_ms, wait, behind } = row;
    let named = |task: &TaskName| format!("{} \"{}\"", task.id.0, Untrusted::new(&*task.name).shown());
    let behind = behind.as_ref().map(|task| format!(", behind {}", named(task))).unwrap_or_default();
    let since = format::duration(waited_ms / 1000);
    let wait = Untrusted::new(wait_words(wait, str::to_owned)).shown();
    format!("{} waits {since} for {wait}{behind}", named(task))
}

/// What the longest turn of an owner did.
fn longest_turn(rows: &DumpRows, members: &[usize]) -> String {
    let DumpRows::Owners(rows) = rows else { return String::new() };
    let longest = members.iter().filter_map(|at| rows.get(*at)).max_by_key(|row| row.longest_turn_us);
    let input = longest.map_or("", |row| &row.longest_turn_input);
    if input.is_empty() {
        String::new()
    } else {
        format!("  longest turn: {}", Untrusted::new(input).shown())
    }
}

/// Whether somebody waits because of a row, or may soon.
fn holds_up(rows: &DumpRows, at: usize) -> bool {
    match rows {
        DumpRows::Locks(rows) => rows.get(at).is_some_and(|row| row.held || !row.waiters.is_empty()),
        DumpRows::Queues(rows) => {
            rows.get(at).is_some_and(|row| row.full_ms.is_some() || !row.senders.is_empty())
        }
        DumpRows::Semaphores(rows) => rows.get(at).is_some_and(|row| !row.waiters.is_empty()),
        DumpRows::Tasks(_) | DumpRows::Owners(_) | DumpRows::Waits(_) => false,
    }
}

fn fact_lines(rows: &DumpRows, at: usize, names: &Names) -> Vec<String> {
    let mut lines = Vec::new();
    // Where it was made is in the line above.
    for fact in facts::facts(rows, at, names).iter().filter(|fact| fact.label != text::MADE_AT) {
        let said: String = fact.parts.iter().map(part).collect();
        let colon = if fact.label.is_empty() { " " } else { ":" };
        lines.push(format!("{:>33}{colon} {said}", fact.label));
    }
    lines
}

fn part(part: &Part) -> String {
    match part {
        Part::Ours(said) => said.clone(),
        Part::Named(name) => name.shown(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{
        LockReport, TaskId, TaskKind, TaskReport, TaskState, WaitKind, WaitReport, WaitingTask,
    };

    fn report(name: &str, state: TaskState, age_ms: u64) -> TaskReport {
        TaskReport {
            id: TaskId(1),
            name: name.to_owned().into(),
            kind: TaskKind::Task,
            site: "src/a.rs:7".to_owned(),
            parent: None,
            torrent: None,
            peer: None,
            ready_us: 0,
            frames: Vec::new(),
            age_ms,
            polls: 2,
            busy_us: 1500,
            longest_poll_us: 1000,
            wakes: 2,
            poll_ms: None,
            state,
            waits: Vec::new(),
            waited_ms: None,
        }
    }

    #[test]
    fn like_tasks_stand_together_and_the_odd_ones_first() {
        let mut rows: Vec<_> = (0u16..3)
            .map(|port| report(&format!("peer 1.2.3.4:{port}"), TaskState::Waiting, u64::from(port) * 60_000))
            .collect();
        for row in &mut rows {
            let wait = |kind, on, site: &str| WaitReport { kind, on, site: site.to_owned() };
            row.waited_ms = Some(7000);
            row.waits = vec![
                wait(WaitKind::QueueReceive, Some(format!("to {}", row.name).into()), "src/b.rs:1"),
                wait(WaitKind::Timer, None, "src/b.rs:2"),
            ];
        }
        rows.push(report("control", TaskState::Waiting, 1000));
        rows.push(report("old \u{1b}[2J", TaskState::Finished, 1000));
        let polled = report("peer 1.2.3.4:9", TaskState::Running, 60_000);
        rows.push(TaskReport { poll_ms: Some(5000), ..polled });
        let expected = [
            "5 tasks and threads, and 1 that ended lately",
            " COUNT  STATE      SINCE  NAME, NUMBERS, PLACE",
            "     1  running       5s  peer *  (polls 2, ms busy 1, us ready 0)  src/a.rs:7",
            "     3  waiting       7s  peer *  (polls 6, ms busy 3, us ready 0)  src/a.rs:7  waits for queue \"to peer *\" at src/b.rs:1 or timer at src/b.rs:2",
            "     1  waiting       1s  control  (polls 2, ms busy 1, us ready 0)  src/a.rs:7",
            "     1  finished      1s  old ␛[*J  (polls 2, ms busy 1, us ready 0)  src/a.rs:7",
        ];
        assert_eq!(lines(&DumpRows::Tasks(rows), &Names::new()), expected);
    }

    #[test]
    fn a_held_lock_says_who_has_it_and_who_waits_since_when_and_where() {
        let waiter =
            |task, waited_ms| WaitingTask { task: TaskId(task), site: "src/c.rs:3".to_owned(), waited_ms };
        let held = LockReport {
            name: "list".into(),
            site: "src/a.rs:1".to_owned(),
            held: true,
            holder: Some(TaskId(5)),
            held_ms: Some(2300),
            holder_site: Some("src/b.rs:2".to_owned()),
            waiters: vec![waiter(6, 2200), waiter(7, 100)],
            acquisitions: 9,
            contended: 2,
            longest_hold_us: 40,
            longest_wait_us: 70_000,
        };
        let free = LockReport {
            held: false,
            holder: None,
            held_ms: None,
            holder_site: None,
            waiters: vec![],
            ..held.clone()
        };
        let names = Names::from([(TaskId(5), Untrusted::new("owner\u{1b}[2J"))]);
        let expected = [
            "2 locks",
            " COUNT  STATE       HELD  NAME, NUMBERS, PLACE",
            "     1  held          2s  list  (waiting 2, taken 9, waited for 2, longest hold us 40, longest wait us 70000)  src/a.rs:1",
            "                          held by: task 5 \"owner␛[2J\"  for 2.3s  at src/b.rs:2",
            "                          waiting: task 6  for 2.2s  at src/c.rs:3",
            "                                   task 7  for 100ms  at src/c.rs:3",
            "                          longest: held 40 us, waited for 70ms",
            "                            taken: 9 times, 2 had to wait",
            "     1  free              list  (waiting 0, taken 9, waited for 2, longest hold us 40, longest wait us 70000)  src/a.rs:1",
        ];
        assert_eq!(lines(&DumpRows::Locks(vec![held, free]), &names), expected);
    }
}
