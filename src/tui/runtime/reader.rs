//! Reads the terminal's events on a thread of its own.
//!
//! crossterm's reader never comes back from a terminal that hung up: it reads nothing, again and again. On this thread
//! that costs at most one tick, until the loop finds the terminal gone; on the loop's it would be the end of the screen
//! and of the way out.
//!
//! It also says when nothing came for a while: that wakes the screen where every worker of the runtime is held, so that
//! nobody drives its timers.

use std::io;

use ratatui::crossterm::event::{self, Event};

use crate::inspect::{self, WaitKind};
use crate::limits;

/// What the terminal said; `None`: nothing for `limits::TERMINAL_POLL`.
pub(super) type Read = io::Result<Option<Event>>;

/// Starts the thread; it ends within `limits::TERMINAL_POLL` of the receiver, unless the terminal is gone.
pub(super) fn start() -> io::Result<inspect::Receiver<Read>> {
    let (read, events) = inspect::channel("screen: input", limits::TERMINAL_INPUTS_MAX);
    inspect::spawn_thread("screen: reader", move || {
        while !read.is_closed() {
            let event = match inspect::blocking(WaitKind::Terminal, || event::poll(limits::TERMINAL_POLL)) {
                Ok(false) => Ok(None),
                Ok(true) => event::read().map(Some),
                Err(source) => Err(source),
            };
            let failed = event.is_err();
            if read.send_blocking(event).is_err() || failed {
                return;
            }
        }
    })?;
    Ok(events)
}
