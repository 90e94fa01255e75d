//! The one place where the program reads a clock for its engine.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::units::Time;

/// The engine's clock: monotonic, from the start of the program.
#[derive(Clone, Copy, Debug)]
pub(in crate::session) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub(in crate::session) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The present instant.
    pub(in crate::session) fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The runtime's instant for an engine's one, to sleep until.
    pub(in crate::session) fn instant(&self, at: Time) -> tokio::time::Instant {
        (self.start + Duration::from_micros(at.as_micros())).into()
    }
}

/// Seconds since the Unix epoch by the wall clock.
pub(in crate::session) fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
