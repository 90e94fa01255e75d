//! Peers coming and going.

use std::sync::Arc;

use bytes::Bytes;
use unchoke::codec::peer::Message;
use unchoke::engine::io::{Input, TorrentCommand};
use unchoke::metainfo::Info;

use crate::report::Report;
use crate::swarm::{Swarm, bitfield, half_bitfield};

const SAMPLES: usize = 31;
const SAMPLES_OF_HALVES: usize = 6;

pub(crate) fn bench(report: &mut Report, info: &Arc<Info>) {
    let mut swarm = Swarm::usual(info);
    let count = info.piece_count();
    let full = Bytes::from(bitfield(count, |_| true));
    let names = ["seed joins with a bitfield", "seed leaves"];
    let calls = |_: u64| 1;
    joins_and_leaves(report, &mut swarm, names, (&Message::Bitfield(full), calls, SAMPLES));
    let names = ["seed joins with HaveAll", "seed leaves "];
    joins_and_leaves(report, &mut swarm, names, (&Message::HaveAll, calls, SAMPLES));
    let half = Bytes::from(half_bitfield(count, 77));
    let names = ["half peer joins, per piece it has", "half peer leaves, per piece it has"];
    let pieces = move |_| u64::from(count / 2);
    joins_and_leaves(report, &mut swarm, names, (&Message::Bitfield(half), pieces, SAMPLES_OF_HALVES));
    heap(report, &mut swarm);
    let pause = swarm.timed(1, |swarm| swarm.turn(Input::Command(TorrentCommand::Pause)));
    report.row("pause with a seed and 20 half peers", &[pause]);
}

fn joins_and_leaves(
    report: &mut Report,
    swarm: &mut Swarm,
    [joins, leaves]: [&'static str; 2],
    (told, units, samples): (&Message, impl Fn(u64) -> u64, usize),
) {
    let (mut came, mut went) = (Vec::new(), Vec::new());
    for at in 0..samples {
        let peer = swarm.connect();
        let message = told.clone();
        came.push(swarm.timed(units(at as u64), |swarm| swarm.say(peer, message)));
        went.push(swarm.timed(units(at as u64), |swarm| swarm.leave(peer)));
    }
    report.row(joins, &came);
    report.row(leaves, &went);
}

fn heap(report: &mut Report, swarm: &mut Swarm) {
    let count = swarm.torrent.info().piece_count();
    let bytes = swarm.torrent.pieces_heap_bytes() as f64 / f64::from(count);
    report.figure("bytes a piece", &format!("{bytes:.1}"));
    let told = [
        ("bytes for the pieces of a seed", bitfield(count, |_| true)),
        ("bytes for the pieces of a half peer", half_bitfield(count, 5)),
    ];
    for (name, pieces) in told {
        let peer = swarm.connect();
        swarm.say(peer, Message::Bitfield(pieces.into()));
        report.figure(name, &swarm.torrent.peer_have_heap_bytes(peer).to_string());
        swarm.leave(peer);
    }
}
