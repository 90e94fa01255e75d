//! What the inspector and the flight recorder cost a download: `cargo bench --bench leech -- [--dir DIR] [--mib N]
//! [--pairs N]`.
//!
//! One session of this process leeches from another one over loopback until it has all, with files in memory where the
//! system has such a folder. Each pair of runs is one with both on and one with both off, which goes first changing from
//! pair to pair, so that a machine that becomes faster or slower favours neither. Wall time is the leech's; processor
//! time is the whole process's, both sessions together. At most three percent of the throughput may go, by the median of
//! what each pair says; from 12 pairs on, fewer being chance, it ends with 1 where more goes.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use sha1::Digest;
use unchoke::contract::{
    AddRequest, Answer, Assume, CheckPolicy, Command, OrderChange, Source, StartState, StoreTrust,
    TorrentState,
};
use unchoke::inspect::{self, Noting};
use unchoke::session::{self, Handle, Restore, Settings, Switch};
use unchoke::units::TorrentId;

const PIECE_BYTES: usize = 256 << 10;
const MIB_DEFAULT: usize = 512;
const PAIRS_DEFAULT: usize = 6;
/// What may go of the throughput, in percent, by the median pair.
const COST_PERCENT_MAX: f64 = 3.0;
/// With fewer pairs chance decides.
const PAIRS_OF_A_VERDICT: usize = 12;
/// Where files are memory.
const MEMORY: &str = "/dev/shm";
/// No run takes as long: it hangs.
const RUN_MAX: Duration = Duration::from_secs(300);

/// What one run took.
#[derive(Clone, Copy)]
struct Cost {
    mb_s: f64,
    cpu_s_per_gib: f64,
}

/// The payload, and the torrent of it.
struct Arena {
    folder: tempfile::TempDir,
    torrent: Vec<u8>,
    bytes: usize,
}

impl Arena {
    /// Writes a payload of which no two pieces are alike.
    fn new(dir: &Path, mib: usize) -> Self {
        let folder = tempfile::tempdir_in(dir).expect("a folder");
        let save = folder.path().join("seed/save");
        std::fs::create_dir_all(&save).expect("a folder");
        let mut file = std::fs::File::create(save.join("payload")).expect("a file");
        let (pieces, mut rng) = ((mib << 20) / PIECE_BYTES, fastrand::Rng::with_seed(1));
        let (mut piece, mut hashes) = (vec![0; PIECE_BYTES], Vec::new());
        for _ in 0..pieces {
            rng.fill(&mut piece);
            file.write_all(&piece).expect("there is room");
            hashes.extend_from_slice(&sha1::Sha1::digest(&piece));
        }
        let bytes = pieces * PIECE_BYTES;
        let head = format!(
            "d4:infod6:lengthi{bytes}e4:name7:payload12:piece lengthi{PIECE_BYTES}e6:pieces{}:",
            hashes.len()
        );
        let torrent = [head.as_bytes(), &hashes, b"ee"].concat();
        Self { folder, torrent, bytes }
    }

    async fn start(&self, name: &str) -> (Handle, session::Running) {
        let home = self.folder.path().join(name);
        let settings = Settings {
            assume: Assume::Nothing,
            state_dir: home.join("state"),
            save_dir: home.join("save"),
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            check: CheckPolicy::Always,
            trust_store: StoreTrust::No,
            down_limit: None,
            up_limit: None,
            trackers: Switch::Off,
            webseeds: Switch::Off,
            seed: Switch::On,
            restore: Restore::Nothing,
            debug: Switch::Off,
        };
        session::start(settings).await.expect("it starts")
    }

    async fn add(&self, handle: &Handle, peers: Vec<SocketAddr>) -> TorrentId {
        let request = AddRequest {
            source: Source::Bytes(self.torrent.clone()),
            save_dir: None,
            priorities: Vec::new(),
            start: StartState::Running,
            peers,
            trackers: Vec::new(),
            webseeds: Vec::new(),
            order: OrderChange::default(),
        };
        match handle.request(Command::Add(Box::new(request))).await.expect("it is granted") {
            Answer::Added { torrent, .. } => torrent,
            other => panic!("{other:?}"),
        }
    }

    /// Leeches the whole payload once.
    async fn leech(&self) -> Cost {
        let (seed, seed_running) = self.start("seed").await;
        let torrent = self.add(&seed, Vec::new()).await;
        seeds(&seed, torrent).await;
        let (leech, running) = self.start("leech").await;
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, seed.listen_port()));
        let (began, cpu_before) = (Instant::now(), cpu_seconds());
        self.add(&leech, vec![from]).await;
        seeds(&leech, torrent).await;
        let (took, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu_before);
        for (handle, running) in [(leech, running), (seed, seed_running)] {
            handle.request(Command::Shutdown).await.expect("it is granted");
            running.ended().await.expect("it ends");
        }
        let bytes = self.bytes as f64;
        Cost { mb_s: bytes / 1e6 / took, cpu_s_per_gib: cpu * f64::from(1 << 30) / bytes }
    }

    /// One run in a runtime of its own, after what was left of the one before is gone.
    fn run(&self, noting: Noting) -> Cost {
        for left in ["leech", "seed/state"] {
            let left = self.folder.path().join(left);
            if left.exists() {
                std::fs::remove_dir_all(left).expect("it is ours");
            }
        }
        inspect::set_noting(noting);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let run = async { tokio::time::timeout(RUN_MAX, self.leech()).await.expect("it ends") };
        let cost = runtime.block_on(run);
        inspect::set_noting(Noting::On);
        cost
    }
}

/// Waits until it has all of the torrent.
async fn seeds(handle: &Handle, torrent: TorrentId) {
    let mut snapshots = handle.snapshots();
    let all = |row: &std::sync::Arc<unchoke::contract::TorrentRow>| {
        row.id == torrent && row.state == TorrentState::Seeding
    };
    snapshots.wait_until(|snapshot| snapshot.torrents.iter().any(all)).await.expect("it runs");
}

/// Processor time that this process has taken.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}

/// How much less one is than the other, in percent.
fn percent_less(one: f64, other: f64) -> f64 {
    (1.0 - one / other) * 100.0
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints the medians of one figure, and what being on costs of it by them and in the worst pair; gives that of the median
/// pair, in percent.
fn compare(
    what: &str,
    pairs: &[(Cost, Cost)],
    of: impl Fn(Cost) -> f64,
    cost: impl Fn(f64, f64) -> f64,
) -> f64 {
    let on = median(pairs.iter().map(|(on, _)| of(*on)));
    let off = median(pairs.iter().map(|(_, off)| of(*off)));
    let each: Vec<f64> = pairs.iter().map(|(on, off)| cost(of(*on), of(*off))).collect();
    let worst = each.iter().copied().fold(f64::MIN, f64::max);
    let of_median_pair = median(each.iter().copied());
    say(&format!(
        "{what:<24} {on:>10.2} on {off:>10.2} off   costs {:>5.1} % by the medians, {of_median_pair:>5.1} % by the median pair, {worst:>5.1} % in the worst pair",
        cost(on, off),
    ));
    of_median_pair
}

/// Prints whether the cost is within its bound, where there are pairs enough to say so.
fn judge(cost_percent: f64, pairs: usize) -> ExitCode {
    if pairs < PAIRS_OF_A_VERDICT {
        say(&format!("no verdict with {pairs} pairs: give --pairs {PAIRS_OF_A_VERDICT} or more"));
        return ExitCode::SUCCESS;
    }
    let fits = cost_percent <= COST_PERCENT_MAX;
    let verdict = if fits { "within" } else { "OVER" };
    say(&format!("{verdict} the bound: {COST_PERCENT_MAX} % of the throughput by the median pair"));
    if fits { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The value after an option.
fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

fn main() -> ExitCode {
    let number =
        |name: &str, default: usize| option(name).map_or(default, |value| value.parse().expect("a number"));
    let memory = Path::new(MEMORY).is_dir().then(|| PathBuf::from(MEMORY));
    let dir = option("--dir").map(PathBuf::from).or(memory).unwrap_or_else(std::env::temp_dir);
    let (mib, count) = (number("--mib", MIB_DEFAULT), number("--pairs", PAIRS_DEFAULT));
    let arena = Arena::new(&dir, mib);
    say(&format!("{mib} MiB in {}, {count} pairs", dir.display()));
    arena.run(Noting::On);
    let mut pairs = Vec::new();
    for pair in 0..count {
        let (on, off) = if pair.is_multiple_of(2) {
            let on = arena.run(Noting::On);
            (on, arena.run(Noting::Off))
        } else {
            let off = arena.run(Noting::Off);
            (arena.run(Noting::On), off)
        };
        say(&format!(
            "pair {:>2}: {:>7.1} MB/s on {:>7.1} off, {:>6.2} CPU s/GiB on {:>6.2} off",
            pair + 1,
            on.mb_s,
            off.mb_s,
            on.cpu_s_per_gib,
            off.cpu_s_per_gib
        ));
        pairs.push((on, off));
    }
    let cost_percent = compare("MB/s", &pairs, |cost| cost.mb_s, percent_less);
    compare("CPU s/GiB, both ends", &pairs, |cost| cost.cpu_s_per_gib, |on, off| (on / off - 1.0) * 100.0);
    judge(cost_percent, pairs.len())
}
