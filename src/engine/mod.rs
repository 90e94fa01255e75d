//! The engine: pure machines without clock, socket, file, task or lock.
//!
//! One [`io::Input`] goes in at a time with the instant it happened; at the end of a turn the request plan is derived
//! from state and [`io::Effect`]s come out. Each machine says until when it may be left alone, and why.

mod bits;
pub mod budget;
pub mod io;
pub mod metadata;
mod peers;
mod picker;
mod random;
pub mod torrent;
pub mod trackers;
mod webseeds;

pub use peers::ban::BannedPeer;
pub use webseeds::NamedWebseed;
