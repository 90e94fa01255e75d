//! Every bound of the program, with its unit and its reason.
//!
//! A bound that is not here does not exist; a literal bound elsewhere is a defect.

use std::time::Duration;

mod connections;
mod diagnostics;
mod fetches;
mod front;
mod recorder;
mod screen;
mod storage;
mod webseeds;

pub use connections::*;
pub use diagnostics::*;
pub use fetches::*;
pub use front::*;
pub use recorder::*;
pub use screen::*;
pub use storage::*;
pub use webseeds::*;

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

/// Most trackers of one torrent that are asked: real lists hold some dozens.
pub const TRACKERS_ASKED_MAX: usize = 256;

/// Longest tracker URL, bytes: what web servers take as a rule, and a UDP announce stays one datagram.
pub const TRACKER_URL_BYTES_MAX: usize = 4_096;

/// Peers asked for in an announce: what trackers give at most.
pub const TRACKER_NUM_WANT: u32 = 200;

/// Shortest interval between regular announces, whatever the tracker says (0 and negative ones are seen).
pub const TRACKER_INTERVAL_MIN: Duration = Duration::from_secs(60);

/// Longest interval: past it a tracker has usually forgotten us.
pub const TRACKER_INTERVAL_MAX: Duration = Duration::from_secs(3600);

/// Interval where the tracker names none: the customary one.
pub const TRACKER_INTERVAL_DEFAULT: Duration = Duration::from_secs(1800);

/// Least time between announces of a torrent in need of peers where the tracker names none: libtorrent's.
pub const TRACKER_MIN_INTERVAL_DEFAULT: Duration = Duration::from_secs(300);

/// Wait after the first failure of a tracker.
pub const TRACKER_RETRY_MIN: Duration = Duration::from_secs(15);

/// How each further failure stretches the wait, in percent.
pub const TRACKER_RETRY_GROWTH_PERCENT: u32 = 250;

/// Longest wait after failures: a tracker that is back is found within the hour.
pub const TRACKER_RETRY_MAX: Duration = Duration::from_secs(3600);

/// Longest wait that a tracker can ask for with `retry in` (BEP 31).
pub const TRACKER_RETRY_IN_MAX: Duration = Duration::from_secs(24 * 3600);

/// How long a stopping torrent waits for its goodbyes: a person waits for the program to end.
pub const TRACKER_STOP_WAIT: Duration = Duration::from_secs(5);

/// Time between scrapes of a tracker whose announces bring no counts.
pub const SCRAPE_INTERVAL: Duration = Duration::from_secs(1800);

// ---- asking over the network -------------------------------------------------------------------------------------

/// Announces and scrapes under way at once, for each of HTTP, UDP and goodbyes: 2,000 torrents starting must not open as many
/// sockets. libtorrent's figure.
pub const TRACKER_ASKS_MAX: usize = 50;

/// How long a tracker's host that did not answer is passed over while others wait: about the wait it cost.
pub const TRACKER_SILENCE_LIFE: Duration = Duration::from_secs(60);

/// Most silent hosts remembered: more are asked as if they lived.
pub const TRACKER_SILENT_HOSTS_MAX: usize = 1_024;

/// Longest answer of an HTTP tracker, bytes after inflating: 4,000 peers in the dictionary form are a quarter of it.
pub const TRACKER_ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Longest datagram of a UDP tracker, bytes: with more the packet would hold more peers than we take.
pub const TRACKER_DATAGRAM_BYTES_MAX: usize = 32 * 1024;

/// A whole announce over HTTP, redirects included: drips end here.
pub const TRACKER_HTTP_WAIT: Duration = Duration::from_secs(30);

/// A whole announce over UDP: the first two waits of BEP 15 (15 s and 30 s) fit in, with room for the answer.
pub const TRACKER_UDP_WAIT: Duration = Duration::from_secs(60);

/// The wait before a datagram is sent again; doubles each time (BEP 15).
pub const TRACKER_UDP_RESEND: Duration = Duration::from_secs(15);

/// How long a UDP tracker's connection id is used (BEP 15).
pub const TRACKER_CONNECTION_LIFE: Duration = Duration::from_secs(60);

/// Most connection ids kept: one for each tracker asked within a minute.
pub const TRACKER_CONNECTIONS_MAX: usize = 1_024;

/// Connecting over HTTP, TLS included.
pub const HTTP_CONNECT_WAIT: Duration = Duration::from_secs(10);

/// Silence in the middle of an HTTP answer.
pub const HTTP_IDLE_WAIT: Duration = Duration::from_secs(10);

/// Redirects followed: more are a loop.
pub const HTTP_REDIRECTS_MAX: usize = 5;

/// HTTP connections kept open for a host that is not being asked.
pub const HTTP_IDLE_CONNECTIONS_MAX: usize = 2;

/// Fetching a whole .torrent: the largest at a slow line's pace.
pub const TORRENT_FETCH_WAIT: Duration = Duration::from_secs(120);

/// Resolving one name.
pub const RESOLVE_WAIT: Duration = Duration::from_secs(10);

/// Names being resolved at once: each that hangs holds a thread of the runtime's pool, which has 512.
pub const RESOLVES_MAX: usize = 64;

// ---- pictures of pieces ------------------------------------------------------------------------------------------

/// Pieces of one part of the run map, made anew when one of them changes: some microseconds' work, and a million pieces are
/// a thousand parts to share. A whole number of words of a bit set.
pub const RUN_PART_PIECES: u32 = 1024;

// ---- turns -------------------------------------------------------------------------------------------------------

/// A turn of an owner longer than this is an event: the user would feel it.
pub const TURN_SLOW: Duration = Duration::from_millis(50);

// ---- requesting --------------------------------------------------------------------------------------------------

/// Requests kept on the wire to a peer of which nothing is known yet: 512 KiB, enough to fill 50 ms at 10 MB/s.
pub const PIPELINE_START: u32 = 32;

/// Least requests kept on the wire to a peer that is not snubbed: one being sent, one behind it, and their doubles.
pub const PIPELINE_MIN: u32 = 4;

/// Most requests kept on the wire to one peer: 32 MiB; libtorrent accepts 2000 by default.
pub const PIPELINE_MAX: u32 = 2000;

/// The pipeline holds what the peer sends in this time, so that a refill always comes before it runs dry.
pub const PIPELINE_SPAN: Duration = Duration::from_secs(3);

/// Requests a peer queues when it does not say (`reqq`): what libtorrent and others assume.
pub const PEER_QUEUE_ASSUMED: u32 = 250;

/// No block for this long with requests on the wire: the peer snubs us and its requests go to others.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Requests given up that are remembered per peer, so that their late blocks are not taken for unasked ones.
pub const FORGOTTEN_REQUESTS_MAX: usize = 2 * PIPELINE_MAX as usize;

/// Blocks never asked for that a peer may send before it is sent away: a few come from crossed cancels.
pub const UNASKED_BLOCKS_MAX: u32 = 64;

/// Requests a peer may reject in a row, no block between, before it is sent away (libtorrent: 50).
pub const REJECTS_MAX: u32 = 50;

/// Times a peer may tell all its pieces again without anything new in it: aria2 does so once after its handshake, and
/// each time costs a walk over the bits of all pieces.
pub const STALE_BITFIELDS_MAX: u32 = 32;

/// Pieces of the order looked at without a hit before the scan turns to intersecting bit sets.
pub const SCAN_MISSES_MAX: usize = 256;

/// Candidates that such an intersection collects and sorts.
pub const SCAN_CANDIDATES_MAX: usize = 512;

/// Peers asked for the same block in end-game, at most.
pub const END_GAME_HOLDERS_MAX: u8 = 3;

/// Time between two looks for an end-game request by a peer that found none.
pub const END_GAME_RETRY: Duration = Duration::from_millis(500);

/// Allowed-fast pieces remembered per peer (BEP 6 sends 10).
pub const ALLOWED_FAST_MAX: usize = 64;

/// The window that rates are measured over.
pub const RATE_WINDOW: Duration = Duration::from_secs(4);

// ---- reading while downloading --------------------------------------------------------------------------------

/// Readers of one torrent at a time: each has a window of pieces that go before all others.
pub const READERS_MAX: usize = 16;

/// Bytes of one answer to a reader: one message of the control socket, and a fraction of a second of a film.
pub const READ_BYTES_PER_ANSWER_MAX: u32 = 1024 * 1024;

/// Pieces of a reader's window: past that everything would be urgent, so nothing.
pub const READ_AHEAD_PIECES_MAX: usize = 512;

/// A reader that asks no more for this long is forgotten: players pause, but they buffer far less than this.
pub const READER_IDLE: Duration = Duration::from_secs(30);

/// A block that a reader waits for and that is on the wire for this long is asked of a second peer.
pub const READ_PATIENCE: Duration = Duration::from_secs(2);

/// Such blocks looked at in one round of housekeeping.
pub const READ_HURRIED_BLOCKS_MAX: usize = 16;

// ---- uploading ---------------------------------------------------------------------------------------------------

/// Requests of one peer that wait for us; more are rejected (libtorrent: 2000).
pub const UPLOAD_QUEUE_MAX: usize = 2000;

/// Bytes read from disk at once for one peer.
pub const UPLOAD_READ_BYTES_MAX: u32 = 512 * 1024;

/// Bytes handed to one connection and not yet taken by the kernel above which no more is read for it.
pub const UPLOAD_UNSENT_BYTES_MAX: u64 = 1024 * 1024;

/// Peers unchoked at a time, the optimistic one included.
pub const UPLOAD_SLOTS: usize = 8;

/// Time between two choosings of whom to unchoke.
pub const CHOKE_ROUND: Duration = Duration::from_secs(15);

/// Time between two turns of the optimistic slot.
pub const OPTIMISTIC_ROUND: Duration = Duration::from_secs(30);

// ---- sharing -----------------------------------------------------------------------------------------------------

/// Time between two rounds of grants under a rate limit: short enough that a limited flow is smooth.
pub const GRANT_INTERVAL: Duration = Duration::from_millis(50);

/// Unused allowance that is kept, in milliseconds of the limit: a pause must not become a burst.
pub const GRANT_BURST_MS: u64 = 200;

// ---- peers -------------------------------------------------------------------------------------------------------

/// Addresses known per torrent; what trackers name beyond is dropped.
pub const KNOWN_PEERS_MAX: usize = 3000;

/// Addresses of one torrent being called at a time.
pub const HALF_OPEN_MAX: u32 = 50;

/// A connection is left alone for this long before it must be of use to one side to keep its place in a full torrent.
pub const NEWCOMER_GRACE: Duration = Duration::from_secs(10);

/// Two connections to one peer within this time come from calling each other at once.
pub const CROSSED_CALLS: Duration = Duration::from_secs(10);

/// Time between two calls of one torrent: 30 a second.
pub const CONNECT_PACE: Duration = Duration::from_millis(33);

/// Failed calls after which an address is forgotten.
pub const CONNECT_FAILS_MAX: u32 = 3;

/// Wait before an address is called again, times the number of failures.
pub const RECONNECT: Duration = Duration::from_secs(60);

/// The same for an address that a person named: they are waiting for it.
pub const RECONNECT_BY_HAND: Duration = Duration::from_secs(2);

/// The longest of these waits.
pub const RECONNECT_BY_HAND_MAX: Duration = Duration::from_secs(30);

/// Addresses saved for the next run.
pub const RESUME_PEERS_MAX: usize = 100;

/// Addresses banned per torrent.
pub const BANNED_PEERS_MAX: usize = 1000;

/// Pieces that failed with several contributors and are held against them until they pass.
pub const SUSPECT_PIECES_MAX: usize = 256;

/// Blocks remembered for one such piece: four failures of a 16 MiB piece.
pub const EVIDENCE_BLOCKS_MAX: usize = 4096;

/// Time between two looks at all connections for silence, overdue requests and keep-alives.
pub const HOUSEKEEPING: Duration = Duration::from_millis(500);

/// A connection with nothing to say sends a keep-alive this often (BEP 3: two minutes).
pub const KEEP_ALIVE: Duration = Duration::from_secs(100);

/// A connection that has been silent for this long is closed (libtorrent: 120 s).
pub const PEER_SILENCE_MAX: Duration = Duration::from_secs(150);

// ---- metadata of magnets ----------------------------------------------------------------------------------------

/// Connections of a magnet without metadata: many more than liars are likely among strangers, few enough to ask all.
pub const METADATA_CONNECTIONS_MAX: usize = 40;

/// Times a peer may ask for the metadata on one connection, all its blocks counted: some start again after a mismatch. An
/// answer is 500 times as long as its request, so more is a way to fill our memory.
pub const METADATA_ASKS_MAX: u32 = 8;

/// Blocks of metadata asked of one peer at a time: clients serve few at once, and several peers are asked.
pub const METADATA_PIPELINE: usize = 5;

/// No answer to a request for this long, or no introduction: others are asked.
pub const METADATA_REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a peer that rejected or was silent is left alone (BEP 9 names no time; it may have got the metadata since).
pub const METADATA_RETRY: Duration = Duration::from_secs(60);

/// Bytes of metadata of one magnet held in memory, over all that peers claim: the largest and a little more.
pub const METADATA_HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

// ---- storing -----------------------------------------------------------------------------------------------------

/// Time from a piece being stored to its being claimed by a synced record: what a kill can cost.
pub const SAVE_INTERVAL: Duration = Duration::from_secs(5);

/// Bytes of unfinished pieces of one torrent in memory above which the oldest are written out.
pub const PARTIAL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Pieces of one torrent being hashed from disk at a time: keeps the disk busy without filling its queue.
pub const CHECKS_IN_FLIGHT_MAX: usize = 16;

/// Times a piece is read for a check from a disk that fails, `DISK_RETRY` between, before it counts as missing.
pub const CHECK_TRIES_MAX: u32 = 3;

/// Pieces and files from which on the turns of a torrent make way for other torrents: below, no turn takes ten
/// milliseconds.
pub const TURN_ASIDE_FROM: usize = 20_000;

/// Pieces marked in one turn for a check of everything: a few milliseconds, however large the torrent.
pub const RECHECK_PIECES_PER_TURN: u32 = 16_384;

/// Time between two tries to write after a disk was full or refused.
pub const DISK_RETRY: Duration = Duration::from_secs(60);

/// Time a torrent waits for its trackers, its blocks and its record when it is stopped.
pub const STOP_GRACE: Duration = Duration::from_secs(5);
/// Bytes read in one call where nobody waits for them in particular: a system that does not interrupt its own calls
/// lets the processor go at each, some tenths of a millisecond apart.
pub const READ_AT_ONCE_BYTES: u64 = 1 << 20;

// ---- what a torrent is -------------------------------------------------------------------------------------------

/// Bytes of a .torrent we read at all: a v2 torrent of `PIECES_MAX` pieces has 64 MiB of hashes; the rest is names.
pub const TORRENT_BYTES_MAX: usize = 128 << 20;

/// Nesting depth of bencode: real torrents stay below 10, and libtorrent stops at the same depth.
pub const METAINFO_DEPTH_MAX: usize = 100;

/// Values and containers in one .torrent: two million files take about as many, and libtorrent stops near here.
pub const METAINFO_TOKENS_MAX: usize = 10_000_000;

/// Files of a torrent, pad files included: ten times the largest torrents seen, and under 200 MB of our memory.
pub const FILES_MAX: usize = 1_000_000;

/// Bytes of one file: what libtorrent accepts (2^30 - 2 blocks), so every offset fits 64 bits with room.
pub const FILE_BYTES_MAX: u64 = ((1 << 30) - 2) * BLOCK_BYTES as u64;

/// Bytes of a piece: what libtorrent accepts (32,767 blocks), so a block index fits 15 bits.
pub const PIECE_LENGTH_MAX: u32 = 32_767 * BLOCK_BYTES;

/// Bytes of one part of a path: what Linux file systems accept.
pub const PATH_PART_BYTES_MAX: usize = 255;

/// Bytes kept of the stem when a path part is too long; the rest is left for its extension. As libtorrent cuts.
pub const PATH_STEM_BYTES_MAX: usize = 240;

/// Attempts at finding new names for files of equal path, in one torrent: libtorrent's figure; more is an attack.
pub const RENAME_ATTEMPTS_MAX: usize = 500;

/// Trackers kept of one torrent or magnet: the longest lists in the wild hold a few hundred.
pub const TRACKERS_MAX: usize = 1_000;

/// Webseeds kept of one torrent or magnet, and as many sources (`xs`, `as`) of a magnet.
pub const WEBSEEDS_MAX: usize = 1_000;

/// DHT nodes and peers kept of one torrent or magnet: each is contacted once, and a handful is enough to start.
pub const NODES_MAX: usize = 200;

/// Bytes of one URL in a torrent or magnet: longer ones are refused by servers.
pub const URL_BYTES_MAX: usize = 4_096;

/// Pieces that a new torrent has at most where its piece length is chosen by us: fewer are coarse, more swell the file.
pub const CREATE_PIECES_TARGET: u64 = 2_000;

/// Longest piece chosen for a new torrent: a larger one takes minutes to fetch from slow peers before it can be shared.
pub const PIECE_LENGTH_CREATE_MAX: u32 = 16 << 20;

/// Bytes read at once while a new torrent is hashed: a whole number of blocks, and enough to keep a disk streaming.
pub const CREATE_READ_BYTES: usize = 1 << 20;
// ---- connections -------------------------------------------------------------------------------------------------

/// Time to connect to a peer (libtorrent: 15 s).
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for each half of the handshake: a caller that drips bytes is gone after it.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Callers shaking hands at a time; a flood of silent ones costs this many descriptors for `HANDSHAKE_TIMEOUT`.
pub const INCOMING_HANDSHAKES_MAX: usize = 512;

/// Callers that wait in the kernel before they are answered.
pub const LISTEN_BACKLOG: i32 = 512;

/// Wait before the next caller is answered when the system had no descriptor for one.
pub const ACCEPT_RETRY: Duration = Duration::from_millis(200);

/// Turns' worth of messages that wait for one peer's socket: a peer that drains none of so many is sent away.
pub const OUTGOING_TURNS_MAX: usize = 4096;

/// Messages that wait for one peer's socket, blocks aside: far over the requests, cancels and haves of a working peer, and
/// a few MiB of one that asks and never reads.
pub const OUTGOING_MESSAGES_MAX: usize = 65_536;

/// Bytes of messages other than blocks that are encoded and written with one call.
pub const CONTROL_BYTES_PER_WRITE: usize = 64 * 1024;

/// Blocks written with one call: 256 KiB, which a control message that comes meanwhile waits for.
pub const BLOCKS_PER_WRITE: usize = 16;

// ---- drivers -----------------------------------------------------------------------------------------------------

/// Messages of one peer in one input. A read holds 50,000 of the shortest: as values they are ten times as long, and a turn
/// over 64 such inputs would take seconds.
pub const MESSAGES_PER_INPUT_MAX: usize = 256;

/// Inputs of one peer that wait for its torrent: two reads' worth of blocks under way. A peer that floods us waits for its
/// own inputs, and the others' wait behind few of them.
pub const PEER_INPUTS_MAX: usize = 4;

/// Inputs that wait for one torrent. Each may be a read's worth of blocks, so this is 64 MiB at most; senders wait when
/// it is full, the owner never.
pub const DRIVER_QUEUE: usize = 256;

/// Inputs taken in one turn, so that planning and deadlines come round.
pub const TURN_INPUTS_MAX: usize = 64;

/// Longest sleep of a driver that has nothing to wait for.
pub const DRIVER_IDLE: Duration = Duration::from_secs(3600);

/// Messages that wait for the budget's task.
pub const BUDGET_QUEUE: usize = 1024;

/// Time between two pictures of one torrent, or of all, while something changes.
pub const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(250);

/// Wait before a disk job that found the queue full is tried again.
pub const DISK_SUBMIT_RETRY: Duration = Duration::from_millis(5);

/// Events of one torrent kept for its log tab.
pub const LOG_LINES_MAX: usize = 500;

/// Time that the whole program waits for its torrents to say goodbye: a little longer than each takes at most.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(8);

/// Outcomes of tasks that wait for the control task.
pub const OUTCOME_QUEUE: usize = 64;

/// Time between two looks at the free space of the save folder.
pub const FREE_SPACE_INTERVAL: Duration = Duration::from_secs(2);
