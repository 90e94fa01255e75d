//! Host names to addresses, each in a task of its own, so that a resolver that hangs holds up one host only.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::time::Duration;

use super::address::Allowed;
use crate::inspect::{self, Semaphore, WaitKind};
use crate::limits::RESOLVES_MAX;

/// Asks the system for the addresses of a host and port.
type Lookup = fn(String, u16) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Resolves names. Cloning gives another handle to the same bound.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    permits: Semaphore,
    wait: Duration,
    system: Lookup,
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
        Self { permits: Semaphore::new("name lookups", RESOLVES_MAX), wait, system: ask_system }
    }

    /// The addresses of a host that may be asked.
    pub(super) async fn lookup(
        &self,
        host: &str,
        port: u16,
        allowed: Allowed,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        let addresses = inspect::timeout(self.wait, inspect::reading(self.lookup_all(host, port))).await;
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
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let failed = |cause: String| ResolveError::Failed { host: host.to_owned(), cause };
        let permit = self.permits.acquire().await;
        let asked = (self.system)(host.to_owned(), port);
        let lookup = inspect::spawn(format!("resolve {host}"), async move {
            let _permit = permit;
            asked.await
        });
        let addresses = lookup.await.map_err(|ended| failed(ended.to_string()))?;
        let addresses = addresses.map_err(|error| failed(error.to_string()))?;
        if addresses.is_empty() { Err(failed("it has no address".to_owned())) } else { Ok(addresses) }
    }
}

/// The system's resolver blocks a thread of the pool, for as long as it likes.
fn ask_system(host: String, port: u16) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>> {
    let asking = inspect::spawn_blocking(format!("the system resolves {host}"), move || {
        let found = inspect::blocking(WaitKind::SocketRead, || (host.as_str(), port).to_socket_addrs());
        Ok(found?.collect())
    });
    Box::pin(async move { asking.await.map_err(io::Error::other)? })
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

#[cfg(test)]
mod tests {
    use super::*;

    impl Resolver {
        /// One that knows names of its own.
        pub(in crate::session::discovery) fn made_up(wait: Duration) -> Self {
            Self { system: hanging_system, ..Self::new(wait) }
        }
    }

    /// A system that hangs on one name and knows all others.
    fn hanging_system(
        host: String,
        port: u16,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>> {
        Box::pin(async move {
            match host.as_str() {
                "hangs.example" => std::future::pending().await,
                "inside.example" => Ok(vec![SocketAddr::from(([10, 0, 0, 1], port))]),
                _ => Ok(vec![SocketAddr::from(([1, 2, 3, 4], port))]),
            }
        })
    }

    #[tokio::test]
    async fn a_name_that_hangs_holds_up_no_other() {
        let patient = Resolver::made_up(Duration::from_secs(3600));
        let mut hanging = Box::pin(patient.lookup("hangs.example", 1, Allowed::Any));
        let other = Box::pin(patient.lookup("t.example", 80, Allowed::Any));
        match futures_util::future::select(&mut hanging, other).await {
            futures_util::future::Either::Right((found, _)) => {
                assert_eq!(found, Ok(vec!["1.2.3.4:80".parse().unwrap()]));
            }
            futures_util::future::Either::Left((hung, _)) => panic!("it did not hang: {hung:?}"),
        }
        let impatient = Resolver::made_up(Duration::from_millis(1));
        let late = impatient.lookup("hangs.example", 1, Allowed::Any).await;
        assert!(matches!(late, Err(ResolveError::TimedOut { .. })), "{late:?}");
    }

    #[tokio::test]
    async fn what_a_name_resolves_to_decides_whether_it_is_asked() {
        let resolver = Resolver::made_up(Duration::from_secs(3600));
        let blocked = resolver.lookup("inside.example", 80, Allowed::PublicOnly).await;
        assert_eq!(blocked, Err(ResolveError::Blocked { host: "inside.example".to_owned() }));
        assert!(resolver.lookup("inside.example", 80, Allowed::Any).await.is_ok());
        assert!(resolver.lookup("169.254.169.254", 80, Allowed::Any).await.is_err());
    }

    #[tokio::test]
    async fn the_system_is_asked_and_its_refusal_told() {
        let found = ask_system("localhost".to_owned(), 80).await.unwrap();
        assert!(
            !found.is_empty() && found.iter().all(|found| found.ip().is_loopback() && found.port() == 80)
        );
        // No name has an empty part: nobody needs to be asked.
        let refused = Resolver::new(Duration::from_secs(60)).lookup("no..name", 80, Allowed::Any).await;
        assert!(matches!(refused, Err(ResolveError::Failed { .. })), "{refused:?}");
    }
}
