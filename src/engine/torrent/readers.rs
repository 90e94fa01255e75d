//! Readers on this machine: bytes of a file in order while it is downloaded.
//!
//! A reader names a place and how far it will read. The pieces at its place are wanted now, those behind them ahead of
//! everything else, in the order of the data; they go back to their files' levels when the reader moves on, ends, or asks
//! no more. What is asked for is answered as soon as the piece at that place is here.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use bytes::Bytes;

use super::Torrent;
use super::pieces::PieceState;
use crate::codec::peer::BlockRequest;
use crate::contract::PieceLevel;
use crate::engine::io::{BlockReader, DiskError, DiskErrorKind, Effect, ReadError, ReadRequest, ReaderId};
use crate::engine::peers::connection::Connection;
use crate::engine::peers::requests::Outstanding;
use crate::limits;
use crate::units::{PieceIndex, Time};

/// Those who read.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Readers {
    readers: BTreeMap<ReaderId, Reader>,
}

/// One who reads.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Reader {
    /// Where it stands, in the space of pieces.
    position: u64,
    /// Where its file ends there.
    file_end: u64,
    bytes_max: u32,
    ahead_bytes: u64,
    asked_at: Time,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Standing {
    /// It got its bytes and may ask for the next.
    Answered,
    /// Its piece is not here yet.
    Waiting,
    /// Its bytes are being read from disk.
    Reading,
}

impl Readers {
    /// Nobody waits for a reader's answers any more.
    pub(super) fn end(&mut self, id: ReaderId) {
        self.readers.remove(&id);
    }

    /// When the next reader that asks no more is forgotten.
    pub(super) fn expire_at(&self) -> Option<Time> {
        let idle = self.readers.values().filter(|reader| reader.standing == Standing::Answered);
        idle.map(|reader| reader.asked_at + limits::READER_IDLE).min()
    }

    /// First and last piece that each wants now or soon.
    pub(super) fn spans(&self, piece_length: u32) -> Vec<(PieceIndex, PieceIndex)> {
        let span = |reader: &Reader| {
            let pieces = reader.levels(piece_length).map(|(piece, _)| piece);
            let last = pieces.last().unwrap_or(reader.piece(piece_length));
            (reader.piece(piece_length), last)
        };
        self.readers.values().map(span).collect()
    }

    fn forget_idle(&mut self, now: Time) {
        self.readers.retain(|_, reader| {
            reader.standing != Standing::Answered || now < reader.asked_at + limits::READER_IDLE
        });
    }
}

impl Reader {
    /// The piece it stands at.
    fn piece(&self, piece_length: u32) -> PieceIndex {
        piece_at(self.position, piece_length)
    }

    /// What it wants of the piece it stands at.
    fn range(&self, piece_length: u32) -> BlockRequest {
        let piece = self.piece(piece_length);
        let start = u64::from(piece.0) * u64::from(piece_length);
        let end = self.file_end.min(start + u64::from(piece_length));
        let length = (end - self.position).min(u64::from(self.bytes_max));
        let narrow = |bytes: u64| u32::try_from(bytes).expect("within a piece, a u32");
        BlockRequest { piece, begin: narrow(self.position - start), length: narrow(length) }
    }

    /// The pieces it wants now and soon, with their levels.
    fn levels(&self, piece_length: u32) -> impl Iterator<Item = (PieceIndex, PieceLevel)> {
        let now_end = self.position.saturating_add(u64::from(self.bytes_max)).min(self.file_end);
        let ahead_end = now_end.saturating_add(self.ahead_bytes).min(self.file_end);
        let last = |end: u64| piece_at(end.saturating_sub(1).max(self.position), piece_length).0;
        let (first, now, ahead) = (self.piece(piece_length).0, last(now_end), last(ahead_end));
        let pieces = (first..=ahead).take(limits::READ_AHEAD_PIECES_MAX);
        pieces.map(move |piece| {
            (PieceIndex(piece), if piece <= now { PieceLevel::Now } else { PieceLevel::Ahead })
        })
    }
}

fn piece_at(position: u64, piece_length: u32) -> PieceIndex {
    PieceIndex(u32::try_from(position / u64::from(piece_length)).expect("pieces are bounded by PIECES_MAX"))
}

impl Torrent {
    /// A reader asks for its next bytes.
    pub(super) fn read(&mut self, now: Time, request: ReadRequest) {
        let ReadRequest { reader: id, file, offset, bytes_max, ahead_bytes } = request;
        let Some(file) = self.info.files.get(file.at()).filter(|file| !file.pad) else {
            return self.answer_read(id, Err(ReadError::NoSuchFile));
        };
        let readers = &mut self.readers.readers;
        if !readers.contains_key(&id) && readers.len() >= limits::READERS_MAX {
            let error = ReadError::TooMany(readers.len());
            return self.answer_read(id, Err(error));
        }
        if offset >= file.bytes || bytes_max == 0 {
            return self.answer_read(id, Ok(Bytes::new()));
        }
        let reader = Reader {
            position: file.offset + offset,
            file_end: file.end(),
            bytes_max: bytes_max.min(limits::READ_BYTES_PER_ANSWER_MAX),
            ahead_bytes,
            asked_at: now,
            standing: Standing::Waiting,
        };
        readers.insert(id, reader);
    }

    fn answer_read(&mut self, reader: ReaderId, result: Result<Bytes, ReadError>) {
        self.effects.push_back(Effect::AnswerRead { reader, result });
    }

    /// Gives the pieces that readers come to their levels, and starts the reads that can be answered.
    pub(super) fn follow_readers(&mut self, now: Time) {
        self.readers.forget_idle(now);
        let piece_length = self.info.piece_length;
        let mut levels: BTreeMap<PieceIndex, PieceLevel> = BTreeMap::new();
        for (piece, level) in self.readers.readers.values().flat_map(|reader| reader.levels(piece_length)) {
            let known = levels.entry(piece).or_insert(level);
            *known = level.max(*known);
        }
        self.pieces.set_reader_levels(levels);
        let waiting = self.readers.readers.iter().filter(|(_, reader)| reader.standing == Standing::Waiting);
        let waiting: Vec<ReaderId> = waiting.map(|(id, _)| *id).collect();
        waiting.into_iter().for_each(|id| self.try_read(id));
    }

    fn try_read(&mut self, id: ReaderId) {
        let Some(reader) = self.readers.readers.get_mut(&id) else { return };
        let range = reader.range(self.info.piece_length);
        match self.pieces.state(range.piece) {
            PieceState::Trusted | PieceState::Verified => {
                reader.standing = Standing::Reading;
                self.effects.push_back(Effect::ReadBlocks { reader: BlockReader::Local(id), range });
            }
            PieceState::Assumed => self.check_before_serving(range.piece),
            PieceState::OnDemand => self.check_on_demand(range.piece),
            PieceState::Missing | PieceState::Checking | PieceState::Storing => {}
        }
    }

    pub(super) fn range_read(
        &mut self,
        now: Time,
        id: ReaderId,
        range: BlockRequest,
        result: Result<Bytes, DiskError>,
    ) {
        let piece_length = self.info.piece_length;
        let Some(reader) = self.readers.readers.get_mut(&id) else { return };
        // It has moved on since, and a read of where it stands now is due.
        if reader.standing != Standing::Reading || reader.range(piece_length) != range {
            reader.standing = Standing::Waiting;
            return;
        }
        match result {
            Ok(bytes) => {
                reader.position += u64::from(range.length);
                reader.asked_at = now;
                reader.standing = Standing::Answered;
                if reader.position >= reader.file_end {
                    self.readers.end(id);
                }
                self.answer_read(id, Ok(bytes));
            }
            Err(error) if error.kind == DiskErrorKind::Missing => {
                // It is hashed again and, if gone, fetched again; the reader waits for it.
                reader.standing = Standing::Waiting;
                // Where that was found out meanwhile it may be on the wire already.
                if self.pieces.state(range.piece).is_here() {
                    self.check_on_demand(range.piece);
                }
            }
            Err(error) => {
                self.readers.end(id);
                self.answer_read(id, Err(ReadError::Disk(error.clone())));
                self.disk_trouble(now, error);
            }
        }
    }

    /// Asks a second peer for blocks that a reader waits for, or will, and that the first has not sent for a while.
    pub(super) fn hurry_for_readers(&mut self, now: Time) {
        if self.readers.readers.is_empty() || !self.phase.requests() {
            return;
        }
        let late = |entry: &&Outstanding| {
            now.since(entry.sent_at) >= limits::READ_PATIENCE
                && self.pieces.level(entry.piece) >= PieceLevel::Ahead
        };
        let slow = self.connections.values().flat_map(|peer| peer.requests.iter().filter(late));
        let mut slow: Vec<Outstanding> = slow.copied().collect();
        // What is waited for now goes before what will be, in the order of the data.
        slow.sort_by_key(|entry| (Reverse(self.pieces.level(entry.piece)), entry.piece, entry.block));
        slow.truncate(limits::READ_HURRIED_BLOCKS_MAX);
        let mut hurried = false;
        for entry in slow {
            hurried |= self.ask_a_second_peer(now, entry);
        }
        if hurried {
            // Else they would wait at that peer for everything asked of it before.
            self.pieces.note_raise();
        }
    }

    /// Asks the fastest other peer for a block too; says whether there was one with room, or with a less urgent request.
    fn ask_a_second_peer(&mut self, now: Time, late: Outstanding) -> bool {
        let Outstanding { piece, block, .. } = late;
        let asked = self.pieces.partial(piece).map_or(0, |partial| partial.holders(block));
        if asked == 0 || asked >= limits::END_GAME_HOLDERS_MAX {
            return false;
        }
        let level = self.pieces.level(piece);
        let less_urgent = |entry: &&Outstanding| self.pieces.level(entry.piece) < level;
        let newest_less_urgent = |peer: &Connection| peer.requests.iter().filter(less_urgent).last().copied();
        let may = self.connections.values().filter(|peer| {
            let holds = peer.requests.iter().any(|entry| (entry.piece, entry.block) == (piece, block));
            let has_room = peer.requests.free() > 0 || newest_less_urgent(peer).is_some();
            !peer.peer_choking && peer.have.has(piece) && !holds && has_room
        });
        let Some(fastest) = may.max_by_key(|peer| peer.down.rate(now)) else { return false };
        let id = fastest.id;
        let in_the_way = if fastest.requests.free() == 0 { newest_less_urgent(fastest) } else { None };
        if let Some(entry) = in_the_way {
            self.take_back(now, id, entry);
        }
        self.pieces.with_partial(piece, |partial| partial.request_again(block));
        self.send_request(now, id, piece, block);
        true
    }
}
