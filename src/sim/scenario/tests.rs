//! Random scenarios: 200 seeds as a rule, as many as `UNCHOKE_SIM_SEEDS` says, or the one that `UNCHOKE_SIM_SEED` names.

use super::*;

/// Seeds run as a rule.
const SEEDS: u64 = 200;
/// Tests that share them, so that each core has some.
const SHARES: u64 = 4;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// Runs every fourth seed from `share` on; panics with the seed that replays the failure.
fn run_share(share: u64) {
    let seeds = match number("UNCHOKE_SIM_SEED") {
        Some(one) if one % SHARES == share => vec![one],
        Some(_) => Vec::new(),
        None => {
            (0..number("UNCHOKE_SIM_SEEDS").unwrap_or(SEEDS)).filter(|seed| seed % SHARES == share).collect()
        }
    };
    let mut virtual_time = Duration::ZERO;
    let mut steps = 0;
    let count = seeds.len();
    for seed in seeds {
        match run(seed) {
            Ok(outcome) => {
                virtual_time += outcome.virtual_time;
                steps += outcome.steps;
            }
            Err(failure) => {
                panic!("{failure}\nreplay with UNCHOKE_SIM_SEED={seed} cargo test --lib sim::scenario")
            }
        }
    }
    let hours = virtual_time.as_secs_f64() / 3600.0;
    crate::sim::scenario::tests::say(&format!(
        "share {share}: {count} seeds, {hours:.1} virtual hours, {steps} steps"
    ));
}

fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[test]
fn random_scenarios_end_complete_1_of_4() {
    run_share(0);
}

#[test]
fn random_scenarios_end_complete_2_of_4() {
    run_share(1);
}

#[test]
fn random_scenarios_end_complete_3_of_4() {
    run_share(2);
}

#[test]
fn random_scenarios_end_complete_4_of_4() {
    run_share(3);
}

#[test]
fn a_seed_replays_step_by_step() {
    for seed in 0..5 {
        let digests =
            [run(seed), run(seed)].map(|outcome| outcome.map(|outcome| (outcome.digest, outcome.steps)).ok());
        assert!(digests[0].is_some() && digests[0] == digests[1], "{digests:?}");
    }
}

/// Webseeds in random trouble: two dozen seeds as a rule, a twentieth of `UNCHOKE_SIM_SEEDS` where that says how many, for
/// each takes long; `UNCHOKE_SIM_SEED` says which one.
#[test]
fn webseeds_in_random_trouble_end_complete_and_stop_at_once() {
    let seeds = match number("UNCHOKE_SIM_SEED") {
        Some(one) => one..one + 1,
        None => 0..number("UNCHOKE_SIM_SEEDS").map_or(24, |seeds| seeds / 20),
    };
    for seed in seeds {
        if let Err(failure) = run_web(seed) {
            panic!(
                "{failure}\nreplay with UNCHOKE_SIM_SEED={seed} cargo test --lib sim::scenario::tests::webseeds"
            );
        }
    }
}
