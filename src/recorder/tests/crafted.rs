//! Files that are right by their digest and hold what no program writes: never a panic, never an endless run.

use std::sync::Once;

use super::*;
use crate::recorder::entry::EntryRef;

thread_local! {
    static QUIET: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Panics of this thread are expected, and their traces take longer than all the rest.
fn expect_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
    QUIET.set(true);
}

/// What came of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Identical,
    Differs,
    Refused,
    Stumbled,
}

/// Runs it as the command does, up to so many turns.
fn run(recording: &Recording, turns_max: u64) -> End {
    let of_error = |error| match error {
        ReplayError::Unfit { .. } => End::Stumbled,
        _ => End::Refused,
    };
    let mut replay = match Replay::new(recording) {
        Ok(replay) => replay,
        Err(error) => return of_error(error),
    };
    let mut same = true;
    loop {
        match replay.turn() {
            Ok(Some(turn)) => {
                same &= turn.same;
                if let Err(error) = replay.row(turn.at) {
                    return of_error(error);
                }
                if turn.number >= turns_max {
                    return if same { End::Identical } else { End::Differs };
                }
            }
            Ok(None) => break,
            Err(error) => {
                assert_eq!(replay.turn().unwrap_err(), error, "it stays as it is");
                return of_error(error);
            }
        }
    }
    if same && replay.is_identical() { End::Identical } else { End::Differs }
}

fn changed(bytes: &Bytes, rng: &mut fastrand::Rng) -> Bytes {
    let mut bytes = bytes.to_vec();
    if bytes.is_empty() {
        return bytes.into();
    }
    // Most of what decides much is at the beginning.
    let most = if rng.bool() { bytes.len() } else { bytes.len().min(400) };
    for _ in 0..rng.u32(1..4) {
        let at = rng.usize(..most);
        match rng.u8(..4) {
            0 => bytes[at] ^= 1 << rng.u8(..8),
            1 => bytes[at] = 0xff,
            2 => bytes[at] = rng.u8(..),
            _ => bytes[at] = 0,
        }
    }
    bytes.into()
}

#[test]
fn a_file_with_any_bytes_changed_ends_in_a_result_or_an_error() {
    expect_panics();
    let mut rng = fastrand::Rng::with_seed(7);
    let mut ends: std::collections::BTreeMap<End, u32> = std::collections::BTreeMap::new();
    for seed in [3, 8] {
        for recording in scenario::run_recorded(seed).unwrap() {
            let recording = recording.unwrap();
            for _ in 0..150 {
                let mut crafted = recording.clone();
                let part = &mut crafted.parts[0];
                match rng.u8(..10) {
                    0 => crafted.info = changed(&crafted.info, &mut rng),
                    1..6 => part.state = changed(&part.state, &mut rng),
                    _ => part.entries = changed(&part.entries, &mut rng),
                }
                // As the command gets it: a whole file, whose digest is right.
                let read = Recording::from_bytes(&crafted.to_bytes().unwrap()).unwrap();
                *ends.entry(run(&read, 40)).or_default() += 1;
                let _ = redact(&read);
            }
        }
    }
    for end in [End::Identical, End::Differs, End::Refused] {
        assert!(ends.contains_key(&end), "{end:?} among {ends:?}");
    }
}

#[test]
fn what_makes_the_engine_panic_is_an_error_that_says_in_which_turn() {
    expect_panics();
    let (world, mut recorder, node) = begun();
    let torrent = world.engine(node).unwrap().torrent();
    recorder.turn_ended(Time::ZERO, EffectTally::default());
    recorder.input(Time::ZERO, torrent, &Input::PieceStored { piece: PieceIndex(u32::MAX) });
    recorder.turn_ended(Time::ZERO, EffectTally::default());
    let recording = recorder.recording(Time::ZERO, torrent).unwrap();
    let mut replay = Replay::new(&recording).unwrap();
    assert!(replay.turn().is_ok());
    let error = replay.turn().unwrap_err();
    assert!(matches!(error, ReplayError::Unfit { turn: 2, .. }), "{error}");
    assert_eq!(run(&recording, 9), End::Stumbled);
}

#[test]
fn a_file_that_goes_back_in_time_or_claims_too_much_is_refused_by_name() {
    let (world, mut recorder, node) = begun();
    let torrent = world.engine(node).unwrap().torrent();
    let late = Time::from_micros(9_000_000);
    for at in [late, Time::from_micros(5_000_000)] {
        recorder.input(at, torrent, &Input::Deadline);
        recorder.turn_ended(at, EffectTally::default());
    }
    let recording = recorder.recording(late, torrent).unwrap();
    let mut replay = Replay::new(&recording).unwrap();
    assert!(replay.turn().is_ok());
    let error = replay.turn().unwrap_err();
    assert_eq!(error, ReplayError::Implausible("its entries are not in the order of time"));

    let mut endless = recording.clone();
    let input = postcard::to_allocvec(&EntryRef::Input(late, &Input::Deadline)).unwrap();
    endless.parts[0].entries = input.repeat(100_000).into();
    assert_eq!(
        Replay::new(&endless).unwrap().turn().unwrap_err(),
        ReplayError::Implausible("a turn takes more than any has room for")
    );

    let mut large = recording.clone();
    large.parts[0].entries = vec![0; 2 * RECORDING_BYTES_MAX].into();
    assert_eq!(
        Replay::new(&large).unwrap_err(),
        ReplayError::Implausible("it holds more than the recorder does")
    );
}
