//! Work over all pieces: a beginning, a check of everything, a record.

use std::sync::Arc;
use std::time::Instant;

use unchoke::engine::io::{Input, ResumeRecord, TorrentCommand};
use unchoke::engine::torrent::{Reason, Torrent};
use unchoke::limits;
use unchoke::metainfo::Info;
use unchoke::units::Time;

use crate::report::{Report, Sample};
use crate::swarm::{Swarm, setup};

const SAMPLES: usize = 7;
const CHECKS: usize = 4;

pub(crate) fn bench(report: &mut Report, info: &Arc<Info>) {
    making(report, info);
    saving(report, info);
    rechecks(report, info);
}

fn making(report: &mut Report, info: &Arc<Info>) {
    let pieces = u64::from(info.piece_count());
    let make = || {
        let setup = setup(info, ResumeRecord::default());
        let start = Instant::now();
        let torrent = Torrent::new(Time::ZERO, setup);
        Sample { took: start.elapsed(), visits: torrent.piece_visits(), units: pieces }
    };
    let samples: Vec<Sample> = (0..SAMPLES).map(|_| make()).collect();
    report.row("Torrent::new, per piece", &samples);
    let best = samples.iter().map(|sample| sample.took).min().unwrap_or_default();
    report.figure("Torrent::new, whole", &format!("{:.1} ms", best.as_secs_f64() * 1e3));
}

/// The turn in which a record is made, every few seconds while something changes.
fn saving(report: &mut Report, info: &Arc<Info>) {
    let mut swarm = Swarm::usual(info);
    let samples: Vec<Sample> = (0..SAMPLES)
        .map(|_| {
            swarm.answer();
            swarm.store_all();
            swarm.now = swarm.now + limits::SAVE_INTERVAL;
            let saves = swarm.timed(1, |swarm| swarm.turn(Input::Deadline));
            let generation = swarm.generation;
            swarm.turn(Input::ResumeSaved { generation, result: Ok(()) });
            saves
        })
        .collect();
    report.row("turn that makes a record", &samples);
}

/// The longest turn of a check of everything, where everything is here and peers were told of it. Each turn counts with
/// its best of some checks: among dozens of turns another program gets in the way of one each time.
fn rechecks(report: &mut Report, info: &Arc<Info>) {
    let mut best: Vec<Sample> = Vec::new();
    for _ in 0..CHECKS {
        for (at, turn) in turns_of_check(info).into_iter().enumerate() {
            match best.get_mut(at) {
                Some(known) if turn.took < known.took => *known = turn,
                Some(_) => {}
                None => best.push(turn),
            }
        }
    }
    let longest: Vec<Sample> = best.into_iter().max_by_key(|turn| turn.took).into_iter().collect();
    report.row("longest turn of a check of everything", &longest);
}

fn turns_of_check(info: &Arc<Info>) -> Vec<Sample> {
    let mut swarm = Swarm::with_pieces(info, |_| true);
    swarm.add_partial_peers();
    let mut turns = vec![swarm.timed(1, |swarm| swarm.turn(Input::Command(TorrentCommand::Recheck)))];
    while swarm.torrent.next_deadline().is_some_and(|(_, reason)| reason == Reason::Recheck) {
        turns.push(swarm.timed(1, |swarm| swarm.turn(Input::Deadline)));
    }
    turns
}
