//! Like things together: those that one line of the source made, that stand alike, and whose names differ in numbers and
//! addresses only.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::contract::{DumpRows, LockReport, QueueReport, TaskReport, TaskState, Untrusted};
use crate::tui::format;

/// The groups as a table, the largest first.
pub(super) fn lines(rows: &DumpRows) -> Vec<String> {
    match rows {
        DumpRows::Tasks(rows) => {
            let ended = rows.iter().filter(|row| has_ended(&row.state)).count();
            let title = format!("{} tasks and threads, and {ended} that ended lately", rows.len() - ended);
            table(title, "OLDEST", grouped(rows.iter().map(task)))
        }
        DumpRows::Locks(rows) => {
            table(format!("{} locks", rows.len()), "HELD", grouped(rows.iter().map(lock)))
        }
        DumpRows::Queues(rows) => {
            table(format!("{} queues", rows.len()), "FULL", grouped(rows.iter().map(queue)))
        }
    }
}

/// What those of one group have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    /// Those that have ended come last.
    place: Place,
    state: String,
    name: String,
    site: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    First,
    Middle,
    Last,
}

/// A row, or a group of them.
struct Group {
    count: u64,
    /// The longest time of any of them.
    longest_ms: Option<u64>,
    /// Numbers with their word; those of a group are summed up.
    numbers: Vec<(&'static str, u64)>,
}

fn task(row: &TaskReport) -> (Kind, Group) {
    let (place, state) = match &row.state {
        TaskState::Running => (Place::First, "running".to_owned()),
        TaskState::Waiting => (Place::Middle, "waiting".to_owned()),
        TaskState::Finished => (Place::Last, "finished".to_owned()),
        TaskState::Aborted => (Place::Last, "aborted".to_owned()),
        TaskState::Panicked(_) => (Place::First, "panicked".to_owned()),
    };
    let numbers = vec![("polls", row.polls), ("ms busy", row.busy_us / 1000)];
    (kind(place, state, &row.name, &row.site), Group { count: 1, longest_ms: Some(row.age_ms), numbers })
}

fn has_ended(state: &TaskState) -> bool {
    match state {
        TaskState::Running | TaskState::Waiting => false,
        TaskState::Finished | TaskState::Aborted | TaskState::Panicked(_) => true,
    }
}

fn lock(row: &LockReport) -> (Kind, Group) {
    let (place, state) = if row.held { (Place::First, "held") } else { (Place::Middle, "free") };
    let waiting = row.waiters.len() as u64;
    let numbers = vec![("taken", row.acquisitions), ("waited for", row.contended), ("waiting", waiting)];
    let group = Group { count: 1, longest_ms: row.held_ms, numbers };
    (kind(place, state.to_owned(), &row.name, &row.site), group)
}

fn queue(row: &QueueReport) -> (Kind, Group) {
    let (place, state) = match row.depth {
        0 => (Place::Last, "empty"),
        depth if depth >= row.capacity => (Place::First, "full"),
        _ => (Place::Middle, "filled"),
    };
    let numbers = vec![
        ("inside", row.depth),
        ("of", row.capacity),
        ("most", row.high_water),
        ("sent", row.sends),
        ("refused", row.full),
    ];
    let group = Group { count: 1, longest_ms: row.full_ms, numbers };
    (kind(place, state.to_owned(), &row.name, &row.site), group)
}

fn kind(place: Place, state: String, name: &str, site: &str) -> Kind {
    Kind { place, state, name: Untrusted::new(pattern(name)).shown(), site: Untrusted::new(site).shown() }
}

fn grouped(rows: impl Iterator<Item = (Kind, Group)>) -> Vec<(Kind, Group)> {
    let mut groups: BTreeMap<Kind, Group> = BTreeMap::new();
    for (kind, row) in rows {
        let Some(group) = groups.get_mut(&kind) else {
            groups.insert(kind, row);
            continue;
        };
        group.count += row.count;
        group.longest_ms = group.longest_ms.max(row.longest_ms);
        for (sum, (_, number)) in group.numbers.iter_mut().zip(row.numbers) {
            sum.1 += number;
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|(one, of_one), (other, of_other)| {
        (one.place, of_other.count, one).cmp(&(other.place, of_one.count, other))
    });
    groups
}

fn table(title: String, time: &str, groups: Vec<(Kind, Group)>) -> Vec<String> {
    let mut lines = vec![title, format!("{:>6}  {:8}  {time:>6}  NAME, NUMBERS, PLACE", "COUNT", "STATE")];
    for (Kind { place: _, state, name, site }, Group { count, longest_ms, numbers }) in groups {
        let longest = longest_ms.map_or_else(String::new, |millis| format::duration(millis / 1000));
        let numbers: Vec<_> = numbers.iter().map(|(word, number)| format!("{word} {number}")).collect();
        let numbers = numbers.join(", ");
        lines.push(format!("{count:>6}  {state:8}  {longest:>6}  {name}  ({numbers})  {site}"));
    }
    lines
}

/// A name with a star for each address, identity and number.
fn pattern(name: &str) -> String {
    let words = name.split(' ').map(|word| {
        let bare = word.trim_end_matches([':', ',']);
        let is_hash = bare.len() >= HASH_DIGITS_MIN && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hash || bare.parse::<SocketAddr>().is_ok() || bare.parse::<IpAddr>().is_ok() {
            format!("*{}", &word[bare.len()..])
        } else {
            without_numbers(word)
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Shorter words of hex digits may be words.
const HASH_DIGITS_MIN: usize = 40;

fn without_numbers(word: &str) -> String {
    let mut pattern = String::with_capacity(word.len());
    for letter in word.chars() {
        if !letter.is_ascii_digit() {
            pattern.push(letter);
        } else if !pattern.ends_with('*') {
            pattern.push('*');
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{TaskId, TaskKind};

    fn report(name: &str, state: TaskState, age_ms: u64) -> TaskReport {
        TaskReport {
            id: TaskId(1),
            name: name.to_owned().into(),
            kind: TaskKind::Task,
            site: "src/a.rs:7".to_owned(),
            parent: None,
            torrent: None,
            age_ms,
            polls: 2,
            busy_us: 1500,
            poll_ms: None,
            state,
        }
    }

    #[test]
    fn names_that_differ_in_numbers_and_addresses_are_one() {
        for (name, expected) in [
            ("peer 10.0.0.7:51413 of d43e185e297421ea3f253ae04300e373aef9404e: read", "peer * of *: read"),
            ("peer [2001:db8::1]:6881 of x: write", "peer * of x: write"),
            ("disk 3", "disk *"),
            ("owner of debian-12.iso", "owner of debian-*.iso"),
            ("resolve ::1", "resolve *"),
            ("budget", "budget"),
        ] {
            assert_eq!(pattern(name), expected);
        }
    }

    #[test]
    fn like_tasks_stand_together_and_the_odd_ones_first() {
        let mut rows: Vec<_> = (0u16..3)
            .map(|port| report(&format!("peer 1.2.3.4:{port}"), TaskState::Waiting, u64::from(port) * 60_000))
            .collect();
        rows.push(report("control", TaskState::Waiting, 1000));
        rows.push(report("old \u{1b}[2J", TaskState::Finished, 1000));
        rows.push(report("peer 1.2.3.4:9", TaskState::Running, 5000));
        let expected = [
            "5 tasks and threads, and 1 that ended lately",
            " COUNT  STATE     OLDEST  NAME, NUMBERS, PLACE",
            "     1  running       5s  peer *  (polls 2, ms busy 1)  src/a.rs:7",
            "     3  waiting    2m00s  peer *  (polls 6, ms busy 3)  src/a.rs:7",
            "     1  waiting       1s  control  (polls 2, ms busy 1)  src/a.rs:7",
            "     1  finished      1s  old ␛[*J  (polls 2, ms busy 1)  src/a.rs:7",
        ];
        assert_eq!(lines(&DumpRows::Tasks(rows)), expected);
    }
}
