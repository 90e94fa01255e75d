//! What requests of webseeds bring, and how they end.

use bytes::Bytes;

use super::super::Torrent;
use super::super::messages::Use;
use super::super::partial::{Holder, Partial};
use super::super::pieces::PieceState;
use crate::engine::io::{Effect, FetchHead};
use crate::engine::peers::ban::Sender;
use crate::engine::peers::connection::Connection;
use crate::engine::webseeds::underway::Underway;
use crate::limits;
use crate::units::{BlockIndex, FetchId, PieceIndex, Time, WebseedKey};

impl Torrent {
    /// Blocks came.
    pub(in crate::engine::torrent) fn fetched(&mut self, now: Time, id: FetchId, blocks: Vec<Bytes>) {
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
            let came = self.bytes_without_pads(next.piece, next.block, bytes);
            self.down.add(now, came);
            self.totals.downloaded_bytes += came;
            self.totals.session_downloaded_bytes += came;
            let holder = if next.held { Holder::Counted } else { Holder::NotCounted };
            let place = (next.piece, next.block);
            let used = self.take_block(now, place, data, Sender::Webseed(key), holder);
            if used == Use::Wasted {
                self.totals.wasted_bytes += came;
            }
            let Some(webseed) = self.webseeds.get_mut(key) else { continue };
            webseed.down.add(now, came);
            webseed.downloaded_bytes += came;
            webseed.wasted_bytes += if used == Use::Wasted { came } else { 0 };
            let host = webseed.host.clone();
            self.webseeds.host_mut(&host).worked();
        }
        self.hold_again(id);
    }

    /// Bytes of a block that come from a server: padding is made.
    fn bytes_without_pads(&self, piece: PieceIndex, block: BlockIndex, bytes: u64) -> u64 {
        let length = u32::try_from(bytes).unwrap_or(u32::MAX);
        let spans = self.info.spans(piece, block.0 * limits::BLOCK_BYTES, length);
        spans.filter(|span| !span.pad).map(|span| u64::from(span.bytes)).sum()
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
    pub(super) fn end_pointless_fetches(&mut self, now: Time) {
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
    pub(in crate::engine::torrent) fn end_fetch(&mut self, now: Time, id: FetchId) {
        if self.forget_fetch(now, id).is_some() {
            self.effects.push_back(Effect::EndFetch { fetch: id });
        }
    }

    /// Takes a request out: its blocks and its place are free again.
    pub(in crate::engine::torrent) fn forget_fetch(&mut self, now: Time, id: FetchId) -> Option<Underway> {
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

    pub(in crate::engine::torrent) fn end_fetches_of(&mut self, now: Time, key: WebseedKey) {
        let ids: Vec<FetchId> = self.webseeds.of(key).map(|fetch| fetch.id).collect();
        ids.into_iter().for_each(|id| self.end_fetch(now, id));
    }

    pub(in crate::engine::torrent) fn end_all_fetches(&mut self, now: Time) {
        let ids: Vec<FetchId> = self.webseeds.underway.keys().copied().collect();
        ids.into_iter().for_each(|id| self.end_fetch(now, id));
    }

    /// Blocks are no longer asked of a webseed.
    pub(super) fn free_blocks(&mut self, blocks: &[(PieceIndex, BlockIndex)]) {
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
    pub(in crate::engine::torrent) fn take_back_from_webseeds(&mut self, piece: PieceIndex) {
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
    pub(in crate::engine::torrent) fn fetch_answered(&mut self, now: Time, id: FetchId, head: FetchHead) {
        let Some(fetch) = self.webseeds.underway.get_mut(&id) else { return };
        fetch.answered(now, head);
        let key = fetch.webseed;
        if let Some(webseed) = self.webseeds.get_mut(key) {
            webseed.last_head = Some(head);
        }
    }

    /// Requests that bring nothing give their blocks to others.
    pub(super) fn look_at_webseeds(&mut self, now: Time) {
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
    pub(in crate::engine::torrent) fn share_with_others(&mut self, now: Time) {
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
}
