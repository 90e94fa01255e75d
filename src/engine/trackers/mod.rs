//! When which tracker of one torrent is asked, and what for (BEP 3, 12, 31, 48).
//!
//! Every tier is announced to, through one tracker of it at a time: tiers are in practice separate trackers with
//! separate peers, so asking only the first tier (the letter of BEP 12) would find fewer of them, while the members of
//! one tier share their peers. Within a tier a failure goes on to the next member at once and a success moves to the
//! front. What is due is derived from state whenever it is asked; there is no flag that could be left standing.
//! The torrent's owner calls this and turns [`Due`] into effects.

mod tracker;

use std::net::SocketAddr;

use crate::codec::tracker::{AnnounceAnswer, AnnounceEvent, ScrapeAnswer, TrackerError};
use crate::contract::{EventKind, TrackerRow, Untrusted, redact_url};
use crate::limits::{TRACKER_NUM_WANT, TRACKER_STOP_WAIT, TRACKERS_ASKED_MAX};
use crate::units::Time;

use super::io::TrackerKey;
use tracker::Tracker;

/// Something to ask a tracker now. Each must be answered by [`Trackers::answered`] or [`Trackers::scraped`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// An announce.
    Announce {
        /// Which tracker.
        tracker: TrackerKey,
        /// Its URL.
        url: String,
        /// Why.
        event: AnnounceEvent,
        /// How many peers to ask for.
        num_want: u32,
        /// The same for all announces of a run.
        key: u32,
    },
    /// A scrape.
    Scrape {
        /// Which tracker.
        tracker: TrackerKey,
        /// Its URL.
        url: String,
    },
}

/// How much the torrent longs for addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum PeerNeed {
    /// Trackers are asked at their interval.
    #[default]
    Enough,
    /// Trackers are asked as often as their minimum interval allows.
    More,
}

/// Whether the torrent takes part in its swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Run {
    Running,
    /// Goodbyes are waited for until then.
    Stopping {
        until: Time,
    },
    Stopped,
}

/// All trackers of one torrent.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Trackers {
    /// By key.
    trackers: Vec<Tracker>,
    /// Positions in `trackers`, each tier in the order of trying.
    tiers: Vec<Vec<usize>>,
    run: Run,
    need: PeerNeed,
    key: u32,
    #[serde(with = "super::random")]
    rng: fastrand::Rng,
}

impl Trackers {
    /// The trackers of a torrent that is not started yet. Each tier is shuffled once (BEP 12); a URL that was already
    /// there and what is over `TRACKERS_ASKED_MAX` is left out.
    pub fn new(tiers: &[Vec<String>], key: u32, rng: fastrand::Rng) -> Self {
        let mut trackers =
            Self { trackers: vec![], tiers: vec![], run: Run::Stopped, need: PeerNeed::default(), key, rng };
        for urls in tiers {
            let mut tier: Vec<usize> = urls.iter().filter_map(|url| trackers.push(url, Time::ZERO)).collect();
            trackers.rng.shuffle(&mut tier);
            if !tier.is_empty() {
                trackers.tiers.push(tier);
            }
        }
        trackers
    }

    /// What trackers know us by when our address changes (BEP 7).
    pub fn announce_key(&self) -> u32 {
        self.key
    }

    /// Adds a tracker as a tier of its own. One that is there already, or is one too many, changes nothing.
    pub fn add(&mut self, url: &str, now: Time) {
        if let Some(at) = self.push(url, now) {
            self.tiers.push(vec![at]);
        }
    }

    /// The torrent starts: every tracker is asked at once, whatever its back-off was.
    pub fn start(&mut self, now: Time) {
        if self.run != Run::Running {
            self.run = Run::Running;
            self.trackers.iter_mut().for_each(|tracker| tracker.forget_failures(now));
        }
    }

    /// The torrent pauses, or ends: goodbyes go to the trackers that acknowledged a start.
    pub fn stop(&mut self, now: Time) {
        if self.run == Run::Running {
            self.run = Run::Stopping { until: now + TRACKER_STOP_WAIT };
        }
    }

    /// The download has just become complete: trackers that know us are told at once.
    pub fn completed(&mut self) {
        self.trackers.iter_mut().for_each(Tracker::completed);
    }

    /// A person asks for an announce: at once, whatever the interval or the back-off, but not before a minimum
    /// interval that the tracker itself named.
    pub fn announce_now(&mut self, now: Time) {
        self.trackers.iter_mut().for_each(|tracker| tracker.hurry(now));
    }

    /// Says how much the torrent longs for addresses.
    pub fn set_need(&mut self, need: PeerNeed) {
        self.need = need;
    }

    /// A tracker answered an announce, or gave none.
    pub fn answered(&mut self, now: Time, key: TrackerKey, result: &Result<AnnounceAnswer, TrackerError>) {
        let at = key.0 as usize;
        let Some(event) = self.trackers.get_mut(at).and_then(Tracker::landed) else {
            return;
        };
        let tracker = &mut self.trackers[at];
        match (event, result) {
            // One goodbye is enough: whatever came of it, the tracker forgets us by itself.
            (AnnounceEvent::Stopped, _) => tracker.said_goodbye(),
            (_, Ok(answer)) => {
                tracker.succeeded(now, event, answer);
                self.move_to_front(at);
            }
            (_, Err(error)) => {
                let jitter_percent = self.rng.u32(80..=120);
                tracker.failed(now, error, jitter_percent);
            }
        }
    }

    /// A tracker answered a scrape, or gave none. A failure must not touch announces (BEP 48), so it changes nothing.
    pub fn scraped(&mut self, key: TrackerKey, result: &Result<ScrapeAnswer, TrackerError>) {
        if let (Some(tracker), Ok(answer)) = (self.trackers.get_mut(key.0 as usize), result) {
            tracker.scraped(answer);
        }
    }

    /// The same, and what follows from it: the peers that were named, and what front ends are told.
    pub(super) fn take_answer(
        &mut self,
        now: Time,
        key: TrackerKey,
        result: Result<AnnounceAnswer, TrackerError>,
    ) -> (Vec<SocketAddr>, EventKind) {
        self.answered(now, key, &result);
        let url = self.url(key).map(redact_url).unwrap_or_default();
        match result {
            Ok(AnnounceAnswer { peers, warning, .. }) => {
                let count = u32::try_from(peers.len()).unwrap_or(u32::MAX);
                let warning = warning.map(Untrusted::new);
                (peers, EventKind::TrackerAnswered { url, peers: count, warning })
            }
            Err(error) => {
                let retry_s = self.retry_in_s(now, key).unwrap_or(0);
                let error = Untrusted::new(error.to_string());
                (Vec::new(), EventKind::TrackerFailed { url, error, retry_s })
            }
        }
    }

    /// The next thing to ask now; call until `None`.
    pub fn poll(&mut self, now: Time) -> Option<Due> {
        match self.run {
            Run::Running => self.poll_running(now),
            Run::Stopping { .. } | Run::Stopped => self.poll_stopping(now),
        }
    }

    /// When [`Trackers::poll`] has something next, if nothing else happens. May be in the past.
    pub fn next_deadline(&self) -> Option<Time> {
        if let Run::Stopping { until } = self.run {
            let goodbye = self.trackers.iter().any(Tracker::owes_goodbye);
            return Some(if goodbye { Time::ZERO } else { until });
        }
        if self.run == Run::Stopped {
            return self.trackers.iter().any(Tracker::owes_goodbye).then_some(Time::ZERO);
        }
        let announces = self.tiers.iter().filter_map(|tier| self.tier_due(tier)).map(|(_, due)| due);
        let scrapes = self.trackers.iter().filter_map(Tracker::scrape_due);
        announces.chain(scrapes).min()
    }

    /// Whether every goodbye is answered or was waited for long enough.
    pub fn all_stopped(&self) -> bool {
        match self.run {
            Run::Running => false,
            Run::Stopping { .. } => !self.trackers.iter().any(Tracker::may_owe_goodbye),
            Run::Stopped => true,
        }
    }

    /// The URL of a tracker, as its owner needs it for events.
    pub fn url(&self, key: TrackerKey) -> Option<&str> {
        self.trackers.get(key.0 as usize).map(Tracker::url)
    }

    /// Seconds until a tracker that failed is tried again; `None` where it never will.
    pub fn retry_in_s(&self, now: Time, key: TrackerKey) -> Option<u64> {
        self.trackers.get(key.0 as usize)?.due(self.need).map(|due| whole_seconds(due, now))
    }

    /// How the trackers stand, tier by tier in the order of trying.
    pub fn rows(&self, now: Time) -> Vec<TrackerRow> {
        let mut rows = Vec::with_capacity(self.trackers.len());
        for (number, tier) in (0u32..).zip(&self.tiers) {
            let working = self.working(tier);
            for &at in tier {
                let planned = self.run == Run::Running && working.is_none_or(|working| working == at);
                let due = self.trackers[at].due(self.need).filter(|_| planned);
                rows.push(self.trackers[at].row(now, number, due.map(|due| whole_seconds(due, now))));
            }
        }
        rows
    }

    /// Takes a URL in; gives its position unless it is a duplicate or one too many.
    fn push(&mut self, url: &str, now: Time) -> Option<usize> {
        let known = self.trackers.iter().any(|tracker| tracker.url() == url);
        if known || self.trackers.len() >= TRACKERS_ASKED_MAX {
            return None;
        }
        self.trackers.push(Tracker::new(url, now));
        Some(self.trackers.len() - 1)
    }

    fn poll_running(&mut self, now: Time) -> Option<Due> {
        let due_now = |due: Time| due <= now;
        let announce =
            self.tiers.iter().filter_map(|tier| self.tier_due(tier)).find(|(_, due)| due_now(*due));
        if let Some((at, _)) = announce {
            let event = self.trackers[at].next_event();
            return Some(self.announce(at, event));
        }
        let at = self.trackers.iter().position(|tracker| tracker.scrape_due().is_some_and(due_now))?;
        self.trackers[at].scrape_sent(now);
        Some(Due::Scrape { tracker: key_of(at), url: self.trackers[at].url().to_owned() })
    }

    fn poll_stopping(&mut self, now: Time) -> Option<Due> {
        if let Run::Stopping { until } = self.run
            && (until <= now || self.all_stopped())
        {
            self.run = Run::Stopped;
        }
        let at = self.trackers.iter().position(Tracker::owes_goodbye)?;
        Some(self.announce(at, AnnounceEvent::Stopped))
    }

    fn announce(&mut self, at: usize, event: AnnounceEvent) -> Due {
        let num_want = if event == AnnounceEvent::Stopped { 0 } else { TRACKER_NUM_WANT };
        self.trackers[at].sent(event);
        let url = self.trackers[at].url().to_owned();
        Due::Announce { tracker: key_of(at), url, event, num_want, key: self.key }
    }

    /// The tracker a tier goes through next and when; `None` while one of it is being asked or all are off.
    fn tier_due(&self, tier: &[usize]) -> Option<(usize, Time)> {
        if tier.iter().any(|&at| self.trackers[at].is_in_flight()) {
            return None;
        }
        let due = |at: usize| self.trackers[at].due(self.need).map(|due| (at, due));
        match self.working(tier) {
            Some(at) => due(at),
            // `min_by_key` gives the first of equals, so the order of trying holds.
            None => tier.iter().filter_map(|&at| due(at)).min_by_key(|(_, due)| *due),
        }
    }

    /// The tracker of a tier that answered last time, if any: it stands at the front.
    fn working(&self, tier: &[usize]) -> Option<usize> {
        tier.first().copied().filter(|&at| self.trackers[at].is_working())
    }

    fn move_to_front(&mut self, at: usize) {
        for tier in &mut self.tiers {
            if let Some(position) = tier.iter().position(|member| *member == at) {
                tier[..=position].rotate_right(1);
            }
        }
    }
}

fn key_of(at: usize) -> TrackerKey {
    TrackerKey(u32::try_from(at).expect("there are at most TRACKERS_ASKED_MAX trackers"))
}

/// Rounded up, so that a countdown ends with the deed.
fn whole_seconds(due: Time, now: Time) -> u64 {
    due.since(now).as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
