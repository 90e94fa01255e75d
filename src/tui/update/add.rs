//! Keys of the add dialog, and pastes.

use super::pane;
use crate::contract::{AddRequest, Command, Severity, Source, StartState};
use crate::limits;
use crate::tui::dialogs::{AddChoice, AddDialog, AddField, AddStep, Dialog, in_home};
use crate::tui::keymap::Action;
use crate::tui::message::{Effect, Purpose};
use crate::tui::model::{FilterOf, Model};
use crate::tui::widgets::LineInput;
use crate::tui::{layout, panels, text};

/// Opens the dialog with `source` in its field.
pub(super) fn open(model: &mut Model, source: &str) {
    let number = model.dialogs_opened;
    model.dialogs_opened += 1;
    let step = AddStep::Source { input: LineInput::new(source), error: None };
    model.dialog = Some(Dialog::Add(Box::new(AddDialog { number, step })));
}

/// Opens the dialog for the next pasted source, once nothing else is open.
pub(super) fn next_source(model: &mut Model) {
    if model.dialog.is_none()
        && model.help.is_none()
        && model.filter.is_none()
        && let Some(source) = model.sources.pop_front()
    {
        open(model, &source);
    }
}

/// Pasted text goes into the text field that has the keys; else its lines are torrents to add.
pub(super) fn paste(model: &mut Model, pasted: &str) {
    if pasted.len() > limits::INPUT_BYTES_MAX {
        return model.toasts.push(Severity::Warning, text::PASTE_LONG);
    }
    model.help = None;
    let pasted = pasted.trim();
    if let Some((of, input)) = &mut model.filter {
        input.paste(pasted);
        let (of, filter) = (*of, input.text().to_owned());
        return super::set_filter(model, of, &filter);
    }
    if let Some(input) = text_field(model) {
        return input.paste(pasted.lines().next().unwrap_or_default());
    }
    let lines: Vec<&str> =
        pasted.lines().map(str::trim).filter(|line| is_source(line)).take(limits::ADD_QUEUE_MAX).collect();
    if lines.is_empty() {
        model.toasts.push(Severity::Info, text::PASTE_ODD);
    }
    let room = limits::ADD_QUEUE_MAX.saturating_sub(model.sources.len());
    model.sources.extend(lines.into_iter().take(room).map(str::to_owned));
}

/// Whether pasted text can be where a torrent is.
fn is_source(line: &str) -> bool {
    match Source::guess(line) {
        Source::Magnet(_) | Source::Url(_) => true,
        Source::Path(_) => {
            line.ends_with(".torrent") || ["/", "~/", "./", "../"].iter().any(|start| line.starts_with(start))
        }
        Source::Bytes(_) => false,
    }
}

/// The text field of the dialog that has the keys.
pub(super) fn text_field(model: &mut Model) -> Option<&mut LineInput> {
    match &mut model.dialog {
        Some(Dialog::Add(dialog)) => match &mut dialog.step {
            AddStep::Source { input, .. } => Some(input),
            AddStep::Choice(choice) if choice.field == AddField::Folder => Some(&mut choice.folder),
            AddStep::Choice(_) | AddStep::Reading { .. } => None,
        },
        Some(Dialog::Webseed(dialog)) => Some(&mut dialog.input),
        Some(Dialog::Remove(_) | Dialog::Quit { .. } | Dialog::Sort(_) | Dialog::RemoveWebseed(_)) | None => {
            None
        }
    }
}

/// The choice of files, where the dialog is that far.
pub(super) fn choice(model: &mut Model) -> Option<&mut AddChoice> {
    match &mut model.dialog {
        Some(Dialog::Add(dialog)) => match &mut dialog.step {
            AddStep::Choice(choice) => Some(choice),
            AddStep::Source { .. } | AddStep::Reading { .. } => None,
        },
        Some(
            Dialog::Remove(_)
            | Dialog::Quit { .. }
            | Dialog::Sort(_)
            | Dialog::Webseed(_)
            | Dialog::RemoveWebseed(_),
        )
        | None => None,
    }
}

/// Keys of the dialog.
pub(super) fn act(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let Some(Dialog::Add(dialog)) = &mut model.dialog else { return };
    match &mut dialog.step {
        AddStep::Source { .. } => match action {
            Action::Accept => read(model, effects),
            Action::Back => model.dialog = None,
            _ => {}
        },
        AddStep::Reading { source, .. } => match action {
            Action::AddUnread => {
                let command = Command::Add(Box::new(AddRequest::of(source.clone())));
                effects.push(Effect::Ask { purpose: Purpose::Add, command });
                model.dialog = None;
            }
            Action::Back => model.dialog = None,
            _ => {}
        },
        AddStep::Choice(_) => choose(model, action, effects),
    }
}

/// Has the engine read the source that was typed.
fn read(model: &mut Model, effects: &mut Vec<Effect>) {
    let home = model.home.clone();
    let Some(Dialog::Add(dialog)) = &mut model.dialog else { return };
    let AddStep::Source { input, error } = &mut dialog.step else { return };
    let typed = input.text().trim();
    if typed.is_empty() {
        *error = Some(text::ADD_EMPTY.to_owned());
        return;
    }
    let source = match Source::guess(typed) {
        Source::Path(_) => Source::Path(in_home(typed, home.as_ref())),
        source @ (Source::Url(_) | Source::Magnet(_) | Source::Bytes(_)) => source,
    };
    let input = input.clone();
    dialog.step = AddStep::Reading { input, source: source.clone() };
    let purpose = Purpose::Preview { dialog: dialog.number };
    effects.push(Effect::Ask { purpose, command: Command::Preview(source) });
}

fn choose(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let page = panels::files::tree_page(layout::add_tree(model.size));
    let home = model.home.clone();
    let Some(choice) = choice(model) else { return };
    match action {
        Action::Accept => {
            let command = Command::Add(Box::new(choice.request(home.as_ref())));
            effects.push(Effect::Ask { purpose: Purpose::Add, command });
            model.dialog = None;
        }
        Action::Back => model.dialog = None,
        Action::NextField => {
            choice.field = match choice.field {
                AddField::Files => AddField::Folder,
                AddField::Folder => AddField::Files,
            };
        }
        Action::StartPaused => {
            choice.start = match choice.start {
                StartState::Running => StartState::Paused,
                StartState::Paused => StartState::Running,
            };
        }
        Action::Filter => {
            let input = LineInput::new(choice.tree.filter());
            model.filter = Some((FilterOf::AddFiles, input));
        }
        _ => {
            let changes = pane::tree_action(&mut choice.tree, action, page);
            choice.set(&changes);
        }
    }
}
