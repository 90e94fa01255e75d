//! What being registered costs a task: nanoseconds a poll and bytes a task, beside the runtime alone, in one run:
//! `cargo bench --bench inspect`. Ends with 1 where either is over its bound.

use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::time::Instant;

use unchoke::inspect;

const POLLS: u64 = 2_000_000;
const TASKS: usize = 100_000;
const ROUNDS: usize = 7;

/// What a poll may cost more, in nanoseconds, by the median of the rounds.
const POLL_MORE_NS_MAX: f64 = 20.0;
/// What a task may take more, in bytes.
const TASK_MORE_BYTES_MAX: usize = 512;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // As in every running engine.
    let _watchdog = inspect::watch_over(inspect::Bounds::default(), drop).expect("a thread");
    let (mut bare, mut registered, mut more) = (f64::MAX, f64::MAX, Vec::new());
    // In turns, so that both have the same machine; the best of each, and the median of what ours took more.
    for _ in 0..ROUNDS {
        let of_bare = runtime.block_on(async { timed(tokio::spawn(Again(POLLS))).await });
        let of_ours = runtime.block_on(async { timed(inspect::spawn("polled", Again(POLLS))).await });
        (bare, registered) = (bare.min(of_bare), registered.min(of_ours));
        more.push(of_ours - of_bare);
    }
    more.sort_by(f64::total_cmp);
    let poll_more_ns = more[ROUNDS / 2];
    say(&format!(
        "a poll: {bare:.1} ns of a bare task, {registered:.1} ns of ours at best: {poll_more_ns:.1} ns more by the median of \
         {ROUNDS}"
    ));
    let bare =
        runtime.block_on(async { bytes_of(|| drop(tokio::spawn(std::future::pending::<()>()))).await });
    let ours = runtime.block_on(async {
        bytes_of(|| inspect::spawn("waits", std::future::pending::<()>()).detach()).await
    });
    let task_more_bytes = ours.saturating_sub(bare);
    say(&format!("a task: {bare} bytes bare, {ours} bytes ours: {task_more_bytes} more"));
    let fits = poll_more_ns <= POLL_MORE_NS_MAX && task_more_bytes <= TASK_MORE_BYTES_MAX;
    let verdict = if fits { "within" } else { "OVER" };
    say(&format!(
        "{verdict} the bounds: {POLL_MORE_NS_MAX} ns more a poll, {TASK_MORE_BYTES_MAX} bytes more a task"
    ));
    if fits { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Nanoseconds a poll.
async fn timed(task: impl Future) -> f64 {
    let start = Instant::now();
    task.await;
    start.elapsed().as_secs_f64() * 1e9 / POLLS as f64
}

/// Bytes of memory that one more task takes.
async fn bytes_of(spawn: impl Fn()) -> usize {
    let before = resident_bytes();
    (0..TASKS).for_each(|_| spawn());
    tokio::task::yield_now().await;
    (resident_bytes() - before) / TASKS
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("this is Linux");
    let pages: usize =
        statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    pages * 4096
}

/// A future that wakes itself so many times.
struct Again(u64);

impl Future for Again {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
