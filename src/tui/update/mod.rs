//! The only writer of the model: a message goes in, effects come out.
//!
//! Every key ends with the model settled: cursors on rows that exist, pages of the right height, the engine watching
//! what is on screen. The subfiles hold what keys do in one part of the screen each.

mod add;
mod answers;
mod inspector;
mod pane;
mod torrents;
mod webseeds;

use std::sync::Arc;
use std::time::Duration;

use ratatui::crossterm::event::KeyEvent;

use super::dialogs::{AddField, AddStep, Dialog, HelpDialog, help_lines};
use super::keymap::{self, Action, Key};
use super::layout;
use super::message::{Effect, Message, Purpose};
use super::model::{FilterOf, Focus, Model, PaneSize, Picture};
use super::torrents::is_transferring;
use super::widgets::{LineInput, Motion, Names, Scroll};
use super::{panels, text};
use crate::contract::{Command, Event, EventKind, Severity, Snapshot};
use crate::limits;

/// Takes one message in.
pub fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    let mut effects = Vec::new();
    match message {
        Message::Key(event) => key(model, &event, &mut effects),
        Message::Paste(pasted) => add::paste(model, &pasted),
        Message::Resize(size) => {
            model.size = size;
            model.size.columns = size.columns.min(limits::SCREEN_COLUMNS_MAX);
            model.size.rows = size.rows.min(limits::SCREEN_ROWS_MAX);
        }
        Message::Snapshot(snapshot) => take(model, snapshot),
        Message::Event(event) => tell(model, &event),
        Message::Answered { purpose, result } => answers::answered(model, purpose, result),
        Message::Saved(Ok(path)) => {
            inspector::say(model, text::saved(&path.display().to_string()));
        }
        Message::Saved(Err(error)) => inspector::say(model, text::not_saved(&error)),
        Message::Tick(now) => tick(model, now),
    }
    settle(model, &mut effects);
    effects
}

/// Shows a snapshot, or keeps it while the picture stands still.
fn take(model: &mut Model, snapshot: Arc<Snapshot>) {
    if model.limits_asked.is_some_and(|asked| asked.waits == 0) {
        model.limits_asked = None;
    }
    if model.webseed_limit_asked.is_some_and(|asked| asked.waits == 0) {
        model.webseed_limit_asked = None;
    }
    match &mut model.picture {
        Picture::Live => {
            model.snapshot = snapshot;
            model.list.refresh(&model.snapshot.torrents);
        }
        Picture::Frozen { latest } => *latest = Some(snapshot),
    }
}

fn tick(model: &mut Model, now: Duration) {
    model.now = now;
    model.toasts.tick(now);
}

/// Shows what a person should not miss.
fn tell(model: &mut Model, event: &Event) {
    let severity = event.kind.severity();
    let matters = match event.kind {
        EventKind::Completed | EventKind::Stuck(_) => true,
        EventKind::Notice { .. } => severity >= Severity::Warning,
        _ => severity >= Severity::Error,
    };
    if !matters {
        return;
    }
    let look = &model.look;
    let row = event.torrent.and_then(|id| model.snapshot.torrents.iter().find(|row| row.id == id));
    let said = text::event(&event.kind, |outside| look.outside(outside, || None));
    let said = match row {
        Some(row) => format!("{}: {said}", look.name(&row.name, || text::HIDDEN_TORRENT.to_owned())),
        None => said,
    };
    model.toasts.push(severity, said);
}

fn key(model: &mut Model, event: &KeyEvent, effects: &mut Vec<Effect>) {
    let Some(key) = Key::of(event) else { return };
    match keymap::find(&model.contexts(), key) {
        Some(action) => act(model, action, effects),
        None => type_key(model, key),
    }
}

/// A key that no context binds: typed, where there is a text field.
fn type_key(model: &mut Model, key: Key) {
    if model.help.is_some() {
        return;
    }
    if let Some(inspector) = &mut model.inspector {
        return inspector::type_key(inspector, key);
    }
    if let Some((of, input)) = &mut model.filter {
        if input.key(key) {
            let (of, filter) = (*of, input.text().to_owned());
            set_filter(model, of, &filter);
        }
        return;
    }
    if let Some(input) = add::text_field(model) {
        input.key(key);
    }
}

fn act(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    match action {
        Action::Quit => return quit(model, effects),
        Action::Redraw => return effects.push(Effect::Repaint),
        Action::Suspend => return effects.push(Effect::Suspend),
        _ if model.help.is_some() => return help(model, action),
        _ if model.chaos.menu.is_some() => return inspector::chaos(model, action, effects),
        Action::Help => return open_help(model),
        Action::Chaos => return inspector::chaos(model, action, effects),
        _ if model.inspector.is_some() => return inspector::act(model, action, effects),
        Action::Inspector => return inspector::open(model),
        _ => {}
    }
    if model.filter.is_some() {
        return filter_action(model, action);
    }
    match &mut model.dialog {
        Some(Dialog::Add(_)) => add::act(model, action, effects),
        Some(Dialog::Remove(_)) => torrents::answer_remove(model, action, effects),
        Some(Dialog::Quit { .. }) => match action {
            Action::Yes => effects.push(Effect::Quit),
            _ => model.dialog = None,
        },
        Some(Dialog::Sort(_)) => torrents::sort_menu(model, action),
        Some(Dialog::Webseed(_)) => webseeds::add(model, action, effects),
        Some(Dialog::RemoveWebseed(_)) => webseeds::answer_remove(model, action, effects),
        None => screen(model, action, effects),
    }
}

/// Keys of the bare screen.
fn screen(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    match action {
        Action::Add => add::open(model, ""),
        Action::Freeze => freeze(model),
        Action::HideNames => hide_names(model),
        Action::Filter => {
            let (of, filter) = match model.focus {
                Focus::List => (FilterOf::Torrents, model.list.filter.clone()),
                Focus::Pane => (FilterOf::Files, model.pane.files.filter().to_owned()),
            };
            model.filter = Some((of, LineInput::new(&filter)));
        }
        Action::Back => back(model),
        Action::InspectPeer => inspector::open_peer(model),
        _ if torrents::command(model, action, effects) => {}
        _ if pane::navigate(model, action) => {}
        _ => match model.focus {
            Focus::List => torrents::act(model, action),
            Focus::Pane => pane::act(model, action, effects),
        },
    }
}

/// One step back: from zoom, from the pane, from marks, from the filter, from a message.
fn back(model: &mut Model) {
    match (model.focus, model.pane.size) {
        (Focus::Pane, PaneSize::Zoomed) => model.pane.size = PaneSize::Shared,
        (Focus::Pane, PaneSize::Shared | PaneSize::Closed) => {
            if !model.pane.files.filter().is_empty() {
                model.pane.files.set_filter("");
                return;
            }
            if model.pane.files.unmark() {
                return;
            }
            model.focus = Focus::List;
            model.pane.size = PaneSize::Closed;
        }
        (Focus::List, PaneSize::Shared | PaneSize::Zoomed) => model.pane.size = PaneSize::Closed,
        (Focus::List, PaneSize::Closed) => {
            if !model.list.filter.is_empty() {
                set_filter(model, FilterOf::Torrents, "");
            } else if !model.list.unmark() {
                model.toasts.dismiss();
            }
        }
    }
}

fn quit(model: &mut Model, effects: &mut Vec<Effect>) {
    let transferring = model.snapshot.torrents.iter().filter(|row| is_transferring(row)).count();
    // The key pressed again in the question is the answer of someone who means it.
    if transferring == 0 || matches!(model.dialog, Some(Dialog::Quit { .. })) {
        effects.push(Effect::Quit);
    } else {
        model.filter = None;
        model.help = None;
        model.dialog = Some(Dialog::Quit { transferring });
    }
}

fn freeze(model: &mut Model) {
    match std::mem::take(&mut model.picture) {
        Picture::Live => model.picture = Picture::Frozen { latest: None },
        Picture::Frozen { latest: Some(latest) } => take(model, latest),
        Picture::Frozen { latest: None } => {}
    }
}

fn hide_names(model: &mut Model) {
    let (names, said) = match model.look.names {
        Names::Shown => (Names::Hidden, text::NAMES_HIDDEN),
        Names::Hidden => (Names::Shown, text::NAMES_SHOWN),
    };
    model.look.names = names;
    model.toasts.push(Severity::Info, said);
}

fn open_help(model: &mut Model) {
    model.help = Some(HelpDialog { contexts: model.contexts(), scroll: Scroll::default() });
}

fn help(model: &mut Model, action: Action) {
    let page = layout::help_rows(layout::help_text(model.size)).count();
    let Some(help) = &mut model.help else { return };
    match motion(action) {
        // The scroll's cursor is the first line that is seen, so the last places are those that fill a page.
        Some(motion) => {
            let places = help_lines(&help.contexts).len().saturating_sub(page) + 1;
            help.scroll.step(motion, places, page);
        }
        None => model.help = None,
    }
}

/// Keys while a filter is typed.
fn filter_action(model: &mut Model, action: Action) {
    let Some((of, _)) = model.filter.take() else { return };
    if action == Action::Back {
        set_filter(model, of, "");
    }
}

fn set_filter(model: &mut Model, of: FilterOf, filter: &str) {
    match of {
        FilterOf::Torrents => {
            filter.clone_into(&mut model.list.filter);
            model.list.refresh(&model.snapshot.torrents);
        }
        FilterOf::Files => model.pane.files.set_filter(filter),
        FilterOf::AddFiles => {
            if let Some(choice) = add::choice(model) {
                choice.tree.set_filter(filter);
            }
        }
    }
}

/// The motion that an action is, if it is one.
fn motion(action: Action) -> Option<Motion> {
    Some(match action {
        Action::Up => Motion::Up,
        Action::Down => Motion::Down,
        Action::PageUp => Motion::PageUp,
        Action::PageDown => Motion::PageDown,
        Action::First => Motion::First,
        Action::Last => Motion::Last,
        _ => return None,
    })
}

/// Brings cursors, pages and the watch into line with what is there now.
fn settle(model: &mut Model, effects: &mut Vec<Effect>) {
    let page = model.list_page();
    model.list.settle(page);
    let skipped_max = panels::list_columns_skipped_max(model.size.columns);
    model.list.columns_skipped = model.list.columns_skipped.min(skipped_max);
    inspector::settle_peer(model);
    pane::settle(model);
    if let Some(Dialog::Add(dialog)) = &mut model.dialog
        && let AddStep::Choice(choice) = &mut dialog.step
    {
        if choice.tree.files() == 0 {
            choice.field = AddField::Folder;
        }
        choice.tree.settle(panels::files::tree_page(layout::add_tree(model.size)));
    }
    add::next_source(model);
    inspector::settle(model, effects);
    watch(model, effects);
}

/// Has the engine send the detail of the selected torrent while a pane is open. One request is under way at a time, so
/// that a held-down key does not fill the engine's queue.
fn watch(model: &mut Model, effects: &mut Vec<Effect>) {
    let wanted = match model.pane.size {
        PaneSize::Closed => None,
        PaneSize::Shared | PaneSize::Zoomed => model.selected().map(|row| row.id),
    };
    if !model.watch.waits && model.watch.asked != wanted {
        model.watch.asked = wanted;
        model.watch.waits = true;
        effects.push(Effect::Ask { purpose: Purpose::Watch, command: Command::Watch(wanted) });
    }
}
