//! Who waits for whom, as a tree: what holds others up stands first, and under it those that it holds up. Tasks that wait
//! for each other in a circle have nobody above them; one of them stands for the circle.

use std::collections::{BTreeMap, BTreeSet};

use super::groups::wait_words;
use crate::contract::{BlockedTask, TaskId, TaskName, Untrusted};
use crate::report::pattern;

/// A line of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// How many stand above it.
    pub depth: usize,
    /// Who it is; `None`: something that nobody is known to hold, and then `name` is what.
    pub task: Option<TaskId>,
    /// Its name; of several, what their names have in common.
    pub name: Untrusted,
    /// The rows of the dump that it shows; none for one that waits for no other task.
    pub rows: Vec<usize>,
    /// Tasks that it holds up, directly or not.
    pub holds_up: usize,
    /// Whether it stands in a circle.
    pub circle: Circle,
    /// What tells it from the others, in this dump and the next.
    pub identity: String,
}

/// Whether a task waits for itself in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circle {
    /// It does: none of its circle will ever go on.
    In,
    /// It does not.
    Out,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    Task(TaskId),
    Thing(String),
}

struct Tree<'a> {
    rows: &'a [BlockedTask],
    /// Who waits for a node, the longest first.
    waiters: BTreeMap<Node, Vec<usize>>,
    /// The row in which a task waits.
    waits: BTreeMap<TaskId, usize>,
    circle: BTreeSet<TaskId>,
}

/// All lines, circles first, then what holds up the most. `is_open` says which folded lines are to show each of theirs.
pub(super) fn branches(
    rows: &[BlockedTask],
    is_shown: impl Fn(usize) -> bool,
    is_open: impl Fn(&str) -> bool,
) -> Vec<Branch> {
    let tree = Tree::new(rows, is_shown);
    let mut roots = tree.roots();
    roots.sort_by_key(|(node, held_up, longest)| {
        // A circle does not end by itself, however few stand in it.
        let is_circle = matches!(node, Node::Task(task) if tree.circle.contains(task));
        (std::cmp::Reverse((is_circle, *held_up, *longest)), node.clone())
    });
    let mut lines = Vec::new();
    let mut drawn = BTreeSet::new();
    for (node, _, _) in roots {
        tree.draw(node, &is_open, &mut drawn, &mut lines);
    }
    lines
}

impl<'a> Tree<'a> {
    fn new(rows: &'a [BlockedTask], is_shown: impl Fn(usize) -> bool) -> Self {
        let mut waiters: BTreeMap<Node, Vec<usize>> = BTreeMap::new();
        let mut waits = BTreeMap::new();
        for (at, row) in rows.iter().enumerate().filter(|(at, _)| is_shown(*at)) {
            waiters.entry(behind(row)).or_default().push(at);
            waits.entry(row.task.id).or_insert(at);
        }
        for rows_of in waiters.values_mut() {
            rows_of.sort_by_key(|at| std::cmp::Reverse(rows[*at].waited_ms));
        }
        let mut tree = Self { rows, waiters, waits, circle: BTreeSet::new() };
        tree.circle = tree.circles();
        tree
    }

    /// All tasks that come back to themselves when one goes from each to whom it waits for.
    fn circles(&self) -> BTreeSet<TaskId> {
        let mut circle = BTreeSet::new();
        let mut done = BTreeSet::new();
        for start in self.waits.keys() {
            let mut path: Vec<TaskId> = Vec::new();
            let mut on_path = BTreeSet::new();
            let mut next = Some(*start);
            while let Some(task) = next.filter(|task| !done.contains(task)) {
                if !on_path.insert(task) {
                    let first = path.iter().position(|other| *other == task).unwrap_or(0);
                    circle.extend(&path[first..]);
                    break;
                }
                path.push(task);
                next = self.waits.get(&task).and_then(|at| Some(self.rows[*at].behind.as_ref()?.id));
            }
            done.extend(path);
        }
        circle
    }

    /// Who waits for nobody and is waited for, and the least of each circle; with how many it holds up and for how long.
    fn roots(&self) -> Vec<(Node, usize, u64)> {
        let mut in_drawn_circle: BTreeSet<TaskId> = BTreeSet::new();
        let mut roots = Vec::new();
        for node in self.waiters.keys() {
            if let Node::Task(task) = node {
                let is_first_of_circle = self.circle.contains(task) && !in_drawn_circle.contains(task);
                if self.waits.contains_key(task) && !is_first_of_circle {
                    continue;
                }
            }
            let held_up = self.held_up(node);
            let longest = held_up.iter().map(|at| self.rows[*at].waited_ms).max().unwrap_or(0);
            if matches!(node, Node::Task(task) if self.circle.contains(task)) {
                in_drawn_circle.extend(held_up.iter().map(|at| self.rows[*at].task.id));
            }
            roots.push((node.clone(), held_up.len(), longest));
        }
        roots
    }

    /// The rows of all that a node holds up; of a circle, itself as well.
    fn held_up(&self, node: &Node) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut left: Vec<usize> = self.waiters.get(node).cloned().unwrap_or_default();
        while let Some(at) = left.pop() {
            if found.insert(at) {
                left.extend(self.waiters_of(at));
            }
        }
        found
    }

    fn waiters_of(&self, at: usize) -> &[usize] {
        self.waiters.get(&Node::Task(self.rows[at].task.id)).map_or(&[], Vec::as_slice)
    }

    /// Draws a root and all under it. A row that has been drawn, as the end of a circle has, is not drawn again.
    fn draw(
        &self,
        root: Node,
        is_open: &impl Fn(&str) -> bool,
        drawn: &mut BTreeSet<usize>,
        lines: &mut Vec<Branch>,
    ) {
        let own_row = match &root {
            Node::Task(task) => self.waits.get(task).copied(),
            Node::Thing(_) => None,
        };
        drawn.extend(own_row);
        lines.push(self.root_line(&root, own_row));
        let children = self.waiters.get(&root).cloned().unwrap_or_default();
        let mut left = self.folded(children, 1);
        while let Some((depth, rows)) = left.pop() {
            let rows: Vec<usize> = rows.into_iter().filter(|at| drawn.insert(*at)).collect();
            let Some(&first) = rows.first() else { continue };
            let each = if let [one] = rows.as_slice() {
                left.extend(self.folded(self.waiters_of(*one).to_vec(), depth + 1));
                Vec::new()
            } else {
                rows.clone()
            };
            let line = self.line(depth, rows, first);
            let is_open = is_open(&line.identity);
            lines.push(line);
            if is_open {
                lines.extend(each.into_iter().map(|at| self.line(depth + 1, vec![at], at)));
            }
        }
    }

    fn root_line(&self, root: &Node, own_row: Option<usize>) -> Branch {
        let holds_up = self.held_up(root).len();
        if let Some(at) = own_row {
            return self.line(0, vec![at], at);
        }
        let (task, name) = match root {
            Node::Task(id) => (
                Some(*id),
                self.name_of(root).map_or_else(String::new, |task| task.name.clone().into_owned()),
            ),
            Node::Thing(thing) => (None, thing.clone()),
        };
        let identity = task.map_or_else(|| name.clone(), |id| id.0.to_string());
        Branch {
            depth: 0,
            task,
            name: Untrusted::new(name),
            rows: Vec::new(),
            holds_up,
            circle: Circle::Out,
            identity,
        }
    }

    fn name_of(&self, root: &Node) -> Option<&TaskName> {
        let first = self.waiters.get(root)?.first()?;
        self.rows[*first].behind.as_ref()
    }

    fn line(&self, depth: usize, rows: Vec<usize>, first: usize) -> Branch {
        let row = &self.rows[first];
        let is_in = self.circle.contains(&row.task.id);
        let (name, identity) = match rows.len() {
            1 => (row.task.name.clone().into_owned(), row.task.id.0.to_string()),
            _ => (pattern(&row.task.name), folded_identity(row)),
        };
        Branch {
            depth,
            task: Some(row.task.id),
            name: Untrusted::new(name),
            holds_up: self.held_up(&Node::Task(row.task.id)).len(),
            rows,
            circle: if is_in { Circle::In } else { Circle::Out },
            identity,
        }
    }

    /// Rows under one node, the last to be drawn first; like ones that hold up nobody are one.
    fn folded(&self, children: Vec<usize>, depth: usize) -> Vec<(usize, Vec<usize>)> {
        let mut folded: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for at in children {
            let identity = folded_identity(&self.rows[at]);
            let is_leaf = self.waiters_of(at).is_empty();
            match places.get(&identity).filter(|_| is_leaf) {
                Some(place) => folded[*place].1.push(at),
                None => {
                    if is_leaf {
                        places.insert(identity, folded.len());
                    }
                    folded.push((depth, vec![at]));
                }
            }
        }
        folded.reverse();
        folded
    }
}

fn behind(row: &BlockedTask) -> Node {
    match &row.behind {
        Some(task) => Node::Task(task.id),
        None => {
            let on = row.wait.on.as_ref().map(|on| format!(" \"{on}\"")).unwrap_or_default();
            Node::Thing(format!("{}{on}", row.wait.kind.words()))
        }
    }
}

fn folded_identity(row: &BlockedTask) -> String {
    let behind = row.behind.as_ref().map(|task| task.id.0.to_string()).unwrap_or_default();
    format!("{} < {} < {}", behind, pattern(&row.task.name), wait_words(&row.wait, pattern))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{WaitKind, WaitReport};

    fn name(id: u64) -> TaskName {
        TaskName {
            id: TaskId(id),
            name: format!("task {id}").into(),
            site: "a.rs:1".to_owned(),
            torrent: None,
        }
    }

    /// Pairs of who waits and for whom; 0 is nobody known.
    fn drawn(pairs: &[(u64, u64)]) -> Vec<String> {
        let rows: Vec<_> = pairs
            .iter()
            .map(|&(id, behind)| BlockedTask {
                task: TaskName { name: format!("t{}", "x".repeat(id as usize)).into(), ..name(id) },
                waited_ms: 1000 * id,
                wait: WaitReport { kind: WaitKind::Lock, on: Some("l".into()), site: "b.rs:1".to_owned() },
                behind: (behind > 0).then(|| name(behind)),
            })
            .collect();
        let said = |branch: &Branch| {
            let circle = if branch.circle == Circle::In { " !" } else { "" };
            let who = branch.task.map_or_else(|| branch.name.shown(), |id| id.0.to_string());
            format!("{}{who} ({}){circle}", "-".repeat(branch.depth), branch.holds_up)
        };
        branches(&rows, |_| true, |_| false).iter().map(said).collect()
    }

    #[test]
    fn chains_stand_under_what_holds_them_up_and_the_longest_first() {
        let expected = [
            "9 (4)",
            "-1 (2)",
            "--3 (0)",
            "--2 (0)",
            "-4 (0)",
            "8 (1)",
            "-7 (0)",
            "lock \"l\" (1)",
            "-5 (0)",
        ];
        let mut lines = drawn(&[(1, 9), (2, 1), (3, 1), (4, 9), (7, 8), (5, 0)]);
        // The longest wait comes first among brothers.
        let four = lines.iter().position(|line| line == "-4 (0)").unwrap();
        assert_eq!(four, 1);
        let moved = lines.remove(four);
        lines.insert(4, moved);
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_circle_is_drawn_once_with_those_that_hang_on_it() {
        assert_eq!(
            drawn(&[(1, 2), (2, 3), (3, 1), (4, 2)]),
            ["1 (4) !", "-3 (4) !", "--2 (4) !", "---4 (0)"]
        );
        assert_eq!(drawn(&[(1, 1)]), ["1 (1) !"], "a task that waits for itself");
    }

    #[test]
    fn a_long_chain_does_not_fill_the_stack() {
        let chain: Vec<_> = (1..50).map(|id| (id, id + 1)).collect();
        let lines = drawn(&chain);
        assert_eq!(lines.len(), 50);
        assert_eq!(lines[0], "50 (49)");
    }

    #[test]
    fn like_ones_that_hold_up_nobody_are_one_line() {
        let rows: Vec<_> = (1..=500)
            .map(|id| BlockedTask {
                task: name(id),
                waited_ms: id,
                wait: WaitReport { kind: WaitKind::Lock, on: Some("l".into()), site: "b.rs:1".to_owned() },
                behind: Some(name(999)),
            })
            .collect();
        let lines = branches(&rows, |_| true, |_| false);
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[1].rows.len(), lines[1].name.shown().as_str()), (500, "task *"));
        let identity = lines[1].identity.clone();
        assert_eq!(branches(&rows, |_| true, |open| open == identity).len(), 502);
    }
}
