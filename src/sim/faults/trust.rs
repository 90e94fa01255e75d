//! How data on disk is believed: every way to add a torrent whose data is right, partly there, or wrong.

use std::time::Duration;

use super::*;
use crate::contract::{Assume, CheckPolicy, StoreTrust};
use crate::engine::io::ResumeRecord;
use crate::engine::torrent::Policy;

const PIECES: u32 = 6;

/// What is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    Right,
    /// Pieces 0 to 2, and then the file ends.
    Partial,
    /// Pieces 0, 2 and 5: the file has its length.
    Holes,
    /// Everything, with a wrong byte in pieces 1 and 4.
    Wrong,
}

/// What the store says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Record {
    Absent,
    /// Made of this very data.
    True,
    /// That everything is here.
    Stale,
}

impl Data {
    fn on_disk(self) -> Vec<u32> {
        match self {
            Self::Right | Self::Wrong => (0..PIECES).collect(),
            Self::Partial => vec![0, 1, 2],
            Self::Holes => vec![0, 2, 5],
        }
    }

    fn right(self) -> Vec<u32> {
        match self {
            Self::Wrong => vec![0, 2, 3, 5],
            Self::Right | Self::Partial | Self::Holes => self.on_disk(),
        }
    }
}

fn bits(pieces: &[u32]) -> Vec<u8> {
    vec![pieces.iter().fold(0, |bits, piece| bits | 0x80 >> piece)]
}

fn options(policy: Policy, record: Record, data: Data) -> EngineOptions {
    let all: Vec<u32> = (0..PIECES).collect();
    let (have, known) = match record {
        Record::Absent => (Vec::new(), Vec::new()),
        Record::True => (bits(&data.right()), bits(&all)),
        Record::Stale => (bits(&all), bits(&all)),
    };
    let pieces = |pieces: Vec<u32>| pieces.into_iter().map(PieceIndex).collect::<Vec<_>>();
    EngineOptions {
        on_disk: Some(pieces(data.on_disk())),
        wrong: pieces(all.into_iter().filter(|piece| !data.right().contains(piece)).collect()),
        policy,
        record: ResumeRecord { have, known, ..ResumeRecord::default() },
        ..EngineOptions::leecher()
    }
}

/// Each piece of data is added with every policy, given a seed, and asked for by a peer.
fn play(policy: Policy, record: Record, data: Data) {
    let cell = format!("{policy:?} {record:?} {data:?}");
    let mut world = World::new(85, &Shape::pieces(PIECES));
    let us = world.add_engine(options(policy, record, data));
    let believed = policy.check != CheckPolicy::Always
        && (policy.assume == Assume::Complete
            || policy.trust == StoreTrust::Yes && matches!(record, Record::True | Record::Stale));
    let runs = world.detail(us).runs;
    let unverified = |run: &crate::contract::PieceRun| run.have && run.unverified;
    assert_eq!(runs.iter().any(|run| unverified(&run)), believed, "{cell}");
    assert!(runs.iter().all(|run| run.priority.is_wanted()), "{cell}: never taken for not wanted");
    if believed && policy.trust == StoreTrust::Yes && record == Record::Stale {
        // The claim of a store that is believed stands until somebody checks.
        assert_eq!(
            (world.node(us).state(), world.row(us).pieces.have),
            (TorrentState::Seeding, PIECES),
            "{cell}"
        );
        world.command(us, crate::engine::io::TorrentCommand::Recheck);
    }
    let seed = world.add_puppet(Manners::seed());
    world.introduce(us, seed);
    world.pass(Duration::from_millis(1));
    world.completes(us, Duration::from_secs(5));
    let taker = world.add_puppet(Manners::leecher());
    world.puppet_calls(taker, us);
    let served = |world: &World| world.blocks_given_to(taker) == u64::from(2 * PIECES);
    world.reach(Duration::from_secs(60), &cell, served);
    for piece in 0..PIECES {
        assert!(world.node(us).has_right(PieceIndex(piece)), "{cell}: piece {piece} is wrong");
        let fetched = world.asked_of(seed).iter().any(|(_, request)| request.piece.0 == piece);
        assert_eq!(fetched, !data.right().contains(&piece), "{cell}: piece {piece}");
    }
}

#[test]
fn fault_85_data_that_is_right_is_never_fetched_and_what_is_wrong_always_is() {
    for check in [CheckPolicy::Auto, CheckPolicy::Never, CheckPolicy::Always] {
        for trust in [StoreTrust::Yes, StoreTrust::No] {
            for assume in [Assume::Nothing, Assume::Complete] {
                for record in [Record::Absent, Record::True, Record::Stale] {
                    for data in [Data::Right, Data::Partial, Data::Holes, Data::Wrong] {
                        play(Policy { check, trust, assume, ..Policy::default() }, record, data);
                    }
                }
            }
        }
    }
}
