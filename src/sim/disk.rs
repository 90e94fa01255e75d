//! A disk that is slow, full, failing, or loses what was not synced when the power goes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::payload::Payload;
use crate::codec::peer::BlockRequest;
use crate::contract::Untrusted;
use crate::engine::io::{DiskError, DiskErrorKind, HashOutcome, Input, ResumeRecord};
use crate::limits::BLOCK_BYTES;
use crate::units::{FileIndex, PieceIndex, Time};

/// What is wrong with a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiskFault {
    /// Nothing.
    #[default]
    None,
    /// Writes find no space.
    Full,
    /// Reads and writes fail.
    Broken,
    /// Nothing is answered, and nothing is lost: answers come when it heals.
    Hangs,
}

/// How long a disk takes.
#[derive(Clone, Copy, Debug)]
pub struct DiskPace {
    /// For each job.
    pub job: Duration,
    /// For a sync.
    pub sync: Duration,
    /// Bytes per second.
    pub rate: u64,
}

impl DiskPace {
    /// A disk that is never waited for long.
    pub const FAST: Self =
        Self { job: Duration::from_micros(100), sync: Duration::from_millis(5), rate: 500_000_000 };
    /// A disk a hundred times slower than the network.
    pub const SLOW: Self =
        Self { job: Duration::from_millis(20), sync: Duration::from_millis(400), rate: 400_000 };
}

/// A record that was saved, with the state of each file when it was.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    pub(super) record: ResumeRecord,
    stamps: Vec<u64>,
}

/// The disk of one engine.
#[derive(Debug)]
pub(super) struct Disk {
    payload: Payload,
    /// What is at the place of each block, if anything is.
    blocks: BTreeMap<(PieceIndex, u32), Bytes>,
    unsynced: BTreeSet<(PieceIndex, u32)>,
    /// Counts up with each write to a file: its modification time.
    stamps: Vec<u64>,
    pub(super) saved: Option<Saved>,
    pub(super) fault: DiskFault,
    pub(super) pace: DiskPace,
    /// Jobs that hang, in order.
    pub(super) hung: Vec<Job>,
    busy_until: Time,
    /// Pieces that were stored whole and right, for the checker: none is stored twice.
    pub(super) stored: BTreeSet<PieceIndex>,
    /// Blocks that were written since their piece was last found missing or wrong, for the checker: none is written twice.
    written: BTreeSet<(PieceIndex, u32)>,
    /// Blocks whose write was asked for and is not answered yet.
    being_written: BTreeSet<(PieceIndex, u32)>,
    /// Those that came whole with their piece meanwhile, or whose piece was forgotten: nobody counts on them, so they are
    /// written once more.
    overtaken: BTreeSet<(PieceIndex, u32)>,
    /// A block that was written twice.
    written_twice: Option<(PieceIndex, u32)>,
    /// Pieces that failed their hash: to find who lies, what came of one sender is dropped when another takes over.
    failed: BTreeSet<PieceIndex>,
    /// Pieces whose bytes were damaged behind the engine's back, until it stores them anew.
    pub(super) damaged: BTreeSet<PieceIndex>,
}

/// What an engine asks of its disk.
#[derive(Clone, Debug)]
pub(super) enum Job {
    Store { piece: PieceIndex, blocks: Vec<(u32, Bytes)> },
    Write { piece: PieceIndex, blocks: Vec<(u32, Bytes)> },
    Hash { piece: PieceIndex },
    Read { reader: crate::engine::io::BlockReader, range: BlockRequest },
    Save { generation: u64, record: Box<ResumeRecord>, covers: BTreeSet<(PieceIndex, u32)> },
}

impl Disk {
    pub(super) fn new(payload: Payload) -> Self {
        Self {
            blocks: BTreeMap::new(),
            unsynced: BTreeSet::new(),
            stamps: vec![0; payload.info.files.len()],
            saved: None,
            fault: DiskFault::None,
            pace: DiskPace::FAST,
            hung: Vec::new(),
            busy_until: Time::ZERO,
            stored: BTreeSet::new(),
            written: BTreeSet::new(),
            being_written: BTreeSet::new(),
            overtaken: BTreeSet::new(),
            written_twice: None,
            failed: BTreeSet::new(),
            damaged: BTreeSet::new(),
            payload,
        }
    }

    /// Puts the right bytes of a piece there, as if by another program.
    pub(super) fn put_right(&mut self, piece: PieceIndex) {
        for (begin, length) in blocks_of(&self.payload, piece) {
            let data = self.payload.range(piece, begin, length);
            self.blocks.insert((piece, begin), data);
        }
        self.touch(piece);
    }

    /// Flips a byte of a piece that is there, as a failing disk does.
    pub(super) fn corrupt(&mut self, piece: PieceIndex) {
        if let Some(data) = self.blocks.get_mut(&(piece, 0)) {
            let mut bytes = data.to_vec();
            bytes[0] ^= 1;
            *data = bytes.into();
            self.damaged.insert(piece);
            self.forget_stored(piece);
        }
    }

    /// A piece is missing or wrong, and its engine may find out: it may be stored again.
    pub(super) fn forget_stored(&mut self, piece: PieceIndex) {
        self.stored.remove(&piece);
        self.written.retain(|(at, _)| *at != piece);
        // What is on its way lands behind the finding, and is no longer counted on.
        self.overtaken.extend(self.being_written.iter().filter(|(at, _)| *at == piece));
    }

    /// A block that was written though it was there already, since this was asked last.
    pub(super) fn take_written_twice(&mut self) -> Option<(PieceIndex, u32)> {
        self.written_twice.take()
    }

    /// Takes a piece away, as if by another program.
    pub(super) fn lose(&mut self, piece: PieceIndex) {
        self.blocks.retain(|(at, _), _| *at != piece);
        self.forget_stored(piece);
        self.damaged.insert(piece);
        self.touch(piece);
    }

    /// Whether the right bytes of a piece are there.
    pub(super) fn is_right(&self, piece: PieceIndex) -> bool {
        blocks_of(&self.payload, piece).all(|block| self.is_block_right(piece, block))
    }

    fn is_block_right(&self, piece: PieceIndex, (begin, length): (u32, u32)) -> bool {
        let due = self.payload.range(piece, begin, length);
        let on_disk = self.blocks.get(&(piece, begin));
        on_disk.is_some_and(|data| is_same(data, &due)) || self.is_pad(piece, begin, length)
    }

    /// A sync followed by a record: what was written so far is synced when it is done.
    pub(super) fn save_job(&self, generation: u64, record: Box<ResumeRecord>) -> Job {
        Job::Save { generation, record, covers: self.unsynced.clone() }
    }

    /// A job is asked for.
    pub(super) fn note_asked(&mut self, job: &Job) {
        match job {
            Job::Write { piece, blocks } => {
                self.being_written.extend(blocks.iter().map(|(begin, _)| (*piece, *begin)));
            }
            Job::Store { piece, blocks } => {
                let places = blocks.iter().map(|(begin, _)| (*piece, *begin));
                self.overtaken.extend(places.filter(|place| self.being_written.contains(place)));
            }
            Job::Hash { .. } | Job::Read { .. } | Job::Save { .. } => {}
        }
    }

    /// When a job that begins now is done. Jobs queue behind each other.
    pub(super) fn done_at(&mut self, now: Time, job: &Job) -> Time {
        let bytes = match job {
            Job::Store { blocks, .. } | Job::Write { blocks, .. } => {
                blocks.iter().map(|(_, data)| data.len() as u64).sum()
            }
            Job::Hash { piece } => u64::from(self.payload.info.piece_bytes(*piece)),
            Job::Read { range, .. } => u64::from(range.length),
            Job::Save { .. } => 0,
        };
        if matches!(job, Job::Save { .. }) {
            // Syncs have threads of their own and hold nobody up.
            return now + self.pace.sync;
        }
        let takes = self.pace.job + Duration::from_micros(bytes * 1_000_000 / self.pace.rate.max(1));
        self.busy_until = self.busy_until.max(now) + takes;
        self.busy_until
    }

    /// Does a job; gives the answer.
    pub(super) fn perform(&mut self, job: Job) -> Input {
        if let Job::Write { piece, blocks } = &job {
            blocks.iter().for_each(|(begin, _)| {
                self.being_written.remove(&(*piece, *begin));
            });
        }
        match (self.fault, job) {
            (DiskFault::Full, Job::Store { piece, .. }) => Input::StoreFailed { piece, error: full() },
            (DiskFault::Full, Job::Write { piece, .. }) => Input::WriteFailed { piece, error: full() },
            (DiskFault::Broken, Job::Store { piece, .. }) => Input::StoreFailed { piece, error: broken() },
            (DiskFault::Broken, Job::Write { piece, .. }) => Input::WriteFailed { piece, error: broken() },
            (DiskFault::Broken, Job::Hash { piece }) => {
                Input::PieceHashed { piece, outcome: HashOutcome::Failed(broken()) }
            }
            (DiskFault::Broken, Job::Read { reader, range }) => {
                Input::BlocksRead { reader, range, result: Err(broken()) }
            }
            (DiskFault::Broken | DiskFault::Full, Job::Save { generation, .. }) => {
                Input::ResumeSaved { generation, result: Err(broken()) }
            }
            (_, Job::Store { piece, blocks }) => self.store(piece, blocks),
            (_, Job::Write { piece, blocks }) => {
                let begins = blocks.iter().map(|(begin, _)| *begin).collect();
                self.write(piece, blocks);
                Input::BlocksWritten { piece, begins }
            }
            (_, Job::Hash { piece }) => Input::PieceHashed { piece, outcome: self.hash(piece) },
            (_, Job::Read { reader, range }) => Input::BlocksRead { reader, range, result: self.read(range) },
            (_, Job::Save { generation, record, covers }) => {
                self.unsynced.retain(|block| !covers.contains(block));
                self.saved = Some(Saved { record: *record, stamps: self.stamps.clone() });
                Input::ResumeSaved { generation, result: Ok(()) }
            }
        }
    }

    fn store(&mut self, piece: PieceIndex, blocks: Vec<(u32, Bytes)>) -> Input {
        let here: BTreeMap<u32, &Bytes> = blocks.iter().map(|(begin, data)| (*begin, data)).collect();
        let right = blocks_of(&self.payload, piece).all(|(begin, length)| {
            let due = self.payload.range(piece, begin, length);
            let on_disk = self.blocks.get(&(piece, begin));
            let data = here.get(&begin).copied().or(on_disk);
            data.is_some_and(|data| is_same(data, &due)) || self.is_pad(piece, begin, length)
        });
        if !right {
            self.forget_stored(piece);
            self.failed.insert(piece);
            return Input::PieceMismatch { piece };
        }
        self.write(piece, blocks);
        self.damaged.remove(&piece);
        Input::PieceStored { piece }
    }

    fn write(&mut self, piece: PieceIndex, blocks: Vec<(u32, Bytes)>) {
        for (begin, data) in blocks {
            let place = (piece, begin);
            let again = !self.written.insert(place);
            if again && !self.overtaken.remove(&place) && !self.failed.contains(&piece) {
                self.written_twice = Some((piece, begin));
            }
            self.blocks.insert((piece, begin), data);
            self.unsynced.insert((piece, begin));
        }
        self.touch(piece);
    }

    fn hash(&self, piece: PieceIndex) -> HashOutcome {
        let absent = blocks_of(&self.payload, piece).any(|(begin, length)| {
            !self.is_pad(piece, begin, length) && !self.blocks.contains_key(&(piece, begin))
        });
        match (absent, self.is_right(piece)) {
            (true, _) => HashOutcome::NoData,
            (false, true) => HashOutcome::Match,
            (false, false) => HashOutcome::Mismatch,
        }
    }

    fn read(&self, range: BlockRequest) -> Result<Bytes, DiskError> {
        if let Some(data) = self.blocks.get(&(range.piece, range.begin))
            && data.len() == range.length as usize
        {
            return Ok(data.clone());
        }
        // Right bytes go round as slices of the one payload: the checkers need not look at each copy of them.
        let end = range.begin + range.length;
        let overlaps = |(begin, length): &(u32, u32)| *begin < end && begin + length > range.begin;
        if blocks_of(&self.payload, range.piece)
            .filter(overlaps)
            .all(|block| self.is_block_right(range.piece, block))
        {
            return Ok(self.payload.range(range.piece, range.begin, range.length));
        }
        let mut bytes = Vec::with_capacity(range.length as usize);
        for (begin, length) in blocks_of(&self.payload, range.piece).filter(overlaps) {
            let (from, to) = (range.begin.max(begin), end.min(begin + length));
            let zeros = Bytes::from(vec![0; length as usize]);
            let data = match self.blocks.get(&(range.piece, begin)) {
                Some(data) => data,
                None if self.is_pad(range.piece, begin, length) => &zeros,
                None => return Err(error(DiskErrorKind::Missing, "the file is too short")),
            };
            bytes.extend_from_slice(&data[(from - begin) as usize..(to - begin) as usize]);
        }
        Ok(bytes.into())
    }

    /// The power goes: of what was not synced some is lost, some of it half-way.
    pub(super) fn crash(&mut self, rng: &mut fastrand::Rng) {
        self.hung.clear();
        self.busy_until = Time::ZERO;
        for key in std::mem::take(&mut self.unsynced) {
            match rng.u8(0..3) {
                0 => {}
                1 => {
                    self.blocks.remove(&key);
                }
                _ => {
                    // Torn: the second half never arrived.
                    if let Some(data) = self.blocks.get_mut(&key) {
                        let mut bytes = data.to_vec();
                        let half = bytes.len() / 2;
                        bytes[half..].fill(0);
                        *data = bytes.into();
                    }
                }
            }
        }
        // What no record claims may be fetched again.
        self.stored.clear();
        self.written.clear();
        self.being_written.clear();
        self.overtaken.clear();
    }

    /// The files of which the saved record says nothing that can be believed.
    pub(super) fn untrusted_files(&self) -> BTreeSet<FileIndex> {
        let Some(saved) = &self.saved else { return BTreeSet::new() };
        let all = self.payload.info.file_indices().zip(saved.stamps.iter().zip(&self.stamps));
        all.filter(|(_, (then, now))| then != now).map(|(file, _)| file).collect()
    }

    /// The length of each file.
    pub(super) fn lengths(&self) -> Vec<u64> {
        let info = &self.payload.info;
        let mut lengths = vec![0; info.files.len()];
        for ((piece, begin), data) in &self.blocks {
            let length = u32::try_from(data.len()).expect("a block is small");
            for span in info.spans(*piece, *begin, length).filter(|span| !span.pad) {
                let end = span.file_offset + u64::from(span.bytes);
                let known: &mut u64 = &mut lengths[span.file.at()];
                *known = end.max(*known);
            }
        }
        lengths
    }

    fn touch(&mut self, piece: PieceIndex) {
        let info = &self.payload.info;
        for span in info.spans(piece, 0, info.piece_bytes(piece)) {
            self.stamps[span.file.at()] += 1;
        }
    }

    fn is_pad(&self, piece: PieceIndex, begin: u32, length: u32) -> bool {
        self.payload.info.spans(piece, begin, length).all(|span| span.pad)
    }
}

/// First byte and length of each block of a piece.
pub(super) fn blocks_of(payload: &Payload, piece: PieceIndex) -> impl Iterator<Item = (u32, u32)> + use<> {
    let bytes = payload.info.piece_bytes(piece);
    (0..bytes.div_ceil(BLOCK_BYTES)).map(move |block| {
        let begin = block * BLOCK_BYTES;
        (begin, BLOCK_BYTES.min(bytes - begin))
    })
}

/// Whether two blocks hold equal bytes. Most are slices of the one payload, and need not be looked at.
pub(super) fn is_same(one: &Bytes, other: &Bytes) -> bool {
    one.len() == other.len() && (one.as_ptr() == other.as_ptr() || one == other)
}

fn error(kind: DiskErrorKind, message: &str) -> DiskError {
    DiskError { kind, message: Untrusted::new(message) }
}

fn full() -> DiskError {
    error(DiskErrorKind::Full, "no space left")
}

fn broken() -> DiskError {
    error(DiskErrorKind::Other, "input/output error")
}
