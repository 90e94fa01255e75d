//! The task of a fetch: parts in order, bodies in, blocks out.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use reqwest::Response;

use super::answer::{Head, check};
use super::ask::{Ask, Form};
use super::client::WebseedClient;
use super::cut::Cutter;
use super::outlet::{Outlet, OwnerGone};
use super::retry_after::seconds;
use crate::engine::io::{FetchError, FetchErrorKind, FetchPart};
use crate::inspect;
use crate::limits::{self, BLOCK_BYTES};
use crate::session::disk::DiskBudget;

/// One fetch.
#[derive(Debug)]
pub(super) struct FetchTask {
    client: WebseedClient,
    outlet: Outlet,
    cutter: Cutter,
    /// Bytes allowed and bytes taken, since it began.
    allowed: inspect::WatchReceiver<u64>,
    taken: u64,
    budget: Arc<DiskBudget>,
}

/// Why a fetch ends before its last byte.
enum Stop {
    Failed(FetchError),
    /// Nobody listens.
    Gone,
}

impl From<FetchError> for Stop {
    fn from(error: FetchError) -> Self {
        Self::Failed(error)
    }
}

impl From<OwnerGone> for Stop {
    fn from(_: OwnerGone) -> Self {
        Self::Gone
    }
}

impl FetchTask {
    pub(super) fn new(
        client: WebseedClient,
        blocks: Vec<u32>,
        outlet: Outlet,
        allowed: inspect::WatchReceiver<u64>,
        budget: Arc<DiskBudget>,
    ) -> Self {
        Self { client, outlet, cutter: Cutter::new(blocks), allowed, taken: 0, budget }
    }

    /// Fetches all parts.
    pub(super) async fn run(mut self, parts: Vec<FetchPart>, by_hand: bool) {
        let result = match self.fetch(parts, by_hand).await {
            Ok(()) => Ok(()),
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Gone) => return,
        };
        let _ = self.outlet.end(result).await;
    }

    async fn fetch(&mut self, parts: Vec<FetchPart>, by_hand: bool) -> Result<(), Stop> {
        for part in parts.into_iter().filter(|part| part.bytes() > 0) {
            match Ask::new(part) {
                Ok(ask) => self.ask(&ask, by_hand).await?,
                Err(zeros) => self.make_zeros(zeros).await?,
            }
        }
        Ok(())
    }

    async fn ask(&mut self, ask: &Ask, by_hand: bool) -> Result<(), Stop> {
        // A server whose answer nobody reads for long gives up.
        self.wait_until_wanted().await?;
        let asking = self.client.ask(ask, by_hand);
        let (response, mut head) = inspect::frame("ask for a range", asking).await?;
        let headers = response.headers();
        let checked =
            check(ask, Head { status: head.status, headers, body_bytes: response.content_length() });
        head.skip_bytes = checked.as_ref().map_or(0, |skip| *skip);
        self.outlet.answered(head).await?;
        match checked {
            Ok(skip) => inspect::frame("read the body", self.read(ask, response, skip)).await,
            Err(mut error) => {
                if ask.form == Form::Whole && head.status == 503 {
                    error.retry_after_s = self.busy_for(response).await.or(error.retry_after_s);
                }
                Err(error.into())
            }
        }
    }

    /// Reads what was asked for from a body, after `skip` bytes of no use.
    async fn read(&mut self, ask: &Ask, mut response: Response, mut skip: u64) -> Result<(), Stop> {
        let status = Some(response.status().as_u16());
        let mut left = ask.bytes;
        while left > 0 {
            self.wait_until_wanted().await?;
            let chunk = self.next_chunk(&mut response).await?;
            let mut chunk = chunk.map_err(|why| {
                let what = format!("the body ended after {} of {} bytes: {why}", ask.bytes - left, ask.bytes);
                FetchError { status, ..ask.failed(FetchErrorKind::Trouble, what) }
            })?;
            let skipped = length_within(&chunk, skip);
            chunk.advance(skipped);
            skip -= skipped as u64;
            self.taken += skipped as u64;
            chunk.truncate(length_within(&chunk, left));
            left -= chunk.len() as u64;
            self.take(chunk).await?;
        }
        self.outlet.flush().await?;
        finish(response).await;
        Ok(())
    }

    /// The next bytes of a body, or why there are none. Blocks are held back no longer than bytes are here already.
    async fn next_chunk(&mut self, response: &mut Response) -> Result<Result<Bytes, String>, OwnerGone> {
        let next = match response.chunk().now_or_never() {
            Some(next) => next,
            None => {
                self.outlet.flush().await?;
                let idle = self.client.bounds().idle;
                match inspect::timeout(idle, inspect::reading(response.chunk())).await {
                    Ok(next) => next,
                    Err(_) => return Ok(Err(format!("no byte for {} s", idle.as_secs_f64()))),
                }
            }
        };
        Ok(match next {
            Ok(Some(chunk)) => Ok(chunk),
            Ok(None) => Err("it was no longer".to_owned()),
            Err(error) => Err(self.client.cause(&error)),
        })
    }

    /// Cuts bytes into blocks, no more of them than there is credit for.
    async fn take(&mut self, mut chunk: Bytes) -> Result<(), OwnerGone> {
        while !chunk.is_empty() {
            self.wait_for_credit().await?;
            let credit = self.allowed.latest().saturating_sub(self.taken);
            let mut allowed = chunk.split_to(length_within(&chunk, credit));
            self.taken += allowed.len() as u64;
            while let Some(block) = self.cutter.cut(&mut allowed) {
                self.outlet.push(block).await?;
            }
        }
        Ok(())
    }

    /// Makes the bytes of a pad file; they cost no credit, as nothing is downloaded.
    async fn make_zeros(&mut self, bytes: u64) -> Result<(), OwnerGone> {
        static ZEROS: [u8; BLOCK_BYTES as usize] = [0; BLOCK_BYTES as usize];
        let mut left = bytes;
        while left > 0 {
            self.wait_for_room().await?;
            let mut zeros = Bytes::from_static(&ZEROS);
            zeros.truncate(length_within(&zeros, left));
            left -= zeros.len() as u64;
            while let Some(block) = self.cutter.cut(&mut zeros) {
                self.outlet.push(block).await?;
            }
        }
        Ok(())
    }

    /// Waits until more bytes may come.
    async fn wait_until_wanted(&mut self) -> Result<(), OwnerGone> {
        self.wait_for_credit().await?;
        self.wait_for_room().await
    }

    async fn wait_for_credit(&mut self) -> Result<(), OwnerGone> {
        if self.allowed.latest() > self.taken {
            return Ok(());
        }
        self.outlet.flush().await?;
        let taken = self.taken;
        let more = self.allowed.wait_until(|allowed| *allowed > taken);
        inspect::frame("wait for credit", more).await.map_err(|_| OwnerGone)
    }

    async fn wait_for_room(&mut self) -> Result<(), OwnerGone> {
        if self.budget.is_full() {
            self.outlet.flush().await?;
            inspect::frame("wait for the disk", self.budget.wait_for_room()).await;
        }
        Ok(())
    }

    /// For how many seconds a BEP 17 server says that it is busy: its body is that number.
    async fn busy_for(&self, mut response: Response) -> Option<u64> {
        let mut body = Vec::new();
        let reading = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                body.extend_from_slice(&chunk);
                if body.len() > limits::WEBSEED_RETRY_BODY_BYTES_MAX {
                    return None;
                }
            }
            seconds(std::str::from_utf8(&body).ok()?.trim())
        };
        inspect::timeout(self.client.bounds().idle, inspect::reading(reading)).await.ok().flatten()
    }
}

/// How many of these bytes lie within a bound.
fn length_within(bytes: &Bytes, bound: u64) -> usize {
    usize::try_from(bound).map_or(bytes.len(), |bound| bound.min(bytes.len()))
}

/// Reads the end of a body whose bytes are all here, so that the connection is free for the next request. One that has
/// more to say is closed by being dropped.
async fn finish(mut response: Response) {
    if response.content_length().is_none_or(|left| left == 0) {
        let _ = inspect::timeout(limits::WEBSEED_TAIL_WAIT, inspect::reading(response.chunk())).await;
        drop(response);
        // The library takes the connection back in a task of its own. Whoever asks before that opens another.
        inspect::sleep(limits::WEBSEED_REUSE_WAIT).await;
    }
}
