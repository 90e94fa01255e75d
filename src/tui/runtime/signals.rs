//! The signals that end, stop or continue the screen.

use rustix::process::Signal;
use tokio::signal::unix::{self, signal};

/// What a signal asks of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignalKind {
    /// To end; its name.
    End(&'static str),
    /// To give the terminal back and stop.
    Stop,
    /// We were stopped and go on: what the terminal shows is unknown.
    Continue,
}

/// The signals we listen to.
pub(super) struct Signals {
    terminate: unix::Signal,
    hang_up: unix::Signal,
    interrupt: unix::Signal,
    quit: unix::Signal,
    stop: unix::Signal,
    go_on: unix::Signal,
}

impl Signals {
    /// Takes the signals over from their default.
    pub(super) fn listen() -> std::io::Result<Self> {
        let raw = |kind: Signal| unix::SignalKind::from_raw(kind.as_raw());
        Ok(Self {
            terminate: signal(unix::SignalKind::terminate())?,
            hang_up: signal(unix::SignalKind::hangup())?,
            interrupt: signal(unix::SignalKind::interrupt())?,
            quit: signal(unix::SignalKind::quit())?,
            stop: signal(raw(Signal::TSTP))?,
            go_on: signal(raw(Signal::CONT))?,
        })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::End("SIGTERM"),
            _ = self.hang_up.recv() => SignalKind::End("SIGHUP"),
            _ = self.interrupt.recv() => SignalKind::End("SIGINT"),
            _ = self.quit.recv() => SignalKind::End("SIGQUIT"),
            _ = self.stop.recv() => SignalKind::Stop,
            _ = self.go_on.recv() => SignalKind::Continue,
        }
    }
}
