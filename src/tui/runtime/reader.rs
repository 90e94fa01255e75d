//! Reads the terminal's events on a thread of its own.
//!
//! crossterm's reader never comes back from a terminal that hung up: it reads nothing, again and again. On this thread
//! that costs at most one tick, until the loop finds the terminal gone; on the loop's it would be the end of the screen
//! and of the way out.

use std::io;

use ratatui::crossterm::event::{self, Event};

use crate::{inspect, limits};

/// Starts the thread; it ends within `limits::TERMINAL_POLL` of the receiver, unless the terminal is gone.
pub(super) fn start() -> io::Result<inspect::Receiver<io::Result<Event>>> {
    let (read, events) = inspect::channel("screen: input", limits::TERMINAL_INPUTS_MAX);
    inspect::spawn_thread("screen: reader", move || {
        while !read.is_closed() {
            let event = match event::poll(limits::TERMINAL_POLL) {
                Ok(false) => continue,
                Ok(true) => event::read(),
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
