//! Bytes of deselected files, kept apart: pieces have them at their edges, and no file that nobody wanted is to appear.
//!
//! One part file a torrent, made when it is first needed and removed when it holds nothing. A write goes to the real
//! file if that is wanted or there already, and here otherwise; a read asks here first. What was kept here is moved
//! when its file becomes wanted, and the slot is used again only after a sync has the real file on the device: at no
//! moment does a crash lose what a record claims. The lock is held for map operations, and while an empty part file
//! is unlinked, so that nobody takes a slot in a file that is going.

mod index;
mod moving;
mod opening;
mod slot;
mod syncing;

use std::collections::BTreeSet;
use std::io::IoSlice;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use super::beneath::Access;
use super::error::other;
use super::piece::{read_exact, write_all};
use super::storage::{Freshness, Storage, Wanted};
use crate::engine::io::DiskError;
use crate::inspect::Lock;
use crate::metainfo::Info;
use crate::units::{FileIndex, PieceIndex};

use index::{Found, Index, Name};
use opening::Absent;
use slot::{Edge, SlotLayout};

/// The part file among the open files of a torrent: no file has this index.
const PART_FILE: FileIndex = FileIndex(u32::MAX);

/// Whether there is a part file, as one number: not looked at, there is none, there is one.
const UNREAD: u8 = 0;
const NO_FILE: u8 = 1;
const FILE: u8 = 2;

/// What a torrent keeps apart.
#[derive(Debug)]
pub(super) struct Parts {
    state: Lock<State>,
    /// Follows `state`, so that torrents that keep nothing apart take no lock.
    known: AtomicU8,
    layout: SlotLayout,
    file_name: String,
}

/// What was read of the part file; nothing before it is first needed, and after it was found to be another.
#[derive(Debug, Default)]
struct State {
    generation: u64,
    index: Option<Index>,
    /// Another program took what was kept, and nobody was told yet.
    lost: bool,
}

impl Parts {
    pub(super) fn new(info: &Info) -> Self {
        Self {
            state: Lock::new("what a torrent keeps apart", State::default()),
            known: AtomicU8::new(UNREAD),
            layout: SlotLayout::new(info),
            file_name: format!(".unchoke-{}.parts", info.id()),
        }
    }

    /// Forgets what was read, unless that has happened already.
    fn forget(&self, generation: u64) {
        let mut state = self.state.lock();
        if state.generation == generation {
            state.lost |= state.index.as_ref().is_some_and(|index| !index.keys().is_empty());
            self.begin_anew(&mut state);
        }
    }

    /// What was read holds no longer.
    fn begin_anew(&self, state: &mut State) {
        *state = State { generation: state.generation + 1, index: None, lost: state.lost };
        self.known.store(UNREAD, SeqCst);
    }

    /// Lets somebody look into an index.
    fn look<R>(&self, index: &mut Index, act: impl FnOnce(&mut Index) -> R) -> R {
        let result = act(index);
        self.known.store(if index.identity.is_some() { FILE } else { NO_FILE }, SeqCst);
        result
    }
}

/// Where bytes of a file are written to.
#[derive(Debug)]
pub(super) enum Place {
    /// The file itself.
    Real(Arc<OwnedFd>),
    /// The part file.
    Apart(Pinned),
}

/// A slot that is being written to. It must be given back by [`Storage::unpin`].
#[derive(Debug)]
pub(super) struct Pinned {
    file: Arc<OwnedFd>,
    generation: u64,
    name: Name,
    edge: Edge,
    layout: SlotLayout,
}

impl Pinned {
    /// Writes bytes that belong at `file_offset` of the real file.
    pub(super) fn write(&self, slices: &mut [IoSlice<'_>], file_offset: u64) -> rustix::io::Result<()> {
        write_all(&self.file, slices, self.layout.data_at(self.name.slot, self.edge.within(file_offset)))
    }
}

/// What became of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadApart {
    /// So many bytes were read.
    Read(usize),
    /// So many bytes are not kept apart: they are in the real file if anywhere.
    Elsewhere(usize),
}

impl Storage {
    /// Where the part file is, for messages.
    pub(super) fn part_path(&self) -> PathBuf {
        self.save_dir().join(&self.apart.file_name)
    }

    /// Whether there is a part file, as far as is known.
    pub fn keeps_apart(&self) -> bool {
        self.apart.known.load(SeqCst) == FILE
    }

    /// Whether it is known that there is none.
    fn keeps_nothing_apart(&self) -> bool {
        self.apart.known.load(SeqCst) == NO_FILE
    }

    /// The (piece, file) pairs whose bytes are kept apart from end to end.
    pub(super) fn kept_apart(&self) -> Result<BTreeSet<(PieceIndex, FileIndex)>, DiskError> {
        self.with_index(|index| index.whole())
    }

    /// Where bytes of a file that belong to `piece` are written to.
    pub(super) fn place(&self, piece: PieceIndex, file: FileIndex) -> Result<Place, DiskError> {
        let key = (file, piece);
        let is_kept = !self.keeps_nothing_apart() && self.with_index(|index| index.has(key))?;
        if !is_kept {
            if self.wanted(file) == Wanted::Yes {
                return self.file(file, Access::Write, Freshness::AnyOpen).map(Place::Real);
            }
            if let Some(real) = self.file_if_there(file)? {
                return Ok(Place::Real(real));
            }
        }
        let edge = Edge::new(self.info(), piece, file)
            .ok_or_else(|| other(format!("writing piece {}: it has no bytes of that file", piece.0)))?;
        match self.pin(edge)? {
            Some(pinned) => Ok(Place::Apart(pinned)),
            // A file that nobody wanted is better than a download that stands still.
            None => self.file(file, Access::Write, Freshness::AnyOpen).map(Place::Real),
        }
    }

    /// Gives a slot back; `written` are the bytes of the real file that were written whole.
    pub(super) fn unpin(&self, pinned: &Pinned, written: Option<&Range<u64>>) -> Result<(), DiskError> {
        let name = pinned.name;
        self.with_index_of(pinned.generation, |index| index.unpin(name, written));
        // It may have become wanted since the slot was chosen, and its gathering may have found the slot pinned.
        match self.wanted(pinned.edge.file) {
            Wanted::Yes => self.move_entry(name.key),
            Wanted::No => Ok(()),
        }
    }

    /// Reads bytes of a file, as many as lie together, if they are kept apart.
    pub(super) fn read_apart(
        &self,
        (piece, file): (PieceIndex, FileIndex),
        offset: u64,
        into: &mut [u8],
        freshness: Freshness,
    ) -> Result<ReadApart, DiskError> {
        let length = into.len();
        let count = |end: u64| usize::try_from(end - offset).unwrap_or(usize::MAX).min(length);
        loop {
            if self.keeps_nothing_apart() {
                return Ok(ReadApart::Elsewhere(length));
            }
            let to = offset + length as u64;
            let (found, generation, identity) = self.with_index(|index| {
                (index.find((file, piece), offset, to), index.generation, index.identity)
            })?;
            let (name, edge, end) = match found {
                Found::Here(name, edge, end) => (name, edge, end),
                Found::Elsewhere(end) => return Ok(ReadApart::Elsewhere(count(end))),
            };
            let open = self.part_file(Access::Read, freshness, Absent::Leave)?;
            let Some(open) = open.filter(|open| Some(open.identity) == identity) else {
                self.apart.forget(generation);
                continue;
            };
            let (count, at) = (count(end), self.apart.layout.data_at(name.slot, edge.within(offset)));
            read_exact(&open.file, at, &mut into[..count], || self.part_path())?;
            // If it was moved meanwhile its slot may be another's: then it is in the real file.
            if self.with_index_of(generation, |index| index.still(name)) == Some(true) {
                return Ok(ReadApart::Read(count));
            }
        }
    }

    /// A slot for an edge, in a part file that is there; `None` where all slots are taken.
    fn pin(&self, edge: Edge) -> Result<Option<Pinned>, DiskError> {
        loop {
            let generation = self.with_index(|index| index.generation)?;
            let open = self.part_file(Access::Write, Freshness::AnyOpen, Absent::Make)?;
            let Some(open) = open else { return Ok(None) };
            let pinned = self.with_index_of(generation, |index| {
                let same = *index.identity.get_or_insert(open.identity) == open.identity;
                same.then(|| index.pin(edge))
            });
            match pinned {
                Some(Some(name)) => {
                    let (file, layout) = (open.file, self.apart.layout);
                    return Ok(name.map(|name| Pinned { file, generation, name, edge, layout }));
                }
                // Another file is in its place: what was read of the last one is void.
                Some(None) => self.apart.forget(generation),
                // It was removed between the two.
                None => {}
            }
        }
    }
    /// Looks into the index, which is read first where it must be.
    fn with_index<R>(&self, act: impl FnOnce(&mut Index) -> R) -> Result<R, DiskError> {
        loop {
            let mut state = self.apart.state.lock();
            if let Some(index) = &mut state.index {
                return Ok(self.apart.look(index, act));
            }
            let generation = state.generation;
            drop(state);
            let read = self.read_index(generation)?;
            let mut state = self.apart.state.lock();
            if state.generation == generation && state.index.is_none() {
                state.index = Some(read);
            }
        }
    }

    /// As [`Self::with_index`], unless it is another part file's by now.
    fn with_index_of<R>(&self, generation: u64, act: impl FnOnce(&mut Index) -> R) -> Option<R> {
        let mut state = self.apart.state.lock();
        let index = state.index.as_mut().filter(|index| index.generation == generation)?;
        Some(self.apart.look(index, act))
    }
}
