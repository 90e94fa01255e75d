//! What each key does, in words, for the help.

use crate::tui::keymap::{Action, Context};

/// The name of a context, as the head of its keys.
pub fn context(context: Context) -> &'static str {
    match context {
        Context::Anywhere => "Everywhere",
        Context::Screen => "Torrent and screen",
        Context::Rows => "Moving",
        Context::Marks => "Marking and finding",
        Context::Torrents => "Torrent list",
        Context::Pane => "Columns",
        Context::Webseeds => "Webseeds",
        Context::Tree => "Files and folders",
        Context::Text => "Text field",
        Context::AddReading => "Add: reading",
        Context::AddChoice => "Add",
        Context::AddFiles => "Add: files",
        Context::Question | Context::DeleteQuestion => "Question",
        Context::SortMenu => "Sort menu",
        Context::Help => "Help",
        Context::Inspector => "Inspector",
        Context::Peers => "Peers",
        Context::Chaos => "Demo",
        Context::ChaosMenu => "Trouble",
    }
}

/// What an action does where it is bound.
pub fn action(context: Context, action: Action) -> &'static str {
    match (context, action) {
        (Context::Tree, Action::Left) => "close the folder, or go to it",
        (Context::Tree, Action::Right) => "open the folder, or go in",
        (Context::Inspector, Action::NextPane) => "the next page",
        (Context::Inspector, Action::PreviousPane) => "the previous page",
        (Context::Inspector, Action::Open) => "show each of a group; one in full",
        (Context::Inspector, Action::Back) => "back: changes, filter, inspector",
        (Context::Inspector, Action::Inspector) => "close the inspector",
        (Context::Inspector, Action::Filter) => "filter by name, place, wait, torrent",
        (Context::Inspector, Action::SortMenu) => "sort the page: menu",
        (Context::ChaosMenu, Action::Accept) => "make this trouble",
        (Context::Inspector, Action::Freeze) => "freeze the picture; the program goes on",
        (Context::Webseeds, Action::Raise) => "more requests to it at a time",
        (Context::Webseeds, Action::Lower) => "fewer requests to it at a time",
        (_, action) => anywhere(action),
    }
}

/// What an action does in most contexts.
fn anywhere(action: Action) -> &'static str {
    match action {
        Action::Up => "up",
        Action::Down => "down",
        Action::PageUp => "page up",
        Action::PageDown => "page down",
        Action::First => "first row",
        Action::Last => "last row",
        Action::Left => "previous columns",
        Action::Right => "columns that had no room",
        Action::NextPane | Action::PreviousPane => "the other pane: list or detail",
        Action::Files => "files and their priorities",
        Action::Peers => "peers",
        Action::Trackers => "trackers",
        Action::Webseeds => "webseeds",
        Action::Pieces => "pieces: map and runs",
        Action::Log => "log of this torrent",
        Action::Open => "open the detail; there, zoom it",
        Action::Back => "back, close",
        Action::Quit => "quit",
        Action::Mark => "mark and step on",
        Action::MarkRange => "mark a range: here, move, here again",
        Action::MarkAll => "mark all that are shown",
        Action::MarkInvert => "invert the marks",
        Action::MarkNone => "unmark all",
        Action::Add => "add a torrent; pasting one works anywhere",
        Action::Pause => "pause or resume (marked, else this one)",
        Action::PauseAll => "pause or resume all",
        Action::Remove => "remove; data stays",
        Action::RemoveData => "remove and delete data",
        Action::Verify => "check the data on disk again",
        Action::Announce => "announce to the trackers now",
        Action::Sequential => "in order, or rarest first",
        Action::FirstLast => "first and last pieces of files first",
        Action::Raise => "raise the priority",
        Action::Lower => "lower the priority",
        Action::Normal => "normal priority",
        Action::Skip => "off: do not download",
        Action::Max => "high priority",
        Action::FoldAll => "open or close all folders",
        Action::Filter => "filter: words; files by *.nfo too",
        Action::SortMenu => "sort the list: menu",
        Action::SortPrevious => "sort it by the previous column",
        Action::SortNext => "sort it by the next column",
        Action::SortReverse => "reverse its order",
        Action::DownLower => "lower the download limit",
        Action::DownRaise => "raise the download limit",
        Action::UpLower => "lower the upload limit",
        Action::UpRaise => "raise the upload limit",
        Action::Freeze => "freeze the screen; transfers go on",
        Action::HideNames => "hide names and addresses",
        Action::Redraw => "draw the screen anew",
        Action::Suspend => "suspend (transfers stop too)",
        Action::CopyHash => "copy the info-hash",
        Action::Help => "this help",
        Action::Accept => "accept",
        Action::Yes => "yes",
        Action::No => "no",
        Action::DeleteData => "delete the data",
        Action::StartPaused => "start at once or paused",
        Action::NextField => "files or folder",
        Action::AddUnread => "add it without choosing files",
        Action::Inspector => "inspector: tasks, locks, queues",
        action => in_one_part(action),
    }
}

/// What an action does that only one part of the screen knows.
fn in_one_part(action: Action) -> &'static str {
    match action {
        Action::WebseedAdd => "add a webseed by its URL",
        Action::WebseedRemove => "remove the webseed",
        Action::WebseedRetry => "ask it again now; forget its failures",
        Action::WebseedToggle => "disable or enable it",
        Action::InspectTasks => "tasks and threads",
        Action::InspectLocks => "locks",
        Action::InspectQueues => "queues",
        Action::InspectSemaphores => "semaphores: who waits for a permit",
        Action::InspectOwners => "owners: turns, and how late they are",
        Action::InspectWaits => "who waits for whom",
        Action::InspectPeer => "its tasks in the inspector",
        Action::Follow => "follow: lock, its holder, its wait",
        Action::GoBack => "back to where you followed from",
        Action::PeerRow => "the peer of the task in its pane",
        Action::KeepLook => "keep this look to compare with",
        Action::Compare => "what differs from the kept look",
        Action::CopyText => "copy the page as text",
        Action::CopyRow => "copy this row in full",
        Action::SaveText => "save the page as a text file",
        Action::WriteDump => "dump all pages to a file, as SIGUSR1",
        Action::Chaos => "make trouble on purpose: menu",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::BINDINGS;

    #[test]
    fn the_help_has_words_for_every_key() {
        for binding in BINDINGS {
            assert_ne!(action(binding.context, binding.action), "", "{binding:?}");
        }
    }
}
