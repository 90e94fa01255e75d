//! Reminders of keys, made from the keymap: a key is never named in any other way.

use super::Tab;
use crate::contract::RemoveData;
use crate::tui::keymap::{Action as A, Context as C, key_name};

/// Keys and what they do in a word; a key without a word shares that of the next.
pub type Hints = &'static [(C, A, &'static str)];

/// In the list.
pub const LIST: Hints = &[
    (C::Screen, A::Help, "help"),
    (C::Screen, A::Add, "add"),
    (C::Screen, A::Pause, "pause"),
    (C::Screen, A::Remove, "remove"),
    (C::Screen, A::Open, "detail"),
    (C::Marks, A::Filter, "filter"),
    (C::Screen, A::SortMenu, "sort"),
    (C::Screen, A::Quit, "quit"),
];
/// In the list while it is empty.
pub const EMPTY: Hints =
    &[(C::Screen, A::Add, "add"), (C::Screen, A::Help, "help"), (C::Screen, A::Quit, "quit")];
/// In the files pane.
pub const FILES: Hints = &[
    (C::Tree, A::Raise, ""),
    (C::Tree, A::Lower, ""),
    (C::Tree, A::Normal, ""),
    (C::Tree, A::Skip, ""),
    (C::Tree, A::Max, "priority"),
    (C::Marks, A::Mark, "mark"),
    (C::Tree, A::FoldAll, "fold"),
    (C::Marks, A::Filter, "filter"),
    (C::Screen, A::Open, "zoom"),
    (C::Screen, A::Back, "back"),
];
/// In another pane.
pub const PANE: Hints = &[
    (C::Screen, A::Files, ""),
    (C::Screen, A::Peers, ""),
    (C::Screen, A::Trackers, ""),
    (C::Screen, A::Webseeds, ""),
    (C::Screen, A::Pieces, ""),
    (C::Screen, A::Log, "panes"),
    (C::Screen, A::NextPane, "list"),
    (C::Screen, A::Open, "zoom"),
    (C::Screen, A::Back, "back"),
    (C::Screen, A::Help, "help"),
];
/// In the inspector.
pub const INSPECTOR: Hints = &[
    (C::Inspector, A::Help, "help"),
    (C::Inspector, A::Open, "each"),
    (C::Inspector, A::Follow, ""),
    (C::Inspector, A::GoBack, "go"),
    (C::Inspector, A::Filter, "filter"),
    (C::Inspector, A::SortMenu, "sort"),
    (C::Inspector, A::Freeze, "freeze"),
    (C::Inspector, A::KeepLook, ""),
    (C::Inspector, A::Compare, "diff"),
    (C::Inspector, A::CopyText, ""),
    (C::Inspector, A::CopyRow, ""),
    (C::Inspector, A::SaveText, ""),
    (C::Inspector, A::WriteDump, "save"),
];
/// In the peers pane. The keys of the panes stand beside their names.
pub const PEERS: Hints = &[
    (C::Peers, A::InspectPeer, "its tasks"),
    (C::Screen, A::NextPane, "list"),
    (C::Screen, A::Open, "zoom"),
    (C::Screen, A::Back, "back"),
    (C::Screen, A::Help, "help"),
];
/// In the menu of troubles.
pub const CHAOS: Hints = &[(C::ChaosMenu, A::Accept, "makes it"), (C::ChaosMenu, A::Back, "cancels")];
/// In the webseeds pane.
pub const WEBSEEDS: Hints = &[
    (C::Webseeds, A::WebseedAdd, "add"),
    (C::Webseeds, A::WebseedRetry, "retry"),
    (C::Webseeds, A::WebseedToggle, "on/off"),
    (C::Webseeds, A::Raise, ""),
    (C::Webseeds, A::Lower, "requests"),
    (C::Webseeds, A::WebseedRemove, "remove"),
    (C::Screen, A::Open, "zoom"),
    (C::Screen, A::Back, "back"),
    (C::Screen, A::Help, "help"),
];
/// While the URL of a webseed is typed.
pub const WEBSEED_ADD: Hints =
    &[(C::Text, A::Accept, "adds it"), (C::Text, A::Back, "cancels"), (C::Anywhere, A::Help, "help")];
/// In the question before removing a webseed.
pub const WEBSEED_REMOVE: Hints = &[(C::Question, A::Yes, "removes"), (C::Question, A::No, "keeps it")];
/// While a source is typed.
pub const ADD_SOURCE: Hints =
    &[(C::Text, A::Accept, "reads it"), (C::Text, A::Back, "cancels"), (C::Anywhere, A::Help, "help")];
/// While a source is read.
pub const ADD_READING: Hints =
    &[(C::AddReading, A::AddUnread, "adds it without choosing files"), (C::AddReading, A::Back, "cancels")];
/// While files are chosen.
pub const ADD_CHOICE: Hints = &[
    (C::AddChoice, A::Accept, "adds"),
    (C::Tree, A::Raise, ""),
    (C::Tree, A::Lower, ""),
    (C::Tree, A::Normal, ""),
    (C::Tree, A::Skip, ""),
    (C::Tree, A::Max, "prio"),
    (C::AddChoice, A::StartPaused, "start"),
    (C::AddChoice, A::NextField, "folder"),
    (C::AddFiles, A::Help, "help"),
    (C::AddChoice, A::Back, "cancels"),
];
/// While the folder is typed.
pub const ADD_FOLDER: Hints = &[
    (C::AddChoice, A::Accept, "adds"),
    (C::AddChoice, A::StartPaused, "start"),
    (C::AddChoice, A::NextField, "files"),
    (C::Anywhere, A::Help, "help"),
    (C::AddChoice, A::Back, "cancels"),
];
/// While the folder is typed and no files are known.
pub const ADD_WITHOUT_FILES: Hints = &[
    (C::AddChoice, A::Accept, "adds"),
    (C::AddChoice, A::StartPaused, "start"),
    (C::Anywhere, A::Help, "help"),
    (C::AddChoice, A::Back, "cancels"),
];
/// In the question before quitting.
pub const QUIT: Hints = &[(C::Question, A::Yes, "quits"), (C::Question, A::No, "stays")];
/// In the sort menu.
pub const SORT: Hints = &[(C::SortMenu, A::Accept, "sorts"), (C::SortMenu, A::SortReverse, "reverses")];
/// In the help.
pub const HELP: Hints = &[(C::Help, A::Back, "closes")];
/// While the picture stands still.
pub const FROZEN: Hints = &[(C::Screen, A::Freeze, "lets it go")];

/// In the question before removing.
pub const fn remove(data: RemoveData) -> Hints {
    match data {
        RemoveData::Keep => &[(C::Question, A::Yes, "removes"), (C::Question, A::No, "keeps it")],
        RemoveData::Delete => &[
            (C::DeleteQuestion, A::DeleteData, "(a capital) deletes"),
            (C::DeleteQuestion, A::No, "keeps it"),
        ],
    }
}

/// Hints in one line.
pub fn line(hints: Hints) -> String {
    let mut line = String::new();
    for (context, action, word) in hints {
        line += &key_name(*context, *action);
        line += " ";
        if !word.is_empty() {
            line += word;
            line += "  ";
        }
    }
    line.trim_end().to_owned()
}

/// The list without torrents.
pub fn no_torrents() -> String {
    format!("No torrents. Press {} to add one.", key_name(C::Screen, A::Add))
}

/// The list where the filter leaves none.
pub fn no_match() -> String {
    format!("No torrent matches the filter. {} clears it.", key_name(C::Screen, A::Back))
}

/// The files where the filter leaves none.
pub fn no_file_match() -> String {
    format!("No file matches the filter. {} clears it.", key_name(C::Screen, A::Back))
}

/// The key and the name of a tab.
pub fn tab(tab: Tab) -> (String, &'static str) {
    let (action, name) = match tab {
        Tab::Files => (A::Files, "files"),
        Tab::Peers => (A::Peers, "peers"),
        Tab::Trackers => (A::Trackers, "trackers"),
        Tab::Webseeds => (A::Webseeds, "webseeds"),
        Tab::Pieces => (A::Pieces, "pieces"),
        Tab::Log => (A::Log, "log"),
    };
    (key_name(C::Screen, action), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hint_is_of_a_key_that_is_bound() {
        let all = [
            LIST,
            EMPTY,
            FILES,
            PANE,
            WEBSEEDS,
            WEBSEED_ADD,
            WEBSEED_REMOVE,
            ADD_SOURCE,
            ADD_READING,
            ADD_CHOICE,
            ADD_FOLDER,
            ADD_WITHOUT_FILES,
            QUIT,
            SORT,
            HELP,
            FROZEN,
            INSPECTOR,
            PEERS,
            CHAOS,
        ];
        for hints in all.into_iter().chain([remove(RemoveData::Keep), remove(RemoveData::Delete)]) {
            for (context, action, _) in hints {
                assert!(!key_name(*context, *action).is_empty(), "{context:?} {action:?}");
            }
        }
        for tab in Tab::ALL {
            assert!(!super::tab(tab).0.is_empty());
        }
    }
}
