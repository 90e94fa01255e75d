//! What differs between a look that was kept and the one that is shown: groups that came, went or have more or fewer
//! members, and what was done meanwhile by those that are in both.

use std::collections::{BTreeMap, BTreeSet};

use super::groups::{self, Group, Kind, Naming};
use crate::contract::{DumpRows, Untrusted};

/// A group that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// How.
    pub mark: Mark,
    /// What its members have in common.
    pub kind: Kind,
    /// How many there were.
    pub was: usize,
    /// How many there are.
    pub is: usize,
    /// By how much its longest time differs, in milliseconds; `None` where one of the looks has none.
    pub longer_ms: Option<i64>,
    /// What its members have done since the kept look, or since they began.
    pub numbers: Vec<(&'static str, i64)>,
    /// Members that came into it, or left it.
    pub members: Vec<(Mark, Untrusted)>,
}

/// How something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// It was not there.
    New,
    /// It is not there any more.
    Gone,
    /// Something about it is another.
    Changed,
}

/// All groups that differ: new ones first, then those that are gone, then the others, the largest change first.
pub(super) fn changes(
    base: &DumpRows,
    now: &DumpRows,
    is_shown: impl Fn(&DumpRows, usize) -> bool,
) -> Vec<Change> {
    let (base, now) = (Side::of(base, &is_shown), Side::of(now, &is_shown));
    let kinds: BTreeSet<&Kind> = base.groups.keys().chain(now.groups.keys()).collect();
    let mut changes: Vec<Change> = kinds.into_iter().filter_map(|kind| change(kind, &base, &now)).collect();
    changes.sort_by_key(|change| {
        let done: u64 = change.numbers.iter().map(|(_, number)| number.unsigned_abs()).sum();
        (change.mark, std::cmp::Reverse((change.is.abs_diff(change.was), done)))
    });
    changes
}

/// One of the two looks.
struct Side<'a> {
    rows: &'a DumpRows,
    groups: BTreeMap<Kind, Group>,
    identities: Vec<String>,
    /// Where each row is.
    places: BTreeMap<String, usize>,
}

impl<'a> Side<'a> {
    fn of(rows: &'a DumpRows, is_shown: &impl Fn(&DumpRows, usize) -> bool) -> Self {
        let groups = groups::groups_of(rows, |at| is_shown(rows, at));
        let identities = groups::identities(rows);
        Self {
            rows,
            groups: groups.into_iter().map(|group| (group.kind.clone(), group)).collect(),
            places: identities.iter().cloned().zip(0..).collect(),
            identities,
        }
    }

    fn numbers(&self, at: usize) -> Vec<(&'static str, u64)> {
        groups::row(self.rows, at, AS_IT_IS).map_or_else(Vec::new, |row| row.numbers)
    }

    /// The members of a group by their identity.
    fn members(&self, kind: &Kind) -> BTreeSet<&str> {
        let members = self.groups.get(kind).map_or(&[][..], |group| &group.members);
        members.iter().map(|at| self.identities[*at].as_str()).collect()
    }

    fn name(&self, identity: &str) -> Option<Untrusted> {
        Some(groups::row(self.rows, *self.places.get(identity)?, AS_IT_IS)?.kind.name)
    }
}

const AS_IT_IS: Naming = str::to_owned;

fn change(kind: &Kind, base: &Side<'_>, now: &Side<'_>) -> Option<Change> {
    let (before, after) = (base.members(kind), now.members(kind));
    let mark = match (before.is_empty(), after.is_empty()) {
        (true, _) => Mark::New,
        (false, true) => Mark::Gone,
        (false, false) => Mark::Changed,
    };
    let came = after.difference(&before).filter_map(|id| Some((Mark::New, now.name(id)?)));
    let left = before.difference(&after).filter_map(|id| Some((Mark::Gone, base.name(id)?)));
    let members: Vec<_> = came.chain(left).collect();
    let numbers = done(&after, base, now);
    let longest = |side: &Side<'_>| side.groups.get(kind).and_then(|group| group.longest_ms);
    let longer_ms = match (longest(base), longest(now)) {
        (Some(was), Some(is)) => Some(signed(is).saturating_sub(signed(was))),
        (None, _) | (_, None) => None,
    };
    let differs = !members.is_empty() || numbers.iter().any(|(_, number)| *number != 0);
    (mark != Mark::Changed || differs).then(|| Change {
        mark,
        kind: kind.clone(),
        was: before.len(),
        is: after.len(),
        longer_ms,
        numbers,
        members,
    })
}

/// What those that are there now have done since the base: what is new has done all of it.
fn done(members: &BTreeSet<&str>, base: &Side<'_>, now: &Side<'_>) -> Vec<(&'static str, i64)> {
    let mut sums: Vec<(&'static str, i64)> = Vec::new();
    for identity in members {
        let numbers = now.numbers(now.places[*identity]);
        let before = base.places.get(*identity).map(|at| base.numbers(*at)).unwrap_or_default();
        for (at, (word, number)) in numbers.into_iter().enumerate() {
            let was = before.get(at).map_or(0, |(_, number)| *number);
            let done = signed(number).saturating_sub(signed(was));
            match sums.get_mut(at) {
                Some((_, sum)) if groups::is_most(word) => *sum = (*sum).max(done),
                Some((_, sum)) => *sum = sum.saturating_add(done),
                None => sums.push((word, done)),
            }
        }
    }
    sums
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{QueueKind, QueueReport};

    fn queues(depths: &[(&'static str, u64, u64)]) -> DumpRows {
        DumpRows::Queues(
            depths
                .iter()
                .map(|&(name, depth, sends)| QueueReport {
                    name: name.into(),
                    site: "a.rs:1".to_owned(),
                    kind: QueueKind::Channel,
                    depth,
                    capacity: 8,
                    sends,
                    full: 0,
                    high_water: 8,
                    full_ms: None,
                    oldest_ms: None,
                    receiver: None,
                    senders: Vec::new(),
                })
                .collect(),
        )
    }

    #[test]
    fn what_came_what_went_and_what_was_done_are_told_and_what_stands_still_is_not() {
        let base = queues(&[("in 1", 1, 10), ("in 2", 1, 10), ("out", 2, 5), ("still", 1, 7)]);
        let now = queues(&[("in 1", 1, 15), ("in 2", 8, 30), ("new", 1, 3), ("still", 1, 7)]);
        let changes = changes(&base, &now, |_, _| true);
        let said: Vec<_> = changes
            .iter()
            .map(|change| {
                let sent = change.numbers.iter().find(|(word, _)| *word == "sent").map(|(_, number)| *number);
                let kind = &change.kind;
                (change.mark, kind.name.shown(), kind.state.clone(), change.was, change.is, sent)
            })
            .collect();
        let text = str::to_owned;
        assert_eq!(
            said,
            [
                (Mark::New, text("in *"), text("full"), 0, 1, Some(20)),
                (Mark::New, text("new"), text("filled"), 0, 1, Some(3)),
                (Mark::Gone, text("out"), text("filled"), 1, 0, None),
                (Mark::Changed, text("in *"), text("filled"), 2, 1, Some(5)),
            ]
        );
        assert_eq!(changes[3].members, [(Mark::Gone, Untrusted::new("in 2"))]);
    }
}
