//! The words of the command line, as people type and scripts depend on them.
//!
//! Names and meanings here are a contract: they stay. Options of parts that are not built are taken where they switch
//! something off, and refused (see [`EngineOptions::refusal`]) where they ask for something.

mod ctl;
mod dump;
mod replay;
mod values;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub use ctl::{AddArgs, CtlArgs, CtlCommand, LimitArgs, OrderArgs, ReadArgs, WebseedArgs, WebseedCommand};
pub use dump::{DumpArgs, DumpWhat};
pub use replay::ReplayArgs;
pub use values::{
    FileLevel, Limit, OnOff, OrderOptions, duration_s, file_level, piece_length, priority_changes, rate_limit,
};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "unchoke", version, about, long_about = None)]
#[command(
    after_help = "A SRC is a .torrent file, an http(s) URL of one, a magnet link, or a bare info-hash.\n\
    Without a command the terminal UI opens on the saved torrents, each SRC added.\n\
    Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."
)]
pub struct Arguments {
    /// Read this configuration file instead of the usual one
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Keep the list, its records and the control socket in this folder
    #[arg(long, value_name = "D", global = true)]
    pub state_dir: Option<PathBuf>,
    /// What to do, where it is not the terminal UI.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Torrents to add to the terminal UI
    #[arg(value_name = "SRC")]
    pub sources: Vec<String>,
    /// Show an embedded swarm on loopback in a temporary folder of its own, whatever --state-dir says; needs no network,
    /// leaves nothing behind
    #[arg(long)]
    pub demo: bool,
    /// How the engine is to work.
    #[command(flatten)]
    pub engine: EngineOptions,
}

/// What may stand beside `--demo`: what it does, and what is so in it anyway.
const IN_THE_DEMO: [&str; 7] = ["demo", "diagnostics", "debug", "no_dht", "no_pex", "no_lsd", "no_utp"];

impl Arguments {
    /// Reads the command line. Options that would be lost are refused: those of the terminal UI before a command,
    /// and those that the demo does not follow.
    pub fn read<I, T>(words: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<std::ffi::OsString> + Clone,
    {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(words)?;
        let given = |argument: &&Arg| {
            let source = matches.value_source(argument.get_id().as_str());
            !argument.is_global_set() && source == Some(ValueSource::CommandLine)
        };
        let message = if let Some(name) = matches.subcommand_name() {
            let misplaced = command.get_arguments().find(given);
            misplaced
                .map(|found| format!("'{found}' cannot stand before '{name}': give it after the command"))
        } else if matches.get_flag("demo") {
            let has_effect = |argument: &&Arg| IN_THE_DEMO.contains(&argument.get_id().as_str());
            let without_effect = command.get_arguments().filter(given).find(|argument| !has_effect(argument));
            without_effect.map(|found| {
                format!("'{found}' has no effect with --demo, which brings its own: leave it out")
            })
        } else {
            None
        };
        match message {
            Some(message) => Err(command.error(ErrorKind::ArgumentConflict, message)),
            None => Self::from_arg_matches(&matches),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Download without the terminal UI and, unless told otherwise, go on seeding
    Download(DownloadArgs),
    /// Say what a torrent or magnet holds
    Show(ShowArgs),
    /// Hash data on disk against a torrent; 0 only if all is there and right
    Verify(VerifyArgs),
    /// Make a torrent of a file or folder
    Create(CreateArgs),
    /// Talk to a running unchoke
    Ctl(CtlArgs),
    /// Look at a running unchoke from within: what is stuck, and its tasks, locks, queues or torrents
    Dump(DumpArgs),
    /// Run a recording of `dump recorder` through the engine again, turn by turn
    Replay(ReplayArgs),
    /// The configuration file
    Config(ConfigArgs),
}

/// `unchoke download`.
#[derive(Debug, Args)]
pub struct DownloadArgs {
    /// Torrents to download
    #[arg(value_name = "SRC", required = true)]
    pub sources: Vec<String>,
    /// How the engine is to work.
    #[command(flatten)]
    pub engine: EngineOptions,
    /// A line a second for each torrent
    #[arg(long)]
    pub stats: bool,
    /// The same as one JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Each event as a line
    #[arg(long)]
    pub events: bool,
    /// Fail, saying what is missing, if the torrents are not complete after this many seconds
    #[arg(long, value_name = "S", value_parser = duration_s)]
    pub timeout: Option<std::time::Duration>,
}

/// `unchoke show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The torrent
    #[arg(value_name = "SRC")]
    pub source: String,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// `unchoke verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The torrent
    #[arg(value_name = "SRC")]
    pub source: String,
    /// The folder its payload was saved into
    #[arg(long, value_name = "D")]
    pub dir: PathBuf,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// `unchoke create`.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// The file or folder
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// The .torrent file to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Replace FILE if it is there
    #[arg(long)]
    pub force: bool,
    /// Make a v1 torrent (BEP 3)
    #[arg(long, group = "kind")]
    pub v1: bool,
    /// Make a v2 torrent (BEP 52)
    #[arg(long, group = "kind")]
    pub v2: bool,
    /// Make a torrent that is both
    #[arg(long, group = "kind")]
    pub hybrid: bool,
    /// Bytes per piece: a power of two, 16384 or more
    #[arg(long, value_name = "N", value_parser = piece_length)]
    pub piece_length: Option<u32>,
    /// A tracker, each as a tier of its own; repeatable
    #[arg(long, value_name = "URL")]
    pub tracker: Vec<String>,
    /// A webseed (BEP 19); repeatable
    #[arg(long, value_name = "URL")]
    pub webseed: Vec<String>,
    /// Peers from its trackers only (BEP 27)
    #[arg(long)]
    pub private: bool,
    /// A remark for people
    #[arg(long, value_name = "T")]
    pub comment: Option<String>,
}

/// `unchoke config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What to do with the configuration.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print where the file is looked for
    Path,
    /// Write a file with every key in it, each commented out
    Init,
    /// Print what is in force, and which file or default it comes from
    Show,
}

/// What `unchoke` and `unchoke download` share.
#[derive(Debug, Default, Args)]
pub struct EngineOptions {
    /// Save payload into this folder
    #[arg(long, value_name = "D")]
    pub dir: Option<PathBuf>,
    /// Listen on, and call from, this address
    #[arg(long, value_name = "IP")]
    pub bind: Option<IpAddr>,
    /// Listen on this port; 0: any
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
    /// A peer of each SRC; repeatable
    #[arg(long, value_name = "IP:PORT")]
    pub peer: Vec<SocketAddr>,
    /// A further tracker of each SRC; repeatable
    #[arg(long, value_name = "URL")]
    pub tracker: Vec<String>,
    /// A further webseed of each SRC (BEP 19), http or https; repeatable
    #[arg(long, value_name = "URL")]
    pub webseed: Vec<String>,
    /// How much files are wanted: path or pattern, and off, low, normal or high; repeatable, later wins
    #[arg(long, value_name = "GLOB=LEVEL", value_parser = file_level)]
    pub file: Vec<FileLevel>,
    /// In which order pieces of each SRC are fetched.
    #[command(flatten)]
    pub order: OrderOptions,
    /// Hash what is on disk at the start: where records do not answer, never (each piece when it is needed), or all
    #[arg(long, value_enum, value_name = "WHEN")]
    pub check: Option<CheckChoice>,
    /// Take data on disk for complete: nothing is hashed at the start, and each piece once before it is first served
    #[arg(long)]
    pub assume_complete: bool,
    /// Whether saved records of what is complete count
    #[arg(long, value_enum, value_name = "YES|NO")]
    pub trust_store: Option<YesNo>,
    /// Encrypted connections (there are none yet: `require` is refused)
    #[arg(long, value_enum, value_name = "HOW")]
    pub encryption: Option<Encryption>,
    /// Most bytes a second from peers: 500k, 2M, 1.5MiB; 0 or none: no limit
    #[arg(long, value_name = "RATE", value_parser = rate_limit)]
    pub down: Option<Limit>,
    /// Most bytes a second to peers
    #[arg(long, value_name = "RATE", value_parser = rate_limit)]
    pub up: Option<Limit>,
    /// Ask no trackers
    #[arg(long)]
    pub no_trackers: bool,
    /// End (in `download`) or pause when all that is wanted is complete
    #[arg(long)]
    pub no_seed: bool,
    /// No DHT (there is none yet)
    #[arg(long)]
    pub no_dht: bool,
    /// No peer exchange (there is none yet)
    #[arg(long)]
    pub no_pex: bool,
    /// No local discovery (there is none yet)
    #[arg(long)]
    pub no_lsd: bool,
    /// No uTP (there is none yet)
    #[arg(long)]
    pub no_utp: bool,
    /// No TCP (refused: there is no other way to a peer yet)
    #[arg(long)]
    pub no_tcp: bool,
    /// Ask no webseeds
    #[arg(long)]
    pub no_webseeds: bool,
    /// Serve diagnostics over HTTP on this loopback address: profiles for `go tool pprof`, status, metrics; port 0: any
    #[arg(long, value_name = "IP:PORT")]
    pub diagnostics: Option<SocketAddr>,
    /// Compare the engine's own state with what follows from scratch, a millisecond a second; `ctl debug` too
    #[arg(long, action = ArgAction::SetTrue)]
    pub debug: bool,
}

impl EngineOptions {
    /// Why something that is asked for cannot be had, where going on would do something else than was asked.
    pub fn refusal(&self) -> Option<&'static str> {
        if self.encryption == Some(Encryption::Require) {
            return Some(
                "--encryption require: encrypted connections are not built yet, so no peer could be reached; \
                 leave the option out or use prefer",
            );
        }
        self.no_tcp
            .then_some("--no-tcp: TCP is the only way to a peer until uTP is built; leave the option out")
    }
}

/// `--check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckChoice {
    /// Where the records do not answer
    Auto,
    /// Each piece when it is needed
    Never,
    /// Everything
    Always,
}

/// `yes` or `no`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum YesNo {
    /// yes
    Yes,
    /// no
    No,
}

/// `--encryption`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Encryption {
    /// Never
    Off,
    /// Where the peer can
    Prefer,
    /// Or no connection
    Require,
}
