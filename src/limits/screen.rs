//! Bounds of the screen: its pace, its size, and what waits for it.

use std::time::Duration;

/// Least time between two frames: thirty a second feels immediate, and a busy screen over SSH stays cheap.
pub const FRAME_INTERVAL: Duration = Duration::from_millis(33);

/// How often time alone changes the screen (messages that run out, a terminal that went away).
pub const SCREEN_TICK: Duration = Duration::from_secs(1);

/// Columns below which no list can be read; the screen then says so instead.
pub const SCREEN_COLUMNS_MIN: u16 = 30;

/// Rows below which no list can be read.
pub const SCREEN_ROWS_MIN: u16 = 8;

/// Columns drawn at most: a terminal that claims more must not make us allocate for it.
pub const SCREEN_COLUMNS_MAX: u16 = 1_000;

/// Rows drawn at most, for the same reason.
pub const SCREEN_ROWS_MAX: u16 = 500;

/// How long a message stays on the screen before the next takes its place.
pub const TOAST_SHOWN: Duration = Duration::from_secs(5);

/// Messages that wait to be shown; the oldest gives way.
pub const TOASTS_MAX: usize = 32;

/// Bytes of a paste or of an input line: the longest magnets in the wild have some hundred trackers, 20 KiB.
pub const INPUT_BYTES_MAX: usize = 64 * 1024;

/// Lines of one paste that become torrents to add, one after the other.
pub const ADD_QUEUE_MAX: usize = 100;

/// Commands whose answer the screen waits for at once; a task each.
pub const ASKS_MAX: usize = 64;

/// Commands that wait behind those: one for each of more torrents than anyone has. The next is refused with a message.
pub const ASKS_WAITING_MAX: usize = 100_000;

/// Depth of a file tree; deeper folders are shown as part of the file's name.
pub const TREE_DEPTH_MAX: usize = 32;

/// Files up to which a tree is opened in full at first; above, only its outermost folder is.
pub const TREE_OPEN_FILES_MAX: usize = 500;

/// How long the way out waits for a terminal that does not read before it leaves it as it is.
pub const TERMINAL_LEAVE_WAIT: Duration = Duration::from_millis(500);

/// The steps that the limit keys walk, in bytes per second; above the last there is no limit.
pub const RATE_STEPS: [u64; 13] = [
    16 << 10,
    32 << 10,
    64 << 10,
    128 << 10,
    256 << 10,
    512 << 10,
    1 << 20,
    2 << 20,
    5 << 20,
    10 << 20,
    20 << 20,
    50 << 20,
    100 << 20,
];

/// How long the thread that reads the terminal waits for a key before it looks whether the screen is still there.
pub const TERMINAL_POLL: Duration = Duration::from_millis(500);

/// Keys that wait for a screen that is busy; further ones stay with the terminal.
pub const TERMINAL_INPUTS_MAX: usize = 256;

/// How long the writer waits before it tries a terminal again that takes nothing at once.
pub const TERMINAL_RETRY: Duration = Duration::from_millis(5);

/// Jumps of the inspector that can be taken back: more steps than a chain of waits has that one follows by hand.
pub const INSPECTOR_TRAIL_MAX: usize = 64;

/// Texts whose writing the screen waits for at once: one for each press of a key that is held down for a moment.
pub const SAVES_MAX: usize = 16;

/// A slow turn of the screen is told again after so long: the telling makes a turn of its own.
pub const SCREEN_SLOW_EVERY: Duration = Duration::from_secs(5);
