//! What becomes of a torrent of which a task panicked: it says so, and the others run on.

use std::sync::Arc;

use super::Control;
use crate::contract::{EventKind, PeerCounts, Severity, TorrentRow, TorrentState, Untrusted, WebseedCounts};
use crate::inspect::{self, TaskPanic};
use crate::session::budget::ToBudget;
use crate::units::{Rate, TorrentId};

impl Control {
    /// A task panicked, which is a bug of ours. Where it was the owner of a torrent, that torrent is in error from now on.
    pub(super) fn panicked(&mut self, panic: &TaskPanic) {
        let Some(torrent) = panic.torrent else { return };
        let message = format!("\"{}\" ended by a bug, made at {}: {}", panic.name, panic.site, panic.text);
        let kind = EventKind::Notice { severity: Severity::Error, message: Untrusted::new(message) };
        self.event(Some(torrent), kind);
        if self.drivers.get(&torrent).is_some_and(|owner| owner.id() == panic.id) {
            let budget = self.shared.budget.clone();
            // What it had of the shared budget is for others now.
            let ending = async move { drop(budget.send(ToBudget::End(torrent)).await) };
            inspect::spawn(format!("end of {torrent} at the budget"), ending).detach();
            self.show_as_broken(torrent, &panic.text);
        }
        self.publish();
    }

    fn show_as_broken(&self, torrent: TorrentId, text: &str) {
        let Some(mut member) = self.directory.member(torrent) else { return };
        let cause = format!("a bug ended it: {text}; restart unchoke: what was saved is not lost");
        let row = TorrentRow {
            state: TorrentState::Error,
            cause: Some(Untrusted::new(cause)),
            down_bps: Rate(0),
            up_bps: Rate(0),
            peers: PeerCounts::default(),
            webseeds: WebseedCounts::default(),
            requests_in_flight: 0,
            disk_queue_bytes: 0,
            ..TorrentRow::clone(&member.rows.latest())
        };
        // It is never set again, and whoever reads it needs no one to set it.
        (_, member.rows) = inspect::watch("row of a torrent in error", Arc::new(row));
        self.directory.insert(torrent, member);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::contract::{
        AddRequest, Answer, Assume, CheckPolicy, Command, OrderChange, Source, StartState, StoreTrust,
    };
    use crate::session::{self, Handle, Restore, Settings, Switch};

    fn settings(folder: &Path) -> Settings {
        Settings {
            assume: Assume::Nothing,
            state_dir: folder.join("state"),
            save_dir: folder.join("save"),
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            check: CheckPolicy::Auto,
            trust_store: StoreTrust::Yes,
            down_limit: None,
            up_limit: None,
            trackers: Switch::Off,
            webseeds: Switch::Off,
            seed: Switch::On,
            restore: Restore::SavedList,
            debug: Switch::Off,
        }
    }

    async fn add(handle: &Handle, name: &str) -> TorrentId {
        let info =
            format!("d6:lengthi1e4:name{}:{name}12:piece lengthi16384e6:pieces20:{name:x<20}e", name.len());
        let request = AddRequest {
            source: Source::Bytes(format!("d4:info{info}e").into_bytes()),
            save_dir: None,
            priorities: Vec::new(),
            start: StartState::Running,
            peers: Vec::new(),
            trackers: Vec::new(),
            webseeds: Vec::new(),
            order: OrderChange::default(),
        };
        match handle.request(Command::Add(Box::new(request))).await {
            Ok(Answer::Added { torrent, .. }) => torrent,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn fault_65_a_torrent_whose_owner_panics_is_in_error_and_the_rest_runs() {
        let folder = tempfile::tempdir().unwrap();
        let (handle, running) = session::start(settings(folder.path())).await.unwrap();
        let (broken, sound) = (add(&handle, "broken").await, add(&handle, "sound").await);
        let mut events = handle.events();
        crate::session::driver::break_in_next_turn(broken);
        // It may be answered or not: its owner ends meanwhile.
        let _ = handle.request(Command::Announce(broken)).await;
        let mut snapshots = handle.snapshots();
        let row = loop {
            let snapshot = snapshots.latest();
            let row =
                snapshot.torrents.iter().find(|row| row.id == broken).cloned().expect("it stays in the list");
            if row.state == TorrentState::Error {
                break row;
            }
            tokio::time::timeout(Duration::from_secs(10), snapshots.changed())
                .await
                .expect("in time")
                .unwrap();
        };
        assert!(row.cause.as_ref().is_some_and(|cause| cause.shown().contains("told to break")), "{row:?}");
        let told = loop {
            let event = events.recv().await.expect("the engine runs");
            if let (Some(of), EventKind::Notice { severity: Severity::Error, message }) =
                (event.torrent, &event.kind)
            {
                break (of, message.shown());
            }
        };
        assert!(told.0 == broken && told.1.contains("owner of broken"), "{told:?}");
        assert!(matches!(handle.request(Command::Detail(sound)).await, Ok(Answer::Detail(_))));
        let again =
            tokio::time::timeout(Duration::from_secs(10), handle.request(Command::Pause(broken))).await;
        assert!(again.expect("it is answered").is_err(), "nobody is there to pause it");
        let removed = Command::Remove { torrent: broken, data: crate::contract::RemoveData::Keep };
        assert!(matches!(handle.request(removed).await, Ok(Answer::Done)));
        handle.request(Command::Shutdown).await.unwrap();
        running.ended().await.unwrap();
    }
}
