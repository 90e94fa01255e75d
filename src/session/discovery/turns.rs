//! Whose turn it is to ask a tracker: so many at once, and the dead never in the way of the living.
//!
//! A host that is down keeps each ask for the whole of its time bound. With thousands of torrents that name the same
//! dead hosts, those asks alone would fill every place for hours. So a failure is remembered for its host, and while
//! half of the places are taken such a host fails at once; with room to spare it is asked, so that a person's wish is
//! never refused.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::codec::tracker::TrackerError;
use crate::inspect::{Lock, Permit, Semaphore};
use crate::limits::{TRACKER_ASKS_MAX, TRACKER_SILENCE_LIFE, TRACKER_SILENT_HOSTS_MAX};

/// The places of one way of asking.
#[derive(Debug)]
pub(super) struct Turns {
    permits: Semaphore,
    silent: Lock<BTreeMap<String, Silence>>,
}

/// That a host did not answer.
#[derive(Clone, Debug)]
struct Silence {
    since: Instant,
    error: TrackerError,
}

impl Turns {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            permits: Semaphore::new(name, TRACKER_ASKS_MAX),
            silent: Lock::new(format!("{name}: silent hosts"), BTreeMap::new()),
        }
    }

    /// Waits for a place; fails with the host's last failure where asking it again would keep others waiting.
    pub(super) async fn take(&self, host: &str) -> Result<Permit, TrackerError> {
        if self.permits.available() * 2 > TRACKER_ASKS_MAX
            && let Some(permit) = self.permits.try_acquire()
        {
            return Ok(permit);
        }
        self.check(host)?;
        let permit = self.permits.acquire().await;
        self.check(host)?;
        Ok(permit)
    }

    /// Remembers how an ask ended.
    pub(super) fn ended<T>(&self, host: &str, result: &Result<T, TrackerError>) {
        let mut silent = self.silent.lock();
        match result {
            Err(error @ (TrackerError::TimedOut(_) | TrackerError::Network(_))) => {
                if silent.len() >= TRACKER_SILENT_HOSTS_MAX {
                    silent.retain(|_, silence| silence.since.elapsed() < TRACKER_SILENCE_LIFE);
                }
                if silent.len() < TRACKER_SILENT_HOSTS_MAX {
                    silent.insert(host.to_owned(), Silence { since: Instant::now(), error: error.clone() });
                }
            }
            Ok(_)
            | Err(
                TrackerError::Refused { .. }
                | TrackerError::Malformed(_)
                | TrackerError::Status(_)
                | TrackerError::BadUrl(_),
            ) => {
                silent.remove(host);
            }
        }
    }

    fn check(&self, host: &str) -> Result<(), TrackerError> {
        match self.silent.lock().get(host) {
            Some(silence) if silence.since.elapsed() < TRACKER_SILENCE_LIFE => Err(silence.error.clone()),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEAD: Result<(), TrackerError> = Err(TrackerError::TimedOut(60));

    #[tokio::test]
    async fn a_silent_host_is_asked_again_while_there_is_room() {
        let turns = Turns::new("asks");
        turns.ended("dead.example", &DEAD);
        assert!(turns.take("dead.example").await.is_ok());
    }

    #[tokio::test]
    async fn the_dead_leave_half_of_the_places_to_the_living() {
        let turns = Turns::new("asks");
        turns.ended("dead.example", &DEAD);
        let mut asks = Vec::new();
        let refused = loop {
            match turns.take("dead.example").await {
                Ok(permit) => asks.push(permit),
                Err(error) => break error,
            }
        };
        assert_eq!((asks.len(), refused), (TRACKER_ASKS_MAX / 2, TrackerError::TimedOut(60)));
        assert!(turns.take("living.example").await.is_ok());
        turns.ended("dead.example", &Ok(()));
        assert!(turns.take("dead.example").await.is_ok(), "it has answered since");
    }

    #[tokio::test]
    async fn those_who_wait_for_a_host_learn_that_it_is_silent() {
        let turns = Turns::new("asks");
        let mut asks = Vec::new();
        for _ in 0..TRACKER_ASKS_MAX {
            asks.push(turns.take("dead.example").await.unwrap());
        }
        let mut waiting = Box::pin(turns.take("dead.example"));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        turns.ended("dead.example", &DEAD);
        asks.pop();
        assert!(waiting.await.is_err());
    }
}
