//! A webseed that is asked for everything.

use std::sync::Arc;

use bytes::Bytes;
use unchoke::contract::{Priority, WebseedAction};
use unchoke::engine::io::{Fetch, Input, TorrentCommand};
use unchoke::limits::{BLOCK_BYTES, WEBSEED_BLOCKS_PER_INPUT_MAX};
use unchoke::metainfo::Info;
use unchoke::units::FileIndex;

use crate::report::{Report, Sample};
use crate::swarm::Swarm;

const SAMPLES: usize = 100;
/// Answered in full: half of the smallest torrent.
const REQUESTS: usize = 5;

pub(crate) fn bench(report: &mut Report, info: &Arc<Info>) {
    let mut swarm = asked_of_a_webseed(Swarm::alone(info));
    blocks(report, &mut swarm);
    replan(report, &mut swarm, "webseed request over, the next planned");
    priorities(report, &mut swarm);
    // Nothing to run along: every run is one piece long, so as many are looked at as may be.
    let mut swarm = asked_of_a_webseed(Swarm::with_pieces(info, |piece| piece % 2 == 0));
    replan(report, &mut swarm, "the same where every other piece is here");
}

/// A torrent with one webseed, which has its first requests.
fn asked_of_a_webseed(mut swarm: Swarm) -> Swarm {
    let add = WebseedAction::Add("http://webseed.example/".to_owned());
    swarm.turn(Input::Command(TorrentCommand::Webseed(add)));
    swarm.grant_places();
    assert!(!swarm.fetches.is_empty(), "the webseed is asked");
    swarm
}

/// Blocks come as the shell hands them over, until the request is over.
fn blocks(report: &mut Report, swarm: &mut Swarm) {
    let block = Bytes::from(vec![0; BLOCK_BYTES as usize]);
    let mut samples = Vec::new();
    for _ in 0..REQUESTS {
        let fetch = swarm.fetches.pop_front().expect("the webseed is asked");
        for lengths in fetch.blocks.chunks(WEBSEED_BLOCKS_PER_INPUT_MAX) {
            let blocks = lengths.iter().map(|length| block.slice(..*length as usize)).collect();
            let input = Input::Fetched { fetch: fetch.id, blocks };
            samples.push(swarm.timed(lengths.len() as u64, |swarm| swarm.turn(input)));
        }
        end(swarm, &fetch);
        // What waits for the disk holds back requests.
        swarm.store_all();
    }
    report.row("webseed block received", &samples);
}

fn end(swarm: &mut Swarm, fetch: &Fetch) {
    swarm.turn(Input::FetchEnded { fetch: fetch.id, result: Ok(()) });
    swarm.grant_places();
}

/// A request is over, its place comes back, and the next one is chosen: three turns.
fn replan(report: &mut Report, swarm: &mut Swarm, name: &'static str) {
    let mut samples = Vec::new();
    for _ in 0..SAMPLES {
        let fetch = swarm.fetches.pop_front().expect("the webseed is asked");
        samples.push(swarm.timed(1, |swarm| end(swarm, &fetch)));
    }
    report.row(name, &samples);
}

/// A file is raised or lowered: what follows for its pieces, and the plan looked at anew.
fn priorities(report: &mut Report, swarm: &mut Swarm) {
    let files = u32::try_from(swarm.torrent.info().files.len()).expect("few enough");
    let samples: Vec<Sample> = (0..200)
        .map(|turn| {
            let level = if turn % 2 == 0 { Priority::High } else { Priority::Normal };
            let change = vec![(FileIndex(turn * 37 % files), level)];
            swarm.timed(1, |swarm| {
                swarm.turn(Input::Command(TorrentCommand::SetPriority(change)));
                swarm.grant_places();
            })
        })
        .collect();
    report.row("priority of one file, with a webseed", &samples);
}
