//! The inspector: what the program's own tasks, locks and queues are doing, as goroutine dumps tell it of Go programs.
//!
//! A look is asked for once a second while the screen is open, and not while it is frozen. It is answered by whatever
//! thread asks, without a task or a lock of the program, so it works while others are stuck. A freeze asks once for every
//! page, so that one can go from a lock to its holder in a picture that stands still.

mod block;
mod diff;
mod facts;
mod groups;
mod lines;
mod menu;
mod order;
mod page;
mod screen;
mod shown;
mod tree;

use std::net::SocketAddr;
use std::time::Duration;

use super::widgets::{LineInput, Look, Motion, Scroll};
use crate::contract::{Dump, DumpKind, DumpRows, Untrusted};
use crate::limits::{INSPECTOR_TRAIL_MAX, SCREEN_TICK};
use crate::units::TorrentId;

pub use diff::{Change, Mark};
pub use facts::{Fact, Names, Part, Target};
pub use groups::{Group, Kind, groups, in_words, time_heading, title};
pub use lines::{lines, names, wait_line};
pub use order::SortKey;
pub use page::{Line, Page};
pub(super) use screen::{draw, page};
pub use tree::{Branch, Circle};

use page::Anchor;

/// The state of the inspector's screen.
#[derive(Debug)]
pub struct Inspector {
    pages: Vec<Page>,
    /// Which page is shown.
    at: usize,
    /// Whether the looks stay.
    pub frozen: bool,
    /// The filter while it is typed.
    pub typing: Option<LineInput>,
    /// The sort menu while it is open.
    pub menu: Option<Scroll>,
    /// What came of the last key, until the next one.
    pub said: Option<String>,
    /// Columns scrolled away.
    pub columns_skipped: usize,
    names: Names,
    /// Places that jumps came from.
    trail: Vec<Place>,
    /// Where the cursor is to go once a look is there.
    awaited: Option<Goal>,
    /// Pages to ask for beside the one that is shown.
    wanted: Vec<DumpKind>,
    /// When the page that is shown was asked for last.
    asked_at: Option<Duration>,
    waits: bool,
}

/// A place that a jump came from.
#[derive(Debug)]
struct Place {
    page: usize,
    filter: String,
    anchor: Option<Anchor>,
}

#[derive(Debug)]
enum Goal {
    Target(Target),
    Anchor(Anchor),
}

/// Whether a jump leads anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It does, or will once a look is there.
    There,
    /// What it leads to is gone.
    Gone,
}

/// All that can be shown, in the order of their keys.
pub const PAGES: [DumpKind; 6] = [
    DumpKind::Tasks,
    DumpKind::Locks,
    DumpKind::Queues,
    DumpKind::Semaphores,
    DumpKind::Owners,
    DumpKind::Waits,
];

impl Default for Inspector {
    fn default() -> Self {
        Self {
            pages: PAGES.into_iter().map(Page::new).collect(),
            at: 0,
            frozen: false,
            typing: None,
            menu: None,
            said: None,
            columns_skipped: 0,
            names: Names::new(),
            trail: Vec::new(),
            awaited: None,
            wanted: Vec::new(),
            asked_at: None,
            waits: false,
        }
    }
}

impl Inspector {
    /// The page that is shown.
    pub fn page(&self) -> &Page {
        &self.pages[self.at]
    }

    fn page_mut(&mut self) -> &mut Page {
        &mut self.pages[self.at]
    }

    /// The page as text, its names as `look` shows them; `None` before the first look.
    pub fn text(&self, look: &Look) -> Option<String> {
        shown::text(look, self)
    }

    /// The row of the cursor as text, with all that is known of it; of a group the one that has lasted longest.
    pub fn row_text(&self, look: &Look) -> Option<String> {
        block::text(look, self)
    }

    /// Shows another page. Unless the picture is frozen, what it showed before is old and goes.
    pub fn show(&mut self, kind: DumpKind) {
        let at = PAGES.iter().position(|page| *page == kind).unwrap_or(0);
        if at == self.at {
            return;
        }
        self.at = at;
        self.awaited = None;
        self.columns_skipped = 0;
        if !self.frozen {
            self.asked_at = None;
            self.pages[at].take(None, &self.names);
        } else if self.page().look.is_none() && !self.wanted.contains(&kind) {
            self.wanted.push(kind);
        }
    }

    /// Shows what comes so many places behind what is shown.
    pub fn step(&mut self, places: usize) {
        self.show(PAGES[(self.at + places) % PAGES.len()]);
    }

    /// What is to be asked for now, if anything.
    pub fn ask(&mut self, now: Duration) -> Option<DumpKind> {
        if self.waits {
            return None;
        }
        let is_due = self.asked_at.is_none_or(|at| now.saturating_sub(at) >= SCREEN_TICK);
        let kind = if self.frozen || !is_due {
            self.wanted.pop()?
        } else {
            self.asked_at = Some(now);
            self.page().kind
        };
        self.waits = true;
        Some(kind)
    }

    /// Takes a look in. Once the screen is frozen, one is taken for a page that has none only.
    pub fn take(&mut self, look: Option<Dump>) {
        self.waits = false;
        let Some(look) = look else { return };
        let kind = kind_of(&look.rows);
        let at = PAGES.iter().position(|page| *page == kind).unwrap_or(0);
        if self.frozen && self.pages[at].look.is_some() {
            return;
        }
        if let DumpRows::Tasks(rows) = &look.rows {
            self.names = rows.iter().map(|row| (row.id, Untrusted::new(&*row.name))).collect();
            if at != self.at {
                self.refresh();
            }
        }
        if at != self.at && !self.frozen {
            return;
        }
        let is_unknown = facts::named_by_number(&look.rows).iter().any(|id| !self.names.contains_key(id));
        if is_unknown && !self.frozen {
            self.wanted = vec![DumpKind::Tasks];
        }
        self.pages[at].take(Some(look), &self.names);
        if at == self.at {
            self.arrive();
        }
    }

    /// Has the looks stay, or lets them go on.
    pub fn freeze(&mut self) {
        self.frozen = !self.frozen;
        self.wanted.clear();
        if self.frozen {
            let shown = self.page().kind;
            let others = PAGES.into_iter().filter(|kind| *kind != shown || self.page().look.is_none());
            self.wanted = others.rev().collect();
            for (at, page) in self.pages.iter_mut().enumerate() {
                if at != self.at {
                    page.take(None, &self.names);
                }
            }
        } else {
            self.asked_at = None;
        }
    }

    /// Keeps the look that is shown, to compare later ones with it; whether there is one.
    pub fn keep(&mut self) -> bool {
        let page = self.page_mut();
        page.base.clone_from(&page.look);
        page.comparing = false;
        self.refresh();
        self.page().base.is_some()
    }

    /// Shows what differs from the kept look, or what is there again; whether there is a kept look.
    pub fn compare(&mut self) -> bool {
        let page = self.page_mut();
        page.comparing = !page.comparing && page.base.is_some();
        self.refresh();
        self.page().base.is_some()
    }

    /// Goes where the cursor's line leads; `None` where that is nowhere.
    pub fn follow(&mut self) -> Option<Arrival> {
        let page = self.page();
        let line = page.lines().get(page.rows.at())?;
        let target = match line {
            Line::Fact(_, fact) => fact.target.clone()?,
            Line::Branch(branch) => Target::Task(branch.task?),
            Line::Group(_) | Line::Member(_) => {
                facts::leads_to(page.dump_rows()?, page.row_of(line)?, &self.names)?
            }
            Line::Change(_) | Line::Moved(..) => return None,
        };
        self.jump(target)
    }

    /// Goes to a row; `None` for a place that is not in the inspector.
    pub fn jump(&mut self, target: Target) -> Option<Arrival> {
        let kind = match &target {
            Target::Task(_) | Target::PeerTasks(_) => DumpKind::Tasks,
            Target::Lock(..) => DumpKind::Locks,
            Target::Queue(..) => DumpKind::Queues,
            Target::Semaphore(..) => DumpKind::Semaphores,
            Target::PeerRow(..) => return None,
        };
        let (page, anchor) = (self.page(), self.page().anchor());
        let place = Place { page: self.at, filter: page.filter.clone(), anchor };
        if self.trail.len() == INSPECTOR_TRAIL_MAX {
            self.trail.remove(0);
        }
        self.trail.push(place);
        self.show(kind);
        if let Target::PeerTasks(address) = &target {
            self.page_mut().filter = address.to_string();
            self.refresh();
        }
        self.awaited = Some(Goal::Target(target));
        Some(self.arrive())
    }

    /// Goes back to where the last jump came from; whether there was one.
    pub fn back(&mut self) -> bool {
        let Some(Place { page, filter, anchor }) = self.trail.pop() else { return false };
        self.show(PAGES[page]);
        self.page_mut().filter = filter;
        self.refresh();
        self.awaited = anchor.map(Goal::Anchor);
        self.arrive();
        true
    }

    /// Puts the cursor where it is to go, once there is a look.
    fn arrive(&mut self) -> Arrival {
        let page = &mut self.pages[self.at];
        if page.look.is_none() {
            return Arrival::There;
        }
        match self.awaited.take() {
            Some(Goal::Target(target)) if !page.go_to(&target, &self.names) => Arrival::Gone,
            Some(Goal::Anchor(anchor)) => {
                page.go_back_to(Some(&anchor));
                Arrival::There
            }
            Some(Goal::Target(_)) | None => Arrival::There,
        }
    }

    /// Opens what the cursor is on, or closes it.
    pub fn toggle(&mut self) {
        self.pages[self.at].toggle(&self.names);
    }

    /// Shows only rows with these words.
    pub fn set_filter(&mut self, filter: &str) {
        filter.clone_into(&mut self.page_mut().filter);
        self.refresh();
    }

    /// Sorts by something else; by the same again the other way round.
    pub fn sort_by(&mut self, key: SortKey) {
        let page = self.page_mut();
        page.direction = if page.sort == key { page.direction.reversed() } else { key.usual() };
        page.sort = key;
        self.refresh();
    }

    /// The peer that the task of the cursor works for, and its torrent.
    pub fn peer(&self) -> Option<(TorrentId, SocketAddr)> {
        let page = self.page();
        let row = page.row_of(page.lines().get(page.rows.at())?)?;
        match page.dump_rows()? {
            DumpRows::Tasks(rows) => Some((rows.get(row)?.torrent?, rows.get(row)?.peer?)),
            _ => None,
        }
    }

    /// Sorts by what comes before.
    pub fn sort_back(&mut self) {
        let all = SortKey::all(self.page().number_words().len());
        self.sort_step(all.len() - 1);
    }

    /// Sorts by what comes so many places behind.
    pub fn sort_step(&mut self, places: usize) {
        let page = self.page();
        let all = SortKey::all(page.number_words().len());
        let at = all.iter().position(|key| *key == page.sort).unwrap_or(0);
        self.sort_by(all[(at + places) % all.len()]);
    }

    fn refresh(&mut self) {
        self.pages[self.at].refresh(&self.names);
    }

    /// Moves the cursor.
    pub fn walk(&mut self, motion: Motion, page: usize) {
        self.page_mut().walk(motion, page);
    }

    /// Brings the cursor onto a line that is there.
    pub fn settle(&mut self, page: usize) {
        self.page_mut().settle(page);
    }
}

fn kind_of(rows: &DumpRows) -> DumpKind {
    match rows {
        DumpRows::Tasks(_) => DumpKind::Tasks,
        DumpRows::Locks(_) => DumpKind::Locks,
        DumpRows::Queues(_) => DumpKind::Queues,
        DumpRows::Semaphores(_) => DumpKind::Semaphores,
        DumpRows::Owners(_) => DumpKind::Owners,
        DumpRows::Waits(_) => DumpKind::Waits,
    }
}

#[cfg(test)]
mod tests;
