//! Carries out `Effect::Fetch`: asks webseeds over HTTP (BEP 19, BEP 17), checks that an answer is what was asked for,
//! and cuts it into blocks.
//!
//! Each fetch is one task, whose last word is one `Input::FetchEnded`; dropping its [`FetchHandle`] ends it without one
//! and closes its connection. Bytes are read only while there is credit, room in the disk queue and a place in the
//! owner's queue, so what is not read waits at the server. When to ask and what a failure means is the engine's.

mod answer;
mod ask;
mod client;
mod cut;
mod outlet;
mod retry_after;
mod task;
#[cfg(test)]
mod tests;

pub(in crate::session) use client::{WebseedBounds, WebseedClient};

use std::sync::Arc;

use url::Url;

use super::disk::DiskBudget;
use super::driver::ToDriver;
use crate::engine::io::{Fetch, FetchPart};
use crate::inspect;
use outlet::Outlet;
use task::FetchTask;

/// The driver's end of a fetch. Dropping it ends the fetch at once.
#[derive(Debug)]
pub(in crate::session) struct FetchHandle {
    /// Payload bytes allowed since it began.
    credit: inspect::WatchSender<u64>,
    task: inspect::TaskHandle<()>,
}

impl Drop for FetchHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FetchHandle {
    /// Allows more bytes. Never waits.
    pub(in crate::session) fn credit(&self, bytes: u64) {
        self.credit.set_if(|total| {
            *total = total.saturating_add(bytes);
            true
        });
    }
}

/// Starts a fetch of the torrent called `torrent`. What comes of it goes to `driver`.
pub(in crate::session) fn start(
    client: WebseedClient,
    fetch: Fetch,
    torrent: &str,
    driver: inspect::Sender<ToDriver>,
    budget: Arc<DiskBudget>,
) -> FetchHandle {
    let name = format!("webseed {} of {torrent}: fetch {}", host(&fetch), fetch.id.0);
    let (credit, allowed) = inspect::watch(format!("credit of {name}"), fetch.credit.unwrap_or(u64::MAX));
    let outlet = Outlet::new(fetch.id, driver);
    let task = FetchTask::new(client, fetch.blocks, outlet, allowed, budget);
    let task = inspect::spawn(name, task.run(fetch.parts, fetch.by_hand));
    FetchHandle { credit, task }
}

/// Scheme, host and port: the rest of a URL may hold a secret, and names of tasks are shown.
fn host(fetch: &Fetch) -> String {
    let url = fetch.parts.iter().find_map(|part| match part {
        FetchPart::Zeros { .. } => None,
        FetchPart::File { url, .. } | FetchPart::Piece { url, .. } => Some(url),
    });
    let url = url.and_then(|url| Url::parse(url).ok());
    url.map_or_else(|| "without a host".to_owned(), |url| format!("{}/", url.origin().ascii_serialization()))
}
