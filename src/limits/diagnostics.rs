//! Bounds of what is told of a running program to those who look for a fault.

use std::time::Duration;

// ---- report of all torrents --------------------------------------------------------------------------------------

/// How long the task that keeps the list is asked for a sign of life before a report: a working one answers at once.
pub const STATUS_CONTROL_WAIT: Duration = Duration::from_millis(500);

/// How long the owner of one torrent is waited for: ten times the turn that is told as slow.
pub const STATUS_OWNER_WAIT: Duration = Duration::from_millis(500);

/// How long all owners together are waited for: a report comes while the one who asked still looks.
pub const STATUS_OWNERS_WAIT: Duration = Duration::from_secs(3);

/// Owners that are asked side by side: each builds its torrent in full, which may be megabytes.
pub const STATUS_OWNERS_AT_ONCE: usize = 16;

/// Runs of pieces that a report shows of one torrent: a screen full; the counts beside it say the rest.
pub const STATUS_RUNS_MAX: usize = 256;

/// Numbers of peers told apart in a report's line of availability: in a larger swarm the rest are counted as one.
pub const STATUS_AVAILABILITIES_MAX: usize = 64;

/// Pieces that a report names of what one peer is asked for: a line or two.
pub const STATUS_PIECES_MAX: usize = 32;

// ---- diagnostics server ------------------------------------------------------------------------------------------

/// Clients of the diagnostics server that are served at once: a person, a scraper, a profiler. Beyond them the oldest is
/// cut off, so that no number of slow readers keeps a new one out.
pub const DIAGNOSTICS_CLIENTS_MAX: usize = 8;

/// Longest time from taking a client to the last byte of its answer: a slow reader is cut off.
pub const DIAGNOSTICS_CLIENT_MAX: Duration = Duration::from_secs(30);

/// Longest wait for the head of a request.
pub const DIAGNOSTICS_HEAD_MAX: Duration = Duration::from_secs(5);

/// Bytes of the head of a request: a line and a few headers, hyper's own least.
pub const DIAGNOSTICS_HEAD_BYTES_MAX: usize = 8 * 1024;

/// Torrents that `/metrics` has series of their own for, the first of the list: twenty series each, and a scraper stores
/// every one.
pub const METRICS_TORRENTS_MAX: usize = 2048;

// ---- dumps on a signal -------------------------------------------------------------------------------------------

/// Dumps on SIGUSR1 that are kept: enough to compare a few, and never more than some megabytes.
pub const SIGNAL_DUMPS_KEPT: usize = 8;
