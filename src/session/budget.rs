//! The task that owns the shared budget and hands out its grants.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::{MissedTickBehavior, interval};

use super::clock::Clock;
use crate::engine::budget::{Budget, Flow, Grant};
use crate::inspect;
use crate::limits;
use crate::units::{Rate, TorrentId};

/// Hands a grant to a torrent without waiting; gives it back where the torrent's queue is full.
pub(in crate::session) type Deliver = Box<dyn Fn(Grant) -> Result<(), Grant> + Send>;

/// What is said to the budget's task.
pub(in crate::session) enum ToBudget {
    /// A torrent begins; it is told what it may do.
    Begin(TorrentId, Deliver),
    /// A torrent ends.
    End(TorrentId),
    /// A torrent waits for bytes.
    Wants(TorrentId, Flow),
    /// Limits changed, down and up.
    Limits(Option<Rate>, Option<Rate>),
}

type Torrents = BTreeMap<TorrentId, Deliver>;

/// Runs until nobody can ask any more.
pub(in crate::session) async fn run(mut inbox: inspect::Receiver<ToBudget>, clock: Clock) {
    let mut budget = Budget::default();
    let mut torrents = Torrents::new();
    // Torrents whose queue was full when the limits changed: until they hear of it they go by the old ones.
    let mut uninformed: BTreeSet<TorrentId> = BTreeSet::new();
    let mut ticks = interval(limits::GRANT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            said = inbox.recv() => match said {
                None => return,
                Some(ToBudget::Begin(torrent, deliver)) => {
                    if deliver(budget.opening(torrent)).is_err() {
                        uninformed.insert(torrent);
                    }
                    torrents.insert(torrent, deliver);
                }
                Some(ToBudget::End(torrent)) => {
                    budget.forget(torrent);
                    torrents.remove(&torrent);
                }
                Some(ToBudget::Wants(torrent, flow)) => budget.wants(torrent, flow),
                Some(ToBudget::Limits(down, up)) => {
                    budget.set_limits(clock.now(), down, up);
                    uninformed.extend(torrents.keys());
                    uninformed.retain(|torrent| !inform(&budget, &torrents, *torrent));
                }
            },
            _ = ticks.tick(), if budget.is_waited_for() || !uninformed.is_empty() => {
                uninformed.retain(|torrent| !inform(&budget, &torrents, *torrent));
                for grant in budget.grants(clock.now()) {
                    if torrents.get(&grant.torrent).is_some_and(|deliver| deliver(grant).is_err()) {
                        // Its queue is full: it asks again in its own name, as nobody else would.
                        budget.wants(grant.torrent, Flow::Down);
                        budget.wants(grant.torrent, Flow::Up);
                    }
                }
            }
        }
    }
}

/// Tells a torrent under which limits it is now; false where its queue is full.
fn inform(budget: &Budget, torrents: &Torrents, torrent: TorrentId) -> bool {
    torrents.get(&torrent).is_none_or(|deliver| deliver(budget.opening(torrent)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_torrent_too_busy_to_hear_of_a_limit_is_told_when_it_has_room() {
        let (budget, inbox) = inspect::channel("test: to the budget", 4);
        inspect::spawn("test: budget", run(inbox, Clock::start())).detach();
        let (driver, mut inputs) = inspect::channel("test: inputs of a torrent", 1);
        let deliver: Deliver = Box::new(move |grant| driver.try_send(grant).map_err(|_| grant));
        assert!(budget.send(ToBudget::Begin(TorrentId([1; 20]), deliver)).await.is_ok());
        assert!(budget.send(ToBudget::Limits(Some(Rate(1)), None)).await.is_ok());
        // The budget hears of both before this task runs again: the opening grant fills the queue.
        let mut granted = Vec::new();
        for _ in 0..2 {
            granted.push(inputs.recv().await.map(|grant: Grant| grant.down_bytes).unwrap());
        }
        assert_eq!(granted, [None, Some(0)]);
    }
}
