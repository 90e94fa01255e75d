//! Whether anything is noted at all: a switch for measuring what the inspector costs, and for nothing else.
//!
//! While it is off, tasks are polled as they are, and locks and queues count nothing; what is registered stays so, and
//! wrappers around futures are still there. It is for a whole process and is thrown before anything is started: what was
//! counted by half would say nonsense.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether the inspector notes what goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noting {
    /// It does: so it is from the start.
    On,
    /// It does not: nothing that is stuck is found, and dumps say nothing.
    Off,
}

/// Throws the switch, for measuring what the inspector costs.
pub fn set_noting(noting: Noting) {
    IS_ON.store(noting == Noting::On, Relaxed);
}

/// Whether the inspector notes what goes on.
#[inline]
pub fn is_noting() -> bool {
    IS_ON.load(Relaxed)
}

static IS_ON: AtomicBool = AtomicBool::new(true);
