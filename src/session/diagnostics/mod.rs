//! The diagnostics server: HTTP for those who look for a fault with a browser, `go tool pprof` or Prometheus.
//!
//! It listens on loopback only, takes no request that a page of some site could have made (see `guard`), and changes
//! nothing. It runs on a thread with a runtime of its own, so it answers while every worker of the engine is held. An
//! answer is built as a whole before its first byte goes out, no lock is held over it, and the time of each client is
//! bounded: a slow reader delays nobody.

mod guard;
mod pages;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use super::Handle;
use super::clients::Clients;
use crate::inspect::{self, WaitKind};
use crate::limits::{
    DIAGNOSTICS_CLIENT_MAX, DIAGNOSTICS_CLIENTS_MAX, DIAGNOSTICS_HEAD_BYTES_MAX, DIAGNOSTICS_HEAD_MAX,
    REMOTE_ACCEPT_RETRY,
};

/// Why there are no diagnostics.
#[derive(Debug, thiserror::Error)]
pub enum DiagnosticsError {
    /// Others could read it.
    #[error(
        "--diagnostics {0}: diagnostics are for this machine only; give a loopback address such as 127.0.0.1:{port}, and \
         reach it from elsewhere through ssh -L",
        port = .0.port()
    )]
    NotLoopback(SocketAddr),
    /// The system's no.
    #[error("--diagnostics {address}: cannot listen there: {error}; choose another port, or 0 for any")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// The system's words.
        error: io::Error,
    },
}

/// A socket that listens and is not served yet.
#[derive(Debug)]
pub struct Bound {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

/// A server that works until this is dropped.
#[derive(Debug)]
pub struct Diagnostics {
    address: SocketAddr,
    /// Its thread ends when this end is gone.
    _alive: inspect::Sender<()>,
}

/// Listens on a loopback address; others are refused.
pub fn bind(address: SocketAddr) -> Result<Bound, DiagnosticsError> {
    if !address.ip().is_loopback() {
        return Err(DiagnosticsError::NotLoopback(address));
    }
    let listen = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Bound { address: listener.local_addr()?, listener })
    };
    listen().map_err(|error| DiagnosticsError::Bind { address, error })
}

impl Bound {
    /// Answers for the engine from now on.
    pub fn serve(self, handle: Handle) -> Result<Diagnostics, DiagnosticsError> {
        let Self { listener, address } = self;
        let start = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let listener = {
                let _driven = runtime.enter();
                TcpListener::from_std(listener)?
            };
            let (alive, gone) = inspect::channel("diagnostics: until", 1);
            // What it does beside waiting is done by tasks of their own.
            let serving = move || {
                let accepting = accept(listener, address, handle, gone);
                inspect::blocking(WaitKind::SocketRead, || runtime.block_on(accepting));
            };
            inspect::spawn_thread("diagnostics", serving)?;
            Ok(Diagnostics { address, _alive: alive })
        };
        start().map_err(|error| DiagnosticsError::Bind { address, error })
    }
}

impl Diagnostics {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Takes clients until the other end of `gone` is dropped.
async fn accept(listener: TcpListener, address: SocketAddr, handle: Handle, mut gone: inspect::Receiver<()>) {
    let mut clients = Clients::new(DIAGNOSTICS_CLIENTS_MAX);
    loop {
        let accepted = tokio::select! {
            accepted = inspect::reading(listener.accept()) => accepted,
            _ = gone.recv() => return,
        };
        let Ok((stream, peer)) = accepted else {
            inspect::sleep(REMOTE_ACCEPT_RETRY).await;
            continue;
        };
        let client = serve_client(stream, address, handle.clone());
        clients.serve(format!("diagnostics: client {peer}"), client);
    }
}

async fn serve_client(stream: TcpStream, address: SocketAddr, handle: Handle) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let handle = handle.clone();
        async move {
            let answer = match guard::check(request.method(), request.headers(), address.port()) {
                Ok(()) => pages::answer(request.uri().path(), request.uri().query(), &handle).await,
                Err(refusal) => *refusal,
            };
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(DIAGNOSTICS_HEAD_MAX)
        .max_buf_size(DIAGNOSTICS_HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // A client that is gone, slow or speaks no HTTP has had its turn.
    let _ = inspect::timeout(DIAGNOSTICS_CLIENT_MAX, connection).await;
}

#[cfg(test)]
mod tests;
