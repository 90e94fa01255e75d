//! Tasks and threads with a name, whose panics are values.

use std::any::Any;
use std::borrow::Cow;
use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_util::task::{ArcWake, waker_ref};
use pin_project_lite::pin_project;

use super::entry::{Subject, TaskEntry};
use super::noting::is_noting;
use super::registry::panic_text;
use super::waits::{Said, Wait};
use crate::contract::{TaskId, TaskKind, TaskState, WaitKind};

/// Why a task gave no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskEnded {
    /// It panicked with this text: a bug of ours.
    #[error("it panicked: {0}")]
    Panicked(String),
    /// It was stopped from outside, or the runtime ended.
    #[error("it was stopped")]
    Aborted,
}

/// What a task gives inside of the runtime, which keeps room for it beside the future: a panic takes a pointer of it.
type Given<T> = Result<T, Box<TaskEnded>>;

/// A running task. Await it for its value; dropping it lets the task run on.
#[derive(Debug)]
#[must_use = "a dropped handle lets the task run on unwatched; call `detach` to say so"]
pub struct TaskHandle<T> {
    id: TaskId,
    site: &'static Location<'static>,
    said: Said,
    join: tokio::task::JoinHandle<Given<T>>,
}

impl<T> TaskHandle<T> {
    /// Its identity in the reports.
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// Stops it at its next wait. A closure on the blocking pool that has begun runs to its end.
    pub fn abort(&self) {
        self.join.abort();
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.join.is_finished()
    }

    /// Lets it run on; its end is seen in the reports only.
    pub fn detach(self) {}
}

impl<T> Future for TaskHandle<T> {
    type Output = Result<T, TaskEnded>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = Pin::new(&mut self.join).poll(context);
        if polled.is_pending() {
            self.said.say(Wait::new(WaitKind::Child, self.id.0, self.site));
        }
        polled.map(|joined| match joined {
            Ok(given) => given.map_err(|ended| *ended),
            Err(error) => match error.try_into_panic() {
                Ok(payload) => Err(TaskEnded::Panicked(panic_text(payload.as_ref()))),
                Err(_) => Err(TaskEnded::Aborted),
            },
        })
    }
}

/// Starts a task on the runtime. Its name says whose it is and what it does: `peer 10.0.0.7:51413 of debian.iso: read`.
/// It works for the torrent, if any, that the task works for which starts it.
#[track_caller]
pub fn spawn<F>(name: impl Into<Cow<'static, str>>, future: F) -> TaskHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    start(TaskEntry::register(name.into(), Location::caller(), TaskKind::Task, Subject::default()), future)
}

/// As [`spawn`], for a task that works for this torrent, as will those that it starts, or for this peer of the torrent.
#[track_caller]
pub fn spawn_for<F>(
    subject: impl Into<Subject>,
    name: impl Into<Cow<'static, str>>,
    future: F,
) -> TaskHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    start(TaskEntry::register(name.into(), Location::caller(), TaskKind::Task, subject.into()), future)
}

fn start<F>(entry: Arc<TaskEntry>, future: F) -> TaskHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (id, site) = (entry.id, entry.site());
    let tracked = Tracked { guard: EndGuard(entry), waker: None, future };
    TaskHandle { id, site, said: Said::default(), join: tokio::spawn(tracked) }
}

/// Runs a future where it is awaited, and registers it as a task: for what stays on the thread that it was started on. A
/// panic goes on from here, once it has been noted.
#[track_caller]
pub fn in_place<F: Future>(name: impl Into<Cow<'static, str>>, future: F) -> impl Future<Output = F::Output> {
    let entry = TaskEntry::register(name.into(), Location::caller(), TaskKind::Task, Subject::default());
    let tracked = Tracked { guard: EndGuard(entry), waker: None, future };
    async move {
        match tracked.await.map_err(|ended| *ended) {
            Ok(value) => value,
            Err(TaskEnded::Panicked(text)) => resume_unwind(Box::new(text)),
            Err(TaskEnded::Aborted) => unreachable!("only the handle of a spawned task tells of that"),
        }
    }
}

/// Runs a closure that blocks on the runtime's pool. For calls that come rarely; payload has threads of its own.
#[track_caller]
pub fn spawn_blocking<T: Send + 'static>(
    name: impl Into<Cow<'static, str>>,
    closure: impl FnOnce() -> T + Send + 'static,
) -> TaskHandle<T> {
    let entry = TaskEntry::register(name.into(), Location::caller(), TaskKind::Blocking, Subject::default());
    let (id, site) = (entry.id, entry.site());
    let guard = EndGuard(entry);
    TaskHandle {
        id,
        site,
        said: Said::default(),
        join: tokio::task::spawn_blocking(move || run_closure(guard, closure)),
    }
}

/// Runs what may take long in the middle of a task: whatever waits behind the task on the same thread, and could not be
/// taken from there by the others, is moved to another thread first. Costs tens of microseconds.
pub fn aside<T>(long: impl FnOnce() -> T) -> T {
    let runtime = tokio::runtime::Handle::try_current();
    match runtime.map(|runtime| runtime.runtime_flavor()) {
        Ok(tokio::runtime::RuntimeFlavor::MultiThread) => tokio::task::block_in_place(long),
        // There is nobody to move to.
        Ok(_) | Err(_) => long(),
    }
}

/// Lets others have the processor in the middle of work of a thread or a closure that takes long: a system with few
/// processors may else let them wait for milliseconds, and the whole of a chain of wakings that long at each step.
pub fn give_way() {
    std::thread::yield_now();
}

/// A running thread. Dropping the handle lets it run on.
#[derive(Debug)]
pub struct ThreadHandle<T> {
    id: TaskId,
    join: std::thread::JoinHandle<Given<T>>,
}

impl<T> ThreadHandle<T> {
    /// Its identity in the reports.
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// Waits, blocking, until it has ended.
    pub fn join(self) -> Result<T, TaskEnded> {
        let panicked = |payload: Box<dyn Any + Send>| TaskEnded::Panicked(panic_text(payload.as_ref()));
        self.join.join().map_err(panicked)?.map_err(|ended| *ended)
    }
}

/// Starts a thread. Fails where the system gives no more threads.
#[track_caller]
pub fn spawn_thread<T: Send + 'static>(
    name: impl Into<Cow<'static, str>>,
    closure: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<ThreadHandle<T>> {
    let name = name.into();
    let system_name = name.replace('\0', "");
    let entry = TaskEntry::register(name, Location::caller(), TaskKind::Thread, Subject::default());
    let id = entry.id;
    let guard = EndGuard(entry);
    let join = std::thread::Builder::new().name(system_name).spawn(move || run_closure(guard, closure))?;
    Ok(ThreadHandle { id, join })
}

fn run_closure<T>(guard: EndGuard, closure: impl FnOnce() -> T) -> Given<T> {
    THREAD.set(Some(Arc::clone(&guard.0)));
    let result = guard.0.run(|| catch_unwind(AssertUnwindSafe(closure)));
    THREAD.set(None);
    guard.finish(result)
}

thread_local! {
    /// The thread or closure that runs here.
    static THREAD: RefCell<Option<Arc<TaskEntry>>> = const { RefCell::new(None) };
}

/// Runs a call that waits on this thread for something outside of the program, and says so meanwhile. Never call it on a
/// task.
#[track_caller]
pub fn blocking<T>(kind: WaitKind, call: impl FnOnce() -> T) -> T {
    while_blocked(Wait::new(kind, 0, Location::caller()), call)
}

/// Runs what blocks this thread; whoever was started here is said to wait meanwhile.
pub(super) fn while_blocked<T>(wait: Wait, block: impl FnOnce() -> T) -> T {
    match is_noting().then(|| THREAD.with_borrow(Clone::clone)).flatten() {
        Some(thread) => thread.blocked(wait, block),
        None => block(),
    }
}

/// Records the end of a task, also where its future is dropped before it ended.
struct EndGuard(Arc<TaskEntry>);

impl EndGuard {
    fn finish<T>(&self, result: std::thread::Result<T>) -> Given<T> {
        match result {
            Ok(value) => {
                self.0.end(TaskState::Finished);
                Ok(value)
            }
            Err(payload) => {
                let text = panic_text(payload.as_ref());
                self.0.end(TaskState::Panicked(text.clone()));
                Err(Box::new(TaskEnded::Panicked(text)))
            }
        }
    }
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        // Only where it had no other end.
        self.0.end(TaskState::Aborted);
    }
}

pin_project! {
    /// A future whose polls are counted and whose panic is caught.
    struct Tracked<F> {
        guard: EndGuard,
        waker: Option<Arc<CountingWaker>>,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Tracked<F> {
    type Output = Given<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (guard, future) = (this.guard, this.future);
        if !is_noting() {
            return future.poll(context).map(|value| guard.finish(Ok(value)));
        }
        let waker = match this.waker {
            Some(waker) if waker.runtime.will_wake(context.waker()) => waker,
            stale => stale.insert(Arc::new(CountingWaker {
                entry: Arc::clone(&guard.0),
                runtime: context.waker().clone(),
            })),
        };
        let ours = waker_ref(waker);
        let mut context = Context::from_waker(&ours);
        let polling = guard.0.begin_poll();
        // A future that panicked is never polled again, so what it left half-done is seen by nobody.
        let polled = catch_unwind(AssertUnwindSafe(|| future.poll(&mut context)));
        guard.0.end_poll(polling, matches!(polled, Ok(Poll::Pending)));
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(payload) => Err(payload),
        };
        Poll::Ready(guard.finish(result))
    }
}

/// Counts that a task is woken, and wakes it.
struct CountingWaker {
    entry: Arc<TaskEntry>,
    /// The runtime's own waker of the task.
    runtime: Waker,
}

impl ArcWake for CountingWaker {
    fn wake_by_ref(counting: &Arc<Self>) {
        counting.entry.wake();
        counting.runtime.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{TaskReport, subscribe_panics, tasks};
    use super::*;

    fn report(id: TaskId) -> TaskReport {
        tasks().into_iter().find(|task| task.id == id).expect("registered")
    }

    #[tokio::test]
    async fn a_panic_is_a_value_and_is_told() {
        let mut panics = subscribe_panics();
        let task = spawn("doomed", async { panic!("invariant {} broken", 7) });
        let id = task.id();
        let ended: Result<(), TaskEnded> = task.await;
        assert_eq!(ended, Err(TaskEnded::Panicked("invariant 7 broken".to_owned())));
        assert_eq!(report(id).state, TaskState::Panicked("invariant 7 broken".to_owned()));
        let told = loop {
            let panic = panics.recv().await.expect("the registry holds the sender");
            if panic.id == id {
                break panic;
            }
        };
        assert_eq!((told.name.as_ref(), told.text.as_str()), ("doomed", "invariant 7 broken"));
        assert!(told.site.starts_with("src/inspect/task.rs:"), "{}", told.site);
    }

    #[tokio::test]
    async fn an_aborted_task_says_so() {
        let task = spawn("endless", std::future::pending::<()>());
        let id = task.id();
        assert_eq!(report(id).state, TaskState::Ready);
        tokio::task::yield_now().await;
        assert_eq!(report(id).state, TaskState::Waiting);
        task.abort();
        assert_eq!(task.await, Err(TaskEnded::Aborted));
        assert_eq!(report(id).state, TaskState::Aborted);
    }

    #[tokio::test]
    async fn a_child_knows_its_parent_and_its_line() {
        let parent = spawn("parent", async {
            let child = spawn("child", async { 5 });
            let id = child.id();
            (id, child.await)
        });
        let parent_id = parent.id();
        let (child_id, value) = parent.await.unwrap();
        assert_eq!(value, Ok(5));
        let child = report(child_id);
        assert_eq!(child.parent, Some(parent_id));
        assert_eq!(child.state, TaskState::Finished);
        assert!(child.polls >= 1);
    }

    #[test]
    fn a_thread_gives_its_value_or_its_panic() {
        assert_eq!(spawn_thread("adder", || 2 + 2).unwrap().join(), Ok(4));
        let doomed = spawn_thread("doomed thread", || panic!("no")).unwrap();
        let id = doomed.id();
        let ended: Result<(), TaskEnded> = doomed.join();
        assert_eq!(ended, Err(TaskEnded::Panicked("no".to_owned())));
        assert_eq!(report(id).state, TaskState::Panicked("no".to_owned()));
    }

    #[test]
    fn a_future_in_place_is_a_task_of_this_thread_and_its_panic_goes_on() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let thread = std::thread::current().id();
        let named = |name: &str| tasks().into_iter().find(|task| task.name == name).expect("registered");
        let (seen, ran_on) = runtime.block_on(in_place("in place", async move {
            tokio::task::yield_now().await;
            (named("in place"), std::thread::current().id())
        }));
        assert_eq!((&seen.state, seen.polls, ran_on), (&TaskState::Running, 1, thread));
        assert!(seen.wakes >= 1 && seen.site.starts_with("src/inspect/task.rs:"), "{seen:?}");
        assert_eq!(named("in place").state, TaskState::Finished);
        let doomed = || runtime.block_on(in_place("doomed in place", async { panic!("no") }));
        let payload: Result<(), _> = catch_unwind(AssertUnwindSafe(doomed));
        assert_eq!(panic_text(payload.unwrap_err().as_ref()), "no");
        assert_eq!(named("doomed in place").state, TaskState::Panicked("no".to_owned()));
    }

    #[tokio::test]
    async fn a_detached_task_runs_on() {
        let (sender, receiver) = super::super::reply("answer");
        spawn("detached", async move { sender.send(1) }).detach();
        assert_eq!(receiver.await, Ok(1));
    }
}
