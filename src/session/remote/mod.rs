//! The Unix socket of a running engine: the contract's commands and answers as JSON lines.
//!
//! `STATE_DIR/unchoke.sock` has mode 0600 and only processes of the same user are served. Each connection is a task of
//! its own with bounded lines and time, so a slow or hostile client costs the engine nothing. The engine serves
//! ([`serve`]); `ctl` asks ([`Client`]).

mod address;
mod client;
mod dumps;
mod line;
mod server;

use serde::{Deserialize, Serialize};

use crate::contract::{Answer, Command, Refusal};

pub use client::{Client, ClientError};
pub use dumps::{DumpServer, serve_dumps};
pub use server::{ServeError, Server, serve};

/// The socket's name in the state folder.
const SOCKET_NAME: &str = "unchoke.sock";

/// That of the socket which gives dumps and needs no worker of the runtime for it.
const DUMP_SOCKET_NAME: &str = "unchoke-dump.sock";

/// A line of a client.
#[derive(Debug, Serialize, Deserialize)]
struct Question {
    /// Comes back with the answer.
    id: u64,
    /// What is asked.
    command: Command,
}

/// A line of the engine: the answer or the refusal, never both.
#[derive(Debug, Serialize, Deserialize)]
struct Reply {
    /// That of the question; `None` where the line could not be read as one.
    id: Option<u64>,
    /// It has taken effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ok: Option<Answer>,
    /// It was not carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
}

impl Reply {
    fn new(id: Option<u64>, outcome: Result<Answer, Refusal>) -> Self {
        match outcome {
            Ok(answer) => Self { id, ok: Some(answer), error: None },
            Err(refusal) => Self { id, ok: None, error: Some(refusal) },
        }
    }
}
