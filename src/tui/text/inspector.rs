//! Words of the inspector.

use crate::contract::DumpKind;
use crate::tui::inspector::{Mark, SortKey};
use crate::tui::torrents::Direction;

/// Its name.
pub const INSPECTOR: &str = "Inspector";
/// Before what is waited for.
pub const WAITS_FOR: &str = "waits for";
/// Before the line that made something.
pub const MADE_AT: &str = "made at";
/// Before a line of the source.
pub const AT: &str = "at";
/// What runs.
pub const TASK: &str = "task";
/// Before an age.
pub const OLD: &str = "age";
/// Polled by the runtime.
pub const KIND_TASK: &str = "async";
/// On the pool for blocking calls.
pub const KIND_BLOCKING: &str = "blocking";
/// A thread of its own.
pub const KIND_THREAD: &str = "thread";
/// Before a panic's text.
pub const PANICKED: &str = "panicked";
/// Before the frames of a task.
pub const FRAMES: &str = "in";
/// Before a task's number.
pub const IDENTITY: &str = "is";
/// Before the parent of a task.
pub const STARTED_BY: &str = "started by";
/// Who was not started by `inspect`, or has not been seen.
pub const NOBODY_KNOWN: &str = "nobody known";
/// Before a torrent.
pub const FOR_TORRENT: &str = "torrent";
/// Before a peer.
pub const FOR_PEER: &str = "peer";
/// Before the number of polls.
pub const POLLS: &str = "polls";
/// Before the age of a poll.
pub const POLL_NOW: &str = "in a poll for";
/// Before who holds a lock.
pub const HELD_BY: &str = "held by";
/// Before whom it takes to go on.
pub const BEHIND: &str = "behind";
/// Before those who wait.
pub const WAITING: &str = "waiting";
/// Before the longest times.
pub const LONGEST: &str = "longest";
/// Before how often something was taken.
pub const TAKEN: &str = "taken";
/// Before who takes from a queue.
pub const SERVED_BY: &str = "taken from by";
/// A task that has not been seen.
pub const SERVED_BY_TASK: &str = "a task that has not been seen";
/// Many threads.
pub const SERVED_BY_POOL: &str = "a pool of threads";
/// Nobody is there any more.
pub const SERVED_BY_NOBODY: &str = "nobody: its reader is gone, and what was inside with it";
/// Before the items of a queue.
pub const INSIDE: &str = "inside";
/// Before how long a queue has been full.
pub const FULL_FOR: &str = "full for";
/// Before what went into a queue.
pub const SENT_IN: &str = "sent in";
/// Before the permits of a semaphore.
pub const PERMITS: &str = "permits";
/// Before the task of an owner.
pub const RUN_BY: &str = "run by";
/// Before the depth of an owner's queue.
pub const IN_ITS_QUEUE: &str = "in its queue";
/// Before the turns of an owner.
pub const TURNS: &str = "turns";
/// Before the age of a turn.
pub const TURN_NOW: &str = "in a turn for";
/// Before how late an owner was.
pub const LATE_BY: &str = "late by";
/// A task in a circle of waits.
pub const DEADLOCK: &str = "deadlock";
/// A task that waits for no other, and that others wait for.
pub const HOLDS_UP: &str = "holds up";
/// A task that waits for another one.
pub const IN_WAIT: &str = "waiting";
/// A row that is not there any more.
pub const INSPECTED_GONE: &str = "It is not there any more.";
/// A row that leads nowhere.
pub const LEADS_NOWHERE: &str = "This leads to no other row.";
/// No place to go back to.
pub const NO_WAY_BACK: &str = "There is no place to go back to.";
/// A task that is no peer's.
pub const NO_PEER: &str = "This task works for no peer.";
/// A look was kept.
pub const BASE_KEPT: &str = "Kept. Later, look at what differs from it.";
/// There is no look to compare with.
pub const NO_BASE: &str = "No look of this page is kept to compare with.";
/// Nothing differs.
pub const NO_CHANGE: &str = "Nothing differs from the look that was kept.";
/// What is shown differs from the kept look.
pub const COMPARED: &str = "CHANGES since the kept look";
/// Where the filter leaves none.
pub const NO_ROW_MATCHES: &str = "Nothing matches the filter.";
/// A page with nothing on it.
pub const NOTHING_HERE: &str = "There is none.";
/// Title of its sort menu.
pub const INSPECTOR_SORT: &str = "Sort by";
/// What is saved where there is nothing.
pub const NOTHING_TO_SAVE: &str = "There is nothing to save yet.";
/// What is copied where there is nothing.
pub const NOTHING_TO_COPY: &str = "There is nothing to copy here.";
/// The page is in the clipboard.
pub const PAGE_COPIED: &str = "Sent to the clipboard: this page";
/// The row is in the clipboard.
pub const ROW_COPIED: &str = "Sent to the clipboard: this row in full";
/// A dump is on its way to a file.
pub const DUMPING: &str = "Writing a dump of all pages...";
/// Saving is not possible.
pub const CANNOT_SAVE: &str = "Files cannot be saved from here.";

/// Another file is to be written before one is.
pub const STILL_WRITING: &str = "The last file is still being written.";

/// A page of it.
pub const fn inspector_page(kind: DumpKind) -> &'static str {
    match kind {
        DumpKind::Tasks => "tasks",
        DumpKind::Locks => "locks",
        DumpKind::Queues => "queues",
        DumpKind::Semaphores => "semaphores",
        DumpKind::Owners => "owners",
        DumpKind::Waits => "waits",
    }
}

/// One row of a page.
pub const fn inspector_row(kind: DumpKind) -> &'static str {
    match kind {
        DumpKind::Tasks | DumpKind::Waits => "task",
        DumpKind::Locks => "lock",
        DumpKind::Queues => "queue",
        DumpKind::Semaphores => "semaphore",
        DumpKind::Owners => "owner",
    }
}

/// Stuck things that have no row.
pub fn more_stuck(count: usize) -> String {
    format!("and {count} more that are stuck")
}

/// The heading of what a page says of a row beside its numbers.
pub const fn about_heading(kind: DumpKind) -> &'static str {
    match kind {
        DumpKind::Tasks | DumpKind::Waits => "Waits for",
        DumpKind::Locks => "Held by",
        DumpKind::Queues => "Inside",
        DumpKind::Semaphores => "Permits",
        DumpKind::Owners => "Longest turn",
    }
}

/// What groups are sorted by; `numbers` are the words of the page's numbers.
pub fn inspector_sort(key: SortKey, numbers: &[&'static str]) -> &'static str {
    match key {
        SortKey::Notable => "what to look at first",
        SortKey::Count => "count",
        SortKey::Time => "time",
        SortKey::Name => "name",
        SortKey::Number(at) => numbers.get(at).copied().unwrap_or("number"),
    }
}

/// What a page is sorted by.
pub fn inspector_sorted(key: SortKey, direction: Direction, numbers: &[&'static str]) -> String {
    format!("by {} {}", inspector_sort(key, numbers), super::sort_mark(direction))
}

/// How something differs.
pub const fn mark(mark: Mark) -> &'static str {
    match mark {
        Mark::New => "new",
        Mark::Gone => "gone",
        Mark::Changed => "changed",
    }
}

/// A text was saved.
pub fn saved(path: &str) -> String {
    format!("Saved as {path}")
}

/// A text was not saved.
pub fn not_saved(error: &str) -> String {
    format!("Not saved: {error}")
}
