//! What a task waits for: noted by its futures while it is polled, kept while it is not.
//!
//! A future that is pending says so on its thread; when the poll ends, what was said becomes what the task waits for. A
//! task that waits for several things at once (a `select!`) has them all, up to a bound. Nothing is noted by a poll that
//! ends with a value, nothing is kept where a task waits for the same again, and no clock is read.

use std::borrow::Cow;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::pin;
use std::task::Poll;

use super::frame::Frame;
use crate::contract::{TaskId, WaitKind};
use crate::limits::WAITS_PER_TASK;

/// One thing that is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) kind: WaitKind,
    pub(super) on: On,
    /// The line that waits; of a reply or a child the one that made it.
    pub(super) site: &'static Location<'static>,
    /// The named part of the task that waits.
    pub(super) frame: Option<&'static Frame>,
}

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) enum On {
    /// A lock, queue, semaphore or task; 0: none of those.
    Id(u64),
    /// Something that has a name only.
    Named(&'static str),
}

/// What was said, with the address of who said it.
type Addressed = [Option<(usize, Wait)>; WAITS_PER_TASK];

/// All that is waited for at once, as far as it is kept.
pub(super) type Waits = [Option<Wait>; WAITS_PER_TASK];

impl Wait {
    pub(super) const fn new(kind: WaitKind, on: u64, site: &'static Location<'static>) -> Self {
        Self { kind, on: On::Id(on), site, frame: None }
    }

    /// The number of what is waited for, 0 where it has none.
    pub(super) const fn id(&self) -> u64 {
        match self.on {
            On::Id(id) => id,
            On::Named(_) => 0,
        }
    }

    fn stands_for(&self) -> u64 {
        let frame = self.frame.map_or(0, |frame| std::ptr::from_ref(frame).addr());
        let on = match self.on {
            On::Id(id) => id,
            On::Named(name) => name.as_ptr().addr() as u64,
        };
        // Odd factors spread what differs in a few bits; the site of a wait tells its kind too.
        let site = std::ptr::from_ref(self.site).addr() as u64;
        let mixed =
            site.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29) ^ on.wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
        (mixed ^ (frame as u64).rotate_left(17)).wrapping_mul(0x1656_67B1_9E37_79F9) | 1
    }

    /// The same with a name, where that can be kept for nothing.
    #[allow(clippy::ptr_arg, reason = "whether the name lives for ever is what the two kinds tell apart")]
    pub(super) fn named(self, name: &Cow<'static, str>) -> Self {
        match name {
            Cow::Borrowed(name) => Self { on: On::Named(name), ..self },
            Cow::Owned(_) => self,
        }
    }
}

/// Waits for what comes from a socket, and says so meanwhile.
#[track_caller]
pub fn reading<F: Future>(future: F) -> impl Future<Output = F::Output> {
    noted(Wait::new(WaitKind::SocketRead, 0, Location::caller()), future)
}

/// Waits for a socket to take something, or to come up, and says so meanwhile.
#[track_caller]
pub fn writing<F: Future>(future: F) -> impl Future<Output = F::Output> {
    noted(Wait::new(WaitKind::SocketWrite, 0, Location::caller()), future)
}

/// Waits for the next tick of a clock, and says so meanwhile.
#[track_caller]
pub fn ticking<F: Future>(future: F) -> impl Future<Output = F::Output> {
    noted(Wait::new(WaitKind::Timer, 0, Location::caller()), future)
}

/// Waits for a future, and says meanwhile for what.
pub(super) async fn noted<F: Future>(wait: Wait, future: F) -> F::Output {
    // Pinned with the future, so that its address stays.
    let said = pin!(Said::default());
    let mut future = pin!(future);
    poll_fn(move |context| {
        let polled = future.as_mut().poll(context);
        if polled.is_pending() {
            said.say(wait);
        }
        polled
    })
    .await
}

/// Part of a future that says what it waits for. Where it is dropped in the middle of a poll, as the others of a `select!`
/// are, it waits no more. It is a byte, so that no two of them have the same address.
#[derive(Debug, Default)]
pub(super) struct Said(u8);

impl Said {
    /// The task that is polled on this thread waits for something; said again in the same poll it is one wait still.
    pub(super) fn say(&self, wait: Wait) {
        RUNNING.with(|running| running.say(self.address(), wait));
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(&self.0).addr()
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        let by = self.address();
        // Nothing is kept any more where the thread ends.
        let _ = RUNNING.try_with(|running| running.take_back(by));
    }
}

/// The task that ran on this thread before the one that is polled now.
#[derive(Debug)]
pub(super) struct Outer {
    task: u64,
    frame: Option<&'static Frame>,
    /// What it had said in its poll, if anything: one task may be polled in the middle of another's poll.
    said: Option<Box<(usize, Addressed)>>,
}

/// A poll of a task begins on this thread; [`leave`] must end it.
#[inline]
pub(super) fn enter(task: u64) -> Outer {
    RUNNING.with(|running| Outer {
        task: running.task.replace(task),
        frame: running.frame.replace(None),
        said: (running.count.get() > 0).then(|| running.put_away()),
    })
}

/// The poll ends; the task before it runs on.
#[inline]
pub(super) fn leave(outer: Outer) {
    RUNNING.with(|running| {
        running.task.set(outer.task);
        running.frame.set(outer.frame);
        running.count.set(0);
        if let Some(said) = outer.said {
            running.put_back(&said);
        }
    });
}

/// What stands for all that was said in the poll that runs; 0: nothing was.
#[inline]
pub(super) fn stands_for() -> u64 {
    RUNNING.with(Running::stands_for)
}

/// All that was said in the poll that runs.
pub(super) fn said() -> Waits {
    RUNNING.with(Running::waits)
}

/// Polls a named part of a task; `place` says where in the tree of frames it is, from where the part around it is.
pub(super) fn in_frame<T>(
    place: impl FnOnce(Option<&'static Frame>) -> &'static Frame,
    poll: impl FnOnce() -> Poll<T>,
) -> Poll<T> {
    RUNNING.with(|running| {
        let outer = running.frame.get();
        running.frame.set(Some(place(outer)));
        let polled = poll();
        running.frame.set(outer);
        polled
    })
}

/// The task that runs on this thread.
pub(super) fn current_task() -> Option<TaskId> {
    let task = RUNNING.try_with(|running| running.task.get()).unwrap_or(0);
    (task != 0).then_some(TaskId(task))
}

/// What runs on this thread, and what was said during the poll that is running.
struct Running {
    /// 0: no task.
    task: Cell<u64>,
    frame: Cell<Option<&'static Frame>>,
    count: Cell<usize>,
    /// With the address of who said it.
    waits: [Cell<Option<(usize, Wait)>>; WAITS_PER_TASK],
}

impl Running {
    #[cold]
    #[inline(never)]
    fn put_away(&self) -> Box<(usize, Addressed)> {
        Box::new((self.count.replace(0), self.waits.each_ref().map(Cell::get)))
    }

    #[cold]
    #[inline(never)]
    fn put_back(&self, said: &(usize, Addressed)) {
        self.count.set(said.0);
        self.waits.iter().zip(said.1).for_each(|(slot, wait)| slot.set(wait));
    }

    /// What was said.
    #[cold]
    #[inline(never)]
    fn waits(&self) -> Waits {
        let count = self.count.get();
        std::array::from_fn(|at| if at < count { self.waits[at].get().map(|(_, wait)| wait) } else { None })
    }

    /// A number that is another one for other waits: in whatever order they were said, as a `select!` asks in any.
    #[inline]
    fn stands_for(&self) -> u64 {
        let count = self.count.get();
        if count == 0 {
            return 0;
        }
        let said = self.waits[..count].iter().filter_map(Cell::get);
        said.fold(0, |sum: u64, (_, wait)| sum.wrapping_add(wait.stands_for()))
    }

    /// Who is polled twice says it once. Where no task of ours runs nobody would take it away again.
    fn say(&self, by: usize, wait: Wait) {
        if self.task.get() == 0 {
            return;
        }
        let at = self.place_of(by).unwrap_or(self.count.get());
        if let Some(slot) = self.waits.get(at) {
            slot.set(Some((by, Wait { frame: self.frame.get(), ..wait })));
            self.count.set(self.count.get().max(at + 1));
        }
    }

    fn take_back(&self, by: usize) {
        if let Some(at) = self.place_of(by) {
            let last = self.count.get() - 1;
            self.waits[at].set(self.waits[last].get());
            self.count.set(last);
        }
    }

    fn place_of(&self, by: usize) -> Option<usize> {
        (0..self.count.get()).find(|at| self.waits[*at].get().is_some_and(|(of, _)| of == by))
    }
}

thread_local! {
    static RUNNING: Running = const {
        Running {
            task: Cell::new(0),
            frame: Cell::new(None),
            count: Cell::new(0),
            waits: [const { Cell::new(None) }; WAITS_PER_TASK],
        }
    };
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::super::{
        Lock, Semaphore, TaskId, TaskReport, TaskState, channel, reply, sleep, spawn, spawn_thread, tasks,
        watch,
    };
    use super::*;

    /// The report of a task, once it is as wanted.
    fn report_when(id: TaskId, wanted: impl Fn(&TaskReport) -> bool) -> TaskReport {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let report = tasks().into_iter().find(|task| task.id == id).expect("registered");
            if wanted(&report) {
                return report;
            }
            assert!(Instant::now() < until, "{report:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn waits(report: &TaskReport) -> bool {
        report.state == TaskState::Waiting && !report.waits.is_empty()
    }

    fn named(report: &TaskReport) -> Vec<(WaitKind, Option<&str>)> {
        assert!(report.waits.iter().all(|wait| wait.site.starts_with("src/inspect/waits.rs:")), "{report:?}");
        report.waits.iter().map(|wait| (wait.kind, wait.on.as_deref())).collect()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_task_says_what_it_waits_for_and_where() {
        let (_sender, mut receiver) = channel::<()>("waits: queue", 1);
        let (full, _kept) = channel("waits: full queue", 1);
        full.try_send(1).unwrap();
        let semaphore = Semaphore::new("waits: permits", 1);
        let taken = semaphore.acquire().await;
        let (_answer, question) = reply::<()>("waits: answer");
        let (_setter, mut watched) = watch("waits: value", 0);
        let endless = async move { std::future::pending::<()>().await };
        let child = spawn("waits: child", endless);
        let all = [
            (
                spawn("waits 1", async move { assert!(receiver.recv().await.is_none()) }),
                WaitKind::QueueReceive,
                "waits: queue",
            ),
            (
                spawn("waits 2", async move { full.send(2).await.unwrap() }),
                WaitKind::QueueSend,
                "waits: full queue",
            ),
            (
                spawn("waits 3", async move { drop(semaphore.acquire().await) }),
                WaitKind::Semaphore,
                "waits: permits",
            ),
            (spawn("waits 4", async move { drop(question.await) }), WaitKind::Reply, "waits: answer"),
            (spawn("waits 5", async move { drop(watched.changed().await) }), WaitKind::Watch, "waits: value"),
            (spawn("waits 6", async move { drop(child.await) }), WaitKind::Child, "waits: child"),
        ];
        for (task, kind, on) in &all {
            let report = report_when(task.id(), waits);
            assert_eq!(named(&report), [(*kind, Some(*on))]);
            assert!(report.waited_ms.is_some_and(|millis| millis < 10_000), "{report:?}");
            assert_eq!((report.wakes, report.polls), (0, 1));
        }
        let io = spawn("waits 7", async { reading(std::future::pending::<()>()).await });
        assert_eq!(named(&report_when(io.id(), waits)), [(WaitKind::SocketRead, None)]);
        let timed = spawn("waits 8", async { sleep(Duration::from_secs(60)).await });
        assert_eq!(named(&report_when(timed.id(), waits)), [(WaitKind::Timer, None)]);
        // What has ended waits for nothing.
        drop(taken);
        let ended = report_when(all[2].0.id(), |report| report.state == TaskState::Finished);
        assert_eq!((ended.waits.len(), ended.waited_ms, ended.wakes), (0, None, 1));
        for task in [&io, &timed] {
            task.abort();
        }
    }

    #[tokio::test]
    async fn a_choice_is_several_waits_and_the_next_poll_says_anew() {
        let (sender, mut receiver) = channel("waits: choice", 4);
        let task = spawn("waits: chooses", async move {
            tokio::select! {
                value = receiver.recv() => assert_eq!(value, Some(7)),
                () = sleep(Duration::from_secs(60)) => {}
            }
            reading(std::future::pending::<()>()).await;
        });
        tokio::task::yield_now().await;
        let report = report_when(task.id(), waits);
        let kinds: Vec<_> = named(&report).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, [WaitKind::QueueReceive, WaitKind::Timer]);
        sender.try_send(7).unwrap();
        // Nobody polls it before this task waits: it is ready, and no longer waits.
        let ready = report_when(task.id(), |report| report.state == TaskState::Ready);
        assert_eq!((ready.waited_ms, ready.wakes), (None, 1));
        tokio::task::yield_now().await;
        assert_eq!(named(&report_when(task.id(), waits)), [(WaitKind::SocketRead, None)]);
        task.abort();
    }

    #[test]
    fn threads_say_it_too_and_whoever_waits_for_a_lock() {
        let (sender, mut receiver) = channel::<()>("waits: queue of a thread", 1);
        let thread = spawn_thread("waits: thread", move || receiver.recv_blocking()).unwrap();
        let report = report_when(thread.id(), waits);
        assert_eq!(named(&report), [(WaitKind::QueueReceive, Some("waits: queue of a thread"))]);
        drop(sender);
        assert_eq!(thread.join(), Ok(None));
        let lock = Arc::new(Lock::new("waits: lock", ()));
        let held = lock.lock();
        let wanted = Arc::clone(&lock);
        let waiter = spawn_thread("waits: for a lock", move || drop(wanted.lock())).unwrap();
        let report = report_when(waiter.id(), waits);
        assert_eq!(named(&report), [(WaitKind::Lock, Some("waits: lock"))]);
        assert!(report.waited_ms.is_some());
        drop(held);
        assert_eq!(waiter.join(), Ok(()));
    }
}
