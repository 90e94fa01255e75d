//! A torrent's share of the connections that all torrents may have together.

use super::Torrent;
use crate::engine::io::{Effect, SlotAsk};
use crate::limits;
use crate::units::{ConnectionId, Time};

/// What is granted, and what was asked for last.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Slots {
    /// Connections it may have; as many as one torrent may until the budget says otherwise.
    share: usize,
    asked: SlotAsk,
}

impl Slots {
    /// Nothing was said yet.
    pub(super) fn new() -> Self {
        Self { share: limits::CONNECTIONS_PER_TORRENT_MAX, asked: SlotAsk::default() }
    }

    /// Connections it may have.
    pub(super) fn most(&self) -> usize {
        self.share
    }

    /// Takes a share; what is over it goes at the end of the turn.
    pub(super) fn granted(&mut self, most: u32) {
        self.share = (most as usize).min(limits::CONNECTIONS_PER_TORRENT_MAX);
    }
}

impl Torrent {
    /// How many addresses may be called now: those that are being called may all answer.
    pub(super) fn room_for_calls(&self) -> usize {
        let taken = self.connections.len() + self.known.calling() as usize;
        self.slots.most().saturating_sub(taken)
    }

    /// Parts with the connections that are over the share, those of least use first.
    pub(super) fn keep_to_share(&mut self, now: Time) {
        let surplus = self.connections.len().saturating_sub(self.slots.most());
        if surplus == 0 {
            return;
        }
        let mut rising: Vec<((bool, u64, u64), ConnectionId)> = self
            .connections
            .values()
            .map(|peer| {
                let concerns_us = peer.am_interested || peer.peer_interested;
                let bytes_per_s = peer.down.rate(now).0 + peer.up.rate(now).0;
                let bytes = peer.downloaded_bytes + peer.uploaded_bytes;
                ((concerns_us, bytes_per_s, bytes), peer.id)
            })
            .collect();
        rising.sort_unstable();
        for (_, id) in rising.into_iter().take(surplus) {
            self.disconnect(now, id, "another torrent has a better use for its connection slot");
        }
    }

    /// Tells the shared budget what it has and what it could have, where that has changed.
    pub(super) fn ask_for_slots(&mut self) {
        let ask = self.slot_ask();
        if self.slots.asked != ask {
            self.slots.asked = ask;
            self.effects.push_back(Effect::AskSlots(ask));
        }
    }

    fn slot_ask(&self) -> SlotAsk {
        if !self.phase.transfers() {
            return SlotAsk::default();
        }
        let most = u32::try_from(limits::CONNECTIONS_PER_TORRENT_MAX).unwrap_or(u32::MAX);
        let connections = u32::try_from(self.connections.len()).unwrap_or(u32::MAX);
        let has = connections.saturating_add(self.known.calling()).min(most);
        // One that is complete calls nobody who is; and each has a place for one more who calls it.
        let callable = if self.pieces.is_complete() { 0 } else { self.known.count() };
        SlotAsk { has, wishes: has.max(callable).saturating_add(1).min(most) }
    }
}
