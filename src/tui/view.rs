//! The model as a picture: a pure function of it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::model::Model;
use super::theme::Role;
use super::widgets::Span;
use super::{dialogs, inspector, panels, text};

/// Draws the whole screen; where the text cursor is, if something is typed.
pub fn view(model: &Model, buffer: &mut Buffer) -> Option<Position> {
    let whole = *buffer.area();
    model.look.clear(buffer, whole, Role::Text);
    let Some(areas) = model.areas() else {
        too_small(model, buffer, whole);
        return None;
    };
    panels::totals(model, buffer, areas.totals);
    panels::torrents(model, buffer, areas.heading, areas.list);
    if !areas.tabs.is_empty() {
        panels::tabs(model, buffer, areas.tabs);
        panels::pane(model, buffer, areas.pane);
    }
    panels::banner(model, buffer, areas.banner);
    panels::status(model, buffer, areas.status);
    let in_dialog = dialogs::draw(model, buffer);
    let cursor = match &model.filter {
        Some((_, input)) => Some(panels::filter_line(model, input, buffer, areas.status)),
        None => in_dialog,
    };
    let cursor = match &model.inspector {
        Some(inspector) => {
            let cursor = inspector::draw(&model.look, inspector, model.size, buffer);
            panels::toast(model, buffer, areas.banner);
            cursor
        }
        None => cursor,
    };
    let is_covered = model.help.is_some() || model.chaos.menu.is_some();
    dialogs::draw_chaos(model, buffer);
    if let Some(help) = &model.help {
        dialogs::draw_help(model, help, buffer);
    }
    cursor.filter(|_| !is_covered)
}

fn too_small(model: &Model, buffer: &mut Buffer, area: Rect) {
    let middle = Rect { y: area.y + area.height / 2, height: area.height.min(1), ..area };
    model.look.line(buffer, middle, &[Span::new(text::TOO_SMALL, Role::Warning)]);
}
