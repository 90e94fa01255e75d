//! Bounds of asking a webseed for bytes.

use std::time::Duration;

/// From a request of a webseed to the head of its answer: name, connection, TLS and redirects included.
pub const WEBSEED_HEAD_WAIT: Duration = Duration::from_secs(20);

/// Silence in the body of a webseed's answer, as long as we read it: past it its blocks are worth asking elsewhere.
pub const WEBSEED_IDLE_WAIT: Duration = Duration::from_secs(20);

/// Bytes thrown away to reach a range in an answer that is the whole file: more would cost as much as what is fetched.
pub const WEBSEED_SKIP_BYTES_MAX: u64 = 1024 * 1024;

/// Blocks of one fetch in one input: what one read off a quick connection holds (400 KiB) and a little more.
pub const WEBSEED_BLOCKS_PER_INPUT_MAX: usize = 32;

/// Inputs of one fetch that wait for its torrent: one being filled while another is taken. A torrent may have dozens of
/// fetches, and its queue has room for 256 inputs.
pub const WEBSEED_INPUTS_MAX: usize = 2;

/// Bytes read of the body that says how long a BEP 17 server is busy: a number in ASCII, with room for line ends.
pub const WEBSEED_RETRY_BODY_BYTES_MAX: usize = 32;

/// Wait for the end of a body whose bytes are all here, so that its connection can be used again: a server that has not
/// said so by then costs us less as a new connection.
pub const WEBSEED_TAIL_WAIT: Duration = Duration::from_millis(200);

/// From the end of a body to the next request over its connection: what the HTTP library needs to see that it is free.
pub const WEBSEED_REUSE_WAIT: Duration = Duration::from_millis(1);

/// Connections to one webseed's host kept open while not in use: as many as it is commonly asked over at a time.
pub const WEBSEED_IDLE_CONNECTIONS_MAX: usize = 8;

/// Bytes of one body over HTTP/2 that may come before we read them: 10 MB/s at 100 ms from us, and there are several.
pub const WEBSEED_STREAM_WINDOW_BYTES: u32 = 1024 * 1024;

/// The same of all bodies of one connection: those that nobody reads, for want of credit, must not use up what those
/// need that somebody does. Enough for 32 of them.
pub const WEBSEED_CONNECTION_WINDOW_BYTES: u32 = 32 * WEBSEED_STREAM_WINDOW_BYTES;

/// Characters quoted of a header that cannot be understood: it may be hundreds of kilobytes long.
pub const WEBSEED_QUOTE_CHARS_MAX: usize = 80;
