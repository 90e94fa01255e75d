//! Peers: addresses known, connections up, what is asked of each, what each asks of us, who is choked, who is banned.
//!
//! Everything here is state of one torrent, reached only through its owner.

pub(in crate::engine) mod ban;
pub(in crate::engine) mod choker;
pub(in crate::engine) mod connection;
pub(in crate::engine) mod history;
pub(in crate::engine) mod known;
pub(in crate::engine) mod rate;
pub(in crate::engine) mod requests;
pub(in crate::engine) mod upload;
