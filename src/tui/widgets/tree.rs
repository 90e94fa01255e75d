//! The files of a torrent as folders that open and close, with marks, a filter and totals per folder.
//!
//! Nodes lie depth first, a folder before what is in it, so a subtree is a range and totals are one pass from the end.
//! The shape is built once per torrent, totals once per snapshot, the list of rows when something opens, closes or is
//! filtered; moving the cursor touches none of them, whatever the number of files.

use std::collections::BTreeSet;
use std::ops::Range;

use super::scroll::{Motion, Scroll};
use crate::contract::{FilePattern, Priority, Untrusted};
use crate::limits;
use crate::units::FileIndex;

/// What changes about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Which file of the torrent.
    pub file: FileIndex,
    /// Its length.
    pub bytes: u64,
    /// How much of it is here.
    pub done_bytes: u64,
    /// How much it is wanted.
    pub priority: Priority,
}

/// The priority of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// All its files have this one.
    All(Priority),
    /// Its files differ.
    Mixed,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A folder.
    Folder {
        /// Whether what is in it is shown.
        open: bool,
    },
    /// A file: its position among the leaves.
    File(usize),
}

/// A folder or a file.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its own part of the path.
    pub name: Untrusted,
    /// How many folders it is in.
    pub depth: usize,
    /// What it is.
    pub kind: NodeKind,
    /// Bytes of its files.
    pub bytes: u64,
    /// Bytes of its files that are here.
    pub done_bytes: u64,
    /// Priority of its files.
    pub level: Level,
    /// How many files it has.
    pub files: usize,
    parent: Option<usize>,
    /// One past the last node in it.
    end: usize,
}

/// A tree with its cursor.
#[derive(Clone, Debug, Default)]
pub struct FileTree {
    nodes: Vec<Node>,
    leaves: Vec<Leaf>,
    /// Nodes that are shown, top to bottom.
    rows: Vec<usize>,
    marks: BTreeSet<usize>,
    range_from: Option<usize>,
    filter: String,
    scroll: Scroll,
}

impl FileTree {
    /// The tree of these paths, whose parts are joined by `/`.
    pub fn new<'a>(paths: impl Iterator<Item = &'a Untrusted>) -> Self {
        let paths: Vec<&str> = paths.map(Untrusted::raw).collect();
        let mut order: Vec<usize> = (0..paths.len()).collect();
        order.sort_by(|&a, &b| parts(paths[a]).cmp(parts(paths[b])));
        let mut tree = Self { nodes: Vec::with_capacity(paths.len()), ..Self::default() };
        let mut open: Vec<usize> = Vec::new();
        for position in order {
            tree.insert(&mut open, paths[position], position);
        }
        tree.close_folders(&mut open, 0);
        let everything = paths.len() <= limits::TREE_OPEN_FILES_MAX;
        for node in &mut tree.nodes {
            if let NodeKind::Folder { open } = &mut node.kind {
                *open = everything || node.depth == 0;
            }
        }
        tree.leaves = vec![
            Leaf { file: FileIndex(0), bytes: 0, done_bytes: 0, priority: Priority::Normal };
            paths.len()
        ];
        tree.show_rows();
        tree
    }

    /// Appends one file, and the folders of its path that are not open yet. Files come sorted by path.
    fn insert(&mut self, open: &mut Vec<usize>, path: &str, position: usize) {
        let mut parts: Vec<&str> = parts(path).collect();
        let name = parts.pop().unwrap_or_default();
        let common = open
            .iter()
            .zip(&parts)
            .take_while(|(node, part)| self.nodes[**node].name.raw() == **part)
            .count();
        self.close_folders(open, common);
        for part in &parts[common..] {
            let folder = self.push(part, open, NodeKind::Folder { open: true });
            open.push(folder);
        }
        self.push(name, open, NodeKind::File(position));
    }

    fn push(&mut self, name: &str, open: &[usize], kind: NodeKind) -> usize {
        let at = self.nodes.len();
        self.nodes.push(Node {
            name: Untrusted::new(name),
            depth: open.len(),
            kind,
            bytes: 0,
            done_bytes: 0,
            level: Level::All(Priority::Normal),
            files: 0,
            parent: open.last().copied(),
            end: at + 1,
        });
        at
    }

    fn close_folders(&mut self, open: &mut Vec<usize>, keep: usize) {
        let end = self.nodes.len();
        for folder in open.drain(keep..) {
            self.nodes[folder].end = end;
        }
    }

    /// Takes the files as they are now, in the order of the paths the tree was made of.
    pub fn refresh(&mut self, leaves: impl Iterator<Item = Leaf>) {
        self.leaves.clear();
        self.leaves.extend(leaves);
        for at in (0..self.nodes.len()).rev() {
            if let NodeKind::File(position) = self.nodes[at].kind {
                let Some(leaf) = self.leaves.get(position).copied() else { continue };
                let node = &mut self.nodes[at];
                (node.bytes, node.done_bytes, node.files) = (leaf.bytes, leaf.done_bytes, 1);
                node.level = Level::All(leaf.priority);
            } else {
                self.total(at);
            }
        }
    }

    /// Adds up a folder whose children are up to date.
    fn total(&mut self, at: usize) {
        let (mut bytes, mut done, mut files, mut level) = (0u64, 0u64, 0, None);
        let mut child = at + 1;
        while child < self.nodes[at].end {
            let node = &self.nodes[child];
            bytes = bytes.saturating_add(node.bytes);
            done = done.saturating_add(node.done_bytes);
            files += node.files;
            level = match level {
                None => Some(node.level),
                Some(level) if level == node.level => Some(level),
                Some(_) => Some(Level::Mixed),
            };
            child = node.end;
        }
        let node = &mut self.nodes[at];
        (node.bytes, node.done_bytes, node.files) = (bytes, done, files);
        node.level = level.unwrap_or(Level::All(Priority::Normal));
    }

    /// How many files it is of.
    pub fn files(&self) -> usize {
        self.leaves.len()
    }

    /// How many rows it has now.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The node in a row, whether the cursor is on it and whether it is marked.
    pub fn row(&self, row: usize) -> Option<(&Node, bool, bool)> {
        let at = *self.rows.get(row)?;
        Some((&self.nodes[at], row == self.scroll.at(), self.marks.contains(&at)))
    }

    /// The file at a position of the paths the tree was made of.
    pub fn leaf(&self, position: usize) -> Option<&Leaf> {
        self.leaves.get(position)
    }

    /// All files, in the order of the paths.
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// How many nodes are marked.
    pub fn marked(&self) -> usize {
        self.marks.len()
    }

    /// The rows that are seen on a page.
    pub fn seen(&self, page: usize) -> Range<usize> {
        self.scroll.seen(self.rows.len(), page)
    }

    /// The row of the cursor.
    pub fn cursor(&self) -> usize {
        self.scroll.at()
    }

    /// Moves the cursor.
    pub fn step(&mut self, motion: Motion, page: usize) {
        self.scroll.step(motion, self.rows.len(), page);
        if let Some(from) = self.range_from {
            let to = self.scroll.at();
            let rows = &self.rows[from.min(to).min(self.rows.len())..(from.max(to) + 1).min(self.rows.len())];
            self.marks.extend(rows);
        }
    }

    /// Keeps the cursor on a page of this height.
    pub fn settle(&mut self, page: usize) {
        self.scroll.settle(self.rows.len(), page);
    }

    /// Closes the folder under the cursor, or goes to the folder that the cursor is in.
    pub fn left(&mut self) {
        let Some(&at) = self.rows.get(self.scroll.at()) else { return };
        if let NodeKind::Folder { open: true } = self.nodes[at].kind {
            self.fold(at, Fold::Close);
        } else if let Some(parent) = self.nodes[at].parent {
            self.go_to(parent);
        }
    }

    /// Opens the folder under the cursor, or goes into it.
    pub fn right(&mut self) {
        let Some(&at) = self.rows.get(self.scroll.at()) else { return };
        match self.nodes[at].kind {
            NodeKind::Folder { open: false } => self.fold(at, Fold::Open),
            NodeKind::Folder { open: true } => self.scroll.step(Motion::Down, self.rows.len(), 1),
            NodeKind::File(_) => {}
        }
    }

    /// Opens all folders, or closes all where all are open.
    pub fn fold_all(&mut self) {
        let any_closed = self.nodes.iter().any(|node| node.kind == NodeKind::Folder { open: false });
        let mut under_cursor = self.rows.get(self.scroll.at()).copied();
        for node in &mut self.nodes {
            if let NodeKind::Folder { open } = &mut node.kind {
                *open = any_closed;
            }
        }
        self.show_rows();
        while let Some(at) = under_cursor {
            if self.rows.binary_search(&at).is_ok() {
                self.go_to(at);
                return;
            }
            under_cursor = self.nodes[at].parent;
        }
    }

    fn fold(&mut self, at: usize, fold: Fold) {
        self.nodes[at].kind = NodeKind::Folder { open: fold == Fold::Open };
        self.show_rows();
        self.go_to(at);
    }

    /// Puts the cursor on a node that is shown.
    fn go_to(&mut self, at: usize) {
        // Rows are in node order, which is what makes this a search and not a walk.
        if let Ok(row) = self.rows.binary_search(&at) {
            self.scroll.set(row);
        }
    }

    /// Marks or unmarks the row of the cursor and steps on.
    pub fn mark(&mut self, page: usize) {
        self.range_from = None;
        if let Some(&at) = self.rows.get(self.scroll.at())
            && !self.marks.remove(&at)
        {
            self.marks.insert(at);
        }
        self.step(Motion::Down, page);
    }

    /// Starts marking a range at the cursor, or ends it.
    pub fn mark_range(&mut self) {
        self.range_from = match self.range_from {
            Some(_) => None,
            None => Some(self.scroll.at()),
        };
        if let (Some(_), Some(&at)) = (self.range_from, self.rows.get(self.scroll.at())) {
            self.marks.insert(at);
        }
    }

    /// Marks every row that is shown.
    pub fn mark_all(&mut self) {
        self.marks.extend(&self.rows);
    }

    /// Marks the files that are shown and unmarked, unmarks the others.
    pub fn mark_invert(&mut self) {
        let files = self.rows.iter().filter(|&&at| matches!(self.nodes[at].kind, NodeKind::File(_)));
        self.marks = files.filter(|at| !self.marks.contains(at)).copied().collect();
    }

    /// Unmarks everything; whether anything was marked.
    pub fn unmark(&mut self) -> bool {
        self.range_from = None;
        let any = !self.marks.is_empty();
        self.marks.clear();
        any
    }

    /// What is filtered by.
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// Shows only files whose path has every word of `filter` in it, and the folders they are in. A word with `*` or `?` is a
    /// pattern for the path or the name, as in `ctl priority`. Upper and lower case are the same.
    pub fn set_filter(&mut self, filter: &str) {
        self.filter = filter.to_owned();
        self.range_from = None;
        self.show_rows();
    }

    /// Positions of the files that the next change is for: the marked nodes', else the cursor's. A filter narrows a
    /// folder to what is shown of it.
    pub fn targets(&self) -> Vec<usize> {
        let chosen: Vec<usize> = if self.marks.is_empty() {
            self.rows.get(self.scroll.at()).copied().into_iter().collect()
        } else {
            self.marks.iter().copied().collect()
        };
        let matched = (!self.filter.is_empty()).then(|| self.matching());
        let mut positions = BTreeSet::new();
        for at in chosen {
            positions.extend((at..self.nodes[at].end).filter_map(|at| match self.nodes[at].kind {
                NodeKind::File(position) => {
                    matched.as_ref().is_none_or(|matched| matched[at]).then_some(position)
                }
                NodeKind::Folder { .. } => None,
            }));
        }
        positions.into_iter().collect()
    }

    /// Writes down which nodes are shown.
    fn show_rows(&mut self) {
        self.rows.clear();
        if !self.filter.is_empty() {
            let matched = self.matching();
            self.rows.extend((0..self.nodes.len()).filter(|&at| matched[at]));
            return;
        }
        let mut at = 0;
        while let Some(node) = self.nodes.get(at) {
            self.rows.push(at);
            at = if node.kind == (NodeKind::Folder { open: false }) { node.end } else { at + 1 };
        }
    }

    /// For each node whether the filter leaves it: a file by its path, a folder by what is in it.
    fn matching(&self) -> Vec<bool> {
        let words: Vec<Word> = self.filter.split_whitespace().map(Word::new).collect();
        let mut matched = vec![false; self.nodes.len()];
        let mut path = String::new();
        let mut lengths: Vec<usize> = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            lengths.truncate(node.depth);
            path.truncate(lengths.last().copied().unwrap_or(0));
            path.push_str(&node.name.raw().to_lowercase());
            path.push('/');
            lengths.push(path.len());
            let is_file = matches!(node.kind, NodeKind::File(_));
            if is_file && words.iter().all(|word| word.is_met_by(&path[..path.len() - 1])) {
                matched[at] = true;
                let mut parent = node.parent;
                while let Some(folder) = parent.filter(|&folder| !matched[folder]) {
                    matched[folder] = true;
                    parent = self.nodes[folder].parent;
                }
            }
        }
        matched
    }
}

/// A word of a filter, in lower case.
enum Word {
    /// To be somewhere in the path.
    Part(String),
    /// To describe the path or the name.
    Pattern(FilePattern),
}

impl Word {
    fn new(word: &str) -> Self {
        let word = word.to_lowercase();
        if FilePattern::is_one(&word) { Self::Pattern(FilePattern::new(&word)) } else { Self::Part(word) }
    }

    fn is_met_by(&self, path: &str) -> bool {
        match self {
            Self::Part(part) => path.contains(part.as_str()),
            Self::Pattern(pattern) => pattern.fits(path),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fold {
    Open,
    Close,
}

/// The parts of a path; those beyond the depth bound stay together as the name.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.splitn(limits::TREE_DEPTH_MAX, '/')
}

#[cfg(test)]
mod tests;
