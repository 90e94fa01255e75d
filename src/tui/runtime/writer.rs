//! Writes frames on a thread of its own, one at a time.
//!
//! There is one slot. While the terminal does not read, no further frame is made, so frames are dropped rather than
//! queued and keys go on being taken in.

use std::io::{self, Write};

use crate::inspect::{self, WaitKind};

/// The thread and its slot.
pub(super) struct Writer {
    frames: inspect::Sender<Vec<u8>>,
    written: inspect::Receiver<io::Result<()>>,
    waits: bool,
}

impl Writer {
    /// Starts the thread on `out`.
    pub(super) fn start(mut out: impl Write + Send + 'static) -> io::Result<Self> {
        let (frames, mut slot) = inspect::channel::<Vec<u8>>("screen: frame", 1);
        let (done, written) = inspect::channel("screen: frame written", 1);
        inspect::spawn_thread("screen: writer", move || {
            while let Some(frame) = slot.recv_blocking() {
                let write = || out.write_all(&frame).and_then(|()| out.flush());
                let result = inspect::blocking(WaitKind::Terminal, write);
                if done.send_blocking(result).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { frames, written, waits: false })
    }

    /// Whether the last frame is with the terminal.
    pub(super) fn is_idle(&self) -> bool {
        !self.waits
    }

    /// Hands a frame over; whether it was taken. It is not while the last one is being written.
    pub(super) fn write(&mut self, frame: Vec<u8>) -> bool {
        if self.waits {
            return false;
        }
        self.waits = self.frames.try_send(frame).is_ok();
        self.waits
    }

    /// Waits until the frame under way is written; for ever where there is none.
    pub(super) async fn written(&mut self) -> io::Result<()> {
        if !self.waits {
            return std::future::pending().await;
        }
        let result = self.written.recv().await;
        self.waits = false;
        result.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A terminal that takes a write only when it is told to.
    struct Stuck {
        reads: inspect::Receiver<()>,
        seen: inspect::Sender<Vec<u8>>,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.reads.recv_blocking().ok_or(io::ErrorKind::BrokenPipe)?;
            self.seen.send_blocking(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn no_frame_waits_behind_one_that_the_terminal_does_not_read() {
        let (read, reads) = inspect::channel("test: reads", 8);
        let (seen, mut frames) = inspect::channel("test: frames", 8);
        let mut writer = Writer::start(Stuck { reads, seen }).unwrap();
        assert!(writer.write(b"one".to_vec()));
        assert!(!writer.write(b"two".to_vec()), "the terminal has not taken the first");
        read.send(()).await.unwrap();
        writer.written().await.unwrap();
        assert!(writer.is_idle() && writer.write(b"three".to_vec()));
        read.send(()).await.unwrap();
        writer.written().await.unwrap();
        assert_eq!(frames.recv().await.unwrap(), b"one");
        assert_eq!(frames.recv().await.unwrap(), b"three");
    }

    #[tokio::test]
    async fn a_terminal_that_went_away_is_an_error() {
        let (read, reads) = inspect::channel("test: reads", 1);
        let (seen, _frames) = inspect::channel("test: frames", 1);
        drop(read);
        let mut writer = Writer::start(Stuck { reads, seen }).unwrap();
        writer.write(b"one".to_vec());
        assert!(writer.written().await.is_err());
    }
}
