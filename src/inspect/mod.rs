//! The only door to tasks, threads, locks, semaphores, queues and watches.
//!
//! Whatever is made here is registered with its name, the line that made it and a few counters, so that a running
//! program can say what it is doing ([`tasks`], [`locks`], [`queues`], [`semaphores`]) and what does not go on
//! ([`stuck`], [`watch_over`]). Registering happens when a thing is made and when it goes; in between it costs atomic counters only. The registry's own locks are held for a
//! map operation and never over code of a caller. A panic in a task or thread is caught, kept and told to
//! [`subscribe_panics`]. Everything above `contract` goes through here; a test refuses the bare calls elsewhere.

mod channel;
mod counters;
mod entry;
mod frame;
mod graph;
mod lock;
mod mark;
mod noting;
mod owner;
mod registry;
mod reply;
mod report;
mod semaphore;
mod task;
mod time;
mod waits;
mod watch;
mod watchdog;
mod work_queue;

pub use crate::contract::{
    LockReport, QueueKind, QueueReport, SemaphoreReport, TaskId, TaskKind, TaskReport, TaskState, WaitKind,
};
pub use channel::{Receiver, SendError, Sender, TryRecvError, TrySendError, channel};
pub use entry::Subject;
pub use frame::frame;
pub use lock::{Lock, LockGuard};
pub use noting::{Noting, is_noting, set_noting};
pub use owner::Owner;
pub use registry::{locks, owners, queues, semaphores, subscribe_panics, tasks};
pub use reply::{NoReply, ReplyReceiver, ReplySender, reply};
pub use report::TaskPanic;
pub use semaphore::{Permit, Semaphore};
pub use task::{
    TaskEnded, TaskHandle, ThreadHandle, aside, blocking, give_way, in_place, spawn, spawn_blocking,
    spawn_for, spawn_thread,
};
pub use time::{sleep, sleep_until, timeout, timeout_at};
pub use waits::{reading, ticking, writing};
pub use watch::{WatchClosed, WatchReceiver, WatchSender, watch};
pub use watchdog::{Bounds, Told, Watchdog, dump, stuck, watch_over};
pub use work_queue::{PushError, WorkQueue, work_queue};
