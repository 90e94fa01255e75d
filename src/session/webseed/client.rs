//! The HTTP client for webseeds.
//!
//! HTTP/2 where TLS offers it, connections kept; nothing is inflated, as ranges are of the bytes as they are. Heads are
//! bounded by the library: 100 headers and 400 KiB over HTTP/1, 16 KiB over HTTP/2; longer ones are errors.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{ClientBuilder, RequestBuilder, Response, Version, header};

use super::ask::{Ask, Form};
use crate::engine::io::{FetchError, FetchHead};
use crate::inspect;
use crate::limits;
use crate::session::discovery::{Allowed, Clients, DiscoverySettings, Http, HttpError, Route, follow};

/// Asks webseeds. Cloning gives another handle to the same connections.
#[derive(Clone, Debug)]
pub(in crate::session) struct WebseedClient {
    clients: Arc<Clients>,
    bounds: WebseedBounds,
}

/// How long a webseed may take: the defaults are those of `limits`; tests shorten them.
#[derive(Clone, Copy, Debug)]
pub(in crate::session) struct WebseedBounds {
    /// Bound of waiting for the head of an answer.
    pub(in crate::session) head: Duration,
    /// Bound of silence in its body.
    pub(in crate::session) idle: Duration,
}

impl Default for WebseedBounds {
    fn default() -> Self {
        Self { head: limits::WEBSEED_HEAD_WAIT, idle: limits::WEBSEED_IDLE_WAIT }
    }
}

impl WebseedClient {
    /// A client with the settings of `http`; costs nothing until it is used.
    pub(in crate::session) fn new(http: &Http, bounds: WebseedBounds) -> Self {
        Self { clients: Arc::new(http.other_clients(for_webseeds)), bounds }
    }

    pub(super) const fn bounds(&self) -> &WebseedBounds {
        &self.bounds
    }

    /// Asks; gives the answer, its body unread, and what its head said.
    pub(super) async fn ask(&self, ask: &Ask, by_hand: bool) -> Result<(Response, FetchHead), FetchError> {
        let route = Route::new(&ask.url, Allowed::Any, ask.public_only(by_hand));
        let route = route.map_err(|error| ask.unanswered(&error))?;
        let began = Instant::now();
        let answered = follow(&self.clients, route, |request| prepared(request, ask));
        let answered = inspect::timeout(self.bounds.head, inspect::reading(answered)).await;
        let late = |_| Err(HttpError::TimedOut(self.bounds.head.as_secs()));
        let response = answered.unwrap_or_else(late).map_err(|error| ask.unanswered(&error))?;
        let head = FetchHead {
            status: response.status().as_u16(),
            protocol: protocol(response.version()),
            latency_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            skip_bytes: 0,
        };
        Ok((response, head))
    }

    /// What went wrong with a body, in words.
    pub(super) fn cause(&self, error: &reqwest::Error) -> String {
        self.clients.network(error).to_string()
    }
}

fn prepared(request: RequestBuilder, ask: &Ask) -> RequestBuilder {
    let request = request.header(header::ACCEPT_ENCODING, "identity");
    match ask.form {
        Form::Range { offset, .. } => {
            request.header(header::RANGE, format!("bytes={offset}-{}", offset + ask.bytes - 1))
        }
        Form::Whole => request,
    }
}

/// Silence is bounded by the fetch itself, which knows when it is we who do not read.
fn for_webseeds(builder: ClientBuilder, _: &DiscoverySettings) -> ClientBuilder {
    builder
        .gzip(false)
        .pool_max_idle_per_host(limits::WEBSEED_IDLE_CONNECTIONS_MAX)
        .http2_initial_stream_window_size(limits::WEBSEED_STREAM_WINDOW_BYTES)
        .http2_initial_connection_window_size(limits::WEBSEED_CONNECTION_WINDOW_BYTES)
}

const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}
