//! Keys of the detail pane.

use std::sync::Arc;

use super::{motion, webseeds};
use crate::contract::{Command, FileChoice, Priority, PriorityChange, TorrentDetail};
use crate::tui::keymap::Action;
use crate::tui::message::{Done, Effect, Purpose};
use crate::tui::model::{Focus, Follow, Model, PaneSize, Tab};
use crate::tui::widgets::{FileTree, Leaf, Motion, Scroll};

/// Keys that open, close and switch panes; whether `action` is one.
pub(super) fn navigate(model: &mut Model, action: Action) -> bool {
    match action {
        Action::Files => open(model, Tab::Files),
        Action::Peers => open(model, Tab::Peers),
        Action::Trackers => open(model, Tab::Trackers),
        Action::Webseeds => open(model, Tab::Webseeds),
        Action::Pieces => open(model, Tab::Pieces),
        Action::Log => open(model, Tab::Log),
        Action::Open => match (model.focus, model.pane.size) {
            (Focus::List, _) => open(model, model.pane.tab),
            (Focus::Pane, PaneSize::Zoomed) => model.pane.size = PaneSize::Shared,
            (Focus::Pane, PaneSize::Shared | PaneSize::Closed) => model.pane.size = PaneSize::Zoomed,
        },
        Action::NextPane | Action::PreviousPane => match model.focus {
            Focus::List => open(model, model.pane.tab),
            Focus::Pane => {
                model.focus = Focus::List;
                model.pane.size = PaneSize::Shared;
            }
        },
        _ => return false,
    }
    true
}

pub(super) fn open(model: &mut Model, tab: Tab) {
    if model.pane.tab != tab {
        model.pane.tab = tab;
        model.pane.rows = Scroll::default();
        model.pane.follow = Follow::Newest;
        model.pane.columns_skipped = 0;
    }
    if model.pane.size == PaneSize::Closed {
        model.pane.size = PaneSize::Shared;
    }
    model.focus = Focus::Pane;
}

/// Keys that mean something in the open pane only.
pub(super) fn act(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let (rows, page) = (model.pane_rows(), model.pane_page());
    match model.pane.tab {
        Tab::Files => {
            let changes = tree_action(&mut model.pane.files, action, page);
            set_priorities(model, &changes, effects);
        }
        Tab::Peers | Tab::Trackers | Tab::Webseeds | Tab::Pieces | Tab::Log => {
            let pane = &mut model.pane;
            if let Some(motion) = motion(action) {
                pane.rows.step(motion, rows, page);
                let at_end = pane.rows.at() + 1 >= rows;
                pane.follow = if at_end { Follow::Newest } else { Follow::Stay };
            }
            match action {
                Action::Left => pane.columns_skipped = pane.columns_skipped.saturating_sub(1),
                Action::Right => pane.columns_skipped = (pane.columns_skipped + 1).min(COLUMNS_SKIPPED_MAX),
                _ if pane.tab == Tab::Webseeds => webseeds::act(model, action, effects),
                _ => {}
            }
        }
    }
}

/// No table of a pane has more columns that give way; more presses would have to be taken back one by one.
const COLUMNS_SKIPPED_MAX: usize = 12;

/// Keys of a file tree; which files are to have another level.
pub(super) fn tree_action(tree: &mut FileTree, action: Action, page: usize) -> Vec<(Vec<usize>, Priority)> {
    if let Some(motion) = motion(action) {
        tree.step(motion, page);
        return Vec::new();
    }
    match action {
        Action::Left => tree.left(),
        Action::Right => tree.right(),
        Action::FoldAll => tree.fold_all(),
        Action::Mark => tree.mark(page),
        Action::MarkRange => tree.mark_range(),
        Action::MarkAll => tree.mark_all(),
        Action::MarkInvert => tree.mark_invert(),
        Action::MarkNone => {
            tree.unmark();
        }
        Action::Raise => return shifted(tree, raised),
        Action::Lower => return shifted(tree, lowered),
        Action::Normal => return vec![(tree.targets(), Priority::Normal)],
        Action::Skip => return vec![(tree.targets(), Priority::Off)],
        Action::Max => return vec![(tree.targets(), Priority::High)],
        _ => {}
    }
    Vec::new()
}

fn raised(level: Priority) -> Priority {
    match level {
        Priority::Off => Priority::Low,
        Priority::Low => Priority::Normal,
        Priority::Normal | Priority::High => Priority::High,
    }
}

fn lowered(level: Priority) -> Priority {
    match level {
        Priority::Off | Priority::Low => Priority::Off,
        Priority::Normal => Priority::Low,
        Priority::High => Priority::Normal,
    }
}

/// Each target one level on from its own; files that are at the end already are left out.
fn shifted(tree: &FileTree, shift: fn(Priority) -> Priority) -> Vec<(Vec<usize>, Priority)> {
    let mut changes: Vec<(Vec<usize>, Priority)> =
        Priority::ALL.into_iter().map(|level| (Vec::new(), level)).collect();
    for position in tree.targets() {
        let Some(leaf) = tree.leaf(position) else { continue };
        let level = shift(leaf.priority);
        if level != leaf.priority {
            changes[level as usize].0.push(position);
        }
    }
    changes
}

fn set_priorities(model: &Model, changes: &[(Vec<usize>, Priority)], effects: &mut Vec<Effect>) {
    let Some(detail) = &model.pane.detail else { return };
    let tree = &model.pane.files;
    let changes: Vec<PriorityChange> = changes
        .iter()
        .filter(|(positions, _)| !positions.is_empty())
        .map(|(positions, level)| {
            let files = if positions.len() == tree.files() {
                FileChoice::All
            } else {
                FileChoice::Indices(
                    positions.iter().filter_map(|&at| tree.leaf(at)).map(|leaf| leaf.file).collect(),
                )
            };
            PriorityChange { files, level: *level }
        })
        .collect();
    if !changes.is_empty() {
        let command = Command::SetPriority { torrent: detail.row.id, changes };
        effects.push(Effect::Ask { purpose: Purpose::Tell(Done::PrioritySet), command });
    }
}

/// Brings the file tree up to date with the detail that is shown, and cursors onto rows that exist.
pub(super) fn settle(model: &mut Model) {
    if model.pane.size == PaneSize::Closed {
        return;
    }
    let shown = model.detail().cloned();
    if model.pane.tab == Tab::Files {
        refresh_files(model, shown);
    }
    let (rows, page) = (model.pane_rows(), model.pane_page());
    let pane = &mut model.pane;
    match pane.tab {
        Tab::Files => pane.files.settle(page),
        Tab::Log if pane.follow == Follow::Newest => {
            pane.rows.step(Motion::Last, rows, page);
            pane.rows.settle(rows, page);
        }
        Tab::Peers | Tab::Trackers | Tab::Webseeds | Tab::Pieces | Tab::Log => pane.rows.settle(rows, page),
    }
}

fn refresh_files(model: &mut Model, shown: Option<Arc<TorrentDetail>>) {
    let pane = &mut model.pane;
    let Some(detail) = shown else {
        // The detail of another torrent must not take priorities meant for this one.
        pane.detail = None;
        return;
    };
    if pane.detail.as_ref().is_some_and(|last| Arc::ptr_eq(last, &detail)) {
        return;
    }
    let same_files =
        pane.tree_of.is_some_and(|(id, files)| id == detail.row.id && files == detail.files.len());
    if !same_files {
        pane.files = FileTree::new(detail.files.iter().map(|file| &file.path));
        pane.tree_of = Some((detail.row.id, detail.files.len()));
    }
    pane.files.refresh(detail.files.iter().map(|file| Leaf {
        file: file.index,
        bytes: file.bytes,
        done_bytes: file.done_bytes,
        priority: file.priority,
    }));
    pane.detail = Some(detail);
}
