//! Files that the screen has written: texts and dumps, one at a time, on threads of their own.

use std::path::PathBuf;

use super::Screen;
use crate::contract::Severity;
use crate::inspect;
use crate::tui::text;

impl Screen {
    /// Has a text written where that may take its time.
    pub(super) fn save(&mut self, name: String, text: String) {
        match self.save.clone() {
            Some(save) => self.write("screen: write a text", move || (save.0)(&name, &text)),
            None => self.model.toasts.push(Severity::Error, text::CANNOT_SAVE),
        }
    }

    /// Has everything that the inspector sees written.
    pub(super) fn write_dump(&mut self) {
        match self.dump.clone() {
            Some(dump) => self.write("screen: write a dump", move || (dump.0)()),
            None => self.model.toasts.push(Severity::Error, text::CANNOT_SAVE),
        }
    }

    /// Writes on a thread of its own: every worker of the runtime may be held, which is what the file is to tell of.
    fn write(
        &mut self,
        name: &'static str,
        write: impl FnOnce() -> std::io::Result<PathBuf> + Send + 'static,
    ) {
        if self.writing {
            return self.model.toasts.push(Severity::Info, text::STILL_WRITING);
        }
        let saved_in = self.saved_in.clone();
        let started = inspect::spawn_thread(name, move || {
            // The screen may have ended meanwhile; the file is there all the same.
            let _ = saved_in.send_blocking(write().map_err(|source| source.to_string()));
        });
        match started {
            Ok(_) => self.writing = true,
            Err(source) => self.model.toasts.push(Severity::Error, text::not_saved(&source.to_string())),
        }
    }
}
