//! Who waits for whom: from each task that cannot go on by itself to the tasks that it takes.
//!
//! A lock is given back by its holder, room in a queue is made by whoever takes from it, and a child ends by itself. Who
//! will answer, send or give back a permit is not known, so such a wait ends a chain, and never makes a deadlock of what
//! is none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::entry::TaskEntry;
use super::mark::millis_since;
use super::registry::{LOCKS, QUEUES, task_name, tasks_where, wait_report};
use super::waits::Wait;
use crate::contract::{BlockedTask, TaskId, WaitKind};

/// The waits of all tasks at one look.
#[derive(Debug)]
pub(super) struct Graph {
    nodes: BTreeMap<TaskId, Node>,
}

/// A task that waits.
#[derive(Debug)]
struct Node {
    task: Arc<TaskEntry>,
    waits: Vec<(Wait, Option<TaskId>)>,
    /// The mark since which it waits.
    since: u64,
}

/// Tasks that wait for each other in a circle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cycle {
    /// In the order in which each waits for the next, the last for the first; the one with the least number first.
    pub(super) tasks: Vec<TaskId>,
    /// The mark since which all of them do.
    pub(super) since: u64,
}

impl Graph {
    pub(super) fn look() -> Self {
        // Whoever waits for a lock blocks its thread in the middle of a poll.
        let mut at_locks: BTreeMap<TaskId, (Wait, u64)> = BTreeMap::new();
        for lock in LOCKS.alive() {
            for waiter in lock.waiters() {
                at_locks.insert(waiter.task, (Wait::new(WaitKind::Lock, lock.id, waiter.site), waiter.since));
            }
        }
        let node = |task: Arc<TaskEntry>| {
            let (waits, since) = match at_locks.remove(&task.id) {
                Some((wait, since)) => (vec![wait], since),
                None => (task.waits(), task.waits_since()?),
            };
            let waits: Vec<_> = waits.into_iter().map(|wait| (wait, behind(&wait))).collect();
            (!waits.is_empty()).then(|| (task.id, Node { task, waits, since }))
        };
        Self { nodes: tasks_where(|_| true).into_iter().filter_map(node).collect() }
    }

    /// Every task that waits for another one, with what it waits for; those whom nobody waits for first.
    pub(super) fn blocked(&self) -> Vec<BlockedTask> {
        let behind_another = |node: &&Node| node.waits.iter().any(|(_, behind)| behind.is_some());
        let waited_for: BTreeSet<TaskId> = self
            .nodes
            .values()
            .flat_map(|node| node.waits.iter().filter_map(|(_, behind)| *behind))
            .collect();
        let mut blocked: Vec<&Node> = self.nodes.values().filter(behind_another).collect();
        blocked.sort_by_key(|node| (waited_for.contains(&node.task.id), node.since, node.task.id));
        blocked.into_iter().map(|node| self.blocked_task(node)).collect()
    }

    /// All circles. Only of tasks that nothing else can wake: each of whose waits is for another one of them.
    pub(super) fn cycles(&self) -> Vec<Cycle> {
        let mut stuck: BTreeSet<TaskId> = self.nodes.keys().copied().collect();
        loop {
            let before = stuck.len();
            let kept = |id: &TaskId| {
                let mut waits = self.nodes[id].waits.iter();
                waits.all(|(_, behind)| behind.is_some_and(|behind| stuck.contains(&behind)))
            };
            let next: BTreeSet<TaskId> = stuck.iter().copied().filter(kept).collect();
            stuck = next;
            if stuck.len() == before {
                break;
            }
        }
        let mut cycles = Vec::new();
        let mut seen = BTreeSet::new();
        for start in &stuck {
            if let Some(cycle) = self.cycle_from(*start, &mut seen) {
                cycles.push(cycle);
            }
        }
        cycles
    }

    /// The circle that a chain of waits ends in, unless it was found before.
    fn cycle_from(&self, start: TaskId, seen: &mut BTreeSet<TaskId>) -> Option<Cycle> {
        let mut chain: Vec<TaskId> = Vec::new();
        let mut task = start;
        while seen.insert(task) {
            chain.push(task);
            task = self.nodes.get(&task)?.waits.first()?.1?;
        }
        let at = chain.iter().position(|of_chain| *of_chain == task)?;
        let mut tasks = chain.split_off(at);
        let least = tasks.iter().enumerate().min_by_key(|(_, task)| **task).map_or(0, |(at, _)| at);
        tasks.rotate_left(least);
        let since = tasks.iter().map(|task| self.nodes[task].since).max()?;
        Some(Cycle { tasks, since })
    }

    /// The tasks of a circle with what each waits for.
    pub(super) fn chain(&self, cycle: &Cycle) -> Vec<BlockedTask> {
        cycle
            .tasks
            .iter()
            .filter_map(|task| self.nodes.get(task))
            .map(|node| self.blocked_task(node))
            .collect()
    }

    fn blocked_task(&self, node: &Node) -> BlockedTask {
        let wait = node.waits.iter().find(|(_, behind)| behind.is_some()).or(node.waits.first());
        let (wait, behind) = wait.expect("a node has a wait");
        let behind = behind.and_then(|behind| {
            let known = self.nodes.get(&behind).map(|node| node.task.named());
            known.or_else(|| task_name(behind))
        });
        BlockedTask {
            task: node.task.named(),
            waited_ms: millis_since(node.since),
            wait: wait_report(wait),
            behind,
        }
    }
}

/// Whom it takes to end a wait.
fn behind(wait: &Wait) -> Option<TaskId> {
    match wait.kind {
        WaitKind::QueueSend => QUEUES.get(wait.id())?.receiver(),
        WaitKind::Child => Some(TaskId(wait.id())),
        WaitKind::Lock => LOCKS.get(wait.id())?.holder(),
        WaitKind::QueueReceive
        | WaitKind::Semaphore
        | WaitKind::Reply
        | WaitKind::Watch
        | WaitKind::SocketRead
        | WaitKind::SocketWrite
        | WaitKind::Timer
        | WaitKind::Signal
        | WaitKind::Terminal => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::{Lock, channel, spawn, spawn_thread};
    use super::*;

    fn chain_of<'a>(blocked: &'a [BlockedTask], name: &str) -> &'a BlockedTask {
        blocked.iter().find(|blocked| blocked.task.name == name).expect("it waits for another")
    }

    #[tokio::test]
    async fn a_task_is_behind_its_child_and_one_that_sends_behind_the_one_that_takes() {
        let (sender, mut receiver) = channel("graph: full", 1);
        sender.try_send(1).unwrap();
        let (go, mut gone) = channel::<()>("graph: go", 1);
        let taker = spawn("graph: taker", async move {
            let _ = receiver.recv().await;
            gone.recv().await;
            while receiver.recv().await.is_some() {}
        });
        tokio::task::yield_now().await;
        sender.try_send(2).unwrap();
        let parent = spawn("graph: parent", async move {
            let child = spawn("graph: child", async move { sender.send(3).await });
            child.await.unwrap().unwrap();
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        let graph = Graph::look();
        let blocked = graph.blocked();
        let of_parent = chain_of(&blocked, "graph: parent");
        assert_eq!(of_parent.behind.as_ref().unwrap().name, "graph: child");
        let of_child = chain_of(&blocked, "graph: child");
        assert_eq!(of_child.wait.kind, WaitKind::QueueSend);
        assert_eq!(of_child.wait.on.as_deref(), Some("graph: full"));
        assert!(of_child.wait.site.starts_with("src/inspect/graph.rs:"), "{}", of_child.wait.site);
        assert_eq!(of_child.behind.as_ref().unwrap().id, taker.id());
        assert!(
            !graph.cycles().iter().any(|cycle| cycle.tasks.contains(&taker.id())),
            "the taker can be told to go"
        );
        go.send(()).await.unwrap();
        parent.await.unwrap();
        taker.await.unwrap();
    }

    #[test]
    fn a_lock_and_a_queue_that_wait_for_each_other_are_a_circle() {
        let lock = Arc::new(Lock::new("graph: lock of the circle", ()));
        let (sender, mut receiver) = channel("graph: queue of the circle", 1);
        sender.try_send(0).unwrap();
        let held = Arc::clone(&lock);
        let (have, has_it) = std::sync::mpsc::channel();
        let (took, is_taken) = std::sync::mpsc::channel();
        // They wait for each other until the process ends.
        let one = spawn_thread("graph: has the lock and sends", move || {
            let _held = held.lock();
            have.send(()).unwrap();
            is_taken.recv().unwrap();
            while sender.send_blocking(1).is_ok() {}
        })
        .unwrap();
        let other = spawn_thread("graph: takes, and wants the lock", move || {
            has_it.recv().unwrap();
            receiver.recv_blocking().unwrap();
            took.send(()).unwrap();
            drop(lock.lock());
            receiver.recv_blocking()
        })
        .unwrap();
        let ids = BTreeSet::from([one.id(), other.id()]);
        let until = Instant::now() + Duration::from_secs(10);
        let (graph, cycle) = loop {
            let graph = Graph::look();
            let cycle =
                graph.cycles().into_iter().find(|cycle| cycle.tasks.iter().all(|id| ids.contains(id)));
            match cycle {
                Some(cycle) => break (graph, cycle),
                None => assert!(Instant::now() < until, "{:?}", graph.blocked()),
            }
        };
        let chain = graph.chain(&cycle);
        let kinds: Vec<_> = chain.iter().map(|step| (step.task.id, step.wait.kind)).collect();
        let mut due = vec![(one.id(), WaitKind::QueueSend), (other.id(), WaitKind::Lock)];
        due.sort_by_key(|(id, _)| *id);
        assert_eq!(kinds, due);
        assert!(
            chain
                .iter()
                .all(|step| step.behind.is_some() && step.wait.site.starts_with("src/inspect/graph.rs:"))
        );
    }
}
