//! Bounds of the flight recorder.

use std::time::Duration;

/// Bytes that the recording of one torrent takes, in memory and, its info dictionary aside, in the file: what the last
/// minutes of a busy torrent come to, while hundreds of torrents fit into a server.
pub const RECORDING_BYTES_MAX: usize = 16 << 20;

/// How far back a recording goes: longer than any wait of the engine that a person would sit out before asking.
pub const RECORDING_SPAN: Duration = Duration::from_secs(600);

/// A recording is cut into so many parts, each with the state that it begins with: the oldest goes as a whole, so at most
/// one part of what could be kept is lost.
pub const RECORDING_PARTS: u32 = 4;

/// Largest state of a torrent that is recorded: that of about 1.4 million pieces. What is left is room for inputs, and as
/// much of them as the largest part of a smaller torrent has: large states are not written more often than others.
pub const RECORDED_STATE_BYTES_MAX: usize = RECORDING_BYTES_MAX / 4 * 3;

/// Longest payload of one input that a recording may claim when it is read: more than any read or block has.
pub const RECORDED_PAYLOAD_BYTES_MAX: usize = 4 << 20;

/// Largest recording file that is read: a recording, and the largest info dictionary.
pub const RECORDING_FILE_BYTES_MAX: u64 = 160 << 20;

/// Most inputs of one turn that a replay keeps: many times more than a driver takes at once, and than there are
/// connections that may end in one turn.
pub const REPLAY_TURN_INPUTS_MAX: usize = 65_536;

/// A turn that takes longer to replay is given up: the longest of a torrent of a million pieces takes a second.
pub const REPLAY_TURN_TIME_MAX: Duration = Duration::from_secs(60);

/// A replay tells of a torrent that downloads and gets nothing for so long: longer than a request may be overdue.
pub const REPLAY_STALL: Duration = Duration::from_secs(10);
