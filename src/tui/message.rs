//! What comes into the model and what goes out of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ratatui::crossterm::event::KeyEvent;

use crate::contract::{Answer, Command, Event, FirstLast, PieceSequence, Refusal, Snapshot};
use crate::units::{TorrentId, WebseedKey};

/// Something that the model takes notice of.
#[derive(Clone, Debug)]
pub enum Message {
    /// A key.
    Key(KeyEvent),
    /// Pasted text, as one.
    Paste(String),
    /// The screen has this size now.
    Resize(Size),
    /// How things stand.
    Snapshot(Arc<Snapshot>),
    /// Something happened.
    Event(Event),
    /// A command was carried out or refused.
    Answered {
        /// What it was for.
        purpose: Purpose,
        /// What came of it.
        result: Result<Answer, Refusal>,
    },
    /// A text was saved as this file, or could not be.
    Saved(Result<PathBuf, String>),
    /// This much time has passed since the screen was opened.
    Tick(Duration),
}

/// Columns and rows of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// Something that the runtime does for the model.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Ask the engine; the answer comes back with its purpose.
    Ask {
        /// What for.
        purpose: Purpose,
        /// What.
        command: Command,
    },
    /// Put text into the clipboard of the user's terminal.
    Copy(String),
    /// Write text to a file.
    Save {
        /// What the file's name says of it.
        name: String,
        /// The text.
        text: String,
    },
    /// Write everything that the inspector sees to a file.
    Dump,
    /// Make the trouble with this place in the list of them.
    Chaos(usize),
    /// Draw everything anew.
    Repaint,
    /// Give the terminal back to the shell until it continues us.
    Suspend,
    /// Leave.
    Quit,
}

/// What a command was sent for: it decides what its answer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The user's command, said to have been done by this message.
    Tell(Done),
    /// The file choice of the add dialog with this number.
    Preview {
        /// The dialog that asked; a later one is not to take its answer.
        dialog: u64,
    },
    /// Adding a torrent from the dialog: the cursor goes to it.
    Add,
    /// Adding a torrent that the command line named: the cursor stays.
    Open,
    /// The detail of the selected torrent.
    Watch,
    /// A look at tasks, locks, queues or waits.
    Inspect,
    /// New limits.
    Limits,
    /// A new limit on the requests of a webseed.
    WebseedLimit {
        /// Of this torrent.
        torrent: TorrentId,
        /// Which.
        key: WebseedKey,
    },
}

/// A command that is told when it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Transfers stopped.
    Paused,
    /// Transfers go on.
    Resumed,
    /// Gone from the list.
    Removed,
    /// Gone from the list and the disk.
    Deleted,
    /// Files have another priority.
    PrioritySet,
    /// The check has begun.
    Verifying,
    /// Trackers are being asked.
    Announced,
    /// The order of pieces is another.
    Sequence(PieceSequence),
    /// First and last pieces have another place.
    FirstLast(FirstLast),
    /// A webseed came, went or is asked in another way.
    Webseed(WebseedChange),
}

/// What was done with a webseed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebseedChange {
    /// It is in the list.
    Added,
    /// It is not in the list any more.
    Removed,
    /// It is asked again at once.
    Retried,
    /// Nothing is asked of it.
    Disabled,
    /// It is asked again.
    Enabled,
    /// Another number of requests may be under way.
    Limited,
}
