//! What is derived from the states of pieces, each case by itself.

use bytes::Bytes;

use super::*;
use crate::contract::{Blocked, PieceRun, PieceRuns};
use crate::engine::bits::Bits;
use crate::engine::peers::ban::Sender;
use crate::engine::torrent::partial::Holder;
use crate::limits::{BLOCK_BYTES, RUN_PART_PIECES};
use crate::metainfo;
use crate::units::BlockIndex;

const TWO_BLOCKS: u32 = 2 * BLOCK_BYTES;

/// Pieces of two blocks each, of two files: the first has `first` pieces, the second one.
fn pieces(first: u32, initial: impl Fn(PieceIndex) -> PieceState) -> Pieces {
    let length = |pieces: u32| u64::from(pieces) * u64::from(TWO_BLOCKS);
    let mut torrent = format!(
        "d4:infod5:filesld6:lengthi{}e4:pathl1:aeed6:lengthi{}e4:pathl1:beee4:name1:t12:piece lengthi{TWO_BLOCKS}e6:pieces{}:",
        length(first),
        length(1),
        20 * (first + 1)
    )
    .into_bytes();
    torrent.extend(vec![0; 20 * (first as usize + 1)]);
    torrent.extend(b"ee");
    let info = metainfo::parse(Bytes::from(torrent)).unwrap().info;
    Pieces::new(info, vec![Priority::Normal; 2], initial, fastrand::Rng::with_seed(1))
}

fn request(pieces: &mut Pieces, piece: u32, blocks: u32) {
    pieces.with_partial(PieceIndex(piece), |partial| partial.request(blocks));
}

fn arrive(pieces: &mut Pieces, piece: u32, block: u32) {
    let from = Sender::Peer(std::net::SocketAddr::from(([10, 0, 0, 1], 1)));
    let data = Bytes::from(vec![0; BLOCK_BYTES as usize]);
    pieces.with_partial(PieceIndex(piece), |partial| {
        partial.arrived(BlockIndex(block), data, from, Holder::Counted)
    });
}

#[test]
fn each_state_has_its_run_and_its_one_reason() {
    let mut pieces = pieces(8, |piece| match piece.0 {
        0 => PieceState::Verified,
        1 => PieceState::Trusted,
        2 => PieceState::Checking,
        3 => PieceState::OnDemand,
        _ => PieceState::Missing,
    });
    pieces.set_priorities(&[(FileIndex(1), Priority::Off)]);
    request(&mut pieces, 4, 1);
    request(&mut pieces, 5, 2);
    request(&mut pieces, 6, 1);
    arrive(&mut pieces, 6, 0);
    pieces.set_state(PieceIndex(7), PieceState::Storing);
    let mut askable = Bits::empty(9);
    [3, 4, 5].into_iter().for_each(|piece| {
        askable.set(PieceIndex(piece), true);
    });
    let reach = Reach { held: Bits::full(9), askable };
    let runs = pieces.runs(&mut RunCache::default(), reach, None);
    let each: Vec<PieceRun> = runs.iter().flat_map(|run| (0..run.length).map(move |_| run)).collect();
    let seen = |run: &PieceRun| {
        let flags = [run.have, run.partial, run.checking, run.unknown, run.unverified, run.requested];
        let letters = flags.iter().zip("hpcuvr".chars()).filter(|(set, _)| **set).map(|(_, letter)| letter);
        (letters.collect::<String>(), run.blocked)
    };
    let due = [
        ("h", None),
        ("hv", None),
        ("c", Some(Blocked::Checking)),
        ("u", None),
        ("r", None),
        ("r", Some(Blocked::AllRequested)),
        ("p", Some(Blocked::Choked)),
        ("p", Some(Blocked::Storing)),
        // Not wanted: there is nothing to ask why.
        ("", None),
    ];
    let got: Vec<_> = each.iter().map(seen).collect();
    assert_eq!(got, due.map(|(letters, blocked)| (letters.to_owned(), blocked)));
}

#[test]
fn pieces_of_nothing_but_padding_are_not_wanted_whatever_level_their_file_has() {
    let hashes = "x".repeat(20 * 6);
    let torrent = format!(
        "d4:infod5:filesld6:lengthi{TWO_BLOCKS}e4:pathl1:aeed4:attr1:p6:lengthi{}e4:pathl1:peed6:lengthi9e4:pathl1:beee\
         4:name1:t12:piece lengthi{TWO_BLOCKS}e6:pieces120:{hashes}ee",
        4 * TWO_BLOCKS
    );
    let info = metainfo::parse(Bytes::from(torrent)).unwrap().info;
    let levels = vec![Priority::High; 3];
    let pieces = Pieces::new(info, levels, |_| PieceState::Missing, fastrand::Rng::with_seed(1));
    let wanted: Vec<bool> = (0..6).map(|piece| pieces.level(PieceIndex(piece)).is_wanted()).collect();
    assert_eq!(wanted, [true, false, false, false, false, true]);
    assert_eq!((pieces.order().len(), pieces.inconsistency()), (2, None));
}

#[test]
fn counts_of_begun_pieces_are_those_of_their_blocks() {
    let mut pieces = pieces(3, |_| PieceState::Missing);
    request(&mut pieces, 0, 2);
    request(&mut pieces, 1, 1);
    arrive(&mut pieces, 0, 1);
    let counts = |pieces: &Pieces| (pieces.counts(&Bits::full(4)).requested, pieces.memory_bytes());
    assert_eq!(counts(&pieces), (2, u64::from(BLOCK_BYTES)));
    arrive(&mut pieces, 1, 0);
    assert_eq!(counts(&pieces), (1, 2 * u64::from(BLOCK_BYTES)));
    pieces.forget_blocks(PieceIndex(0));
    assert_eq!(counts(&pieces), (0, u64::from(BLOCK_BYTES)));
    pieces.with_partial(PieceIndex(2), |partial| {
        let block = partial.request(1)[0];
        partial.release(block);
    });
    assert!(pieces.partial(PieceIndex(2)).is_none(), "an untouched piece takes no room");
    assert_eq!(pieces.inconsistency(), None);
}

#[test]
fn a_piece_that_is_looked_at_again_forgets_its_blocks() {
    let mut pieces = pieces(3, |_| PieceState::Missing);
    request(&mut pieces, 0, 2);
    arrive(&mut pieces, 0, 1);
    pieces.set_state(PieceIndex(0), PieceState::Checking);
    assert!(pieces.partial(PieceIndex(0)).is_none());
    assert_eq!((pieces.memory_bytes(), pieces.inconsistency()), (0, None));
    request(&mut pieces, 1, 2);
    (0..2).for_each(|block| arrive(&mut pieces, 1, block));
    assert!(pieces.whole().contains(&PieceIndex(1)));
    assert!(pieces.take_partial(PieceIndex(1)).is_some());
    assert!(pieces.whole().is_empty() && pieces.order().has(PieceIndex(1)), "it is missing as if untouched");
    assert_eq!(pieces.inconsistency(), None);
}

#[test]
fn the_rarest_piece_counts_seeds_and_pieces_that_are_begun() {
    let mut pieces = pieces(3, |_| PieceState::Missing);
    for (piece, sources) in [(0, 3), (1, 2), (2, 5), (3, 4)] {
        (0..sources).for_each(|_| pieces.count_source(PieceIndex(piece), Presence::Came));
    }
    assert_eq!(pieces.rarest(), Some(2));
    pieces.count_seed(Presence::Came);
    assert_eq!(pieces.rarest(), Some(3));
    // All of it on the wire: it is in no order, and still the rarest.
    request(&mut pieces, 1, 2);
    assert_eq!(pieces.rarest(), Some(3));
    pieces.forget_sources();
    assert_eq!((pieces.rarest(), pieces.inconsistency()), (Some(0), None));
    (0..4).for_each(|piece| pieces.set_state(PieceIndex(piece), PieceState::Verified));
    assert_eq!(pieces.rarest(), None);
}

#[test]
fn a_piece_on_the_wire_that_becomes_more_urgent_is_told_of_and_one_that_becomes_less_so_is_not() {
    let mut pieces = pieces(2, |_| PieceState::Missing);
    request(&mut pieces, 2, 2);
    let before = pieces.order().raised();
    pieces.set_priorities(&[(FileIndex(1), Priority::High)]);
    let raised = pieces.order().raised();
    assert!(raised > before);
    pieces.set_priorities(&[(FileIndex(1), Priority::Low)]);
    assert_eq!(pieces.order().raised(), raised);
    pieces.note_raise();
    assert_eq!(pieces.order().raised(), raised + 1);
}

#[test]
fn what_is_hashed_on_demand_follows_the_order_too_and_what_may_be_asked_anew_is_told() {
    let mut pieces = pieces(5, |_| PieceState::OnDemand);
    pieces.set_sequence(PieceSequence::InOrder);
    let unknown = pieces.unknown().unwrap();
    assert_eq!(unknown.sequence(), PieceSequence::InOrder);
    assert_eq!(unknown.len(), 6);
    // The order of pieces on demand is made when there is one; it begins with the sequence of the other.
    (0..6).for_each(|piece| pieces.set_state(PieceIndex(piece), PieceState::Missing));
    assert!(pieces.unknown().is_none());
    let version = pieces.order().version();
    pieces.count_seed(Presence::Came);
    assert!(pieces.order().version() > version, "a seed may be asked for everything");
    let version = pieces.order().version();
    request(&mut pieces, 0, 1);
    pieces.with_partial(PieceIndex(0), |partial| partial.release(BlockIndex(0)));
    assert!(pieces.order().version() > version, "a block is free again");
    let version = pieces.order().version();
    pieces.note_new_opportunity();
    assert!(pieces.order().version() > version, "somebody unchoked us");
    let version = pieces.order().version();
    pieces.set_sequence(PieceSequence::RarestFirst);
    assert!(pieces.order().version() > version, "the order is another");
}

#[test]
fn an_order_of_unknown_pieces_that_is_made_late_has_the_sequence_of_the_other() {
    let mut pieces = pieces(5, |_| PieceState::Missing);
    pieces.set_sequence(PieceSequence::InOrder);
    assert!(pieces.unknown().is_none());
    pieces.set_state(PieceIndex(2), PieceState::OnDemand);
    assert_eq!(pieces.unknown().map(PieceOrder::sequence), Some(PieceSequence::InOrder));
}

#[test]
fn a_run_map_of_several_parts_changes_where_a_piece_does_and_costs_that_part() {
    let last = 5 * RUN_PART_PIECES / 2;
    let mut pieces = pieces(last, |piece| match piece.0 % 1500 {
        0 => PieceState::Verified,
        _ => PieceState::Missing,
    });
    let reach = || Reach { held: Bits::full(last + 1), askable: Bits::full(last + 1) };
    let starts = |runs: &PieceRuns| runs.iter().map(|run| (run.start.0, run.length)).collect::<Vec<_>>();
    let mut cache = RunCache::default();
    let runs = pieces.runs(&mut cache, reach(), None);
    assert_eq!(starts(&runs), [(0, 1), (1, 1499), (1500, 1), (1501, last + 1 - 1501)]);
    let before = pieces.visits();
    pieces.set_state(PieceIndex(last), PieceState::Verified);
    let runs = pieces.runs(&mut cache, reach(), None);
    assert_eq!(starts(&runs), [(0, 1), (1, 1499), (1500, 1), (1501, last - 1501), (last, 1)]);
    let in_the_last_part = u64::from((last + 1) % RUN_PART_PIECES);
    assert_eq!(pieces.visits() - before, 1 + in_the_last_part);
    let before = pieces.visits();
    pieces.runs(&mut cache, reach(), None);
    assert_eq!(pieces.visits(), before, "nothing changed");
}

#[test]
fn the_bytes_of_all_pieces_are_counted_and_within_their_bound() {
    // A state, a level, an availability; in the order a position, a bucket and a place in it.
    let least = |count: usize| count * (1 + 1 + 2 + 4 + 2 + 4);
    for count in [10_000, 333_000, 600_000, 1_000_000] {
        for state in [PieceState::Missing, PieceState::OnDemand] {
            let mut pieces = pieces(count - 1, |_| state);
            let bytes = count as usize;
            let within = |pieces: &Pieces| (least(bytes)..=24 * bytes).contains(&pieces.heap_bytes());
            assert!(within(&pieces), "{count} pieces {state:?}: {}", pieces.heap_bytes());
            // Some of what may be there is not: both orders have pieces.
            (0..count / 2).for_each(|piece| pieces.set_state(PieceIndex(piece), PieceState::Missing));
            assert!(within(&pieces), "{count} pieces of both kinds: {}", pieces.heap_bytes());
        }
    }
}

#[test]
fn counts_that_drifted_are_told() {
    let sound = || pieces(9, |piece| if piece.0 < 4 { PieceState::Verified } else { PieceState::Missing });
    assert_eq!(sound().inconsistency(), None);
    let spoilt = |spoil: &dyn Fn(&mut Pieces)| {
        let mut pieces = sound();
        spoil(&mut pieces);
        pieces.inconsistency().unwrap_or_default()
    };
    let of_a_file = spoilt(&|pieces| pieces.file_done_bytes[0] += 1);
    assert!(of_a_file.contains("bytes of file 0 count as done"), "{of_a_file}");
    let counts: [&dyn Fn(&mut Tally); 6] = [
        &|tally| tally.wanted += 1,
        &|tally| tally.wanted_have -= 1,
        &|tally| tally.requested += 1,
        &|tally| tally.wanted_bytes -= 1,
        &|tally| tally.wanted_done_bytes += 1,
        &|tally| tally.missing_bytes += 1,
    ];
    for spoil in counts {
        let told = spoilt(&|pieces| spoil(&mut pieces.tally));
        assert!(told.starts_with("counted Tally"), "{told}");
    }
    let of_a_level = spoilt(&|pieces| {
        pieces.needed.set(PieceIndex(5), false);
    });
    assert!(of_a_level.contains("piece 5") && of_a_level.contains("needed"), "{of_a_level}");
}

#[test]
fn bytes_that_are_not_here_are_those_of_unwanted_files_too_until_their_pieces_are() {
    let mut pieces = pieces(3, |_| PieceState::Missing);
    let piece_bytes = u64::from(TWO_BLOCKS);
    pieces.set_priorities(&[(FileIndex(1), Priority::Off)]);
    assert_eq!((pieces.payload_bytes(), pieces.missing_bytes()), (4 * piece_bytes, 4 * piece_bytes));
    for (piece, left) in [(0, 3), (3, 2)] {
        pieces.set_state(PieceIndex(piece), PieceState::Verified);
        assert_eq!((pieces.payload_bytes(), pieces.missing_bytes()), (4 * piece_bytes, left * piece_bytes));
    }
}

#[test]
fn a_whole_piece_waits_for_its_store_and_one_that_nobody_has_for_a_source() {
    let mut pieces = pieces(3, |_| PieceState::Missing);
    request(&mut pieces, 0, 2);
    (0..2).for_each(|block| arrive(&mut pieces, 0, block));
    let (mut held, askable) = (Bits::empty(4), Bits::empty(4));
    [0, 1].into_iter().for_each(|piece| {
        held.set(PieceIndex(piece), true);
    });
    let runs = pieces.runs(&mut RunCache::default(), Reach { held, askable }, None);
    let reasons: Vec<_> = runs.iter().map(|run| (run.start.0, run.blocked)).collect();
    let due = [Blocked::Storing, Blocked::Choked, Blocked::NoSource].map(Some);
    assert_eq!(reasons, [(0, due[0]), (1, due[1]), (2, due[2])]);
}
