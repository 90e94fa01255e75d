//! One block a task, as in Go's `goroutine?debug=2`: everything that is known of each.

use std::fmt::Write as _;

use super::{seconds, shown};
use crate::contract::{TaskKind, TaskReport, TaskState};

/// All tasks, each as a block of lines with an empty line after it.
pub fn blocks(tasks: &[TaskReport]) -> String {
    let mut text = String::new();
    for task in tasks {
        block(&mut text, task);
        text.push('\n');
    }
    text
}

fn block(text: &mut String, task: &TaskReport) {
    let TaskReport {
        id,
        name,
        kind,
        site,
        parent,
        torrent,
        peer,
        age_ms,
        polls,
        busy_us,
        ready_us,
        longest_poll_us,
        wakes,
        poll_ms,
        state,
        waits,
        waited_ms,
        frames,
    } = task;
    let kind = match kind {
        TaskKind::Task => "task",
        TaskKind::Blocking => "blocking",
        TaskKind::Thread => "thread",
    };
    let since = waited_ms.or(*poll_ms).map(|millis| format!(", {}", seconds(millis))).unwrap_or_default();
    let _ = writeln!(text, "{kind} {} \"{}\" [{}{since}]:", id.0, shown(name), state_words(state));
    for wait in waits {
        let on = wait.on.as_ref().map(|on| format!(" \"{}\"", shown(on))).unwrap_or_default();
        let _ = writeln!(text, "  waits for {}{on}\n    {}", wait.kind.words(), wait.site);
    }
    for frame in frames {
        let _ = writeln!(text, "  in {}\n    {}", shown(&frame.name), frame.site);
    }
    let parent = parent.map(|parent| format!(" by {}", parent.0)).unwrap_or_default();
    let _ = writeln!(text, "  started{parent}\n    {site}");
    if let Some(torrent) = torrent {
        let _ = writeln!(text, "  torrent {torrent}");
    }
    if let Some(peer) = peer {
        let _ = writeln!(text, "  peer {peer}");
    }
    let _ = writeln!(
        text,
        "  age {}, polls {polls}, wakes {wakes}, busy {busy_us} us, ready {ready_us} us, longest poll {longest_poll_us} us",
        seconds(*age_ms)
    );
}

fn state_words(state: &TaskState) -> String {
    match state {
        TaskState::Waiting => "waiting".to_owned(),
        TaskState::Ready => "ready".to_owned(),
        TaskState::Running => "running".to_owned(),
        TaskState::Finished => "finished".to_owned(),
        TaskState::Panicked(panic) => format!("panicked: {}", shown(panic)),
        TaskState::Aborted => "aborted".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::profiles::tests::{task, waiting};
    use super::*;

    #[test]
    fn a_block_says_all_that_is_known_of_a_task() {
        let panicked = TaskState::Panicked("at \u{1b}[2J".to_owned());
        let text = blocks(&[waiting(12, "peer 10.0.0.7:51413"), task(13, "b", panicked)]);
        let expected = "\
task 12 \"peer 10.0.0.7:51413\" [waiting, 7.2s]:
  waits for queue \"to peer 10.0.0.7:51413\"
    src/b.rs:1
  waits for timer
    src/b.rs:2
  in read a block
    src/c.rs:9
  started by 1
    src/a.rs:7
  torrent abababababababababababababababababababab
  peer 10.0.0.7:51413
  age 60.0s, polls 2, wakes 3, busy 1500 us, ready 10 us, longest poll 1000 us

task 13 \"b\" [panicked: at ␛[2J]:
  started
    src/a.rs:7
  age 60.0s, polls 2, wakes 3, busy 1500 us, ready 10 us, longest poll 1000 us

";
        assert_eq!(text, expected);
    }
}
