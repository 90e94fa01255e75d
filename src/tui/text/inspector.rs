//! Words of the inspector.

use crate::contract::DumpKind;

/// Its name.
pub const INSPECTOR: &str = "Inspector";
/// Before what is waited for.
pub const WAITS_FOR: &str = "waits for";
/// Before the line that made something.
pub const MADE_AT: &str = "made at";

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

/// Stuck things that have no row.
pub fn more_stuck(count: usize) -> String {
    format!("and {count} more that are stuck")
}
