//! What happened to the selected torrent.

use std::net::SocketAddr;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{pane_role, rows, say};
use crate::contract::{EventKind, Severity, TorrentDetail};
use crate::tui::format;
use crate::tui::model::Model;
use crate::tui::text::{self, Outside};
use crate::tui::theme::Role;
use crate::tui::widgets::{Names, Span};

/// How far a press of the column keys shifts long lines.
const SHIFT_COLUMNS: usize = 16;

/// Draws the log pane.
pub(super) fn draw(model: &Model, detail: &TorrentDetail, buffer: &mut Buffer, area: Rect) {
    let look = &model.look;
    if detail.log.is_empty() {
        return say(look, buffer, area, text::NO_LOG);
    }
    let page = usize::from(area.height);
    let numbers = match look.names {
        Names::Shown => Numbers { detail, gone: Vec::new() },
        Names::Hidden => Numbers::new(detail),
    };
    rows(area, model.pane.rows.seen(detail.log.len(), page), |row, area| {
        let Some(line) = detail.log.get(row) else { return };
        let severity = line.event.kind.severity();
        let role = match severity {
            Severity::Detail => Role::Quiet,
            Severity::Info => Role::Text,
            Severity::Warning => Role::Warning,
            Severity::Error => Role::Error,
        };
        let said = text::event(&line.event.kind, |outside| look.outside(outside, || numbers.number(outside)));
        let spans = [
            Span::new(format!(" {} ", format::time_of_day(line.unix_s)), Role::Quiet),
            Span::new(format!("{:5} ", text::severity(severity)), role),
            Span::new(format::skip(&said, model.pane.columns_skipped * SHIFT_COLUMNS), role),
        ];
        look.line(buffer, area, &spans);
        if row == model.pane.rows.at() {
            look.select(buffer, area, pane_role(model));
        }
    });
}

/// What stands for peers, trackers and webseeds while names are hidden: their rows in their panes. Peers that are gone come after
/// those that are there.
struct Numbers<'a> {
    detail: &'a TorrentDetail,
    gone: Vec<SocketAddr>,
}

impl<'a> Numbers<'a> {
    fn new(detail: &'a TorrentDetail) -> Self {
        let mut gone = Vec::new();
        for address in detail.log.iter().filter_map(|line| peer_of(&line.event.kind)) {
            if !gone.contains(&address) && !detail.peers.iter().any(|peer| peer.address == address) {
                gone.push(address);
            }
        }
        Self { detail, gone }
    }

    fn number(&self, outside: Outside<'_>) -> Option<usize> {
        let at = match outside {
            Outside::Peer(address) => {
                let here = self.detail.peers.iter().position(|peer| peer.address == address);
                let gone = || self.gone.iter().position(|gone| *gone == address);
                here.or_else(|| gone().map(|at| at + self.detail.peers.len()))
            }
            Outside::Tracker(url) => self.detail.trackers.iter().position(|tracker| tracker.url == *url),
            Outside::Webseed(url) => self.detail.webseeds.iter().position(|webseed| webseed.url == *url),
            Outside::Named(_) | Outside::Open(_) => None,
        };
        at.map(|at| at + 1)
    }
}

fn peer_of(kind: &EventKind) -> Option<SocketAddr> {
    let (EventKind::PeerConnected { address, .. }
    | EventKind::PeerGone { address, .. }
    | EventKind::PeerBanned { address, .. }
    | EventKind::PeerSnubbed { address, .. }) = kind
    else {
        return None;
    };
    Some(*address)
}
