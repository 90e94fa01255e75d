//! What webseeds are asked for, and what comes of it.
//!
//! Blocks are chosen as runs that follow each other: the longest one of the most urgent level that the webseed has, from
//! where its last one ended. Choosing, holding the blocks, taking the place at the host and noting the request happen in
//! one step. What a webseed is too slow for goes back to peers.

mod commands;
mod failures;
mod fetches;
mod hosts;
mod runs;
mod view;

use super::Torrent;
use crate::contract::WebseedOrigin;
use crate::engine::io::{Effect, Fetch};
use crate::engine::webseeds::underway::Underway;
use crate::limits;
use crate::units::{BlockIndex, PieceIndex, Time, WebseedKey};
use runs::Run;

impl Torrent {
    /// Gives every webseed that may be asked as many requests as it has room and places for; asks for places, and gives
    /// back those that nothing is to be fetched with.
    pub(in crate::engine::torrent) fn plan_webseeds(&mut self, now: Time) {
        if self.webseeds.has_no_hosts() {
            return;
        }
        self.look_at_webseeds(now);
        self.end_pointless_fetches(now);
        for key in self.webseeds.keys() {
            if self.phase.requests() {
                self.plan_webseed(now, key);
            } else {
                self.set_waits(key, false);
            }
        }
        self.settle_places();
        self.webseeds.forget_hosts_without_webseeds();
        self.credit_fetches();
    }

    fn plan_webseed(&mut self, now: Time, key: WebseedKey) {
        let version = self.pieces.order().version();
        loop {
            let Some(webseed) = self.webseeds.get(key) else { return };
            let is_idle = webseed.starved_at == Some(version)
                || self.webseeds.underway.len() >= limits::FETCHES_MAX
                || !self.webseeds.may_ask(webseed, now)
                || self.webseeds.count_of(key) >= webseed.requests_max
                || self.waits_for_silence(key);
            if is_idle {
                self.set_waits(key, false);
                return;
            }
            let has_place = self.webseeds.host_of(webseed).is_some_and(|host| host.free > 0);
            if !has_place && webseed.waits {
                return;
            }
            let run = self.choose_run(key);
            self.set_waits(key, run.is_some() && !has_place);
            match run {
                Some(_) if !has_place => return,
                Some(run) => {
                    if !self.begin_fetch(now, key, run)
                        && let Some(webseed) = self.webseeds.get_mut(key)
                    {
                        // Its blocks lie in more files than one request may ask for.
                        webseed.lacks_piece(run.first);
                    }
                }
                None => return self.set_starved(key, version),
            }
        }
    }

    fn set_starved(&mut self, key: WebseedKey, version: u64) {
        if let Some(webseed) = self.webseeds.get_mut(key) {
            webseed.starved_at = Some(version);
        }
    }

    pub(super) fn set_waits(&mut self, key: WebseedKey, waits: bool) {
        if let Some(webseed) = self.webseeds.get_mut(key) {
            webseed.waits = waits;
        }
    }

    /// Whether a request of a webseed gets no answer: it is asked for nothing more until that is over.
    pub(super) fn waits_for_silence(&self, key: WebseedKey) -> bool {
        self.webseeds.of(key).any(|fetch| fetch.stalled)
    }

    /// Holds the blocks of a run, takes a place, notes the request, and asks. False where there is nothing to hold.
    fn begin_fetch(&mut self, now: Time, key: WebseedKey, run: Run) -> bool {
        let blocks = self.hold_run(key, run);
        let Some(&(last, ..)) = blocks.last() else { return false };
        let id = self.webseeds.next_fetch();
        let limited = self.allowance.down_bytes.is_some();
        let Some(webseed) = self.webseeds.get_mut(key) else { return false };
        webseed.cursor = PieceIndex(last.0 + 1);
        let fetch = Fetch {
            id,
            webseed: key,
            parts: webseed.parts(&self.info, &blocks),
            blocks: blocks.iter().map(|(.., length)| *length).collect(),
            credit: limited.then_some(0),
            by_hand: webseed.origin == WebseedOrigin::Manual,
        };
        let host = webseed.host.clone();
        let held: Vec<(PieceIndex, BlockIndex)> =
            blocks.iter().map(|(piece, block, _)| (*piece, *block)).collect();
        let places = self.webseeds.host_mut(&host);
        places.free = places.free.saturating_sub(1);
        let mut underway = Underway::new(now, (id, key, host), &held, &fetch.parts);
        underway.credit = fetch.credit;
        self.webseeds.underway.insert(id, underway);
        self.webseeds.look_at.get_or_insert(now + limits::HOUSEKEEPING);
        self.effects.push_back(Effect::Fetch(Box::new(fetch)));
        true
    }
}
