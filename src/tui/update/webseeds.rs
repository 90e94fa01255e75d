//! Keys of the webseeds pane and of its dialogs.

use crate::contract::{Command, Severity, WebseedAction, WebseedRow, WebseedState};
use crate::tui::dialogs::{Dialog, RemoveWebseedDialog, WebseedDialog};
use crate::tui::keymap::Action;
use crate::tui::message::{Done, Effect, Purpose, WebseedChange};
use crate::tui::model::{Model, WebseedLimitAsked};
use crate::tui::text;
use crate::tui::widgets::LineInput;
use crate::units::TorrentId;

/// Keys that mean something in this pane only.
pub(super) fn act(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    match action {
        Action::WebseedAdd => match model.selected() {
            Some(row) => {
                let torrent = row.id;
                let input = LineInput::new("");
                model.dialog = Some(Dialog::Webseed(WebseedDialog { torrent, input, error: None }));
            }
            None => model.toasts.push(Severity::Info, text::NO_TORRENT),
        },
        Action::WebseedRemove => {
            if let Some((torrent, row)) = selected(model) {
                let dialog = RemoveWebseedDialog { torrent, key: row.key, url: row.url };
                model.dialog = Some(Dialog::RemoveWebseed(dialog));
            }
        }
        Action::WebseedRetry => {
            if let Some((torrent, row)) = selected(model) {
                tell(torrent, WebseedAction::Retry(row.key), WebseedChange::Retried, effects);
            }
        }
        Action::WebseedToggle => {
            if let Some((torrent, row)) = selected(model) {
                let (action, change) = match row.state {
                    WebseedState::Disabled => (WebseedAction::Enable(row.key), WebseedChange::Enabled),
                    WebseedState::Idle
                    | WebseedState::Active
                    | WebseedState::BackingOff
                    | WebseedState::Banned => (WebseedAction::Disable(row.key), WebseedChange::Disabled),
                };
                tell(torrent, action, change, effects);
            }
        }
        Action::Raise => limit(model, |requests_max| requests_max.saturating_add(1), effects),
        Action::Lower => limit(model, |requests_max| requests_max.saturating_sub(1).max(1), effects),
        _ => {}
    }
}

/// The webseed under the cursor, and its torrent; where there is none, says so.
fn selected(model: &mut Model) -> Option<(TorrentId, WebseedRow)> {
    let row = model.detail().and_then(|detail| {
        let row = detail.webseeds.get(model.pane.rows.at())?;
        Some((detail.row.id, row.clone()))
    });
    if row.is_none() {
        model.toasts.push(Severity::Info, text::NO_WEBSEED);
    }
    row
}

fn tell(torrent: TorrentId, action: WebseedAction, change: WebseedChange, effects: &mut Vec<Effect>) {
    let purpose = Purpose::Tell(Done::Webseed(change));
    effects.push(Effect::Ask { purpose, command: Command::Webseed { torrent, action } });
}

/// Sets another limit on the requests of the selected webseed. Presses add up, also before a snapshot has the first.
fn limit(model: &mut Model, step: fn(u32) -> u32, effects: &mut Vec<Effect>) {
    let Some((torrent, row)) = selected(model) else { return };
    let asked = model.webseed_limit_asked.filter(|asked| (asked.torrent, asked.key) == (torrent, row.key));
    let (requests_max, waits) =
        asked.map_or((row.requests_max, 0), |asked| (asked.requests_max, asked.waits));
    let requests_max = step(requests_max);
    let asked = WebseedLimitAsked { torrent, key: row.key, requests_max, waits: waits + 1 };
    model.webseed_limit_asked = Some(asked);
    model.toasts.push(Severity::Info, text::webseed_limit(requests_max));
    let action = WebseedAction::Limit(row.key, requests_max);
    let purpose = Purpose::WebseedLimit { torrent, key: row.key };
    effects.push(Effect::Ask { purpose, command: Command::Webseed { torrent, action } });
}

/// Keys of the dialog that adds one.
pub(super) fn add(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let Some(Dialog::Webseed(dialog)) = &mut model.dialog else { return };
    match action {
        Action::Accept => {
            let typed = dialog.input.text().trim();
            if !is_web_url(typed) {
                dialog.error = Some(text::WEBSEED_ADD_ODD);
                return;
            }
            let action = WebseedAction::Add(typed.to_owned());
            tell(dialog.torrent, action, WebseedChange::Added, effects);
            model.dialog = None;
        }
        Action::Back => model.dialog = None,
        _ => {}
    }
}

/// Keys of the question before removing one.
pub(super) fn answer_remove(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let Some(Dialog::RemoveWebseed(dialog)) = model.dialog.take() else { return };
    if action == Action::Yes {
        tell(dialog.torrent, WebseedAction::Remove(dialog.key), WebseedChange::Removed, effects);
    }
}

/// Whether a web server can be asked at this URL.
fn is_web_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_of_web_servers_are_taken() {
        assert!(is_web_url("http://w.example/") && is_web_url("HTTPS://w.example:8443/a b/"));
        for odd in ["", "w.example", "ftp://w.example/", "http://", "udp://t.example:1", "magnet:?xt=x"] {
            assert!(!is_web_url(odd), "{odd}");
        }
    }
}
