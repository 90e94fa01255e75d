//! Tests against real clients and a real tracker, on loopback.
//!
//! Each test starts its own instances on ports of its own, in its own temporary folder, and every wait has a bound; a
//! process dies with the value that stands for it. A client that is not installed is skipped aloud, or fails the test
//! where `UNCHOKE_REAL_CLIENTS=required`.
//!
//! `rivals` holds the rivals against each other through the same harness: while it passes, a failure in the other
//! modules is ours.

mod busy;
mod clients;
mod create;
pub(crate) mod http;
mod kill_resume;
mod magnets;
mod matrix;
pub(crate) mod payload;
mod pprof;
mod priority;
pub(crate) mod process;
mod rivals;
mod selection;
pub(crate) mod stub_tracker;
mod swarm;
mod torrent_files;
mod trackers;
pub(crate) mod unchoke;
mod webseeds;
mod wire_tap;
