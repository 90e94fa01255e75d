//! What front ends are shown.

use std::sync::Arc;

use unchoke::codec::peer::Message;
use unchoke::engine::torrent::DetailExtras;
use unchoke::metainfo::Info;

use crate::report::{Report, Sample};
use crate::swarm::{Swarm, Unchokes, half_bitfield};

const SAMPLES: usize = 21;

pub(crate) fn bench(report: &mut Report, info: &Arc<Info>) {
    let mut swarm = Swarm::usual(info);
    report.row("row", &samples(&mut swarm, nothing, row));
    report.row("detail, nothing changed", &samples(&mut swarm, nothing, detail));
    report.row("detail, after one block", &samples(&mut swarm, Swarm::answer, detail));
    report.row("runs, nothing changed", &samples(&mut swarm, nothing, runs));
    report.row("runs, after one block", &samples(&mut swarm, Swarm::answer, runs));
    drop(swarm);
    let mut seedless = Swarm::alone(info);
    for seed in 0..20 {
        let half = half_bitfield(info.piece_count(), seed);
        seedless.join(Message::Bitfield(half.into()), Unchokes::Yes);
    }
    report.row("row, 20 half peers unchoke us", &samples(&mut seedless, nothing, row));
    report.row("runs, nothing changed, 20 half peers", &samples(&mut seedless, nothing, runs));
    drop(seedless);
    let mut fragmented = Swarm::with_pieces(info, |piece| piece % 2 == 0);
    fragmented.join(Message::HaveAll, Unchokes::Yes);
    report.row("runs of every other piece, after one block", &samples(&mut fragmented, Swarm::answer, runs));
    let anew = samples(&mut fragmented, |swarm| swarm.torrent.forget_runs(), runs);
    let per_piece = |sample: &Sample| Sample { units: u64::from(info.piece_count()), ..*sample };
    let anew: Vec<Sample> = anew.iter().map(per_piece).collect();
    report.row("runs of every other piece, anew, per piece", &anew);
}

fn samples(swarm: &mut Swarm, before: impl Fn(&mut Swarm), act: impl Fn(&mut Swarm)) -> Vec<Sample> {
    // The first picture is made from nothing.
    act(swarm);
    (0..SAMPLES)
        .map(|_| {
            before(swarm);
            swarm.timed(1, &act)
        })
        .collect()
}

fn nothing(_: &mut Swarm) {}

fn row(swarm: &mut Swarm) {
    std::hint::black_box(swarm.torrent.row(swarm.now, 0));
}

fn runs(swarm: &mut Swarm) {
    std::hint::black_box(swarm.torrent.piece_runs(swarm.now));
}

fn detail(swarm: &mut Swarm) {
    let row = Arc::new(swarm.torrent.row(swarm.now, 0));
    std::hint::black_box(swarm.torrent.detail(swarm.now, row, DetailExtras::default()));
}
