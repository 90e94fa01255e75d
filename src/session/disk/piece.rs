//! The bytes of a piece between memory, hash and files.
//!
//! Padding (BEP 47) reads as zeros and is never written. Blocks are hashed from the buffers they came in and written
//! with as few calls as their files allow.

use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use rustix::io::{Errno, pread, pwritev, retry_on_intr};

use super::beneath::Access;
use super::error::{Attempt, other, system_error, too_short};
use super::parts::{Place, ReadApart};
use super::storage::{Freshness, Storage};
use crate::codec::peer::BlockRequest;
use crate::engine::io::{DiskError, DiskErrorKind, HashOutcome};
use crate::limits::{DISK_CHUNK_BYTES, DISK_SLICES_PER_WRITE};
use crate::metainfo::Span;
use crate::units::{FileIndex, PieceIndex};

/// Whether bytes passed their hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Match,
    Mismatch,
}

/// Hashes a piece and, if it is right, writes the blocks. What is not in memory is read from disk.
pub(super) fn store(
    storage: &Storage,
    piece: PieceIndex,
    blocks: &[(u32, Bytes)],
    chunk: &mut Vec<u8>,
) -> Result<Verdict, DiskError> {
    let verdict = hash(storage, piece, blocks, Freshness::AnyOpen, chunk)?;
    if verdict == Verdict::Match {
        write(storage, piece, blocks)?;
    }
    Ok(verdict)
}

/// Hashes a piece as it is on disk now.
pub(super) fn check(storage: &Storage, piece: PieceIndex, chunk: &mut Vec<u8>) -> HashOutcome {
    match hash(storage, piece, &[], Freshness::AsNamed, chunk) {
        Ok(Verdict::Match) => HashOutcome::Match,
        Ok(Verdict::Mismatch) => HashOutcome::Mismatch,
        Err(error) if error.kind == DiskErrorKind::Missing => HashOutcome::NoData,
        Err(error) => HashOutcome::Failed(error),
    }
}

/// Reads a range of a piece.
pub(super) fn read(storage: &Storage, range: &BlockRequest) -> Result<Bytes, DiskError> {
    let end = u64::from(range.begin) + u64::from(range.length);
    if end > u64::from(storage.info().piece_bytes(range.piece)) {
        return Err(other(format!("reading piece {}: the range ends behind it", range.piece.0)));
    }
    let mut bytes = vec![0; range.length as usize];
    for span in storage.info().spans(range.piece, range.begin, range.length).filter(|span| !span.pad) {
        let at = (span.piece_offset - range.begin) as usize;
        let mut reader = Reader::new(storage, range.piece, span.file, Freshness::AnyOpen);
        reader.read(span.file_offset, &mut bytes[at..at + span.bytes as usize])?;
    }
    Ok(bytes.into())
}

/// Writes blocks, neighbours in a file together.
pub(super) fn write(storage: &Storage, piece: PieceIndex, blocks: &[(u32, Bytes)]) -> Result<(), DiskError> {
    let mut run: Option<Run<'_>> = None;
    for (begin, block) in blocks {
        let length = u32::try_from(block.len()).map_err(|_| other("writing a block of 4 GiB".to_owned()))?;
        for span in storage.info().spans(piece, *begin, length).filter(|span| !span.pad) {
            let at = (span.piece_offset - begin) as usize;
            let bytes = &block[at..at + span.bytes as usize];
            match run.as_mut().filter(|run| run.takes(&span)) {
                Some(run) => run.push(bytes),
                None => {
                    if let Some(full) = run.replace(Run::new(&span, bytes)) {
                        full.write(storage, piece)?;
                    }
                }
            }
        }
    }
    run.map_or(Ok(()), |run| run.write(storage, piece))
}

/// Neighbouring bytes of one file.
struct Run<'a> {
    file: FileIndex,
    offset: u64,
    end: u64,
    slices: Vec<IoSlice<'a>>,
}

impl<'a> Run<'a> {
    fn new(span: &Span, bytes: &'a [u8]) -> Self {
        let mut run =
            Self { file: span.file, offset: span.file_offset, end: span.file_offset, slices: Vec::new() };
        run.push(bytes);
        run
    }

    fn takes(&self, span: &Span) -> bool {
        self.file == span.file && self.end == span.file_offset && self.slices.len() < DISK_SLICES_PER_WRITE
    }

    fn push(&mut self, bytes: &'a [u8]) {
        self.end += bytes.len() as u64;
        self.slices.push(IoSlice::new(bytes));
    }

    fn write(mut self, storage: &Storage, piece: PieceIndex) -> Result<(), DiskError> {
        match storage.place(piece, self.file)? {
            Place::Real(file) => {
                let written = write_all(&file, &mut self.slices, self.offset);
                // Marked also where it failed half-way: some of it may have been written.
                storage.mark_written(self.file);
                written.map_err(|errno| system_error(Attempt::Write, &storage.path(self.file), errno))
            }
            Place::Apart(slot) => {
                let written = slot.write(&mut self.slices, self.offset);
                let whole = written.is_ok().then_some(self.offset..self.end);
                let given_back = storage.unpin(&slot, whole.as_ref());
                written.map_err(|errno| system_error(Attempt::Write, &storage.part_path(), errno))?;
                given_back
            }
        }
    }
}

/// Writes all of it, however many calls it takes.
pub(super) fn write_all(
    file: &OwnedFd,
    mut slices: &mut [IoSlice<'_>],
    mut offset: u64,
) -> rustix::io::Result<()> {
    while !slices.is_empty() {
        let written = retry_on_intr(|| pwritev(file, slices, offset))?;
        if written == 0 {
            return Err(Errno::NOSPC);
        }
        offset += written as u64;
        IoSlice::advance_slices(&mut slices, written);
    }
    Ok(())
}

/// Hashes a piece, in order, from the blocks and, between them, from disk.
fn hash(
    storage: &Storage,
    piece: PieceIndex,
    blocks: &[(u32, Bytes)],
    freshness: Freshness,
    chunk: &mut Vec<u8>,
) -> Result<Verdict, DiskError> {
    let Some(mut hasher) = storage.info().verifier(piece) else {
        return Err(other(format!("hashing piece {}: its right hash is not known yet", piece.0)));
    };
    let mut at = 0;
    for (begin, block) in blocks {
        feed(storage, piece, at..(*begin).max(at), freshness, chunk, |bytes| hasher.update(bytes))?;
        at = at.max(*begin);
        // Blocks that overlap are hashed once.
        let fresh = block.get((at - begin) as usize..).unwrap_or_default();
        hasher.update(fresh);
        at += u32::try_from(fresh.len()).map_err(|_| other("hashing a block of 4 GiB".to_owned()))?;
    }
    let end = storage.info().piece_bytes(piece).max(at);
    feed(storage, piece, at..end, freshness, chunk, |bytes| hasher.update(bytes))?;
    Ok(if hasher.finish() { Verdict::Match } else { Verdict::Mismatch })
}

/// Reads a range of a piece from disk, chunk by chunk.
fn feed(
    storage: &Storage,
    piece: PieceIndex,
    range: std::ops::Range<u32>,
    freshness: Freshness,
    chunk: &mut Vec<u8>,
    mut take: impl FnMut(&[u8]),
) -> Result<(), DiskError> {
    chunk.resize(DISK_CHUNK_BYTES, 0);
    for span in storage.info().spans(piece, range.start, range.end - range.start) {
        let mut offset = span.file_offset;
        let mut left = span.bytes as usize;
        if span.pad {
            chunk[..left.min(DISK_CHUNK_BYTES)].fill(0);
        }
        let mut reader = Reader::new(storage, piece, span.file, freshness);
        while left > 0 {
            let part = left.min(DISK_CHUNK_BYTES);
            if !span.pad {
                reader.read(offset, &mut chunk[..part])?;
            }
            take(&chunk[..part]);
            offset += part as u64;
            left -= part;
        }
    }
    Ok(())
}

/// Reads bytes of a piece that lie in one file, from wherever they are kept. The file is opened when it is needed.
struct Reader<'a> {
    storage: &'a Storage,
    piece: PieceIndex,
    file: FileIndex,
    freshness: Freshness,
    real: Option<Arc<OwnedFd>>,
}

impl<'a> Reader<'a> {
    const fn new(storage: &'a Storage, piece: PieceIndex, file: FileIndex, freshness: Freshness) -> Self {
        Self { storage, piece, file, freshness, real: None }
    }

    fn read(&mut self, mut offset: u64, mut into: &mut [u8]) -> Result<(), DiskError> {
        while !into.is_empty() {
            let place = (self.piece, self.file);
            let count = match self.storage.read_apart(place, offset, into, self.freshness)? {
                ReadApart::Read(count) => count,
                ReadApart::Elsewhere(count) => {
                    self.read_real(offset, &mut into[..count])?;
                    count
                }
            };
            offset += count as u64;
            into = &mut into[count..];
        }
        Ok(())
    }

    fn read_real(&mut self, offset: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let (storage, index) = (self.storage, self.file);
        let file = match &self.real {
            Some(file) => file,
            None => self.real.insert(storage.file(index, Access::Read, self.freshness)?),
        };
        read_exact(file, offset, into, || storage.path(index))
    }
}

/// Fills `into` from one open file; `path` is where it is, for messages.
pub(super) fn read_exact(
    file: &OwnedFd,
    mut offset: u64,
    mut into: &mut [u8],
    path: impl Fn() -> PathBuf,
) -> Result<(), DiskError> {
    let end = offset + into.len() as u64;
    while !into.is_empty() {
        let read = retry_on_intr(|| pread(file, &mut *into, offset))
            .map_err(|errno| system_error(Attempt::Read, &path(), errno))?;
        if read == 0 {
            return Err(too_short(&path(), end));
        }
        offset += read as u64;
        into = &mut into[read..];
    }
    Ok(())
}
