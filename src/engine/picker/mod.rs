//! Which piece comes next: the order of requestable pieces and the scan of it for one peer.
//!
//! The order is one structure in which every change costs the same, whatever the torrent's size. The torrent's pieces
//! put in and take out; request planning asks.

mod order;
mod scan;

pub(in crate::engine) use order::{Ordering, PieceOrder};
pub(in crate::engine) use scan::Scan;
