//! What a program tells of its own tasks, locks and queues: plain values for dumps and screens.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A task or thread in the life of the process; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub u64);

/// What runs a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Polled by the runtime.
    Task,
    /// A closure on the runtime's pool for blocking calls.
    Blocking,
    /// A thread of its own.
    Thread,
}

/// How a task stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Waits for something, or for its turn.
    Waiting,
    /// Is being polled, or is a closure that runs.
    Running,
    /// Ended by itself.
    Finished,
    /// Ended by a panic with this text.
    Panicked(String),
    /// Was dropped before it ended.
    Aborted,
}

/// One task or thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReport {
    /// Its identity.
    pub id: TaskId,
    /// Its name.
    pub name: Cow<'static, str>,
    /// What runs it.
    pub kind: TaskKind,
    /// File and line that started it.
    pub site: String,
    /// The task that started it.
    pub parent: Option<TaskId>,
    /// Milliseconds since it was started.
    pub age_ms: u64,
    /// How often it was polled.
    pub polls: u64,
    /// Microseconds spent in polls that have ended.
    pub busy_us: u64,
    /// How it stands.
    pub state: TaskState,
}

/// One lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockReport {
    /// Its name.
    pub name: Cow<'static, str>,
    /// File and line that made it.
    pub site: String,
    /// Whether it is held now.
    pub held: bool,
    /// The task that holds it; `None` where nobody does or a thread does that was not started here.
    pub holder: Option<TaskId>,
    /// How often it was taken.
    pub acquisitions: u64,
    /// How often a taker had to wait.
    pub contended: u64,
}

/// Who takes from a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueKind {
    /// One task.
    Channel,
    /// A pool of threads.
    WorkQueue,
}

/// One queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueReport {
    /// Its name.
    pub name: Cow<'static, str>,
    /// File and line that made it.
    pub site: String,
    /// Who takes from it.
    pub kind: QueueKind,
    /// Items in it now.
    pub depth: u64,
    /// Items it can hold.
    pub capacity: u64,
    /// Items ever put in.
    pub sends: u64,
    /// How often a sender found it full.
    pub full: u64,
    /// The most items it ever held.
    pub high_water: u64,
}
