//! The flight recorder of a driver: every input and turn of its torrent goes by here, from before the first one.

use super::Driver;
use crate::engine::io::Input;
use crate::inspect;
use crate::recorder::{NotRecorded, Recording};
use crate::units::Time;

/// Who waits for a recording.
pub(in crate::session) type RecordingReply = inspect::ReplySender<Result<Recording, NotRecorded>>;

impl Driver {
    /// Records an input, and hands it to the torrent.
    pub(super) fn handle(&mut self, now: Time, input: Input) {
        self.recorder.input(now, &self.torrent, &input);
        self.torrent.handle(now, input);
    }

    /// Before the first turn and between turns: writes the torrent's state where that is due. Of a large one that takes a
    /// while, which others who wait on this thread must not wait for. Without a first state nothing is recorded: so it is
    /// where the inspector noted nothing from the start, for measuring what both cost.
    pub(super) fn settle_recorder(&mut self, now: Time) {
        if !inspect::is_noting() {
            return;
        }
        let is_large = self.is_large();
        let (recorder, torrent) = (&mut self.recorder, &self.torrent);
        if recorder.is_due(now) && is_large {
            inspect::aside(|| recorder.settle(now, torrent));
        } else {
            recorder.settle(now, torrent);
        }
    }

    /// What was recorded so far. Call it between turns.
    pub(super) fn recording(&self) -> Result<Recording, NotRecorded> {
        self.recorder.recording(self.outside.shared.clock.now(), &self.torrent)
    }
}
