//! The inspector: what the program's own tasks, locks and queues are doing, as goroutine dumps tell it of Go programs.
//!
//! A look is asked for once a second while the screen is open, and not while it is frozen. It is answered by whatever
//! thread asks, without a task or a lock of the program, so it works while others are stuck.

mod groups;
mod screen;

use std::time::Duration;

use super::widgets::{Motion, Scroll};
use crate::contract::{Dump, DumpKind, DumpRows};
use crate::limits::SCREEN_TICK;

pub use groups::{Group, Kind, groups, in_words, lines, time_heading, title, wait_line};
pub(super) use screen::{draw, page};

/// The state of the inspector's screen.
#[derive(Debug)]
pub struct Inspector {
    /// What is shown.
    pub shows: DumpKind,
    /// The latest look; `None` before the first.
    pub look: Option<Dump>,
    /// Whether the latest look stays.
    pub frozen: bool,
    /// The cursor over `lines`.
    pub rows: Scroll,
    groups: Vec<Group>,
    lines: Vec<Line>,
    /// The group whose members are shown.
    open: Option<Kind>,
    /// When a look was asked for last.
    asked_at: Option<Duration>,
    waits: bool,
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// A group, by its place.
    Group(usize),
    /// A member of the group above it, by its row in the dump.
    Member(usize),
}

/// All that can be shown, in the order of their keys.
pub const PAGES: [DumpKind; 4] = [DumpKind::Tasks, DumpKind::Locks, DumpKind::Queues, DumpKind::Waits];

impl Default for Inspector {
    fn default() -> Self {
        Self {
            shows: DumpKind::Tasks,
            look: None,
            frozen: false,
            rows: Scroll::default(),
            groups: Vec::new(),
            lines: Vec::new(),
            open: None,
            asked_at: None,
            waits: false,
        }
    }
}

impl Inspector {
    /// Shows something else.
    pub fn show(&mut self, kind: DumpKind) {
        if self.shows != kind {
            *self = Self { shows: kind, ..Self::default() };
        }
    }

    /// Shows what comes so many places behind what is shown.
    pub fn step(&mut self, places: usize) {
        let at = PAGES.iter().position(|kind| *kind == self.shows).unwrap_or(0);
        self.show(PAGES[(at + places) % PAGES.len()]);
    }

    /// What is to be asked for now, if anything.
    pub fn ask(&mut self, now: Duration) -> Option<DumpKind> {
        let is_due = self.asked_at.is_none_or(|at| now.saturating_sub(at) >= SCREEN_TICK);
        if self.frozen || self.waits || !is_due {
            return None;
        }
        self.asked_at = Some(now);
        self.waits = true;
        Some(self.shows)
    }

    /// Takes a look in. One that was asked for before something else was to be shown, or the screen frozen, is left.
    pub fn take(&mut self, look: Option<Dump>) {
        self.waits = false;
        let Some(look) = look.filter(|look| !self.frozen && kind_of(&look.rows) == self.shows) else {
            return;
        };
        let selected = self.selected().map(|(group, member)| (group.kind.clone(), member));
        let old_rows = self.look.take().map(|look| look.rows);
        self.groups = groups(&look.rows);
        self.arrange();
        if let Some((kind, member)) = selected {
            // Rows move: those before them end, and others begin.
            let identity = member.and_then(|row| groups::identity(old_rows.as_ref()?, row));
            let is_it = |row: &usize| groups::identity(&look.rows, *row) == identity;
            let open = self.groups.iter().find(|group| group.kind == kind);
            let member = identity.as_ref().and_then(|_| open?.members.iter().copied().find(is_it));
            self.select(&kind, member);
        }
        self.look = Some(look);
    }

    /// Opens the group of the cursor, or closes it.
    pub fn toggle(&mut self) {
        let Some((group, _)) = self.selected() else { return };
        let kind = group.kind.clone();
        self.open = if self.open.as_ref() == Some(&kind) { None } else { Some(kind.clone()) };
        self.arrange();
        self.select(&kind, None);
    }

    /// Moves the cursor.
    pub fn walk(&mut self, motion: Motion, page: usize) {
        self.rows.step(motion, self.lines.len(), page);
    }

    /// Brings the cursor onto a line that is there.
    pub fn settle(&mut self, page: usize) {
        self.rows.settle(self.lines.len(), page);
    }

    /// The lines of the table.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// What a line shows: a group, or one of its members by itself.
    pub fn line(&self, at: usize) -> Option<Group> {
        match *self.lines.get(at)? {
            Line::Group(group) => self.groups.get(group).cloned(),
            Line::Member(row) => groups::member(&self.look.as_ref()?.rows, row),
        }
    }

    /// The look as text.
    pub fn text(&self) -> Option<String> {
        self.look.as_ref().map(|look| lines(&look.rows).join("\n") + "\n")
    }

    /// The group of the cursor, and which of its members it is on.
    fn selected(&self) -> Option<(&Group, Option<usize>)> {
        let at = self.rows.at();
        let above = self.lines.get(..=at)?.iter().rev();
        let mut above = above.filter_map(|line| match line {
            Line::Group(group) => self.groups.get(*group),
            Line::Member(_) => None,
        });
        let member = match self.lines[at] {
            Line::Group(_) => None,
            Line::Member(row) => Some(row),
        };
        Some((above.next()?, member))
    }

    fn select(&mut self, kind: &Kind, member: Option<usize>) {
        let of_group = |line: &Line| matches!(line, Line::Group(group) if self.groups[*group].kind == *kind);
        let of_member = |line: &Line| member.is_some_and(|member| *line == Line::Member(member));
        let at = self.lines.iter().position(of_member).or_else(|| self.lines.iter().position(of_group));
        if let Some(at) = at {
            self.rows.set(at);
        }
    }

    fn arrange(&mut self) {
        self.lines.clear();
        for (at, group) in self.groups.iter().enumerate() {
            self.lines.push(Line::Group(at));
            if self.open.as_ref() == Some(&group.kind) {
                self.lines.extend(group.members.iter().map(|row| Line::Member(*row)));
            }
        }
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
mod tests {
    use super::*;
    use crate::contract::{TaskId, TaskKind, TaskReport, TaskState};

    fn look(names: &[&str]) -> Dump {
        let rows = names.iter().zip(1..).map(|(name, id)| TaskReport {
            id: TaskId(id),
            name: (*name).to_owned().into(),
            kind: TaskKind::Task,
            site: "src/a.rs:1".to_owned(),
            parent: None,
            torrent: None,
            peer: None,
            ready_us: 0,
            frames: Vec::new(),
            age_ms: 1000 * id,
            polls: 1,
            busy_us: 0,
            longest_poll_us: 0,
            wakes: 0,
            poll_ms: None,
            state: TaskState::Waiting,
            waits: Vec::new(),
            waited_ms: Some(1000 * id),
        });
        Dump { stuck: Vec::new(), rows: DumpRows::Tasks(rows.collect()) }
    }

    #[test]
    fn it_asks_once_a_second_and_not_while_it_waits_or_is_frozen() {
        let mut inspector = Inspector::default();
        let at = Duration::from_secs;
        assert_eq!(inspector.ask(at(5)), Some(DumpKind::Tasks));
        assert_eq!(inspector.ask(at(9)), None, "the first is not answered");
        inspector.take(Some(look(&["a"])));
        assert_eq!(inspector.ask(at(5)), None);
        assert_eq!(inspector.ask(at(6)), Some(DumpKind::Tasks));
        inspector.frozen = true;
        inspector.take(Some(look(&["b", "c"])));
        assert_eq!(inspector.lines().len(), 1, "the picture stands still");
        assert_eq!(inspector.ask(at(60)), None);
    }

    #[test]
    fn the_cursor_stays_on_its_group_and_a_late_look_of_another_kind_is_left() {
        let mut inspector = Inspector::default();
        inspector.take(Some(look(&["peer 1", "peer 2", "budget"])));
        assert_eq!(inspector.lines(), [Line::Group(0), Line::Group(1)]);
        inspector.walk(Motion::Last, 10);
        inspector.take(Some(look(&["budget", "zebra", "zebra", "peer 1", "peer 2", "peer 3"])));
        let name = |inspector: &Inspector| inspector.line(inspector.rows.at()).unwrap().kind.name.shown();
        assert_eq!(name(&inspector), "budget");
        inspector.walk(Motion::First, 10);
        inspector.toggle();
        let shown: Vec<_> =
            (0..inspector.lines().len()).map(|at| inspector.line(at).unwrap().kind.name.shown()).collect();
        assert_eq!(shown, ["peer *", "peer 3", "peer 2", "peer 1", "zebra", "budget"], "the oldest first");
        inspector.walk(Motion::Down, 10);
        inspector.walk(Motion::Down, 10);
        assert_eq!(name(&inspector), "peer 2");
        let mut later = look(&["budget", "zebra", "zebra", "peer 1", "peer 2", "peer 3", "peer 4"]);
        if let DumpRows::Tasks(rows) = &mut later.rows {
            rows.remove(0);
        }
        inspector.take(Some(later));
        assert_eq!(name(&inspector), "peer 2", "the cursor stays on its task though the rows have moved");
        inspector.walk(Motion::First, 10);
        inspector.toggle();
        assert_eq!(inspector.lines().len(), 2);
        inspector.step(1);
        inspector.take(Some(look(&["late"])));
        assert_eq!((inspector.shows, inspector.lines().len()), (DumpKind::Locks, 0));
        inspector.step(3);
        assert_eq!(inspector.shows, DumpKind::Tasks);
    }
}
