//! Rows of figures: each printed when it is measured, all compared at the end.

use std::io::Write;
use std::time::Duration;

use crate::swarm::Scale;

/// One timing of an operation.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) took: Duration,
    /// Pieces that the owner looked at meanwhile.
    pub(crate) visits: u64,
    /// What the cost is divided by: calls, or pieces.
    pub(crate) units: u64,
}

/// All rows so far.
#[derive(Default)]
pub(crate) struct Report {
    scale: Option<Scale>,
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    scale: Option<Scale>,
    best_ns: f64,
}

impl Report {
    /// The rows from here on are of this scale.
    pub(crate) fn begin(&mut self, scale: Scale) {
        self.scale = Some(scale);
        let Scale { pieces, files, blocks_per_piece } = scale;
        say(&format!("\n{pieces} pieces of {blocks_per_piece} block(s) in {files} files"));
        say(&format!("  {:<46} {:>11} {:>11} {:>9}", "operation", "median", "best", "visits"));
    }

    /// A row of timings.
    pub(crate) fn row(&mut self, name: &'static str, samples: &[Sample]) {
        let per_unit = |sample: &Sample| sample.took.as_secs_f64() * 1e9 / sample.units.max(1) as f64;
        let mut costs: Vec<f64> = samples.iter().map(per_unit).collect();
        costs.sort_by(f64::total_cmp);
        let (best_ns, median_ns) = (costs[0], costs[costs.len() / 2]);
        let visits: u64 = samples.iter().map(|sample| sample.visits).sum();
        let units: u64 = samples.iter().map(|sample| sample.units).sum();
        let visits = visits as f64 / units.max(1) as f64;
        say(&format!("  {name:<46} {:>11} {:>11} {visits:>9.1}", shown(median_ns), shown(best_ns)));
        self.rows.push(Row { name, scale: self.scale, best_ns });
    }

    /// A row that holds no time.
    pub(crate) fn figure(&mut self, name: &str, value: &str) {
        say(&format!("  {name:<46} {value:>11}"));
    }

    /// How much more each operation costs at one scale than at another.
    pub(crate) fn compare(&self, small: Scale, large: Scale) {
        say(&format!("\nbest cost at {} pieces against {}", large.pieces, small.pieces));
        let at = |scale: Scale| self.rows.iter().filter(move |row| row.scale == Some(scale));
        for row in at(large) {
            let Some(before) = at(small).find(|before| before.name == row.name) else { continue };
            let ratio = row.best_ns / before.best_ns;
            say(&format!(
                "  {:<46} {:>11} {:>11} {ratio:>8.1}x",
                row.name,
                shown(before.best_ns),
                shown(row.best_ns)
            ));
        }
    }
}

fn shown(ns: f64) -> String {
    match ns {
        _ if ns >= 1e7 => format!("{:.1} ms", ns / 1e6),
        _ if ns >= 1e4 => format!("{:.1} us", ns / 1e3),
        _ => format!("{ns:.1} ns"),
    }
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
