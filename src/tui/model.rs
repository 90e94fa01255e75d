//! What the screen is about: the latest snapshot and everything a key can change.
//!
//! `update` is the only writer and `view` a pure function of this. A selection is kept by identity, not by row, so that
//! a list that moves does not move the cursor to another torrent.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::dialogs::{Dialog, HelpDialog};
use super::inspector::Inspector;
use super::keymap::Context;
use super::layout::{self, Areas, Content};
use super::message::Size;
use super::torrents::TorrentList;
use super::widgets::{FileTree, LineInput, Look, Scroll};
use crate::contract::{Severity, Snapshot, TorrentDetail, TorrentRow};
use crate::limits;
use crate::units::{Rate, TorrentId, WebseedKey};

/// The state of the screen.
#[derive(Debug)]
pub struct Model {
    /// Theme, glyphs and privacy.
    pub look: Look,
    /// The size of the screen.
    pub size: Size,
    /// Time since the screen was opened, by the last tick.
    pub now: Duration,
    /// How things stand, as shown.
    pub snapshot: Arc<Snapshot>,
    /// Whether the picture stands still.
    pub picture: Picture,
    /// The torrent list.
    pub list: TorrentList,
    /// The detail pane.
    pub pane: Pane,
    /// Which of the two has the keys.
    pub focus: Focus,
    /// What lies over the screen.
    pub dialog: Option<Dialog>,
    /// The inspector, over everything but the help.
    pub inspector: Option<Inspector>,
    /// The help, over everything else.
    pub help: Option<HelpDialog>,
    /// The filter while it is typed.
    pub filter: Option<(FilterOf, LineInput)>,
    /// Messages to show.
    pub toasts: Toasts,
    /// What the engine was last told to watch.
    pub watch: Watch,
    /// Limits that were asked for and are not in a snapshot yet.
    pub limits_asked: Option<LimitsAsked>,
    /// A limit on a webseed's requests that was asked for and is not in a snapshot yet.
    pub webseed_limit_asked: Option<WebseedLimitAsked>,
    /// Sources that wait for the add dialog.
    pub sources: VecDeque<String>,
    /// Number of the next add dialog.
    pub dialogs_opened: u64,
    /// What `~/` in a path stands for.
    pub home: Option<PathBuf>,
    /// Trouble that can be made; none but in the demo.
    pub chaos: Chaos,
}

/// Trouble that can be made on purpose.
#[derive(Clone, Debug, Default)]
pub struct Chaos {
    /// What there is, in words.
    pub names: Vec<String>,
    /// The menu while it is open.
    pub menu: Option<Scroll>,
}

/// Whether snapshots are shown as they come.
#[derive(Clone, Debug, Default)]
pub enum Picture {
    /// They are.
    #[default]
    Live,
    /// The picture stands still; this is the latest that came meanwhile.
    Frozen {
        /// Shown when it is let go.
        latest: Option<Arc<Snapshot>>,
    },
}

/// Which part of the screen has the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Focus {
    /// The torrent list.
    #[default]
    List,
    /// The detail pane.
    Pane,
}

/// How much of the screen the detail pane has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PaneSize {
    /// None.
    #[default]
    Closed,
    /// It shares it with the list.
    Shared,
    /// All.
    Zoomed,
}

/// What the detail pane shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// Files and their priorities.
    #[default]
    Files,
    /// Connections.
    Peers,
    /// Trackers.
    Trackers,
    /// Webseeds.
    Webseeds,
    /// Pieces.
    Pieces,
    /// What happened.
    Log,
}

impl Tab {
    /// All, in the order of their keys.
    pub const ALL: [Self; 6] =
        [Self::Files, Self::Peers, Self::Trackers, Self::Webseeds, Self::Pieces, Self::Log];
}

/// The detail pane.
#[derive(Debug, Default)]
pub struct Pane {
    /// How large it is.
    pub size: PaneSize,
    /// What it shows.
    pub tab: Tab,
    /// The file tree of `detail`.
    pub files: FileTree,
    /// The detail that `files` was last brought up to date with.
    pub detail: Option<Arc<TorrentDetail>>,
    /// The torrent that `files` is the tree of, and how many files it has.
    pub tree_of: Option<(TorrentId, usize)>,
    /// The cursor of the tabs that are not trees.
    pub rows: Scroll,
    /// Whether the log's cursor stays on its newest line.
    pub follow: Follow,
    /// Columns scrolled away.
    pub columns_skipped: usize,
    /// A peer whose row the cursor is to go to once it is there.
    pub awaited_peer: Option<SocketAddr>,
}

/// Whether a cursor stays at the end of a list that grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    /// It does.
    #[default]
    Newest,
    /// It stays where it is.
    Stay,
}

/// What a filter is typed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterOf {
    /// The torrent list.
    Torrents,
    /// The files pane.
    Files,
    /// The files in the add dialog.
    AddFiles,
}

/// Limits that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitsAsked {
    /// From all peers.
    pub down: Option<Rate>,
    /// To all peers.
    pub up: Option<Rate>,
    /// Answers that are still to come; the first snapshot after the last of them has the limits.
    pub waits: usize,
}

/// A limit on a webseed's requests that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebseedLimitAsked {
    /// Of this torrent.
    pub torrent: TorrentId,
    /// Which webseed.
    pub key: WebseedKey,
    /// At most this many requests at a time.
    pub requests_max: u32,
    /// Answers that are still to come; the first snapshot after the last of them has the limit.
    pub waits: usize,
}

/// What the engine was told to watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// The last thing asked for.
    pub asked: Option<TorrentId>,
    /// Whether its answer is still to come.
    pub waits: bool,
}

/// A message over the facts of the selected torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// How much it matters.
    pub severity: Severity,
    /// What it says; safe to show.
    pub text: String,
    since: Option<Duration>,
}

/// Messages, each shown for its time, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Toasts {
    queue: VecDeque<Toast>,
}

impl Toasts {
    /// Adds a message. It takes the place of one that only told of a success, and waits behind failures.
    pub fn push(&mut self, severity: Severity, text: impl Into<String>) {
        self.queue.retain(|toast| toast.severity > Severity::Info);
        if self.queue.len() == limits::TOASTS_MAX {
            self.queue.pop_front();
        }
        self.queue.push_back(Toast { severity, text: text.into(), since: None });
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Duration) {
        if let Some(toast) = self.queue.front_mut() {
            let since = *toast.since.get_or_insert(now);
            if now.saturating_sub(since) >= limits::TOAST_SHOWN {
                self.queue.pop_front();
            }
        }
    }

    /// Takes the shown one away; whether there was one.
    pub fn dismiss(&mut self) -> bool {
        self.queue.pop_front().is_some()
    }

    /// The one to show, and how many wait behind it.
    pub fn shown(&self) -> Option<(&Toast, usize)> {
        self.queue.front().map(|toast| (toast, self.queue.len() - 1))
    }
}

impl Model {
    /// An empty screen.
    pub fn new(look: Look, home: Option<PathBuf>) -> Self {
        Self {
            look,
            size: Size::default(),
            now: Duration::ZERO,
            snapshot: Arc::default(),
            picture: Picture::Live,
            list: TorrentList::default(),
            pane: Pane::default(),
            focus: Focus::List,
            dialog: None,
            inspector: None,
            help: None,
            filter: None,
            toasts: Toasts::default(),
            watch: Watch::default(),
            limits_asked: None,
            webseed_limit_asked: None,
            sources: VecDeque::new(),
            dialogs_opened: 0,
            home,
            chaos: Chaos::default(),
        }
    }

    /// The parts of the screen; `None` where it is too small.
    pub fn areas(&self) -> Option<Areas> {
        layout::areas(self.size, self.pane.size, self.focus, self.list.len())
    }

    /// The torrent under the cursor.
    pub fn selected(&self) -> Option<&Arc<TorrentRow>> {
        self.snapshot.torrents.get(self.list.selected_position()?)
    }

    /// The detail of the torrent under the cursor, once the engine sends it.
    pub fn detail(&self) -> Option<&Arc<TorrentDetail>> {
        let id = self.selected()?.id;
        self.snapshot.detail.as_ref().filter(|detail| detail.row.id == id)
    }

    /// How many rows the open tab has.
    pub fn pane_rows(&self) -> usize {
        let Some(detail) = self.detail() else { return 0 };
        match self.pane.tab {
            Tab::Files => self.pane.files.rows(),
            Tab::Peers => detail.peers.len(),
            Tab::Trackers => detail.trackers.len(),
            Tab::Webseeds => detail.webseeds.len(),
            Tab::Pieces => detail.runs.len(),
            Tab::Log => detail.log.len(),
        }
    }

    /// Rows of the list that are seen at once.
    pub fn list_page(&self) -> usize {
        self.areas().map_or(0, |areas| usize::from(areas.list.height))
    }

    /// Rows of the open tab that are seen at once.
    pub fn pane_page(&self) -> usize {
        let Some(detail) = self.detail() else { return 0 };
        let content = Content { pieces: detail.row.pieces.total, webseeds: detail.webseeds.len() };
        self.areas().map_or(0, |areas| layout::page(self.pane.tab, areas.pane, content))
    }

    /// The limits as they are or are about to be.
    pub fn limits(&self) -> LimitsAsked {
        let engine = &self.snapshot.engine;
        self.limits_asked.unwrap_or(LimitsAsked { down: engine.down_limit, up: engine.up_limit, waits: 0 })
    }

    /// The contexts of the keymap that hold now, innermost first.
    pub fn contexts(&self) -> Vec<Context> {
        if self.help.is_some() {
            return vec![Context::Help, Context::Rows, Context::Anywhere];
        }
        if self.chaos.menu.is_some() {
            return vec![Context::ChaosMenu, Context::Rows, Context::Anywhere];
        }
        let mut contexts = self.usual_contexts();
        let is_bare = contexts.contains(&Context::Screen) || contexts.contains(&Context::Inspector);
        if is_bare && !self.chaos.names.is_empty() {
            contexts.push(Context::Chaos);
        }
        contexts
    }

    fn usual_contexts(&self) -> Vec<Context> {
        if let Some(inspector) = &self.inspector {
            return match (&inspector.typing, &inspector.menu) {
                (Some(_), _) => vec![Context::Text, Context::Anywhere],
                (None, Some(_)) => vec![Context::SortMenu, Context::Rows, Context::Anywhere],
                (None, None) => vec![Context::Inspector, Context::Rows, Context::Anywhere],
            };
        }
        if self.filter.is_some() {
            return vec![Context::Text, Context::Anywhere];
        }
        match &self.dialog {
            Some(dialog) => dialog.contexts(),
            None => match (self.focus, self.pane.tab) {
                (Focus::List, _) => {
                    vec![Context::Torrents, Context::Screen, Context::Marks, Context::Rows, Context::Anywhere]
                }
                (Focus::Pane, Tab::Files) => {
                    vec![Context::Tree, Context::Marks, Context::Screen, Context::Rows, Context::Anywhere]
                }
                (Focus::Pane, Tab::Webseeds) => {
                    vec![Context::Webseeds, Context::Pane, Context::Screen, Context::Rows, Context::Anywhere]
                }
                (Focus::Pane, Tab::Peers) => {
                    vec![Context::Peers, Context::Pane, Context::Screen, Context::Rows, Context::Anywhere]
                }
                (Focus::Pane, Tab::Trackers | Tab::Pieces | Tab::Log) => {
                    vec![Context::Pane, Context::Screen, Context::Rows, Context::Anywhere]
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_is_shown_for_its_time_and_successes_give_way() {
        let mut toasts = Toasts::default();
        toasts.push(Severity::Info, "added");
        toasts.push(Severity::Error, "disk full");
        toasts.push(Severity::Error, "tracker");
        assert_eq!(
            toasts.shown().map(|(toast, behind)| (toast.text.as_str(), behind)),
            Some(("disk full", 1))
        );
        toasts.tick(Duration::from_secs(10));
        toasts.tick(Duration::from_secs(11));
        assert_eq!(toasts.shown().unwrap().0.text, "disk full", "its time began when it was first shown");
        toasts.tick(Duration::from_secs(10) + limits::TOAST_SHOWN);
        assert_eq!(toasts.shown().unwrap().0.text, "tracker");
    }

    #[test]
    fn messages_are_bounded() {
        let mut toasts = Toasts::default();
        for number in 0..limits::TOASTS_MAX + 5 {
            toasts.push(Severity::Error, number.to_string());
        }
        assert_eq!(
            toasts.shown().map(|(toast, behind)| (toast.text.clone(), behind)),
            Some(("5".to_owned(), limits::TOASTS_MAX - 1))
        );
    }
}
