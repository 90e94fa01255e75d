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

/// Room for one read of a new or slow connection: two blocks and their heads fit.
pub const READ_BYTES_MIN: usize = 32 * 1024;

/// Room for one read of a fast connection: past this, larger reads gain nothing and a kept block pins more memory.
pub const READ_BYTES_MAX: usize = 256 * 1024;

/// Least room a read is started with: less would cost a system call for a fraction of a block.
pub const READ_SPARE_BYTES_MIN: usize = 8 * 1024;

/// Reads in a row that leave three quarters of their room unused before the room is halved.
pub const READ_SMALL_MAX: u32 = 16;

/// Deepest nesting of bencode in messages and tracker answers: known ones need 4.
pub const BENCODE_DEPTH_MAX: usize = 16;

/// Most values in one bencoded message or tracker answer: 10,000 peers in the dictionary form are 40,000.
pub const BENCODE_VALUES_MAX: usize = 65_536;

/// Longest text we keep of what a peer calls itself (extension handshake `v`), bytes.
pub const CLIENT_NAME_BYTES_MAX: usize = 64;

/// Largest info dictionary we take from peers, bytes: 2 million v1 pieces need 40 MiB; libtorrent stops at about 30.
pub const METADATA_BYTES_MAX: u32 = 48 * 1024 * 1024;

// ---- trackers ----------------------------------------------------------------------------------------------------

/// Most peers taken from one answer: far over any swarm we connect to at once, far under what 1 MiB could hold.
pub const TRACKER_PEERS_MAX: usize = 4_000;

/// Longest text kept of a tracker's refusal or warning, bytes: a paragraph for people, not a page.
pub const TRACKER_TEXT_BYTES_MAX: usize = 512;

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

// ---- command line ------------------------------------------------------------------------------------------------

/// Largest configuration file: ours has ten keys; more than this is some other file named by mistake.
pub const CONFIG_BYTES_MAX: u64 = 1024 * 1024;
