//! A torrent looked at from scratch: what is derived, what is on the wire, and what should be and is not.
//!
//! Tests and the simulator ask after each step for all of it at once ([`Torrent::inconsistency`], `runs_difference`,
//! `missed_request`). A running program asks, where that was switched on, for a part at a time ([`Torrent::audit_some`]),
//! under a time budget of whoever asks. Nothing here changes what the torrent does.
//!
//! Compared in a running program, each part at one instant between two turns, so that a busy torrent is judged too:
//! - of each piece what follows from its state, its level and its blocks, and its places in the orders;
//! - of each piece how many connected peers have it (with many peers fewer pieces at a time);
//! - of each piece whether somebody could be asked for it and nobody is: told where it lasts `limits::AUDIT_MISSED_MIN`;
//! - of each file the bytes that count as done;
//! - once a walk the totals over all of them (a pass over bytes, about a nanosecond a piece);
//! - what is on the wire, some unfinished pieces at a time (each step goes once over all requests).
//!
//! A difference ends the step and not the walk: a fault that lasts hides nothing behind it.
//!
//! Compared in tests alone: the run map, which is there only while somebody looks at it and which making anew would cost
//! the owner of a large torrent many times the budget; and that nothing is missed *at any time*, where a running program
//! sees what lasts until the walk comes by.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Torrent;
use super::partial::Owner;
use super::pieces::PieceState;
use crate::engine::peers::connection::{Connection, CountedAs};
use crate::engine::webseeds::source::Webseed;
use crate::engine::webseeds::underway::Underway;
use crate::limits::{self, BLOCK_BYTES};
use crate::units::{BlockIndex, ConnectionId, FileIndex, PieceIndex, Time};

/// Where the comparison of a running program stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Audit {
    next: Part,
    suspicion: Option<Suspicion>,
}

/// What is compared next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// What is derived of pieces, from this one on.
    Pieces(PieceIndex),
    /// What is counted of files, from this one on.
    Files(FileIndex),
    /// The totals.
    Totals,
    /// What is on the wire of pieces, from this one on.
    Wire(PieceIndex),
}

impl Default for Part {
    fn default() -> Self {
        Self::Pieces(PieceIndex(0))
    }
}

/// Something that somebody could be asked for, or that could be hashed, and that nothing is done about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Missed {
    of: Owner,
    piece: PieceIndex,
    what: Lack,
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lack {
    /// A request for free blocks.
    Request,
    /// The hash of what may be on disk.
    Check,
}

/// Something missed, and since when.
#[derive(Clone, Copy, Debug)]
struct Suspicion {
    missed: Missed,
    since: Time,
}

impl Torrent {
    /// Compares everything that is derived with what follows from scratch; names the first difference.
    pub fn inconsistency(&self) -> Option<String> {
        let all = PieceIndex(0)..PieceIndex(self.info.piece_count());
        let of_pieces = self.pieces.inconsistency();
        of_pieces.or_else(|| self.wire_difference(all.clone())).or_else(|| {
            let (_, difference) = self.source_difference(all)?;
            Some(difference)
        })
    }

    /// Compares a part, of up to `pieces_max` pieces, going on where the last call ended, and from the beginning again at
    /// the end. Names the first difference of the part; the next call goes on behind it.
    pub fn audit_some(&mut self, now: Time, pieces_max: u32) -> Option<String> {
        let count = self.info.piece_count();
        let (difference, next) = match self.audit.next {
            Part::Pieces(from) => self.audit_pieces(now, from, pieces_max),
            Part::Files(from) => self.audit_files(from, pieces_max),
            Part::Totals => (self.pieces.totals_difference(), Part::Wire(PieceIndex(0))),
            Part::Wire(from) => {
                // A piece has many blocks.
                let partials_max = (pieces_max as usize / 16).max(1);
                let mut begun = self.pieces.partials_in(from..PieceIndex(count));
                let to = begun.nth(partials_max).map_or(PieceIndex(count), |(piece, _)| piece);
                let next = if to.0 < count { Part::Wire(to) } else { Part::default() };
                (self.wire_difference(from..to), next)
            }
        };
        self.audit.next = next;
        difference.or_else(|| self.confirmed_suspicion(now))
    }

    fn audit_pieces(&mut self, now: Time, from: PieceIndex, pieces_max: u32) -> (Option<String>, Part) {
        let count = self.info.piece_count();
        let partly = self.counted_peers().filter(|peer| !peer.have.is_full()).count();
        let peers = u32::try_from(partly).unwrap_or(u32::MAX);
        let pieces_max = (pieces_max / (1 + peers / limits::AUDIT_PEERS_PER_STEP)).max(1);
        let to = count.min(from.0.saturating_add(pieces_max));
        let pieces = from..PieceIndex(to);
        let of_pieces = self.pieces.difference_in(from.0..to);
        let of_sources = self.source_difference(pieces.clone());
        // The next step goes on behind the one that is told: it must be the first.
        let difference = of_pieces.into_iter().chain(of_sources).min_by_key(|(piece, _)| *piece);
        if self.audit.suspicion.is_none() {
            let missed = self.missed_in(now, pieces);
            self.audit.suspicion = missed.map(|missed| Suspicion { missed, since: now });
        }
        let to = difference.as_ref().map_or(to, |(piece, _)| piece.0 + 1);
        let next = if to < count { Part::Pieces(PieceIndex(to)) } else { Part::Files(FileIndex(0)) };
        (difference.map(|(_, what)| what), next)
    }

    fn audit_files(&self, from: FileIndex, files_max: u32) -> (Option<String>, Part) {
        let files = self.info.file_indices().skip(from.at());
        for (looked_at, file) in (0..).zip(files) {
            if looked_at == files_max {
                return (None, Part::Files(file));
            }
            if let Some(difference) = self.pieces.difference_of_file(file) {
                return (Some(difference), Part::Files(FileIndex(file.0 + 1)));
            }
        }
        (None, Part::Totals)
    }

    /// What has been missing for so long that no deadline is about to bring it.
    fn confirmed_suspicion(&mut self, now: Time) -> Option<String> {
        let Suspicion { missed, since } = self.audit.suspicion?;
        if !self.is_missed(now, missed) {
            self.audit.suspicion = None;
            return None;
        }
        if now.since(since) < limits::AUDIT_MISSED_MIN {
            return None;
        }
        self.audit.suspicion = None;
        Some(self.told(missed))
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

    /// A request that could be on the wire and is not, or a piece that could be hashed and is not: a peer with room in its
    /// pipeline that would answer, or a webseed that may be asked more, and a wanted block that it has and nobody is asked
    /// for; or a wanted piece that it has, that may be on disk and that there is room to hash. Looked for without anything
    /// derived. `None` also where the torrent may request nothing, or waits for its share of a rate limit.
    pub fn missed_request(&self, now: Time) -> Option<String> {
        self.missed_in(now, PieceIndex(0)..PieceIndex(self.info.piece_count()))
            .map(|missed| self.told(missed))
    }

    fn missed_in(&self, now: Time, pieces: Range<PieceIndex>) -> Option<Missed> {
        if !self.phase.requests() {
            return None;
        }
        let peers = self.connections.values();
        let of_peers = peers.filter(|peer| self.may_lack(peer)).map(|peer| Owner::Peer(peer.id));
        let webseeds = self.webseeds.iter().filter(|webseed| self.webseeds.may_ask(webseed, now));
        let of_webseeds = webseeds.map(|webseed| Owner::Webseed(webseed.key));
        of_peers.chain(of_webseeds).find_map(|of| {
            let mut pieces = (pieces.start.0..pieces.end.0).map(PieceIndex);
            pieces.find_map(|piece| Some(Missed { of, piece, what: self.lack(now, of, piece)? }))
        })
    }

    fn is_missed(&self, now: Time, missed: Missed) -> bool {
        self.phase.requests() && self.lack(now, missed.of, missed.piece) == Some(missed.what)
    }

    /// Whether a peer may be asked for anything at all, or may bring anything to be hashed.
    fn may_lack(&self, peer: &Connection) -> bool {
        let may_be_asked = !self.is_out_of_allowance() && peer.requests.free() > 0;
        if peer.peer_choking {
            may_be_asked && !peer.allowed_fast.is_empty()
        } else {
            may_be_asked || self.checks.room() > 0
        }
    }

    fn is_out_of_allowance(&self) -> bool {
        self.allowance.down_bytes.is_some_and(|left| left < BLOCK_BYTES.into())
    }

    /// What is missing of one piece, of one who has it.
    fn lack(&self, now: Time, of: Owner, piece: PieceIndex) -> Option<Lack> {
        let state = self.pieces.state(piece);
        if !state.is_perhaps_missing() || !self.pieces.level(piece).is_wanted() {
            return None;
        }
        let (has, may_request, may_check) = match of {
            Owner::Peer(peer) => {
                let peer = self.connections.get(&peer)?;
                let room = !self.is_out_of_allowance() && peer.requests.free() > 0;
                let allowed = !peer.peer_choking || peer.allowed_fast.contains(&piece);
                (peer.have.has(piece), room && allowed, !peer.peer_choking)
            }
            Owner::Webseed(key) => {
                let webseed = self.webseeds.get(key)?;
                let usable = self.webseeds.may_ask(webseed, now);
                (webseed.have().has(piece), usable && self.has_room_unused(webseed), usable)
            }
        };
        if state == PieceState::Missing {
            (has && may_request && self.has_block_for(of, piece)).then_some(Lack::Request)
        } else {
            (has && may_check && self.checks.room() > 0).then_some(Lack::Check)
        }
    }

    /// Whether a webseed may be asked for more, and does not wait for a place at its host.
    fn has_room_unused(&self, webseed: &Webseed) -> bool {
        !self.is_out_of_allowance()
            && self.webseeds.underway.len() < limits::FETCHES_MAX
            && self.webseeds.count_of(webseed.key) < webseed.requests_max
            && !self.waits_for_silence(webseed.key)
            && !webseed.waits
    }

    /// Whether a missing piece has blocks that nobody is asked for, and this one may be.
    fn has_block_for(&self, of: Owner, piece: PieceIndex) -> bool {
        let Some(partial) = self.pieces.partial(piece) else { return true };
        let mine = match of {
            // It failed before and is fetched from one peer alone, so that it names who lied.
            Owner::Peer(peer) => {
                let owner = partial.exclusive.and_then(Owner::peer).filter(|owner| *owner != peer);
                let owner = owner.and_then(|owner| self.connections.get(&owner));
                !owner.is_some_and(|owner| owner.may_request() && !owner.requests.is_snubbed())
            }
            Owner::Webseed(_) => self.may_fetch(piece),
        };
        partial.free() > 0 && mine
    }

    fn told(&self, missed: Missed) -> String {
        let piece = missed.piece.0;
        let what = match missed.what {
            Lack::Request => format!("has piece {piece} with blocks that nobody is asked for"),
            Lack::Check => format!("has piece {piece}, which may be on disk and is not looked at"),
        };
        let peer = |peer: &Connection| {
            let how = if peer.peer_choking { "allows us pieces" } else { "unchokes us" };
            format!("{} {how}, has room for {} requests and {what}", peer.address, peer.requests.free())
        };
        match missed.of {
            Owner::Peer(id) => self.connections.get(&id).map_or_else(|| what.clone(), peer),
            Owner::Webseed(key) => format!("webseed {} may be asked and {what}", key.0),
        }
    }

    /// Each block on the wire is asked of as many peers as are counted for it.
    fn wire_difference(&self, pieces: Range<PieceIndex>) -> Option<String> {
        let requests = self.connections.values().flat_map(|peer| peer.requests.iter());
        let of_webseeds = self.webseeds.underway.values().flat_map(Underway::held);
        let all = requests.map(|entry| (entry.piece, entry.block)).chain(of_webseeds);
        let mut requests: Vec<(PieceIndex, BlockIndex)> =
            all.filter(|(piece, _)| pieces.contains(piece)).collect();
        requests.sort_unstable();
        let alike = requests.chunk_by(|one, other| one == other);
        let asked = alike.map(|alike| (alike[0], u8::try_from(alike.len()).unwrap_or(u8::MAX)));
        let counted = || {
            self.pieces.partials_in(pieces.clone()).flat_map(|(piece, partial)| {
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

    /// The peers that count for the availability of pieces.
    fn counted_peers(&self) -> impl Iterator<Item = &Connection> {
        self.connections.values().filter(|peer| peer.counted_as != CountedAs::Nothing)
    }

    /// The first piece of a range whose availability is not what the connections say.
    fn source_difference(&self, pieces: Range<PieceIndex>) -> Option<(PieceIndex, String)> {
        let (full, partly): (Vec<_>, Vec<_>) = self.counted_peers().partition(|peer| peer.have.is_full());
        let full = u32::try_from(full.len()).unwrap_or(u32::MAX);
        let mut sources = vec![full; pieces.end.at() - pieces.start.at()];
        for peer in partly {
            let has = (pieces.start.0..pieces.end.0).map(|piece| peer.have.has(PieceIndex(piece)));
            sources.iter_mut().zip(has).for_each(|(count, has)| *count += u32::from(has));
        }
        let mut all = (pieces.start.0..).map(PieceIndex).zip(sources);
        let (wrong, _) = all.find(|(piece, sources)| *sources != self.pieces.sources(*piece))?;
        let counted = self.pieces.sources(wrong);
        Some((wrong, format!("piece {} is counted as had by {counted} peers", wrong.0)))
    }

    /// Makes what is derived of a piece wrong, for tests of who finds it.
    #[cfg(test)]
    pub(crate) fn spoil(&mut self, piece: PieceIndex) {
        self.pieces.spoil(piece);
    }
}
