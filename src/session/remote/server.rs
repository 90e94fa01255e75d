//! The engine's side of the socket.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};

use super::address::SocketAddress;
use super::line::{Line, read_line};
use super::{Question, Reply, SOCKET_NAME};
use crate::contract::{Command, Refusal};
use crate::inspect;
use crate::limits::{
    REMOTE_ACCEPT_RETRY, REMOTE_CLIENTS_MAX, REMOTE_IDLE, REMOTE_QUESTION_BYTES_MAX, REMOTE_WRITE,
};
use crate::session::Handle;

/// Why the socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the control socket {path}: {error}; choose another --state-dir or mend its permissions")]
pub struct ServeError {
    path: PathBuf,
    error: io::Error,
}

impl ServeError {
    pub(super) const fn new(path: PathBuf, error: io::Error) -> Self {
        Self { path, error }
    }
}

/// A socket that is served until this is dropped; its file goes with it.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    task: inspect::TaskHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        // Nobody else's: the caller holds the state folder's lock while this lives.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Serves the engine on the socket in `state_dir`. Call it only while holding that folder's lock: a socket that is
/// there already is then a dead engine's and is replaced.
pub fn serve(state_dir: &Path, handle: Handle) -> Result<Server, ServeError> {
    let path = state_dir.join(SOCKET_NAME);
    let listener = bind(state_dir, SOCKET_NAME).and_then(|listener| {
        listener.set_nonblocking(true)?;
        UnixListener::from_std(listener)
    });
    let listener = listener.map_err(|error| ServeError::new(path.clone(), error))?;
    let task = inspect::spawn("control socket: accept", accept(listener, handle));
    Ok(Server { path, task })
}

/// Binds under another name and renames once the mode is right, so that nobody finds it open to others.
pub(super) fn bind(state_dir: &Path, name: &str) -> io::Result<std::os::unix::net::UnixListener> {
    let fresh_name = format!("{name}.{}", std::process::id());
    let fresh_path = state_dir.join(&fresh_name);
    match std::fs::remove_file(&fresh_path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let address = SocketAddress::new(state_dir, &fresh_name)?;
    let listener = std::os::unix::net::UnixListener::bind(address.path())?;
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&fresh_path, owner_only)?;
    std::fs::rename(&fresh_path, state_dir.join(name))?;
    Ok(listener)
}

/// Takes clients until aborted. Those over the bound wait in the system's own queue.
async fn accept(listener: UnixListener, handle: Handle) {
    let places = Arc::new(inspect::Semaphore::new("control socket: clients", REMOTE_CLIENTS_MAX));
    loop {
        let place = places.acquire().await;
        match inspect::reading(listener.accept()).await {
            Ok((stream, _)) if is_same_user(&stream) => {
                let handle = handle.for_another();
                let client = async move {
                    serve_client(stream, handle).await;
                    drop(place);
                };
                inspect::spawn("control socket: client", client).detach();
            }
            Ok(_stranger) => {}
            // Out of descriptors, most likely: the next try must not come at once.
            Err(_) => inspect::sleep(REMOTE_ACCEPT_RETRY).await,
        }
    }
}

/// The mode of the file already says so; a file moved or shared by mistake must not undo it.
pub(super) fn is_same_user(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}

/// Answers one client's lines in order until it closes, is silent too long, or does not take its answers.
async fn serve_client(stream: UnixStream, handle: Handle) {
    let (read, mut write) = stream.into_split();
    let mut reader = BufReader::new(read);
    loop {
        let reply = match next_line(&mut reader).await {
            Some(Line::Whole(line)) => match answer(&line, &handle, &mut reader).await {
                Some(reply) => reply,
                None => return,
            },
            Some(Line::TooLong) => {
                let message = format!("the line has more than {REMOTE_QUESTION_BYTES_MAX} bytes");
                let reply = Reply::new(None, Err(Refusal::new(message)));
                // What follows is the middle of that line, so the connection cannot go on.
                let _ = send(&mut write, &reply).await;
                return;
            }
            Some(Line::End) | None => return,
        };
        if send(&mut write, &reply).await.is_err() {
            return;
        }
    }
}

/// The next line; `None` where the client is silent too long or gone.
async fn next_line(reader: &mut BufReader<OwnedReadHalf>) -> Option<Line> {
    let line =
        inspect::timeout(REMOTE_IDLE, inspect::reading(read_line(reader, REMOTE_QUESTION_BYTES_MAX))).await;
    line.ok()?.ok()
}

/// Asks the engine. A read may wait for long, and ends with a client that closes its side; `None` then.
async fn answer(line: &[u8], handle: &Handle, reader: &mut BufReader<OwnedReadHalf>) -> Option<Reply> {
    let Question { id, command } = match serde_json::from_slice::<Question>(line) {
        Ok(question) => question,
        Err(error) => {
            let refusal = Refusal::new(format!("not a question this engine knows: {error}"));
            return Some(Reply::new(None, Err(refusal)));
        }
    };
    let waits_long = matches!(command, Command::Read { .. });
    tokio::select! {
        outcome = handle.request(command) => Some(Reply::new(Some(id), outcome)),
        () = inspect::reading(hung_up(reader)), if waits_long => None,
    }
}

/// Waits until the client closes its side; for ever where it asks on before it has its answer.
async fn hung_up(reader: &mut BufReader<OwnedReadHalf>) {
    if reader.fill_buf().await.is_ok_and(|ready| !ready.is_empty()) {
        std::future::pending::<()>().await;
    }
}

async fn send(write: &mut OwnedWriteHalf, reply: &Reply) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    inspect::timeout(REMOTE_WRITE, inspect::writing(write.write_all(&line))).await?
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tokio::io::AsyncReadExt;

    use super::super::Client;
    use super::*;
    use crate::contract::{Answer, EngineStatus};
    use crate::units::{Time, TorrentId};

    /// An engine that knows its status and refuses all else.
    fn engine() -> Handle {
        let (handle, mut ends) = Handle::new(7);
        let engine = async move {
            while let Some(request) = ends.requests.recv().await {
                request.reply.send(match request.command {
                    Command::Status => Ok(Answer::Status { at: Time::ZERO, engine: EngineStatus::default() }),
                    other => Err(Refusal::new(format!("no: {other:?}"))),
                });
            }
        };
        inspect::spawn("engine", engine).detach();
        handle
    }

    #[tokio::test]
    async fn a_client_gets_answers_and_refusals() {
        let folder = tempfile::tempdir().unwrap();
        let server = serve(folder.path(), engine()).unwrap();
        let mut client = Client::connect(folder.path()).await.unwrap();
        let answer = client.request(Command::Status).await.unwrap();
        assert!(matches!(answer, Answer::Status { .. }));
        let refusal = client.request(Command::Pause(TorrentId([1; 20]))).await.unwrap_err();
        assert!(refusal.to_string().starts_with("no: Pause"), "{refusal}");
        drop(server);
        assert!(Client::connect(folder.path()).await.is_err());
    }

    #[tokio::test]
    async fn the_socket_is_the_owners_alone_and_replaces_a_dead_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SOCKET_NAME);
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a dead engine leaves its socket");
        let _server = serve(folder.path(), engine()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Client::connect(folder.path()).await.is_ok());
    }

    #[tokio::test]
    async fn a_state_folder_with_a_long_path_is_served_too() {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("x".repeat(100)).join("y".repeat(100));
        std::fs::create_dir_all(&long).unwrap();
        let _server = serve(&long, engine()).unwrap();
        assert!(Client::connect(&long).await.unwrap().request(Command::Status).await.is_ok());
    }

    #[tokio::test]
    async fn rubbish_is_answered_and_an_endless_line_ends_the_connection() {
        let folder = tempfile::tempdir().unwrap();
        let _server = serve(folder.path(), engine()).unwrap();
        let mut stream = UnixStream::connect(folder.path().join(SOCKET_NAME)).await.unwrap();
        stream.write_all(b"{\"id\":1,\"command\":\"explode\"}\n").await.unwrap();
        let mut buffer = vec![0; 4096];
        let length = stream.read(&mut buffer).await.unwrap();
        assert!(String::from_utf8_lossy(&buffer[..length]).contains("not a question"));
        // The server hangs up in the middle, so the write may fail; what counts is that it ends.
        let _ = stream.write_all(&vec![b'x'; REMOTE_QUESTION_BYTES_MAX + 1]).await;
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(Client::connect(folder.path()).await.is_ok(), "others are served still");
    }
}
