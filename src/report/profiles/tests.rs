use std::io::Read as _;

use prost::Message as _;

use super::super::profile::Profile;
use super::*;
use crate::contract::{FrameReport, WaitKind, WaitingTask};
use crate::units::TorrentId;

pub(in crate::report) fn task(id: u64, name: &str, state: TaskState) -> TaskReport {
    TaskReport {
        id: TaskId(id),
        name: name.to_owned().into(),
        kind: TaskKind::Task,
        site: "src/a.rs:7".to_owned(),
        parent: None,
        torrent: None,
        peer: None,
        age_ms: 60_000,
        polls: 2,
        busy_us: 1500,
        ready_us: 10,
        longest_poll_us: 1000,
        wakes: 3,
        poll_ms: None,
        state,
        waits: Vec::new(),
        waited_ms: None,
        frames: Vec::new(),
    }
}

/// A task that waits for a queue, within a named part of its future.
pub(in crate::report) fn waiting(id: u64, name: &str) -> TaskReport {
    let on = Some(format!("to {name}").into());
    TaskReport {
        torrent: Some(TorrentId([0xab; 20])),
        peer: Some("10.0.0.7:51413".parse().unwrap()),
        parent: Some(TaskId(1)),
        waits: vec![
            WaitReport { kind: WaitKind::QueueReceive, on, site: "src/b.rs:1".to_owned() },
            WaitReport { kind: WaitKind::Timer, on: None, site: "src/b.rs:2".to_owned() },
        ],
        waited_ms: Some(7250),
        frames: vec![FrameReport { name: "read a block".into(), site: "src/c.rs:9".to_owned() }],
        ..task(id, name, TaskState::Waiting)
    }
}

fn lock(holder: Option<u64>, waiters: &[u64]) -> LockReport {
    let waiter = |id: &u64| WaitingTask { task: TaskId(*id), site: "src/e.rs:3".to_owned(), waited_ms: 20 };
    LockReport {
        name: "event listeners".into(),
        site: "src/d.rs:1".to_owned(),
        held: true,
        holder: holder.map(TaskId),
        held_ms: Some(1500),
        holder_site: Some("src/e.rs:2".to_owned()),
        waiters: waiters.iter().map(waiter).collect(),
        acquisitions: 5,
        contended: 1,
        longest_hold_us: 0,
        longest_wait_us: 0,
    }
}

fn decoded(stacks: &Stacks) -> Profile {
    let mut message = Vec::new();
    flate2::read::GzDecoder::new(&stacks.encode(5)[..]).read_to_end(&mut message).unwrap();
    Profile::decode(&message[..]).unwrap()
}

/// Names, places and values of a sample of a decoded profile, and its labels.
fn told(profile: &Profile, at: usize) -> (Vec<String>, Vec<i64>, Vec<String>) {
    let text = |number: i64| profile.texts[usize::try_from(number).unwrap()].as_str();
    let sample = &profile.samples[at];
    let frames = sample.locations.iter().map(|id| {
        let location = profile.locations.iter().find(|location| location.id == *id).unwrap();
        let line = location.lines[0];
        let function = profile.functions.iter().find(|function| function.id == line.function).unwrap();
        format!("{} {}:{}", text(function.name), text(function.file_name), line.line)
    });
    let labels = sample.labels.iter().map(|label| format!("{}={}", text(label.key), text(label.text)));
    (frames.collect(), sample.values.clone(), labels.collect())
}

#[test]
fn a_task_is_a_stack_of_what_it_waits_for_its_frames_and_its_start() {
    let tasks = [waiting(2, "peer 1.2.3.4:5"), waiting(3, "peer 1.2.3.4:5"), waiting(4, "peer 1.2.3.4:6")];
    let profile = decoded(&goroutine(&tasks));
    assert_eq!(profile.texts[0], "");
    assert_eq!((profile.samples.len(), profile.time_ns, profile.types.len()), (2, 5, 1));
    let (frames, values, labels) = told(&profile, 0);
    let expected =
        ["queue \"to peer *\" or timer src/b.rs:1", "read a block src/c.rs:9", "peer * src/a.rs:7"];
    assert_eq!(frames, expected);
    assert_eq!(values, [2]);
    let torrent = format!("torrent={}", "ab".repeat(20));
    assert_eq!(labels, ["task=peer 1.2.3.4:5", &torrent, "peer=10.0.0.7:51413"]);
    // Those of like name, and wait, share everything but the label.
    assert_eq!((profile.locations.len(), profile.functions.len()), (3, 3));
}

#[test]
fn tasks_that_ended_are_no_stacks_and_names_act_on_no_terminal() {
    let tasks = [
        task(1, "a", TaskState::Finished),
        task(2, "b", TaskState::Panicked("c".to_owned())),
        task(3, "d \u{1b}[2J", TaskState::Running),
    ];
    let profile = decoded(&goroutine(&tasks));
    assert_eq!(profile.samples.len(), 1);
    assert_eq!(told(&profile, 0).0, ["running src/a.rs:7", "d ␛[*J src/a.rs:7"]);
    assert!(profile.texts.iter().all(|text| !text.contains('\u{1b}')), "{:?}", profile.texts);
}

#[test]
fn a_held_lock_is_a_stack_of_who_took_it() {
    let tasks = [waiting(2, "peer 1.2.3.4:5")];
    let free = LockReport { held: false, ..lock(None, &[]) };
    let profile = decoded(&lock_holders(&[lock(Some(2), &[]), free, lock(None, &[])], &tasks));
    assert_eq!((profile.samples.len(), profile.types.len()), (2, 2));
    let (frames, values, labels) = told(&profile, 0);
    let expected = ["lock \"event listeners\" src/e.rs:2", "read a block src/c.rs:9", "peer * src/a.rs:7"];
    assert_eq!(frames, expected);
    assert_eq!(values, [1, 1_500_000_000]);
    assert_eq!(labels[..2], ["lock=event listeners", "task=peer 1.2.3.4:5"]);
    let (frames, _, labels) = told(&profile, 1);
    assert_eq!((frames.len(), labels.len()), (1, 1), "a thread that nobody here started");
}

#[test]
fn whoever_waits_for_a_lock_is_a_stack_with_its_delay() {
    let tasks = [waiting(2, "a"), waiting(3, "b")];
    let profile = decoded(&lock_blockers(&[lock(Some(2), &[3, 9])], &tasks));
    let (frames, values, labels) = told(&profile, 0);
    assert_eq!(frames[0], "lock \"event listeners\" src/e.rs:3");
    assert_eq!((frames.len(), values), (3, vec![1, 20_000_000]));
    assert_eq!(labels[1], "task=b");
    assert_eq!(told(&profile, 1).0.len(), 1, "one that ended meanwhile");
}
