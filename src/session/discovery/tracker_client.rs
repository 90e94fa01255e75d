//! Announces and scrapes, whichever way a tracker is reached.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::address::{Allowed, names_loopback};
use super::http::{Bounds, Http, HttpError, Page};
use super::tracker_udp::UdpTrackers;
use super::turns::Turns;
use crate::codec::tracker::{AnnounceAnswer, AnnounceEvent, AnnounceRequest, ScrapeAnswer, TrackerError};
use crate::codec::tracker_http;
use crate::inspect;
use crate::limits::TRACKER_ANSWER_BYTES_MAX;

/// What an ask is for, as far as waiting goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Ordinary,
    Goodbye,
}

/// Asks trackers, so many at a time. Cloning gives another handle to the same bound.
#[derive(Clone, Debug)]
pub struct TrackerClient {
    http: Http,
    shared: Arc<Shared>,
}

/// HTTP and UDP wait apart, as a list of dead UDP trackers takes longer to give up than any HTTP one, and goodbyes wait
/// for neither: a program that ends gives them a few seconds.
#[derive(Debug)]
struct Shared {
    udp: UdpTrackers,
    http_turns: Turns,
    udp_turns: Turns,
    goodbye_turns: Turns,
}

impl TrackerClient {
    /// A client over `http`, whose settings it shares.
    pub fn new(http: Http) -> Self {
        let shared = Shared {
            udp: UdpTrackers::new(*http.settings(), http.resolver().clone()),
            http_turns: Turns::new("announces over http"),
            udp_turns: Turns::new("announces over udp"),
            goodbye_turns: Turns::new("goodbyes to trackers"),
        };
        Self { http, shared: Arc::new(shared) }
    }

    /// Announces. Ends in bounded time once it has its turn.
    pub async fn announce(
        &self,
        url: &str,
        request: &AnnounceRequest,
    ) -> Result<AnnounceAnswer, TrackerError> {
        let tracker = parse(url)?;
        let (purpose, total) = match request.event {
            AnnounceEvent::Stopped => (Purpose::Goodbye, Some(self.http.settings().stop)),
            AnnounceEvent::Periodic | AnnounceEvent::Started | AnnounceEvent::Completed => {
                (Purpose::Ordinary, None)
            }
        };
        self.in_turn(&tracker, purpose, async {
            if tracker.scheme() == "udp" {
                return self.shared.udp.announce(&tracker, request, total).await;
            }
            let page = self.get(&tracker, &tracker_http::announce_url(url, request), total).await?;
            answer_of(&page, tracker_http::decode_announce(&page.body))
        })
        .await
    }

    /// Asks for the counts of one torrent.
    pub async fn scrape(&self, url: &str, info_hash: &[u8; 20]) -> Result<ScrapeAnswer, TrackerError> {
        let tracker = parse(url)?;
        self.in_turn(&tracker, Purpose::Ordinary, async {
            if tracker.scheme() == "udp" {
                return self.shared.udp.scrape(&tracker, info_hash).await;
            }
            let scrape_url = tracker_http::scrape_url(url, info_hash)
                .ok_or_else(|| TrackerError::BadUrl("the URL has no scrape form (BEP 48)".to_owned()))?;
            let page = self.get(&tracker, &scrape_url, None).await?;
            answer_of(&page, tracker_http::decode_scrape(&page.body, info_hash))
        })
        .await
    }

    /// Asks when it is the tracker's turn.
    async fn in_turn<T>(
        &self,
        tracker: &Url,
        purpose: Purpose,
        ask: impl Future<Output = Result<T, TrackerError>>,
    ) -> Result<T, TrackerError> {
        let turns = match (purpose, tracker.scheme()) {
            (Purpose::Goodbye, _) => &self.shared.goodbye_turns,
            (Purpose::Ordinary, "udp") => &self.shared.udp_turns,
            (Purpose::Ordinary, _) => &self.shared.http_turns,
        };
        let host = tracker.host_str().unwrap_or_default();
        let host = format!("{host}:{}", tracker.port_or_known_default().unwrap_or_default());
        let _permit = inspect::frame("wait for its turn", turns.take(&host)).await?;
        let result = inspect::frame("ask the tracker", ask).await;
        turns.ended(&host, &result);
        result
    }

    async fn get(&self, tracker: &Url, url: &str, total: Option<Duration>) -> Result<Page, TrackerError> {
        let allowed = allowed(tracker);
        if allowed == Allowed::NoLoopback && names_loopback(tracker) {
            let why = "blocked by policy: the URL of a tracker on this machine must end in /announce";
            return Err(TrackerError::BadUrl(why.to_owned()));
        }
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
        HttpError::Blocked(_) | HttpError::TooManyRedirects(_) | HttpError::Network(_) => {
            TrackerError::Network(error.to_string())
        }
    }
}
