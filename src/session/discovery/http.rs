//! GET with every bound: time, bytes after inflating, redirects, and where they may lead.

use std::error::Error as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, header};
use url::Url;

use super::DiscoverySettings;
use super::address::{Allowed, is_public, literal_ip, names_loopback};
use super::resolve::{GuardedResolver, Resolver};
use crate::limits::{HTTP_IDLE_CONNECTIONS_MAX, HTTP_REDIRECTS_MAX};

/// The HTTP client. Cloning gives another handle to the same connections.
#[derive(Clone, Debug)]
pub struct Http {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: DiscoverySettings,
    resolver: Resolver,
    /// One for each [`Allowed`], and one that goes past a configured proxy, for this machine. Made when first needed:
    /// reading the system's certificates takes time that a run without HTTP need not spend.
    clients: [OnceLock<Client>; Allowed::ALL.len()],
    direct: OnceLock<Client>,
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
        let shared = Shared { settings, resolver, clients: Default::default(), direct: OnceLock::new() };
        Self { shared: Arc::new(shared) }
    }

    pub(super) fn settings(&self) -> &DiscoverySettings {
        &self.shared.settings
    }

    pub(super) fn resolver(&self) -> &Resolver {
        &self.shared.resolver
    }

    /// Gets a URL, whatever the status of the answer.
    pub(super) async fn get(&self, url: &str, bounds: Bounds) -> Result<Page, HttpError> {
        let late = |_| HttpError::TimedOut(bounds.total.as_secs());
        tokio::time::timeout(bounds.total, self.follow(url, bounds)).await.map_err(late)?
    }

    /// Follows redirects by hand: whether the next may be private depends on the address that answered.
    async fn follow(&self, url: &str, bounds: Bounds) -> Result<Page, HttpError> {
        let mut url = Url::parse(url).map_err(|error| HttpError::BadUrl(format!("not a URL: {error}")))?;
        let mut allowed = bounds.allowed;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(HttpError::BadUrl(format!("{} is not http or https", url.scheme())));
        }
        if !allowed.permits_url(&url) {
            let host = url.host_str().unwrap_or_default();
            return Err(HttpError::BadUrl(format!("blocked by policy: {host} must not be asked")));
        }
        for _ in 0..=HTTP_REDIRECTS_MAX {
            let request = self.client(&url, allowed)?.get(url.clone());
            let response = request.send().await.map_err(|error| self.network(&error))?;
            let Some(next) = redirect_target(&url, &response)? else {
                return self.read(response, bounds.body_bytes_max).await;
            };
            if came_from_public(&url, &response) {
                allowed = Allowed::PublicOnly;
            }
            if !allowed.permits_url(&next) {
                let host = next.host_str().unwrap_or_default();
                return Err(HttpError::Blocked(format!("a redirect to {host}")));
            }
            url = next;
        }
        Err(HttpError::Blocked(format!("more than {HTTP_REDIRECTS_MAX} redirects")))
    }

    async fn read(&self, mut response: Response, body_bytes_max: usize) -> Result<Page, HttpError> {
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.network(&error))? {
            if body.len() + chunk.len() > body_bytes_max {
                return Err(HttpError::TooLarge(body_bytes_max));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Page { status, body })
    }

    fn client(&self, url: &Url, allowed: Allowed) -> Result<&Client, HttpError> {
        let Shared { clients, direct, .. } = &*self.shared;
        let past_proxy = names_loopback(url);
        let slot = if past_proxy { direct } else { &clients[allowed as usize] };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let client = self.build(allowed, past_proxy)?;
        Ok(slot.get_or_init(|| client))
    }

    /// Where the system has no certificates at all, only https fails.
    fn build(&self, allowed: Allowed, past_proxy: bool) -> Result<Client, HttpError> {
        // An error means that it is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = &self.shared.settings;
        let builder = || {
            let resolver = GuardedResolver { resolver: self.shared.resolver.clone(), allowed };
            let builder = Client::builder()
                .user_agent(concat!("unchoke/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .connect_timeout(settings.connect)
                .read_timeout(settings.idle)
                .pool_max_idle_per_host(HTTP_IDLE_CONNECTIONS_MAX)
                .local_address(settings.bind)
                .dns_resolver(Arc::new(resolver));
            if past_proxy { builder.no_proxy() } else { builder }
        };
        builder()
            .build()
            .or_else(|_| builder().tls_certs_only([]).build())
            .map_err(|error| HttpError::Network(format!("cannot set up HTTP: {}", innermost(&error))))
    }

    fn network(&self, error: &reqwest::Error) -> HttpError {
        if error.is_timeout() {
            let settings = &self.shared.settings;
            let bound = if error.is_connect() { settings.connect } else { settings.idle };
            return HttpError::TimedOut(bound.as_secs());
        }
        HttpError::Network(innermost(error))
    }
}

/// The URL a redirect leads to; `None` for any other answer.
fn redirect_target(from: &Url, response: &Response) -> Result<Option<Url>, HttpError> {
    let is_redirect = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let Some(location) = response.headers().get(header::LOCATION).filter(|_| is_redirect) else {
        return Ok(None);
    };
    let target = location.to_str().ok().and_then(|location| from.join(location).ok());
    let target = target.ok_or_else(|| HttpError::Blocked("a redirect to what is not a URL".to_owned()))?;
    if !matches!(target.scheme(), "http" | "https") {
        return Err(HttpError::Blocked(format!("a redirect to {}", target.scheme())));
    }
    Ok(Some(target))
}

/// Whether the answer came from the open internet. Behind a proxy the address seen is the proxy's, whose own rules
/// then decide where names may lead.
fn came_from_public(url: &Url, response: &Response) -> bool {
    let answered = literal_ip(url).or_else(|| response.remote_addr().map(|address| address.ip()));
    answered.is_none_or(is_public)
}

/// The cause at the bottom: what is above it only says that a request failed.
fn innermost(error: &reqwest::Error) -> String {
    let Some(mut cause) = error.source() else {
        return "the request failed".to_owned();
    };
    let mut is_tls = false;
    loop {
        is_tls |= is_tls_error(cause);
        match cause.source() {
            Some(source) => cause = source,
            None if is_tls => return format!("TLS failed: {cause}"),
            None => return cause.to_string(),
        }
    }
}

/// IO errors wrap others without naming them as their source, and each other.
fn is_tls_error(error: &(dyn std::error::Error + 'static)) -> bool {
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || inner.is_some_and(|inner| is_tls_error(inner))
}
