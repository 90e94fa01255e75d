//! The report of all torrents: every owner is asked, and none is waited for longer than a bound.
//!
//! It needs the runtime of the asker only. Where the task that keeps the list, or an owner, does not answer, what was
//! published last stands in its place; so a report comes also while every worker of the engine's runtime is held.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Handle;
use crate::contract::{
    Answer, Command, FailureKind, OwnerSays, PieceRun, PieceRuns, StatusReport, TorrentDetail, TorrentInside,
    TorrentReport, TorrentRow, TorrentVitals,
};
use crate::inspect;
use crate::limits::{
    STATUS_CONTROL_WAIT, STATUS_OWNER_WAIT, STATUS_OWNERS_AT_ONCE, STATUS_OWNERS_WAIT, STATUS_RUNS_MAX,
};

/// Asks everybody.
pub(super) async fn gather(handle: &Handle) -> StatusReport {
    let asked = Instant::now();
    let control = inspect::timeout(STATUS_CONTROL_WAIT, handle.ask(Command::Status)).await;
    let snapshot = handle.snapshots().latest();
    let control_silent_ms = control.is_err().then(|| millis(asked.elapsed()));
    let (mut at, mut engine) = (snapshot.at, snapshot.engine.clone());
    if let Ok(Ok(Answer::Status { at: now, engine: status })) = control {
        (at, engine) = (now, status);
    }
    let mut rows = snapshot.torrents.clone();
    rows.sort_by_key(|row| std::cmp::Reverse(row.wanted_bytes.saturating_sub(row.done_bytes)));
    let deadline = Instant::now() + STATUS_OWNERS_WAIT;
    let mut torrents = Vec::with_capacity(rows.len());
    for some in rows.chunks(STATUS_OWNERS_AT_ONCE) {
        if control_silent_ms.is_some() || Instant::now() >= deadline {
            let not_asked =
                |row: &Arc<TorrentRow>| TorrentReport { row: Arc::clone(row), owner: OwnerSays::NotAsked };
            torrents.extend(some.iter().map(not_asked));
            continue;
        }
        torrents.extend(futures_util::future::join_all(some.iter().map(|row| torrent(handle, row))).await);
    }
    let (stuck, owners) = (inspect::stuck(), inspect::owners());
    StatusReport { at, engine, control_silent_ms, stuck, owners, torrents }
}

async fn torrent(handle: &Handle, row: &Arc<TorrentRow>) -> TorrentReport {
    let asked = Instant::now();
    let (row, owner) = match inspect::timeout(STATUS_OWNER_WAIT, handle.ask(Command::Vitals(row.id))).await {
        Ok(Ok(Answer::Vitals(detail, vitals))) => {
            (&detail.row.clone(), OwnerSays::Inside(Box::new(inside(&detail, *vitals))))
        }
        Ok(Ok(_) | Err(_)) => (row, OwnerSays::Gone),
        Err(_elapsed) => (row, OwnerSays::Silent { waited_ms: millis(asked.elapsed()) }),
    };
    TorrentReport { row: Arc::clone(row), owner }
}

fn inside(detail: &TorrentDetail, vitals: TorrentVitals) -> TorrentInside {
    let mut blocked = BTreeMap::new();
    for run in detail.runs.iter() {
        if let Some(why) = run.blocked {
            *blocked.entry(why).or_default() += u64::from(run.length);
        }
    }
    let mut failures = BTreeMap::new();
    for kind in detail.log.iter().filter_map(|line| FailureKind::of(&line.event.kind)) {
        *failures.entry(kind).or_default() += 1;
    }
    TorrentInside {
        log_events: detail.log.len() as u64,
        failures: failures.into_iter().collect(),
        piece_length: detail.piece_length,
        save_dir: detail.save_dir.clone(),
        private: detail.private,
        files: detail.files.len() as u64,
        piece_states: piece_states(&detail.runs),
        blocked: blocked.into_iter().collect(),
        rarest_availability: detail.rarest_availability,
        trackers: detail.trackers.clone(),
        webseeds: detail.webseeds.clone(),
        peers: detail.peers.clone(),
        vitals,
    }
}

/// Runs as counts and letters, the first ones: `3C 12.`.
fn piece_states(runs: &PieceRuns) -> String {
    // Runs that differ in more than their letters are one here.
    let mut merged: Vec<(String, u64)> = Vec::new();
    let mut rest = "";
    for run in runs.iter() {
        let (letters, is_full) = (letters(&run), merged.len() == STATUS_RUNS_MAX);
        match merged.last_mut() {
            Some((same, count)) if *same == letters => *count += u64::from(run.length),
            Some(_) | None if is_full => {
                rest = " and more";
                break;
            }
            Some(_) | None => merged.push((letters, u64::from(run.length))),
        }
    }
    let shown: Vec<_> = merged.iter().map(|(letters, count)| format!("{count}{letters}")).collect();
    shown.join(" ") + rest
}

fn letters(run: &PieceRun) -> String {
    let whole = match () {
        () if run.checking => "c",
        () if run.have => "C",
        () if run.unknown => "?",
        () if !run.priority.is_wanted() => "-",
        () if run.requested || run.partial => "",
        () if run.blocked.is_some() => "!",
        () => ".",
    };
    let (requested, partial) = (if run.requested { "R" } else { "" }, if run.partial { "P" } else { "" });
    [whole, requested, partial].concat()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::contract::{
        Blocked, EngineStatus, Event, EventKind, LogLine, OwnerReport, PieceLevel, Snapshot, TaskId, TaskName,
    };
    use crate::units::{PieceIndex, Time, TorrentId};

    fn run(start: u32, length: u32) -> PieceRun {
        PieceRun {
            start: PieceIndex(start),
            length,
            priority: PieceLevel::Normal,
            have: false,
            partial: false,
            checking: false,
            unknown: false,
            unverified: false,
            requested: false,
            blocked: None,
        }
    }

    #[test]
    fn runs_are_counts_and_letters_and_end_at_a_bound() {
        let runs = PieceRuns::from_parts(vec![
            [
                PieceRun { have: true, ..run(0, 3) },
                PieceRun { have: true, unverified: true, ..run(3, 1) },
                PieceRun { requested: true, partial: true, ..run(4, 2) },
                PieceRun { blocked: Some(Blocked::NoSource), ..run(6, 1) },
                PieceRun { priority: PieceLevel::Off, ..run(7, 5) },
                run(12, 1),
            ]
            .into(),
        ]);
        assert_eq!(piece_states(&runs), "4C 2RP 1! 5- 1.");
        let many: Vec<_> =
            (0..1000u32).map(|piece| PieceRun { have: piece % 2 == 0, ..run(piece, 1) }).collect();
        let text = piece_states(&PieceRuns::from_parts(vec![many.into()]));
        assert_eq!(text.split(' ').count(), STATUS_RUNS_MAX + 2, "{text}");
        assert!(text.ends_with("1. and more"), "{text}");
    }

    fn row(id: u8, wanted_bytes: u64) -> Arc<TorrentRow> {
        let text = format!(
            r#"{{"id":"{}","name":"t{id}","state":"downloading","cause":null,"done_bytes":0,"wanted_bytes":{wanted_bytes},
            "total_bytes":9,"order":{{"sequence":"rarest","first_last":"no"}},"down_bps":0,"up_bps":0,"downloaded_bytes":0,
            "uploaded_bytes":0,"peers":{{"connected":0,"seeds":0,"half_open":0,"unchoked_us":0,"known":0}},
            "webseeds":{{"active":0,"backing_off":0}},"pieces":{{"total":1,"have":0,"wanted":1,"requestable":0,"requested":0,
            "checking":0,"unknown":0}},"requests_in_flight":0,"disk_queue_bytes":0,"wasted_bytes":0,"listen_port":7,
            "added_unix_s":0}}"#,
            TorrentId([id; 20])
        );
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value["order"] = serde_json::to_value(crate::contract::DownloadOrder::default()).unwrap();
        Arc::new(serde_json::from_value(value).unwrap())
    }

    #[test]
    fn what_failed_lately_and_the_lag_of_the_owner_are_told() {
        let failed = EventKind::PieceFailed { piece: PieceIndex(3), contributors: 2 };
        let banned =
            EventKind::PeerBanned { address: ([127, 0, 0, 1], 7).into(), reason: "it lied".to_owned() };
        let line = |kind| LogLine { unix_s: 0, event: Event { at: Time::ZERO, torrent: None, kind } };
        let detail = TorrentDetail {
            row: row(1, 5),
            piece_length: 16384,
            save_dir: PathBuf::from("/srv"),
            comment: None,
            private: false,
            files: Vec::new(),
            peers: Vec::new(),
            trackers: Vec::new(),
            webseeds: Vec::new(),
            runs: PieceRuns::from_parts(Vec::new()),
            rarest_availability: None,
            log: [failed.clone(), EventKind::Completed, banned, failed].map(line).to_vec(),
        };
        let site = "src/a.rs:1".to_owned();
        let task = TaskName { id: TaskId(9), name: "owner of t1".into(), site, torrent: Some(detail.row.id) };
        let owner = OwnerReport {
            task: task.clone(),
            depth: 3,
            oldest_ms: Some(7),
            turns: 90,
            turn_ms: None,
            longest_turn_us: 1400,
            longest_turn_input: "Verified".into(),
            latest_us: 5,
        };
        let budget = OwnerReport {
            task: TaskName { name: "budget".into(), torrent: None, ..task },
            oldest_ms: None,
            turn_ms: Some(60),
            ..owner.clone()
        };
        let says = OwnerSays::Inside(Box::new(inside(&detail, TorrentVitals::default())));
        let report = StatusReport {
            at: Time::ZERO,
            engine: EngineStatus::default(),
            control_silent_ms: None,
            stuck: Vec::new(),
            owners: vec![budget, owner],
            torrents: vec![TorrentReport { row: detail.row, owner: says }],
        };
        let text = crate::report::status(&report);
        for line in [
            "Owner \"budget\": 3 wait, in a turn for 60 ms; 90 turns, the longest 1400 us (Verified), late by 5 us at most",
            "Owner: 3 wait, the oldest for 7 ms; 90 turns, the longest 1400 us (Verified), late by 5 us at most",
            "Among its last 4 events: pieces failed their hash 2, peers banned 1",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}: {text}");
        }
    }

    #[tokio::test]
    async fn an_owner_that_says_nothing_is_named_and_holds_up_no_other() {
        let (handle, mut ends) = Handle::new(7);
        let snapshot = Snapshot { torrents: vec![row(1, 5), row(2, 9), row(3, 7)], ..Snapshot::default() };
        ends.snapshots.set(Arc::new(snapshot));
        inspect::spawn("engine of the test", async move {
            let mut kept = Vec::new();
            while let Some(request) = ends.requests.recv().await {
                match request.command {
                    Command::Status => {
                        request.reply.send(Ok(Answer::Status { at: Time::ZERO, engine: Default::default() }));
                    }
                    Command::Vitals(torrent) if torrent == TorrentId([2; 20]) => kept.push(request.reply),
                    _ => request.reply.send(Err(crate::contract::Refusal::new("gone"))),
                }
            }
        })
        .detach();
        let Ok(Answer::Report(report)) = handle.request(Command::Report).await else { panic!("no report") };
        let order: Vec<_> = report.torrents.iter().map(|torrent| torrent.row.id.0[0]).collect();
        assert_eq!(order, [2, 3, 1], "most bytes left first");
        assert!(matches!(report.torrents[0].owner, OwnerSays::Silent { waited_ms: 500.. }), "{report:?}");
        assert!(matches!(report.torrents[1].owner, OwnerSays::Gone), "{report:?}");
        assert_eq!(report.control_silent_ms, None);
    }

    #[tokio::test]
    async fn where_control_is_stuck_the_rows_come_all_the_same() {
        let (handle, ends) = Handle::new(7);
        ends.snapshots.set(Arc::new(Snapshot { torrents: vec![row(1, 5)], ..Snapshot::default() }));
        let report = gather(&handle).await;
        assert!(report.control_silent_ms >= Some(500), "{report:?}");
        assert!(matches!(report.torrents[0].owner, OwnerSays::NotAsked));
        let text = crate::report::status(&report);
        assert!(text.contains("\"control\" HAS NOT ANSWERED for 5"), "{text}");
        assert!(text.contains("# Torrents: 1 (1 incomplete)\n\nt1\n0.000000% of 5 wanted bytes"), "{text}");
    }
}
