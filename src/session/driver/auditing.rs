//! The debug switch: while it is on, a torrent's state is compared with what follows from scratch, a little at a time.
//!
//! It costs each torrent `limits::AUDIT_BUDGET` every `limits::AUDIT_INTERVAL`, whatever its size. A difference is an
//! event and changes nothing: the program that shows it can still be looked at.

use std::collections::BTreeSet;

use super::Driver;
use crate::contract::{EventKind, Untrusted};
use crate::inspect;
use crate::limits;
use crate::units::Time;

/// What a driver keeps for its comparisons.
pub(super) struct Auditing {
    wanted: inspect::WatchReceiver<bool>,
    next_at: Time,
    told: BTreeSet<String>,
}

impl Auditing {
    pub(super) fn new(wanted: inspect::WatchReceiver<bool>) -> Self {
        Self { wanted, next_at: Time::ZERO, told: BTreeSet::new() }
    }

    /// When the next comparison is due; `None` while the switch is off.
    pub(super) fn next_at(&mut self) -> Option<Time> {
        self.wanted.latest().then_some(self.next_at)
    }

    /// Waits until the switch is moved.
    pub(super) async fn switched(&mut self) {
        if self.wanted.changed().await.is_err() {
            // Nobody can move it any more.
            std::future::pending::<()>().await;
        }
    }

    /// Where it is due, steps until the budget is spent; gives the differences that were not given before.
    fn round(&mut self, clock: impl Fn() -> Time, mut step: impl FnMut() -> Option<String>) -> Vec<String> {
        let began = clock();
        if self.next_at().is_none_or(|due| began < due) {
            return Vec::new();
        }
        let mut found = Vec::new();
        loop {
            let is_new =
                |what: &String| self.told.len() < limits::AUDIT_TOLD_MAX && self.told.insert(what.clone());
            found.extend(step().filter(is_new));
            let now = clock();
            if now.since(began) >= limits::AUDIT_BUDGET {
                self.next_at = now + limits::AUDIT_INTERVAL;
                return found;
            }
        }
    }
}

impl Driver {
    /// Compares for a moment, between turns: what is derived holds then.
    pub(super) fn audit(&mut self) {
        let (auditing, torrent, clock) = (&mut self.auditing, &mut self.torrent, &self.outside.shared.clock);
        let step = || torrent.audit_some(clock.now(), limits::AUDIT_PIECES_PER_STEP);
        for what in auditing.round(|| clock.now(), step) {
            self.tell(EventKind::Inconsistent { what: Untrusted::new(what) });
        }
    }
}

#[cfg(test)]
impl Driver {
    /// A bug leaves something derived of a piece wrong.
    pub(super) fn spoil(&mut self, piece: crate::units::PieceIndex) -> &'static str {
        self.torrent.spoil(piece);
        "spoilt"
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::contract::{AddRequest, Answer, Command, Source, TorrentState};
    use crate::metainfo::{Kind, create};
    use crate::session::directory::Directory;
    use crate::session::driver::ToDriver;
    use crate::session::start::{Running, start_with_directory};
    use crate::session::{Handle, Settings};
    use crate::units::{PieceIndex, TorrentId};

    /// A round at this time in which each step takes a quarter of the budget and finds `find`.
    fn round(auditing: &mut Auditing, at: Time, find: impl Fn(u32) -> Option<String>) -> (u32, Vec<String>) {
        let steps = Cell::new(0);
        let clock = || at + limits::AUDIT_BUDGET / 4 * steps.get();
        let step = || {
            steps.set(steps.get() + 1);
            find(steps.get())
        };
        let found = auditing.round(clock, step);
        (steps.get(), found)
    }

    #[tokio::test]
    async fn the_switch_is_heeded_the_budget_kept_and_each_difference_told_once() {
        let (switch, wanted) = inspect::watch("switch", false);
        let mut auditing = Auditing::new(wanted);
        let wrong = |_| Some("piece 3 is wrong".to_owned());
        let start = Time::from_micros(5_000_000);
        assert_eq!((auditing.next_at(), round(&mut auditing, start, wrong).0), (None, 0));
        switch.set(true);
        auditing.switched().await;
        let (steps, found) = round(&mut auditing, start, wrong);
        assert_eq!((steps, &found[..]), (4, &["piece 3 is wrong".to_owned()][..]));
        let next = auditing.next_at().unwrap();
        assert_eq!(next, start + limits::AUDIT_BUDGET + limits::AUDIT_INTERVAL);
        assert_eq!(round(&mut auditing, start + limits::AUDIT_BUDGET, wrong).0, 0, "not due yet");
        assert_eq!(round(&mut auditing, next, wrong), (4, Vec::new()), "told before");
    }

    /// An engine in a folder of its own, and a torrent of twenty pieces added to it.
    async fn engine(folder: &Path) -> (Handle, Running, Directory, TorrentId) {
        let (handle, running, directory) =
            start_with_directory(Settings::on_loopback(folder)).await.expect("it starts");
        let payload = vec![7; 20 * 16_384];
        let torrent = create::from_memory("bundle", 16_384, &[("a.bin", &payload)], Kind::V1).expect("valid");
        let request = Command::Add(Box::new(AddRequest::of(Source::Bytes(torrent))));
        match handle.request(request).await.expect("it is added") {
            Answer::Added { torrent, .. } => (handle, running, directory, torrent),
            other => panic!("{other:?}"),
        }
    }

    async fn reach(handle: &Handle, state: TorrentState) {
        let mut snapshots = handle.snapshots();
        let there = snapshots.wait_until(|now| now.torrents.iter().any(|row| row.state == state));
        tokio::time::timeout(Duration::from_secs(30), there).await.expect("in time").expect("it runs");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_difference_in_a_running_engine_is_told_once_the_switch_is_on_and_the_download_completes() {
        let (with_all, with_none) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let bundle = with_all.path().join("save/bundle");
        std::fs::create_dir_all(&bundle).unwrap();
        std::fs::write(bundle.join("a.bin"), vec![7; 20 * 16_384]).unwrap();
        let (seed, seed_runs, _directory, _torrent) = engine(with_all.path()).await;
        reach(&seed, TorrentState::Seeding).await;
        let (handle, running, directory, torrent) = engine(with_none.path()).await;
        let mut events = handle.events();
        let inbox = directory.inbox(torrent).unwrap();
        inbox.send(ToDriver::Spoil(PieceIndex(3))).await.unwrap();
        handle.request(Command::SetDebug(true)).await.unwrap();
        let told = async {
            loop {
                let event = events.recv().await.expect("the engine runs");
                if let EventKind::Inconsistent { what } = event.kind {
                    return (event.torrent, what.shown());
                }
            }
        };
        let (of, what) = tokio::time::timeout(Duration::from_secs(10), told).await.expect("it is told");
        assert_eq!(of, Some(torrent));
        assert!(what.starts_with("piece 3 in state Missing: its place in the order"), "{what}");
        let port = seed.snapshots().latest().engine.listen_port;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        handle.request(Command::AddPeer { torrent, address }).await.unwrap();
        reach(&handle, TorrentState::Seeding).await;
        for (handle, running) in [(seed, seed_runs), (handle, running)] {
            handle.request(Command::Shutdown).await.unwrap();
            running.ended().await.unwrap();
        }
    }

    #[test]
    fn a_flood_of_differences_ends() {
        let (_switch, wanted) = inspect::watch("switch", true);
        let mut auditing = Auditing::new(wanted);
        let mut told = 0;
        for number in 0..limits::AUDIT_TOLD_MAX {
            let at = auditing.next_at().unwrap();
            told += round(&mut auditing, at, |step| Some(format!("{number} {step}"))).1.len();
        }
        assert_eq!(told, limits::AUDIT_TOLD_MAX);
    }
}
