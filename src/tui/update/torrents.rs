//! Keys of the torrent list, and the commands for torrents.

use std::collections::BTreeSet;

use super::motion;
use crate::contract::{
    Command, DownloadOrder, FirstLast, OrderChange, PieceSequence, RemoveData, Severity, TorrentState,
};
use crate::limits;
use crate::tui::dialogs::{Dialog, RemoveDialog};
use crate::tui::keymap::Action;
use crate::tui::message::{Done, Effect, Purpose};
use crate::tui::model::{Focus, LimitsAsked, Model};
use crate::tui::text;
use crate::tui::torrents::SortKey;
use crate::tui::widgets::Scroll;
use crate::units::{Rate, TorrentId};

/// Keys that mean something in the list only.
pub(super) fn act(model: &mut Model, action: Action) {
    let page = model.list_page();
    if let Some(motion) = motion(action) {
        return model.list.step(motion, page);
    }
    let list = &mut model.list;
    match action {
        Action::Mark => list.mark(page),
        Action::MarkRange => list.mark_range(),
        Action::MarkAll => list.mark_all(),
        Action::MarkInvert => list.mark_invert(),
        Action::MarkNone => {
            list.unmark();
        }
        Action::Left => list.columns_skipped = list.columns_skipped.saturating_sub(1),
        Action::Right => list.columns_skipped += 1,
        _ => {}
    }
}

fn sort_by(model: &mut Model, key: SortKey) {
    model.list.sort = key;
    sorted(model);
}

fn reverse(model: &mut Model) {
    model.list.direction = model.list.direction.reversed();
    sorted(model);
}

fn sorted(model: &mut Model) {
    model.list.refresh(&model.snapshot.torrents);
    model.toasts.push(Severity::Info, text::sorted(model.list.sort, model.list.direction));
}

/// Keys of the sort menu.
pub(super) fn sort_menu(model: &mut Model, action: Action) {
    let Some(Dialog::Sort(scroll)) = &mut model.dialog else { return };
    match (motion(action), action) {
        (Some(motion), _) => scroll.step(motion, SortKey::ALL.len(), SortKey::ALL.len()),
        (None, Action::Accept) => {
            let key = SortKey::ALL[scroll.at().min(SortKey::ALL.len() - 1)];
            model.dialog = None;
            sort_by(model, key);
        }
        (None, Action::SortReverse) => reverse(model),
        (None, _) => model.dialog = None,
    }
}

/// Commands that hold in list and pane alike; whether `action` is one.
pub(super) fn command(model: &mut Model, action: Action, effects: &mut Vec<Effect>) -> bool {
    match action {
        Action::Pause => {
            let torrents = targets(model);
            pause(model, &torrents, effects);
        }
        Action::PauseAll => {
            let all: Vec<TorrentId> = model.snapshot.torrents.iter().map(|row| row.id).collect();
            pause(model, &all, effects);
        }
        Action::Remove => ask_remove(model, RemoveData::Keep),
        Action::RemoveData => ask_remove(model, RemoveData::Delete),
        Action::Verify => each(model, Done::Verifying, Command::Recheck, effects),
        Action::Announce => each(model, Done::Announced, Command::Announce, effects),
        Action::Sequential => toggle_sequence(model, effects),
        Action::FirstLast => toggle_first_last(model, effects),
        Action::CopyHash => copy_hash(model, effects),
        Action::DownLower => limit(model, Which::Down, Step::Lower, effects),
        Action::DownRaise => limit(model, Which::Down, Step::Raise, effects),
        Action::UpLower => limit(model, Which::Up, Step::Lower, effects),
        Action::UpRaise => limit(model, Which::Up, Step::Raise, effects),
        Action::SortMenu => {
            let mut scroll = Scroll::default();
            scroll.set(model.list.sort as usize);
            model.dialog = Some(Dialog::Sort(scroll));
        }
        Action::SortPrevious => sort_by(model, model.list.sort.step(SortKey::ALL.len() - 1)),
        Action::SortNext => sort_by(model, model.list.sort.step(1)),
        Action::SortReverse => reverse(model),
        _ => return false,
    }
    true
}

/// What a command is for: in the list the marked torrents, else the selected one.
fn targets(model: &mut Model) -> Vec<TorrentId> {
    let targets = match model.focus {
        Focus::List => model.list.targets(),
        Focus::Pane => model.selected().map(|row| row.id).into_iter().collect(),
    };
    if targets.is_empty() {
        model.toasts.push(Severity::Info, text::NO_TORRENT);
    }
    targets
}

fn each(model: &mut Model, done: Done, command: fn(TorrentId) -> Command, effects: &mut Vec<Effect>) {
    for id in targets(model) {
        effects.push(Effect::Ask { purpose: Purpose::Tell(done), command: command(id) });
    }
}

/// Has the targets fetch in order; where all of them do, rarest first again.
fn toggle_sequence(model: &mut Model, effects: &mut Vec<Effect>) {
    let (targets, orders) = orders(model);
    let all_are = orders.iter().all(|order| order.sequence == PieceSequence::InOrder);
    let sequence = if all_are { PieceSequence::RarestFirst } else { PieceSequence::InOrder };
    let change = OrderChange { sequence: Some(sequence), first_last: None };
    set_order(&targets, change, Done::Sequence(sequence), effects);
}

/// Has the targets fetch first and last pieces first; where all of them do, as all others again.
fn toggle_first_last(model: &mut Model, effects: &mut Vec<Effect>) {
    let (targets, orders) = orders(model);
    let all_are = orders.iter().all(|order| order.first_last == FirstLast::First);
    let first_last = if all_are { FirstLast::Alike } else { FirstLast::First };
    let change = OrderChange { sequence: None, first_last: Some(first_last) };
    set_order(&targets, change, Done::FirstLast(first_last), effects);
}

/// The targets, and in which order each is fetched.
fn orders(model: &mut Model) -> (Vec<TorrentId>, Vec<DownloadOrder>) {
    let targets = targets(model);
    let ids: BTreeSet<&TorrentId> = targets.iter().collect();
    let rows = model.snapshot.torrents.iter().filter(|row| ids.contains(&row.id));
    let orders = rows.map(|row| row.order).collect();
    (targets, orders)
}

fn set_order(targets: &[TorrentId], order: OrderChange, done: Done, effects: &mut Vec<Effect>) {
    for &torrent in targets {
        let command = Command::SetOrder { torrent, order };
        effects.push(Effect::Ask { purpose: Purpose::Tell(done), command });
    }
}

/// Pauses those of `ids` that run; where none does, resumes them all.
fn pause(model: &Model, ids: &[TorrentId], effects: &mut Vec<Effect>) {
    let ids: BTreeSet<&TorrentId> = ids.iter().collect();
    let rows = || model.snapshot.torrents.iter().filter(|row| ids.contains(&row.id));
    let runs = |state: TorrentState| !matches!(state, TorrentState::Paused | TorrentState::Error);
    let any_runs = rows().any(|row| runs(row.state));
    for row in rows().filter(|row| runs(row.state) == any_runs) {
        let (done, command) = match any_runs {
            true => (Done::Paused, Command::Pause(row.id)),
            false => (Done::Resumed, Command::Resume(row.id)),
        };
        effects.push(Effect::Ask { purpose: Purpose::Tell(done), command });
    }
}

fn ask_remove(model: &mut Model, data: RemoveData) {
    let torrents = targets(model);
    if torrents.is_empty() {
        return;
    }
    let ids: BTreeSet<&TorrentId> = torrents.iter().collect();
    let rows: Vec<_> = model.snapshot.torrents.iter().filter(|row| ids.contains(&row.id)).collect();
    let name = match rows.as_slice() {
        [row] => Some(row.name.clone()),
        _ => None,
    };
    let done_bytes = rows.iter().fold(0u64, |sum, row| sum.saturating_add(row.done_bytes));
    model.dialog = Some(Dialog::Remove(RemoveDialog { torrents, data, name, done_bytes }));
}

/// Keys of the question before removing.
pub(super) fn answer_remove(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let Some(Dialog::Remove(dialog)) = model.dialog.take() else { return };
    let done = match (action, dialog.data) {
        (Action::Yes, RemoveData::Keep) => Done::Removed,
        (Action::DeleteData, RemoveData::Delete) => Done::Deleted,
        _ => return,
    };
    for torrent in dialog.torrents {
        let command = Command::Remove { torrent, data: dialog.data };
        effects.push(Effect::Ask { purpose: Purpose::Tell(done), command });
    }
}

fn copy_hash(model: &mut Model, effects: &mut Vec<Effect>) {
    let hashes: Vec<String> = targets(model).iter().map(TorrentId::to_string).collect();
    if hashes.is_empty() {
        return;
    }
    let hashes = hashes.join("\n");
    model.toasts.push(Severity::Info, format!("{}{}", text::COPIED, hashes.replace('\n', " ")));
    effects.push(Effect::Copy(hashes));
}

#[derive(Clone, Copy)]
enum Which {
    Down,
    Up,
}

#[derive(Clone, Copy)]
enum Step {
    Lower,
    Raise,
}

fn limit(model: &mut Model, which: Which, step: Step, effects: &mut Vec<Effect>) {
    let LimitsAsked { mut down, mut up, waits } = model.limits();
    match which {
        Which::Down => down = stepped(down, step),
        Which::Up => up = stepped(up, step),
    }
    model.limits_asked = Some(LimitsAsked { down, up, waits: waits + 1 });
    model.toasts.push(Severity::Info, text::limits(down, up));
    effects.push(Effect::Ask { purpose: Purpose::Limits, command: Command::SetLimits { down, up } });
}

/// The next limit on the ladder; no limit is above its last step.
fn stepped(limit: Option<Rate>, step: Step) -> Option<Rate> {
    let steps = limits::RATE_STEPS;
    match (limit, step) {
        (None, Step::Lower) => steps.last().copied(),
        (None, Step::Raise) => None,
        (Some(rate), Step::Lower) => {
            steps.iter().rev().find(|step| **step < rate.0).or(steps.first()).copied()
        }
        (Some(rate), Step::Raise) => steps.iter().find(|step| **step > rate.0).copied(),
    }
    .map(Rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_walk_the_ladder_and_end_at_no_limit() {
        let top = limits::RATE_STEPS[limits::RATE_STEPS.len() - 1];
        assert_eq!(stepped(None, Step::Lower), Some(Rate(top)));
        assert_eq!(stepped(Some(Rate(top)), Step::Raise), None);
        assert_eq!(stepped(Some(Rate(1)), Step::Lower), Some(Rate(limits::RATE_STEPS[0])));
        assert_eq!(stepped(Some(Rate(3 << 20)), Step::Lower), Some(Rate(2 << 20)));
        assert_eq!(stepped(Some(Rate(3 << 20)), Step::Raise), Some(Rate(5 << 20)));
    }
}
