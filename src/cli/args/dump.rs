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
    /// One block a task, with all that is known of it (tasks)
    #[arg(long, conflicts_with = "json")]
    pub stacks: bool,
    /// A profile for `go tool pprof`: of tasks what they are doing, of locks who holds them, of waits who waits for them
    #[arg(long, conflicts_with_all = ["json", "stacks"])]
    pub pprof: bool,
    /// Write to this file: a profile, else to standard output; a recording, else to INFO-HASH.recording
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "stacks"])]
    pub out: Option<PathBuf>,
    /// Of which torrent, where there are several: an info-hash or its beginning (recorder only)
    #[arg(value_name = "TORRENT")]
    pub torrent: Option<String>,
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
    /// Semaphores: how many permits are out, and who waits
    Semaphores,
    /// Owners: the loop of each torrent and the like, how far behind it is, and its longest turn
    Owners,
    /// Who waits for whom
    Waits,
    /// Each torrent as its owner sees it, those with most bytes left first; an owner that does not answer is named
    Torrents,
    /// The flight recorder of a torrent: all that its owner was told of late, as a file for `unchoke replay`
    Recorder,
}
