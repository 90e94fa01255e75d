//! Dumps, from a thread of the system on a socket of their own: they are wanted most when no worker of the runtime is
//! free to answer.
//!
//! The lines are those of the other socket, and the same user alone is served; one client after the other, one question
//! each, within bounds on its time.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::address::SocketAddress;
use super::server::{ServeError, bind};
use super::{DUMP_SOCKET_NAME, Question, Reply};
use crate::contract::{Answer, Command, Refusal};
use crate::inspect::{self, WaitKind};
use crate::limits::{REMOTE_ACCEPT_RETRY, REMOTE_DUMP_QUESTION_BYTES_MAX, REMOTE_DUMP_READ, REMOTE_WRITE};
use crate::session::Handle;

/// A socket that gives dumps until this is dropped; its file goes with it.
#[derive(Debug)]
pub struct DumpServer {
    state_dir: PathBuf,
    stopped: Arc<AtomicBool>,
}

impl Drop for DumpServer {
    fn drop(&mut self) {
        self.stopped.store(true, Relaxed);
        // The thread waits for a client: this is the last one.
        let address = SocketAddress::new(&self.state_dir, DUMP_SOCKET_NAME);
        let _ = address.and_then(|address| UnixStream::connect(address.path()));
        let _ = std::fs::remove_file(self.state_dir.join(DUMP_SOCKET_NAME));
    }
}

/// Serves dumps on a socket in `state_dir`. Call it only while holding that folder's lock, as [`super::serve`].
pub fn serve_dumps(state_dir: &Path, handle: Handle) -> Result<DumpServer, ServeError> {
    let failed = |error| ServeError::new(state_dir.join(DUMP_SOCKET_NAME), error);
    let listener = bind(state_dir, DUMP_SOCKET_NAME).map_err(failed)?;
    let server = DumpServer { state_dir: state_dir.to_owned(), stopped: Arc::default() };
    let stopped = Arc::clone(&server.stopped);
    inspect::spawn_thread("control socket: dumps", move || accept(&listener, &stopped, &handle))
        .map_err(failed)?;
    Ok(server)
}

fn accept(listener: &UnixListener, stopped: &AtomicBool, handle: &Handle) {
    while !stopped.load(Relaxed) {
        match inspect::blocking(WaitKind::SocketRead, || listener.accept()) {
            Ok((stream, _)) if is_same_user(&stream) => {
                // A client that is gone, slow or says nothing has had its turn.
                let _ = serve_client(stream, handle);
            }
            Ok(_stranger) => {}
            Err(_) => std::thread::sleep(REMOTE_ACCEPT_RETRY),
        }
    }
}

fn is_same_user(stream: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(stream).is_ok_and(|peer| peer.uid == rustix::process::geteuid())
}

fn serve_client(stream: UnixStream, handle: &Handle) -> io::Result<()> {
    stream.set_read_timeout(Some(REMOTE_DUMP_READ))?;
    stream.set_write_timeout(Some(REMOTE_WRITE))?;
    let mut line = Vec::new();
    let mut question = BufReader::new((&stream).take(REMOTE_DUMP_QUESTION_BYTES_MAX));
    inspect::blocking(WaitKind::SocketRead, || question.read_until(b'\n', &mut line))?;
    let mut reply = serde_json::to_vec(&answer(&line, handle))?;
    reply.push(b'\n');
    inspect::blocking(WaitKind::SocketWrite, || (&stream).write_all(&reply))
}

fn answer(line: &[u8], handle: &Handle) -> Reply {
    match serde_json::from_slice(line) {
        Ok(Question { id, command: Command::Dump(kind) }) => {
            Reply::new(Some(id), Ok(Answer::Dump(Box::new(inspect::dump(kind)))))
        }
        Ok(Question { id, command: Command::Report }) => Reply::new(Some(id), report(handle)),
        Ok(Question { id, command: _ }) => {
            Reply::new(Some(id), Err(Refusal::new("this socket gives dumps only")))
        }
        Err(error) => {
            Reply::new(None, Err(Refusal::new(format!("not a question this engine knows: {error}"))))
        }
    }
}

/// The owners' answers are waited for on this thread, each within a bound.
fn report(handle: &Handle) -> Result<Answer, Refusal> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| Refusal::new(format!("cannot wait for the owners: {error}")))?;
    runtime.block_on(handle.request(Command::Report))
}

#[cfg(test)]
mod tests {
    use super::super::Client;
    use super::*;
    use crate::contract::DumpKind;

    #[tokio::test]
    async fn dumps_are_given_and_nothing_else_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let server = serve_dumps(folder.path(), Handle::new(7).0).unwrap();
        let mut client = Client::connect_for_dump(folder.path()).await.unwrap();
        let answer = client.request(Command::Dump(DumpKind::Tasks)).await.unwrap();
        assert!(matches!(answer, Answer::Dump(_)));
        let mut client = Client::connect_for_dump(folder.path()).await.unwrap();
        let refusal = client.request(Command::List).await.unwrap_err();
        assert!(refusal.to_string().contains("dumps only"), "{refusal}");
        drop(server);
        assert!(Client::connect_for_dump(folder.path()).await.is_err());
    }
}
