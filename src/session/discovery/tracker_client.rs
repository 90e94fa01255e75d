//! Announces and scrapes, whichever way a tracker is reached.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::address::{Allowed, names_loopback};
use super::http::{Bounds, Http, HttpError, Page};
use super::tracker_udp::UdpTrackers;
use crate::codec::tracker::{AnnounceAnswer, AnnounceEvent, AnnounceRequest, ScrapeAnswer, TrackerError};
use crate::codec::tracker_http;
use crate::inspect::Semaphore;
use crate::limits::{TRACKER_ANSWER_BYTES_MAX, TRACKER_ASKS_MAX};

/// Asks trackers, so many at a time. Cloning gives another handle to the same bound.
#[derive(Clone, Debug)]
pub struct TrackerClient {
    http: Http,
    udp: Arc<UdpTrackers>,
    /// HTTP and UDP wait apart: a list of dead UDP trackers must not hold up the living.
    http_permits: Semaphore,
    udp_permits: Semaphore,
}

impl TrackerClient {
    /// A client over `http`, whose settings it shares.
    pub fn new(http: Http) -> Self {
        Self {
            udp: Arc::new(UdpTrackers::new(*http.settings(), http.resolver().clone())),
            http,
            http_permits: Semaphore::new("announces over http", TRACKER_ASKS_MAX),
            udp_permits: Semaphore::new("announces over udp", TRACKER_ASKS_MAX),
        }
    }

    /// Announces. Ends in bounded time once it has its turn.
    pub async fn announce(
        &self,
        url: &str,
        request: &AnnounceRequest,
    ) -> Result<AnnounceAnswer, TrackerError> {
        let tracker = parse(url)?;
        let stop = (request.event == AnnounceEvent::Stopped).then_some(self.http.settings().stop);
        if tracker.scheme() == "udp" {
            let _permit = self.udp_permits.acquire().await;
            return self.udp.announce(&tracker, request, stop).await;
        }
        let page = self.get(&tracker, &tracker_http::announce_url(url, request), stop).await?;
        answer_of(&page, tracker_http::decode_announce(&page.body))
    }

    /// Asks for the counts of one torrent.
    pub async fn scrape(&self, url: &str, info_hash: &[u8; 20]) -> Result<ScrapeAnswer, TrackerError> {
        let tracker = parse(url)?;
        if tracker.scheme() == "udp" {
            let _permit = self.udp_permits.acquire().await;
            return self.udp.scrape(&tracker, info_hash).await;
        }
        let scrape_url = tracker_http::scrape_url(url, info_hash).ok_or_else(|| {
            TrackerError::BadUrl("the tracker's URL has no scrape form (BEP 48)".to_owned())
        })?;
        let page = self.get(&tracker, &scrape_url, None).await?;
        answer_of(&page, tracker_http::decode_scrape(&page.body, info_hash))
    }

    async fn get(&self, tracker: &Url, url: &str, total: Option<Duration>) -> Result<Page, TrackerError> {
        let allowed = allowed(tracker);
        if allowed == Allowed::NoLoopback && names_loopback(tracker) {
            let why = "blocked by policy: the URL of a tracker on this machine must end in /announce";
            return Err(TrackerError::BadUrl(why.to_owned()));
        }
        let _permit = self.http_permits.acquire().await;
        let bounds = Bounds {
            body_bytes_max: TRACKER_ANSWER_BYTES_MAX,
            total: total.unwrap_or(self.http.settings().http_total),
            allowed,
        };
        self.http.get(url, bounds).await.map_err(tracker_error)
    }
}

/// A torrent may not make us call any path of a service on this machine: only what looks like a tracker's.
fn allowed(tracker: &Url) -> Allowed {
    let last_part = tracker.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    if last_part.starts_with("announce") { Allowed::Any } else { Allowed::NoLoopback }
}

fn parse(url: &str) -> Result<Url, TrackerError> {
    let tracker = Url::parse(url).map_err(|error| TrackerError::BadUrl(format!("not a URL: {error}")))?;
    match tracker.scheme() {
        "http" | "https" | "udp" => Ok(tracker),
        scheme => {
            Err(TrackerError::BadUrl(format!("{scheme} trackers are not supported: http, https and udp are")))
        }
    }
}

/// A refusal counts whatever the status it came with; any other answer has to be a success.
fn answer_of<T>(page: &Page, decoded: Result<T, TrackerError>) -> Result<T, TrackerError> {
    match decoded {
        Err(TrackerError::Refused { .. }) => decoded,
        Ok(_) | Err(_) if page.status != 200 => Err(TrackerError::Status(page.status)),
        Ok(_) | Err(_) => decoded,
    }
}

fn tracker_error(error: HttpError) -> TrackerError {
    match error {
        HttpError::BadUrl(why) => TrackerError::BadUrl(why),
        HttpError::TimedOut(seconds) => TrackerError::TimedOut(seconds),
        HttpError::TooLarge(_) => TrackerError::Malformed(error.to_string()),
        HttpError::Blocked(_) | HttpError::Network(_) => TrackerError::Network(error.to_string()),
    }
}
