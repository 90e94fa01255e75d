//! What a fetch tells its torrent's owner: blocks in batches, a bounded number of which wait.

use bytes::Bytes;

use crate::engine::io::{FetchError, FetchHead, Input};
use crate::inspect;
use crate::limits;
use crate::session::driver::{Heard, ToDriver};
use crate::units::FetchId;

/// The way to the owner.
#[derive(Debug)]
pub(super) struct Outlet {
    fetch: FetchId,
    driver: inspect::Sender<ToDriver>,
    places: inspect::Semaphore,
    batch: Vec<Bytes>,
}

/// The torrent's owner has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OwnerGone;

impl Outlet {
    pub(super) fn new(fetch: FetchId, driver: inspect::Sender<ToDriver>) -> Self {
        let places = inspect::Semaphore::new("inputs of a webseed's fetch", limits::WEBSEED_INPUTS_MAX);
        Self { fetch, driver, places, batch: Vec::new() }
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
