//! Like things together: those that one line of the source made, that stand alike, that wait in the same places, and whose
//! names differ in numbers and addresses only. A program with two thousand peers fits a screen, and the odd one out stands
//! alone.

use std::collections::BTreeMap;

use crate::contract::{
    BlockedTask, DumpRows, LockReport, OwnerReport, QueueKind, QueueReport, SemaphoreReport, TaskReport,
    TaskState, Untrusted, WaitReport,
};
use crate::report::pattern;
use crate::tui::text;

/// What those of one group have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// Those that have ended come last.
    place: Place,
    /// How they stand, in a word.
    pub state: String,
    /// Their name, with a star for what differs.
    pub name: Untrusted,
    /// What they wait for, and where; empty for what waits for nothing.
    pub waits: Untrusted,
    /// File and line that made them.
    pub site: Untrusted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    First,
    Middle,
    Last,
}

/// Things of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What they have in common.
    pub kind: Kind,
    /// Which of the dump's rows they are, the longest first.
    pub members: Vec<usize>,
    /// The longest time of any of them, in milliseconds.
    pub longest_ms: Option<u64>,
    /// Numbers with their word, summed up.
    pub numbers: Vec<(&'static str, u64)>,
}

/// One row of a dump.
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) since_ms: Option<u64>,
    pub(super) numbers: Vec<(&'static str, u64)>,
}

/// All groups, those to look at first and the largest first.
pub fn groups(rows: &DumpRows) -> Vec<Group> {
    groups_of(rows, |_| true)
}

/// The groups of those rows that are to be shown, by their place.
pub(super) fn groups_of(rows: &DumpRows, is_shown: impl Fn(usize) -> bool) -> Vec<Group> {
    let places = (0..count(rows)).filter(|at| is_shown(*at));
    grouped(places.filter_map(|at| Some((at, row(rows, at, pattern)?))))
}

/// How many rows a dump has.
pub(super) fn count(rows: &DumpRows) -> usize {
    match rows {
        DumpRows::Tasks(rows) => rows.len(),
        DumpRows::Locks(rows) => rows.len(),
        DumpRows::Queues(rows) => rows.len(),
        DumpRows::Semaphores(rows) => rows.len(),
        DumpRows::Owners(rows) => rows.len(),
        DumpRows::Waits(rows) => rows.len(),
    }
}

/// One row of a dump, its names as `naming` has them.
pub(super) fn row(rows: &DumpRows, at: usize, naming: Naming) -> Option<Row> {
    Some(match rows {
        DumpRows::Tasks(rows) => task(rows.get(at)?, naming),
        DumpRows::Locks(rows) => lock(rows.get(at)?, naming),
        DumpRows::Queues(rows) => queue(rows.get(at)?, naming),
        DumpRows::Semaphores(rows) => semaphore(rows.get(at)?, naming),
        DumpRows::Owners(rows) => owner(rows.get(at)?, naming),
        DumpRows::Waits(rows) => blocked(rows.get(at)?, naming),
    })
}

/// One row of a dump by itself, under its own name.
pub(super) fn member(rows: &DumpRows, at: usize) -> Option<Group> {
    let Row { kind, since_ms, numbers } = row(rows, at, str::to_owned)?;
    Some(Group { kind, members: vec![at], longest_ms: since_ms, numbers })
}

/// What tells each row of a dump from the others, in this dump and the next. Of locks with one name and place each has its
/// number: they stand in the order in which they were made.
pub(super) fn identities(rows: &DumpRows) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut identities: Vec<String> = (0..count(rows)).filter_map(|at| identity(rows, at)).collect();
    for identity in &mut identities {
        let before = seen.entry(identity.clone()).or_default();
        if *before > 0 {
            *identity = format!("{identity} {before}");
        }
        *before += 1;
    }
    identities
}

fn identity(rows: &DumpRows, at: usize) -> Option<String> {
    Some(match rows {
        DumpRows::Tasks(rows) => rows.get(at)?.id.0.to_string(),
        DumpRows::Owners(rows) => rows.get(at)?.task.id.0.to_string(),
        DumpRows::Waits(rows) => rows.get(at)?.task.id.0.to_string(),
        DumpRows::Semaphores(rows) => format!("{} {}", rows.get(at)?.name, rows.get(at)?.site),
        DumpRows::Locks(rows) => format!("{} {}", rows.get(at)?.name, rows.get(at)?.site),
        DumpRows::Queues(rows) => format!("{} {}", rows.get(at)?.name, rows.get(at)?.site),
    })
}

/// How a name is shown.
pub(super) type Naming = fn(&str) -> String;

/// How many there are of what.
pub fn title(rows: &DumpRows) -> String {
    match rows {
        DumpRows::Tasks(rows) => {
            let ended = rows.iter().filter(|row| has_ended(&row.state)).count();
            format!("{} tasks and threads, and {ended} that ended lately", rows.len() - ended)
        }
        DumpRows::Locks(rows) => text::count(len32(rows), "lock"),
        DumpRows::Queues(rows) => text::count(len32(rows), "queue"),
        DumpRows::Semaphores(rows) => text::count(len32(rows), "semaphore"),
        DumpRows::Owners(rows) => text::count(len32(rows), "owner"),
        DumpRows::Waits(rows) => format!("{} behind others", text::count(len32(rows), "task")),
    }
}

fn len32<T>(rows: &[T]) -> u32 {
    u32::try_from(rows.len()).unwrap_or(u32::MAX)
}

/// What the time of a group is.
pub fn time_heading(rows: &DumpRows) -> &'static str {
    match rows {
        DumpRows::Tasks(_) | DumpRows::Waits(_) => "Since",
        DumpRows::Locks(_) => "Held",
        DumpRows::Queues(_) => "Full",
        DumpRows::Semaphores(_) => "",
        DumpRows::Owners(_) => "Oldest",
    }
}

/// Numbers with their words.
pub fn in_words(numbers: &[(&'static str, u64)]) -> String {
    numbers.iter().map(|(word, number)| format!("{word} {number}")).collect::<Vec<_>>().join(", ")
}

fn task(row: &TaskReport, naming: Naming) -> Row {
    let (place, state) = match &row.state {
        TaskState::Running => (Place::First, "running"),
        TaskState::Ready => (Place::First, "ready"),
        TaskState::Waiting => (Place::Middle, "waiting"),
        TaskState::Finished => (Place::Last, "finished"),
        TaskState::Aborted => (Place::Last, "aborted"),
        TaskState::Panicked(_) => (Place::First, "panicked"),
    };
    let numbers = vec![("polls", row.polls), ("ms busy", row.busy_us / 1000), ("us ready", row.ready_us)];
    let kind = Kind {
        waits: Untrusted::new(waits(&row.waits, naming)),
        ..kind(place, state, naming(&row.name), &row.site)
    };
    // Whoever is just being polled, or about to be, is so since a moment that nobody noted: its age would look like a stall.
    let since_ms = match row.state {
        TaskState::Running => row.poll_ms,
        TaskState::Ready => None,
        TaskState::Waiting | TaskState::Finished | TaskState::Aborted | TaskState::Panicked(_) => {
            row.waited_ms.or(row.poll_ms).or(Some(row.age_ms))
        }
    };
    Row { kind, since_ms, numbers }
}

/// What a task waits for: any of it makes it go on.
fn waits(waits: &[WaitReport], naming: Naming) -> String {
    waits.iter().map(|wait| wait_words(wait, naming)).collect::<Vec<_>>().join(" or ")
}

pub(super) fn wait_words(wait: &WaitReport, naming: Naming) -> String {
    let on = wait.on.as_ref().map(|on| format!(" \"{}\"", naming(on))).unwrap_or_default();
    format!("{}{on} at {}", wait.kind.words(), wait.site)
}

pub(super) fn has_ended(state: &TaskState) -> bool {
    match state {
        TaskState::Running | TaskState::Ready | TaskState::Waiting => false,
        TaskState::Finished | TaskState::Aborted | TaskState::Panicked(_) => true,
    }
}

fn lock(row: &LockReport, naming: Naming) -> Row {
    let (place, state) = if row.held { (Place::First, "held") } else { (Place::Middle, "free") };
    let waiting = row.waiters.len() as u64;
    let numbers = vec![
        ("waiting", waiting),
        ("taken", row.acquisitions),
        ("waited for", row.contended),
        ("longest hold us", row.longest_hold_us),
        ("longest wait us", row.longest_wait_us),
    ];
    Row { kind: kind(place, state, naming(&row.name), &row.site), since_ms: row.held_ms, numbers }
}

fn queue(row: &QueueReport, naming: Naming) -> Row {
    let (place, state) = match row.depth {
        _ if row.kind == QueueKind::Nobody => (Place::Middle, "no reader"),
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
        ("oldest ms", row.oldest_ms.unwrap_or(0)),
        ("waiting", row.senders.len() as u64),
    ];
    Row { kind: kind(place, state, naming(&row.name), &row.site), since_ms: row.full_ms, numbers }
}

fn semaphore(row: &SemaphoreReport, naming: Naming) -> Row {
    let (place, state) = match row.taken {
        0 => (Place::Last, "free"),
        taken if taken >= row.permits => (Place::First, "all out"),
        _ => (Place::Middle, "some out"),
    };
    let numbers = vec![
        ("out", row.taken),
        ("of", row.permits),
        ("waiting", row.waiters.len() as u64),
        ("taken", row.acquisitions),
        ("refused", row.contended),
        ("longest hold us", row.longest_hold_us),
        ("longest wait us", row.longest_wait_us),
    ];
    Row { kind: kind(place, state, naming(&row.name), &row.site), since_ms: None, numbers }
}

fn owner(row: &OwnerReport, naming: Naming) -> Row {
    let (place, state) = match (row.turn_ms, row.depth) {
        (Some(_), _) => (Place::First, "turning"),
        (None, 0) => (Place::Last, "idle"),
        (None, _) => (Place::Middle, "behind"),
    };
    let numbers = vec![
        ("waiting", row.depth),
        ("turns", row.turns),
        ("longest us", row.longest_turn_us),
        ("latest us", row.latest_us),
    ];
    Row { kind: kind(place, state, naming(&row.task.name), &row.task.site), since_ms: row.oldest_ms, numbers }
}

fn blocked(row: &BlockedTask, naming: Naming) -> Row {
    let behind = row.behind.as_ref().map(|task| format!(", behind \"{}\"", naming(&task.name)));
    let waits = format!("{}{}", wait_words(&row.wait, naming), behind.unwrap_or_default());
    let kind = Kind {
        waits: Untrusted::new(waits),
        ..kind(Place::Middle, "waiting", naming(&row.task.name), &row.task.site)
    };
    Row { kind, since_ms: Some(row.waited_ms), numbers: Vec::new() }
}

fn kind(place: Place, state: &str, name: String, site: &str) -> Kind {
    let (name, site) = (Untrusted::new(name), Untrusted::new(site));
    Kind { place, state: state.to_owned(), name, waits: Untrusted::new(""), site }
}

fn grouped(rows: impl Iterator<Item = (usize, Row)>) -> Vec<Group> {
    let mut groups: BTreeMap<Kind, Group> = BTreeMap::new();
    let mut times = BTreeMap::new();
    for (at, Row { kind, since_ms, numbers }) in rows {
        times.insert(at, since_ms);
        let new = || Group { kind: kind.clone(), members: Vec::new(), longest_ms: None, numbers: Vec::new() };
        let group = groups.entry(kind.clone()).or_insert_with(new);
        group.members.push(at);
        group.longest_ms = group.longest_ms.max(since_ms);
        if group.numbers.is_empty() {
            group.numbers = numbers;
        } else {
            for ((word, sum), (_, number)) in group.numbers.iter_mut().zip(numbers) {
                *sum = if is_most(word) { (*sum).max(number) } else { sum.saturating_add(number) };
            }
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.iter_mut().for_each(|group| group.members.sort_by_key(|at| std::cmp::Reverse(times[at])));
    groups.sort_by(|one, other| {
        (one.kind.place, other.members.len(), &one.kind).cmp(&(
            other.kind.place,
            one.members.len(),
            &other.kind,
        ))
    });
    groups
}

/// Whether of this number the greatest stands for a group, and not the sum.
pub(super) fn is_most(word: &str) -> bool {
    word == "most" || word.starts_with("oldest") || word.starts_with("longest") || word.starts_with("latest")
}
