//! Bytes to messages and back: total, stateless, no IO. Hostile bytes give an error, never a panic.

pub mod peer;
pub mod tracker;
