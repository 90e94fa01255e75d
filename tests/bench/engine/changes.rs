//! Priorities, blocks and pieces.

use std::sync::Arc;

use unchoke::codec::peer::Message;
use unchoke::contract::Priority;
use unchoke::engine::io::{Input, TorrentCommand};
use unchoke::metainfo::Info;
use unchoke::units::FileIndex;

use crate::report::{Report, Sample};
use crate::swarm::{Swarm, Unchokes, bitfield, half_bitfield};

/// Operations in one sample of a short one.
const BATCH: u64 = 50;
const SAMPLES: usize = 41;
const SAMPLES_OF_ALL_FILES: usize = 6;
/// A peer with little has one piece in so many.
const LITTLE: u32 = 1000;

pub(crate) fn bench(report: &mut Report, info: &Arc<Info>) {
    priorities(report, info);
    blocks(report, &mut Swarm::usual(info), ["block received", "piece done"]);
    blocks(
        report,
        &mut asked_of_partial_peers(info),
        ["block received, 20 half peers asked", "piece done, 20 half peers asked"],
    );
    nothing_for_us(report, info);
    little(report, info);
}

fn priorities(report: &mut Report, info: &Arc<Info>) {
    let mut swarm = Swarm::usual(info);
    let files = u32::try_from(info.files.len()).expect("few enough");
    let pieces_of =
        |file| info.pieces_of(file).map_or(0, |range| u64::from(range.end().0 - range.start().0 + 1));
    let one: Vec<Sample> = (0..200)
        .map(|turn| {
            let file = FileIndex(turn * 37 % files);
            let change = vec![(file, Priority::High)];
            swarm.timed(pieces_of(file), |swarm| {
                swarm.turn(Input::Command(TorrentCommand::SetPriority(change)));
            })
        })
        .collect();
    report.row("priority of one file, per piece", &one);
    let levels = [Priority::Off, Priority::Low];
    let all: Vec<Sample> = (0..SAMPLES_OF_ALL_FILES)
        .map(|at| {
            let changes = info.file_indices().map(|file| (file, levels[at % levels.len()])).collect();
            swarm.timed(u64::from(info.piece_count()), |swarm| {
                swarm.turn(Input::Command(TorrentCommand::SetPriority(changes)));
            })
        })
        .collect();
    report.row("priority of all files, per piece", &all);
}

/// The requests that are on the wire are answered, and the pieces stored.
fn blocks(report: &mut Report, swarm: &mut Swarm, [received, done]: [&'static str; 2]) {
    let (mut blocks, mut pieces) = (Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        blocks.push(swarm.timed(BATCH, |swarm| (0..BATCH).for_each(|_| swarm.answer())));
        if swarm.storing.is_empty() {
            let piece = swarm.answer_a_piece();
            swarm.storing.push_back(piece);
        }
        let stored = swarm.storing.len() as u64;
        pieces.push(swarm.timed(stored, Swarm::store_all));
    }
    report.row(received, &blocks);
    report.row(done, &pieces);
}

/// No seed: all that is asked for is asked of incomplete peers.
fn asked_of_partial_peers(info: &Arc<Info>) -> Swarm {
    let mut swarm = Swarm::alone(info);
    for seed in 0..20 {
        let half = half_bitfield(info.piece_count(), seed);
        swarm.join(Message::Bitfield(half.into()), Unchokes::Yes);
    }
    swarm
}

/// A seed, and peers that have but pieces which are here already.
fn nothing_for_us(report: &mut Report, info: &Arc<Info>) {
    let half = info.piece_count() / 2;
    let mut swarm = Swarm::with_pieces(info, |piece| piece < half);
    for _ in 0..20 {
        swarm.join(
            Message::Bitfield(bitfield(info.piece_count(), |piece| piece < half).into()),
            Unchokes::Yes,
        );
    }
    swarm.join(Message::HaveAll, Unchokes::Yes);
    blocks(
        report,
        &mut swarm,
        ["block received, 20 peers with nothing for us", "piece done, 20 peers with nothing for us"],
    );
}

/// Peers with few pieces, which the order's best end does not have.
fn little(report: &mut Report, info: &Arc<Info>) {
    let mut swarm = Swarm::alone(info);
    swarm.add_partial_peers();
    for seed in 0..20 {
        let few = bitfield(info.piece_count(), |piece| piece % LITTLE == seed);
        let peer = swarm.join(Message::Bitfield(few.into()), Unchokes::No);
        if seed == 0 {
            swarm.say(peer, Message::Unchoke);
        }
    }
    let mut samples = Vec::new();
    while samples.len() < SAMPLES && !swarm.asked.is_empty() {
        samples.push(swarm.timed(1, Swarm::answer));
    }
    report.row("block received of a peer with few pieces", &samples);
}
