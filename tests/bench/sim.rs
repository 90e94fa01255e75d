//! How many times faster than real time the simulator runs a swarm: `cargo bench --bench sim`.
//!
//! A thousand times is due with audits now and then: a night of one machine is then years of swarms.

use std::io::Write;
use std::time::{Duration, Instant};

use unchoke::contract::TorrentState;
use unchoke::sim::{EngineOptions, LinkQuality, Shape, World};

const ENGINES: usize = 20;
const PAYLOAD_BYTES: u64 = 16 << 20;
const PIECE_BYTES: u32 = 64 << 10;
/// Mostly seeding at rest.
const SPAN: Duration = Duration::from_secs(600);
const LINK: LinkQuality =
    LinkQuality { latency: Duration::from_millis(40), rate: 1_000_000, lost_per_mille: 0 };
/// Best of this many runs, for the machine may be shared.
const RUNS: u32 = 3;

/// A seed and nineteen that have nothing, who know each other by the tracker.
fn swarm(audit_every: u64) -> World {
    let shape = Shape { files: vec![PAYLOAD_BYTES], piece_length: PIECE_BYTES, pads: Vec::new(), seed: 1 };
    let mut world = World::new(1, &shape);
    world.set_audit_every(audit_every);
    world.set_quality(LINK);
    world.add_engine(EngineOptions { tracker: true, ..EngineOptions::seed() });
    for _ in 1..ENGINES {
        world.add_engine(EngineOptions { tracker: true, ..EngineOptions::leecher() });
    }
    world
}

fn is_complete(world: &World) -> bool {
    let seeds = |id| world.engine(id).is_some_and(|node| node.state() == TorrentState::Seeding);
    world.node_ids().all(seeds)
}

fn bench(name: &str, audit_every: u64) {
    let mut best = Duration::MAX;
    let mut told = String::new();
    for _ in 0..RUNS {
        let mut world = swarm(audit_every);
        let start = Instant::now();
        let complete = world.run_until_done(SPAN, is_complete).expect("no rule is broken");
        assert!(complete, "every download ends");
        let (at, took) = (world.now(), start.elapsed());
        let rest = SPAN - at.since(unchoke::units::Time::ZERO);
        world.run(rest).expect("no rule is broken");
        let all = start.elapsed();
        if all < best {
            best = all;
            let complete_after = at.as_micros() as f64 / 1e6;
            told = format!(
                "complete after {complete_after:.1} s in {:.0} ms, {} steps",
                took.as_secs_f64() * 1e3,
                world.steps()
            );
        }
    }
    let times = SPAN.as_secs_f64() / best.as_secs_f64();
    let millis = best.as_secs_f64() * 1e3;
    let _ = writeln!(
        std::io::stdout(),
        "{name:<28} {:.0} virtual s in {millis:>6.0} ms: {times:>6.0} times real time  ({told})",
        SPAN.as_secs_f64()
    );
}

fn main() {
    bench("audits every 64 turns", 64);
    bench("audits every turn", 1);
}
