//! What is derived, compared with what follows from scratch: the same three comparisons whole in tests, and a range at a
//! time in a running program (`torrent::auditing` says which and when).

use std::ops::Range;

use super::tally::Tally;
use super::{PieceIndex, PieceState, Pieces};
use crate::contract::{PieceLevel, Priority};
use crate::engine::picker::{Ordering, PieceOrder};
use crate::units::FileIndex;

impl Pieces {
    /// Compares everything derived with what follows from the states; names the first difference.
    pub(in crate::engine) fn inconsistency(&self) -> Option<String> {
        let of_pieces = self.difference_in(0..self.info.piece_count()).map(|(_, difference)| difference);
        let of_files = || self.info.file_indices().find_map(|file| self.difference_of_file(file));
        of_pieces.or_else(of_files).or_else(|| self.totals_difference())
    }

    /// The first piece of a range of which something derived is not what follows from its state.
    pub(in crate::engine) fn difference_in(&self, pieces: Range<u32>) -> Option<(PieceIndex, String)> {
        pieces.map(PieceIndex).find_map(|piece| Some((piece, self.difference_at(piece)?)))
    }

    /// What is counted as done of a file, where it is not what its pieces say. Costs little even of a large file: its
    /// inner pieces are counted as bits.
    pub(in crate::engine) fn difference_of_file(&self, file: FileIndex) -> Option<String> {
        let counted = self.file_done_bytes[file.at()];
        let due = self.info.pieces_of(file).map_or(0, |pieces| {
            let (first, last) = (pieces.start().0, pieces.end().0);
            let inside = u64::from(self.have.count_in(first + 1..last.max(first + 1)));
            let ends = [first, last].into_iter().take(if first == last { 1 } else { 2 }).map(PieceIndex);
            let here = ends.filter(|piece| self.have.has(*piece));
            let spans = here.flat_map(|piece| self.info.spans(piece, 0, self.info.piece_bytes(piece)));
            let at_the_ends = spans.filter(|span| span.file == file).map(|span| u64::from(span.bytes));
            inside * u64::from(self.info.piece_length) + at_the_ends.sum::<u64>()
        });
        (counted != due).then(|| format!("{counted} bytes of file {} count as done where {due} are", file.0))
    }

    /// Compares the totals over all pieces and files with what they are made from. All at once, so that a torrent that is
    /// busy can be judged: about a nanosecond a piece.
    pub(in crate::engine) fn totals_difference(&self) -> Option<String> {
        let mut due = Tally::default();
        for (state, level) in self.state.iter().zip(self.levels.of_pieces()) {
            due.count_level(PieceLevel::Off, *level, state.is_here());
            due.count_state(*state, 1);
        }
        let files = self.info.files.iter().zip(self.levels.of_files()).zip(&self.file_done_bytes);
        for ((file, priority), done_bytes) in files.filter(|((file, _), _)| !file.pad) {
            due.missing_bytes += file.bytes.saturating_sub(*done_bytes);
            if *priority != Priority::Off {
                due.wanted_bytes += file.bytes;
                due.wanted_done_bytes += done_bytes;
            }
        }
        let partials = self.partial.values();
        let on_the_wire = partials.clone().filter(|partial| partial.requested() > 0).count();
        due.requested = u32::try_from(on_the_wire).unwrap_or(u32::MAX);
        due.memory_bytes = partials.map(super::Partial::memory_bytes).sum();
        if due != self.tally {
            return Some(format!("counted {:?} where {due:?} is due", self.tally));
        }
        let orders = [Some(&self.order), self.unknown.as_deref()].into_iter().flatten();
        let mut lengths = orders.map(|order| (order.len(), order.count_placed()));
        let (listed, placed) = lengths.find(|(listed, placed)| listed != placed)?;
        Some(format!("{listed} pieces in an order in which {placed} have a place"))
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
            ("entry in the order", self.order.is_consistent_at(piece)),
            ("entry on demand", self.unknown().is_none_or(|order| order.is_consistent_at(piece))),
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

    /// Makes what is derived of a piece wrong, for tests of who finds it: it counts as had by one peer more.
    #[cfg(test)]
    pub(in crate::engine) fn spoil(&mut self, piece: PieceIndex) {
        self.availability[piece.at()] += 1;
    }
}
