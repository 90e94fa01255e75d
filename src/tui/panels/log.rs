//! What happened to the selected torrent.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{pane_role, rows, say};
use crate::contract::{Severity, TorrentDetail};
use crate::tui::format;
use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::widgets::Span;

/// How far a press of the column keys shifts long lines.
const SHIFT_COLUMNS: usize = 16;

/// Draws the log pane.
pub(super) fn draw(model: &Model, detail: &TorrentDetail, buffer: &mut Buffer, area: Rect) {
    let look = &model.look;
    if detail.log.is_empty() {
        return say(look, buffer, area, text::NO_LOG);
    }
    let page = usize::from(area.height);
    rows(area, model.pane.rows.seen(detail.log.len(), page), |row, area| {
        let Some(line) = detail.log.get(row) else { return };
        let severity = line.event.kind.severity();
        let role = match severity {
            Severity::Detail => Role::Quiet,
            Severity::Info => Role::Text,
            Severity::Warning => Role::Warning,
            Severity::Error => Role::Error,
        };
        let said =
            text::event(&line.event.kind, |outside| look.name(outside, || text::HIDDEN_TEXT.to_owned()));
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
