//! Standard output: lines for people and programs. A reader that has gone away is no error and no panic.

use std::io::{self, IsTerminal, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;

use super::json;
use crate::limits::OUTPUT_PATIENCE;

/// Standard output, remembered as closed once nobody reads it.
#[derive(Debug)]
pub(super) struct Output {
    stream: io::Stdout,
    reader: Reader,
    patience: Patience,
    /// A line that the next one replaces is on the screen.
    has_passing_line: bool,
}

/// Whether somebody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    There,
    Gone,
}

/// What happens to a line that a slow reader leaves no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// It waits: a result must arrive whole.
    Waits,
    /// It is left out: the next one tells the same, and signals must not wait for a reader.
    Skips,
}

impl Output {
    /// Standard output, for results.
    pub(super) fn new() -> Self {
        let patience = Patience::Waits;
        Self { stream: io::stdout(), reader: Reader::There, patience, has_passing_line: false }
    }

    /// Standard output, for the news of a program that goes on whether anybody reads or not.
    pub(super) fn for_news() -> Self {
        Self { patience: Patience::Skips, ..Self::new() }
    }

    /// Whether a person looks at it.
    pub(super) fn is_terminal(&self) -> bool {
        self.stream.is_terminal()
    }

    /// Whether nobody reads it any more.
    pub(super) fn is_closed(&self) -> bool {
        self.reader == Reader::Gone
    }

    /// Writes a line that stays. What comes from outside in it must have been made safe to show.
    pub(super) fn line(&mut self, text: impl std::fmt::Display) -> io::Result<()> {
        let clear = if std::mem::take(&mut self.has_passing_line) { CLEAR_LINE } else { "" };
        self.put(&format!("{clear}{text}\n"))
    }

    /// Writes a line that the next one replaces; for terminals only.
    pub(super) fn passing_line(&mut self, text: impl std::fmt::Display) -> io::Result<()> {
        self.has_passing_line = true;
        self.put(&format!("{CLEAR_LINE}{text}"))
    }

    /// Writes a value as a line of JSON.
    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.line(json::line(value).map_err(io::Error::other)?)
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        if self.patience == Patience::Skips && !self.has_room() {
            return Ok(());
        }
        self.write_all(text.as_bytes())?;
        self.flush()
    }

    /// Whether a line can be written now, or within a moment. What cannot tell (a file) always has room.
    fn has_room(&self) -> bool {
        let moment = Timespec::try_from(OUTPUT_PATIENCE).ok();
        let mut polled = [PollFd::new(&self.stream, PollFlags::OUT)];
        poll(&mut polled, moment.as_ref()).map_or(true, |ready| ready > 0)
    }

    /// The result of using the stream; that nobody reads any more is none.
    fn noted<T>(&mut self, result: io::Result<T>, instead: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.reader = Reader::Gone;
                Ok(instead)
            }
            result => result,
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.reader {
            Reader::Gone => Ok(bytes.len()),
            Reader::There => {
                let written = self.stream.write(bytes);
                self.noted(written, bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.reader {
            Reader::Gone => Ok(()),
            Reader::There => {
                let flushed = self.stream.flush();
                self.noted(flushed, ())
            }
        }
    }
}

impl Default for Output {
    fn default() -> Self {
        Self::new()
    }
}

/// To the start of the line, and clear it.
const CLEAR_LINE: &str = "\r\x1b[K";

/// Says something to people on standard error; nothing can be done where even that fails.
pub(super) fn complain(kind: &str, text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{kind}: {text}");
}
