//! GET with every bound: time, bytes after inflating, redirects, and where they may lead.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{ClientBuilder, Response};

use super::DiscoverySettings;
use super::address::Allowed;
use super::clients::Clients;
use super::redirect::{Route, follow};
use super::resolve::Resolver;
use crate::inspect;
use crate::limits::HTTP_IDLE_CONNECTIONS_MAX;

/// The HTTP client. Cloning gives another handle to the same connections.
#[derive(Clone, Debug)]
pub struct Http {
    clients: Arc<Clients>,
}

/// The bounds of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) body_bytes_max: usize,
    pub(super) total: Duration,
    pub(super) allowed: Allowed,
}

/// What a server sent.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Not a URL that can be asked.
    #[error("{0}")]
    BadUrl(String),
    /// A redirect or a name led where it must not.
    #[error("blocked by policy: {0}")]
    Blocked(String),
    /// A loop, most likely.
    #[error("blocked by policy: more than {0} redirects")]
    TooManyRedirects(usize),
    /// The body is over its bound.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// No whole answer in time.
    #[error("no answer in {0} s")]
    TimedOut(u64),
    /// Resolving, connecting, TLS or reading failed.
    #[error("{0}")]
    Network(String),
}

impl Http {
    /// A client; costs nothing until it is used.
    pub fn new(mut settings: DiscoverySettings) -> Self {
        // Any address is what an unbound socket asks from anyway, without ruling out a family.
        settings.bind = settings.bind.filter(|ip| !ip.is_unspecified());
        let resolver = Resolver::new(settings.resolve);
        Self { clients: Arc::new(Clients::new(settings, resolver, for_pages)) }
    }

    /// Clients for something other than pages: the same settings and the same resolver, whose bound they share.
    pub(in crate::session) fn other_clients(
        &self,
        tune: fn(ClientBuilder, &DiscoverySettings) -> ClientBuilder,
    ) -> Clients {
        Clients::new(*self.settings(), self.resolver().clone(), tune)
    }

    pub(super) fn settings(&self) -> &DiscoverySettings {
        self.clients.settings()
    }

    pub(super) fn resolver(&self) -> &Resolver {
        self.clients.resolver()
    }

    /// Gets a URL, whatever the status of the answer.
    pub(super) async fn get(&self, url: &str, bounds: Bounds) -> Result<Page, HttpError> {
        let route = Route::new(url, bounds.allowed, |_| false)?;
        let page = async {
            let response = follow(&self.clients, route, |request| request).await?;
            self.read(response, bounds.body_bytes_max).await
        };
        let late = |_| HttpError::TimedOut(bounds.total.as_secs());
        inspect::timeout(bounds.total, inspect::reading(page)).await.map_err(late)?
    }

    async fn read(&self, mut response: Response, body_bytes_max: usize) -> Result<Page, HttpError> {
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.clients.network(&error))? {
            if body.len() + chunk.len() > body_bytes_max {
                return Err(HttpError::TooLarge(body_bytes_max));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Page { status, body })
    }
}

fn for_pages(builder: ClientBuilder, settings: &DiscoverySettings) -> ClientBuilder {
    builder.read_timeout(settings.idle).pool_max_idle_per_host(HTTP_IDLE_CONNECTIONS_MAX)
}
