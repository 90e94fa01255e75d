//! Dumps, from a thread of the system on a socket of their own: they are wanted most when no worker of the runtime is
//! free to answer.
//!
//! The lines are those of the other socket, and the same user alone is served; one question each. The thread has a runtime
//! of its own with a task per client, and one deadline holds over all of a client: a slow reader delays nobody.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::line::{Line, read_line};
use super::server::{ServeError, bind, is_same_user};
use super::{DUMP_SOCKET_NAME, Question, Reply};
use crate::contract::{Answer, Command, Refusal};
use crate::inspect::{self, WaitKind};
use crate::limits::{
    REMOTE_ACCEPT_RETRY, REMOTE_DUMP_CLIENT_MAX, REMOTE_DUMP_CLIENTS_MAX, REMOTE_DUMP_QUESTION_BYTES_MAX,
};
use crate::session::Handle;
use crate::session::clients::Clients;

/// A socket that gives dumps until this is dropped; its file goes with it.
#[derive(Debug)]
pub struct DumpServer {
    path: PathBuf,
    /// Its thread ends when this end is gone.
    _alive: inspect::Sender<()>,
}

impl Drop for DumpServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Serves dumps on a socket in `state_dir`. Call it only while holding that folder's lock, as [`super::serve`].
pub fn serve_dumps(state_dir: &Path, handle: Handle) -> Result<DumpServer, ServeError> {
    serve_within(REMOTE_DUMP_CLIENT_MAX, state_dir, handle)
}

/// As [`serve_dumps`], with so long for each client.
fn serve_within(client_max: Duration, state_dir: &Path, handle: Handle) -> Result<DumpServer, ServeError> {
    let path = state_dir.join(DUMP_SOCKET_NAME);
    let start = || {
        let listener = bind(state_dir, DUMP_SOCKET_NAME)?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _driven = runtime.enter();
            UnixListener::from_std(listener)?
        };
        let (alive, gone) = inspect::channel("control socket: dumps until", 1);
        // What it does beside waiting is done by tasks of their own.
        let serving = move || {
            let accepting = accept(listener, client_max, handle, gone);
            inspect::blocking(WaitKind::SocketRead, || runtime.block_on(accepting));
        };
        inspect::spawn_thread("control socket: dumps", serving)?;
        Ok(alive)
    };
    match start() {
        Ok(alive) => Ok(DumpServer { path, _alive: alive }),
        Err(error) => Err(ServeError::new(path, error)),
    }
}

/// Takes clients until the other end of `gone` is dropped.
async fn accept(
    listener: UnixListener,
    client_max: Duration,
    handle: Handle,
    mut gone: inspect::Receiver<()>,
) {
    let mut clients = Clients::new(REMOTE_DUMP_CLIENTS_MAX);
    loop {
        let accepted = tokio::select! {
            accepted = inspect::reading(listener.accept()) => accepted,
            _ = gone.recv() => return,
        };
        match accepted {
            Ok((stream, _)) if is_same_user(&stream) => {
                let handle = handle.clone();
                clients.serve("control socket: a client of dumps", async move {
                    // A client that is gone, slow or says nothing has had its turn.
                    let _ = inspect::timeout(client_max, serve_client(stream, &handle)).await;
                });
            }
            Ok(_stranger) => {}
            Err(_) => inspect::sleep(REMOTE_ACCEPT_RETRY).await,
        }
    }
}

async fn serve_client(stream: UnixStream, handle: &Handle) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut reader = BufReader::new(read);
    let line = inspect::reading(read_line(&mut reader, REMOTE_DUMP_QUESTION_BYTES_MAX)).await?;
    let reply = match line {
        Line::Whole(line) => answer(&line, handle).await,
        Line::TooLong => {
            let message = format!("the line has more than {REMOTE_DUMP_QUESTION_BYTES_MAX} bytes");
            Reply::new(None, Err(Refusal::new(message)))
        }
        Line::End => return Ok(()),
    };
    let mut line = serde_json::to_vec(&reply)?;
    line.push(b'\n');
    inspect::writing(write.write_all(&line)).await
}

async fn answer(line: &[u8], handle: &Handle) -> Reply {
    match serde_json::from_slice(line) {
        Ok(Question { id, command: Command::Dump(kind) }) => {
            Reply::new(Some(id), Ok(Answer::Dump(Box::new(inspect::dump(kind)))))
        }
        // The owners' answers are waited for on this thread, each within a bound.
        Ok(Question { id, command: Command::Report }) => {
            Reply::new(Some(id), handle.request(Command::Report).await)
        }
        Ok(Question { id, command: _ }) => {
            Reply::new(Some(id), Err(Refusal::new("this socket gives dumps only")))
        }
        Err(error) => {
            Reply::new(None, Err(Refusal::new(format!("not a question this engine knows: {error}"))))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::os::unix::net::UnixStream as Socket;
    use std::time::Instant;

    use super::super::Client;
    use super::*;
    use crate::contract::DumpKind;

    /// Long for an answer on this machine, short for a test.
    const TURN: Duration = Duration::from_secs(3);

    fn connect(folder: &Path) -> Socket {
        let socket = Socket::connect(folder.join(DUMP_SOCKET_NAME)).unwrap();
        socket.set_read_timeout(Some(2 * TURN)).unwrap();
        socket
    }

    fn ask(folder: &Path) -> Socket {
        let mut socket = connect(folder);
        let question = Question { id: 1, command: Command::Dump(DumpKind::Tasks) };
        let mut line = serde_json::to_vec(&question).unwrap();
        line.push(b'\n');
        socket.write_all(&line).unwrap();
        socket
    }

    /// All that is still to come, and whether the answer ends with it.
    fn rest_of(socket: &mut Socket) -> (usize, bool) {
        let mut rest = Vec::new();
        // Who is cut off with a question unread is told so by a reset.
        if let Err(error) = socket.read_to_end(&mut rest) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "it is let go: {error}");
        }
        (rest.len(), rest.ends_with(b"\n"))
    }

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

    #[tokio::test]
    async fn who_never_reads_and_who_trickles_delay_nobody_and_are_cut_off_at_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let _server = serve_within(TURN, folder.path(), Handle::new(7).0).unwrap();
        // An answer that no buffer of a socket holds.
        let idle = |number| inspect::spawn(format!("idle {number}"), std::future::pending::<()>());
        let idle: Vec<_> = (0..3_000).map(idle).collect();
        let began = Instant::now();
        let (mut never, mut trickles) = (ask(folder.path()), ask(folder.path()));
        trickles.read_exact(&mut [0]).unwrap();
        let (length, whole) = rest_of(&mut ask(folder.path()));
        assert!(whole && length > 500_000, "{length} bytes");
        assert!(began.elapsed() < TURN, "a third is answered at once: {:?}", began.elapsed());
        while began.elapsed() < TURN + Duration::from_millis(500) {
            trickles.read_exact(&mut [0]).unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
        for (who, slow) in [("never reads", &mut never), ("trickles", &mut trickles)] {
            let (rest, whole) = rest_of(slow);
            assert!(!whole && rest < length, "who {who} got {rest} of {length} bytes");
        }
        idle.iter().for_each(inspect::TaskHandle::abort);
    }

    #[test]
    fn the_oldest_of_too_many_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let _server = serve_within(20 * TURN, folder.path(), Handle::new(7).0).unwrap();
        let mut silent: Vec<_> = (0..=REMOTE_DUMP_CLIENTS_MAX).map(|_| connect(folder.path())).collect();
        assert!(rest_of(&mut ask(folder.path())).1);
        assert_eq!(rest_of(&mut silent[0]), (0, false));
    }
}
