//! `unchoke dump`: what can be seen of a running program from within.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `unchoke dump`.
#[derive(Debug, Args)]
#[command(
    after_help = "What is stuck comes first, whatever the dump is of: a task that does not come back from its poll,\n\
    a lock that is not given back, a full queue that nobody serves.\n\
    The running engine is found by --state-dir."
)]
pub struct DumpArgs {
    /// What to look at
    #[arg(value_enum, value_name = "WHAT")]
    pub what: DumpWhat,
    /// Everything, ungrouped, as one JSON object
    #[arg(long)]
    pub json: bool,
    /// A profile for `go tool pprof` (refused: not built yet)
    #[arg(long, conflicts_with = "json")]
    pub pprof: bool,
    /// Of which torrent, where there are several: an info-hash or its beginning (recorder only)
    #[arg(value_name = "TORRENT")]
    pub torrent: Option<String>,
    /// Write to this file rather than to INFO-HASH.recording (recorder only)
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub out: Option<PathBuf>,
    /// Leave passkeys and addresses as they are (recorder only)
    #[arg(long, conflicts_with = "json")]
    pub unredacted: bool,
}

/// What to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DumpWhat {
    /// Tasks and threads: what they are doing, since when, and which line started them
    Tasks,
    /// Locks: who holds them, and who waits
    Locks,
    /// Queues: how full they are
    Queues,
    /// Who waits for whom (refused: not built yet)
    Waits,
    /// The engine's own state of each torrent (refused: not built yet)
    Torrents,
    /// The flight recorder of a torrent: all that its owner was told of late, as a file for `unchoke replay`
    Recorder,
}
