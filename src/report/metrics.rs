//! What Prometheus reads (text format 0.0.4). The names are a contract: [`NAMES`] lists them all, and the README too.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use super::{pattern, shown};
use crate::contract::{
    LockReport, QueueReport, SemaphoreReport, Snapshot, TaskReport, TaskState, TorrentRow, TorrentState,
};
use crate::limits::METRICS_TORRENTS_MAX;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Measured<'a> {
    /// The engine, as it was published last.
    pub snapshot: &'a Snapshot,
    /// How many things do not go on.
    pub stuck: usize,
    /// All tasks.
    pub tasks: &'a [TaskReport],
    /// All queues.
    pub queues: &'a [QueueReport],
    /// All locks.
    pub locks: &'a [LockReport],
    /// All semaphores.
    pub semaphores: &'a [SemaphoreReport],
}

const GAUGE: &str = "gauge";
const COUNTER: &str = "counter";

/// Every name, its kind and what it means.
pub const NAMES: &[(&str, &str, &str)] = &[
    ("unchoke_build_info", GAUGE, "1, with the version as a label"),
    ("unchoke_uptime_seconds", GAUGE, "Seconds that the engine runs"),
    ("unchoke_torrents", GAUGE, "Torrents of the list, by state"),
    ("unchoke_torrents_left_out", GAUGE, "Torrents that have no series of their own: the list is too long"),
    ("unchoke_download_bytes_per_second", GAUGE, "Payload from all peers and webseeds"),
    ("unchoke_upload_bytes_per_second", GAUGE, "Payload to all peers"),
    ("unchoke_disk_queue_bytes", GAUGE, "Bytes that wait for a disk thread"),
    ("unchoke_disk_free_bytes", GAUGE, "Free bytes where payload is saved"),
    (
        "unchoke_stuck",
        GAUGE,
        "Things that do not go on: held tasks and locks, jammed queues, lost wake-ups, deadlocks",
    ),
    ("unchoke_tasks", GAUGE, "Tasks and threads, by state"),
    ("unchoke_task_panics", GAUGE, "Panics among the tasks that ended lately"),
    (
        "unchoke_queue_items",
        GAUGE,
        "Items inside, by queue; numbers in names are stars and like queues one series",
    ),
    ("unchoke_queue_capacity", GAUGE, "Items that fit, by queue"),
    (
        "unchoke_queue_refused",
        GAUGE,
        "How often a sender found it full, by queue, of queues that are there now",
    ),
    ("unchoke_locks_held", GAUGE, "Locks that are held at this moment"),
    ("unchoke_lock_waiters", GAUGE, "Tasks that wait for a lock at this moment"),
    ("unchoke_semaphore_taken", GAUGE, "Permits that are out, by semaphore"),
    ("unchoke_semaphore_permits", GAUGE, "Permits there are, by semaphore"),
    ("unchoke_torrent_info", GAUGE, "1, with name and state as labels"),
    ("unchoke_torrent_downloaded_bytes_total", COUNTER, "Payload ever received, over all runs"),
    ("unchoke_torrent_uploaded_bytes_total", COUNTER, "Payload ever sent, over all runs"),
    (
        "unchoke_torrent_wasted_bytes_total",
        COUNTER,
        "Bytes that were of no use: duplicates, unasked for, of failed pieces",
    ),
    (
        "unchoke_torrent_hash_failures_total",
        COUNTER,
        "Pieces that came whole and failed their hash, in this run",
    ),
    ("unchoke_torrent_download_bytes_per_second", GAUGE, "Payload in"),
    ("unchoke_torrent_upload_bytes_per_second", GAUGE, "Payload out"),
    ("unchoke_torrent_done_bytes", GAUGE, "Bytes of wanted files that are here and verified"),
    ("unchoke_torrent_wanted_bytes", GAUGE, "Bytes of wanted files"),
    ("unchoke_torrent_total_bytes", GAUGE, "Bytes of all files"),
    ("unchoke_torrent_requests_in_flight", GAUGE, "Block requests on the wire to peers"),
    ("unchoke_torrent_disk_queue_bytes", GAUGE, "Bytes of it that wait for a disk thread"),
    (
        "unchoke_torrent_peers",
        GAUGE,
        "Peers, by kind: connected, seeds, half_open, unchoked_us, known, banned",
    ),
    ("unchoke_torrent_webseeds", GAUGE, "Webseeds, by kind: active, backing_off"),
    (
        "unchoke_torrent_pieces",
        GAUGE,
        "Pieces, by kind: total, have, wanted, requestable, requested, checking, unknown",
    ),
];

/// Everything as Prometheus' text.
pub fn metrics(measured: &Measured<'_>) -> String {
    let mut page = Page::default();
    program(&mut page, measured);
    inside(&mut page, measured);
    for row in measured.snapshot.torrents.iter().take(METRICS_TORRENTS_MAX) {
        torrent(&mut page, row);
    }
    page.finish()
}

fn program(page: &mut Page, measured: &Measured<'_>) {
    let Snapshot { at, engine, torrents, detail: _ } = measured.snapshot;
    page.put("unchoke_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.put("unchoke_uptime_seconds", &[], at.as_micros() / 1_000_000);
    let states = [
        TorrentState::Metadata,
        TorrentState::Checking,
        TorrentState::Downloading,
        TorrentState::Seeding,
        TorrentState::Finished,
        TorrentState::Paused,
        TorrentState::Error,
    ];
    for state in states {
        let count = torrents.iter().filter(|row| row.state == state).count();
        page.put("unchoke_torrents", &[("state", state.word())], count);
    }
    page.put("unchoke_torrents_left_out", &[], torrents.len().saturating_sub(METRICS_TORRENTS_MAX));
    page.put("unchoke_download_bytes_per_second", &[], engine.down_bps.0);
    page.put("unchoke_upload_bytes_per_second", &[], engine.up_bps.0);
    page.put("unchoke_disk_queue_bytes", &[], engine.disk_queue_bytes);
    if let Some(free) = engine.disk_free_bytes {
        page.put("unchoke_disk_free_bytes", &[], free);
    }
    page.put("unchoke_stuck", &[], measured.stuck);
}

fn inside(page: &mut Page, measured: &Measured<'_>) {
    let (mut waiting, mut ready, mut running, mut panics) = (0, 0, 0, 0);
    for task in measured.tasks {
        match task.state {
            TaskState::Waiting => waiting += 1,
            TaskState::Ready => ready += 1,
            TaskState::Running => running += 1,
            TaskState::Panicked(_) => panics += 1,
            TaskState::Finished | TaskState::Aborted => {}
        }
    }
    for (state, count) in [("waiting", waiting), ("ready", ready), ("running", running)] {
        page.put("unchoke_tasks", &[("state", state)], count);
    }
    page.put("unchoke_task_panics", &[], panics);
    let mut queues: BTreeMap<String, [u64; 3]> = BTreeMap::new();
    for queue in measured.queues {
        let sums = queues.entry(shown(&pattern(&queue.name))).or_default();
        sums.iter_mut().zip([queue.depth, queue.capacity, queue.full]).for_each(|(sum, value)| *sum += value);
    }
    for (name, [depth, capacity, refused]) in &queues {
        page.put("unchoke_queue_items", &[("queue", name)], depth);
        page.put("unchoke_queue_capacity", &[("queue", name)], capacity);
        page.put("unchoke_queue_refused", &[("queue", name)], refused);
    }
    page.put("unchoke_locks_held", &[], measured.locks.iter().filter(|lock| lock.held).count());
    page.put(
        "unchoke_lock_waiters",
        &[],
        measured.locks.iter().map(|lock| lock.waiters.len()).sum::<usize>(),
    );
    let mut semaphores: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    for semaphore in measured.semaphores {
        let sums = semaphores.entry(shown(&pattern(&semaphore.name))).or_default();
        sums.iter_mut().zip([semaphore.taken, semaphore.permits]).for_each(|(sum, value)| *sum += value);
    }
    for (name, [taken, permits]) in &semaphores {
        page.put("unchoke_semaphore_taken", &[("semaphore", name)], taken);
        page.put("unchoke_semaphore_permits", &[("semaphore", name)], permits);
    }
}

fn torrent(page: &mut Page, row: &TorrentRow) {
    let id = row.id.to_string();
    let mine = ("info_hash", id.as_str());
    page.put("unchoke_torrent_info", &[mine, ("name", &row.name.shown()), ("state", row.state.word())], 1);
    page.put("unchoke_torrent_downloaded_bytes_total", &[mine], row.downloaded_bytes);
    page.put("unchoke_torrent_uploaded_bytes_total", &[mine], row.uploaded_bytes);
    page.put("unchoke_torrent_wasted_bytes_total", &[mine], row.wasted_bytes);
    page.put("unchoke_torrent_hash_failures_total", &[mine], row.hash_failures);
    page.put("unchoke_torrent_download_bytes_per_second", &[mine], row.down_bps.0);
    page.put("unchoke_torrent_upload_bytes_per_second", &[mine], row.up_bps.0);
    page.put("unchoke_torrent_done_bytes", &[mine], row.done_bytes);
    page.put("unchoke_torrent_wanted_bytes", &[mine], row.wanted_bytes);
    page.put("unchoke_torrent_total_bytes", &[mine], row.total_bytes);
    page.put("unchoke_torrent_requests_in_flight", &[mine], row.requests_in_flight);
    page.put("unchoke_torrent_disk_queue_bytes", &[mine], row.disk_queue_bytes);
    let peers = row.peers;
    for (kind, count) in [
        ("connected", peers.connected),
        ("seeds", peers.seeds),
        ("half_open", peers.half_open),
        ("unchoked_us", peers.unchoked_us),
        ("known", peers.known),
        ("banned", peers.banned),
    ] {
        page.put("unchoke_torrent_peers", &[mine, ("kind", kind)], count);
    }
    for (kind, count) in [("active", row.webseeds.active), ("backing_off", row.webseeds.backing_off)] {
        page.put("unchoke_torrent_webseeds", &[mine, ("kind", kind)], count);
    }
    let pieces = row.pieces;
    for (kind, count) in [
        ("total", pieces.total),
        ("have", pieces.have),
        ("wanted", pieces.wanted),
        ("requestable", pieces.requestable),
        ("requested", pieces.requested),
        ("checking", pieces.checking),
        ("unknown", pieces.unknown),
    ] {
        page.put("unchoke_torrent_pieces", &[mine, ("kind", kind)], count);
    }
}

/// Lines by name: the format wants all of one name side by side.
#[derive(Default)]
struct Page {
    lines: BTreeMap<&'static str, String>,
}

impl Page {
    fn put(&mut self, name: &'static str, labels: &[(&str, &str)], value: impl Display) {
        debug_assert!(NAMES.iter().any(|(known, _, _)| *known == name), "{name} is in no list");
        let lines = self.lines.entry(name).or_default();
        lines.push_str(name);
        for (at, (key, text)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            let _ = write!(lines, "{open}{key}=\"{}\"", escaped(text));
        }
        if !labels.is_empty() {
            lines.push('}');
        }
        let _ = writeln!(lines, " {value}");
    }

    fn finish(self) -> String {
        let mut text = String::new();
        for (name, kind, meaning) in NAMES {
            if let Some(lines) = self.lines.get(name) {
                let _ = write!(text, "# HELP {name} {meaning}\n# TYPE {name} {kind}\n{lines}");
            }
        }
        text
    }
}

/// A label's text between its quotes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::QueueKind;

    fn queue(name: &str, depth: u64) -> QueueReport {
        QueueReport {
            name: name.to_owned().into(),
            site: "src/a.rs:1".to_owned(),
            kind: QueueKind::Channel,
            depth,
            capacity: 10,
            sends: 3,
            full: 1,
            high_water: 2,
            full_ms: None,
            oldest_ms: None,
            receiver: None,
            senders: Vec::new(),
        }
    }

    #[test]
    fn like_queues_are_one_series_under_one_head_and_labels_are_escaped() {
        let queues = [queue("to peer 1.2.3.4:5", 2), queue("to peer 1.2.3.4:6", 3), queue("a \"b\"\\", 1)];
        let text = metrics(&Measured {
            snapshot: &Snapshot::default(),
            stuck: 2,
            tasks: &[],
            queues: &queues,
            locks: &[],
            semaphores: &[],
        });
        let of = |name: &str| {
            text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name)).collect::<Vec<_>>()
        };
        assert_eq!(
            of("unchoke_queue_items"),
            [r#"unchoke_queue_items{queue="a \"b\"\\"} 1"#, r#"unchoke_queue_items{queue="to peer *"} 5"#]
        );
        assert_eq!(of("unchoke_stuck"), ["unchoke_stuck 2"]);
        assert_eq!(text.matches("# TYPE unchoke_queue_items gauge\n").count(), 1);
        // A name is followed by all its lines, and by no other's.
        let heads = text.lines().filter(|line| line.starts_with("# TYPE")).count();
        let names =
            text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(['{', ' ']).next());
        let mut names: Vec<_> = names.collect();
        names.dedup();
        assert_eq!(names.len(), heads);
    }

    #[test]
    fn the_readme_has_every_name() {
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
        let missing: Vec<_> = NAMES
            .iter()
            .map(|(name, _, _)| *name)
            .filter(|name| !readme.contains(&format!("`{name}`")))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
