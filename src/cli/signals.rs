//! Being asked to stop from outside.

use std::io;

use tokio::signal::unix;

/// Listens for the signals that ask a program to stop.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    /// `None` where whoever started us wants it ignored, as `nohup` does.
    hang_up: Option<unix::Signal>,
}

/// Who asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopSignal {
    /// A person, by the interrupt key.
    Interrupt,
    /// The system or a supervisor: the ordinary way to end a service. Or the terminal has gone.
    Terminate,
}

impl Signals {
    /// From now on these signals do not kill the program.
    pub(super) fn new() -> io::Result<Self> {
        // Where the system does not tell, a hangup is what it is everywhere else.
        let is_ignored =
            std::fs::read_to_string("/proc/self/status").is_ok_and(|text| ignores_hang_up(&text));
        let hang_up = (!is_ignored).then(|| unix::signal(unix::SignalKind::hangup())).transpose()?;
        Ok(Self {
            interrupt: unix::signal(unix::SignalKind::interrupt())?,
            terminate: unix::signal(unix::SignalKind::terminate())?,
            hang_up,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> StopSignal {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => StopSignal::Interrupt,
            _ = self.terminate.recv() => StopSignal::Terminate,
            _ = hang_up => StopSignal::Terminate,
        }
    }
}

/// Whether a process of this `/proc/PID/status` ignores SIGHUP, signal 1: the lowest bit of the mask.
fn ignores_hang_up(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hangup_is_ignored_where_the_mask_says_so() {
        let status = |mask| format!("Name:\tunchoke\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert!(ignores_hang_up(&status("0000000000001001")));
        assert!(!ignores_hang_up(&status("0000000000001000")));
        assert!(!ignores_hang_up("Name:\tunchoke\n"));
    }
}
