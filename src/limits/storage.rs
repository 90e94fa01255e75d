//! Bounds of what is kept on disk: payload and the state store.

use std::time::Duration;

use super::TORRENT_BYTES_MAX;

// ---- payload on disk ---------------------------------------------------------------------------------------------

/// Fewest disk threads: hashing and writing of several pieces must overlap even on one core.
pub const DISK_THREADS_MIN: usize = 4;

/// Most disk threads of one device: beyond this its queue gains nothing.
pub const DISK_THREADS_MAX: usize = 16;

/// Threads for folders whose device is not known yet, one for each: as many folders of a server that is gone may be on
/// the saved list before other torrents that come back wait for them.
pub const DISK_UNKNOWN_THREADS: usize = 64;

/// Disk threads of all devices: six of the largest that hang with all of theirs leave a seventh its own. They are
/// started when needed, and each has a buffer of [`DISK_CHUNK_BYTES`].
pub const DISK_THREADS_TOTAL: usize = DISK_UNKNOWN_THREADS + 7 * (DISK_THREADS_MAX + 1);

/// Threads for syncs alone, of one device: one may hang for half a minute.
pub const DISK_SYNC_THREADS: usize = 2;

/// Jobs that wait for a disk thread. Payload is bounded by bytes; this bounds reads and checks, which carry none.
pub const DISK_JOBS_MAX: usize = 16_384;

/// Above this many payload bytes waiting for a disk thread, sockets are not read: about a second of a slow disk.
pub const DISK_QUEUE_HIGH_BYTES: u64 = 64 * 1024 * 1024;

/// Below this many they are read again: half, so that connections do not stop and start with each block.
pub const DISK_QUEUE_LOW_BYTES: u64 = 32 * 1024 * 1024;

/// A torrent with fewer payload bytes waiting than this reads its sockets whatever the others have waiting: enough to
/// keep a disk busy for the milliseconds until more come, little enough for hundreds of torrents at once.
pub const DISK_OWN_QUEUE_HIGH_BYTES: u64 = 2 * 1024 * 1024;

/// Below this many it reads them again.
pub const DISK_OWN_QUEUE_LOW_BYTES: u64 = DISK_OWN_QUEUE_HIGH_BYTES / 2;

/// Bytes read at once for hashing: past this a read call costs no less per byte, and it stays in the cache.
pub const DISK_CHUNK_BYTES: usize = 512 * 1024;

/// Buffers in one write call: the kernel's own bound (`IOV_MAX`).
pub const DISK_SLICES_PER_WRITE: usize = 1024;

/// Descriptors that payload files never take: standard streams, the state store, listeners, trackers, the front end.
pub const OPEN_FILES_RESERVED_DESCRIPTORS: u64 = 64;

/// Payload files take one of this many of the remaining descriptors; most of the rest are for peers.
pub const OPEN_FILES_SHARE_OF_DESCRIPTORS: u64 = 4;

/// Fewest payload files kept open, whatever the descriptor limit: one for each disk thread.
pub const OPEN_FILES_MIN: usize = DISK_THREADS_MAX;

/// Most payload files kept open: more saves nothing measurable over opening them again.
pub const OPEN_FILES_MAX: usize = 4096;

/// Slots of a part file: one for each deselected file of the largest torrent that shares a piece with a wanted one.
pub const PART_SLOTS_MAX: u64 = super::FILES_MAX as u64;

/// Bytes of a magnet link: room for more trackers than are kept, and for the longest name.
pub const MAGNET_BYTES_MAX: usize = 1 << 20;

/// Ranges of files in a magnet link: more do not fit what people paste, and each is looked at when files are chosen.
pub const SELECTION_RANGES_MAX: usize = 10_000;

/// Characters shown of a magnet parameter that was left out: enough to know it again, short enough for a line.
pub const LEFT_OUT_CHARS_MAX: usize = 200;
// ---- state store -------------------------------------------------------------------------------------------------

/// Memory for the store's pages: the index of some thousand torrents; values are read once, at the start.
pub const STORE_CACHE_BYTES: usize = 16 * 1024 * 1024;

/// Largest value read back: the largest .torrent file that is accepted, with room for the fields around it.
pub const STORE_VALUE_BYTES_MAX: usize = TORRENT_BYTES_MAX + 1024 * 1024;

/// Requests that wait for the store's thread: a save of every torrent of a large list at once.
pub const STORE_REQUESTS_MAX: usize = 4096;

/// Changes joined into one commit: 2,000 take about 5 ms, beyond which the first one would wait for the last.
pub const STORE_COMMIT_CHANGES_MAX: usize = 2000;

/// Damaged store files kept beside each other; more mean a failing disk, which a person must look at.
pub const DAMAGED_FILES_MAX: u32 = 1000;

/// Wait for the disk of a torrent of the saved list before the next one is brought back: longer than a disk takes to
/// spin up.
pub const RESTORE_PATIENCE: Duration = Duration::from_secs(15);

/// The same once one did not answer in that time: the others of its disk will not either, and there may be hundreds.
pub const RESTORE_PATIENCE_NEXT: Duration = Duration::from_millis(200);
