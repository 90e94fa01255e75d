//! The engine as front ends hold it: ask, look, listen. Cloning it costs nothing and nobody owns the engine by it.
//!
//! A front end that is slow, or gone, costs the engine nothing: requests wait on the asker's side, snapshots replace
//! each other, and events that find a full queue are counted and told as [`EventKind::Dropped`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::clock::Clock;
use super::status;
use crate::contract::{Answer, Command, Event, EventKind, Refusal, Severity, Snapshot, Untrusted};
use crate::inspect;
use crate::limits::{EVENT_QUEUE, REQUEST_QUEUE};
use crate::units::TorrentId;

/// The engine, as a front end sees it.
#[derive(Clone, Debug)]
pub struct Handle {
    requests: inspect::Sender<Request>,
    snapshots: inspect::WatchReceiver<Arc<Snapshot>>,
    events: EventHub,
    listen_port: u16,
    asker: u32,
    /// Askers so far.
    askers: Arc<AtomicU32>,
}

/// A command on its way to the engine, and where its answer goes.
#[derive(Debug)]
pub struct Request {
    /// What is asked.
    pub command: Command,
    /// Who asks: the number that all clones of a handle share.
    pub asker: u32,
    /// Answered exactly once.
    pub reply: inspect::ReplySender<Result<Answer, Refusal>>,
}

/// The engine's ends of a [`Handle`].
#[derive(Debug)]
pub struct EngineEnds {
    /// What front ends ask.
    pub requests: inspect::Receiver<Request>,
    /// Where snapshots are put.
    pub snapshots: inspect::WatchSender<Arc<Snapshot>>,
    /// Where events are told.
    pub events: EventHub,
}

impl Handle {
    /// A handle and the engine's ends of it.
    pub fn new(listen_port: u16) -> (Self, EngineEnds) {
        let (asking, requests) = inspect::channel("requests of front ends", REQUEST_QUEUE);
        let (snapshots, watching) = inspect::watch("snapshots", Arc::new(Snapshot::default()));
        let events = EventHub::new();
        let handle = Self {
            requests: asking,
            snapshots: watching,
            events: events.clone(),
            listen_port,
            asker: 0,
            askers: Arc::default(),
        };
        (handle, EngineEnds { requests, snapshots, events })
    }

    /// A handle for somebody else: what the engine keeps of an asker, its readers, is not shared.
    pub fn for_another(&self) -> Self {
        Self { asker: self.askers.fetch_add(1, Ordering::Relaxed).wrapping_add(1), ..self.clone() }
    }

    /// Asks, and waits until it has taken effect. Dropping the future takes a read back; all else goes on. A dump is made
    /// here and now, on the asker's own task: the engine's may be what is stuck.
    pub async fn request(&self, command: Command) -> Result<Answer, Refusal> {
        if let Command::Dump(kind) = command {
            return Ok(Answer::Dump(Box::new(inspect::dump(kind))));
        }
        if let Command::Report = command {
            return Ok(Answer::Report(Box::new(status::gather(self).await)));
        }
        self.ask(command).await
    }

    /// Asks the engine's own task.
    pub(super) async fn ask(&self, command: Command) -> Result<Answer, Refusal> {
        let ended = || Refusal::new("the engine has ended: start unchoke again");
        let (reply, answer) = inspect::reply("answer to a front end");
        self.requests.send(Request { command, asker: self.asker, reply }).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    /// How things stand; the latest wins.
    pub fn snapshots(&self) -> inspect::WatchReceiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// All events from now on.
    pub fn events(&self) -> inspect::Receiver<Event> {
        self.events.subscribe()
    }

    /// Tells every front end, this one too, of something that it has done to the program.
    pub fn tell(&self, severity: Severity, message: impl Into<String>) {
        self.tell_event(EventKind::Notice { severity, message: Untrusted::new(message) });
    }

    /// The same, of something that happened in a front end and is about no torrent.
    pub fn tell_event(&self, kind: EventKind) {
        let at = self.snapshots().latest().at;
        self.events.tell(&Event { at, torrent: None, kind });
    }

    /// The TCP port peers reach us at.
    pub const fn listen_port(&self) -> u16 {
        self.listen_port
    }
}

/// Tells each event to every listener, without waiting for any.
#[derive(Clone, Debug)]
pub struct EventHub {
    listeners: Arc<inspect::Lock<Vec<Listener>>>,
}

/// A listener and what it has missed.
#[derive(Debug)]
struct Listener {
    queue: inspect::Sender<Event>,
    dropped: u64,
}

impl EventHub {
    fn new() -> Self {
        Self { listeners: Arc::new(inspect::Lock::new("event listeners", Vec::new())) }
    }

    /// A new listener; it ends when its receiver is dropped.
    pub fn subscribe(&self) -> inspect::Receiver<Event> {
        let (queue, receiver) = inspect::channel("events for a front end", EVENT_QUEUE);
        self.listeners.lock().push(Listener { queue, dropped: 0 });
        receiver
    }

    /// What an owner tells of its slow turns with; `whose` goes before what the turn did.
    pub(in crate::session) fn slow_turns(
        &self,
        clock: Clock,
        torrent: Option<TorrentId>,
        whose: &'static str,
    ) -> impl Fn(Duration, &'static str) + Send + Sync + 'static {
        let events = self.clone();
        move |took, what| {
            let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let kind = EventKind::SlowTurn { millis, input: format!("{whose}{what}") };
            events.tell(&Event { at: clock.now(), torrent, kind });
        }
    }

    /// Tells all listeners.
    pub fn tell(&self, event: &Event) {
        self.listeners.lock().retain_mut(|listener| listener.tell(event));
    }
}

impl Listener {
    /// Puts the event into its queue, or counts it; false where the listener is gone.
    fn tell(&mut self, event: &Event) -> bool {
        // The count goes first and needs a place too, so that a reader never mistakes the gap's position.
        let places_needed = if self.dropped > 0 { 2 } else { 1 };
        if self.queue.is_closed() {
            return false;
        }
        if self.queue.room() < places_needed {
            self.dropped += 1;
            return true;
        }
        if self.dropped > 0 {
            let kind = EventKind::Dropped { count: std::mem::take(&mut self.dropped) };
            if self.queue.try_send(Event { at: event.at, torrent: None, kind }).is_err() {
                return false;
            }
        }
        self.queue.try_send(event.clone()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Time;

    fn event(micros: u64) -> Event {
        Event { at: Time::from_micros(micros), torrent: None, kind: EventKind::Completed }
    }

    #[tokio::test]
    async fn a_request_gets_the_answer_of_the_engine() {
        let (handle, mut ends) = Handle::new(7);
        let engine = inspect::spawn("engine", async move {
            let request = ends.requests.recv().await.unwrap();
            assert!(matches!(request.command, Command::List));
            request.reply.send(Ok(Answer::Done));
        });
        assert!(matches!(handle.request(Command::List).await, Ok(Answer::Done)));
        engine.await.unwrap();
        assert!(handle.request(Command::List).await.is_err(), "the engine has ended");
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_how_much_it_missed_where_it_missed_it() {
        let (handle, ends) = Handle::new(7);
        let mut listener = handle.events();
        let missed = 5;
        for at in 0..EVENT_QUEUE as u64 + missed {
            ends.events.tell(&event(at));
        }
        for at in 0..EVENT_QUEUE as u64 {
            assert_eq!(listener.recv().await, Some(event(at)));
        }
        ends.events.tell(&event(9000));
        assert_eq!(listener.recv().await.unwrap().kind, EventKind::Dropped { count: missed });
        assert_eq!(listener.recv().await, Some(event(9000)));
    }

    #[tokio::test]
    async fn a_listener_that_is_gone_is_forgotten() {
        let (handle, ends) = Handle::new(7);
        drop(handle.events());
        let mut stays = handle.events();
        ends.events.tell(&event(1));
        assert_eq!(ends.events.listeners.lock().len(), 1);
        assert_eq!(stays.recv().await, Some(event(1)));
    }
}
