//! What a fetch tells its torrent's owner: blocks in batches, a bounded number of which wait.

use bytes::Bytes;

use crate::contract::Untrusted;
use crate::engine::io::{FetchError, FetchErrorKind, FetchHead, Input};
use crate::inspect;
use crate::limits;
use crate::session::driver::{Heard, Owed, TASK_FAILED, ToDriver};
use crate::units::FetchId;

/// The way to the owner.
#[derive(Debug)]
pub(super) struct Outlet {
    fetch: FetchId,
    driver: inspect::Sender<ToDriver>,
    places: inspect::Semaphore,
    batch: Vec<Bytes>,
    /// Says the last word if the task panics.
    _owed: Owed,
}

/// The torrent's owner has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OwnerGone;

impl Outlet {
    pub(super) fn new(fetch: FetchId, driver: inspect::Sender<ToDriver>) -> Self {
        let places = inspect::Semaphore::new("inputs of a webseed's fetch", limits::WEBSEED_INPUTS_MAX);
        let owed = Owed::new(driver.clone(), failed(fetch));
        Self { fetch, driver, places, batch: Vec::new(), _owed: owed }
    }

    /// Takes a block. Waits only where a batch is full and too many wait already.
    pub(super) async fn push(&mut self, block: Bytes) -> Result<(), OwnerGone> {
        self.batch.push(block);
        if self.batch.len() < limits::WEBSEED_BLOCKS_PER_INPUT_MAX { Ok(()) } else { self.flush().await }
    }

    /// Hands over all blocks: nothing more may come for a while.
    pub(super) async fn flush(&mut self) -> Result<(), OwnerGone> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let blocks = std::mem::take(&mut self.batch);
        self.tell(Input::Fetched { fetch: self.fetch, blocks }).await
    }

    pub(super) async fn answered(&self, head: FetchHead) -> Result<(), OwnerGone> {
        self.tell(Input::FetchAnswered { fetch: self.fetch, head }).await
    }

    /// The last word, after all blocks.
    pub(super) async fn end(mut self, result: Result<(), FetchError>) -> Result<(), OwnerGone> {
        self.flush().await?;
        self.tell(Input::FetchEnded { fetch: self.fetch, result }).await
    }

    async fn tell(&self, input: Input) -> Result<(), OwnerGone> {
        let place = self.places.acquire().await;
        let heard = ToDriver::Heard(Heard::new(input, place));
        self.driver.send(heard).await.map_err(|_| OwnerGone)
    }
}

/// The last word where there is no other: the task panicked.
fn failed(fetch: FetchId) -> Input {
    let error = FetchError {
        kind: FetchErrorKind::Trouble,
        file: None,
        status: None,
        retry_after_s: None,
        message: Untrusted::new(TASK_FAILED),
    };
    Input::FetchEnded { fetch, result: Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fetch_whose_task_panics_has_a_last_word_all_the_same() {
        let (driver, mut inbox) = inspect::channel("test: driver", 4);
        let outlet = Outlet::new(FetchId(3), driver);
        inspect::spawn("test: a fetch that panics", async move {
            let _outlet = outlet;
            panic!("on purpose");
        })
        .detach();
        match inbox.recv().await {
            Some(ToDriver::Input(Input::FetchEnded { fetch: FetchId(3), result: Err(error) })) => {
                assert_eq!(error.kind, FetchErrorKind::Trouble);
            }
            other => panic!("{other:?}"),
        }
        assert!(inbox.recv().await.is_none());
    }
}
