//! What is told of a running program, as text for people and as the formats of other programs: values of the contract
//! in, lines or bytes out.
//!
//! [`profiles`] turns tasks and locks into stacks, [`Stacks::encode`] those into what `go tool pprof` reads and
//! [`Stacks::text`] into Go's `debug=1`; [`blocks`] is Go's `debug=2`, [`status`] the torrents as text, [`metrics`] what
//! Prometheus reads. Used by the command line and by the diagnostics server. Whatever comes from outside is made safe to
//! show here: a profile ends on a terminal too.

mod blocks;
mod metrics;
mod pattern;
mod profile;
pub mod profiles;
mod stacks;
mod status;

pub use blocks::blocks;
pub use metrics::{Measured, NAMES as METRIC_NAMES, metrics};
pub use pattern::pattern;
pub use stacks::{Frame, Sample, Stacks};
pub use status::status;

use crate::contract::Untrusted;

/// Text from outside, safe to show.
fn shown(text: &str) -> String {
    Untrusted::new(text).shown()
}

/// Seconds with one digit below: `7.0s`.
fn seconds(millis: u64) -> String {
    format!("{}.{}s", millis / 1000, millis % 1000 / 100)
}
