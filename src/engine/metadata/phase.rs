//! Running, paused, found, in trouble, stopping: what a fetch may do now, and what it says it is.

use super::MetadataFetch;
use crate::contract::{EventKind, TorrentState, Untrusted};
use crate::engine::io::Effect;
use crate::limits;
use crate::units::Time;

/// What a fetch may do.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Phase {
    /// Everything.
    Running,
    /// Nothing: the user stopped it.
    Paused,
    /// The metadata is here; connections stay until the torrent takes over.
    Found,
    /// Nothing: the metadata is here and cannot be used.
    Failed(Untrusted),
    /// Saying goodbye.
    Stopping { since: Time },
    /// Its owner may end.
    Stopped,
}

impl MetadataFetch {
    /// What it is doing, in one word.
    pub fn state(&self) -> TorrentState {
        match self.phase {
            Phase::Running | Phase::Found => TorrentState::Metadata,
            Phase::Paused | Phase::Stopping { .. } | Phase::Stopped => TorrentState::Paused,
            Phase::Failed(_) => TorrentState::Error,
        }
    }

    /// Why it is not further: a stable word, the error's own text, or how many blocks are here.
    pub(super) fn cause(&self) -> Option<Untrusted> {
        let word = match &self.phase {
            Phase::Failed(reason) => return Some(reason.clone()),
            Phase::Paused | Phase::Stopping { .. } | Phase::Stopped | Phase::Found => return None,
            Phase::Running => match self.progress() {
                Some((here, of)) => return Some(Untrusted::new(format!("{here} of {of} blocks"))),
                None => self.waiting_cause(),
            },
        };
        Some(Untrusted::new(word))
    }

    /// Blocks here and in all, of the claim that most is here of or asked for.
    fn progress(&self) -> Option<(u32, u32)> {
        let trust = self.trust();
        let begun = self.assemblies.iter().map(|(claim, assembly)| (assembly.count(), claim.blocks()));
        let asked = self.connections.values().filter(|peer| !peer.requests.is_empty());
        let asked = asked.filter_map(|peer| peer.claim(trust)).map(|claim| (0, claim.blocks()));
        begun.chain(asked).max_by_key(|(here, of)| (*here, std::cmp::Reverse(*of)))
    }

    fn waiting_cause(&self) -> &'static str {
        let mut peers = self.connections.values().peekable();
        if peers.peek().is_some() {
            let asking = peers.any(|peer| peer.connection.extended && !peer.introduced);
            if asking { "asking_peers" } else { "peers_without_metadata" }
        } else if self.known.count() > 0 {
            "no_peer_reachable"
        } else {
            "no_peers_known"
        }
    }

    pub(super) fn pause(&mut self, now: Time) {
        match self.phase {
            Phase::Running | Phase::Found | Phase::Failed(_) => {
                self.phase = Phase::Paused;
                self.close_all(now, "paused");
                self.trackers.stop(now);
                self.saving.dirty = true;
            }
            Phase::Paused | Phase::Stopping { .. } | Phase::Stopped => {}
        }
    }

    pub(super) fn resume(&mut self, now: Time) {
        match self.phase {
            Phase::Paused | Phase::Failed(_) => {
                // What was found and not taken yet is as good as before.
                self.phase = if self.found.is_some() { Phase::Found } else { Phase::Running };
                self.trackers.start(now);
                self.saving.dirty = true;
            }
            Phase::Running | Phase::Found | Phase::Stopping { .. } | Phase::Stopped => {}
        }
    }

    /// It cannot go on for this reason; peers are told `goodbye` in the log.
    pub(super) fn fail(&mut self, now: Time, reason: Untrusted, goodbye: &str) {
        match &mut self.phase {
            Phase::Running | Phase::Found => {
                self.phase = Phase::Failed(reason);
                self.close_all(now, goodbye);
                self.trackers.stop(now);
            }
            Phase::Failed(known) => *known = reason,
            Phase::Paused | Phase::Stopping { .. } | Phase::Stopped => {}
        }
    }

    pub(super) fn stop(&mut self, now: Time) {
        if matches!(self.phase, Phase::Stopping { .. } | Phase::Stopped) {
            return;
        }
        self.note_record();
        self.phase = Phase::Stopping { since: now };
        self.close_all(now, "the torrent stops");
        self.trackers.stop(now);
        self.saving.dirty = true;
    }

    pub(super) fn stop_grace_at(&self) -> Option<Time> {
        match self.phase {
            Phase::Stopping { since } => Some(since + limits::STOP_GRACE),
            Phase::Running | Phase::Paused | Phase::Found | Phase::Failed(_) | Phase::Stopped => None,
        }
    }

    /// Ends a stop when everything is saved and said, or when it has taken too long.
    pub(super) fn finish_stop(&mut self, now: Time) {
        let Some(until) = self.stop_grace_at() else { return };
        let saved = self.saving.given_up || (!self.saving.dirty && self.saving.in_flight.is_none());
        if now >= until || (saved && self.trackers.all_stopped()) {
            self.phase = Phase::Stopped;
            self.effects.push_back(Effect::Stopped);
        }
    }

    /// Saves what the next run needs, one record at a time.
    pub(super) fn save(&mut self) {
        if !self.saving.dirty || self.saving.in_flight.is_some() || self.saving.given_up {
            return;
        }
        if !matches!(self.phase, Phase::Stopping { .. } | Phase::Stopped) {
            self.note_record();
        }
        self.saving.dirty = false;
        self.saving.generation += 1;
        self.saving.in_flight = Some(self.saving.generation);
        let (generation, record) = (self.saving.generation, Box::new(self.record.clone()));
        self.effects.push_back(Effect::SaveResume { generation, record });
    }

    /// Takes into the record what a stop is about to end.
    fn note_record(&mut self) {
        self.record.paused = self.phase == Phase::Paused;
        let alive = self.known.for_resume();
        if !alive.is_empty() {
            self.record.peers = alive;
        }
        self.record.banned = self.bans.list();
    }

    pub(super) fn tell_state(&mut self) {
        let (from, to) = (self.told_state, self.state());
        if from != to && !matches!(self.phase, Phase::Stopping { .. } | Phase::Stopped) {
            self.told_state = to;
            self.notify(EventKind::State { from, to });
        }
    }
}
