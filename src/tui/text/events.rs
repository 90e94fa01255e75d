//! Events as sentences.

use std::net::SocketAddr;

use super::count;
use crate::contract::{EventKind, Severity, Untrusted};
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
        EventKind::DiskFailed { message } | EventKind::Notice { message, .. } => named(message),
        EventKind::Inconsistent { what } => {
            format!("the engine contradicts itself: {}; please report this", named(what))
        }
        EventKind::Dropped { count } => format!("{count} events are missing here; the screen was too slow"),
        EventKind::SlowTurn { millis, input } => {
            format!("the engine took {millis} ms for one turn ({})", open(&Untrusted::new(input.as_str())))
        }
    }
}
