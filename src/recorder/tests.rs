//! Recordings of random scenarios, replayed; what is in a file and what is not; bounds.

use super::*;
use crate::sim::scenario;

/// Runs a recording to its end; gives its turns.
fn replay(recording: &Recording, what: &str) -> u64 {
    let mut replay = Replay::new(recording).unwrap();
    let mut turns = 0;
    while let Some(turn) = replay.turn().unwrap() {
        assert!(turn.same, "{what}: turn {} at {:?}: {:?}", turn.number, turn.at, turn.effects);
        turns = turn.number;
    }
    assert!(replay.is_identical(), "{what}: other state at the end");
    turns
}

#[test]
fn fifty_random_scenarios_replay_to_identical_states() {
    let mut turns = 0;
    for seed in 0..50 {
        let recordings = scenario::run_recorded(seed).unwrap_or_else(|failure| panic!("{failure}"));
        assert!(recordings.len() >= 2, "a seed and a leecher");
        for (engine, recording) in recordings.into_iter().enumerate() {
            let what = format!("seed {seed}, engine {engine}");
            let recording = recording.unwrap_or_else(|error| panic!("{what}: {error}"));
            turns += replay(&recording, &what);
        }
    }
    assert!(turns > 20_000, "{turns} turns");
}
