//! One row in full: what a task waits for and through which frames, who holds a lock and who waits for it. Each fact that
//! names another row leads to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::groups::wait_words;
use crate::contract::{
    BlockedTask, DumpRows, LockReport, OwnerReport, QueueKind, QueueReport, SemaphoreReport, TaskId,
    TaskKind, TaskName, TaskReport, TaskState, Untrusted, WaitKind, WaitReport, WaitingTask,
};
use crate::tui::{format, text};
use crate::units::TorrentId;

/// Names of tasks, as the last look at them has them.
pub type Names = BTreeMap<TaskId, Untrusted>;

/// A line about the row above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is about.
    pub label: &'static str,
    /// What it says.
    pub parts: Vec<Part>,
    /// Where it leads.
    pub target: Option<Target>,
}

/// A part of what a fact says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Words and numbers of ours.
    Ours(String),
    /// A name, which may be that of a torrent or a peer.
    Named(Untrusted),
}

/// Another row, or a place on the screen of torrents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A task.
    Task(TaskId),
    /// A lock by its name; where there are several, the one that this task has to do with.
    Lock(String, Option<TaskId>),
    /// A queue.
    Queue(String, Option<TaskId>),
    /// A semaphore.
    Semaphore(String, Option<TaskId>),
    /// The tasks of a peer.
    PeerTasks(SocketAddr),
    /// The row of a peer in the peers pane.
    PeerRow(TorrentId, SocketAddr),
}

/// All that is to be said of a row.
pub(super) fn facts(rows: &DumpRows, at: usize, names: &Names) -> Vec<Fact> {
    let facts = match rows {
        DumpRows::Tasks(rows) => rows.get(at).map(|row| task(row, names)),
        DumpRows::Locks(rows) => rows.get(at).map(|row| lock(row, names)),
        DumpRows::Queues(rows) => rows.get(at).map(|row| queue(row, names)),
        DumpRows::Semaphores(rows) => rows.get(at).map(|row| semaphore(row, names)),
        DumpRows::Owners(rows) => rows.get(at).map(owner),
        DumpRows::Waits(rows) => rows.get(at).map(blocked),
    };
    facts.unwrap_or_default()
}

/// Where the first fact that leads anywhere leads: from a lock to its holder, from a task to what it waits for.
pub(super) fn leads_to(rows: &DumpRows, at: usize, names: &Names) -> Option<Target> {
    facts(rows, at, names).into_iter().find_map(|fact| fact.target)
}

/// The tasks that the rows name by their number only.
pub(super) fn named_by_number(rows: &DumpRows) -> Vec<TaskId> {
    match rows {
        DumpRows::Tasks(_) | DumpRows::Owners(_) | DumpRows::Waits(_) => Vec::new(),
        DumpRows::Locks(rows) => {
            rows.iter().flat_map(|row| row.holder.into_iter().chain(ids(&row.waiters))).collect()
        }
        DumpRows::Queues(rows) => {
            rows.iter().flat_map(|row| row.receiver.into_iter().chain(ids(&row.senders))).collect()
        }
        DumpRows::Semaphores(rows) => rows.iter().flat_map(|row| ids(&row.waiters)).collect(),
    }
}

fn ids(waiters: &[WaitingTask]) -> impl Iterator<Item = TaskId> {
    waiters.iter().map(|waiter| waiter.task)
}

/// A task by its number and, where it is known, its name.
pub(super) fn task_words(id: TaskId, names: &Names) -> Vec<Part> {
    match names.get(&id) {
        Some(name) => vec![
            Part::Ours(format!("{} {} \"", text::TASK, id.0)),
            Part::Named(name.clone()),
            Part::Ours("\"".to_owned()),
        ],
        None => vec![Part::Ours(format!("{} {}", text::TASK, id.0))],
    }
}

fn fact(label: &'static str, said: impl Into<String>) -> Fact {
    Fact { label, parts: vec![Part::Ours(said.into())], target: None }
}

fn of_task(label: &'static str, id: TaskId, names: &Names, more: String) -> Fact {
    let mut parts = task_words(id, names);
    parts.push(Part::Ours(more));
    Fact { label, parts, target: Some(Target::Task(id)) }
}

fn micros(micros: u64) -> String {
    if micros < 1000 { format!("{micros} us") } else { format::millis(micros / 1000) }
}

fn site(site: &str) -> String {
    Untrusted::new(site).shown()
}

/// What a wait is for, and where that is to be seen.
fn wait(wait: &WaitReport, by: TaskId) -> Fact {
    let on = wait.on.as_ref().map(|on| on.clone().into_owned());
    let target = match wait.kind {
        WaitKind::Lock => on.map(|on| Target::Lock(on, Some(by))),
        WaitKind::QueueSend => on.map(|on| Target::Queue(on, None)),
        WaitKind::QueueReceive => on.map(|on| Target::Queue(on, Some(by))),
        WaitKind::Semaphore => on.map(|on| Target::Semaphore(on, Some(by))),
        WaitKind::Reply
        | WaitKind::Watch
        | WaitKind::SocketRead
        | WaitKind::SocketWrite
        | WaitKind::Timer
        | WaitKind::Signal
        | WaitKind::Terminal
        | WaitKind::Child => None,
    };
    let parts = vec![Part::Named(Untrusted::new(wait_words(wait, str::to_owned)))];
    Fact { label: text::WAITS_FOR, parts, target }
}

fn task(row: &TaskReport, names: &Names) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let TaskState::Panicked(said) = &row.state {
        facts.push(Fact {
            label: text::PANICKED,
            parts: vec![Part::Named(Untrusted::new(&**said))],
            target: None,
        });
    }
    facts.extend(row.waits.iter().map(|one| wait(one, row.id)));
    for (depth, frame) in row.frames.iter().enumerate() {
        let label = if depth == 0 { text::FRAMES } else { "" };
        let parts = vec![
            Part::Ours("  ".repeat(depth.min(FRAME_INDENT_MAX))),
            Part::Named(Untrusted::new(&*frame.name)),
            Part::Ours(format!("  {}", site(&frame.site))),
        ];
        facts.push(Fact { label, parts, target: None });
    }
    let kind = match row.kind {
        TaskKind::Task => text::KIND_TASK,
        TaskKind::Blocking => text::KIND_BLOCKING,
        TaskKind::Thread => text::KIND_THREAD,
    };
    let age = format::duration(row.age_ms / 1000);
    facts.push(fact(text::IDENTITY, format!("{} {}, {kind}, {} {age}", text::TASK, row.id.0, text::OLD)));
    let made = format!("  {} {}", text::AT, site(&row.site));
    facts.push(match row.parent {
        Some(parent) => of_task(text::STARTED_BY, parent, names, made),
        None => fact(text::STARTED_BY, format!("{}{made}", text::NOBODY_KNOWN)),
    });
    if let Some(torrent) = row.torrent {
        let parts = vec![Part::Named(Untrusted::new(torrent.to_string()))];
        facts.push(Fact { label: text::FOR_TORRENT, parts, target: None });
    }
    if let Some(peer) = row.peer {
        let target = row.torrent.map(|torrent| Target::PeerRow(torrent, peer));
        let parts = vec![Part::Named(Untrusted::new(peer.to_string()))];
        facts.push(Fact { label: text::FOR_PEER, parts, target });
    }
    let share = format::percent(row.busy_us / 1000, row.age_ms.max(1));
    facts.push(fact(
        text::POLLS,
        format!(
            "{}, busy {} ({share}), waited for a thread {}, longest poll {}, woken {}",
            row.polls,
            micros(row.busy_us),
            micros(row.ready_us),
            micros(row.longest_poll_us),
            row.wakes,
        ),
    ));
    if let Some(millis) = row.poll_ms {
        facts.push(fact(text::POLL_NOW, format::millis(millis)));
    }
    facts
}

/// Frames deeper than this stand in one column: a narrow screen has no room for more.
const FRAME_INDENT_MAX: usize = 8;

fn lock(row: &LockReport, names: &Names) -> Vec<Fact> {
    let mut facts = Vec::new();
    if row.held {
        let since = row.held_ms.map_or_else(String::new, |held| format!("  for {}", format::millis(held)));
        let taken = row.holder_site.as_ref().map_or_else(String::new, |at| format!("  at {}", site(at)));
        let more = format!("{since}{taken}");
        facts.push(match row.holder {
            Some(holder) => of_task(text::HELD_BY, holder, names, more),
            None => fact(text::HELD_BY, format!("{}{more}", text::NOBODY_KNOWN)),
        });
    }
    facts.extend(waiting(&row.waiters, names));
    let (held, waited) = (micros(row.longest_hold_us), micros(row.longest_wait_us));
    facts.push(fact(text::LONGEST, format!("held {held}, waited for {waited}")));
    facts.push(fact(text::TAKEN, format!("{} times, {} had to wait", row.acquisitions, row.contended)));
    facts.push(fact(text::MADE_AT, site(&row.site)));
    facts
}

/// Those who wait, in their order.
fn waiting<'a>(waiters: &'a [WaitingTask], names: &'a Names) -> impl Iterator<Item = Fact> + 'a {
    waiters.iter().enumerate().map(|(at, waiter)| {
        let label = if at == 0 { text::WAITING } else { "" };
        let more = format!("  for {}  at {}", format::millis(waiter.waited_ms), site(&waiter.site));
        of_task(label, waiter.task, names, more)
    })
}

fn queue(row: &QueueReport, names: &Names) -> Vec<Fact> {
    let mut facts = Vec::new();
    let served = match row.kind {
        QueueKind::Channel => text::SERVED_BY_TASK,
        QueueKind::WorkQueue => text::SERVED_BY_POOL,
        QueueKind::Nobody => text::SERVED_BY_NOBODY,
    };
    facts.push(match row.receiver {
        Some(receiver) => of_task(text::SERVED_BY, receiver, names, String::new()),
        None => fact(text::SERVED_BY, served),
    });
    let oldest = row
        .oldest_ms
        .map_or_else(String::new, |oldest| format!(", the oldest for {}", format::millis(oldest)));
    facts.push(fact(text::INSIDE, format!("{} of {}{oldest}", row.depth, row.capacity)));
    if let Some(full) = row.full_ms {
        facts.push(fact(text::FULL_FOR, format::millis(full)));
    }
    facts.extend(waiting(&row.senders, names));
    facts.push(fact(
        text::SENT_IN,
        format!("{} in all, {} found it full, at most {} inside", row.sends, row.full, row.high_water),
    ));
    facts.push(fact(text::MADE_AT, site(&row.site)));
    facts
}

fn semaphore(row: &SemaphoreReport, names: &Names) -> Vec<Fact> {
    let mut facts = vec![fact(text::PERMITS, format!("{} of {} are out", row.taken, row.permits))];
    facts.extend(waiting(&row.waiters, names));
    let (held, waited) = (micros(row.longest_hold_us), micros(row.longest_wait_us));
    facts.push(fact(text::LONGEST, format!("held {held}, waited for {waited}")));
    facts.push(fact(text::TAKEN, format!("{} times, {} found none", row.acquisitions, row.contended)));
    facts.push(fact(text::MADE_AT, site(&row.site)));
    facts
}

fn owner(row: &OwnerReport) -> Vec<Fact> {
    let names = Names::from([(row.task.id, Untrusted::new(&*row.task.name))]);
    let mut facts = vec![of_task(text::RUN_BY, row.task.id, &names, String::new())];
    let oldest = row
        .oldest_ms
        .map_or_else(String::new, |oldest| format!(", the oldest for {}", format::millis(oldest)));
    facts.push(fact(text::IN_ITS_QUEUE, format!("{}{oldest}", row.depth)));
    if let Some(turn) = row.turn_ms {
        facts.push(fact(text::TURN_NOW, format::millis(turn)));
    }
    let longest = micros(row.longest_turn_us);
    let input = Untrusted::new(&*row.longest_turn_input).shown();
    let input = if input.is_empty() { input } else { format!(", most of it for {input}") };
    facts.push(fact(text::TURNS, format!("{}, the longest {longest}{input}", row.turns)));
    facts.push(fact(text::LATE_BY, format!("{} at most", micros(row.latest_us))));
    facts.push(fact(text::MADE_AT, site(&row.task.site)));
    facts
}

fn blocked(row: &BlockedTask) -> Vec<Fact> {
    let of = |label, task: &TaskName| {
        let names = Names::from([(task.id, Untrusted::new(&*task.name))]);
        of_task(label, task.id, &names, String::new())
    };
    let mut facts = vec![of(text::RUN_BY, &row.task), wait(&row.wait, row.task.id)];
    facts.extend(row.behind.as_ref().map(|behind| of(text::BEHIND, behind)));
    facts.push(fact(text::MADE_AT, site(&row.task.site)));
    facts
}
