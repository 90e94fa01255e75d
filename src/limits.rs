//! Every bound of the program, with its unit and its reason.
//!
//! A bound that is not here does not exist; a literal bound elsewhere is a defect.

use std::time::Duration;

// ---- pieces and blocks -------------------------------------------------------------------------------------------

/// Bytes of a block: what every client requests (BEP 3), and the size of a v2 leaf (BEP 52).
pub const BLOCK_BYTES: u32 = 16 * 1024;

// ---- peer wire ---------------------------------------------------------------------------------------------------

/// Longest peer message we read, length prefix aside: a bitfield of `PIECES_MAX` pieces, the largest legal one.
pub const MESSAGE_BYTES_MAX: u32 = PIECES_MAX / 8 + 1;

/// Longest block we serve; larger requests are a violation (every known client asks 16 KiB; libtorrent's cap is 128 KiB).
pub const REQUEST_BYTES_MAX: u32 = 128 * 1024;

/// Most pieces of a torrent: what libtorrent accepts, so that nothing it makes is refused by us.
pub const PIECES_MAX: u32 = 0x20_0000;

// ---- turns -------------------------------------------------------------------------------------------------------

/// A turn of an owner longer than this is an event: the user would feel it.
pub const TURN_SLOW: Duration = Duration::from_millis(50);

// ---- inspector ---------------------------------------------------------------------------------------------------

/// Ended tasks that the registry still shows: the last minute of a busy swarm, and every recent panic with it.
pub const ENDED_TASKS_KEPT: usize = 256;

/// Panics that wait for a subscriber; beyond that only the registry has them.
pub const PANIC_QUEUE: usize = 64;

/// Bytes kept of a panic's text: a debug print of a whole table must not fill the log.
pub const PANIC_TEXT_BYTES_MAX: usize = 4096;
