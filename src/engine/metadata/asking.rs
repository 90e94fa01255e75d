//! Who is asked for which block, and what an answer is worth.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::MetadataFetch;
use super::assembly::{Assembly, Claim};
use super::peer::{DICTIONARY, MetadataPeer, Trust};
use super::phase::Phase;
use crate::codec::extension::{self, Extension, ExtensionHandshake, MetadataMessage};
use crate::codec::peer::Message;
use crate::limits;
use crate::units::{ConnectionId, Time};

/// What a peer must not do, for people.
type Kept = Result<(), String>;

impl MetadataFetch {
    pub(super) fn messages(&mut self, now: Time, id: ConnectionId, messages: Vec<Message>) {
        for message in messages {
            // Sent away by an earlier message of the batch.
            let Some(peer) = self.connections.get_mut(&id) else { return };
            peer.connection.last_received_at = now;
            // Pieces, chokes and interest say nothing about metadata; the torrent that takes over connects anew.
            let Message::Extended { id: number, payload } = message else { continue };
            if let Err(rule) = self.extended(now, id, number, &payload) {
                self.disconnect(now, id, &rule);
            }
        }
    }

    fn extended(&mut self, now: Time, id: ConnectionId, number: u8, payload: &Bytes) -> Kept {
        if number == extension::HANDSHAKE_ID {
            let said = ExtensionHandshake::decode(payload).map_err(|error| error.to_string())?;
            let Some(peer) = self.connections.get_mut(&id) else { return Ok(()) };
            peer.introduced = true;
            if said.metadata_bytes.is_some() && said.metadata_bytes != peer.claimed_bytes {
                peer.claimed_bytes = said.metadata_bytes;
                peer.requests.clear();
            }
            peer.connection.extension_handshake(said);
            return Ok(());
        }
        match Extension::from_our_id(number) {
            Some(Extension::UtMetadata) => self.metadata_message(now, id, payload),
            Some(Extension::UtPex | Extension::LtDonthave) | None => Ok(()),
        }
    }

    fn metadata_message(&mut self, now: Time, id: ConnectionId, payload: &Bytes) -> Kept {
        match MetadataMessage::decode(payload).map_err(|error| error.to_string())? {
            MetadataMessage::Request { piece } => {
                let number = self.connections.get(&id);
                let number = number.and_then(|peer| peer.connection.extension_id(Extension::UtMetadata));
                self.send_metadata(now, id, number, &MetadataMessage::Reject { piece });
                Ok(())
            }
            MetadataMessage::Data { piece, total_bytes, data } => {
                self.block(now, id, piece, total_bytes, &data)
            }
            MetadataMessage::Reject { piece } => {
                if let Some(peer) = self.connections.get_mut(&id)
                    && peer.requests.contains_key(&piece)
                {
                    peer.set_aside(now);
                }
                Ok(())
            }
            MetadataMessage::Unknown => Ok(()),
        }
    }

    fn block(&mut self, now: Time, id: ConnectionId, block: u32, total_bytes: u32, data: &Bytes) -> Kept {
        let trust = self.trust();
        let Some(peer) = self.connections.get_mut(&id) else { return Ok(()) };
        let (address, claim) = (peer.connection.address, peer.claim(trust));
        let asked = peer.requests.remove(&block).is_some();
        let Some(claim) = claim.filter(|_| asked) else {
            self.wasted_bytes += data.len() as u64;
            peer.connection.unasked_blocks += 1;
            let tolerated = peer.connection.unasked_blocks <= limits::UNASKED_BLOCKS_MAX;
            return if tolerated { Ok(()) } else { Err("sends metadata that nobody asked for".to_owned()) };
        };
        if total_bytes != claim.total_bytes || claim.block_bytes(block) != Some(data.len()) {
            return Err(format!(
                "its metadata contradicts itself: block {block} of {} bytes, of {total_bytes} in all",
                data.len()
            ));
        }
        peer.connection.downloaded_bytes += data.len() as u64;
        let assembly = self.assemblies.entry(claim).or_default();
        if assembly.has(block) {
            self.wasted_bytes += data.len() as u64;
            return Ok(());
        }
        assembly.put(block, address, data);
        if assembly.count() == claim.blocks() && self.phase == Phase::Running {
            self.judge(now, claim);
        }
        Ok(())
    }

    /// All blocks of a claim are here: it is what the magnet names, or somebody lied.
    fn judge(&mut self, now: Time, claim: Claim) {
        let Some(assembly) = self.assemblies.remove(&claim) else { return };
        let blocks = assembly.sent_blocks();
        if assembly.is_of(&self.magnet) {
            let liars = self.bans.piece_passed(DICTIONARY, &blocks);
            self.found = Some(assembly.joined());
            self.phase = Phase::Found;
            self.saving.dirty = true;
            self.assemblies.clear();
            self.connections.values_mut().for_each(|peer| peer.requests.clear());
            self.send_away_banned(now, &liars);
            return;
        }
        self.wasted_bytes += assembly.bytes() as u64;
        let liars = self.bans.piece_failed(DICTIONARY, &blocks, blocks.len());
        if liars.is_empty() && claim.alone.is_none() {
            // Who of them lied is not known: from now on each is asked alone, from the first block on.
            self.assemblies.clear();
            self.connections.values_mut().for_each(|peer| peer.requests.clear());
        }
        self.send_away_banned(now, &liars);
    }

    /// Asks every peer that has room for what is missing of its claim.
    pub(super) fn ask_peers(&mut self, now: Time) {
        let trust = self.trust();
        let mut asked = Asked::new();
        for peer in self.connections.values() {
            let claim = peer.claim(trust).into_iter();
            for (claim, block) in
                claim.flat_map(|claim| peer.requests.keys().map(move |block| (claim, *block)))
            {
                *asked.entry((claim, block)).or_default() += 1;
            }
        }
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in ids {
            let Some(peer) = self.connections.get_mut(&id) else { continue };
            let number = peer.connection.extension_id(Extension::UtMetadata);
            let room = peer.room(now);
            let Some(claim) = peer.claim(trust).filter(|_| room > 0) else { continue };
            let blocks = blocks_for(peer, claim, self.assemblies.get(&claim), &asked, room);
            for block in &blocks {
                peer.requests.insert(*block, now);
                *asked.entry((claim, *block)).or_default() += 1;
            }
            for piece in blocks {
                self.send_metadata(now, id, number, &MetadataMessage::Request { piece });
            }
        }
    }

    fn send_metadata(&mut self, now: Time, id: ConnectionId, number: Option<u8>, message: &MetadataMessage) {
        if let Some((number, payload)) = number.zip(message.encode()) {
            self.send(now, id, Message::Extended { id: number, payload });
        }
    }

    /// Whether peers may still be asked together.
    pub(super) fn trust(&self) -> Trust {
        if self.bans.is_suspect(DICTIONARY) { Trust::Alone } else { Trust::Together }
    }

    /// Gives up what is largest by claim and least complete when everything together takes too much memory: lies may be
    /// large, most dictionaries are small. Those who claim it are left alone for a while.
    pub(super) fn keep_within_memory(&mut self, now: Time) {
        let trust = self.trust();
        let connections = &self.connections;
        self.assemblies.retain(|claim, _| claim.alone.is_none_or(|id| connections.contains_key(&id)));
        while self.assemblies.values().map(Assembly::bytes).sum::<usize>() > limits::METADATA_HELD_BYTES_MAX {
            let order = |(claim, assembly): &(&Claim, &Assembly)| {
                (claim.total_bytes, std::cmp::Reverse(assembly.count()))
            };
            let Some(claim) = self.assemblies.iter().max_by_key(order).map(|(claim, _)| *claim) else {
                return;
            };
            self.assemblies.remove(&claim);
            let of_claim = self.connections.values_mut().filter(|peer| peer.claim(trust) == Some(claim));
            of_claim.for_each(|peer| peer.set_aside(now));
        }
    }
}

/// How many peers are asked for each block that is on the wire.
type Asked = BTreeMap<(Claim, u32), u32>;

/// Up to `room` blocks to ask a peer for: those that nobody is asked for, else those that one other is asked for.
fn blocks_for(
    peer: &MetadataPeer,
    claim: Claim,
    assembly: Option<&Assembly>,
    asked: &Asked,
    room: usize,
) -> Vec<u32> {
    let here = |block: u32| assembly.is_some_and(|assembly| assembly.has(block));
    let holders = |block: u32| asked.get(&(claim, block)).copied().unwrap_or(0);
    let missing = || (0..claim.blocks()).filter(|block| !here(*block));
    let free: Vec<u32> = missing().filter(|block| holders(*block) == 0).take(room).collect();
    if !free.is_empty() {
        return free;
    }
    let busy = missing().filter(|block| holders(*block) == 1 && !peer.requests.contains_key(block));
    busy.take(room).collect()
}
