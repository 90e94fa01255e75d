//! Checks that are stopped in the middle, by hand or by the end of the program, go on where they were.

use super::*;
use crate::contract::CheckPolicy;
use crate::engine::torrent::Origin;

/// Pieces that are hashed before a check is stopped.
const BEFORE: usize = 20;

/// A torrent whose disk answers when it is told to.
struct Checked {
    torrent: Torrent,
    now: Time,
    asked: VecDeque<PieceIndex>,
    /// How often each piece was hashed.
    hashed: BTreeMap<PieceIndex, u32>,
    saved: Option<ResumeRecord>,
}

impl Checked {
    /// What nothing is known of is checked.
    fn new(world: &World, start: StartingPoint) -> Self {
        Self::under(CheckPolicy::Auto, world, start)
    }

    fn under(check: CheckPolicy, world: &World, start: StartingPoint) -> Self {
        let bytes_on_disk = world.payload.info.files.iter().map(|file| file.bytes).collect();
        let start = StartingPoint { bytes_on_disk, ..start };
        let policy = Policy { check, ..Policy::default() };
        let torrent = Torrent::new(Time::ZERO, Setup { policy, ..world.setup(start) });
        let mut checked =
            Self { torrent, now: Time::ZERO, asked: VecDeque::new(), hashed: BTreeMap::new(), saved: None };
        checked.turn(Input::Deadline);
        checked
    }

    fn turn(&mut self, input: Input) {
        self.now = self.now + Duration::from_millis(1);
        self.torrent.handle(self.now, input);
        self.torrent.end_turn(self.now);
        assert_eq!(self.torrent.inconsistency(), None);
        let mut saves = Vec::new();
        while let Some(effect) = self.torrent.poll_effect() {
            match effect {
                Effect::HashPiece { piece } => self.asked.push_back(piece),
                Effect::SaveResume { generation, record } => {
                    self.saved = Some(*record);
                    saves.push(Input::ResumeSaved { generation, result: Ok(()) });
                }
                _ => {}
            }
        }
        saves.into_iter().for_each(|saved| self.turn(saved));
    }

    /// The disk answers up to so many questions, all of them good.
    fn answer(&mut self, most: usize) {
        for _ in 0..most {
            let Some(piece) = self.asked.pop_front() else { return };
            *self.hashed.entry(piece).or_default() += 1;
            self.turn(Input::PieceHashed { piece, outcome: HashOutcome::Match });
        }
    }

    fn command(&mut self, command: TorrentCommand) {
        self.turn(Input::Command(command));
    }
}

fn all_once(world: &World) -> BTreeMap<PieceIndex, u32> {
    (0..world.payload.info.piece_count()).map(|piece| (PieceIndex(piece), 1)).collect()
}

#[test]
fn a_check_that_is_paused_goes_on_where_it_was() {
    let world = World::new(1, 8_000_000);
    let mut checked = Checked::new(&world, StartingPoint::default());
    checked.answer(BEFORE);
    checked.command(TorrentCommand::Pause);
    // What was under way is answered, and no more is asked.
    let under_way = checked.asked.len();
    checked.answer(usize::MAX);
    assert_eq!(checked.hashed.len(), BEFORE + under_way);
    assert!(checked.hashed.len() < all_once(&world).len(), "the torrent is too small for this test");
    checked.command(TorrentCommand::Resume);
    assert_eq!(checked.torrent.state(), TorrentState::Checking);
    checked.answer(usize::MAX);
    assert_eq!(checked.hashed, all_once(&world));
    assert_eq!(checked.torrent.state(), TorrentState::Seeding);
}

#[test]
fn a_check_goes_on_in_the_next_run_where_it_was() {
    let world = World::new(1, 8_000_000);
    for asked_for in [true, false] {
        let mut first = Checked::new(&world, StartingPoint::default());
        if asked_for {
            first.answer(usize::MAX);
            first.hashed.clear();
            first.command(TorrentCommand::Recheck);
        }
        first.answer(BEFORE);
        first.command(TorrentCommand::Stop);
        first.answer(usize::MAX);
        assert!(first.hashed.len() >= BEFORE && first.hashed.len() < all_once(&world).len());
        let record = first.saved.take();
        let start = StartingPoint { origin: Origin::Restored, record, ..StartingPoint::default() };
        let mut second = Checked::new(&world, start);
        assert_eq!(second.torrent.state(), TorrentState::Checking);
        second.answer(usize::MAX);
        assert_eq!(second.torrent.state(), TorrentState::Seeding);
        // Answers that came after the last record are asked for again: those of the pieces that were under way.
        let again = second.hashed.keys().filter(|piece| first.hashed.contains_key(piece)).count();
        assert!(again <= limits::CHECKS_IN_FLIGHT_MAX, "{again} pieces were hashed again");
        first.hashed.append(&mut second.hashed);
        assert_eq!(first.hashed, all_once(&world), "asked for: {asked_for}");
    }
}

#[test]
fn where_everything_is_to_be_checked_a_record_is_not_believed() {
    let world = World::new(1, 8_000_000);
    let mut first = Checked::new(&world, StartingPoint::default());
    first.answer(usize::MAX);
    first.command(TorrentCommand::Stop);
    let start = StartingPoint { record: first.saved.take(), ..StartingPoint::default() };
    let mut second = Checked::under(CheckPolicy::Always, &world, start);
    second.answer(usize::MAX);
    assert_eq!(second.hashed, all_once(&world));
}
