//! Webseeds: how one stands, what is to be said of it beside its columns, and what was done with it.

use super::super::format;
use super::count;
use crate::contract::{WebseedKind, WebseedOrigin, WebseedRequestRow, WebseedRow, WebseedState};
use crate::tui::keymap::{Action, Context, key_name};
use crate::tui::message::WebseedChange;

/// Title of the dialog that adds one.
pub const WEBSEED_ADD_TITLE: &str = "Add a webseed";
/// What its field takes.
pub const WEBSEED_ADD_FIELD: &str = "URL of a web server that has the files (http or https, BEP 19):";
/// What was typed is no such URL.
pub const WEBSEED_ADD_ODD: &str = "That is no http:// or https:// URL; correct it.";
/// Title of the question before removing one.
pub const WEBSEED_REMOVE_TITLE: &str = "Remove a webseed";
/// What removing one does.
pub const WEBSEED_REMOVE_EFFECT: &str = "Nothing more is asked of it; what came from it stays.";
/// A webseed while addresses are hidden.
pub const HIDDEN_WEBSEED: &str = "webseed";
/// A key that needs a webseed.
pub const NO_WEBSEED: &str = "No webseed is selected.";
/// The selected webseed has nothing under way.
pub const NO_WEBSEED_REQUESTS: &str = "No request is under way.";

/// The webseeds pane without webseeds.
pub fn no_webseeds() -> String {
    format!(
        "This torrent has no webseeds. Press {} to add the URL of one.",
        key_name(Context::Webseeds, Action::WebseedAdd)
    )
}

/// How a webseed stands.
pub fn webseed_state(row: &WebseedRow) -> String {
    match (row.state, row.retry_s) {
        (WebseedState::Idle, _) => "idle".to_owned(),
        (WebseedState::Active, _) if all_stalled(row) => "active, stalled".to_owned(),
        (WebseedState::Active, _) => "active".to_owned(),
        (WebseedState::BackingOff, Some(seconds)) => format!("again in {}", format::duration(seconds)),
        (WebseedState::BackingOff, None) => "backing off".to_owned(),
        (WebseedState::Disabled, _) => "disabled".to_owned(),
        (WebseedState::Banned, _) => "banned".to_owned(),
    }
}

/// Whether it has requests under way and none of them brings anything.
pub fn all_stalled(row: &WebseedRow) -> bool {
    !row.requests.is_empty() && row.requests.iter().all(|request| request.stalled)
}

/// Requests under way, how many there may be, and how many more wait for their host.
pub fn webseed_requests(row: &WebseedRow) -> String {
    let waiting = match row.waiting_for_host {
        0 => String::new(),
        waiting => format!(" +{waiting}"),
    };
    format!("{}/{}{waiting}", row.requests.len(), row.requests_max)
}

/// What the columns do not say of a webseed, the most telling first.
pub fn webseed_facts(row: &WebseedRow) -> String {
    let mut facts = Vec::new();
    let stalled = row.requests.iter().filter(|request| request.stalled).count();
    if stalled > 0 {
        facts.push(format!("{stalled} of {} stalled", row.requests.len()));
    }
    if row.connections > 0 {
        facts.push(count(row.connections, "connection"));
    }
    if row.failures > 0 {
        facts.push(format!("{} in a row", count(row.failures, "failure")));
    }
    if row.waiting_for_host > 0 {
        facts.push(format!("{} waiting for its host", row.waiting_for_host));
    }
    if row.files_lacking > 0 {
        facts.push(format!("lacks {}", count(row.files_lacking, "file")));
    }
    let kind = match row.kind {
        WebseedKind::UrlList => "BEP 19",
        WebseedKind::HttpSeed => "BEP 17",
    };
    let origin = match row.origin {
        WebseedOrigin::Torrent => "from the torrent",
        WebseedOrigin::Manual => "added by hand",
    };
    facts.push(format!("{kind} {origin}"));
    facts.join(", ")
}

/// How a request of a webseed stands.
pub fn webseed_request_state(request: &WebseedRequestRow) -> &'static str {
    match (request.stalled, request.status) {
        (true, _) => "stalled",
        (false, None) => "asked",
        (false, Some(_)) => "receiving",
    }
}

/// The last line of requests that have no room.
pub fn more_webseed_requests(count: usize) -> String {
    format!("and {count} more")
}

/// A command for a webseed that was carried out.
pub fn webseed_change(change: WebseedChange) -> &'static str {
    match change {
        WebseedChange::Added => "Webseed added.",
        WebseedChange::Removed => "Webseed removed.",
        WebseedChange::Retried => "The webseed is asked again now.",
        WebseedChange::Disabled => "Webseed disabled: nothing is asked of it.",
        WebseedChange::Enabled => "Webseed enabled.",
        WebseedChange::Limited => "The limit on requests to the webseed is set.",
    }
}

/// A limit on requests that was asked for.
pub fn webseed_limit(requests_max: u32) -> String {
    format!("At most {} at a time to this webseed.", count(requests_max, "request"))
}
