//! What can be asked of the disk threads, and how each request is answered.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use bytes::Bytes;

use super::error::other;
use super::files::{self, FileStamp, Gathered};
use super::piece::{self, Verdict};
use super::storage::Storage;
use crate::codec::peer::BlockRequest;
use crate::engine::io::{BlockReader, DiskError, HashOutcome, Input};
use crate::units::{FileIndex, PieceIndex};

/// Takes the answer of a job, once. It runs on a disk thread (or, for a job that was refused, where it is refused) and
/// may block there only for moments.
pub type Done<T> = Box<dyn FnOnce(T) + Send>;

/// What to do with a piece: the engine's effects of the same names.
#[derive(Clone, Debug)]
pub enum PieceWork {
    /// Hash; if right, write. Answered by `PieceStored`, `PieceMismatch` or `StoreFailed`.
    Store {
        /// The piece.
        piece: PieceIndex,
        /// First byte and bytes of each block in memory, ascending. Others are read from disk.
        blocks: Vec<(u32, Bytes)>,
    },
    /// Write unverified blocks. Answered by `BlocksWritten` or `WriteFailed`.
    Write {
        /// The piece.
        piece: PieceIndex,
        /// First byte and bytes of each block, ascending.
        blocks: Vec<(u32, Bytes)>,
    },
    /// Hash what is on disk. Answered by `PieceHashed`.
    Hash {
        /// The piece.
        piece: PieceIndex,
    },
    /// Read a range. Answered by `BlocksRead`.
    Read {
        /// Whom it is for.
        reader: BlockReader,
        /// The range.
        range: BlockRequest,
    },
}

impl PieceWork {
    fn queued_bytes(&self) -> u64 {
        match self {
            Self::Store { blocks, .. } | Self::Write { blocks, .. } => {
                blocks.iter().map(|(_, block)| block.len() as u64).sum()
            }
            Self::Hash { .. } | Self::Read { .. } => 0,
        }
    }

    fn perform(&self, storage: &Storage, chunk: &mut Vec<u8>) -> Input {
        match self {
            Self::Store { piece, blocks } => match piece::store(storage, *piece, blocks, chunk) {
                Ok(Verdict::Match) => Input::PieceStored { piece: *piece },
                Ok(Verdict::Mismatch) => Input::PieceMismatch { piece: *piece },
                Err(error) => self.failed(error),
            },
            Self::Write { piece, blocks } => match piece::write(storage, *piece, blocks) {
                Ok(()) => {
                    let begins = blocks.iter().map(|(begin, _)| *begin).collect();
                    Input::BlocksWritten { piece: *piece, begins }
                }
                Err(error) => self.failed(error),
            },
            Self::Hash { piece } => {
                Input::PieceHashed { piece: *piece, outcome: piece::check(storage, *piece, chunk) }
            }
            Self::Read { reader, range } => {
                Input::BlocksRead { reader: *reader, range: *range, result: piece::read(storage, range) }
            }
        }
    }

    fn failed(&self, error: DiskError) -> Input {
        match self {
            Self::Store { piece, .. } => Input::StoreFailed { piece: *piece, error },
            Self::Write { piece, .. } => Input::WriteFailed { piece: *piece, error },
            Self::Hash { piece } => Input::PieceHashed { piece: *piece, outcome: HashOutcome::Failed(error) },
            Self::Read { reader, range } => {
                Input::BlocksRead { reader: *reader, range: *range, result: Err(error) }
            }
        }
    }
}

/// One request to the disk threads. It is answered exactly once, whatever happens.
pub struct Job {
    storage: Arc<Storage>,
    task: Task,
}

enum Task {
    Piece(PieceWork, Done<Input>),
    Sync(Done<Result<(), DiskError>>),
    Gather(Vec<FileIndex>, Done<Result<Gathered, DiskError>>),
    KeptApart(Done<Result<BTreeSet<(PieceIndex, FileIndex)>, DiskError>>),
    Delete(Done<Result<(), DiskError>>),
    Stamps(Done<Result<Vec<Option<FileStamp>>, DiskError>>),
}

/// Which threads do a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Work,
    Sync,
}

impl Job {
    /// Work on a piece.
    pub fn piece(storage: Arc<Storage>, work: PieceWork, done: impl FnOnce(Input) + Send + 'static) -> Self {
        Self { storage, task: Task::Piece(work, Box::new(done)) }
    }

    /// Waits until the device has everything of the torrent whose storing was answered before this was submitted.
    pub fn sync(storage: Arc<Storage>, done: impl FnOnce(Result<(), DiskError>) + Send + 'static) -> Self {
        Self { storage, task: Task::Sync(Box::new(done)) }
    }

    /// Makes those of these files that are wanted and hold no byte, and moves what is kept apart of the others into
    /// them.
    pub fn gather(
        storage: Arc<Storage>,
        files: Vec<FileIndex>,
        done: impl FnOnce(Result<Gathered, DiskError>) + Send + 'static,
    ) -> Self {
        Self { storage, task: Task::Gather(files, Box::new(done)) }
    }

    /// Asks of which pieces all bytes in a file are kept apart.
    pub fn kept_apart(
        storage: Arc<Storage>,
        done: impl FnOnce(Result<BTreeSet<(PieceIndex, FileIndex)>, DiskError>) + Send + 'static,
    ) -> Self {
        Self { storage, task: Task::KeptApart(Box::new(done)) }
    }

    /// Deletes the torrent's files and the folders that become empty. Writes that come later fail; submit it
    /// when none is under way.
    pub fn delete(storage: Arc<Storage>, done: impl FnOnce(Result<(), DiskError>) + Send + 'static) -> Self {
        Self { storage, task: Task::Delete(Box::new(done)) }
    }

    /// Looks at length and modification time of each file.
    pub fn stamps(
        storage: Arc<Storage>,
        done: impl FnOnce(Result<Vec<Option<FileStamp>>, DiskError>) + Send + 'static,
    ) -> Self {
        Self { storage, task: Task::Stamps(Box::new(done)) }
    }

    /// Answers it with an error, undone.
    pub fn refuse(self, why: &str) {
        self.answer_failed(other(format!("the disk queue took no more work: {why}")));
    }

    pub(super) const fn lane(&self) -> Lane {
        match self.task {
            Task::Sync(_) => Lane::Sync,
            Task::Piece(..) | Task::Gather(..) | Task::KeptApart(_) | Task::Delete(_) | Task::Stamps(_) => {
                Lane::Work
            }
        }
    }

    /// The torrent it belongs to.
    pub(super) const fn storage(&self) -> &Arc<Storage> {
        &self.storage
    }

    /// Payload bytes that it holds in memory.
    pub(super) fn queued_bytes(&self) -> u64 {
        match &self.task {
            Task::Piece(work, _) => work.queued_bytes(),
            Task::Sync(_) | Task::Gather(..) | Task::KeptApart(_) | Task::Delete(_) | Task::Stamps(_) => 0,
        }
    }

    /// Does it; `before_answer` runs when it is done and before anyone hears of it. A panic is answered as a failure
    /// and then goes on, to be told by the thread's end.
    pub(super) fn run(self, chunk: &mut Vec<u8>, before_answer: impl FnOnce()) {
        let Self { storage, task } = self;
        #[cfg(test)]
        storage.pass_gate();
        match task {
            Task::Piece(work, done) => {
                let result = catch_unwind(AssertUnwindSafe(|| work.perform(&storage, chunk)));
                before_answer();
                answer(done, result, |error| work.failed(error));
            }
            Task::Sync(done) => whole(&storage, done, before_answer, Storage::sync),
            Task::Gather(list, done) => {
                whole(&storage, done, before_answer, |storage| files::gather(storage, &list));
            }
            Task::KeptApart(done) => whole(&storage, done, before_answer, Storage::kept_apart),
            Task::Delete(done) => whole(&storage, done, before_answer, files::delete),
            Task::Stamps(done) => whole(&storage, done, before_answer, files::stamps),
        }
    }

    fn answer_failed(self, error: DiskError) {
        match self.task {
            Task::Piece(work, done) => done(work.failed(error)),
            Task::Sync(done) | Task::Delete(done) => done(Err(error)),
            Task::Gather(_, done) => done(Err(error)),
            Task::KeptApart(done) => done(Err(error)),
            Task::Stamps(done) => done(Err(error)),
        }
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let task = match &self.task {
            Task::Piece(PieceWork::Store { piece, .. }, _) => format!("store piece {}", piece.0),
            Task::Piece(PieceWork::Write { piece, .. }, _) => format!("write blocks of piece {}", piece.0),
            Task::Piece(PieceWork::Hash { piece }, _) => format!("hash piece {}", piece.0),
            Task::Piece(PieceWork::Read { range, .. }, _) => format!("read piece {}", range.piece.0),
            Task::Sync(_) => "sync".to_owned(),
            Task::Gather(list, _) => format!("gather {} files", list.len()),
            Task::KeptApart(_) => "look at what is kept apart".to_owned(),
            Task::Delete(_) => "delete".to_owned(),
            Task::Stamps(_) => "look at files".to_owned(),
        };
        write!(f, "Job({task})")
    }
}

fn whole<T>(
    storage: &Storage,
    done: Done<Result<T, DiskError>>,
    before_answer: impl FnOnce(),
    work: impl FnOnce(&Storage) -> Result<T, DiskError>,
) {
    let result = catch_unwind(AssertUnwindSafe(|| work(storage)));
    before_answer();
    answer(done, result, Err);
}

fn answer<T>(done: Done<T>, result: std::thread::Result<T>, failed: impl FnOnce(DiskError) -> T) {
    match result {
        Ok(value) => done(value),
        Err(panic) => {
            done(failed(other(
                "the disk thread failed in this job, which is a bug: please report it".to_owned(),
            )));
            resume_unwind(panic);
        }
    }
}
