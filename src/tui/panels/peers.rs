//! Connections, and what the letters of their flags mean.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{count, pane_role, quiet, rate, rows, say, size, split_heading};
use crate::contract::{PeerFlags, PeerRow, TorrentDetail};
use crate::tui::format;
use crate::tui::model::Model;
use crate::tui::text::{self, heading};
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, FittedColumn, Span, draw_heading, draw_row, fit};

#[derive(Clone, Copy)]
enum Field {
    Address,
    Client,
    Flags,
    Done,
    Down,
    Up,
    Requests,
    RequestsIn,
    Source,
    Received,
    Sent,
    Age,
    Silent,
}

const FIELDS: [Field; 13] = [
    Field::Address,
    Field::Client,
    Field::Flags,
    Field::Done,
    Field::Down,
    Field::Up,
    Field::Requests,
    Field::RequestsIn,
    Field::Source,
    Field::Received,
    Field::Sent,
    Field::Age,
    Field::Silent,
];

const COLUMNS: [Column; 13] = [
    // An IPv4 address with its port; where there is an IPv6 one, it grows.
    Column::words(heading::ADDRESS, 21, 0),
    Column::growing(heading::CLIENT, 9, 30, 4),
    Column::words(heading::FLAGS, 7, 0),
    Column::number(heading::DONE, 5, 3),
    Column::number(heading::DOWN, 6, 1),
    Column::number(heading::UP, 6, 2),
    Column::number(heading::REQUESTS, 7, 5),
    Column::number(heading::REQUESTS_IN, 3, 6),
    Column::words(heading::SOURCE, 8, 7),
    Column::number(heading::RECEIVED, 5, 8),
    Column::number(heading::SENT, 5, 9),
    Column::number(heading::AGE, 6, 10),
    Column::number(heading::SILENT, 6, 11),
];

/// The longest IPv6 address in brackets, with its port.
const IPV6_COLUMNS: u16 = 47;

/// Draws the peers pane.
pub(super) fn draw(model: &Model, detail: &TorrentDetail, buffer: &mut Buffer, area: Rect) {
    let look = &model.look;
    if detail.peers.is_empty() {
        return say(look, buffer, area, text::NO_PEERS);
    }
    let (heading, area) = split_heading(area);
    let legend = Rect { y: area.bottom().saturating_sub(1), height: area.height.min(1), ..area };
    let area = Rect { height: area.height.saturating_sub(1), ..area };
    let page = usize::from(area.height);
    let seen = model.pane.rows.seen(detail.peers.len(), page);
    let mut columns = COLUMNS;
    if detail.peers[seen.clone()].iter().any(|peer| peer.address.is_ipv6()) {
        columns[Field::Address as usize].width_max = IPV6_COLUMNS;
    }
    let fitted = fit(&columns, area.width, model.pane.columns_skipped);
    draw_heading(look, buffer, heading, &columns, &fitted, None);
    rows(area, seen, |row, area| {
        let Some(peer) = detail.peers.get(row) else { return };
        let ground = (row == model.pane.rows.at()).then(|| pane_role(model));
        let pieces = detail.row.pieces.total;
        draw_row(look, buffer, area, &COLUMNS, &fitted, ground, |place| {
            cell(model, peer, row, pieces, place)
        });
    });
    let mut spans = Vec::new();
    for (letter, meaning) in text::PEER_FLAGS {
        spans.push(Span::new(format!(" {letter}"), Role::Key));
        spans.push(Span::new(format!(" {meaning}"), Role::Quiet));
    }
    look.line(buffer, legend, &spans);
}

fn cell(model: &Model, peer: &PeerRow, row: usize, pieces: u32, place: FittedColumn) -> Cell {
    let look = &model.look;
    match FIELDS[place.index] {
        Field::Address => {
            let address = crate::contract::Untrusted::new(peer.address.to_string());
            Cell::new(look.name(&address, || format!("{} {}", text::HIDDEN_PEER, row + 1)), Role::Text)
        }
        Field::Client => Cell::new(look.text(&peer.client), Role::Text),
        Field::Flags => {
            let role = match (peer.flags.snubbed, peer.flags.we_are_interested && !peer.flags.they_choke) {
                (true, _) => Role::Warning,
                (false, true) => Role::Active,
                (false, false) => Role::Text,
            };
            Cell::new(letters(peer.flags), role)
        }
        Field::Done if pieces == 0 => quiet(look),
        Field::Done => {
            let complete = peer.pieces_have >= pieces;
            let role = if complete { Role::Good } else { Role::Text };
            Cell::new(format::percent(u64::from(peer.pieces_have), u64::from(pieces)), role)
        }
        Field::Down => rate(look, peer.down_bps, Role::Down),
        Field::Up => rate(look, peer.up_bps, Role::Up),
        Field::Requests if peer.requests_out == 0 && peer.pipeline == 0 => quiet(look),
        Field::Requests => Cell::new(format!("{}/{}", peer.requests_out, peer.pipeline), Role::Text),
        Field::RequestsIn => count(look, u64::from(peer.requests_in), Role::Text),
        Field::Source => Cell::new(text::peer_source(peer.source), Role::Quiet),
        Field::Received => size(look, peer.downloaded_bytes, Role::Text),
        Field::Sent => size(look, peer.uploaded_bytes, Role::Text),
        Field::Age => Cell::new(format::duration(peer.connected_s), Role::Quiet),
        Field::Silent => Cell::new(format::duration(peer.last_message_s), Role::Quiet),
    }
}

/// The flags as the letters of `text::PEER_FLAGS`.
fn letters(flags: PeerFlags) -> String {
    let PeerFlags {
        we_are_interested,
        we_choke,
        they_are_interested,
        they_choke,
        snubbed,
        optimistic,
        seed,
        fast,
        extended,
    } = flags;
    let shown = [
        (we_are_interested && !they_choke, 'D'),
        (we_are_interested && they_choke, 'd'),
        (they_are_interested && !we_choke, 'U'),
        (they_are_interested && we_choke, 'u'),
        (optimistic, 'O'),
        (snubbed, 'X'),
        (seed, 'S'),
        (fast, 'F'),
        (extended, 'E'),
    ];
    shown.into_iter().filter(|(is, _)| *is).map(|(_, letter)| letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_has_a_meaning_in_the_legend() {
        for bits in 0..512u32 {
            let bit = |at: u32| bits >> at & 1 == 1;
            let flags = PeerFlags {
                we_are_interested: bit(0),
                we_choke: bit(1),
                they_are_interested: bit(2),
                they_choke: bit(3),
                snubbed: bit(4),
                optimistic: bit(5),
                seed: bit(6),
                fast: bit(7),
                extended: bit(8),
            };
            let letters = letters(flags);
            assert!(letters.len() <= 7);
            assert!(letters.chars().all(|letter| text::PEER_FLAGS.iter().any(|(known, _)| *known == letter)));
        }
    }
}
