//! One page of the inspector: the look that it shows, and its lines, in which groups and rows are opened and closed. The
//! cursor stays on what it is on though lines come and go round it.

use std::collections::BTreeSet;

use super::diff::{self, Change, Mark};
use super::facts::{self, Fact, Names, Target};
use super::groups::{self, Group, Kind};
use super::order::{self, SortKey};
use super::tree::{self, Branch};
use crate::contract::{Dump, DumpKind, DumpRows, TaskId, Untrusted};
use crate::tui::torrents::Direction;
use crate::tui::widgets::{Motion, Scroll};

/// The state of a page.
#[derive(Debug)]
pub struct Page {
    /// What it shows.
    pub kind: DumpKind,
    /// The latest look; `None` before the first.
    pub look: Option<Dump>,
    /// A look that was kept to compare with.
    pub base: Option<Dump>,
    /// The cursor over `lines`.
    pub rows: Scroll,
    /// What groups are sorted by.
    pub sort: SortKey,
    /// Which way.
    pub direction: Direction,
    /// Words that what is said of a row must have.
    pub filter: String,
    /// Whether it shows what differs from `base`.
    pub comparing: bool,
    groups: Vec<Group>,
    changes: Vec<Change>,
    lines: Vec<Line>,
    identities: Vec<String>,
    open: BTreeSet<Opened>,
}

/// One line of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A group, by its place.
    Group(usize),
    /// A member of the group above it, by its row in the dump.
    Member(usize),
    /// What is to be said of a row.
    Fact(usize, Fact),
    /// A line of the tree of waits.
    Branch(Branch),
    /// A group that differs from the kept look, by its place.
    Change(usize),
    /// A member that came into it or left it.
    Moved(Mark, Untrusted),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Opened {
    Group(Kind),
    Row(String),
}

/// What a cursor is on, in this look and the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Anchor {
    group: Option<Kind>,
    row: Option<String>,
    /// Lines below that.
    below: usize,
}

impl Page {
    pub(super) fn new(kind: DumpKind) -> Self {
        Self {
            kind,
            look: None,
            base: None,
            rows: Scroll::default(),
            sort: SortKey::default(),
            direction: Direction::Ascending,
            filter: String::new(),
            comparing: false,
            groups: Vec::new(),
            changes: Vec::new(),
            lines: Vec::new(),
            identities: Vec::new(),
            open: BTreeSet::new(),
        }
    }

    /// Takes a look in; `None` forgets the one that there is.
    pub(super) fn take(&mut self, look: Option<Dump>, names: &Names) {
        let anchor = self.anchor();
        self.look = look;
        self.identities = self.look.as_ref().map_or_else(Vec::new, |look| groups::identities(&look.rows));
        self.arrange(names);
        self.go_back_to(anchor.as_ref());
    }

    /// Makes the lines anew, after something about what is shown has changed.
    pub(super) fn refresh(&mut self, names: &Names) {
        let anchor = self.anchor();
        self.arrange(names);
        self.go_back_to(anchor.as_ref());
    }

    /// The lines.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The rows of the look.
    pub fn dump_rows(&self) -> Option<&DumpRows> {
        self.look.as_ref().map(|look| &look.rows)
    }

    /// A group by its place.
    pub fn group(&self, at: usize) -> Option<&Group> {
        self.groups.get(at)
    }

    /// A group that differs, by its place.
    pub fn change(&self, at: usize) -> Option<&Change> {
        self.changes.get(at)
    }

    /// The words of the numbers of this page.
    pub fn number_words(&self) -> Vec<&'static str> {
        self.groups
            .first()
            .map_or_else(Vec::new, |group| group.numbers.iter().map(|(word, _)| *word).collect())
    }

    /// The row of the dump that a line is about; of a group the longest.
    pub fn row_of(&self, line: &Line) -> Option<usize> {
        match line {
            Line::Group(group) => self.groups.get(*group)?.members.first().copied(),
            Line::Member(row) | Line::Fact(row, _) => Some(*row),
            Line::Branch(branch) => branch.rows.first().copied(),
            Line::Change(_) | Line::Moved(..) => None,
        }
    }

    /// Opens what the cursor is on, or closes it.
    pub(super) fn toggle(&mut self, names: &Names) {
        let opened = match self.lines.get(self.rows.at()) {
            Some(Line::Group(at)) => match self.groups[*at].members.as_slice() {
                [one] => Opened::Row(self.identities[*one].clone()),
                _ => Opened::Group(self.groups[*at].kind.clone()),
            },
            Some(Line::Member(row)) => Opened::Row(self.identities[*row].clone()),
            Some(Line::Branch(branch)) => Opened::Row(branch.identity.clone()),
            Some(Line::Change(at)) => Opened::Group(self.changes[*at].kind.clone()),
            Some(Line::Fact(..) | Line::Moved(..)) | None => return,
        };
        if !self.open.remove(&opened) {
            self.open.insert(opened);
        }
        self.refresh(names);
    }

    pub(super) fn walk(&mut self, motion: Motion, page: usize) {
        self.rows.step(motion, self.lines.len(), page);
    }

    pub(super) fn settle(&mut self, page: usize) {
        self.rows.settle(self.lines.len(), page);
    }

    /// Puts the cursor on what `target` names, opened; whether it is there.
    pub(super) fn go_to(&mut self, target: &Target, names: &Names) -> bool {
        let Some(row) = self.dump_rows().and_then(|rows| find(rows, target)) else { return false };
        let is_hidden = |page: &Self| !page.groups.iter().any(|group| group.members.contains(&row));
        if is_hidden(self) {
            self.filter.clear();
        }
        self.comparing = false;
        self.arrange(names);
        let group = self.groups.iter().find(|group| group.members.contains(&row));
        let kind = group.map(|group| (group.kind.clone(), group.members.len()));
        if let Some((kind, 2..)) = &kind {
            self.open.insert(Opened::Group(kind.clone()));
        }
        if !matches!(target, Target::PeerTasks(_)) {
            self.open.insert(Opened::Row(self.identities[row].clone()));
        }
        self.arrange(names);
        let row = self.identities.get(row).cloned();
        self.go_back_to(Some(&Anchor { group: kind.map(|(kind, _)| kind), row, below: 0 }));
        true
    }

    /// What the cursor is on.
    pub(super) fn anchor(&self) -> Option<Anchor> {
        let at = self.rows.at();
        let line = self.lines.get(at)?;
        let below = self.lines[..=at].iter().rev().take_while(|line| is_below(line)).count();
        let head = self.lines.get(at - below)?;
        let group = match head {
            Line::Group(group) => Some(self.groups.get(*group)?.kind.clone()),
            Line::Change(change) => Some(self.changes.get(*change)?.kind.clone()),
            Line::Member(_) | Line::Fact(..) | Line::Branch(_) | Line::Moved(..) => None,
        };
        let row = match (head, line) {
            (Line::Branch(branch), _) => Some(branch.identity.clone()),
            // A group of several is not any of them.
            (Line::Group(group), _) if self.groups[*group].members.len() > 1 => None,
            _ => self.row_of(head).and_then(|row| self.identities.get(row).cloned()),
        };
        Some(Anchor { group, row, below })
    }

    /// Puts the cursor back on what it was on; where that is gone it stays at its place.
    pub(super) fn go_back_to(&mut self, anchor: Option<&Anchor>) {
        let Some(Anchor { group, row, below }) = anchor else { return };
        let is_row = |line: &Line| {
            let is_one = match line {
                Line::Group(at) => self.groups[*at].members.len() == 1,
                Line::Member(_) => true,
                Line::Branch(branch) => return row.as_ref() == Some(&branch.identity),
                Line::Fact(..) | Line::Change(_) | Line::Moved(..) => false,
            };
            let identity = self.row_of(line).filter(|_| is_one).and_then(|row| self.identities.get(row));
            row.is_some() && identity == row.as_ref()
        };
        let is_group = |line: &Line| match line {
            Line::Group(at) => Some(&self.groups[*at].kind) == group.as_ref(),
            Line::Change(at) => Some(&self.changes[*at].kind) == group.as_ref(),
            Line::Member(_) | Line::Fact(..) | Line::Branch(_) | Line::Moved(..) => false,
        };
        let head = self.lines.iter().position(is_row).or_else(|| self.lines.iter().position(is_group));
        if let Some(head) = head {
            let facts = self.lines[head + 1..].iter().take_while(|line| is_below(line)).count();
            self.rows.set(head + (*below).min(facts));
        }
    }

    fn arrange(&mut self, names: &Names) {
        self.lines.clear();
        self.groups.clear();
        self.changes.clear();
        let Some(look) = &self.look else { return };
        let words = order::words(&self.filter);
        let rows = &look.rows;
        self.groups = groups::groups_of(rows, |at| order::matches(rows, at, &words));
        order::sort(&mut self.groups, self.sort, self.direction);
        if let Some(base) = self.base.as_ref().filter(|_| self.comparing) {
            self.changes = diff::changes(&base.rows, rows, |rows, at| order::matches(rows, at, &words));
            for (at, change) in self.changes.iter().enumerate() {
                self.lines.push(Line::Change(at));
                if self.open.contains(&Opened::Group(change.kind.clone())) {
                    self.lines
                        .extend(change.members.iter().map(|(mark, name)| Line::Moved(*mark, name.clone())));
                }
            }
            return;
        }
        if let DumpRows::Waits(waits) = rows {
            let is_open = |identity: &str| self.open.contains(&Opened::Row(identity.to_owned()));
            let branches = tree::branches(waits, |at| order::matches(rows, at, &words), is_open);
            self.lines = branches.into_iter().map(Line::Branch).collect();
            return;
        }
        for (at, group) in self.groups.iter().enumerate() {
            self.lines.push(Line::Group(at));
            let is_one = group.members.len() == 1;
            if !is_one && !self.open.contains(&Opened::Group(group.kind.clone())) {
                continue;
            }
            for row in &group.members {
                if !is_one {
                    self.lines.push(Line::Member(*row));
                }
                if self.open.contains(&Opened::Row(self.identities[*row].clone())) {
                    let facts = facts::facts(rows, *row, names);
                    self.lines.extend(facts.into_iter().map(|fact| Line::Fact(*row, fact)));
                }
            }
        }
    }
}

/// Whether a line belongs to the one above it.
fn is_below(line: &Line) -> bool {
    match line {
        Line::Fact(..) | Line::Moved(..) => true,
        Line::Group(_) | Line::Member(_) | Line::Branch(_) | Line::Change(_) => false,
    }
}

/// The row that a target names. Of several of one name it is the one that has to do with the task.
fn find(rows: &DumpRows, target: &Target) -> Option<usize> {
    match (rows, target) {
        (DumpRows::Tasks(rows), Target::Task(id)) => rows.iter().position(|row| row.id == *id),
        (DumpRows::Tasks(rows), Target::PeerTasks(address)) => {
            let named = address.to_string();
            let is_named = |name: &str| name.split(' ').any(|word| word.trim_end_matches(':') == named);
            let works_for = rows.iter().position(|row| row.peer == Some(*address));
            works_for.or_else(|| rows.iter().position(|row| is_named(&row.name)))
        }
        (DumpRows::Locks(rows), Target::Lock(name, task)) => {
            let has = |at: &usize| {
                let is_there = |id: &TaskId| {
                    rows[*at].holder == Some(*id) || rows[*at].waiters.iter().any(|waiter| waiter.task == *id)
                };
                task.as_ref().is_some_and(is_there)
            };
            best(rows.iter().map(|row| row.name == *name), has)
        }
        (DumpRows::Queues(rows), Target::Queue(name, task)) => {
            best(rows.iter().map(|row| row.name == *name), |at| task.is_some() && rows[*at].receiver == *task)
        }
        (DumpRows::Semaphores(rows), Target::Semaphore(name, task)) => {
            let has = |at: &usize| {
                task.is_some_and(|task| rows[*at].waiters.iter().any(|waiter| waiter.task == task))
            };
            best(rows.iter().map(|row| row.name == *name), has)
        }
        _ => None,
    }
}

/// The first of those with the name that has to do with the task, else the first.
fn best(is_named: impl Iterator<Item = bool>, has: impl Fn(&usize) -> bool) -> Option<usize> {
    let named: Vec<usize> = is_named.enumerate().filter(|(_, is)| *is).map(|(at, _)| at).collect();
    named.iter().copied().find(has).or(named.first().copied())
}
