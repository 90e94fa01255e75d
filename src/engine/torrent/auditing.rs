//! A torrent looked at from scratch: what is derived, what is on the wire, and what should be and is not.
//!
//! Tests and the simulator ask after each step; a running program asks for some pieces at a time, where that was switched
//! on, under a time budget of whoever asks. Nothing here changes what the torrent does.

use std::collections::BTreeMap;

use super::Torrent;
use super::pieces::{Audit, PieceState};
use crate::engine::peers::connection::CountedAs;
use crate::engine::webseeds::underway::Underway;
use crate::limits::BLOCK_BYTES;
use crate::units::{BlockIndex, ConnectionId, PieceIndex, Time};

impl Torrent {
    /// Compares everything that is derived with what follows from scratch; names the first difference.
    pub fn inconsistency(&self) -> Option<String> {
        self.pieces.inconsistency().or_else(|| self.wire_difference()).or_else(|| self.source_difference())
    }

    /// Compares up to `pieces_max` pieces, going on where the last call ended; after all of them what is on the wire.
    pub fn audit_some(&mut self, pieces_max: u32) -> Option<String> {
        let mut audit = self.audit.take().unwrap_or_else(|| Audit::new(&self.pieces));
        let difference = audit.step(&self.pieces, pieces_max);
        let ended = audit.is_at_the_beginning();
        self.audit = Some(audit);
        difference.or_else(|| if ended { self.wire_difference() } else { None })
    }

    /// Compares the run map, made anew only where something changed, with one that is made from nothing.
    pub fn runs_difference(&mut self, now: Time) -> Option<String> {
        let kept = self.piece_runs(now);
        self.forget_runs();
        let anew = self.piece_runs(now);
        let differs = || kept.iter().zip(anew.iter()).find(|(kept, anew)| kept != anew);
        (kept != anew).then(|| format!("the run map differs from one made anew: {:?}", differs()))
    }

    /// The pieces that it says are here.
    pub fn pieces_here(&self) -> Vec<PieceIndex> {
        self.pieces.have().iter().collect()
    }

    /// Pieces looked at since the beginning: what changes cost.
    pub fn piece_visits(&self) -> u64 {
        self.pieces.visits()
    }

    /// Bytes on the heap for its pieces, what is in flight aside.
    pub fn pieces_heap_bytes(&self) -> usize {
        self.pieces.heap_bytes()
    }

    /// Bytes on the heap for what one peer has.
    pub fn peer_have_heap_bytes(&self, connection: ConnectionId) -> usize {
        self.connections.get(&connection).map_or(0, |peer| peer.have.heap_bytes())
    }

    /// A request that could be on the wire and is not: a peer with room in its pipeline that would answer, and a wanted
    /// block that it has and nobody is asked for. Looked for without anything derived. `None` also where the torrent may
    /// request nothing, or waits for its share of a rate limit.
    pub fn missed_request(&self) -> Option<String> {
        if !self.phase.requests() || self.allowance.down_bytes.is_some_and(|left| left < BLOCK_BYTES.into()) {
            return None;
        }
        let ready = self.connections.values().filter(|peer| !peer.peer_choking && peer.requests.free() > 0);
        for peer in ready {
            let lacking = |piece: &PieceIndex| {
                peer.have.has(*piece)
                    && self.pieces.state(*piece) == PieceState::Missing
                    && self.pieces.level(*piece).is_wanted()
            };
            let free = (0..self.info.piece_count()).map(PieceIndex).filter(lacking).find(|&piece| {
                let partial = self.pieces.partial(piece);
                let owner =
                    partial.and_then(|partial| partial.exclusive?.peer()).filter(|owner| *owner != peer.id);
                let owner = owner.and_then(|owner| self.connections.get(&owner));
                // It failed before and is fetched from one peer alone, so that it names who lied.
                let reserved = owner.is_some_and(|owner| owner.may_request() && !owner.requests.is_snubbed());
                partial.is_none_or(|partial| partial.free() > 0) && !reserved
            });
            if let Some(piece) = free {
                return Some(format!(
                    "{} unchokes us, has room for {} requests and has piece {} with blocks that nobody is asked for",
                    peer.address,
                    peer.requests.free(),
                    piece.0
                ));
            }
        }
        None
    }

    /// Each block on the wire is asked of as many peers as are counted for it.
    fn wire_difference(&self) -> Option<String> {
        let requests = self.connections.values().flat_map(|peer| peer.requests.iter());
        let of_webseeds = self.webseeds.underway.values().flat_map(Underway::held);
        let mut requests: Vec<(PieceIndex, BlockIndex)> =
            requests.map(|entry| (entry.piece, entry.block)).chain(of_webseeds).collect();
        requests.sort_unstable();
        let alike = requests.chunk_by(|one, other| one == other);
        let asked = alike.map(|alike| (alike[0], u8::try_from(alike.len()).unwrap_or(u8::MAX)));
        let counted = || {
            self.pieces.partials().flat_map(|(piece, partial)| {
                partial.on_the_wire().map(move |block| ((piece, block), partial.holders(block)))
            })
        };
        // Both ascend.
        if asked.clone().eq(counted()) {
            return None;
        }
        let (asked, counted): (BTreeMap<_, _>, BTreeMap<_, _>) = (asked.collect(), counted().collect());
        let differs = |key: &&(PieceIndex, BlockIndex)| asked.get(*key) != counted.get(*key);
        let (piece, block) = asked.keys().chain(counted.keys()).find(differs)?;
        let (peers, count) = (asked.get(&(*piece, *block)), counted.get(&(*piece, *block)));
        Some(format!(
            "block {} of piece {} is asked of {peers:?} peers where {count:?} are counted",
            block.0, piece.0
        ))
    }

    /// Availability is what the connections say.
    fn source_difference(&self) -> Option<String> {
        let counted = self.connections.values().filter(|peer| peer.counted_as != CountedAs::Nothing);
        let (full, partly): (Vec<_>, Vec<_>) = counted.partition(|peer| peer.have.is_full());
        let mut sources =
            vec![u32::try_from(full.len()).unwrap_or(u32::MAX); self.info.piece_count() as usize];
        for peer in partly {
            peer.have.iter().for_each(|piece| sources[piece.at()] += 1);
        }
        let mut all = (0u32..).map(PieceIndex).zip(sources);
        let (wrong, _) = all.find(|(piece, sources)| *sources != self.pieces.sources(*piece))?;
        Some(format!("piece {} is counted as had by {} peers", wrong.0, self.pieces.sources(wrong)))
    }
}
