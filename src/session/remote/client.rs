//! The asking side of the socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::address::SocketAddress;
use super::line::{Line, read_line};
use super::{DUMP_SOCKET_NAME, Question, Reply, SOCKET_NAME};
use crate::contract::{Answer, Command, Refusal, Source};
use crate::inspect;
use crate::limits::{REMOTE_ANSWER_BYTES_MAX, REMOTE_ANSWER_WAIT, TORRENT_FETCH_WAIT};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error(
        "no unchoke is running on the state folder {}: start one with `unchoke` or `unchoke download`, or name \
         another folder with --state-dir", .state_dir.display()
    )]
    NotRunning {
        /// The folder.
        state_dir: PathBuf,
    },
    /// It is there and cannot be talked to.
    #[error("cannot talk to the unchoke on the state folder {}: {error}", .state_dir.display())]
    Io {
        /// The folder.
        state_dir: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// It is there and says nothing.
    #[error(
        "the unchoke on the state folder {} has not answered within {} s: it is stopped or overloaded; what was asked may \
         still take effect. Continue it (`fg`, or kill -CONT), try again later, or end it and start another",
        .state_dir.display(), .waited.as_secs()
    )]
    Silent {
        /// The folder.
        state_dir: PathBuf,
        /// For how long.
        waited: Duration,
    },
    /// It sent something else than an answer.
    #[error("the unchoke on the state folder {} speaks another version: {error}; restart it", .state_dir.display())]
    Malformed {
        /// The folder.
        state_dir: PathBuf,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// The engine's own no.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A connection to a running engine.
#[derive(Debug)]
pub struct Client {
    state_dir: PathBuf,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    last_id: u64,
    /// Longest wait for an answer.
    patience: Duration,
}

impl Client {
    /// Connects to the engine that runs on this state folder.
    pub async fn connect(state_dir: &Path) -> Result<Self, ClientError> {
        Self::connect_to(state_dir, SOCKET_NAME).await
    }

    /// As [`Client::connect`], for one question of [`Command::Dump`]: it is answered also where the runtime is stuck.
    pub async fn connect_for_dump(state_dir: &Path) -> Result<Self, ClientError> {
        Self::connect_to(state_dir, DUMP_SOCKET_NAME).await
    }

    async fn connect_to(state_dir: &Path, name: &str) -> Result<Self, ClientError> {
        let state_dir = state_dir.to_owned();
        let patience = REMOTE_ANSWER_WAIT;
        let connected = match SocketAddress::new(&state_dir, name) {
            Ok(address) => match inspect::timeout(patience, UnixStream::connect(address.path())).await {
                Ok(connected) => connected,
                Err(_elapsed) => return Err(ClientError::Silent { state_dir, waited: patience }),
            },
            Err(error) => Err(error),
        };
        match connected {
            Ok(stream) => {
                let (read, writer) = stream.into_split();
                Ok(Self { state_dir, reader: BufReader::new(read), writer, last_id: 0, patience })
            }
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                Err(ClientError::NotRunning { state_dir })
            }
            Err(error) => Err(ClientError::Io { state_dir, error }),
        }
    }

    /// Asks, and waits for the answer to that question. After [`ClientError::Silent`] the connection is of no more use.
    pub async fn request(&mut self, command: Command) -> Result<Answer, ClientError> {
        if matches!(command, Command::Read { .. }) {
            // It is answered when the bytes are here: whoever reads decides how long that may take.
            return self.ask(command).await;
        }
        let waited = self.patience + fetch_wait(&command);
        let state_dir = self.state_dir.clone();
        inspect::timeout(waited, self.ask(command))
            .await
            .unwrap_or(Err(ClientError::Silent { state_dir, waited }))
    }

    async fn ask(&mut self, command: Command) -> Result<Answer, ClientError> {
        self.last_id += 1;
        let question = Question { id: self.last_id, command };
        let mut line = serde_json::to_vec(&question).map_err(|error| self.malformed(error))?;
        line.push(b'\n');
        self.writer.write_all(&line).await.map_err(|error| self.io(error))?;
        loop {
            let line = read_line(&mut self.reader, REMOTE_ANSWER_BYTES_MAX).await;
            let line = match line.map_err(|error| self.io(error))? {
                Line::Whole(line) => line,
                Line::End => return Err(self.io(io::Error::other("it ended before it answered"))),
                Line::TooLong => return Err(self.io(io::Error::other("its answer is too long"))),
            };
            let reply: Reply = serde_json::from_slice(&line).map_err(|error| self.malformed(error))?;
            if reply.id.is_some_and(|id| id != self.last_id) {
                continue;
            }
            return match (reply.ok, reply.error) {
                (Some(answer), None) => Ok(answer),
                (None, Some(refusal)) => Err(ClientError::Refused(refusal)),
                (Some(_), Some(_)) | (None, None) => {
                    Err(self.io(io::Error::other("its answer is neither yes nor no")))
                }
            };
        }
    }

    fn io(&self, error: io::Error) -> ClientError {
        ClientError::Io { state_dir: self.state_dir.clone(), error }
    }

    fn malformed(&self, error: serde_json::Error) -> ClientError {
        ClientError::Malformed { state_dir: self.state_dir.clone(), error }
    }
}

/// How long the engine itself may wait for others before it answers.
fn fetch_wait(command: &Command) -> Duration {
    let fetches = matches!(command, Command::Preview(Source::Url(_)))
        || matches!(command, Command::Add(request) if matches!(request.source, Source::Url(_)));
    if fetches { TORRENT_FETCH_WAIT } else { Duration::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_engine_that_does_not_answer_is_not_waited_for_without_end() {
        let folder = tempfile::tempdir().unwrap();
        // It listens and never takes a client, as a process does that was stopped.
        let _listener = tokio::net::UnixListener::bind(folder.path().join(SOCKET_NAME)).unwrap();
        let mut client = Client::connect(folder.path()).await.unwrap();
        client.patience = Duration::from_millis(20);
        let error = client.request(Command::List).await.unwrap_err();
        assert!(matches!(error, ClientError::Silent { .. }), "{error}");
        assert!(error.to_string().contains(&*folder.path().to_string_lossy()), "{error}");
    }
}
