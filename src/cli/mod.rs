//! The command line: what people type, what scripts depend on, and the front ends without a terminal.
//!
//! [`main`] reads the arguments, chooses a front end, prints the error and gives the exit status. Errors go to standard
//! error and say what was tried, on what, and what to do; standard output carries results only.

pub mod args;
pub mod config;
pub mod create;
mod ctl;
mod demo;
mod download;
mod dump;
mod engine;
pub mod json;
mod output;
mod replay;
mod row;
mod screen;
pub mod show;
mod signals;
mod source;
mod suggest;
mod urls;
mod verify;

use std::process::ExitCode;

use anyhow::Context;

use crate::contract::Answer;
use crate::metainfo::Kind;
use crate::metainfo::create::{Options, Privacy};
use args::{Arguments, Command, ConfigArgs, ConfigCommand, CreateArgs};
use config::Effective;
use output::{Output, complain};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// What was asked is done.
    Done,
    /// It could not be done, or the answer is no.
    Failed,
    /// It was asked wrongly.
    Usage,
    /// A person stopped it.
    Interrupted,
}

impl Exit {
    /// The exit status that scripts see.
    pub const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Interrupted => 130,
        }
    }
}

/// Words of the command line that are right one by one and wrong together.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// The program.
pub fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version go to standard output; where even that fails there is nobody to tell.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.status()));
        }
    };
    let exit = run(&arguments).unwrap_or_else(|error| {
        complain("error", format_args!("{error:#}"));
        if error.is::<UsageError>() { Exit::Usage } else { Exit::Failed }
    });
    ExitCode::from(exit.status())
}

fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let explicit = arguments.config.as_deref();
    let state_dir = arguments.state_dir.as_deref();
    // Of those that need none of it, too: a file that was named and is wrong is a mistake worth hearing of.
    let reject_bad_config = || explicit.map_or(Ok(()), |path| config::load(Some(path)).map(|_| ()));
    match &arguments.command {
        Some(Command::Config(config)) => run_config(arguments, config),
        Some(Command::Download(download)) => {
            let effective = Effective::layer(&download.engine, state_dir, &config::load(explicit)?)?;
            on_runtime(download::run(download, effective))
        }
        Some(Command::Ctl(ctl)) => {
            let state_dir = config::resolve_state_dir(state_dir, &config::load(explicit)?)?;
            on_runtime(ctl::run(ctl, &state_dir))
        }
        Some(Command::Dump(dump)) => {
            let state_dir = config::resolve_state_dir(state_dir, &config::load(explicit)?)?;
            on_runtime(dump::run(dump, &state_dir))
        }
        Some(Command::Replay(arguments)) => {
            reject_bad_config()?;
            on_runtime(replay::run(arguments))
        }
        Some(Command::Verify(arguments)) => {
            reject_bad_config()?;
            verify::run(arguments)
        }
        Some(Command::Show(arguments)) => {
            reject_bad_config()?;
            let form = if arguments.json { show::Form::Json } else { show::Form::Text };
            show::run(&source::fetch(&arguments.source)?, form, &mut Output::new())?;
            Ok(Exit::Done)
        }
        Some(Command::Create(arguments)) => {
            reject_bad_config()?;
            create::run(create_request(arguments), &mut Output::new(), &mut std::io::stderr())?;
            Ok(Exit::Done)
        }
        None if arguments.demo => {
            reject_bad_config()?;
            on_runtime(demo::run(&arguments.engine))
        }
        None => {
            suggest::check_first(&arguments.sources)?;
            let effective = Effective::layer(&arguments.engine, state_dir, &config::load(explicit)?)?;
            on_runtime(screen::run(&arguments.sources, &arguments.engine, effective))
        }
    }
}

/// Runs a front end on the runtime that everything asynchronous shares.
fn on_runtime(front_end: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime = runtime()?;
    let exit = runtime.block_on(front_end);
    // A name that the system is still looking up must not hold up the end.
    runtime.shutdown_background();
    exit
}

/// Only an engine of another version answers what was not asked.
fn unexpected(answer: &Answer) -> anyhow::Error {
    let text: String = format!("{answer:?}").chars().take(80).collect();
    anyhow::anyhow!(
        "the engine answered something else than was asked ({text}): restart it, it is another version"
    )
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start the asynchronous runtime")
}

fn create_request(arguments: &CreateArgs) -> create::CreateRequest {
    let kind = match (arguments.v2, arguments.hybrid) {
        (true, _) => Kind::V2,
        (false, true) => Kind::Hybrid,
        (false, false) => Kind::V1,
    };
    let options = Options {
        kind,
        piece_length: arguments.piece_length,
        trackers: arguments.tracker.clone(),
        webseeds: arguments.webseed.clone(),
        privacy: if arguments.private { Privacy::Private } else { Privacy::Public },
        comment: arguments.comment.clone(),
        ..Options::default()
    };
    let existing = if arguments.force { create::Existing::Replace } else { create::Existing::Keep };
    create::CreateRequest {
        path: arguments.path.clone(),
        output: arguments.output.clone(),
        existing,
        options,
    }
}

fn run_config(arguments: &Arguments, config: &ConfigArgs) -> anyhow::Result<Exit> {
    let explicit = arguments.config.as_deref();
    let mut output = Output::new();
    match config.command {
        ConfigCommand::Path => output.line(config::path(explicit)?.display())?,
        ConfigCommand::Init => output.line(config::init(explicit)?.display())?,
        ConfigCommand::Show => {
            output.line(config::show(explicit, arguments.state_dir.as_deref())?.trim_end())?;
        }
    }
    Ok(Exit::Done)
}
