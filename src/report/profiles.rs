//! Tasks and locks as stacks, in the profiles that Go has: `goroutine`, and those of the locks that are held and waited
//! for now.
//!
//! A stack is what is known of a task without unwinding it: what it waits for, the named parts of its future, and the
//! line that started it under its name's pattern. Tasks that have ended are left out.

use std::collections::{BTreeMap, HashMap};

use super::{Frame, Sample, Stacks, pattern, shown};
use crate::contract::{LockReport, TaskId, TaskKind, TaskReport, TaskState, WaitReport};

const NANOS_PER_MILLI: u64 = 1_000_000;

/// Keys and texts.
type Labels = Vec<(&'static str, String)>;

/// What each task and thread is doing.
pub fn goroutine(tasks: &[TaskReport]) -> Stacks {
    let mut found: BTreeMap<(Vec<Frame>, Labels), u64> = BTreeMap::new();
    for task in tasks.iter().filter(|task| !has_ended(&task.state)) {
        let stack = std::iter::once(doing(task)).chain(below(task)).collect();
        *found.entry((stack, labels(task))).or_default() += 1;
    }
    let sample = |((stack, labels), count)| Sample { stack, values: [count, 0], labels };
    Stacks {
        name: "goroutine",
        types: &[("goroutine", "count")],
        samples: found.into_iter().map(sample).collect(),
    }
}

/// Who holds which lock, and for how long as far as the watchdog has seen.
pub fn lock_holders(locks: &[LockReport], tasks: &[TaskReport]) -> Stacks {
    let tasks = by_id(tasks);
    let sample = |lock: &LockReport| {
        let site = lock.holder_site.as_deref().unwrap_or(&lock.site);
        let held_ns = lock.held_ms.unwrap_or(0).saturating_mul(NANOS_PER_MILLI);
        of_lock(lock, site, lock.holder.and_then(|id| tasks.get(&id).copied()), [1, held_ns])
    };
    Stacks {
        name: "lockHolders",
        types: &[("holders", "count"), ("held", "nanoseconds")],
        samples: locks.iter().filter(|lock| lock.held).map(sample).collect(),
    }
}

/// Who waits for which lock, and for how long.
pub fn lock_blockers(locks: &[LockReport], tasks: &[TaskReport]) -> Stacks {
    let tasks = by_id(tasks);
    let samples = locks.iter().flat_map(|lock| {
        let tasks = &tasks;
        lock.waiters.iter().map(move |waiter| {
            let waited_ns = waiter.waited_ms.saturating_mul(NANOS_PER_MILLI);
            of_lock(lock, &waiter.site, tasks.get(&waiter.task).copied(), [1, waited_ns])
        })
    });
    Stacks {
        name: "lockBlockers",
        types: &[("contentions", "count"), ("delay", "nanoseconds")],
        samples: samples.collect(),
    }
}

fn of_lock(lock: &LockReport, site: &str, task: Option<&TaskReport>, values: [u64; 2]) -> Sample {
    let name = shown(&lock.name);
    let taking = Frame::new(format!("lock \"{}\"", shown(&pattern(&lock.name))), site);
    let mut labels = vec![("lock", name)];
    labels.extend(task.into_iter().flat_map(self::labels));
    Sample {
        stack: std::iter::once(taking).chain(task.into_iter().flat_map(below)).collect(),
        values,
        labels,
    }
}

/// By identity, so that a profile of many locks is no walk over all tasks for each.
fn by_id(tasks: &[TaskReport]) -> HashMap<TaskId, &TaskReport> {
    tasks.iter().map(|task| (task.id, task)).collect()
}

/// The innermost frame: what a task waits for, or how it stands.
fn doing(task: &TaskReport) -> Frame {
    let word = match (&task.state, task.kind) {
        (TaskState::Ready, _) => "ready",
        (TaskState::Running, TaskKind::Task) => "running",
        (TaskState::Running, TaskKind::Blocking | TaskKind::Thread) => "running or in a system call",
        (_, _) => "waiting",
    };
    let site = task.waits.first().map_or(task.site.as_str(), |wait| wait.site.as_str());
    let waits: Vec<_> = task.waits.iter().map(wait_words).collect();
    Frame::new(if waits.is_empty() { word.to_owned() } else { waits.join(" or ") }, site)
}

/// The frames below what a task is doing: the named parts of its future, and what started it.
fn below(task: &TaskReport) -> impl Iterator<Item = Frame> + '_ {
    let named = task.frames.iter().map(|frame| Frame::new(shown(&pattern(&frame.name)), &frame.site));
    named.chain(std::iter::once(Frame::new(shown(&pattern(&task.name)), &task.site)))
}

fn wait_words(wait: &WaitReport) -> String {
    let on = wait.on.as_ref().map(|on| format!(" \"{}\"", shown(&pattern(on)))).unwrap_or_default();
    format!("{}{on}", wait.kind.words())
}

fn labels(task: &TaskReport) -> Labels {
    let torrent = task.torrent.map(|torrent| ("torrent", torrent.to_string()));
    let peer = task.peer.map(|peer| ("peer", peer.to_string()));
    std::iter::once(("task", shown(&task.name))).chain(torrent).chain(peer).collect()
}

fn has_ended(state: &TaskState) -> bool {
    match state {
        TaskState::Running | TaskState::Ready | TaskState::Waiting => false,
        TaskState::Finished | TaskState::Aborted | TaskState::Panicked(_) => true,
    }
}

#[cfg(test)]
pub(super) mod tests;
