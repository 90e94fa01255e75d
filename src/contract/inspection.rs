//! What a program tells of its own tasks, locks and queues: plain values for dumps and screens.

use std::borrow::Cow;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::units::TorrentId;

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
    /// Waits for something.
    Waiting,
    /// Was woken, and waits for a thread to poll it.
    Ready,
    /// Is being polled, or is a closure that runs.
    Running,
    /// Ended by itself.
    Finished,
    /// Ended by a panic with this text.
    Panicked(String),
    /// Was dropped before it ended.
    Aborted,
}

/// What kind of thing a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitKind {
    /// A lock.
    Lock,
    /// Room in a queue.
    QueueSend,
    /// Something to come out of a queue.
    QueueReceive,
    /// A permit of a semaphore.
    Semaphore,
    /// One answer to one question.
    Reply,
    /// Another value of something that is watched.
    Watch,
    /// Bytes to come from a socket, or somebody to call.
    SocketRead,
    /// Room in a socket, or a connection to come up.
    SocketWrite,
    /// A point in time.
    Timer,
    /// The end of a task.
    Child,
    /// A signal of the system.
    Signal,
    /// A key, or something else that the terminal says.
    Terminal,
}

impl WaitKind {
    /// It in words, to follow "waits for".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::QueueSend => "room in queue",
            Self::QueueReceive => "queue",
            Self::Semaphore => "permit of",
            Self::Reply => "answer",
            Self::Watch => "change of",
            Self::SocketRead => "socket read",
            Self::SocketWrite => "socket write",
            Self::Timer => "timer",
            Self::Child => "end of task",
            Self::Signal => "signal",
            Self::Terminal => "terminal",
        }
    }
}

/// One thing that a task waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitReport {
    /// What kind of thing.
    pub kind: WaitKind,
    /// Its name, where it has one.
    pub on: Option<Cow<'static, str>>,
    /// File and line that wait; of an answer or the end of a task, those that made it.
    pub site: String,
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
    /// The torrent it works for; `None`: for the whole program.
    pub torrent: Option<TorrentId>,
    /// The peer it works for, where it is one.
    pub peer: Option<SocketAddr>,
    /// Milliseconds since it was started.
    pub age_ms: u64,
    /// How often it was polled.
    pub polls: u64,
    /// Microseconds spent in polls that have ended. Every poll is timed while somebody looks, else one in some, which
    /// stands for the others.
    pub busy_us: u64,
    /// Microseconds from being woken to being polled, timed as `busy_us` is.
    pub ready_us: u64,
    /// Microseconds of the longest poll that was timed.
    pub longest_poll_us: u64,
    /// How often it was woken.
    pub wakes: u64,
    /// Milliseconds since the poll that is running began; `None`: none is.
    pub poll_ms: Option<u64>,
    /// How it stands.
    pub state: TaskState,
    /// What it waits for: any of these makes it go on.
    pub waits: Vec<WaitReport>,
    /// Milliseconds since it last ran; only while it waits.
    pub waited_ms: Option<u64>,
    /// The named async frames that it waits in, the innermost first.
    pub frames: Vec<FrameReport>,
}

/// A named part of a task's future.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameReport {
    /// What it does.
    pub name: Cow<'static, str>,
    /// File and line that awaits it.
    pub site: String,
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
    /// Milliseconds that the watchdog has seen it held by one taking; `None` where it has not, or nobody holds it.
    pub held_ms: Option<u64>,
    /// File and line that took it, while it is held.
    pub holder_site: Option<String>,
    /// The tasks that wait for it, longest first, as far as looks at them can tell: from the end of each one's last poll.
    pub waiters: Vec<WaitingTask>,
    /// How often it was taken.
    pub acquisitions: u64,
    /// How often a taker had to wait.
    pub contended: u64,
    /// Microseconds of the longest holding that has ended.
    pub longest_hold_us: u64,
    /// Microseconds of the longest wait for it that has ended.
    pub longest_wait_us: u64,
}

/// A task that waits for a lock, a permit, or room in a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingTask {
    /// The task.
    pub task: TaskId,
    /// File and line that wait.
    pub site: String,
    /// Since when, in milliseconds.
    pub waited_ms: u64,
}

/// One semaphore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SemaphoreReport {
    /// Its name.
    pub name: Cow<'static, str>,
    /// File and line that made it.
    pub site: String,
    /// Permits there are.
    pub permits: u64,
    /// Permits that are out.
    pub taken: u64,
    /// How often one was taken.
    pub acquisitions: u64,
    /// How often a taker found none.
    pub contended: u64,
    /// The tasks that wait for a permit, longest first, as far as looks at them can tell: from the end of each one's last poll.
    pub waiters: Vec<WaitingTask>,
    /// Microseconds of the longest holding of a permit that has ended, of one in some.
    pub longest_hold_us: u64,
    /// Microseconds of the longest wait for one that has ended.
    pub longest_wait_us: u64,
}

/// One owner: a loop that alone has the state of a torrent, the budget, the store or the screen, and serves a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerReport {
    /// The task that runs it.
    pub task: TaskName,
    /// Items that wait in its queue.
    pub depth: u64,
    /// Milliseconds that the oldest of them has waited at least.
    pub oldest_ms: Option<u64>,
    /// Turns it has made.
    pub turns: u64,
    /// Milliseconds since the turn that is running began; `None`: none is.
    pub turn_ms: Option<u64>,
    /// Microseconds of the longest turn.
    pub longest_turn_us: u64,
    /// What took longest in it.
    pub longest_turn_input: Cow<'static, str>,
    /// Microseconds that it has been late for its own deadlines at most.
    pub latest_us: u64,
}

/// Who takes from a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueKind {
    /// One task.
    Channel,
    /// A pool of threads.
    WorkQueue,
    /// Nobody any more: the end that took from it is gone, and what was in it with it.
    Nobody,
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
    /// Milliseconds that the watchdog has seen it full and not served; `None` where it has not.
    pub full_ms: Option<u64>,
    /// Milliseconds that its oldest item has waited at least, to a look of the watchdog; `None`: it is empty.
    pub oldest_ms: Option<u64>,
    /// The task that takes from it, as it was last seen.
    pub receiver: Option<TaskId>,
    /// The tasks that wait for room in it, longest first, as far as looks at them can tell: from the end of each one's last poll.
    pub senders: Vec<WaitingTask>,
}

/// A task or thread, as a report about something else names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskName {
    /// Its identity.
    pub id: TaskId,
    /// Its name.
    pub name: Cow<'static, str>,
    /// File and line that started it.
    pub site: String,
    /// The torrent it works for; `None`: for the whole program.
    pub torrent: Option<TorrentId>,
}

/// A task that another one has to let go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedTask {
    /// Which one.
    pub task: TaskName,
    /// Since when, in milliseconds.
    pub waited_ms: u64,
    /// What it waits for.
    pub wait: WaitReport,
    /// Whom it takes: the holder of the lock, who takes from the queue, the child. `None` where that is not known.
    pub behind: Option<TaskName>,
}

/// Something that has not gone on for longer than it may, and what is held up by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stuck {
    /// What.
    #[serde(flatten)]
    pub what: StuckThing,
    /// Since when, in milliseconds of the Unix epoch.
    pub since_unix_ms: u64,
    /// For how long, in milliseconds.
    pub lasted_ms: u64,
}

/// What has not gone on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum StuckThing {
    /// A task has not come back from one poll: the thread that polls it serves no other task.
    Poll {
        /// The task.
        task: TaskName,
        /// The lock that it waits for.
        waits_for: Option<Cow<'static, str>>,
    },
    /// A lock has not been given back.
    Hold {
        /// The lock's name.
        lock: Cow<'static, str>,
        /// File and line that made the lock.
        site: String,
        /// File and line that took it.
        taken_at: Option<String>,
        /// Who holds it; `None`: a thread that was not started by `inspect`.
        holder: Option<TaskName>,
        /// Who waits for it.
        waiters: Vec<TaskName>,
    },
    /// A task waits for a queue in which there is something, and nobody has woken it: a lost wake-up.
    Forgotten {
        /// The task.
        task: TaskName,
        /// The queue's name.
        queue: Cow<'static, str>,
        /// File and line that made the queue.
        site: String,
        /// Items in it.
        items: u64,
    },
    /// Tasks wait for each other in a circle: none of them will ever go on.
    Deadlock {
        /// Each waits for the next one, the last for the first.
        chain: Vec<BlockedTask>,
    },
    /// An owner does not serve its queue, though it may take from others or wait for something else.
    Late {
        /// The task of the owner.
        task: TaskName,
        /// The queue's name.
        queue: Cow<'static, str>,
        /// Items in it.
        items: u64,
    },
    /// A queue is full, has turned a sender away, and nobody takes from it.
    Full {
        /// The queue's name.
        queue: Cow<'static, str>,
        /// File and line that made the queue.
        site: String,
        /// Items it can hold.
        capacity: u64,
    },
}

impl Stuck {
    /// The torrent that is held up, where it is one.
    pub fn torrent(&self) -> Option<TorrentId> {
        match &self.what {
            StuckThing::Poll { task, .. }
            | StuckThing::Forgotten { task, .. }
            | StuckThing::Late { task, .. } => task.torrent,
            StuckThing::Hold { holder, .. } => holder.as_ref()?.torrent,
            StuckThing::Deadlock { chain } => chain.iter().find_map(|step| step.task.torrent),
            StuckThing::Full { .. } => None,
        }
    }
}

/// What a dump is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DumpKind {
    /// Tasks and threads.
    Tasks,
    /// Locks.
    Locks,
    /// Queues.
    Queues,
    /// Semaphores.
    Semaphores,
    /// Owners.
    Owners,
    /// Who waits for whom.
    Waits,
}

/// A look at a running program from within.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dump {
    /// Everything that is stuck, whatever the dump is of.
    pub stuck: Vec<Stuck>,
    /// What was asked for.
    #[serde(flatten)]
    pub rows: DumpRows,
}

/// The rows of a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DumpRows {
    /// Those that run, oldest first, then the last ones that ended.
    Tasks(Vec<TaskReport>),
    /// Oldest first.
    Locks(Vec<LockReport>),
    /// Oldest first.
    Queues(Vec<QueueReport>),
    /// Oldest first.
    Semaphores(Vec<SemaphoreReport>),
    /// Oldest first.
    Owners(Vec<OwnerReport>),
    /// Tasks that wait for others; those whom nobody waits for first.
    Waits(Vec<BlockedTask>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Answer, Event, EventKind};
    use crate::units::Time;

    fn stuck() -> Stuck {
        let task = TaskName {
            id: TaskId(5),
            name: "a".into(),
            site: "b:1".into(),
            torrent: Some(TorrentId([1; 20])),
        };
        let what = StuckThing::Poll { task, waits_for: Some("c".into()) };
        Stuck { what, since_unix_ms: 6, lasted_ms: 7 }
    }

    #[test]
    fn what_is_told_and_dumped_survives_the_socket() {
        let event = Event { at: Time::ZERO, torrent: None, kind: EventKind::Stuck(stuck()) };
        let text = serde_json::to_string(&event).unwrap();
        assert!(text.contains(r#""event":"stuck","what":"poll","task":{"id":5"#), "{text}");
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        let dump = Dump { stuck: vec![stuck()], rows: DumpRows::Locks(Vec::new()) };
        let text = serde_json::to_string(&Answer::Dump(Box::new(dump.clone()))).unwrap();
        assert!(text.ends_with(r#""locks":[]}}"#), "{text}");
        let Answer::Dump(read) = serde_json::from_str(&text).unwrap() else { panic!("{text}") };
        assert_eq!(*read, dump);
    }
}
