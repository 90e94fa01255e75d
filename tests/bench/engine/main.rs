//! What each operation of a torrent's owner costs, and whether that grows with the number of pieces:
//! `cargo bench --bench engine`.
//!
//! Through the public door of the engine alone: inputs in, a turn, effects out. The last table holds the costs at a million
//! pieces against those at ten thousand; flat or logarithmic is due.

mod changes;
mod peers;
mod pictures;
mod report;
mod swarm;
mod webseeds;
mod whole;

use report::Report;
use swarm::Scale;

const SCALES: [Scale; 5] = [
    Scale { pieces: 10_000, files: 10_000, blocks_per_piece: 1 },
    Scale { pieces: 333_000, files: 10_000, blocks_per_piece: 1 },
    Scale { pieces: 333_000, files: 10_000, blocks_per_piece: 64 },
    Scale { pieces: 1_000_000, files: 10_000, blocks_per_piece: 1 },
    Scale { pieces: 1_000_000, files: 100_000, blocks_per_piece: 1 },
];

fn main() {
    let mut report = Report::default();
    for scale in SCALES {
        report.begin(scale);
        let info = scale.info();
        changes::bench(&mut report, &info);
        peers::bench(&mut report, &info);
        webseeds::bench(&mut report, &info);
        pictures::bench(&mut report, &info);
        whole::bench(&mut report, &info);
    }
    report.compare(SCALES[0], SCALES[3]);
}
