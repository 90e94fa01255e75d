//! What keys do in the inspector.

use super::motion;
use crate::contract::{Command, DumpKind};
use crate::tui::inspector::{Inspector, page};
use crate::tui::keymap::Action;
use crate::tui::message::{Effect, Purpose};
use crate::tui::model::Model;

pub(super) fn open(model: &mut Model) {
    model.inspector = Some(Inspector::default());
}

pub(super) fn act(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let size = model.size;
    let Some(inspector) = &mut model.inspector else { return };
    match action {
        Action::Back | Action::Inspector => model.inspector = None,
        Action::InspectTasks => inspector.show(DumpKind::Tasks),
        Action::InspectLocks => inspector.show(DumpKind::Locks),
        Action::InspectQueues => inspector.show(DumpKind::Queues),
        Action::InspectWaits => inspector.show(DumpKind::Waits),
        Action::NextPane => inspector.step(1),
        Action::PreviousPane => inspector.step(3),
        Action::Open => inspector.toggle(),
        Action::Freeze => inspector.frozen = !inspector.frozen,
        Action::CopyText => effects.extend(inspector.text().map(Effect::Copy)),
        _ => {
            if let Some(motion) = motion(action) {
                inspector.walk(motion, page(inspector, size));
            }
        }
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
