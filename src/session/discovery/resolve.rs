//! Host names to addresses, each in a task of its own, so that a resolver that hangs holds up one host only.

use std::net::SocketAddr;
use std::time::Duration;

use super::address::Allowed;
use crate::inspect::{self, Semaphore};
use crate::limits::RESOLVES_MAX;

/// Resolves names. Cloning gives another handle to the same bound.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    permits: Semaphore,
    wait: Duration,
}

/// A name that gave no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ResolveError {
    #[error("resolving {host} took longer than {seconds} s")]
    TimedOut { host: String, seconds: u64 },
    #[error("cannot resolve {host}: {cause}")]
    Failed { host: String, cause: String },
    #[error("blocked by policy: {host} resolves to addresses that must not be asked")]
    Blocked { host: String },
}

impl Resolver {
    pub(super) fn new(wait: Duration) -> Self {
        Self { permits: Semaphore::new("name lookups", RESOLVES_MAX), wait }
    }

    /// The addresses of a host that may be asked.
    pub(super) async fn lookup(
        &self,
        host: &str,
        port: u16,
        allowed: Allowed,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        let addresses = tokio::time::timeout(self.wait, self.lookup_all(host, port)).await;
        let addresses = addresses.unwrap_or_else(|_| {
            Err(ResolveError::TimedOut { host: host.to_owned(), seconds: self.wait.as_secs() })
        })?;
        let permitted: Vec<_> = addresses.into_iter().filter(|found| allowed.permits(found.ip())).collect();
        if permitted.is_empty() {
            return Err(ResolveError::Blocked { host: host.to_owned() });
        }
        Ok(permitted)
    }

    /// The lookup goes on when it is given up, as a system call cannot be taken back; it keeps its permit until then.
    async fn lookup_all(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
        let failed = |cause: String| ResolveError::Failed { host: host.to_owned(), cause };
        let permit = self.permits.acquire().await;
        let asked = host.to_owned();
        let lookup = inspect::spawn(format!("resolve {host}"), async move {
            let _permit = permit;
            tokio::net::lookup_host((asked, port)).await.map(Iterator::collect::<Vec<_>>)
        });
        let addresses = lookup.await.map_err(|ended| failed(ended.to_string()))?;
        let addresses = addresses.map_err(|error| failed(error.to_string()))?;
        if addresses.is_empty() { Err(failed("it has no address".to_owned())) } else { Ok(addresses) }
    }
}

/// A resolver for the HTTP client that leaves out what must not be asked.
#[derive(Clone, Debug)]
pub(super) struct GuardedResolver {
    pub(super) resolver: Resolver,
    pub(super) allowed: Allowed,
}

impl reqwest::dns::Resolve for GuardedResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let Self { resolver, allowed } = self.clone();
        Box::pin(async move {
            // Port 0: the client puts in the URL's.
            let addresses = resolver.lookup(name.as_str(), 0, allowed).await?;
            Ok(Box::new(addresses.into_iter()) as reqwest::dns::Addrs)
        })
    }
}
