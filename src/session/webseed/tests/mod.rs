//! Fetches against a scripted server, through the same door as the driver's.

mod answers;
mod policy;
mod server;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{FetchHandle, WebseedBounds, WebseedClient, start};
use crate::engine::io::{Fetch, FetchError, FetchErrorKind, FetchHead, FetchPart, Input};
use crate::inspect;
use crate::session::discovery::{DiscoverySettings, Http};
use crate::session::disk::DiskBudget;
use crate::session::driver::ToDriver;
use crate::units::{FetchId, FileIndex, WebseedKey};
use server::{Script, Server, redirect, response};

/// Bytes in which no two ranges are alike.
fn payload(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect()
}

fn client() -> WebseedClient {
    client_with(WebseedBounds::default())
}

fn client_with(bounds: WebseedBounds) -> WebseedClient {
    WebseedClient::new(&Http::new(DiscoverySettings::default()), bounds)
}

/// One that waits for heads no longer than this.
fn impatient_for_heads() -> WebseedClient {
    client_with(WebseedBounds { head: Duration::from_millis(50), ..WebseedBounds::default() })
}

/// One that waits for bytes of a body no longer than this.
fn impatient_for_bytes(wait: Duration) -> WebseedClient {
    client_with(WebseedBounds { idle: wait, ..WebseedBounds::default() })
}

fn file(url: String, offset: u64, bytes: u64, file_bytes: u64) -> FetchPart {
    FetchPart::File { file: FileIndex(7), url, offset, bytes, file_bytes }
}

/// A fetch of these parts in blocks of this length.
fn fetch(parts: Vec<FetchPart>, block_bytes: u32) -> Fetch {
    let mut left: u64 = parts.iter().map(FetchPart::bytes).sum();
    let mut blocks = Vec::new();
    while left > 0 {
        let length = left.min(u64::from(block_bytes));
        blocks.push(u32::try_from(length).unwrap());
        left -= length;
    }
    Fetch { id: FetchId(12), webseed: WebseedKey(3), parts, blocks, credit: None, by_hand: false }
}

/// A fetch under way and what it says.
struct Running {
    handle: FetchHandle,
    inbox: inspect::Receiver<ToDriver>,
}

impl Running {
    fn start(client: WebseedClient, fetch: Fetch) -> Self {
        let (driver, inbox) = inspect::channel("test: driver", 256);
        let budget = Arc::new(DiskBudget::new());
        Self { handle: start(client, fetch, "test", driver, budget), inbox }
    }

    async fn next(&mut self) -> Input {
        let said = tokio::time::timeout(Duration::from_secs(10), self.inbox.recv()).await;
        match said.expect("a fetch says something in time").expect("a fetch ends with a word") {
            ToDriver::Heard(heard) => heard.input(),
            other => panic!("{other:?}"),
        }
    }
}

/// All that a fetch said.
#[derive(Debug)]
struct Outcome {
    heads: Vec<FetchHead>,
    blocks: Vec<Bytes>,
    result: Result<(), FetchError>,
}

impl Outcome {
    fn bytes(&self) -> Vec<u8> {
        self.blocks.concat()
    }

    /// How it failed.
    fn failed(&self) -> (FetchErrorKind, String) {
        let error = self.result.as_ref().expect_err("it fails");
        (error.kind, error.to_string())
    }
}

async fn run(client: WebseedClient, fetch: Fetch) -> Outcome {
    let lengths = fetch.blocks.clone();
    let mut running = Running::start(client, fetch);
    let (mut heads, mut blocks) = (Vec::new(), Vec::new());
    let result = loop {
        match running.next().await {
            Input::FetchAnswered { fetch: FetchId(12), head } => heads.push(head),
            Input::Fetched { fetch: FetchId(12), blocks: more } => blocks.extend(more),
            Input::FetchEnded { fetch: FetchId(12), result } => break result,
            other => panic!("{other:?}"),
        }
    };
    let cut = blocks.iter().zip(&lengths).all(|(block, length)| block.len() == *length as usize);
    assert!(cut && blocks.len() <= lengths.len(), "blocks are as long as asked");
    assert!(running.inbox.recv().await.is_none(), "nothing follows the end");
    Outcome { heads, blocks, result }
}

/// What a fetch of all of a file gives, where its one path is answered so.
async fn run_script(script: Script, offset: u64, bytes: u64, file_bytes: u64) -> Outcome {
    let server = Server::start([("/f", script)]).await;
    run(client(), fetch(vec![file(server.url("/f"), offset, bytes, file_bytes)], 1000)).await
}
