//! Plain data that crosses the border between engine and front end.
//!
//! A front end asks with a [`Command`] and gets one [`Answer`] or [`Refusal`]; the engine tells with [`Event`]s
//! (bounded, counted when dropped) and [`Snapshot`]s (latest wins). The same types go over an in-process channel and,
//! as JSON lines, over the Unix socket. Nothing here has behaviour beyond making itself presentable.

mod bytes;
mod command;
mod event;
mod glob;
mod inspection;
mod policy;
mod runs;
mod snapshot;
mod status;
mod untrusted;
mod vitals;
mod webseed;

pub use bytes::FileBytes;
pub use command::{
    AddRequest, Answer, Command, FileChoice, FilePreview, PriorityChange, Refusal, RemoveData, Source,
    StartState, TorrentPreview,
};
pub use event::{Event, EventKind, Severity};
pub use glob::{Pattern as FilePattern, choose as choose_files};
pub use inspection::{
    BlockedTask, Dump, DumpKind, DumpRows, FrameReport, LockReport, OwnerReport, QueueKind, QueueReport,
    SemaphoreReport, Stuck, StuckThing, TaskId, TaskKind, TaskName, TaskReport, TaskState, WaitKind,
    WaitReport, WaitingTask,
};
pub use policy::{Assume, CheckPolicy, DownloadOrder, FirstLast, OrderChange, PieceSequence, StoreTrust};
pub use runs::{Blocked, PieceLevel, PieceRun, PieceRuns};
pub use snapshot::{
    Direction, EngineStatus, FileRow, LogLine, PeerCounts, PeerFlags, PeerRow, PeerSource, PieceCounts,
    Priority, Snapshot, TorrentDetail, TorrentRow, TorrentState, TrackerRow, TrackerState, WebseedCounts,
};
pub use status::{FailureKind, OwnerSays, StatusReport, TorrentInside, TorrentReport};
pub use untrusted::{Untrusted, acts_or_hides, redact_url};
pub use vitals::{PeerVitals, ReservedBits, TorrentVitals};
pub use webseed::{WebseedAction, WebseedKind, WebseedOrigin, WebseedRequestRow, WebseedRow, WebseedState};
