//! Bounds on webseeds (BEP 19, BEP 17).

use std::time::Duration;

/// Requests of one webseed that are under way at a time, unless a person sets another number. Four keep a connection
/// busy while another one is between two answers.
pub const WEBSEED_REQUESTS: u32 = 4;

/// The most that a person can set: more would be taken for an attack by many servers.
pub const WEBSEED_REQUESTS_CAP: u32 = 32;

/// Requests under way at one host, over all torrents and webseeds.
pub const HOST_REQUESTS: u32 = 8;

/// Bytes of one request: so large that a round trip between two does not count, so small that what is lost when a
/// server closes midway, and what one request keeps from peers, is little.
pub const FETCH_BYTES_MAX: u64 = 16 << 20;

/// Bytes of a request of a webseed whose rate is not known yet.
pub const FETCH_BYTES_FIRST: u64 = 4 << 20;

/// A request asks for what the webseed gives in this time, within `FETCH_BYTES_MAX`: a slow one holds little.
pub const FETCH_SPAN: Duration = Duration::from_secs(8);

/// Requests of one torrent under way at a time, over all of its webseeds: a torrent may name a thousand, at as many ports
/// of somebody who never asked for it, and each takes a connection.
pub const FETCHES_MAX: usize = 32;

/// Files of one request: each is asked for by itself, one after the other, while other requests do the same.
pub const FETCH_PARTS_MAX: usize = 64;

/// Files of one block: a torrent of a million files of a byte each would need a million URLs at once. What lies in more
/// is left to peers.
pub const FETCH_BLOCK_PARTS_MAX: usize = 512;

/// Pieces looked at to find the longest run of free ones.
pub const FETCH_VISITS_MAX: usize = 4096;

/// A request that brought no byte for this long gives its blocks to others; it may still bring them.
pub const FETCH_STALL: Duration = Duration::from_secs(5);

/// Where peers have nothing else to ask for, a request keeps what it brings in this time, and gives up the rest.
pub const FETCH_KEPT_SPAN: Duration = Duration::from_secs(2);

/// A request is judged by its rate after this long: less tells of the way there, not of the server.
pub const FETCH_RATE_SHOWN: Duration = Duration::from_millis(500);

/// The wait after the first failure of a host; doubled with each further one.
pub const WEBSEED_RETRY_MIN: Duration = Duration::from_secs(2);

/// The longest wait that grows by itself: a server that was down for hours is found again within minutes.
pub const WEBSEED_RETRY_MAX: Duration = Duration::from_secs(300);

/// The longest wait that a server may ask for (Retry-After): a day.
pub const WEBSEED_RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Bytes that may wait at a fetch for their turn under a rate limit.
pub const FETCH_CREDIT_BYTES: u64 = 256 * 1024;
