//! unchoke: a terminal torrent manager with its own BitTorrent engine in the same process.

pub mod cli;
pub mod codec;
pub mod contract;
pub mod engine;
pub mod inspect;
pub mod limits;
pub mod metainfo;
pub mod session;
pub mod transport;
pub mod tui;
pub mod units;
