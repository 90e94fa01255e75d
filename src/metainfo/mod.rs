//! What a torrent is: reading .torrent files and magnets (v1, v2, hybrid), file layout, piece hashes, making
//! torrents.
//!
//! Everything here takes bytes from strangers: an input is scanned for depth and counts before anything is
//! read from it, each refusal is a named class of [`MetainfoError`], and whatever comes out is consistent:
//! paths are inside the save folder and unique, offsets and counts fit, every hash that was given fits its
//! place. Pure; only `create` reads files.

pub mod create;
mod error;
mod info;
mod layout;
pub mod magnet;
pub mod merkle;
mod parse;
mod path;
mod read;
mod scan;
mod unique;
mod v1;
mod v2;
mod verify;

pub use error::MetainfoError;
pub use info::{File, Info, Kind};
pub use layout::Span;
pub use magnet::{Magnet, MagnetError};
pub use parse::{Metainfo, parse, parse_info};
pub use path::SafePath;
pub use verify::PieceHasher;

#[cfg(test)]
mod tests;
