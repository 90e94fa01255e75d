//! The lines at the top and the bottom: totals, what is to be said of the selected torrent, messages and hints.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::torrents::state_role;
use crate::contract::{Severity, TorrentState};
use crate::tui::model::{Focus, Model, Picture, Tab};
use crate::tui::text::hints;
use crate::tui::theme::Role;
use crate::tui::widgets::{LineInput, Look, Span};
use crate::tui::{format, text};
use crate::units::Rate;

/// A filter has this much room in the totals, where the rates stand beside it.
const FILTER_COLUMNS: usize = 20;

/// Rates, limits, the filter, free disk, port and counts.
pub(in crate::tui) fn totals(model: &Model, buffer: &mut Buffer, area: Rect) {
    let look = &model.look;
    look.clear(buffer, area, Role::Bar);
    let engine = &model.snapshot.engine;
    let limits = model.limits();
    let mut parts = vec![
        vec![Span::new(" ", Role::Bar)],
        rate_and_limit(text::DOWN, engine.down_bps, limits.down, Role::Down),
        rate_and_limit(text::UP, engine.up_bps, limits.up, Role::Up),
    ];
    if !model.list.filter.is_empty() {
        let filter = format::cut(&look.plain(model.list.filter.clone()), FILTER_COLUMNS, look.more());
        let shown = text::filtered(model.list.len(), model.snapshot.torrents.len(), &filter);
        parts.push(vec![Span::new(shown, Role::Mark)]);
    }
    let failed = model.list.counts().get(&TorrentState::Error).copied().unwrap_or(0);
    if failed > 0 {
        parts.push(vec![Span::new(format!("{failed} {}", text::state(TorrentState::Error)), Role::Error)]);
    }
    if let Some(free) = engine.disk_free_bytes {
        parts.push(vec![Span::new(format!("{} {}", format::short_bytes(free), text::FREE), Role::Bar)]);
    }
    if engine.listen_port > 0 {
        parts.push(vec![Span::new(format!("{} {}", text::PORT, engine.listen_port), Role::Bar)]);
    }
    if engine.disk_queue_bytes > 0 {
        let queue = format!("{} {}", format::bytes(engine.disk_queue_bytes), text::DISK_QUEUE);
        parts.push(vec![Span::new(queue, Role::Bar)]);
    }
    parts.push(vec![Span::new(text::torrents(model.snapshot.torrents.len()), Role::Bar)]);
    for (state, number) in model.list.counts().iter().filter(|(state, _)| **state != TorrentState::Error) {
        parts.push(vec![Span::new(format!("{number} {}", text::state(*state)), Role::Bar)]);
    }
    draw_parts(look, buffer, area, parts);
}

/// Draws groups side by side; a group that has no room in full is left out, and so are those after it.
fn draw_parts(look: &Look, buffer: &mut Buffer, area: Rect, parts: Vec<Vec<Span>>) {
    let mut line: Vec<Span> = Vec::new();
    let mut used = 0;
    for (at, part) in parts.into_iter().enumerate() {
        let gap = if at > 1 { 2 } else { 0 };
        let columns: usize = part.iter().map(Span::width).sum();
        if used + gap + columns > usize::from(area.width) {
            break;
        }
        used += gap + columns;
        line.push(Span::new(" ".repeat(gap), Role::Bar));
        line.extend(part);
    }
    look.line(buffer, area, &line);
}

fn rate_and_limit(name: &str, rate: Rate, limit: Option<Rate>, role: Role) -> Vec<Span> {
    let mut spans = vec![
        Span::new(format!("{name} "), Role::Bar),
        Span::new(
            format!("{:>5}/s", format::short_bytes(rate.0)),
            if rate == Rate(0) { Role::Bar } else { role },
        ),
    ];
    if let Some(limit) = limit {
        spans.push(Span::new(format!(" {} {}", text::OF, format::short_bytes(limit.0)), Role::Warning));
    }
    spans
}

/// Whether a message was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tui) enum Toasted {
    Yes,
    No,
}

/// The message that is shown now, if there is one.
pub(in crate::tui) fn toast(model: &Model, buffer: &mut Buffer, area: Rect) -> Toasted {
    let look = &model.look;
    let Some((toast, behind)) = model.toasts.shown() else { return Toasted::No };
    look.clear(buffer, area, Role::Bar);
    let role = match toast.severity {
        Severity::Detail | Severity::Info => Role::Bar,
        Severity::Warning => Role::Warning,
        Severity::Error => Role::Error,
    };
    let behind = if behind > 0 { format!(" (+{behind})") } else { String::new() };
    let text = look.plain(toast.text.clone());
    look.line(buffer, area, &[Span::new(behind, Role::Bar), Span::new(format!(" {text}"), role)]);
    Toasted::Yes
}

/// The message that is shown now; else why the selected torrent is not doing more, and how it stands.
pub(in crate::tui) fn banner(model: &Model, buffer: &mut Buffer, area: Rect) {
    let look = &model.look;
    look.clear(buffer, area, Role::Bar);
    if toast(model, buffer, area) == Toasted::Yes {
        return;
    }
    let Some(torrent) = model.selected() else { return };
    let mut spans = vec![Span::new(format!(" {}", text::state(torrent.state)), state_role(torrent))];
    if let Some(cause) = &torrent.cause {
        let failed = torrent.state == TorrentState::Error;
        // A stable word or a count is no name; the text of an error may hold one.
        let said = match text::cause_word(cause.raw()) {
            Some(said) => said,
            None if failed => look.name(cause, || text::HIDDEN_TEXT.to_owned()),
            None => look.text(cause),
        };
        spans.push(Span::new(format!(": {said}"), if failed { Role::Error } else { Role::Warning }));
    }
    let mut room = usize::from(area.width).saturating_sub(spans.iter().map(Span::width).sum());
    for (at, fact) in text::facts(torrent).into_iter().enumerate() {
        let fact = Span::new(format!("{}{fact}", if at == 0 { "   " } else { ", " }), Role::Bar);
        if fact.width() > room {
            break;
        }
        room -= fact.width();
        spans.push(fact);
    }
    look.line(buffer, area, &spans);
}

/// Hints for the part that has the keys, after what holds until a key ends it.
pub(in crate::tui) fn status(model: &Model, buffer: &mut Buffer, area: Rect) {
    let mut spans = vec![Span::new(" ", Role::Text)];
    if matches!(model.picture, Picture::Frozen { .. }) {
        spans.push(Span::new(format!("{}, {}  ", text::FROZEN, hints::line(hints::FROZEN)), Role::Mark));
    }
    let marked = match (model.focus, model.pane.tab) {
        (Focus::List, _) => model.list.marked(),
        (Focus::Pane, Tab::Files) => model.pane.files.marked(),
        (Focus::Pane, Tab::Peers | Tab::Trackers | Tab::Webseeds | Tab::Pieces | Tab::Log) => 0,
    };
    if marked > 0 {
        spans.push(Span::new(text::marked(marked), Role::Mark));
    }
    spans.push(Span::new(hints::line(hints(model)), Role::Quiet));
    model.look.line(buffer, area, &spans);
}

fn hints(model: &Model) -> hints::Hints {
    match (model.focus, model.pane.tab) {
        (Focus::List, _) if model.snapshot.torrents.is_empty() => hints::EMPTY,
        (Focus::List, _) => hints::LIST,
        (Focus::Pane, Tab::Files) => hints::FILES,
        (Focus::Pane, Tab::Webseeds) => hints::WEBSEEDS,
        (Focus::Pane, Tab::Peers) => hints::PEERS,
        (Focus::Pane, Tab::Trackers | Tab::Pieces | Tab::Log) => hints::PANE,
    }
}

/// The filter while it is typed; where its cursor is.
pub(in crate::tui) fn filter_line(
    model: &Model,
    input: &LineInput,
    buffer: &mut Buffer,
    area: Rect,
) -> Position {
    let (shown, at) = input.window(usize::from(area.width.saturating_sub(2)));
    model.look.clear(buffer, area, Role::Text);
    let spans =
        [Span::new(format!(" {}", text::FILTER), Role::Key), Span::new(model.look.plain(shown), Role::Text)];
    model.look.line(buffer, area, &spans);
    let at = u16::try_from(at).unwrap_or(0) + 2;
    Position { x: area.x + at.min(area.width.saturating_sub(1)), y: area.y }
}
