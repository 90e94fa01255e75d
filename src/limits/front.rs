//! Bounds of what people and programs meet: the command line, the control socket, the demo, the inspector.

use std::time::Duration;

// ---- inspector ---------------------------------------------------------------------------------------------------

/// Ended tasks that the registry still shows: the last minute of a busy swarm, and every recent panic with it.
pub const ENDED_TASKS_KEPT: usize = 256;

/// Panics that wait for a subscriber; beyond that only the registry has them.
pub const PANIC_QUEUE: usize = 64;

/// Bytes kept of a panic's text: a debug print of a whole table must not fill the log.
pub const PANIC_TEXT_BYTES_MAX: usize = 4096;

/// Longest poll of a task: its thread serves nobody else meanwhile, and a turn over 50 ms is slow already.
pub const WATCHDOG_POLL_MAX: Duration = Duration::from_secs(1);

/// Longest time between taking and giving back a lock, which is for moments.
pub const WATCHDOG_HOLD_MAX: Duration = Duration::from_secs(1);

/// Longest time that a queue turns senders away and nobody takes from it: a slow disk may well need some seconds.
pub const WATCHDOG_FULL_MAX: Duration = Duration::from_secs(5);

/// Looks of the watchdog within the shortest of its bounds: what is over it is told within a quarter of it.
pub const WATCHDOG_LOOKS_PER_BOUND: u32 = 4;

/// Things that the watchdog tells at one look; what is more waits for the next, so that it floods no event queue.
pub const WATCHDOG_TOLD_MAX: usize = 16;

/// Things kept of what one task waits for at once: as many as the largest `select!` of the program has.
pub const WAITS_PER_TASK: usize = 4;

/// Polls of a task that are timed before only some are: a task that ends soon is known as well as any.
pub const POLLS_TIMED_FIRST: u64 = 16;

/// Polls of which one is timed while nobody looks: two looks at the exact clock cost more than all else that a poll pays.
pub const POLLS_PER_SAMPLE: u64 = 64;

/// How long every poll is timed after somebody looked: screens look once a second.
pub const TIMING_KEPT: Duration = Duration::from_secs(5);

/// Named frames one within the other that are kept; what is deeper is told as the last of them.
pub const FRAMES_DEEP_MAX: usize = 16;

/// Places in the tree of named frames: one for each way through the code that was ever gone, which is some dozens. They are
/// kept for ever.
pub const FRAMES_MAX: usize = 4096;

/// Looks of the watchdog of which a queue remembers how much had been put in: the age of its oldest item is told from them.
pub const QUEUE_LOOKS_KEPT: usize = 64;

/// Rows of one group that a dump for people tells all of: the others are like them, and a dump is to fit some screens.
pub const DUMP_FACTS_PER_GROUP: usize = 4;

/// Times that a lock is taken of which one is timed; what anybody waits for is timed always.
pub const LOCKS_PER_SAMPLE: u64 = 16;

/// Longest time that an owner leaves what is in its queue: it serves it in turns of milliseconds.
pub const WATCHDOG_LATE_MAX: Duration = Duration::from_secs(2);

/// Tasks looked at under one hold of the registry's lock, so that whoever starts or ends one waits for microseconds.
pub const WATCHDOG_TASKS_PER_HOLD: usize = 256;
/// Pieces that the debug switch's comparison looks at in one step: a fraction of its budget.
pub const AUDIT_PIECES_PER_STEP: u32 = 1024;

/// Time that such a comparison takes of a torrent's owner at once: not to be felt.
pub const AUDIT_BUDGET: Duration = Duration::from_millis(1);

/// Time between two such comparisons of one torrent: a thousandth of a core, and a million pieces within minutes.
pub const AUDIT_INTERVAL: Duration = Duration::from_secs(1);

/// Connected incomplete peers for which such a step looks at half as many pieces, and so on: what a piece costs grows with
/// them.
pub const AUDIT_PEERS_PER_STEP: u32 = 16;

/// How long a request must be missing before it is told: what a deadline a moment later brings is not missing.
pub const AUDIT_MISSED_MIN: Duration = Duration::from_secs(2);

/// Differences told of one torrent: the first ones say what is wrong, the rest follows from it.
pub const AUDIT_TOLD_MAX: usize = 32;

// ---- command line ------------------------------------------------------------------------------------------------

/// Largest configuration file: ours has ten keys; more than this is some other file named by mistake.
pub const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// Time between two lines of `--stats` and `--json`, and between updates of the line that people watch.
pub const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// Time between two lines where nobody watches: a log of a day stays readable.
pub const UNWATCHED_STATUS_INTERVAL: Duration = Duration::from_secs(5);

/// Wait for a reader of status lines that leaves no room, before the line is left out: short, since keys and signals
/// wait meanwhile.
pub const OUTPUT_PATIENCE: Duration = Duration::from_millis(100);

/// Pieces that `verify` has on their way to the disk threads: enough that none of them waits for the next.
pub const VERIFY_PIECES_AHEAD: usize = 64;

/// Longest wait for an engine to end: its trackers are given up sooner, so only a stuck disk takes longer.
pub const SHUTDOWN_MAX: Duration = Duration::from_secs(30);
// ---- front ends --------------------------------------------------------------------------------------------------

/// Commands that wait for the engine. Each asker waits for its answer, so this is also how many may ask at once.
pub const REQUEST_QUEUE: usize = 64;

/// Events that wait for one front end: some seconds of a busy engine. Beyond it they are counted, not kept.
pub const EVENT_QUEUE: usize = 1024;

// ---- control socket ----------------------------------------------------------------------------------------------

/// Longest path in the address of a Unix socket: the least of the systems we know (104 on macOS, 108 on Linux), less
/// the final zero and the suffix of the name that the socket is bound under.
pub const SOCKET_PATH_BYTES_MAX: usize = 90;

/// Clients of the control socket that are served at once: a person, some scripts, and room for a stuck few.
pub const REMOTE_CLIENTS_MAX: usize = 16;

/// Longest line of a client: priorities of 100,000 files by index fit, as does a .torrent of 1 MiB as JSON bytes.
pub const REMOTE_QUESTION_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Longest line of the engine: a torrent of 100,000 files and a million runs in full, with room to spare.
pub const REMOTE_ANSWER_BYTES_MAX: usize = 512 * 1024 * 1024;

/// A client of the control socket that says nothing for this long is let go: its place may be needed.
pub const REMOTE_IDLE: Duration = Duration::from_secs(300);

/// A client of the control socket that does not take its answer within this is let go.
pub const REMOTE_WRITE: Duration = Duration::from_secs(10);

/// Longest wait of `ctl` for an answer, fetching a torrent aside: a working engine answers within a second, one that checks
/// or deletes much on a slow disk within some more, one that is stopped never.
pub const REMOTE_ANSWER_WAIT: Duration = Duration::from_secs(30);

/// Longest question for a dump, bytes: it is a word and a number.
pub const REMOTE_DUMP_QUESTION_BYTES_MAX: usize = 1024;

/// Clients that are given dumps at once: some scripts beside a person. Beyond them the oldest is cut off, so that no number
/// of slow readers keeps a new one out.
pub const REMOTE_DUMP_CLIENTS_MAX: usize = 8;

/// Longest time from taking a client of dumps to the last byte of its answer: the owners' answers to a report take
/// `STATUS_OWNERS_WAIT` at most, and what is built then is read from memory.
pub const REMOTE_DUMP_CLIENT_MAX: Duration = Duration::from_secs(20);

/// How far behind its place `ctl read` has the engine fetch: some seconds of a film, and a fraction of what would make the
/// swarm's rarest pieces wait.
pub const READ_AHEAD_BYTES: u64 = 16 * 1024 * 1024;

/// Wait of `ctl read` for an answer before it says what the torrent is doing: a piece of a working swarm comes sooner.
pub const READ_NOTE_AFTER: Duration = Duration::from_secs(2);

/// Pause after the control socket could not take a client (no descriptors left, most likely).
pub const REMOTE_ACCEPT_RETRY: Duration = Duration::from_secs(1);

// ---- words -------------------------------------------------------------------------------------------------------

/// Slips of the hand within which a word is taken for a mistyped command: with three, every short word is near to some.
pub const TYPOS_MAX: usize = 2;

// ---- demo --------------------------------------------------------------------------------------------------------

/// Clients that the demo's tracker, and its liar, serve at once; the demo has four engines.
pub const DEMO_CLIENTS_MAX: usize = 16;

/// Longest HTTP request of an announce: a request line and a few headers.
pub const DEMO_REQUEST_BYTES_MAX: usize = 8 * 1024;

/// Peers of one kind that the demo's tracker remembers for a torrent.
pub const DEMO_PEERS_MAX: usize = 64;

/// How long the demo's tracker and liar wait for a client on loopback.
pub const DEMO_PATIENCE: Duration = Duration::from_secs(5);

/// Seconds between announces to the demo's tracker: short, so that the countdown moves.
pub const DEMO_INTERVAL_S: u64 = 30;

/// Pause of the liar before each block: about 300 kB/s, slower than the fastest seed.
pub const DEMO_LIAR_PAUSE: Duration = Duration::from_millis(50);

/// Bytes that the demo's webseed sends at once.
pub const DEMO_WEBSEED_BYTES: usize = 16 * 1024;

/// Its pause after that: about 80 kB/s for a request, so that its requests can be looked at.
pub const DEMO_WEBSEED_PAUSE: Duration = Duration::from_millis(200);

/// How long the demo blocks a task on purpose: long enough to look at it on every page.
pub const DEMO_TROUBLE: Duration = Duration::from_secs(10);

/// How long its other troubles last: a webseed's failures make it wait longer each time.
pub const DEMO_TROUBLE_LONG: Duration = Duration::from_secs(30);

/// Troubles that wait to be made; each but blocks threads of ours.
pub const DEMO_TROUBLES_MAX: usize = 8;

/// Tasks that wait for the lock that the demo holds on purpose.
pub const DEMO_WAITERS: u32 = 4;

/// The demo without a terminal fails after this; by its seeds' rates it takes about forty seconds.
pub const DEMO_MAX: Duration = Duration::from_secs(300);
