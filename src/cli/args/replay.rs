//! `unchoke replay`: what a torrent's owner did, seen again.

use std::path::PathBuf;

use clap::Args;

/// `unchoke replay`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Prints each turn: when, what came in, what went out. Ends with 0 where every turn and the final state are\n\
    identical to what was recorded. Make a recording with `unchoke dump recorder`."
)]
pub struct ReplayArgs {
    /// The recording
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Stop so many seconds after its beginning
    #[arg(long, value_name = "SECONDS", value_parser = super::duration_s)]
    pub until: Option<std::time::Duration>,
    /// Stop behind the first turn whose line or findings have this word
    #[arg(long, value_name = "WORD")]
    pub stop_on: Option<String>,
    /// Print findings and the end only
    #[arg(long)]
    pub quiet: bool,
}
