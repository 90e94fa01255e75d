//! What keys do in the inspector.

use std::net::SocketAddr;

use super::motion;
use crate::contract::{Command, DumpKind, Severity};
use crate::tui::inspector::{Arrival, Inspector, Line, SortKey, Target, page};
use crate::tui::keymap::{Action, Key};
use crate::tui::message::{Effect, Purpose};
use crate::tui::model::{Focus, Model, PaneSize, Tab};
use crate::tui::text;
use crate::tui::widgets::{LineInput, Look, Scroll};
use crate::units::TorrentId;

pub(super) fn open(model: &mut Model) {
    model.inspector = Some(Inspector::default());
}

/// Opens it on the tasks of the peer under the cursor of the peers pane.
pub(super) fn open_peer(model: &mut Model) {
    let at = model.pane.rows.at();
    let Some(address) = model.detail().and_then(|detail| Some(detail.peers.get(at)?.address)) else { return };
    let mut inspector = Inspector::default();
    inspector.jump(Target::PeerTasks(address));
    model.inspector = Some(inspector);
}

pub(super) fn act(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let size = model.size;
    let Some(inspector) = &mut model.inspector else { return };
    inspector.said = None;
    if let Some(input) = inspector.typing.take() {
        return typed(model, action, input.text().to_owned());
    }
    if inspector.menu.is_some() {
        return menu(inspector, action);
    }
    match action {
        Action::Inspector => model.inspector = None,
        Action::Back => back(model),
        Action::InspectTasks => inspector.show(DumpKind::Tasks),
        Action::InspectLocks => inspector.show(DumpKind::Locks),
        Action::InspectQueues => inspector.show(DumpKind::Queues),
        Action::InspectSemaphores => inspector.show(DumpKind::Semaphores),
        Action::InspectOwners => inspector.show(DumpKind::Owners),
        Action::InspectWaits => inspector.show(DumpKind::Waits),
        Action::NextPane => inspector.step(1),
        Action::PreviousPane => inspector.step(crate::tui::inspector::PAGES.len() - 1),
        Action::Open => open_line(model),
        Action::Follow => follow(model),
        Action::GoBack => {
            if !inspector.back() {
                say(model, text::NO_WAY_BACK);
            }
        }
        Action::PeerRow => peer_row(model),
        Action::Filter => inspector.typing = Some(LineInput::new(&inspector.page().filter)),
        Action::SortMenu => inspector.menu = Some(Scroll::default()),
        Action::SortPrevious => inspector.sort_back(),
        Action::SortNext => inspector.sort_step(1),
        Action::SortReverse => inspector.sort_by(inspector.page().sort),
        Action::Left => inspector.columns_skipped = inspector.columns_skipped.saturating_sub(1),
        Action::Right => inspector.columns_skipped = (inspector.columns_skipped + 1).min(COLUMNS_SKIPPED_MAX),
        Action::Freeze => inspector.freeze(),
        Action::KeepLook => {
            let said = if inspector.keep() { text::BASE_KEPT } else { text::NO_BASE };
            say(model, said);
        }
        Action::Compare => {
            if !inspector.compare() {
                say(model, text::NO_BASE);
            }
        }
        Action::HideNames => super::hide_names(model),
        Action::CopyText => copy(model, Inspector::text, text::PAGE_COPIED, effects),
        Action::CopyRow => copy(model, Inspector::row_text, text::ROW_COPIED, effects),
        Action::SaveText => save(model, effects),
        Action::WriteDump => {
            effects.push(Effect::Dump);
            say(model, text::DUMPING);
        }
        _ => {
            if let Some(motion) = motion(action) {
                inspector.walk(motion, page(inspector, size));
            }
        }
    }
}

/// Says what came of a key: in the inspector, where messages of what is stuck would keep it waiting.
pub(super) fn say(model: &mut Model, said: impl Into<String>) {
    match &mut model.inspector {
        Some(inspector) => inspector.said = Some(said.into()),
        None => model.toasts.push(Severity::Info, said),
    }
}

/// No page has more columns that give way.
const COLUMNS_SKIPPED_MAX: usize = 4;

/// One step back: from the changes, from the filter, from the inspector.
fn back(model: &mut Model) {
    let Some(inspector) = &mut model.inspector else { return };
    if inspector.page().comparing {
        inspector.compare();
    } else if !inspector.page().filter.is_empty() {
        inspector.set_filter("");
    } else {
        model.inspector = None;
    }
}

/// Follows a line that leads somewhere else; opens or closes any other.
fn open_line(model: &mut Model) {
    let Some(inspector) = &mut model.inspector else { return };
    let shown = inspector.page();
    match shown.lines().get(shown.rows.at()) {
        Some(Line::Fact(_, fact)) if fact.target.is_some() => follow(model),
        Some(Line::Branch(branch)) if branch.rows.len() < 2 => follow(model),
        Some(_) => inspector.toggle(),
        None => {}
    }
}

fn follow(model: &mut Model) {
    let Some(inspector) = &mut model.inspector else { return };
    let shown = inspector.page();
    let target = match shown.lines().get(shown.rows.at()) {
        Some(Line::Fact(_, fact)) => fact.target.clone(),
        Some(_) | None => None,
    };
    if let Some(Target::PeerRow(torrent, address)) = target {
        return show_peer(model, torrent, address);
    }
    match inspector.follow() {
        Some(Arrival::There) => {}
        Some(Arrival::Gone) => say(model, text::INSPECTED_GONE),
        None => say(model, text::LEADS_NOWHERE),
    }
}

/// Closes the inspector on the row of the peer that the selected task works for.
fn peer_row(model: &mut Model) {
    match model.inspector.as_ref().and_then(Inspector::peer) {
        Some((torrent, address)) => show_peer(model, torrent, address),
        None => say(model, text::NO_PEER),
    }
}

fn show_peer(model: &mut Model, torrent: TorrentId, address: SocketAddr) {
    if !model.snapshot.torrents.iter().any(|row| row.id == torrent) {
        return say(model, text::INSPECTED_GONE);
    }
    model.inspector = None;
    model.dialog = None;
    model.filter = None;
    // A filter may hide the torrent; the way to it must not end there.
    model.list.filter.clear();
    model.list.await_torrent(torrent);
    model.list.refresh(&model.snapshot.torrents);
    super::pane::open(model, Tab::Peers);
    model.pane.size = PaneSize::Shared;
    model.focus = Focus::Pane;
    model.pane.awaited_peer = Some(address);
}

/// Puts the cursor of the peers pane on the peer that it is to be on, once there is a row of it.
pub(super) fn settle_peer(model: &mut Model) {
    let Some(address) = model.pane.awaited_peer.filter(|_| model.pane.tab == Tab::Peers) else {
        model.pane.awaited_peer = None;
        return;
    };
    let Some(detail) = model.detail() else { return };
    if let Some(at) = detail.peers.iter().position(|peer| peer.address == address) {
        model.pane.rows.set(at);
    }
    model.pane.awaited_peer = None;
}

/// Copies what `text` makes of the inspector.
fn copy(
    model: &mut Model,
    text: impl Fn(&Inspector, &Look) -> Option<String>,
    done: &str,
    effects: &mut Vec<Effect>,
) {
    let copied = model.inspector.as_ref().and_then(|inspector| text(inspector, &model.look));
    say(model, if copied.is_some() { done } else { text::NOTHING_TO_COPY });
    effects.extend(copied.map(Effect::Copy));
}

fn save(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(inspector) = &model.inspector else { return };
    match inspector.text(&model.look) {
        Some(text) => {
            let name = format!("inspector-{}", text::inspector_page(inspector.page().kind));
            effects.push(Effect::Save { name, text });
        }
        None => say(model, text::NOTHING_TO_SAVE),
    }
}

/// A key of the filter while it is typed.
pub(super) fn type_key(inspector: &mut Inspector, key: Key) {
    if let Some(input) = &mut inspector.typing
        && input.key(key)
    {
        let filter = input.text().to_owned();
        inspector.set_filter(&filter);
    }
}

/// What ends the typing of a filter.
fn typed(model: &mut Model, action: Action, filter: String) {
    let Some(inspector) = &mut model.inspector else { return };
    match action {
        Action::Accept => inspector.set_filter(&filter),
        Action::Inspector => model.inspector = None,
        _ => inspector.set_filter(""),
    }
}

fn menu(inspector: &mut Inspector, action: Action) {
    let keys = SortKey::all(inspector.page().number_words().len());
    let Some(mut scroll) = inspector.menu.take() else { return };
    match action {
        Action::Accept => {
            let key = keys.get(scroll.at()).copied().unwrap_or_default();
            if key != inspector.page().sort {
                inspector.sort_by(key);
            }
        }
        Action::SortReverse => {
            inspector.sort_by(inspector.page().sort);
            inspector.menu = Some(scroll);
        }
        _ => {
            if let Some(motion) = motion(action) {
                scroll.step(motion, keys.len(), keys.len());
                inspector.menu = Some(scroll);
            }
        }
    }
}

/// Opens the menu of troubles, or does what a key does there.
pub(super) fn chaos(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let names = model.chaos.names.len();
    let Some(mut scroll) = model.chaos.menu.take() else {
        model.chaos.menu = (names > 0).then(Scroll::default);
        return;
    };
    match motion(action) {
        Some(motion) => {
            scroll.step(motion, names, names);
            model.chaos.menu = Some(scroll);
        }
        None if action == Action::Accept => effects.push(Effect::Chaos(scroll.at())),
        None => {}
    }
}

/// Asks for the next look where one is due.
pub(super) fn settle(model: &mut Model, effects: &mut Vec<Effect>) {
    let (size, now) = (model.size, model.now);
    let Some(inspector) = &mut model.inspector else { return };
    inspector.settle(page(inspector, size));
    if let Some(kind) = inspector.ask(now) {
        effects.push(Effect::Ask { purpose: Purpose::Inspect, command: Command::Dump(kind) });
    }
}
