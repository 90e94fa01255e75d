//! Whole scenarios drawn from a seed: a time of faults, then everything heals and every download must end.

mod web;

use std::ops::RangeInclusive;
use std::time::Duration;

use super::checks::Failure;
use super::disk::{DiskFault, DiskPace};
use super::engine_node::EngineOptions;
use super::manners::{Answers, Flood, Holding, Manners, Unchokes};
use super::network::LinkQuality;
use super::payload::Shape;
use super::world::{NodeId, World};
use crate::codec::peer::Message;
use crate::contract::{
    Assume, CheckPolicy, DownloadOrder, FirstLast, PieceSequence, Priority, StoreTrust, TorrentState,
};
use crate::engine::io::{ReadRequest, ReaderId, ResumeRecord, TorrentCommand};
use crate::engine::torrent::Policy;
use crate::limits;
use crate::recorder::{NotRecorded, Recording};
use crate::units::{FileIndex, PieceIndex, Rate};

pub use web::run_web;

/// Virtual time in which everything must be complete once nothing goes wrong any more.
const HEALED_MAX: Duration = Duration::from_secs(900);
/// Once nothing goes wrong any more, what was under way ends; from then on nothing may be missed for longer than in calm.
const CALM_AFTER: Duration = Duration::from_secs(2);
/// Virtual time in which everything that is stopped must have ended.
const STOPPED_MAX: Duration = Duration::from_secs(12);

/// What a scenario came to.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// How long it took in the world.
    pub virtual_time: Duration,
    /// Inputs that engines were given.
    pub steps: u64,
    /// A number that differs where two runs differ.
    pub digest: u64,
}

/// Draws a scenario and runs it.
///
/// # Errors
/// The first rule that was broken, with the seed that replays it.
pub fn run(seed: u64) -> Result<Outcome, Failure> {
    let mut scenario = Scenario::draw(seed, 1..=4);
    scenario.trouble()?;
    scenario.heal()?;
    scenario.stop()?;
    let world = &scenario.world;
    Ok(Outcome {
        virtual_time: world.now().since(crate::units::Time::ZERO),
        steps: world.steps(),
        digest: world.digest(),
    })
}

/// As [`run`], with what each engine recorded of its last run; with the recordings, in the order of the engines.
///
/// # Errors
/// The first rule that was broken, with the seed that replays it.
pub fn run_recorded(seed: u64) -> Result<Vec<Result<Recording, NotRecorded>>, Failure> {
    let mut scenario = Scenario::draw(seed, 1..=4);
    let engines: Vec<NodeId> = scenario.world.node_ids().collect();
    let now = scenario.world.now();
    for id in &engines {
        if let Some(node) = scenario.world.engine_mut(*id) {
            node.start_recording(now);
        }
    }
    scenario.trouble()?;
    scenario.heal()?;
    scenario.stop()?;
    let now = scenario.world.now();
    let nodes = engines.iter().filter_map(|id| scenario.world.engine(*id));
    Ok(nodes.filter_map(|node| Some(node.recorder.as_ref()?.recording(now, &node.torrent))).collect())
}

/// Draws a scenario with one engine that downloads, and does many things to it within little time.
///
/// # Errors
/// The first rule that was broken, with the seed that replays it.
pub fn run_dense(seed: u64, operations: u32) -> Result<(), Failure> {
    let mut scenario = Scenario::draw(seed, 1..=1);
    // A crash mends what went wrong before it.
    scenario.crashes_one_in = 20;
    for operation in 0..operations {
        // From time to time something may come of it all.
        let most = if operation % 20 == 0 { 400_000 } else { 4_000 };
        let pause = Duration::from_micros(scenario.rng.u64(..most));
        scenario.world.run(pause)?;
        scenario.do_something();
    }
    scenario.heal()?;
    scenario.stop()
}

/// A scenario under way.
struct Scenario {
    world: World,
    rng: fastrand::Rng,
    /// It has everything, and its disk does not lie.
    seed: NodeId,
    leechers: Vec<NodeId>,
    puppets: Vec<NodeId>,
    next_reader: u64,
    /// Draws how many connections engines are left, in one scenario of four: a stream of its own, so that what other
    /// seeds showed before there were slots stays as it was.
    slots: Option<fastrand::Rng>,
    /// Of so many crashes that are drawn one happens.
    crashes_one_in: u32,
}

impl Scenario {
    fn draw(seed: u64, leechers: RangeInclusive<usize>) -> Self {
        let slots = seed.is_multiple_of(4).then(|| fastrand::Rng::with_seed(seed ^ 0x5107_5000));
        // A stream of its own, so that what the world draws does not shift what the scenario draws.
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5ce7_a210);
        let mut world = World::new(seed, &draw_shape(&mut rng));
        world.set_calm(false);
        world.set_audit_every(8);
        world.set_quality(draw_quality(&mut rng));
        let tracker = rng.bool();
        let seed =
            world.add_engine(EngineOptions { tracker, fast: rng.u8(..4) > 0, ..EngineOptions::seed() });
        let leechers = (0..rng.usize(leechers)).map(|_| {
            let options = draw_leecher(&mut rng, &world, tracker);
            world.add_engine(options)
        });
        let leechers: Vec<NodeId> = leechers.collect();
        let puppets = (0..rng.usize(0..=4)).map(|_| {
            let manners = draw_manners(&mut rng, &world);
            world.add_puppet(manners)
        });
        let puppets: Vec<NodeId> = puppets.collect();
        let mut scenario =
            Self { world, rng, seed, leechers, puppets, next_reader: 1, slots, crashes_one_in: 1 };
        scenario.meet();
        scenario
    }

    /// Some know each other, some call, the tracker may name the rest.
    fn meet(&mut self) {
        for &leecher in &self.leechers {
            self.world.introduce(leecher, self.seed);
            for &other in self.leechers.iter().chain(&self.puppets) {
                if other != leecher && self.rng.bool() {
                    self.world.introduce(leecher, other);
                }
            }
        }
        for puppet in self.puppets.clone() {
            if self.rng.bool() {
                let engine = self.any_engine();
                self.world.puppet_calls(puppet, engine);
            }
        }
    }

    /// Things go wrong.
    fn trouble(&mut self) -> Result<(), Failure> {
        for _ in 0..self.rng.u32(5..60) {
            let pause = Duration::from_millis(self.rng.u64(1..1500));
            self.world.run(pause)?;
            self.do_something();
        }
        Ok(())
    }

    fn do_something(&mut self) {
        self.change_slots();
        let id = self.any_engine();
        match self.rng.u8(0..20) {
            0..=4 => self.change_priorities(id),
            5 => self.world.command(id, TorrentCommand::Pause),
            6 | 7 => self.world.command(id, TorrentCommand::Resume),
            8 => self.change_order(id),
            9 => self.read(id),
            10 => self.world.command(id, TorrentCommand::Recheck),
            11 => self.crash(id),
            12 => {
                let fault = [DiskFault::None, DiskFault::Full, DiskFault::Broken, DiskFault::Hangs];
                let fault = fault[self.rng.usize(..4)];
                // What the seed cannot read after some tries nobody could have any more.
                let fault =
                    if id == self.seed && fault == DiskFault::Broken { DiskFault::Hangs } else { fault };
                self.world.set_disk_fault(id, fault);
            }
            13 => {
                let pace = if self.rng.bool() { DiskPace::FAST } else { DiskPace::SLOW };
                self.world.set_disk_pace(id, pace);
            }
            14 => {
                let (node, apart) = (self.any_node(), self.rng.bool());
                self.world.set_apart(node, apart);
            }
            15 => self.break_something(),
            16 => {
                let limit = |rng: &mut fastrand::Rng| rng.bool().then(|| Rate(rng.u64(20_000..3_000_000)));
                let (down, up) = (limit(&mut self.rng), limit(&mut self.rng));
                self.world.set_limits(id, down, up);
            }
            17 => self.world.set_tracker_works(self.rng.bool()),
            18 => self.harm_a_disk(),
            _ => self.change_a_puppet(),
        }
    }

    /// Few connections, plenty, or none: what an engine with a thousand torrents may leave to one.
    fn change_slots(&mut self) {
        let engines = self.engines();
        let Some(rng) = &mut self.slots else { return };
        if rng.u8(..8) == 0 {
            let id = engines[rng.usize(..engines.len())];
            let most = [0, 1, 2, 3, limits::CONNECTIONS_MAX][rng.usize(..5)];
            self.world.set_slots(id, most);
        }
    }

    fn crash(&mut self, id: NodeId) {
        if self.crashes_one_in == 1 || self.rng.u32(..self.crashes_one_in) == 0 {
            self.world.crash(id);
        }
    }

    fn change_priorities(&mut self, id: NodeId) {
        let files = u32::try_from(self.world.payload().info.files.len()).expect("a few files");
        let changes = (0..self.rng.u32(1..=files)).map(|_| {
            (FileIndex(self.rng.u32(..files)), Priority::ALL[self.rng.usize(..Priority::ALL.len())])
        });
        let changes = changes.collect();
        self.world.command(id, TorrentCommand::SetPriority(changes));
    }

    fn change_order(&mut self, id: NodeId) {
        let sequence = if self.rng.bool() { PieceSequence::InOrder } else { PieceSequence::RarestFirst };
        let first_last = if self.rng.bool() { FirstLast::First } else { FirstLast::Alike };
        self.world.command(id, TorrentCommand::SetOrder(DownloadOrder { sequence, first_last }));
    }

    fn read(&mut self, id: NodeId) {
        let files = u32::try_from(self.world.payload().info.files.len()).expect("a few files");
        let file = FileIndex(self.rng.u32(..files));
        let bytes = self.world.payload().info.files[file.at()].bytes;
        let reader = ReaderId(self.next_reader);
        self.next_reader += 1;
        let request = ReadRequest {
            reader,
            file,
            offset: self.rng.u64(..=bytes),
            bytes_max: self.rng.u32(1..200_000),
            ahead_bytes: self.rng.u64(..400_000),
        };
        self.world.command(id, TorrentCommand::Read(request));
        if self.rng.bool() {
            self.world.command(id, TorrentCommand::EndRead(reader));
        }
    }

    fn break_something(&mut self) {
        let node = self.any_node();
        let connections = self.world.connections_of(node);
        if let Some(&connection) = self.rng.choice(&connections) {
            self.world.break_connection(connection);
        }
    }

    /// Bytes change or go behind an engine's back; never the seed's, for then nobody could have the rest.
    fn harm_a_disk(&mut self) {
        let leecher = self.leechers[self.rng.usize(..self.leechers.len())];
        let piece = self.any_piece();
        if self.rng.bool() {
            self.world.corrupt(leecher, piece);
        } else {
            self.world.lose(leecher, piece);
        }
    }

    fn change_a_puppet(&mut self) {
        let Some(&puppet) = self.rng.choice(&self.puppets) else { return };
        match self.rng.u8(0..4) {
            0 => {
                let engine = self.any_engine();
                self.world.puppet_calls(puppet, engine);
            }
            1 => {
                let (piece, has) = (self.any_piece(), self.rng.bool());
                self.world.puppet_piece(puppet, piece, has);
            }
            2 => {
                let reads = self.rng.bool();
                self.world.set_reads(puppet, reads);
            }
            _ => {
                let answers = draw_answers(&mut self.rng);
                self.world.set_manners(puppet, |manners| manners.answers = answers);
            }
        }
    }

    /// Nothing goes wrong any more: everything that is wanted must be complete, and right.
    fn heal(&mut self) -> Result<(), Failure> {
        self.world.set_tracker_works(true);
        for node in self.world.node_ids() {
            self.world.set_apart(node, false);
            self.world.set_reads(node, true);
        }
        let engines = self.engines();
        for &id in &engines {
            self.world.set_disk_fault(id, DiskFault::None);
            self.world.set_disk_pace(id, DiskPace::FAST);
            self.world.set_limits(id, None, None);
            self.world.set_slots(id, limits::CONNECTIONS_MAX);
            self.world.command(id, TorrentCommand::Resume);
            self.world.introduce(id, self.seed);
        }
        self.world.run(CALM_AFTER)?;
        self.world.set_calm(true);
        let ids = engines.clone();
        let all_done = self.world.run_until_done(HEALED_MAX, |world| {
            let done = |id: &NodeId| world.engine(*id).is_some_and(|node| is_done(node.state()));
            ids.iter().all(done)
        })?;
        for &id in &engines {
            self.judge(id, all_done)?;
        }
        Ok(())
    }

    /// Whether an engine has what it wants, and what it has is right.
    fn judge(&mut self, id: NodeId, all_done: bool) -> Result<(), Failure> {
        let Some(node) = self.world.engine_mut(id) else { return Ok(()) };
        if !all_done && !is_done(node.state()) {
            let now = self.world.now();
            let Some(node) = self.world.engine_mut(id) else { return Ok(()) };
            let row = node.torrent().row(now, 0);
            let runs: Vec<_> = node.torrent_mut().piece_runs(now).iter().collect();
            let what = format!(
                "not complete {HEALED_MAX:?} after everything healed: {:?} {:?} {:?} {:?} runs {runs:?}",
                row.state, row.cause, row.peers, row.pieces
            );
            self.world.fail(id, what);
        }
        if let Some(piece) = self.world.engine(id).and_then(|node| node.first_wrong()) {
            self.world.fail(id, format!("has piece {} and its bytes are wrong", piece.0));
        }
        self.world.run(Duration::from_millis(1))
    }

    /// Everybody says goodbye, in any state.
    fn stop(&mut self) -> Result<(), Failure> {
        let engines = self.engines();
        for &id in &engines {
            self.world.command(id, TorrentCommand::Stop);
        }
        let ids = engines.clone();
        let ended = self.world.run_until_done(STOPPED_MAX, |world| {
            ids.iter().all(|id| world.engine(*id).is_some_and(super::EngineNode::is_stopped))
        })?;
        if !ended {
            self.world.fail(self.seed, format!("an engine is not stopped after {STOPPED_MAX:?}"));
        }
        self.world.run(Duration::from_millis(1))
    }

    fn engines(&self) -> Vec<NodeId> {
        std::iter::once(self.seed).chain(self.leechers.iter().copied()).collect()
    }

    fn any_engine(&mut self) -> NodeId {
        let engines = self.engines();
        engines[self.rng.usize(..engines.len())]
    }

    fn any_node(&mut self) -> NodeId {
        let nodes = self.world.node_ids().collect::<Vec<_>>();
        nodes[self.rng.usize(..nodes.len())]
    }

    fn any_piece(&mut self) -> PieceIndex {
        PieceIndex(self.rng.u32(..self.world.payload().info.piece_count()))
    }
}

fn is_done(state: TorrentState) -> bool {
    matches!(state, TorrentState::Seeding | TorrentState::Finished)
}

fn draw_shape(rng: &mut fastrand::Rng) -> Shape {
    let piece_length = (16 * 1024) << rng.u32(0..3);
    let count = rng.usize(1..=8);
    let mut files: Vec<u64> = (0..count)
        .map(|_| match rng.u8(0..6) {
            0 => 0,
            1 => rng.u64(1..5_000),
            _ => rng.u64(1..400_000),
        })
        .collect();
    let mut pads = Vec::new();
    if rng.u8(0..4) == 0 {
        // Each file padded to a whole piece.
        let length = u64::from(piece_length);
        let mut padded = Vec::new();
        for file in files {
            padded.push(file);
            if file % length != 0 {
                pads.push(padded.len());
                padded.push(length - file % length);
            }
        }
        files = padded;
    }
    if files.iter().sum::<u64>() == 0 {
        files[0] = 100_000;
        pads.clear();
    }
    Shape { files, piece_length, pads, seed: rng.u64(..) }
}

fn draw_quality(rng: &mut fastrand::Rng) -> LinkQuality {
    LinkQuality {
        latency: Duration::from_micros(rng.u64(200..120_000)),
        rate: rng.u64(100_000..10_000_000),
        lost_per_mille: if rng.bool() { 0 } else { rng.u32(0..30) },
    }
}

fn draw_leecher(rng: &mut fastrand::Rng, world: &World, tracker: bool) -> EngineOptions {
    let count = world.payload().info.piece_count();
    let on_disk = match rng.u8(0..4) {
        0 => Some((0..count).map(PieceIndex).filter(|_| rng.bool()).collect()),
        1 => None,
        _ => Some(Vec::new()),
    };
    let check = [CheckPolicy::Auto, CheckPolicy::Never, CheckPolicy::Always][rng.usize(..3)];
    let trust = if rng.bool() { StoreTrust::Yes } else { StoreTrust::No };
    // Right only where the data is whole, as the user says.
    let assume = if on_disk.is_none() && rng.bool() { Assume::Complete } else { Assume::Nothing };
    EngineOptions {
        on_disk,
        recorded: rng.bool(),
        policy: Policy { check, trust, assume, ..Policy::default() },
        record: ResumeRecord { paused: rng.u8(0..8) == 0, ..ResumeRecord::default() },
        tracker,
        fast: rng.u8(0..4) > 0,
        ..EngineOptions::leecher()
    }
}

fn draw_manners(rng: &mut fastrand::Rng, world: &World) -> Manners {
    let count = world.payload().info.piece_count();
    let holding = match rng.u8(0..3) {
        0 => Holding::All,
        1 => Holding::Nothing,
        _ => Holding::Pieces((0..count).map(PieceIndex).filter(|_| rng.bool()).collect()),
    };
    let turn = Duration::from_millis(rng.u64(50..20_000));
    let unchokes = [Unchokes::Always, Unchokes::Never, Unchokes::Flaps(turn), Unchokes::After(turn)];
    let flood = match rng.u8(0..8) {
        0 => Some(Flood::Requests),
        1 => Some(Flood::Rejects),
        2 => Some(Flood::Again(Message::Have(PieceIndex(0)))),
        3 => Some(Flood::Again(Message::Interested)),
        _ => None,
    };
    Manners {
        fast: rng.bool(),
        holding,
        unchokes: unchokes[rng.usize(..4)],
        answers: draw_answers(rng),
        wants: rng.bool(),
        reads: rng.u8(0..6) > 0,
        flood,
        closes_after_blocks: (rng.u8(0..5) == 0).then(|| rng.u32(1..20)),
        heeds_cancels: true,
    }
}

fn draw_answers(rng: &mut fastrand::Rng) -> Answers {
    match rng.u8(0..10) {
        0 => Answers::Never,
        1 => Answers::Corrupt { one_in: rng.u32(1..10) },
        2 => Answers::Reject,
        3 => Answers::Trickle(Duration::from_millis(rng.u64(100..5_000))),
        4 => Answers::TooShort,
        5 => Answers::AndUnasked,
        _ => Answers::Right,
    }
}

#[cfg(test)]
mod tests;
