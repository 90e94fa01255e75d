//! What the answer to a command does.

use crate::contract::{Answer, Refusal, Severity, Untrusted};
use crate::tui::dialogs::{AddChoice, AddStep, Dialog};
use crate::tui::message::Purpose;
use crate::tui::model::Model;
use crate::tui::text;

/// Takes the answer to a command that was sent for `purpose`.
pub(super) fn answered(model: &mut Model, purpose: Purpose, result: Result<Answer, Refusal>) {
    match purpose {
        Purpose::Preview { dialog } => return preview(model, dialog, result),
        Purpose::Watch => {
            model.watch.waits = false;
            // A torrent that went meanwhile is no news: it leaves the list by the next snapshot.
            return;
        }
        Purpose::Inspect => {
            let look = match result {
                Ok(Answer::Dump(dump)) => Some(*dump),
                Ok(_) | Err(_) => None,
            };
            if let Some(inspector) = &mut model.inspector {
                inspector.take(look);
            }
            return;
        }
        Purpose::Limits => {
            if let Some(asked) = &mut model.limits_asked {
                asked.waits = asked.waits.saturating_sub(1);
            }
        }
        Purpose::WebseedLimit { torrent, key } => {
            let asked = model.webseed_limit_asked.as_mut();
            if let Some(asked) = asked.filter(|asked| (asked.torrent, asked.key) == (torrent, key)) {
                asked.waits = asked.waits.saturating_sub(1);
            }
        }
        Purpose::Add | Purpose::Open | Purpose::Tell(_) => {}
    }
    match (result, purpose) {
        (Err(refusal), _) => model.toasts.push(Severity::Error, safe(refusal)),
        (Ok(Answer::Done), Purpose::Tell(done)) => model.toasts.push(Severity::Info, text::done(done)),
        (Ok(Answer::Added { torrent, already }), Purpose::Add | Purpose::Open) => {
            if purpose == Purpose::Add {
                model.list.await_torrent(torrent);
            }
            model.toasts.push(Severity::Info, text::added(already));
        }
        (Ok(Answer::Done), Purpose::Limits | Purpose::WebseedLimit { .. }) => {}
        (Ok(_), _) => model.toasts.push(Severity::Error, text::ODD_ANSWER),
    }
}

/// The refusal's line. It is said to be safe; that it is shown is reason enough to make sure.
fn safe(refusal: Refusal) -> String {
    Untrusted::new(refusal.message).shown()
}

/// A source was read: its files go into the dialog that asked, if that is still open.
fn preview(model: &mut Model, number: u64, result: Result<Answer, Refusal>) {
    let save_dir = model.snapshot.engine.save_dir.display().to_string();
    let Some(Dialog::Add(dialog)) = &mut model.dialog else { return };
    if dialog.number != number {
        return;
    }
    let AddStep::Reading { input, source } = &dialog.step else { return };
    dialog.step = match result {
        Ok(Answer::Preview(preview)) => {
            AddStep::Choice(Box::new(AddChoice::new(source.clone(), preview, &save_dir)))
        }
        Ok(_) => AddStep::Source { input: input.clone(), error: Some(text::ODD_ANSWER.to_owned()) },
        Err(refusal) => AddStep::Source { input: input.clone(), error: Some(safe(refusal)) },
    };
}
