//! `unchoke ctl`: what can be asked of a running engine.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::tui::text;

use super::values::{FileLevel, Limit, OnOff, OrderOptions, file_level, rate_limit};

/// `unchoke ctl`.
#[derive(Debug, Args)]
#[command(after_help = "An ID is an info-hash or a prefix of it that fits one torrent only.\n\
    A FILE is a path as `show` prints it, a pattern (* within a part, ** across parts, ?), or an index from 0.\n\
    The running engine is found by --state-dir.")]
pub struct CtlArgs {
    /// Machine-readable output
    #[arg(long, global = true)]
    pub json: bool,
    /// What to ask.
    #[command(subcommand)]
    pub command: CtlCommand,
}

/// What to ask.
#[derive(Debug, Subcommand)]
pub enum CtlCommand {
    /// All torrents
    List,
    /// Add torrents
    Add(AddArgs),
    /// Stop transfers
    Pause {
        /// Which torrents
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
    /// Start transfers again
    Resume {
        /// Which torrents
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
    /// Forget torrents
    Remove {
        /// Which torrents
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
        /// Delete their payload too
        #[arg(long)]
        data: bool,
    },
    /// The files of a torrent
    Files {
        /// Which torrent
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Set how much files are wanted; several levels in one call take effect as one, later ones winning
    #[command(
        override_usage = "unchoke ctl priority [OPTIONS] <ID> <FILE>... <LEVEL> [<FILE>... <LEVEL>]..."
    )]
    Priority {
        /// Which torrent
        #[arg(value_name = "ID")]
        id: String,
        /// Files, then their level: off, low, normal or high
        #[arg(value_name = "FILE... LEVEL", required = true, num_args = 2..)]
        words: Vec<String>,
    },
    /// Show or set in which order pieces are fetched
    Order(OrderArgs),
    /// The pieces of a torrent as runs of equal state: in a line of letters, then as a table
    #[command(after_help = text::RUN_LETTERS)]
    Pieces {
        /// Which torrent
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Write the bytes of a file to standard output while it is downloaded
    Read(ReadArgs),
    /// The connections of a torrent
    Peers {
        /// Which torrent
        #[arg(value_name = "ID")]
        id: String,
    },
    /// The trackers of a torrent
    Trackers {
        /// Which torrent
        #[arg(value_name = "ID")]
        id: String,
    },
    /// The webseeds of a torrent
    Webseeds {
        /// Which torrent
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Add or remove a webseed of a torrent, or change how it is asked
    Webseed(WebseedArgs),
    /// Hash everything on disk again
    Recheck {
        /// Which torrents
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
    /// Announce to all trackers now
    Announce {
        /// Which torrents
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
    /// Show or set the rate limits
    Limit(LimitArgs),
    /// Show or set whether the engine's own state is compared with what follows from scratch
    Debug {
        /// What to set; without it: what is set
        #[arg(value_enum, value_name = "ON|OFF")]
        choice: Option<OnOff>,
    },
}

/// `unchoke ctl add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Torrents to add
    #[arg(value_name = "SRC", required = true)]
    pub sources: Vec<String>,
    /// Save payload into this folder
    #[arg(long, value_name = "D")]
    pub dir: Option<PathBuf>,
    /// Add without starting
    #[arg(long)]
    pub paused: bool,
    /// How much files are wanted; repeatable, later wins
    #[arg(long, value_name = "GLOB=LEVEL", value_parser = file_level)]
    pub file: Vec<FileLevel>,
    /// In which order pieces are fetched.
    #[command(flatten)]
    pub order: OrderOptions,
    /// A peer; repeatable
    #[arg(long, value_name = "IP:PORT")]
    pub peer: Vec<SocketAddr>,
    /// A further tracker; repeatable
    #[arg(long, value_name = "URL")]
    pub tracker: Vec<String>,
    /// A further webseed (BEP 19); repeatable
    #[arg(long, value_name = "URL")]
    pub webseed: Vec<String>,
}

/// `unchoke ctl webseed`.
#[derive(Debug, Args)]
#[command(after_help = "A KEY is a number as `ctl webseeds` prints it, or the URL of one webseed.")]
pub struct WebseedArgs {
    /// Which torrent
    #[arg(value_name = "ID")]
    pub id: String,
    /// What to do.
    #[command(subcommand)]
    pub action: WebseedCommand,
}

/// What to do with a webseed.
#[derive(Debug, Subcommand)]
pub enum WebseedCommand {
    /// Add one (BEP 19); one that is there already is asked again at once
    Add {
        /// Its URL, http or https
        #[arg(value_name = "URL")]
        url: String,
    },
    /// Take one away
    Remove {
        /// Which webseed
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Forget what failed, and ask again at once
    Retry {
        /// Which webseed
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Ask nothing of one until it is enabled
    Disable {
        /// Which webseed
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Ask one again that was disabled
    Enable {
        /// Which webseed
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Set how many requests to one are under way at a time
    Limit {
        /// Which webseed
        #[arg(value_name = "KEY")]
        key: String,
        /// At most this many
        #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        requests: u32,
    },
}

/// `unchoke ctl order`.
#[derive(Debug, Args)]
pub struct OrderArgs {
    /// Which torrent
    #[arg(value_name = "ID")]
    pub id: String,
    /// In the order of the data, or the rarest first
    #[arg(long, value_enum, value_name = "ON|OFF")]
    pub sequential: Option<OnOff>,
    /// The first and the last piece of each wanted file before all others, or as all others
    #[arg(long, value_enum, value_name = "ON|OFF")]
    pub first_last: Option<OnOff>,
}

/// `unchoke ctl read`.
#[derive(Debug, Args)]
pub struct ReadArgs {
    /// Which torrent
    #[arg(value_name = "ID")]
    pub id: String,
    /// Which file; what is read is fetched before all else, whatever the file's priority
    #[arg(value_name = "FILE")]
    pub file: String,
    /// The first byte
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub offset: u64,
    /// How many bytes; without it: to the end of the file
    #[arg(long, value_name = "N")]
    pub length: Option<u64>,
}

/// `unchoke ctl limit`.
#[derive(Debug, Args)]
pub struct LimitArgs {
    /// Most bytes a second from peers; 0 or none: no limit
    #[arg(long, value_name = "RATE", value_parser = rate_limit)]
    pub down: Option<Limit>,
    /// Most bytes a second to peers; 0 or none: no limit
    #[arg(long, value_name = "RATE", value_parser = rate_limit)]
    pub up: Option<Limit>,
}
