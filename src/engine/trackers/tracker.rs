//! One tracker: whether it knows us, how it stands and when it may be asked again.

use std::time::Duration;

use crate::codec::tracker::{AnnounceAnswer, AnnounceEvent, RetryIn, ScrapeAnswer, TrackerError};
use crate::codec::tracker_http::scrape_url;
use crate::contract::{TrackerRow, TrackerState, Untrusted, redact_url};
use crate::limits::{
    SCRAPE_INTERVAL, TRACKER_INTERVAL_DEFAULT, TRACKER_INTERVAL_MAX, TRACKER_INTERVAL_MIN,
    TRACKER_MIN_INTERVAL_DEFAULT, TRACKER_RETRY_GROWTH_PERCENT, TRACKER_RETRY_IN_MAX, TRACKER_RETRY_MAX,
    TRACKER_RETRY_MIN, TRACKER_URL_BYTES_MAX,
};
use crate::units::Time;

use super::PeerNeed;

/// What came of the last announce, with what decides the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Standing {
    /// Not asked yet, or not since the start.
    Idle { due: Time },
    /// It answered.
    Working {
        answered: Time,
        interval: Duration,
        /// As the tracker named it.
        min_interval: Option<Duration>,
        /// A person asked for an announce at that time.
        hurried: Option<Time>,
    },
    /// It did not.
    Failing { failures: u32, due: Time },
    /// It is never asked.
    Off,
}

/// One tracker.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Tracker {
    url: String,
    /// Its URL allows scrapes.
    scrapable: bool,
    standing: Standing,
    /// The announce under way.
    in_flight: Option<AnnounceEvent>,
    /// It acknowledged an announce and was not told goodbye since.
    knows_us: bool,
    /// It has to be told that the download is complete.
    owes_completed: bool,
    /// The last announce was answered without counts.
    lacks_counts: bool,
    last_scrape: Option<Time>,
    message: Option<Untrusted>,
    last_answer: Option<Time>,
    peers: u32,
    seeds: Option<u32>,
    leeches: Option<u32>,
    downloads: Option<u32>,
}

impl Tracker {
    pub(super) fn new(url: &str, now: Time) -> Self {
        let unusable = why_unusable(url);
        Self {
            url: url.to_owned(),
            scrapable: scrape_url(url, &[0; 20]).is_some(),
            standing: if unusable.is_some() { Standing::Off } else { Standing::Idle { due: now } },
            in_flight: None,
            knows_us: false,
            owes_completed: false,
            lacks_counts: false,
            last_scrape: None,
            message: unusable.map(Untrusted::new),
            last_answer: None,
            peers: 0,
            seeds: None,
            leeches: None,
            downloads: None,
        }
    }

    pub(super) fn forget_failures(&mut self, now: Time) {
        match self.standing {
            Standing::Idle { .. } | Standing::Failing { .. } | Standing::Working { .. } => {
                self.standing = Standing::Idle { due: now };
            }
            Standing::Off => {}
        }
    }

    /// Only a tracker that saw us start, or is about to, counts a completion.
    pub(super) fn completed(&mut self) {
        self.owes_completed = self.knows_us || self.in_flight == Some(AnnounceEvent::Started);
    }

    pub(super) fn hurry(&mut self, now: Time) {
        match &mut self.standing {
            Standing::Idle { due } | Standing::Failing { due, .. } => *due = now,
            Standing::Working { answered, min_interval, hurried, .. } => {
                *hurried = Some(now.max(*answered + min_interval.unwrap_or_default()));
            }
            Standing::Off => {}
        }
    }

    pub(super) fn sent(&mut self, event: AnnounceEvent) {
        self.in_flight = Some(event);
    }

    /// The announce under way has ended; gives what it was for.
    pub(super) fn landed(&mut self) -> Option<AnnounceEvent> {
        self.in_flight.take()
    }

    pub(super) fn said_goodbye(&mut self) {
        self.knows_us = false;
        self.owes_completed = false;
    }

    pub(super) fn succeeded(&mut self, now: Time, event: AnnounceEvent, answer: &AnnounceAnswer) {
        self.knows_us = true;
        if event == AnnounceEvent::Completed {
            self.owes_completed = false;
        }
        let clamp =
            |seconds: u64| Duration::from_secs(seconds).clamp(TRACKER_INTERVAL_MIN, TRACKER_INTERVAL_MAX);
        let min_interval = answer.min_interval_s.map(clamp);
        let interval = answer.interval_s.map_or(TRACKER_INTERVAL_DEFAULT, clamp);
        self.standing = Standing::Working {
            answered: now,
            interval: interval.max(min_interval.unwrap_or_default()),
            min_interval,
            hurried: None,
        };
        self.message = answer.warning.as_deref().map(Untrusted::new);
        self.last_answer = Some(now);
        self.peers = u32::try_from(answer.peers.len()).unwrap_or(u32::MAX);
        self.lacks_counts = answer.seeds.is_none() && answer.leeches.is_none();
        self.seeds = answer.seeds.or(self.seeds);
        self.leeches = answer.leeches.or(self.leeches);
        self.downloads = answer.downloads.or(self.downloads);
    }

    pub(super) fn failed(&mut self, now: Time, error: &TrackerError, jitter_percent: u32) {
        let failures = match self.standing {
            Standing::Failing { failures, .. } => failures.saturating_add(1),
            Standing::Idle { .. } | Standing::Working { .. } | Standing::Off => 1,
        };
        let growing = back_off(failures) * jitter_percent / 100;
        let wait = match error {
            TrackerError::Refused { retry: Some(RetryIn::Never), .. } | TrackerError::BadUrl(_) => None,
            TrackerError::Refused { retry: Some(RetryIn::Minutes(minutes)), .. } => {
                Some(Duration::from_secs(minutes.saturating_mul(60)).min(TRACKER_RETRY_IN_MAX))
            }
            // It is up and has said no: asking again within the minute would only annoy it.
            TrackerError::Refused { retry: None, .. } => Some(growing.max(TRACKER_INTERVAL_MIN)),
            TrackerError::Malformed(_)
            | TrackerError::Status(_)
            | TrackerError::Network(_)
            | TrackerError::TimedOut(_) => Some(growing),
        };
        self.standing = match wait {
            Some(wait) => Standing::Failing { failures, due: now + wait.min(TRACKER_RETRY_IN_MAX) },
            None => Standing::Off,
        };
        self.message = Some(Untrusted::new(error.to_string()));
    }

    pub(super) fn scrape_sent(&mut self, now: Time) {
        self.last_scrape = Some(now);
    }

    pub(super) fn scraped(&mut self, answer: &ScrapeAnswer) {
        self.seeds = Some(answer.seeds);
        self.leeches = Some(answer.leeches);
        self.downloads = Some(answer.downloads);
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    pub(super) fn is_working(&self) -> bool {
        matches!(self.standing, Standing::Working { .. })
    }

    /// It knows us, the torrent is stopping, and nothing is under way.
    pub(super) fn owes_goodbye(&self) -> bool {
        self.knows_us && self.in_flight.is_none()
    }

    /// The same, or what is under way decides.
    pub(super) fn may_owe_goodbye(&self) -> bool {
        self.knows_us || self.in_flight.is_some()
    }

    /// What the next announce is for.
    pub(super) fn next_event(&self) -> AnnounceEvent {
        match (self.knows_us, self.owes_completed) {
            (false, _) => AnnounceEvent::Started,
            (true, true) => AnnounceEvent::Completed,
            (true, false) => AnnounceEvent::Periodic,
        }
    }

    /// When it may be asked next; `None`: never.
    pub(super) fn due(&self, need: PeerNeed) -> Option<Time> {
        match self.standing {
            Standing::Idle { due } | Standing::Failing { due, .. } => Some(due),
            Standing::Working { answered, .. } if self.owes_completed => Some(answered),
            Standing::Working { answered, interval, min_interval, hurried } => {
                let regular = match need {
                    PeerNeed::Enough => interval,
                    PeerNeed::More => interval.min(min_interval.unwrap_or(TRACKER_MIN_INTERVAL_DEFAULT)),
                };
                Some(hurried.map_or(answered + regular, |hurried| hurried.min(answered + regular)))
            }
            Standing::Off => None,
        }
    }

    /// When it is scraped: seldom, and only where announces bring no counts and its URL allows it.
    pub(super) fn scrape_due(&self) -> Option<Time> {
        let wanted = self.lacks_counts && self.is_working() && self.scrapable;
        wanted.then(|| self.last_scrape.map_or(Time::ZERO, |last| last + SCRAPE_INTERVAL))
    }

    pub(super) fn row(&self, now: Time, tier: u32, next_announce_s: Option<u64>) -> TrackerRow {
        let state = match (self.in_flight, self.standing) {
            (Some(_), _) => TrackerState::Announcing,
            (None, Standing::Idle { .. }) => TrackerState::Idle,
            (None, Standing::Working { .. }) => TrackerState::Working,
            (None, Standing::Failing { .. }) => TrackerState::Failing,
            (None, Standing::Off) => TrackerState::Off,
        };
        TrackerRow {
            url: redact_url(&self.url),
            tier,
            state,
            message: self.message.clone(),
            next_announce_s: next_announce_s.filter(|_| self.in_flight.is_none()),
            last_answer_s: self.last_answer.map(|last| now.since(last).as_secs()),
            peers: self.peers,
            seeds: self.seeds,
            leeches: self.leeches,
            downloads: self.downloads,
        }
    }
}

/// The wait after so many failures in a row, before jitter.
fn back_off(failures: u32) -> Duration {
    let mut wait = TRACKER_RETRY_MIN;
    for _ in 1..failures {
        wait = wait * TRACKER_RETRY_GROWTH_PERCENT / 100;
        if wait >= TRACKER_RETRY_MAX {
            return TRACKER_RETRY_MAX;
        }
    }
    wait
}

/// Why a URL can never be announced to.
fn why_unusable(url: &str) -> Option<String> {
    if url.len() > TRACKER_URL_BYTES_MAX {
        return Some(format!("the URL is longer than {TRACKER_URL_BYTES_MAX} bytes"));
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return Some("not a URL: http, https and udp trackers are supported".to_owned());
    };
    if !["http", "https", "udp"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Some(format!("{scheme} trackers are not supported: http, https and udp are"));
    }
    rest.starts_with(['/', '?', '#']).then(|| "the URL names no host".to_owned())
}
