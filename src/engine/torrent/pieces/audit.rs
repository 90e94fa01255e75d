//! What is derived, compared with what follows from scratch. Whole in tests; in a running program some pieces at a time.

use super::tally::Tally;
use super::{PieceIndex, PieceState, Pieces};
use crate::contract::Priority;
use crate::engine::picker::{Ordering, PieceOrder};

/// A walk over all pieces, some at a time. The totals are compared where no piece changed during the walk.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Audit {
    next: PieceIndex,
    /// `Pieces::visits` when the walk began.
    began_at: u64,
    totals: Tally,
    requestable: usize,
}

impl Audit {
    /// The beginning of a walk.
    pub(in crate::engine) fn new(pieces: &Pieces) -> Self {
        Self { next: PieceIndex(0), began_at: pieces.visits, totals: Tally::default(), requestable: 0 }
    }

    /// Whether the next step begins with the first piece.
    pub(in crate::engine) fn is_at_the_beginning(&self) -> bool {
        self.next == PieceIndex(0)
    }

    /// Looks at up to `pieces_max` pieces; names the first difference. At the end it begins again.
    pub(in crate::engine) fn step(&mut self, pieces: &Pieces, pieces_max: u32) -> Option<String> {
        let end = pieces.info.piece_count().min(self.next.0.saturating_add(pieces_max));
        for piece in (self.next.0..end).map(PieceIndex) {
            if let Some(difference) = pieces.difference_at(piece) {
                *self = Self::new(pieces);
                return Some(difference);
            }
            self.count(pieces, piece);
        }
        self.next = PieceIndex(end);
        if end < pieces.info.piece_count() {
            return None;
        }
        let difference = if self.began_at == pieces.visits { self.compare_totals(pieces) } else { None };
        *self = Self::new(pieces);
        difference
    }

    fn count(&mut self, pieces: &Pieces, piece: PieceIndex) {
        let (level, state) = (pieces.level(piece), pieces.state(piece));
        self.totals.count_level(crate::contract::PieceLevel::Off, level, state.is_here());
        self.totals.count_state(state, 1);
        self.requestable += usize::from(pieces.order.has(piece));
        for span in pieces.info.spans(piece, 0, pieces.info.piece_bytes(piece)).filter(|span| !span.pad) {
            let wanted = pieces.levels.of_files()[span.file.at()] != Priority::Off;
            let here = if state.is_here() { u64::from(span.bytes) } else { 0 };
            self.totals.missing_bytes += u64::from(span.bytes) - here;
            self.totals.wanted_bytes += if wanted { u64::from(span.bytes) } else { 0 };
            self.totals.wanted_done_bytes += if wanted { here } else { 0 };
        }
    }

    fn compare_totals(&mut self, pieces: &Pieces) -> Option<String> {
        let partials = pieces.partial.values();
        let on_the_wire = partials.clone().filter(|partial| partial.requested() > 0).count();
        self.totals.requested = u32::try_from(on_the_wire).unwrap_or(u32::MAX);
        self.totals.memory_bytes = partials.map(super::Partial::memory_bytes).sum();
        if self.totals != pieces.tally {
            return Some(format!("counted {:?} where {:?} is due", pieces.tally, self.totals));
        }
        let listed = pieces.order.len();
        (listed != self.requestable)
            .then(|| format!("{listed} pieces in the order where {} are due", self.requestable))
    }
}

impl Pieces {
    /// Compares everything derived with what follows from the states; names the first difference.
    pub(in crate::engine) fn inconsistency(&self) -> Option<String> {
        Audit::new(self).step(self, u32::MAX)
    }

    fn difference_at(&self, piece: PieceIndex) -> Option<String> {
        let state = self.state(piece);
        let partial = self.partial(piece);
        let level = self.levels.derive(&self.info, piece);
        let needed = level.is_wanted() && state.is_perhaps_missing();
        let requestable =
            needed && state == PieceState::Missing && partial.is_none_or(|partial| partial.free() > 0);
        let ordering =
            Ordering { level, partial: partial.is_some(), availability: self.availability[piece.at()] };
        let rank = requestable.then(|| PieceOrder::rank_of(ordering));
        let on_demand = needed && state == PieceState::OnDemand;
        let rank_on_demand = on_demand.then(|| PieceOrder::rank_of(ordering));
        let found_on_demand = self.unknown().filter(|order| order.has(piece)).map(|order| order.rank(piece));
        let on_the_wire = partial.is_some_and(|partial| partial.requested() > 0);
        let whole = partial.is_some_and(super::Partial::is_whole) && state == PieceState::Missing;
        let surplus = on_the_wire && !(level.is_wanted() && state == PieceState::Missing);
        let checks = [
            ("level", self.level(piece) == level),
            ("needed", self.needed.has(piece) == needed),
            ("place in the order", self.order.has(piece).then(|| self.order.rank(piece)) == rank),
            ("place among those hashed on demand", found_on_demand == rank_on_demand),
            ("have", self.have.has(piece) == state.is_here()),
            ("known", self.known.has(piece) == state.is_for_the_record()),
            ("whole", self.whole.contains(&piece) == whole),
            ("surplus", self.surplus.contains(&piece) == surplus),
            ("blocks kept", partial.is_none() || matches!(state, PieceState::Missing)),
            ("counts of blocks", partial.is_none_or(super::Partial::is_consistent)),
        ];
        let (wrong, _) = checks.into_iter().find(|(_, right)| !right)?;
        Some(format!("piece {} in state {state:?}: its {wrong} is not what follows from it", piece.0))
    }
}
