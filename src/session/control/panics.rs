//! What becomes of a torrent of which a task panicked: it says so, and the others run on.

use std::sync::Arc;

use super::Control;
use crate::contract::{EventKind, PeerCounts, Severity, TorrentRow, TorrentState, Untrusted, WebseedCounts};
use crate::engine::io::Input;
use crate::inspect::{self, TaskPanic};
use crate::session::budget::ToBudget;
use crate::session::driver::ToDriver;
use crate::units::{Rate, TorrentId};

impl Control {
    /// A task panicked, which is a bug of ours. The torrent that it served is in error from now on: where it was the
    /// torrent's owner for good, otherwise until a person resumes it.
    pub(super) fn panicked(&mut self, panic: &TaskPanic) {
        let message = format!("\"{}\" ended by a bug, made at {}: {}", panic.name, panic.site, panic.text);
        let kind = EventKind::Notice { severity: Severity::Error, message: Untrusted::new(message) };
        self.event(panic.torrent, kind);
        let Some(torrent) = panic.torrent else { return };
        if self.drivers.get(&torrent).is_some_and(|owner| owner.id() == panic.id) {
            let budget = self.shared.budget.clone();
            // What it had of the shared budget is for others now.
            let ending = async move { drop(budget.send(ToBudget::End(torrent)).await) };
            inspect::spawn(format!("end of {torrent} at the budget"), ending).detach();
            self.show_as_broken(torrent, &panic.text);
        } else if let Some(member) = self.directory.member(torrent) {
            let cause = Untrusted::new(format!("a bug ended \"{}\": {}", panic.name, panic.text));
            let telling = async move {
                let _ = member.inbox.send(ToDriver::Input(Input::TaskFailed { cause })).await;
            };
            inspect::spawn(format!("end of a task of {torrent}"), telling).detach();
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
    use std::time::Duration;

    use super::*;
    use crate::contract::{AddRequest, Answer, Command, Event, RemoveData, Source};
    use crate::session::directory::Directory;
    use crate::session::start::{Running, start_with_directory};
    use crate::session::{Handle, Settings};

    /// An engine, and two torrents of which nobody has anything.
    struct Scene {
        _folder: tempfile::TempDir,
        handle: Handle,
        running: Running,
        directory: Directory,
        broken: TorrentId,
        sound: TorrentId,
    }

    impl Scene {
        /// Of a name of its own: a panic is told to every engine of a process, and these tests share one.
        async fn new(name: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let settings = Settings::on_loopback(folder.path());
            let (handle, running, directory) = start_with_directory(settings).await.unwrap();
            let (broken, sound) = (add(&handle, name).await, add(&handle, "sound").await);
            Self { _folder: folder, handle, running, directory, broken, sound }
        }

        /// The row of the torrent that breaks, once it is as wanted.
        async fn row(&self, is: impl Fn(&TorrentRow) -> bool) -> TorrentRow {
            let mut snapshots = self.handle.snapshots();
            loop {
                let snapshot = snapshots.latest();
                let row = snapshot.torrents.iter().find(|row| row.id == self.broken);
                let row = TorrentRow::clone(row.expect("it stays in the list"));
                if is(&row) {
                    return row;
                }
                let changed = tokio::time::timeout(Duration::from_secs(10), snapshots.changed());
                changed.await.unwrap_or_else(|_| panic!("not in time: {row:?}")).unwrap();
            }
        }

        /// The other torrent answers, the broken one goes when told to, and all of it ends.
        async fn the_rest_runs(self) {
            let sound = self.handle.request(Command::Detail(self.sound)).await;
            assert!(matches!(sound, Ok(Answer::Detail(_))), "{sound:?}");
            let removed = Command::Remove { torrent: self.broken, data: RemoveData::Keep };
            assert!(matches!(self.handle.request(removed).await, Ok(Answer::Done)));
            self.handle.request(Command::Shutdown).await.unwrap();
            self.running.ended().await.unwrap();
        }
    }

    async fn add(handle: &Handle, name: &str) -> TorrentId {
        let info =
            format!("d6:lengthi1e4:name{}:{name}12:piece lengthi16384e6:pieces20:{name:x<20}e", name.len());
        let request = AddRequest::of(Source::Bytes(format!("d4:info{info}e").into_bytes()));
        match handle.request(Command::Add(Box::new(request))).await {
            Ok(Answer::Added { torrent, .. }) => torrent,
            other => panic!("{other:?}"),
        }
    }

    /// The text of the next error of a torrent.
    async fn told(events: &mut inspect::Receiver<Event>, of: TorrentId) -> String {
        loop {
            let event = events.recv().await.expect("the engine runs");
            match event.kind {
                EventKind::Notice { severity: Severity::Error, message } if event.torrent == Some(of) => {
                    return message.shown();
                }
                _ => {}
            }
        }
    }

    fn cause_has(row: &TorrentRow, text: &str) -> bool {
        row.state == TorrentState::Error && row.cause.as_ref().is_some_and(|cause| cause.raw().contains(text))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn fault_65_a_torrent_whose_owner_panics_is_in_error_and_the_rest_runs() {
        let scene = Scene::new("owner-breaks").await;
        let mut events = scene.handle.events();
        let inbox = scene.directory.inbox(scene.broken).unwrap();
        inbox.send(ToDriver::Panic).await.unwrap();
        scene.row(|row| cause_has(row, "told to break")).await;
        let message = told(&mut events, scene.broken).await;
        assert!(message.contains("owner of owner-breaks"), "{message}");
        let paused = scene.handle.request(Command::Pause(scene.broken));
        let paused = tokio::time::timeout(Duration::from_secs(10), paused).await;
        assert!(paused.expect("it is answered").is_err(), "nobody is there to pause it");
        scene.the_rest_runs().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn fault_65_a_torrent_of_which_a_task_panics_is_in_error_until_it_is_resumed() {
        let scene = Scene::new("task-breaks").await;
        let mut events = scene.handle.events();
        let reader = inspect::spawn_for(scene.broken, "peer 10.0.0.7:51413 of broken: read", async {
            panic!("a message of no kind");
        });
        assert!(reader.await.is_err());
        let row = scene.row(|row| row.state == TorrentState::Error).await;
        assert!(cause_has(&row, "a bug ended \"peer 10.0.0.7:51413 of broken: read\": a message of no kind"));
        let message = told(&mut events, scene.broken).await;
        assert!(message.contains("a message of no kind"), "{message}");
        assert!(matches!(scene.handle.request(Command::Resume(scene.broken)).await, Ok(Answer::Done)));
        scene.row(|row| row.state == TorrentState::Downloading).await;
        scene.the_rest_runs().await;
    }
}
