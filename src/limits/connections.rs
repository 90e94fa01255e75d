//! Connections to peers: how many, of one torrent and of all together.

/// With fewer connections than this a torrent that downloads asks its trackers sooner.
pub const CONNECTIONS_WANTED: usize = 20;

/// Connections of one torrent.
pub const CONNECTIONS_PER_TORRENT_MAX: usize = 100;

/// Connections of all torrents together, half-open ones counted: each takes a descriptor and some 50 KiB of buffers.
pub const CONNECTIONS_MAX: u32 = 4000;

/// Of the descriptors that the system allows one in this many is for connections to peers; the others are for files,
/// webseeds, trackers and front ends.
pub const CONNECTIONS_SHARE_OF_DESCRIPTORS: u64 = 2;

/// Connections that are allowed even where the system gives few descriptors: less would be no torrent client.
pub const CONNECTIONS_MIN: u32 = 50;

/// Shares of connection slots are worked out anew at most this often: while slots are scarce each change concerns many
/// torrents, and a connection lives for minutes.
pub const CONNECTION_SLOTS_INTERVAL: std::time::Duration = std::time::Duration::from_millis(500);
