//! Ten minutes of virtual time of a swarm that has much to do and in which nothing goes wrong: no watchdog has anything to
//! tell, no turn is one that a person would feel, and nobody waits for what could be on the wire.
//!
//! What makes it a test: bytes flow in every ten seconds of it, people change their minds all the while, the one who runs
//! the swarm is an owner with a queue as those of the program are, and the same watchdog is shown to tell at the end.

use std::cell::Cell;
use std::sync::mpsc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use unchoke::contract::{DownloadOrder, FirstLast, PieceSequence, Priority};
use unchoke::engine::io::{ReadRequest, ReaderId, TorrentCommand};
use unchoke::inspect::{self, Bounds, Owner, Told};
use unchoke::limits;
use unchoke::sim::{EngineOptions, LinkQuality, NodeId, Shape, World};
use unchoke::units::{FileIndex, PieceIndex, Rate, Time};

const ENGINES: usize = 20;
const SPAN: Duration = Duration::from_secs(600);
/// What the owner runs in one turn.
const STEP: Duration = Duration::from_millis(100);
/// In each such span bytes must come to somebody, and somebody is told to do something else.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
const COMMAND_EVERY: Duration = Duration::from_secs(1);
const FILES: u32 = 4;
const FILE_BYTES: u64 = 5 << 19;
const PIECE_BYTES: u32 = 256 << 10;
const LINK: LinkQuality =
    LinkQuality { latency: Duration::from_millis(40), rate: 1_000_000, lost_per_mille: 0 };
/// So much gives each that half of the payload takes the whole time.
const UP_LIMIT: Rate = Rate(8_700);
/// Never: comparisons from scratch are no work of the engine's, other tests make them, and they take most of the time.
const AUDIT_EVERY: u64 = u64::MAX;
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Names of all that belongs to this test: the watchdog hears of other tests of this process too.
const NAME: &str = "healthy swarm";
const CONTROL: &str = "healthy swarm: held to see that the watchdog works";
const PATIENCE: Duration = Duration::from_secs(30);

/// The swarm, and what was seen of it.
struct Swarm {
    world: World,
    rng: fastrand::Rng,
    paused: Option<NodeId>,
    next_reader: u64,
    had_bytes: u64,
    longest: Cell<(Duration, Time)>,
}

impl Swarm {
    /// A seed, and nineteen of whom each has a half of its own; the tracker introduces them.
    fn new() -> Self {
        let shape = Shape {
            files: vec![FILE_BYTES; FILES as usize],
            piece_length: PIECE_BYTES,
            pads: Vec::new(),
            seed: 1,
        };
        let (mut world, mut rng) = (World::new(1, &shape), fastrand::Rng::with_seed(1));
        world.set_audit_every(AUDIT_EVERY);
        world.set_look_every(LOOK_EVERY);
        world.set_quality(LINK);
        let up_limit = Some(UP_LIMIT);
        world.add_engine(EngineOptions { tracker: true, up_limit, ..EngineOptions::seed() });
        let pieces = world.payload().info.piece_count();
        for _ in 1..ENGINES {
            let half = (0..pieces).map(PieceIndex).filter(|_| rng.bool()).collect();
            let some = EngineOptions { on_disk: Some(half), recorded: true, ..EngineOptions::leecher() };
            world.add_engine(EngineOptions { tracker: true, up_limit, ..some });
        }
        let longest = Cell::new((Duration::ZERO, Time::ZERO));
        Self { world, rng, paused: None, next_reader: 1, had_bytes: 0, longest }
    }

    fn run(&mut self, span: Duration) {
        let Self { world, longest, .. } = self;
        let before = Cell::new((thread_time(), world.steps()));
        // Looked at between any two happenings, of which one that is a turn counts as a step.
        let note = |world: &World| {
            let now = thread_time();
            let (at, steps) = before.replace((now, world.steps()));
            let took = now.saturating_sub(at);
            if world.steps() > steps && took > longest.get().0 {
                longest.set((took, world.now()));
            }
            false
        };
        if let Err(failure) = world.run_until_done(span, note) {
            panic!("{failure}");
        }
        let now = self.world.now().since(Time::ZERO);
        if is_multiple(now, COMMAND_EVERY) {
            self.change_something();
        }
        if is_multiple(now, PROGRESS_EVERY) {
            let bytes = self
                .world
                .node_ids()
                .filter_map(|id| self.world.engine(id))
                .map(|node| node.torrent().row(self.world.now(), 0).downloaded_bytes);
            let bytes = bytes.sum();
            assert!(bytes > self.had_bytes, "it is not busy any more after {now:?}");
            self.had_bytes = bytes;
        }
    }

    /// What people do.
    fn change_something(&mut self) {
        if let Some(id) = self.paused.take() {
            return self.world.command(id, TorrentCommand::Resume);
        }
        let id = NodeId(self.rng.usize(1..ENGINES));
        let file = FileIndex(self.rng.u32(..FILES));
        let command = match self.rng.u8(..10) {
            0 => {
                self.paused = Some(id);
                TorrentCommand::Pause
            }
            1 => TorrentCommand::Recheck,
            2 | 3 => TorrentCommand::SetOrder(DownloadOrder {
                sequence: if self.rng.bool() { PieceSequence::InOrder } else { PieceSequence::RarestFirst },
                first_last: if self.rng.bool() { FirstLast::First } else { FirstLast::Alike },
            }),
            4 | 5 => {
                self.next_reader += 1;
                TorrentCommand::Read(ReadRequest {
                    reader: ReaderId(self.next_reader),
                    file,
                    offset: self.rng.u64(..FILE_BYTES),
                    bytes_max: 50_000,
                    ahead_bytes: 200_000,
                })
            }
            _ => {
                let levels = [Priority::Low, Priority::Normal, Priority::High];
                TorrentCommand::SetPriority(vec![(file, levels[self.rng.usize(..levels.len())])])
            }
        };
        self.world.command(id, command);
    }
}

fn is_multiple(of: Duration, unit: Duration) -> bool {
    of.as_micros().is_multiple_of(unit.as_micros())
}

/// Processor time of this thread: what a turn takes, whoever else wants the processor.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs().try_into().unwrap())
}

async fn own(mut swarm: Swarm, mut spans: inspect::Receiver<Duration>) -> Swarm {
    let owner = Owner::of(&spans);
    while let Some(span) = spans.recv().await {
        owner.turn("span", || swarm.run(span));
        // There is always another: without this one poll would run many.
        tokio::task::yield_now().await;
    }
    swarm
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_busy_minutes_of_a_swarm_of_twenty_and_not_one_report_of_the_watchdog() {
    let swarm = Swarm::new();
    let (telling, told) = mpsc::channel();
    let watchdog = inspect::watch_over(Bounds::default(), move |it| drop(telling.send(it))).unwrap();
    let (spans, inbox) = inspect::channel(format!("{NAME}: spans to run"), 4);
    let owner = inspect::spawn(format!("{NAME}: owner"), own(swarm, inbox));
    let mut left = SPAN;
    while left > Duration::ZERO {
        spans.send(STEP).await.unwrap();
        left -= STEP;
    }
    drop(spans);
    let swarm = owner.await.unwrap();
    assert_eq!(swarm.world.now().since(Time::ZERO), SPAN);

    let of_ours = |told: &Told| format!("{told:?}").contains(NAME);
    assert_eq!(told.try_iter().filter(of_ours).collect::<Vec<_>>(), []);
    let (longest, at) = swarm.longest.get();
    crate::real::process::say(&format!(
        "healthy swarm: {} turns, the longest {longest:?}, {} bytes came",
        swarm.world.steps(),
        swarm.had_bytes
    ));
    assert!(longest < limits::TURN_SLOW, "a turn of {longest:?} at {at:?}");

    // It would have been told of.
    let held = inspect::spawn(CONTROL, async {
        std::thread::sleep(limits::WATCHDOG_POLL_MAX + limits::WATCHDOG_POLL_MAX);
    });
    let told = loop {
        let told = told.recv_timeout(PATIENCE).unwrap();
        if of_ours(&told) {
            break told;
        }
    };
    assert!(matches!(told, Told::Began(_)) && format!("{told:?}").contains(CONTROL), "{told:?}");
    held.await.unwrap();
    drop(watchdog);
}
