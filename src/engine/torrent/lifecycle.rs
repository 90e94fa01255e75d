//! Running, paused, in trouble, stopping: what a torrent may do now, and what it says it is.

use super::{Torrent, WhenComplete};
use crate::contract::{Blocked, EventKind, TorrentState, Untrusted};
use crate::engine::io::{DiskError, Effect};
use crate::engine::peers::rate::RateMeter;
use crate::limits;
use crate::units::Time;

/// What a torrent may do.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Phase {
    /// Everything.
    Running,
    /// Nothing but answer: the user stopped it.
    Paused,
    /// Writing failed. Nothing is requested; what is here is still served. Tried again at `retry_at`.
    DiskTrouble { error: DiskError, retry_at: Time },
    /// Saying goodbye.
    Stopping { since: Time, saved: bool },
    /// Its owner may end.
    Stopped,
    /// One of its tasks ended by a bug of ours. It is connected with nobody until a person resumes it.
    Broken { cause: Untrusted },
}

impl Phase {
    /// Whether it talks to peers.
    pub(super) fn transfers(&self) -> bool {
        matches!(self, Self::Running | Self::DiskTrouble { .. })
    }

    /// Whether it requests blocks.
    pub(super) fn requests(&self) -> bool {
        matches!(self, Self::Running)
    }

    /// Why nothing may be requested, where the whole torrent is the reason.
    pub(super) fn blocked(&self) -> Option<Blocked> {
        match self {
            Self::Running => None,
            Self::Paused | Self::Stopping { .. } | Self::Stopped => Some(Blocked::Paused),
            Self::DiskTrouble { .. } | Self::Broken { .. } => Some(Blocked::TorrentError),
        }
    }
}

impl Torrent {
    /// What it is doing, in one word.
    pub fn state(&self) -> TorrentState {
        match &self.phase {
            Phase::Paused | Phase::Stopping { .. } | Phase::Stopped => TorrentState::Paused,
            Phase::DiskTrouble { .. } | Phase::Broken { .. } => TorrentState::Error,
            Phase::Running if self.pieces.is_complete() => TorrentState::Seeding,
            Phase::Running if self.pieces.is_checking() => TorrentState::Checking,
            Phase::Running if self.pieces.is_finished() => TorrentState::Finished,
            Phase::Running => TorrentState::Downloading,
        }
    }

    pub(super) fn pause(&mut self, now: Time) {
        match self.phase {
            Phase::Running | Phase::DiskTrouble { .. } => self.rest(now, Phase::Paused, "paused"),
            Phase::Broken { .. } => {
                self.phase = Phase::Paused;
                self.storing.mark_dirty(now);
            }
            Phase::Paused | Phase::Stopping { .. } | Phase::Stopped => {}
        }
    }

    /// A task that served this torrent panicked. What it left half-done is not known, so nothing of what was under way
    /// goes on; what is stored is right, as each piece is hashed before it counts.
    pub(super) fn break_off(&mut self, now: Time, cause: Untrusted) {
        if self.phase.transfers() {
            self.rest(now, Phase::Broken { cause }, "one of our tasks failed");
        }
    }

    /// Ends all that is under way with others.
    fn rest(&mut self, now: Time, phase: Phase, reason: &str) {
        self.phase = phase;
        self.close_all(now, reason);
        self.end_all_fetches(now);
        self.down = RateMeter::default();
        self.up = RateMeter::default();
        self.trackers.stop(now);
        self.storing.mark_dirty(now);
    }

    pub(super) fn resume(&mut self, now: Time) {
        match self.phase {
            Phase::Paused | Phase::Broken { .. } => {
                self.phase = Phase::Running;
                self.trackers.start(now);
                self.storing.mark_dirty(now);
            }
            Phase::DiskTrouble { .. } => self.phase = Phase::Running,
            Phase::Running | Phase::Stopping { .. } | Phase::Stopped => {}
        }
    }

    pub(super) fn stop(&mut self, now: Time) {
        if matches!(self.phase, Phase::Stopping { .. } | Phase::Stopped) {
            return;
        }
        self.storing.paused_by_user = self.phase == Phase::Paused;
        self.storing.peers_at_stop = self.known.for_resume();
        self.phase = Phase::Stopping { since: now, saved: false };
        // A record that is being saved was made before the stop: it is not the last one.
        self.storing.mark_dirty(now);
        self.close_all(now, "stopped");
        self.end_all_fetches(now);
        self.trackers.stop(now);
        self.write_all_partials();
    }

    /// Writing or reading failed in a way that a person must know of.
    pub(super) fn disk_trouble(&mut self, now: Time, error: DiskError) {
        if matches!(&self.phase, Phase::DiskTrouble { error: known, .. } if known.message == error.message) {
            // Of the writes that were under way each fails with the same words.
            return;
        }
        self.notify(EventKind::DiskFailed { message: error.message.clone() });
        if matches!(self.phase, Phase::Running) {
            self.phase = Phase::DiskTrouble { error, retry_at: now + limits::DISK_RETRY };
            self.release_all_requests(now);
        }
    }

    /// Requests and stores again when the wait after a disk error is over.
    pub(super) fn retry_disk(&mut self, now: Time) {
        if self.disk_retry_at().is_some_and(|at| at <= now) {
            self.phase = Phase::Running;
        }
    }

    pub(super) fn disk_retry_at(&self) -> Option<Time> {
        match &self.phase {
            Phase::DiskTrouble { retry_at, .. } => Some(*retry_at),
            Phase::Running
            | Phase::Paused
            | Phase::Stopping { .. }
            | Phase::Stopped
            | Phase::Broken { .. } => None,
        }
    }

    pub(super) fn stop_grace_at(&self) -> Option<Time> {
        match &self.phase {
            Phase::Stopping { since, .. } => Some(*since + limits::STOP_GRACE),
            Phase::Running
            | Phase::Paused
            | Phase::DiskTrouble { .. }
            | Phase::Stopped
            | Phase::Broken { .. } => None,
        }
    }

    /// Ends a stop when everything is written, saved and said, or when it has taken too long.
    pub(super) fn finish_stop(&mut self, now: Time) {
        let Phase::Stopping { since, saved } = self.phase else { return };
        let waited = now.since(since) >= limits::STOP_GRACE;
        if waited || (saved && self.storing.is_idle() && self.trackers.all_stopped()) {
            self.phase = Phase::Stopped;
            self.effects.push_back(Effect::Stopped);
        }
    }

    /// Tells a change of state once, and does what follows from being done.
    pub(super) fn tell_state(&mut self, now: Time) {
        let to = self.state();
        let from = self.told_state;
        if from == to || matches!(self.phase, Phase::Stopping { .. } | Phase::Stopped) {
            return;
        }
        self.told_state = to;
        self.notify(EventKind::State { from, to });
        if self.is_done() && matches!(from, TorrentState::Downloading | TorrentState::Checking) {
            if from == TorrentState::Downloading && to == TorrentState::Seeding {
                self.trackers.completed();
            }
            if from == TorrentState::Downloading {
                self.notify(EventKind::Completed);
            }
            self.down = RateMeter::default();
            self.storing.save_soon(now);
            if self.when_complete == WhenComplete::Pause {
                self.pause(now);
                self.tell_state(now);
            }
        }
    }

    /// Whether all that is wanted is here and may be served.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state(), TorrentState::Seeding | TorrentState::Finished)
    }
}
