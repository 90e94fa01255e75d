//! What must hold after each step, looked at from outside.

use std::fmt;
use std::time::Duration;

use super::disk::is_same;
use super::engine_node::EngineNode;
use super::world::{NodeId, Participant, World};
use crate::codec::peer::Message;
use crate::engine::io::{BlockReader, Effect, Fetch, FetchPart, Input};
use crate::limits;
use crate::units::{PieceIndex, Time};

/// How long a request may be missing that could be on the wire, while nothing goes wrong.
const MISSED_IN_CALM: Duration = Duration::from_millis(100);
/// The same while anything may go wrong.
const MISSED_IN_TROUBLE: Duration = Duration::from_secs(2);

/// Where a comparison from scratch is made more rarely than once in so many turns, looks make fewer too.
const TURNS_PER_LOOK: u64 = 8;

/// A rule that was broken, and what led there.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed that replays it.
    pub seed: u64,
    /// When.
    pub at: Time,
    /// Which participant.
    pub node: NodeId,
    /// Which rule.
    pub what: String,
    /// The last steps before it.
    pub trail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, at, node, what, trail } = self;
        let seconds = at.as_micros() as f64 / 1e6;
        write!(f, "seed={seed} at {seconds:.6} s, node {}: {what}\nlast steps:\n{trail}", node.0)
    }
}

impl std::error::Error for Failure {}

impl World {
    /// What an engine is told, before it is: a piece that it stored is right and was not stored before, nor any block of
    /// an unfinished one.
    pub(super) fn check_input(&mut self, id: NodeId, input: &Input) {
        let Some(node) = self.engine_mut(id) else { return };
        if let Some((piece, begin)) = node.disk.take_written_twice() {
            self.fail(id, format!("the block at {begin} of piece {} is written a second time", piece.0));
            return;
        }
        let Input::PieceStored { piece } = input else { return };
        if !node.disk.is_right(*piece) {
            self.fail(id, format!("piece {} is said to be stored and is not right", piece.0));
        } else if !node.disk.stored.insert(*piece) {
            self.fail(id, format!("piece {} is stored a second time", piece.0));
        }
    }

    /// What an engine wants done, before it is: it offers and serves only what is here and right.
    pub(super) fn check_effect(&mut self, id: NodeId, effect: &Effect) {
        let now = self.now;
        if let Effect::ReadBlocks { reader: BlockReader::Peer(_), range } = effect
            && let Some(node) = self.engine_mut(id)
            && !node.up_pace.spend(now, u64::from(range.length))
        {
            let (_, limit) = node.budget.limits();
            self.fail(id, format!("reads more for peers than {limit:?} allows"));
        }
        let Some(node) = self.engine(id) else { return };
        let believed = |piece: &PieceIndex| node.disk.is_right(*piece) || node.is_deceived(*piece);
        let complaint = match effect {
            Effect::Send { message: Message::Have(piece), .. } => {
                (!believed(piece)).then(|| format!("offers piece {}, which is not on its disk", piece.0))
            }
            Effect::Send { message: Message::HaveAll, .. } => {
                let lacking =
                    (0..self.payload.info.piece_count()).map(PieceIndex).find(|piece| !believed(piece));
                lacking.map(|piece| format!("offers everything without piece {}", piece.0))
            }
            Effect::SendBlock { piece, begin, data, .. } => {
                let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
                let due = self.payload.range(*piece, *begin, length);
                // A disk that lies about a piece that was right when it was hashed is beyond us.
                let deceived = node.is_deceived(*piece);
                (!is_same(&due, data) && !deceived)
                    .then(|| format!("serves wrong bytes of piece {}", piece.0))
            }
            Effect::Fetch(fetch) => self.complaint_of(fetch),
            _ => None,
        };
        if let Some(complaint) = complaint {
            self.fail(id, complaint);
        }
    }

    /// What is wrong with a request of a webseed.
    fn complaint_of(&self, fetch: &Fetch) -> Option<String> {
        let asked: u64 = fetch.parts.iter().map(FetchPart::bytes).sum();
        let blocks: u64 = fetch.blocks.iter().map(|length| u64::from(*length)).sum();
        // One of a piece that failed before is for all of it.
        let most = limits::FETCH_BYTES_MAX.max(u64::from(self.payload.info.piece_length));
        let files = fetch.parts.iter().filter(|part| part.file().is_some()).count();
        if asked != blocks || asked == 0 || asked > most {
            Some(format!("a request of {asked} bytes for {blocks} bytes of blocks, at most {most} are due"))
        } else if files > limits::FETCH_PARTS_MAX.max(limits::FETCH_BLOCK_PARTS_MAX) {
            Some(format!("a request that names {files} files"))
        } else {
            None
        }
    }

    /// After a turn: everything derived is what follows from scratch. Costs a walk over all pieces, so not each time.
    pub(super) fn check_turn(&mut self, id: NodeId) {
        self.turns += 1;
        if !self.turns.is_multiple_of(self.audit_every) {
            return;
        }
        if let Some(difference) = self.engine(id).and_then(|node| node.torrent.inconsistency()) {
            self.fail(id, difference);
        }
    }

    /// From time to time: no request is missing that could be on the wire, bounds hold, the run map is what it would be
    /// if it were made anew.
    pub(super) fn look(&mut self) {
        self.looks += 1;
        let thorough = self.looks.is_multiple_of((self.audit_every / TURNS_PER_LOOK).max(1));
        for id in self.node_ids() {
            let (now, bound) = (self.now, if self.calm { MISSED_IN_CALM } else { MISSED_IN_TROUBLE });
            let Some(node) = self.engine_mut(id) else { continue };
            let difference = if thorough && std::mem::take(&mut node.unlooked) {
                let derived = node.torrent.inconsistency().or_else(|| node.torrent.runs_difference(now));
                derived.or_else(|| over_bounds(node))
            } else {
                None
            };
            let complaint = difference.or_else(|| node.missed_for(now, bound));
            if let Some(complaint) = complaint {
                self.fail(id, complaint);
            }
        }
    }
}

impl EngineNode {
    /// Whether the engine cannot know that a piece is not right: it was damaged behind its back, or assumed.
    fn is_deceived(&self, piece: PieceIndex) -> bool {
        self.disk.damaged.contains(&piece) || self.options.policy.assume == crate::contract::Assume::Complete
    }

    /// A request that has been missing for longer than `bound`.
    fn missed_for(&mut self, now: Time, bound: Duration) -> Option<String> {
        let Some(missed) = self.torrent.missed_request(now) else {
            self.missed_since = None;
            return None;
        };
        let since = *self.missed_since.get_or_insert(now);
        (now.since(since) >= bound).then(|| format!("no request for {:?}: {missed}", now.since(since)))
    }
}

fn over_bounds(node: &EngineNode) -> Option<String> {
    let row = node.torrent.row(Time::ZERO, 0);
    let connections = row.peers.connected as usize;
    let most_requests = row.peers.connected * limits::PIPELINE_MAX;
    if connections > limits::CONNECTIONS_PER_TORRENT_MAX {
        Some(format!("{connections} connections"))
    } else if row.peers.half_open > limits::HALF_OPEN_MAX {
        Some(format!("{} calls at a time", row.peers.half_open))
    } else if row.requests_in_flight > most_requests {
        Some(format!("{} requests in flight", row.requests_in_flight))
    } else {
        None
    }
}

impl Participant {
    pub(super) fn as_engine(&self) -> Option<&EngineNode> {
        match self {
            Self::Engine(node) => Some(node),
            Self::Puppet(_) => None,
        }
    }
}
