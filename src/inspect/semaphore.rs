//! A bounded number of something at a time.

use std::borrow::Cow;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::{OwnedSemaphorePermit, Semaphore as Inner};

use super::counters::SemaphoreEntry;
use super::waits::{Wait, noted};
use crate::contract::WaitKind;

/// Gives out a fixed number of permits. Cloning gives another handle to the same ones.
#[derive(Clone, Debug)]
pub struct Semaphore {
    inner: Arc<Inner>,
    entry: Arc<SemaphoreEntry>,
}

impl Semaphore {
    /// A semaphore with this many permits.
    #[track_caller]
    pub fn new(name: impl Into<Cow<'static, str>>, permits: usize) -> Self {
        let permits = permits.min(Inner::MAX_PERMITS);
        let entry = SemaphoreEntry::register(name.into(), Location::caller(), permits);
        Self { inner: Arc::new(Inner::new(permits)), entry }
    }

    /// Takes a permit, waiting for one; first come, first served.
    #[track_caller]
    pub fn acquire(&self) -> impl Future<Output = Permit> {
        let wait = Wait::new(WaitKind::Semaphore, self.entry.id, Location::caller());
        async move {
            if let Some(permit) = self.try_acquire() {
                return permit;
            }
            let acquired = noted(wait, Arc::clone(&self.inner).acquire_owned()).await;
            self.permit(acquired.expect("the semaphore is never closed"))
        }
    }

    /// Takes a permit if there is one.
    pub fn try_acquire(&self) -> Option<Permit> {
        if let Ok(inner) = Arc::clone(&self.inner).try_acquire_owned() {
            Some(self.permit(inner))
        } else {
            self.entry.contended.fetch_add(1, Relaxed);
            None
        }
    }

    /// How many permits are left now.
    pub fn available(&self) -> usize {
        self.inner.available_permits()
    }

    fn permit(&self, inner: OwnedSemaphorePermit) -> Permit {
        self.entry.acquisitions.fetch_add(1, Relaxed);
        self.entry.taken.fetch_add(1, Relaxed);
        Permit { _inner: inner, entry: Arc::clone(&self.entry) }
    }
}

/// The right to be one of the bounded number, until it is dropped.
#[derive(Debug)]
pub struct Permit {
    _inner: OwnedSemaphorePermit,
    entry: Arc<SemaphoreEntry>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.entry.taken.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::semaphores;
    use super::*;

    #[tokio::test]
    async fn permits_that_are_out_are_counted() {
        let semaphore = Semaphore::new("two at a time", 2);
        let first = semaphore.acquire().await;
        let second = semaphore.acquire().await;
        assert!(semaphore.try_acquire().is_none());
        drop(first);
        let report = semaphores().into_iter().find(|report| report.name == "two at a time").unwrap();
        assert_eq!((report.permits, report.taken, report.acquisitions, report.contended), (2, 1, 2, 1));
        assert_eq!(semaphore.available(), 1);
        drop(second);
    }
}
