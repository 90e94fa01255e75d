//! The HTTP clients under every request: one for each set of allowed addresses, and what their errors mean.

use std::error::Error as _;
use std::sync::{Arc, OnceLock};

use reqwest::{Client, ClientBuilder};
use url::Url;

use super::DiscoverySettings;
use super::address::{Allowed, names_loopback};
use super::http::HttpError;
use super::resolve::{GuardedResolver, ResolveError, Resolver};

/// Clients that differ in where they may go and in nothing else.
#[derive(Debug)]
pub(in crate::session) struct Clients {
    settings: DiscoverySettings,
    resolver: Resolver,
    /// What is particular to them, put on top of what all have.
    tune: fn(ClientBuilder, &DiscoverySettings) -> ClientBuilder,
    /// One for each [`Allowed`], and one that goes past a configured proxy, for this machine. Made when first needed:
    /// reading the system's certificates takes time that a run without HTTP need not spend.
    guarded: [OnceLock<Client>; Allowed::ALL.len()],
    direct: OnceLock<Client>,
}

impl Clients {
    /// Clients that cost nothing until they are used.
    pub(super) fn new(
        settings: DiscoverySettings,
        resolver: Resolver,
        tune: fn(ClientBuilder, &DiscoverySettings) -> ClientBuilder,
    ) -> Self {
        Self { settings, resolver, tune, guarded: Default::default(), direct: OnceLock::new() }
    }

    pub(super) const fn settings(&self) -> &DiscoverySettings {
        &self.settings
    }

    pub(super) const fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// The client for a URL. Connections are kept by each for itself: one made to a private address is never used for
    /// a request that must stay on public ones.
    pub(super) fn client(&self, url: &Url, allowed: Allowed) -> Result<&Client, HttpError> {
        let past_proxy = names_loopback(url);
        let slot = if past_proxy { &self.direct } else { &self.guarded[allowed as usize] };
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
        let builder = || {
            let resolver = GuardedResolver { resolver: self.resolver.clone(), allowed };
            let builder = Client::builder()
                .user_agent(concat!("unchoke/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .connect_timeout(self.settings.connect)
                .local_address(self.settings.bind)
                .dns_resolver(Arc::new(resolver));
            let builder = (self.tune)(builder, &self.settings);
            if past_proxy { builder.no_proxy() } else { builder }
        };
        builder()
            .build()
            .or_else(|_| builder().tls_certs_only([]).build())
            .map_err(|error| HttpError::Network(format!("cannot set up HTTP: {}", cause(&error))))
    }

    /// What went wrong, named by its cause.
    pub(in crate::session) fn network(&self, error: &reqwest::Error) -> HttpError {
        if error.is_timeout() {
            let bound = if error.is_connect() { self.settings.connect } else { self.settings.idle };
            return HttpError::TimedOut(bound.as_secs());
        }
        match blocked_host(error) {
            Some(host) => HttpError::Blocked(format!("{host} resolves to addresses that must not be asked")),
            None => HttpError::Network(cause(error)),
        }
    }
}

/// The name, if any, that led only where it must not.
fn blocked_host(error: &reqwest::Error) -> Option<&str> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(ResolveError::Blocked { host }) = error.downcast_ref() {
            return Some(host);
        }
        source = error.source();
    }
    None
}

/// The cause at the bottom: what is above it only says that a request failed.
fn cause(error: &reqwest::Error) -> String {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_where_it_must_not_is_told_from_a_network_that_fails() {
        let resolver = Resolver::made_up(Duration::from_millis(50));
        let clients = Clients::new(DiscoverySettings::default(), resolver, |builder, _| builder.no_proxy());
        let ask = async |url: &str| {
            let url = Url::parse(url).unwrap();
            let client = clients.client(&url, Allowed::PublicOnly).unwrap();
            clients.network(&client.get(url).send().await.unwrap_err())
        };
        let inside = ask("http://inside.example/").await;
        assert!(matches!(&inside, HttpError::Blocked(why) if why.starts_with("inside.example")), "{inside}");
        let hangs = ask("http://hangs.example/").await;
        assert!(matches!(&hangs, HttpError::Network(why) if why.contains("resolving")), "{hangs}");
    }
}
