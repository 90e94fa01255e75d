//! What being registered costs a task: nanoseconds a poll and bytes a task, beside the runtime alone, in one run:
//! `cargo bench --bench inspect`.

use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use unchoke::inspect;

const POLLS: u64 = 2_000_000;
const TASKS: usize = 100_000;
const ROUNDS: usize = 7;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // As in every running engine.
    let _watchdog = inspect::watch_over(inspect::Bounds::default(), drop).expect("a thread");
    let (mut bare, mut registered) = (f64::MAX, f64::MAX);
    // In turns, so that both have the same machine; the best of each.
    for _ in 0..ROUNDS {
        bare = bare.min(runtime.block_on(async { timed(tokio::spawn(Again(POLLS))).await }));
        registered =
            registered.min(runtime.block_on(async { timed(inspect::spawn("polled", Again(POLLS))).await }));
    }
    say(&format!(
        "a poll: {bare:.1} ns of a bare task, {registered:.1} ns of ours: {:.1} ns more",
        registered - bare
    ));
    let bare =
        runtime.block_on(async { bytes_of(|| drop(tokio::spawn(std::future::pending::<()>()))).await });
    let ours = runtime.block_on(async {
        bytes_of(|| inspect::spawn("waits", std::future::pending::<()>()).detach()).await
    });
    say(&format!("a task: {bare} bytes bare, {ours} bytes ours: {} more", ours.saturating_sub(bare)));
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
