//! Bytes to messages and back: total, stateless, no IO. Hostile bytes give an error, never a panic.

pub mod bencode;
pub mod extension;
pub mod handshake;
pub mod payload;
pub mod peer;
pub mod peer_id;
pub mod tracker;
pub mod tracker_http;
pub mod tracker_udp;
