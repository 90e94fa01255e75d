//! A bounded number of something at a time.

use std::borrow::Cow;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::{OwnedSemaphorePermit, Semaphore as Inner};

use super::counters::SemaphoreEntry;
use super::mark::now_nanos;
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
            let began = now_nanos();
            let acquired = noted(wait, Arc::clone(&self.inner).acquire_owned()).await;
            self.entry.waited_since(began);
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
        let went_out = self.entry.goes_out();
        Permit { _inner: inner, entry: Arc::clone(&self.entry), went_out }
    }
}

/// The right to be one of the bounded number, until it is dropped.
#[derive(Debug)]
pub struct Permit {
    _inner: OwnedSemaphorePermit,
    entry: Arc<SemaphoreEntry>,
    /// When it went out, where that is timed.
    went_out: Option<u64>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.entry.comes_back(self.went_out);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{semaphores, spawn};
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

    #[tokio::test]
    async fn those_who_wait_stand_in_their_order_with_ages_and_the_longest_times_stay() {
        let semaphore = Semaphore::new("one at a time", 1);
        let report = || semaphores().into_iter().find(|report| report.name == "one at a time").unwrap();
        let held = semaphore.acquire().await;
        let mut tasks = Vec::new();
        for millis in [30, 20] {
            let wanted = semaphore.clone();
            tasks.push(spawn("waits for its turn", async move { drop(wanted.acquire().await) }));
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        let waiters = report().waiters;
        let order: Vec<_> = waiters.iter().map(|waiter| waiter.task).collect();
        assert_eq!(order, [tasks[0].id(), tasks[1].id()]);
        // The clock of these ages moves once in some milliseconds.
        assert!(waiters[0].waited_ms >= 35 && waiters[0].waited_ms >= waiters[1].waited_ms, "{waiters:?}");
        assert!(waiters[0].site.starts_with("src/inspect/semaphore.rs:"), "{waiters:?}");
        drop(held);
        for task in tasks {
            task.await.unwrap();
        }
        let after = report();
        assert!(after.waiters.is_empty() && after.taken == 0, "{after:?}");
        assert!(after.longest_hold_us >= 50_000 && after.longest_wait_us >= 50_000, "{after:?}");
    }
}
