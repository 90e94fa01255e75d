//! What webseeds are asked for, and what comes of it.
//!
//! Blocks are chosen as runs that follow each other: the longest one of the most urgent level that the webseed has, from
//! where its last one ended. Choosing, holding the blocks, taking the place at the host and noting the request happen in
//! one step. What a webseed is too slow for goes back to peers.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Torrent;
use super::messages::Use;
use super::partial::{Holder, Owner, Partial};
use super::pieces::PieceState;
use crate::contract::{PieceLevel, PieceSequence};
use crate::engine::io::{Effect, Fetch, FetchHead, HostKey};
use crate::engine::peers::ban::Sender;
use crate::engine::peers::connection::Connection;
use crate::engine::webseeds::underway::Underway;
use crate::limits::{self, BLOCK_BYTES};
use crate::units::{BlockIndex, FetchId, PieceIndex, Time, WebseedKey};

/// A run of pieces, and where in the first of them it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: PieceIndex,
    /// About how many bytes of it are free.
    bytes: u64,
}

impl Torrent {
    /// Gives every webseed that may be asked as many requests as it has room and places for; asks for places, and gives
    /// back those that nothing is to be fetched with.
    pub(super) fn plan_webseeds(&mut self, now: Time) {
        if self.webseeds.is_empty() {
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
        self.credit_fetches();
    }

    fn plan_webseed(&mut self, now: Time, key: WebseedKey) {
        let version = self.pieces.order().version();
        loop {
            let Some(webseed) = self.webseeds.get(key) else { return };
            let room = webseed.requests_max.saturating_sub(self.webseeds.count_of(key));
            let nothing_new = webseed.starved_at == Some(version);
            if room == 0 || nothing_new || !self.webseeds.may_ask(webseed, now) || self.waits_for_silence(key)
            {
                self.set_waits(key, false);
                return;
            }
            let has_place = self.webseeds.host_of(webseed).is_some_and(|host| host.free > 0);
            if !has_place && webseed.waits {
                return;
            }
            let run = self.choose_run(key);
            self.set_waits(key, run.is_some() && !has_place);
            match (run, self.webseeds.get_mut(key)) {
                (Some(run), _) if has_place => self.begin_fetch(now, key, run),
                (None, Some(webseed)) => {
                    webseed.starved_at = Some(version);
                    return;
                }
                (_, _) => return,
            }
        }
    }

    fn set_waits(&mut self, key: WebseedKey, waits: bool) {
        if let Some(webseed) = self.webseeds.get_mut(key) {
            webseed.waits = waits;
        }
    }

    /// Whether a request of a webseed gets no answer: it is asked for nothing more until that is over.
    fn waits_for_silence(&self, key: WebseedKey) -> bool {
        self.webseeds.of(key).any(|fetch| fetch.stalled)
    }

    /// How many bytes the next request of a webseed is to have.
    fn fetch_bytes(&self, key: WebseedKey) -> u64 {
        let bps = self.webseeds.get(key).and_then(|webseed| webseed.fetch_bps);
        let bytes =
            bps.map_or(limits::FETCH_BYTES_FIRST, |bps| bps.saturating_mul(limits::FETCH_SPAN.as_secs()));
        bytes.clamp(u64::from(BLOCK_BYTES), limits::FETCH_BYTES_MAX)
    }

    /// The longest run of free pieces of the most urgent level, as far as it is looked for.
    fn choose_run(&self, key: WebseedKey) -> Option<Run> {
        let webseed = self.webseeds.get(key)?;
        let order = self.pieces.order();
        let target = self.fetch_bytes(key);
        for level in order.levels() {
            let plain = matches!(level, PieceLevel::Low | PieceLevel::Normal | PieceLevel::High);
            let in_order = !plain || order.sequence() == PieceSequence::InOrder;
            let from = if in_order { PieceIndex(0) } else { webseed.cursor };
            let members = order.members(level);
            let behind = members.iter_common_from(webseed.have(), from);
            let before =
                members.iter_common_from(webseed.have(), PieceIndex(0)).take_while(|piece| *piece < from);
            let pieces = behind.chain(before).filter(|piece| self.may_fetch(*piece));
            let best = self.longest_run(pieces.take(limits::FETCH_VISITS_MAX), target, in_order);
            if best.is_some() {
                return best;
            }
        }
        None
    }

    /// The first run that is as long as wanted, else the longest; the first of all where the order counts.
    fn longest_run(
        &self,
        pieces: impl Iterator<Item = PieceIndex>,
        target: u64,
        in_order: bool,
    ) -> Option<Run> {
        let mut best: Option<Run> = None;
        let mut current: Option<(Run, PieceIndex)> = None;
        for piece in pieces {
            let bytes = self.free_bytes(piece);
            let joins = |last: PieceIndex| last.0 + 1 == piece.0 && self.is_free_at_both_ends(last, piece);
            let run = match current {
                Some((run, last)) if joins(last) => Run { bytes: run.bytes + bytes, ..run },
                Some(_) if in_order => break,
                Some(_) | None => Run { first: piece, bytes },
            };
            current = Some((run, piece));
            if best.is_none_or(|best| run.bytes > best.bytes) {
                best = Some(run);
            }
            if run.bytes >= target {
                break;
            }
        }
        best
    }

    fn free_bytes(&self, piece: PieceIndex) -> u64 {
        let whole = self.info.piece_bytes(piece);
        match self.pieces.partial(piece) {
            Some(partial) => u64::from(partial.free().saturating_mul(BLOCK_BYTES).min(whole)),
            None => u64::from(whole),
        }
    }

    /// Whether the last block of one piece and the first of the next are free.
    fn is_free_at_both_ends(&self, one: PieceIndex, next: PieceIndex) -> bool {
        let last = BlockIndex(self.info.piece_bytes(one).div_ceil(BLOCK_BYTES).saturating_sub(1));
        let free =
            |piece, block| self.pieces.partial(piece).is_none_or(|partial| partial.is_free_or_pad(block));
        free(one, last) && free(next, BlockIndex(0))
    }

    /// Whether a webseed may be asked for a piece: one that failed before is asked of one sender alone.
    fn may_fetch(&self, piece: PieceIndex) -> bool {
        let Some(partial) = self.pieces.partial(piece) else { return true };
        let owner = partial.exclusive.and_then(Owner::peer).and_then(|owner| self.connections.get(&owner));
        let reserved = owner.is_some_and(|owner| owner.may_request() && !owner.requests.is_snubbed());
        let mixed = self.bans.is_suspect(piece) && partial.requested() > 0;
        !reserved && !mixed
    }

    /// Holds the blocks of a run, takes a place, notes the request, and asks.
    fn begin_fetch(&mut self, now: Time, key: WebseedKey, run: Run) {
        let blocks = self.hold_run(key, run);
        let Some(&(last, ..)) = blocks.last() else { return };
        let id = self.webseeds.next_fetch();
        let limited = self.allowance.down_bytes.is_some();
        let Some(webseed) = self.webseeds.get_mut(key) else { return };
        webseed.cursor = PieceIndex(last.0 + 1);
        let fetch = Fetch {
            id,
            webseed: key,
            parts: webseed.parts(&self.info, &blocks),
            blocks: blocks.iter().map(|(.., length)| *length).collect(),
            credit: limited.then_some(0),
            by_hand: webseed.origin == crate::contract::WebseedOrigin::Manual,
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
    }

    /// Holds free blocks that follow each other, until there are enough of them or the run ends.
    fn hold_run(&mut self, key: WebseedKey, run: Run) -> Vec<(PieceIndex, BlockIndex, u32)> {
        let target = self.fetch_bytes(key);
        let level = self.pieces.level(run.first);
        let mut blocks = Vec::new();
        let (mut bytes, mut parts) = (0u64, 0);
        let mut piece = run.first;
        loop {
            let most = u32::try_from((target - bytes).div_ceil(u64::from(BLOCK_BYTES))).unwrap_or(u32::MAX);
            let taken = self.hold_blocks(key, piece, most);
            for &block in &taken {
                let length = self.block_bytes(piece, block);
                bytes += u64::from(length);
                blocks.push((piece, block, length));
            }
            parts += self.info.spans(piece, 0, self.info.piece_bytes(piece)).skip(1).count();
            let next = PieceIndex(piece.0 + 1);
            let goes_on = !taken.is_empty()
                && bytes < target
                && parts < limits::FETCH_PARTS_MAX
                && self.pieces.order().has(next)
                && self.pieces.level(next) == level
                && self.webseeds.get(key).is_some_and(|webseed| webseed.have().has(next))
                && self.may_fetch(next)
                && self.reaches_the_end(piece, taken.last().copied())
                && self.pieces.partial(next).is_none_or(|partial| partial.is_free_or_pad(BlockIndex(0)));
            if !goes_on {
                return blocks;
            }
            piece = next;
        }
    }

    fn hold_blocks(&mut self, key: WebseedKey, piece: PieceIndex, most: u32) -> Vec<BlockIndex> {
        let suspect = self.bans.is_suspect(piece);
        if suspect && self.pieces.partial(piece).is_some() {
            // Blocks of two senders would leave it open again who lied.
            self.pieces.forget_blocks(piece);
        }
        self.pieces.with_partial(piece, |partial| {
            if suspect {
                partial.exclusive = Some(Owner::Webseed(key));
            }
            partial.request_run(BlockIndex(0), if suspect { u32::MAX } else { most })
        })
    }

    /// Whether nothing but padding lies behind a block of a piece.
    fn reaches_the_end(&self, piece: PieceIndex, last: Option<BlockIndex>) -> bool {
        let Some(last) = last else { return false };
        let (begin, end) = ((last.0 + 1) * BLOCK_BYTES, self.info.piece_bytes(piece));
        begin >= end || self.info.spans(piece, begin, end - begin).all(|span| span.pad)
    }

    /// Blocks came.
    pub(super) fn fetched(&mut self, now: Time, id: FetchId, blocks: Vec<Bytes>) {
        for data in blocks {
            let Some(fetch) = self.webseeds.underway.get_mut(&id) else { return };
            let Some(next) = fetch.take_next() else { return };
            let bytes = data.len() as u64;
            fetch.received_bytes += bytes;
            fetch.last_byte_at = now;
            fetch.credit = fetch.credit.map(|credit| credit.saturating_sub(bytes));
            let key = fetch.webseed;
            let fits = self.block_bytes(next.piece, next.block) == u32::try_from(bytes).unwrap_or(u32::MAX);
            debug_assert!(fits, "the shell cuts blocks as it was told");
            self.down.add(now, bytes);
            self.totals.downloaded_bytes += bytes;
            self.totals.session_downloaded_bytes += bytes;
            let holder = if next.held { Holder::Counted } else { Holder::NotCounted };
            let place = (next.piece, next.block);
            let used = self.take_block(now, place, data, Sender::Webseed(key), holder);
            if used == Use::Wasted {
                self.totals.wasted_bytes += bytes;
            }
            let Some(webseed) = self.webseeds.get_mut(key) else { continue };
            webseed.down.add(now, bytes);
            webseed.downloaded_bytes += bytes;
            webseed.wasted_bytes += if used == Use::Wasted { bytes } else { 0 };
            let host = webseed.host.clone();
            self.webseeds.host_mut(&host).worked();
        }
        self.hold_again(id);
    }

    /// A request that was silent goes on: it holds again what nobody else has asked for meanwhile.
    fn hold_again(&mut self, id: FetchId) {
        let Some(fetch) = self.webseeds.underway.get_mut(&id).filter(|fetch| fetch.stalled) else { return };
        fetch.stalled = false;
        for (piece, block) in fetch.not_held() {
            let wanted =
                self.pieces.level(piece).is_wanted() && self.pieces.state(piece) == PieceState::Missing;
            if !wanted || self.bans.is_suspect(piece) {
                continue;
            }
            if self.pieces.with_partial(piece, |partial| partial.request_one(block))
                && let Some(fetch) = self.webseeds.underway.get_mut(&id)
            {
                fetch.hold(piece, block);
            }
        }
    }

    /// Ends requests of whose rest nothing is waited for; those that are silent may still bring what nobody else does.
    fn end_pointless_fetches(&mut self, now: Time) {
        let lost_interest = !self.phase.requests() || self.pieces.is_finished();
        let pointless = self
            .webseeds
            .underway
            .values()
            .filter(|fetch| fetch.is_pointless() && (!fetch.stalled || lost_interest));
        let ids: Vec<FetchId> = pointless.map(|fetch| fetch.id).collect();
        ids.into_iter().for_each(|id| self.end_fetch(now, id));
    }

    /// Drops a request: its blocks are free, and so is its place.
    pub(super) fn end_fetch(&mut self, now: Time, id: FetchId) {
        if self.forget_fetch(now, id).is_some() {
            self.effects.push_back(Effect::EndFetch { fetch: id });
        }
    }

    /// Takes a request out: its blocks and its place are free again.
    pub(super) fn forget_fetch(&mut self, now: Time, id: FetchId) -> Option<Underway> {
        let fetch = self.webseeds.underway.remove(&id)?;
        let held: Vec<(PieceIndex, BlockIndex)> = fetch.held().collect();
        self.free_blocks(&held);
        self.refund_credit(&fetch);
        self.webseeds.host_mut(&fetch.host).over += 1;
        if let Some(webseed) = self.webseeds.get_mut(fetch.webseed) {
            webseed.starved_at = None;
            if fetch.received_bytes > 0 {
                webseed.fetch_bps = Some(fetch.bps(now));
            }
        }
        Some(fetch)
    }

    pub(super) fn end_fetches_of(&mut self, now: Time, key: WebseedKey) {
        let ids: Vec<FetchId> = self.webseeds.of(key).map(|fetch| fetch.id).collect();
        ids.into_iter().for_each(|id| self.end_fetch(now, id));
    }

    pub(super) fn end_all_fetches(&mut self, now: Time) {
        let ids: Vec<FetchId> = self.webseeds.underway.keys().copied().collect();
        ids.into_iter().for_each(|id| self.end_fetch(now, id));
    }

    /// Blocks are no longer asked of a webseed.
    fn free_blocks(&mut self, blocks: &[(PieceIndex, BlockIndex)]) {
        for of_piece in blocks.chunk_by(|(one, _), (other, _)| one == other) {
            let piece = of_piece[0].0;
            if self.pieces.partial(piece).is_some() {
                self.pieces.with_partial(piece, |partial: &mut Partial| {
                    of_piece.iter().for_each(|(_, block)| partial.release(*block));
                });
            }
        }
    }

    /// A piece is not to be asked for any more: requests of webseeds hold none of its blocks.
    pub(super) fn take_back_from_webseeds(&mut self, piece: PieceIndex) {
        let mut touched = Vec::new();
        for fetch in self.webseeds.underway.values_mut() {
            let blocks = fetch.give_up_piece(piece);
            if !blocks.is_empty() {
                touched.extend(blocks);
            }
        }
        self.free_blocks(&touched);
    }

    /// The head of an answer came.
    pub(super) fn fetch_answered(&mut self, now: Time, id: FetchId, head: FetchHead) {
        let Some(fetch) = self.webseeds.underway.get_mut(&id) else { return };
        fetch.answered(now, head);
        let key = fetch.webseed;
        if let Some(webseed) = self.webseeds.get_mut(key) {
            webseed.last_head = Some(head);
        }
    }

    /// Requests that bring nothing give their blocks to others.
    fn look_at_webseeds(&mut self, now: Time) {
        self.wake_webseeds(now);
        if self.webseeds.look_at.is_none_or(|at| at > now) {
            return;
        }
        let mut freed = Vec::new();
        for fetch in self.webseeds.underway.values_mut().filter(|fetch| !fetch.stalled) {
            if fetch.is_silent(now) {
                fetch.stalled = true;
                freed.extend(fetch.give_up_behind(0));
            }
        }
        self.free_blocks(&freed);
        let idle = self.webseeds.underway.is_empty();
        self.webseeds.look_at = (!idle).then_some(now + limits::HOUSEKEEPING);
    }

    /// Where nothing is left to ask others for, requests of webseeds give up what they would take long to bring.
    pub(super) fn share_with_others(&mut self, now: Time) {
        if self.webseeds.underway.is_empty() || self.pieces.order().len() > 0 {
            return;
        }
        let version = self.pieces.order().version();
        let starved = |peer: &Connection| {
            peer.may_request() && peer.requests.free() > 0 && peer.starved_at == Some(version)
        };
        let peers = self.connections.values().any(starved);
        let idle = self.webseeds.iter().filter(|webseed| {
            webseed.starved_at == Some(version)
                && self.webseeds.may_ask(webseed, now)
                && self.webseeds.count_of(webseed.key) < webseed.requests_max
                && !self.waits_for_silence(webseed.key)
        });
        let idle: Vec<WebseedKey> = idle.map(|webseed| webseed.key).collect();
        if !peers && idle.is_empty() {
            return;
        }
        let mut freed = Vec::new();
        for fetch in self.webseeds.underway.values_mut().filter(|fetch| fetch.has_shown_its_rate(now)) {
            let kept = fetch.blocks_within(now, limits::FETCH_KEPT_SPAN);
            let others = peers || idle.iter().any(|key| *key != fetch.webseed);
            if others && fetch.held_blocks() > 2 * kept {
                freed.extend(fetch.give_up_behind(kept));
            }
        }
        self.free_blocks(&freed);
    }

    fn wake_webseeds(&mut self, now: Time) {
        self.webseeds.hosts.values_mut().for_each(|host| host.wake(now));
        for key in self.webseeds.keys() {
            if let Some(webseed) = self.webseeds.get_mut(key)
                && webseed.next_rest_ends_at().is_some_and(|at| at <= now)
            {
                webseed.wake(now, &self.info);
            }
        }
    }

    /// Places at hosts were granted.
    pub(super) fn places_granted(&mut self, host: &HostKey, count: u32) {
        let places = self.webseeds.host_mut(host);
        places.free += count;
        places.asked = places.asked.saturating_sub(count);
    }

    /// Gives places back that nothing is fetched with, and says how many are waited for where that changed.
    fn settle_places(&mut self) {
        let mut wanted: BTreeMap<HostKey, u32> = BTreeMap::new();
        for webseed in self.webseeds.iter().filter(|webseed| webseed.waits) {
            let room = webseed.requests_max.saturating_sub(self.webseeds.count_of(webseed.key));
            *wanted.entry(webseed.host.clone()).or_default() += room;
        }
        for (key, host) in &mut self.webseeds.hosts {
            let count = std::mem::take(&mut host.free) + std::mem::take(&mut host.over);
            if count > 0 {
                self.effects.push_back(Effect::ReturnPlaces { host: key.clone(), count });
            }
            let wanted = wanted.get(key).copied().unwrap_or(0);
            if wanted != host.asked {
                host.asked = wanted;
                self.effects.push_back(Effect::WantPlaces { host: key.clone(), count: wanted });
            }
        }
    }

    /// Under a rate limit requests bring what they are allowed to, a little at a time.
    fn credit_fetches(&mut self) {
        if self.allowance.down_bytes.is_none() {
            for fetch in self.webseeds.underway.values_mut() {
                if fetch.credit.take().is_some() {
                    self.effects.push_back(Effect::FetchCredit { fetch: fetch.id, bytes: u64::MAX });
                }
            }
            return;
        }
        for fetch in self.webseeds.underway.values_mut() {
            let left = fetch.bytes - fetch.received_bytes;
            let due = limits::FETCH_CREDIT_BYTES.min(left);
            let credit = fetch.credit.get_or_insert(0);
            if *credit * 2 >= due {
                continue;
            }
            let more = self.allowance.take_down(due - *credit);
            if more > 0 {
                *credit += more;
                self.effects.push_back(Effect::FetchCredit { fetch: fetch.id, bytes: more });
            }
        }
    }

    fn refund_credit(&mut self, fetch: &Underway) {
        self.allowance.refund_down(fetch.credit.unwrap_or(0));
    }
}
