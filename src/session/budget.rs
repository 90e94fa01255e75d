//! The task that owns the shared budget and hands out its grants.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::{MissedTickBehavior, interval};

use super::clock::Clock;
use super::handle::EventHub;
use crate::engine::budget::{Budget, ConnectionSlots, Flow, Grant, HostMessage, HostPlaces};
use crate::engine::io::{HostAsk, HostKey, SlotAsk};
use crate::inspect;
use crate::limits;
use crate::units::{Rate, TorrentId};

/// What the budget grants one torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::session) enum Granted {
    /// Bytes.
    Bytes(Grant),
    /// Places at a webseed's host, or news of it.
    Host(HostMessage),
    /// How many connections it may have.
    Slots(u32),
}

/// Hands a grant to a torrent without waiting; false where the torrent's queue is full.
pub(in crate::session) type Deliver = Box<dyn Fn(Granted) -> bool + Send>;

/// What is said to the budget's task.
pub(in crate::session) enum ToBudget {
    /// A torrent begins; it is told what it may do.
    Begin(TorrentId, Deliver),
    /// A torrent ends.
    End(TorrentId),
    /// A torrent waits for bytes.
    Wants(TorrentId, Flow),
    /// A torrent says something of a webseed's host.
    Host(TorrentId, HostKey, HostAsk),
    /// A torrent says how many connections it has and could have.
    Slots(TorrentId, SlotAsk),
    /// Limits changed, down and up.
    Limits(Option<Rate>, Option<Rate>),
}

/// How many connections there may be where the process may have so many descriptors.
pub(in crate::session) fn connections_max(descriptors: u64) -> u32 {
    let share = descriptors / limits::CONNECTIONS_SHARE_OF_DESCRIPTORS;
    u32::try_from(share).unwrap_or(u32::MAX).clamp(limits::CONNECTIONS_MIN, limits::CONNECTIONS_MAX)
}

type Torrents = BTreeMap<TorrentId, Deliver>;

/// Runs until nobody can ask any more. `connections`: so many there may be of all torrents together.
pub(in crate::session) async fn run(
    mut inbox: inspect::Receiver<ToBudget>,
    clock: Clock,
    events: EventHub,
    connections: u32,
) {
    let owner = inspect::Owner::of(&inbox).telling(events.slow_turns(clock, None, "budget: "));
    let mut desk = Desk::new(clock, connections);
    let mut ticks = interval(limits::GRANT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            said = inbox.recv() => match said {
                None => return,
                Some(said) => owner.turn("message", || desk.take(said)),
            },
            _ = inspect::ticking(ticks.tick()), if desk.has_work() => owner.turn("tick", || desk.tick()),
        }
    }
}

/// The budget and those who share it.
struct Desk {
    clock: Clock,
    budget: Budget,
    places: HostPlaces,
    slots: ConnectionSlots,
    torrents: Torrents,
    /// Torrents whose queue was full when the limits changed: until they hear of it they go by the old ones.
    uninformed: BTreeSet<TorrentId>,
    /// What torrents whose queue was full are to hear of hosts, in order.
    undelivered: Vec<HostMessage>,
}

impl Desk {
    fn new(clock: Clock, connections: u32) -> Self {
        let (budget, places, torrents) = Default::default();
        let slots = ConnectionSlots::new(connections);
        Self { clock, budget, places, slots, torrents, uninformed: BTreeSet::new(), undelivered: Vec::new() }
    }

    fn take(&mut self, said: ToBudget) {
        match said {
            ToBudget::Begin(torrent, deliver) => {
                if !deliver(Granted::Bytes(self.budget.opening(torrent))) {
                    self.uninformed.insert(torrent);
                }
                self.torrents.insert(torrent, deliver);
            }
            ToBudget::End(torrent) => {
                self.budget.forget(torrent);
                self.places.forget(torrent);
                self.slots.forget(torrent);
                self.undelivered.retain(|message| message.torrent != torrent);
                self.torrents.remove(&torrent);
                self.tell_of_hosts();
            }
            ToBudget::Slots(torrent, ask) => self.slots.ask(torrent, ask),
            ToBudget::Wants(torrent, flow) => self.budget.wants(torrent, flow),
            ToBudget::Host(torrent, host, ask) => {
                self.places.take(self.clock.now(), torrent, &host, ask);
                self.tell_of_hosts();
            }
            ToBudget::Limits(down, up) => {
                self.budget.set_limits(self.clock.now(), down, up);
                self.uninformed.extend(self.torrents.keys());
                self.inform();
            }
        }
    }

    fn has_work(&self) -> bool {
        let untold = !self.uninformed.is_empty() || !self.undelivered.is_empty();
        untold || self.budget.is_waited_for() || self.slots.is_due()
    }

    fn tick(&mut self) {
        self.inform();
        self.tell_of_hosts();
        for (torrent, most) in self.slots.messages(self.clock.now()) {
            if !self.deliver(torrent, Granted::Slots(most)) {
                self.slots.not_heard(torrent);
            }
        }
        for grant in self.budget.grants(self.clock.now()) {
            let torrent = grant.torrent;
            if !self.deliver(torrent, Granted::Bytes(grant)) {
                // Its queue is full: it asks again in its own name, as nobody else would.
                self.budget.wants(torrent, Flow::Down);
                self.budget.wants(torrent, Flow::Up);
            }
        }
    }

    fn tell_of_hosts(&mut self) {
        let mut messages = std::mem::take(&mut self.undelivered);
        messages.extend(self.places.messages());
        messages.retain(|message| !self.deliver(message.torrent, Granted::Host(message.clone())));
        self.undelivered = messages;
    }

    /// Tells torrents under which limits they are now; those whose queue is full are told later.
    fn inform(&mut self) {
        let mut uninformed = std::mem::take(&mut self.uninformed);
        uninformed.retain(|torrent| !self.deliver(*torrent, Granted::Bytes(self.budget.opening(*torrent))));
        self.uninformed = uninformed;
    }

    /// Hands something to a torrent; false where its queue is full. One that is gone takes everything.
    fn deliver(&self, torrent: TorrentId, granted: Granted) -> bool {
        self.torrents.get(&torrent).is_none_or(|deliver| deliver(granted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::EventKind;
    use crate::engine::io::HostNews;
    use crate::session::Handle;

    #[tokio::test]
    async fn a_slow_turn_is_an_event_that_names_what_it_did() {
        let (handle, ends) = Handle::new(0);
        let mut events = handle.events();
        let (budget, inbox) = inspect::channel("test: to a slow budget", 4);
        inspect::spawn("test: slow budget", run(inbox, Clock::start(), ends.events, 100)).detach();
        let slow = |takes| -> Deliver {
            Box::new(move |_| {
                std::thread::sleep(takes);
                true
            })
        };
        let begin = |takes| ToBudget::Begin(TorrentId([1; 20]), slow(takes));
        assert!(budget.send(begin(limits::TURN_SLOW / 5)).await.is_ok());
        assert!(budget.send(begin(limits::TURN_SLOW)).await.is_ok());
        let EventKind::SlowTurn { millis, input } = events.recv().await.unwrap().kind else {
            panic!("another")
        };
        assert!(u128::from(millis) >= limits::TURN_SLOW.as_millis() && input == "budget: message", "{input}");
    }

    #[tokio::test]
    async fn a_torrent_too_busy_to_hear_of_a_limit_is_told_when_it_has_room() {
        let (budget, inbox) = inspect::channel("test: to the budget", 4);
        inspect::spawn("test: budget", run(inbox, Clock::start(), Handle::new(0).1.events, 100)).detach();
        let (driver, mut inputs) = inspect::channel("test: inputs of a torrent", 1);
        let deliver: Deliver = Box::new(move |grant| driver.try_send(grant).is_ok());
        assert!(budget.send(ToBudget::Begin(TorrentId([1; 20]), deliver)).await.is_ok());
        assert!(budget.send(ToBudget::Limits(Some(Rate(1)), None)).await.is_ok());
        // The budget hears of both before this task runs again: the opening grant fills the queue.
        let mut granted = Vec::new();
        for _ in 0..2 {
            granted.push(inputs.recv().await.unwrap());
        }
        let down = |granted: &Granted| match granted {
            Granted::Bytes(grant) => grant.down_bytes,
            Granted::Host(_) | Granted::Slots(_) => None,
        };
        assert_eq!(granted.iter().map(down).collect::<Vec<_>>(), [None, Some(0)]);
    }

    #[tokio::test]
    async fn connection_slots_that_are_scarce_are_shared_and_told_to_a_torrent_that_was_too_busy() {
        let (budget, inbox) = inspect::channel("test: to the budget", 16);
        inspect::spawn("test: budget", run(inbox, Clock::start(), Handle::new(0).1.events, 100)).detach();
        let mut inboxes = Vec::new();
        for torrent in [TorrentId([1; 20]), TorrentId([2; 20])] {
            let (driver, inputs) = inspect::channel("test: inputs of a torrent", 1);
            let deliver: Deliver = Box::new(move |grant| driver.try_send(grant).is_ok());
            assert!(budget.send(ToBudget::Begin(torrent, deliver)).await.is_ok());
            let ask = SlotAsk { has: 0, wishes: 60 };
            assert!(budget.send(ToBudget::Slots(torrent, ask)).await.is_ok());
            inboxes.push(inputs);
        }
        // Its queue is full with the limits that it was told first.
        inspect::sleep(2 * limits::CONNECTION_SLOTS_INTERVAL).await;
        for inputs in &mut inboxes {
            assert!(matches!(inputs.recv().await, Some(Granted::Bytes(_))));
            assert_eq!(inputs.recv().await, Some(Granted::Slots(50)));
        }
    }

    #[test]
    fn few_descriptors_make_few_connections_and_many_no_more_than_the_bound() {
        assert_eq!(
            [100, 1024, 1 << 20].map(connections_max),
            [limits::CONNECTIONS_MIN, 512, limits::CONNECTIONS_MAX]
        );
    }

    #[tokio::test]
    async fn places_reach_a_torrent_that_was_too_busy_and_are_free_again_when_it_ends() {
        let (budget, inbox) = inspect::channel("test: to the budget", 16);
        inspect::spawn("test: budget", run(inbox, Clock::start(), Handle::new(0).1.events, 100)).detach();
        let host = HostKey::from("http://h:80");
        let (one, two) = (TorrentId([1; 20]), TorrentId([2; 20]));
        let mut inboxes = Vec::new();
        for torrent in [one, two] {
            let (driver, inputs) = inspect::channel("test: inputs of a torrent", 1);
            let deliver: Deliver = Box::new(move |grant| driver.try_send(grant).is_ok());
            assert!(budget.send(ToBudget::Begin(torrent, deliver)).await.is_ok());
            let wants = ToBudget::Host(torrent, host.clone(), HostAsk::Want(limits::HOST_REQUESTS));
            assert!(budget.send(wants).await.is_ok());
            inboxes.push(inputs);
        }
        let places = |granted: Granted| match granted {
            Granted::Host(HostMessage { news: HostNews::Places(count), .. }) => count,
            Granted::Host(_) | Granted::Bytes(_) | Granted::Slots(_) => 0,
        };
        let mut first = Vec::new();
        for _ in 0..2 {
            first.push(places(inboxes[0].recv().await.unwrap()));
        }
        assert_eq!(first, [0, limits::HOST_REQUESTS], "it is told of limits, and then gets all places");
        assert_eq!(places(inboxes[1].recv().await.unwrap()), 0);
        assert!(budget.send(ToBudget::End(one)).await.is_ok());
        assert_eq!(places(inboxes[1].recv().await.unwrap()), limits::HOST_REQUESTS);
    }
}
