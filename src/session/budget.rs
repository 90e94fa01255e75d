//! The task that owns the shared budget and hands out its grants.

use std::collections::BTreeMap;

use tokio::time::{MissedTickBehavior, interval};

use super::clock::Clock;
use super::driver::ToDriver;
use crate::engine::budget::{Budget, Flow, Grant};
use crate::engine::io::Input;
use crate::inspect;
use crate::limits;
use crate::units::{Rate, TorrentId};

/// What is said to the budget's task.
#[derive(Debug)]
pub(in crate::session) enum ToBudget {
    /// A torrent begins; it is told what it may do.
    Begin(TorrentId, inspect::Sender<ToDriver>),
    /// A torrent ends.
    End(TorrentId),
    /// A torrent waits for bytes.
    Wants(TorrentId, Flow),
    /// Limits changed, down and up.
    Limits(Option<Rate>, Option<Rate>),
}

/// Runs until nobody can ask any more.
pub(in crate::session) async fn run(mut inbox: inspect::Receiver<ToBudget>, clock: Clock) {
    let mut budget = Budget::default();
    let mut torrents: BTreeMap<TorrentId, inspect::Sender<ToDriver>> = BTreeMap::new();
    let mut ticks = interval(limits::GRANT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            said = inbox.recv() => match said {
                None => return,
                Some(ToBudget::Begin(torrent, driver)) => {
                    send(&driver, budget.opening(torrent));
                    torrents.insert(torrent, driver);
                }
                Some(ToBudget::End(torrent)) => {
                    budget.forget(torrent);
                    torrents.remove(&torrent);
                }
                Some(ToBudget::Wants(torrent, flow)) => budget.wants(torrent, flow),
                Some(ToBudget::Limits(down, up)) => {
                    budget.set_limits(clock.now(), down, up);
                    for (torrent, driver) in &torrents {
                        send(driver, budget.opening(*torrent));
                    }
                }
            },
            _ = ticks.tick(), if budget.is_waited_for() => {
                for grant in budget.grants(clock.now()) {
                    if let Some(driver) = torrents.get(&grant.torrent) && !send(driver, grant) {
                        // Its queue is full: it asks again in its own name, as nobody else would.
                        budget.wants(grant.torrent, Flow::Down);
                        budget.wants(grant.torrent, Flow::Up);
                    }
                }
            }
        }
    }
}

/// Hands a grant over without waiting; false where the torrent's queue is full.
fn send(driver: &inspect::Sender<ToDriver>, grant: Grant) -> bool {
    let Grant { torrent: _, up_bytes, down_bytes } = grant;
    !matches!(
        driver.try_send(ToDriver::Input(Input::Granted { up_bytes, down_bytes })),
        Err(inspect::TrySendError::Full(_))
    )
}
