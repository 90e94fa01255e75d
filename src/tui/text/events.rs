//! Events as sentences.

use std::net::SocketAddr;

use super::count;
use crate::contract::{BlockedTask, EventKind, Severity, Stuck, StuckThing, TaskName, Untrusted};
use crate::tui::format;

/// The word for how much an event matters; detail has none, so that the others stand out.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Detail => "",
        Severity::Info => "info",
        Severity::Warning => "warn",
        Severity::Error => "ERROR",
    }
}

/// A part of an event that came from outside.
#[derive(Clone, Copy, Debug)]
pub enum Outside<'a> {
    /// The address of a peer: it says who someone is as much as a name does.
    Peer(SocketAddr),
    /// The URL of a tracker.
    Tracker(&'a Untrusted),
    /// The URL of a webseed.
    Webseed(&'a Untrusted),
    /// A name, or a message that may hold one.
    Named(&'a Untrusted),
    /// A reason or a program, which says nothing of whom it is about.
    Open(&'a Untrusted),
}

/// An event as a sentence; `show` says how text from outside is shown.
pub fn event(kind: &EventKind, show: impl Fn(Outside<'_>) -> String) -> String {
    let address = |address: &SocketAddr| show(Outside::Peer(*address));
    let named = |text: &Untrusted| show(Outside::Named(text));
    let open = |text: &Untrusted| show(Outside::Open(text));
    match kind {
        EventKind::Added { name } => format!("added: {}", named(name)),
        EventKind::Removed => "removed".to_owned(),
        EventKind::State { from, to } => format!("{}, was {}", to.word(), from.word()),
        EventKind::Completed => "complete: every wanted piece is on disk".to_owned(),
        EventKind::PieceDone { piece } => format!("piece {} done", piece.0),
        EventKind::PieceFailed { piece, contributors } => {
            format!("piece {} failed its hash; {} contributed", piece.0, count(*contributors, "peer"))
        }
        EventKind::Checked { have, checked } => format!("checked {checked} pieces, {have} are right"),
        EventKind::PeerConnected { address: peer, client } => {
            format!("peer {} connected, {}", address(peer), open(client))
        }
        EventKind::PeerGone { address: peer, reason } => {
            format!("peer {} gone: {}", address(peer), open(reason))
        }
        EventKind::PeerBanned { address: peer, reason } => {
            format!("peer {} banned: {}", address(peer), open(&Untrusted::new(reason.as_str())))
        }
        EventKind::PeerSnubbed { address: peer, requests } => {
            format!("peer {} let {requests} requests time out", address(peer))
        }
        EventKind::TrackerAnswered { url, peers, warning } => {
            let warning = warning.as_ref().map_or(String::new(), |text| format!(", warns: {}", named(text)));
            format!("tracker {} named {}{warning}", show(Outside::Tracker(url)), count(*peers, "peer"))
        }
        EventKind::TrackerFailed { url, error, retry_s } => {
            format!(
                "tracker {}: {}; again in {}",
                show(Outside::Tracker(url)),
                named(error),
                format::duration(*retry_s)
            )
        }
        EventKind::WebseedFailed { url, error, retry_s } => {
            let again =
                retry_s.map_or(String::new(), |wait| format!("; again in {}", format::duration(wait)));
            format!("webseed {}: {}{again}", show(Outside::Webseed(url)), named(error))
        }
        EventKind::WebseedBanned { url, reason } => {
            format!("webseed {} banned: {}", show(Outside::Webseed(url)), named(reason))
        }
        EventKind::DiskFailed { message } | EventKind::Notice { message, .. } => named(message),
        EventKind::Inconsistent { what } => {
            format!("the engine contradicts itself: {}; please report this", named(what))
        }
        EventKind::Dropped { count } => format!("{count} events are missing here; the screen was too slow"),
        EventKind::SlowTurn { millis, input } => {
            format!("one turn took {millis} ms ({})", open(&Untrusted::new(input.as_str())))
        }
        EventKind::Stuck(stuck) => self::stuck(stuck, show),
        EventKind::Unstuck(stuck) => {
            format!("goes on after {}: {}", span(stuck.lasted_ms), subject(&stuck.what, &show))
        }
    }
}

/// What is stuck as a sentence: the name first, for where the rest is cut.
pub fn stuck(stuck: &Stuck, show: impl Fn(Outside<'_>) -> String) -> String {
    let Stuck { what, since_unix_ms, lasted_ms } = stuck;
    let since = format!("{}, since {} UTC", span(*lasted_ms), format::time_of_day(since_unix_ms / 1000));
    let subject = subject(what, &show);
    let of_torrent = |task: &TaskName| task.torrent.map_or(String::new(), |id| format!(" for torrent {id}"));
    match what {
        StuckThing::Poll { task, waits_for } => {
            let waits_for = waits_for.as_ref().map_or(String::new(), |lock| {
                format!(", waiting for the lock \"{}\"", show(Outside::Named(&Untrusted::new(&**lock))))
            });
            format!(
                "{subject} has held its thread for {since}{waits_for}; made at {}{}",
                task.site,
                of_torrent(task)
            )
        }
        StuckThing::Hold { lock: _, site, taken_at, holder, waiters } => {
            let holder = holder.as_ref().map_or("a thread of nobody's".to_owned(), |task| {
                format!("{}, made at {}{}", named(task, &show), task.site, of_torrent(task))
            });
            let waiters = waiting_tasks(waiters, &show);
            let taken_at = taken_at.as_ref().map(|site| format!(", taken at {site}")).unwrap_or_default();
            format!(
                "{subject} has been held for {since}, by {holder}{taken_at}{waiters}; lock made at {site}"
            )
        }
        StuckThing::Forgotten { task, queue, site, items } => {
            let queue = show(Outside::Named(&Untrusted::new(&**queue)));
            let of = of_torrent(task);
            format!(
                "{subject} has not been woken for {since}{of}: queue \"{queue}\", made at {site}, has {items} for it"
            )
        }
        StuckThing::Late { task, queue, items } => {
            let queue = show(Outside::Named(&Untrusted::new(&**queue)));
            let of = of_torrent(task);
            format!("{subject} has not served queue \"{queue}\" for {since}{of}: {items} wait in it")
        }
        StuckThing::Deadlock { chain } => {
            let steps: Vec<_> = chain.iter().map(|step| waiting(step, &show)).collect();
            format!("{subject} for {since}: {}", steps.join("; "))
        }
        StuckThing::Full { queue: _, site, capacity } => {
            format!("{subject} is full ({capacity}) and nobody has taken from it for {since}; made at {site}")
        }
    }
}

fn subject(what: &StuckThing, show: &impl Fn(Outside<'_>) -> String) -> String {
    let quoted = |name: &str| show(Outside::Named(&Untrusted::new(name)));
    match what {
        StuckThing::Poll { task, .. }
        | StuckThing::Forgotten { task, .. }
        | StuckThing::Late { task, .. } => named(task, show),
        StuckThing::Hold { lock, .. } => format!("lock \"{}\"", quoted(lock)),
        StuckThing::Full { queue, .. } => format!("queue \"{}\"", quoted(queue)),
        StuckThing::Deadlock { chain } => {
            format!("{} wait for each other", count(u32::try_from(chain.len()).unwrap_or(u32::MAX), "task"))
        }
    }
}

/// Those who wait for a lock: the first by their names, the others counted.
fn waiting_tasks(waiters: &[TaskName], show: &impl Fn(Outside<'_>) -> String) -> String {
    if waiters.is_empty() {
        return String::new();
    }
    let shown = waiters.len().min(WAITERS_NAMED_MAX);
    let names: Vec<_> = waiters[..shown].iter().map(|task| named(task, show)).collect();
    let more = match waiters.len() - shown {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("; waiting: {}{more}", names.join(", "))
}

/// Names of those who wait that a sentence has room for.
const WAITERS_NAMED_MAX: usize = 4;

/// A task and what it waits for.
fn waiting(step: &BlockedTask, show: &impl Fn(Outside<'_>) -> String) -> String {
    let BlockedTask { task, wait, .. } = step;
    let on = wait.on.as_ref().map(|on| format!(" \"{}\"", show(Outside::Named(&Untrusted::new(&**on)))));
    format!(
        "{} waits for {}{} at {}",
        named(task, show),
        wait.kind.words(),
        on.unwrap_or_default(),
        wait.site
    )
}

/// A task by its name, which may hold that of a torrent or a peer.
fn named(task: &TaskName, show: &impl Fn(Outside<'_>) -> String) -> String {
    format!("task {} \"{}\"", task.id.0, show(Outside::Named(&Untrusted::new(&*task.name))))
}

/// A time of some seconds, to the tenth.
fn span(millis: u64) -> String {
    format!("{}.{} s", millis / 1000, millis % 1000 / 100)
}
