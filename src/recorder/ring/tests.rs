//! The ring with machines of any size, and with what cannot be written.

use std::cell::Cell;

use serde::{Serialize, Serializer};

use super::*;
use crate::engine::torrent::BlockDigests;
use crate::recorder::Subject;
use crate::units::{ConnectionId, TorrentId};

/// A machine whose state has so many bytes, or cannot be written.
#[derive(Default)]
struct Made {
    state: Option<Vec<u8>>,
    /// How often its state was asked for.
    written: Cell<u32>,
}

impl Made {
    fn of(bytes: usize) -> Self {
        Self { state: Some(vec![7; bytes]), ..Self::default() }
    }
}

impl Serialize for Made {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.set(self.written.get() + 1);
        match &self.state {
            Some(state) => serializer.serialize_bytes(state),
            None => Err(serde::ser::Error::custom("cannot be written")),
        }
    }
}

impl Recorded for Made {
    const SUBJECT: Subject = Subject::Torrent;

    fn torrent(&self) -> TorrentId {
        TorrentId([1; 20])
    }

    fn raw_info(&self) -> Bytes {
        Bytes::new()
    }

    fn digests(&self, _input: &Input) -> Option<BlockDigests> {
        None
    }
}

/// An entry that cannot be written.
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("cannot be written"))
    }
}

const TRY_EVERY: std::time::Duration = std::time::Duration::from_secs(150);

/// Ends turns of some KiB each, a millisecond apart; gives the entries that were written.
fn run(recorder: &mut Recorder, made: &Made, turns: u64) -> usize {
    let mut entries = 0;
    for turn in 0..turns {
        let now = Time::from_micros(turn * 1000);
        let reason = "x".repeat(8 << 10);
        entries += reason.len();
        recorder.input(now, made, &Input::Closed { connection: ConnectionId(turn), reason });
        assert!(recorder.bytes() <= RECORDING_BYTES_MAX, "{} bytes", recorder.bytes());
        recorder.turn_ended(now, EffectTally::default());
        recorder.settle(now, made);
        assert!(recorder.bytes() <= RECORDING_BYTES_MAX, "{} bytes", recorder.bytes());
    }
    entries
}

#[test]
fn states_of_any_size_keep_the_ring_within_its_bound_and_cost_no_more_than_what_is_recorded() {
    for mebibytes in [0, 1, 3, 5, 6, 8, 9, 11] {
        let made = Made::of((mebibytes << 20) + 12_345);
        let mut recorder = Recorder::default();
        recorder.settle(Time::ZERO, &made);
        let entries = run(&mut recorder, &made, 6000);
        let written = made.written.get() as usize;
        assert!(written >= 2, "{mebibytes} MiB: it began anew");
        // As much as the state takes, what makes a part whole, or what there is room for; less the room left in a vector.
        let state = made.state.as_ref().map_or(0, Vec::len);
        let least = state.max(PART_BYTES.saturating_sub(state)).min(RECORDING_BYTES_MAX - state);
        assert!(least >= PART_BYTES / 2, "{mebibytes} MiB");
        assert!(
            written <= 2 + entries / (least / 8 * 7),
            "{mebibytes} MiB: {written} states for {entries} bytes"
        );
        let recording = recorder.recording(Time::from_micros(6_000_000), &made).unwrap();
        assert!(!recording.parts.is_empty(), "{mebibytes} MiB");
        let kept: usize = recording.parts.iter().map(|part| part.entries.len()).sum();
        // Of what is small, most is kept; what takes more than a third begins anew.
        if mebibytes < 4 {
            assert!(kept >= RECORDING_BYTES_MAX / 4, "{mebibytes} MiB: {kept} bytes of entries");
        }
    }
}

#[test]
fn a_state_of_more_than_half_of_the_ring_leaves_the_rest_to_entries() {
    let made = Made::of(RECORDED_STATE_BYTES_MAX - 16);
    let mut recorder = Recorder::default();
    recorder.settle(Time::ZERO, &made);
    let mut most = 0;
    for turn in 0..1200 {
        let now = Time::from_micros(turn * 1000);
        let reason = "x".repeat(8 << 10);
        recorder.input(now, &made, &Input::Closed { connection: ConnectionId(turn), reason });
        recorder.turn_ended(now, EffectTally::default());
        most =
            most.max(recorder.recording(now, &made).map_or(0, |recording| recording.parts[0].entries.len()));
        recorder.settle(now, &made);
    }
    assert!(most > PART_BYTES - (64 << 10), "{most} bytes of entries at most");
}

#[test]
fn what_is_too_large_is_told_and_tried_again_later_without_holding_more_than_the_bound() {
    let made = Made::of(RECORDED_STATE_BYTES_MAX + 1);
    let mut recorder = Recorder::default();
    assert_eq!(run(&mut recorder, &made, 10), 10 * 8192);
    assert_eq!(recorder.recording(Time::ZERO, &made), Err(NotRecorded::TooLarge));
    assert_eq!(made.written.get(), 1, "not in each turn");
    let smaller = Made::of(10);
    recorder.settle(Time::ZERO + TRY_EVERY, &smaller);
    assert!(recorder.recording(Time::ZERO + TRY_EVERY, &smaller).is_ok());
}

#[test]
fn what_cannot_be_written_is_not_tried_in_each_turn() {
    let made = Made::of(1000);
    let mut recorder = Recorder::default();
    recorder.settle(Time::ZERO, &made);
    recorder.write(Time::ZERO, &Unwritable);
    assert_eq!((recorder.bytes(), made.written.get()), (0, 1));
    run(&mut recorder, &made, 10);
    assert_eq!(made.written.get(), 1, "an entry that cannot be written: no state in each turn");
    assert_eq!(recorder.recording(Time::ZERO, &made), Err(NotRecorded::Unwritable));
    recorder.settle(Time::ZERO + TRY_EVERY, &made);
    assert_eq!(made.written.get(), 2);

    let broken = Made::default();
    let mut recorder = Recorder::default();
    run(&mut recorder, &broken, 10);
    assert_eq!(broken.written.get(), 1, "a state that cannot be written");
    assert_eq!(recorder.recording(Time::ZERO, &broken), Err(NotRecorded::Unwritable));
}

#[test]
fn what_there_is_room_for_is_never_dropped_for_room_to_grow() {
    let small = Made::of(1000);
    let mut recorder = Recorder::default();
    recorder.settle(Time::ZERO, &small);
    let input = |recorder: &mut Recorder, number: u64| {
        let reason = "x".repeat(8 << 10);
        recorder.input(Time::ZERO, &small, &Input::Closed { connection: ConnectionId(number), reason });
    };
    for number in 0..8 {
        input(&mut recorder, number);
    }
    // A second part, all in one turn: only the first one is there to be dropped.
    recorder.settle(Time::ZERO + TRY_EVERY, &small);
    assert_eq!(recorder.parts.len(), 2);
    let fits = (RECORDING_BYTES_MAX - 1000) / (8200 + 16);
    for number in 0..fits as u64 {
        input(&mut recorder, number);
        assert!(recorder.bytes() > 0, "all is lost after {number} of {fits}");
        assert!(recorder.bytes() <= RECORDING_BYTES_MAX, "{} bytes", recorder.bytes());
    }
    let kept = recorder.recording(Time::ZERO + TRY_EVERY, &small).unwrap();
    assert!(kept.parts.len() == 1 && kept.parts[0].entries.len() >= fits * 8192, "the first one went");
}
