//! Every word on the screen.
//!
//! Nothing here comes from outside: names and messages of others reach the screen through `Look` only. Called by panels
//! and dialogs.

mod events;
pub mod heading;
pub mod hints;
mod inspector;
mod keys;
mod runs;
mod standing;
mod webseeds;

pub use events::{Outside, event, severity, stuck};
pub use inspector::*;
pub use keys::{action, context};
pub use runs::{RUN_LETTERS, run_line, run_state};
pub use standing::{cause, cause_word, count, facts};
pub use webseeds::{
    HIDDEN_WEBSEED, NO_WEBSEED, NO_WEBSEED_REQUESTS, WEBSEED_ADD_FIELD, WEBSEED_ADD_ODD, WEBSEED_ADD_TITLE,
    WEBSEED_REMOVE_EFFECT, WEBSEED_REMOVE_TITLE, all_stalled, more_webseed_requests, no_webseeds,
    webseed_change, webseed_facts, webseed_limit, webseed_request_state, webseed_requests, webseed_state,
};

use super::format;
use super::message::Done;
use super::model::Tab;
use super::torrents::{Direction, SortKey};
use crate::contract::{
    Blocked, FirstLast, PeerSource, PieceCounts, PieceLevel, PieceSequence, Priority, RemoveData, StartState,
    TorrentPreview, TorrentState, TrackerState,
};
use crate::units::Rate;

/// The whole screen where nothing fits.
pub const TOO_SMALL: &str = "Screen too small";
/// A pane whose detail is on its way.
pub const LOADING: &str = "Loading...";
/// A pane without a selected torrent.
pub const NOTHING_SELECTED: &str = "Select a torrent to see its detail.";
/// The files pane of a magnet.
pub const NO_FILES: &str = "The files are not known until the metadata is here.";
/// The peers pane without peers.
pub const NO_PEERS: &str = "No peers are connected.";
/// The trackers pane without trackers.
pub const NO_TRACKERS: &str = "This torrent has no trackers.";
/// The pieces pane of a magnet.
pub const NO_PIECES: &str = "The pieces are not known until the metadata is here.";
/// The log without lines.
pub const NO_LOG: &str = "Nothing has happened yet.";
/// Name of a torrent while names are hidden.
pub const HIDDEN_TORRENT: &str = "(hidden torrent)";
/// Text from outside while names are hidden.
pub const HIDDEN_TEXT: &str = "(hidden)";

/// Title of the add dialog.
pub const ADD_TITLE: &str = "Add a torrent";
/// What its first field takes.
pub const ADD_FIELD: &str = "Path of a .torrent file, URL, magnet link or info-hash:";
/// While the source is read.
pub const ADD_READING: &str = "Reading...";
/// Instead of files.
pub const ADD_NO_FILES: &str = "Its files are not known yet; all will be downloaded.";
/// The source is of a torrent that is there.
pub const ADD_IN_LIST: &str = "It is in the list already; adding it only merges its trackers and peers.";
/// Label of the folder.
pub const ADD_FOLDER: &str = "Save in: ";
/// Label of the start.
pub const ADD_START: &str = "Start:   ";
/// An empty source field.
pub const ADD_EMPTY: &str = "Type or paste where the torrent is.";

/// Title of the question before removing.
pub const REMOVE_TITLE: &str = "Remove";
/// Title of the question before deleting data.
pub const DELETE_TITLE: &str = "Remove and delete data";
/// Title of the question before quitting.
pub const QUIT_TITLE: &str = "Quit";
/// Title of the sort menu.
pub const SORT_TITLE: &str = "Sort the list by";
/// Title of the menu of troubles.
pub const CHAOS_TITLE: &str = "Make trouble";
/// Trouble that cannot be made now.
pub const CHAOS_BUSY: &str = "There is enough trouble under way; try again later.";
/// Title of the help.
pub const HELP_TITLE: &str = "Keys";

/// The picture stands still.
pub const FROZEN: &str = "FROZEN";
/// Label of the filter line.
pub const FILTER: &str = "/";
/// What is copied is not acknowledged by any terminal, so it is shown as well.
pub const COPIED: &str = "Sent to the clipboard: ";
/// Names are hidden.
pub const NAMES_HIDDEN: &str = "Names and addresses are hidden.";
/// Names are shown.
pub const NAMES_SHOWN: &str = "Names and addresses are shown.";
/// A paste that is no torrent.
pub const PASTE_ODD: &str = "What was pasted is no magnet, URL, path or info-hash.";
/// A paste beyond the bound.
pub const PASTE_LONG: &str = "What was pasted is longer than any magnet; it was dropped.";
/// A key that needs a torrent.
pub const NO_TORRENT: &str = "No torrent is selected.";
/// Too many commands are under way.
pub const BUSY: &str = "Too many commands wait for the engine; try again when it has caught up.";
/// An answer of the wrong kind.
pub const ODD_ANSWER: &str = "The engine gave another answer than the one asked for.";

/// The word for a state.
pub fn state(state: TorrentState) -> &'static str {
    state.word()
}

/// The word for a priority.
pub fn priority(priority: Priority) -> &'static str {
    match priority {
        Priority::Off => "off",
        Priority::Low => "low",
        Priority::Normal => "normal",
        Priority::High => "high",
    }
}

/// The word for how urgently a piece is wanted.
pub fn level(level: PieceLevel) -> &'static str {
    match level {
        PieceLevel::Off => "off",
        PieceLevel::Low => "low",
        PieceLevel::Normal => "normal",
        PieceLevel::High => "high",
        PieceLevel::FirstLast => "first/last",
        PieceLevel::Ahead => "reading",
        PieceLevel::Now => "read now",
    }
}

/// The word for files of different priorities.
pub const MIXED: &str = "mixed";

/// Some torrents.
pub fn torrents(count: usize) -> String {
    if count == 1 { "1 torrent".to_owned() } else { format!("{count} torrents") }
}

/// What removing does.
pub fn remove_effect(data: RemoveData, done_bytes: u64) -> String {
    match data {
        RemoveData::Keep => "It leaves the list; its data stays on disk.".to_owned(),
        RemoveData::Delete => format!("{} of data will be deleted from disk.", format::bytes(done_bytes)),
    }
}

/// Why quitting is asked about.
pub fn quit_effect(transferring: usize) -> String {
    let verb = if transferring == 1 { "is" } else { "are" };
    format!("{} {verb} transferring and would stop.", torrents(transferring))
}

/// What a source holds, and what of it is wanted.
pub fn add_summary(preview: &TorrentPreview, wanted_bytes: u64) -> String {
    if preview.pieces == 0 {
        return "size unknown".to_owned();
    }
    let private = if preview.private { ", private" } else { "" };
    let files = if preview.files.len() == 1 { "file" } else { "files" };
    format!(
        "{} of {} wanted, {} {files}, {} pieces of {}{private}",
        format::bytes(wanted_bytes),
        format::bytes(preview.total_bytes),
        preview.files.len(),
        preview.pieces,
        format::bytes(u64::from(preview.piece_length)),
    )
}

/// Whether an added torrent starts.
pub fn add_start(start: StartState) -> &'static str {
    match start {
        StartState::Running => "at once",
        StartState::Paused => "paused",
    }
}

/// The name of a sort key.
pub fn sort_name(key: SortKey) -> &'static str {
    match key {
        SortKey::Added => "added",
        SortKey::State => "state",
        SortKey::Name => "name",
        SortKey::Size => "size",
        SortKey::Done => "done",
        SortKey::Down => "download rate",
        SortKey::Up => "upload rate",
        SortKey::Eta => "time left",
        SortKey::Peers => "peers",
        SortKey::Ratio => "ratio",
    }
}

/// The mark of a sorted column.
pub fn sort_mark(direction: Direction) -> &'static str {
    match direction {
        Direction::Ascending => "^",
        Direction::Descending => "v",
    }
}

/// What the list is sorted by.
pub fn sorted(key: SortKey, direction: Direction) -> String {
    let way = match direction {
        Direction::Ascending => "least first",
        Direction::Descending => "greatest first",
    };
    format!("List sorted by {}, {way}.", sort_name(key))
}

/// The foot of the help.
pub fn help_foot(lines_below: usize) -> String {
    match lines_below {
        0 => String::new(),
        1 => "1 more line below  ".to_owned(),
        _ => format!("{lines_below} more lines below  "),
    }
}

/// A limit.
pub fn limit(limit: Option<Rate>) -> String {
    limit.map_or("no limit".to_owned(), |limit| format!("limit {}", format::rate(limit)))
}

/// Both limits, said after a change.
pub fn limits(down: Option<Rate>, up: Option<Rate>) -> String {
    format!("Down {}, up {}.", limit(down), limit(up))
}

/// A command that was carried out.
pub fn done(done: Done) -> &'static str {
    match done {
        Done::Paused => "Paused.",
        Done::Resumed => "Resumed.",
        Done::Removed => "Removed; the data is still on disk.",
        Done::Deleted => "Removed with its data.",
        Done::PrioritySet => "Priority set.",
        Done::Verifying => "Checking the data on disk.",
        Done::Announced => "Announced to the trackers.",
        Done::Sequence(PieceSequence::InOrder) => "Pieces come in order.",
        Done::Sequence(PieceSequence::RarestFirst) => "The rarest pieces come first.",
        Done::Webseed(change) => webseed_change(change),
        Done::FirstLast(FirstLast::First) => "The first and last pieces of files come before all others.",
        Done::FirstLast(FirstLast::Alike) => "First and last pieces come as all others do.",
    }
}

/// A torrent came into the list.
pub fn added(already: bool) -> &'static str {
    if already { "It was in the list before; its trackers and peers were merged." } else { "Added." }
}

/// The word for how a peer came to us.
pub fn peer_source(source: PeerSource) -> &'static str {
    match source {
        PeerSource::Tracker => "tracker",
        PeerSource::Incoming => "incoming",
        PeerSource::Manual => "manual",
        PeerSource::Resume => "earlier",
    }
}

/// What the letters of a peer's flags mean.
pub const PEER_FLAGS: [(char, &str); 9] = [
    ('D', "down"),
    ('d', "choked"),
    ('U', "up"),
    ('u', "choking"),
    ('O', "optimistic"),
    ('X', "snubbed"),
    ('S', "seed"),
    ('F', "fast"),
    ('E', "extended"),
];

/// The word for how a tracker stands.
pub fn tracker_state(state: TrackerState) -> &'static str {
    match state {
        TrackerState::Idle => "not asked",
        TrackerState::Announcing => "asking",
        TrackerState::Working => "working",
        TrackerState::Failing => "failing",
        TrackerState::Off => "off",
    }
}

/// Why a piece may not be requested, in words.
pub fn blocked(blocked: Blocked) -> &'static str {
    match blocked {
        Blocked::Paused => "the torrent is paused",
        Blocked::TorrentError => "the torrent is in error",
        Blocked::Checking => "it is being checked",
        Blocked::Storing => "it is being written",
        Blocked::AllRequested => "all of it is requested",
        Blocked::Choked => "all who have it choke us",
        Blocked::NoSource => "no connected peer has it",
    }
}

/// Counts of pieces.
pub fn piece_counts(counts: &PieceCounts, piece_length: u32, rarest: Option<u32>) -> String {
    let mut text = format!(
        "{} x {}: {} here, {} wanted, {} requestable, {} requested",
        counts.total,
        format::bytes(u64::from(piece_length)),
        counts.have,
        counts.wanted,
        counts.requestable,
        counts.requested
    );
    if counts.checking > 0 {
        text += &format!(", {} checking", counts.checking);
    }
    if counts.unknown > 0 {
        text += &format!(", {} unknown", counts.unknown);
    }
    if let Some(rarest) = rarest {
        text += &format!(", rarest {rarest}");
    }
    text
}

/// What a filter leaves of the list, and the filter.
pub fn filtered(shown: usize, of: usize, filter: &str) -> String {
    format!("{shown} of {of} shown, {FILTER}{filter}")
}

/// Rows that are marked.
pub fn marked(count: usize) -> String {
    format!("{count} marked  ")
}

/// Bytes in.
pub const DOWN: &str = "Down";
/// Bytes out.
pub const UP: &str = "Up";
/// Between a rate and its limit.
pub const OF: &str = "of";
/// Free disk.
pub const FREE: &str = "free";
/// The port.
pub const PORT: &str = "port";
/// Bytes that wait for the disk.
pub const DISK_QUEUE: &str = "to write";
/// A file or folder without a name.
pub const NO_NAME: &str = "(no name)";
/// A folder while names are hidden.
pub const HIDDEN_FOLDER: &str = "folder";
/// A file while names are hidden.
pub const HIDDEN_FILE: &str = "file";
/// A peer while addresses are hidden.
pub const HIDDEN_PEER: &str = "peer";
/// A tracker while addresses are hidden.
pub const HIDDEN_TRACKER: &str = "tracker";
/// Cells of the piece map, in words.
pub const MAP_HAVE: &str = "here";
/// Some blocks are here.
pub const MAP_PARTIAL: &str = "partial";
/// Blocks are on the wire.
pub const MAP_REQUESTED: &str = "requested";
/// Asked of a webseed.
pub const MAP_WEBSEED: &str = "webseed";
/// Being hashed.
pub const MAP_CHECKING: &str = "checking";
/// Not known.
pub const MAP_UNKNOWN: &str = "unknown";
/// Missing, and somebody reads it or will soon.
pub const MAP_URGENT: &str = "reading";
/// Missing, wanted first.
pub const MAP_HIGH: &str = "high";
/// Missing and wanted.
pub const MAP_NORMAL: &str = "normal";
/// Missing, wanted last.
pub const MAP_LOW: &str = "low";
/// Not wanted.
pub const MAP_UNWANTED: &str = "off";
/// Wanted, and all who have it choke us.
pub const MAP_CHOKED: &str = "choked";
/// Wanted, and nobody has it.
pub const MAP_NO_SOURCE: &str = "no source";

/// Suspending where nothing would continue us.
pub const NO_SHELL: &str = "There is no shell to go back to.";

/// A task of the engine panicked.
pub fn panicked(task: &str, message: &str) -> String {
    format!("a task failed, {task}: {message}; please report this")
}
