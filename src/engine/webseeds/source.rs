//! One webseed: where it is, what it has, how it does.

use std::collections::{BTreeMap, BTreeSet};

use super::host::back_off;
use super::{NamedWebseed, url};
use crate::contract::{Untrusted, WebseedKind, WebseedOrigin};
use crate::engine::bits::Bits;
use crate::engine::io::{FetchHead, FetchPart, HostKey};
use crate::engine::peers::rate::RateMeter;
use crate::limits;
use crate::metainfo::Info;
use crate::units::{BlockIndex, FileIndex, PieceIndex, Time, WebseedKey};

/// A webseed.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Webseed {
    pub(in crate::engine) key: WebseedKey,
    pub(in crate::engine) url: String,
    pub(in crate::engine) kind: WebseedKind,
    pub(in crate::engine) origin: WebseedOrigin,
    pub(in crate::engine) host: HostKey,
    /// The pieces it may be asked for: all of whose files it has, as far as we know.
    have: Bits,
    /// Files that it does not have, or has wrongly.
    lacking: BTreeSet<FileIndex>,
    /// Files that it could not give just now: failures in a row, and until when they are not asked for.
    resting: BTreeMap<FileIndex, (u32, Time)>,
    /// A person has not switched it off.
    pub(in crate::engine) enabled: bool,
    /// The program asks webseeds at all, or a person wants this one asked all the same.
    pub(in crate::engine) allowed: bool,
    /// Nothing good is left on it.
    pub(in crate::engine) banned: Option<Untrusted>,
    pub(in crate::engine) requests_max: u32,
    /// Where the next run of pieces is looked for: behind the last one.
    pub(in crate::engine) cursor: PieceIndex,
    /// It found nothing to ask for at this version of the order.
    pub(in crate::engine) starved_at: Option<u64>,
    /// There is something to ask it for, and no place at its host.
    pub(in crate::engine) waits: bool,
    pub(in crate::engine) down: RateMeter,
    /// Bytes a second of its last request that brought something.
    pub(in crate::engine) fetch_bps: Option<u64>,
    pub(in crate::engine) downloaded_bytes: u64,
    pub(in crate::engine) wasted_bytes: u64,
    pub(in crate::engine) last_head: Option<FetchHead>,
    pub(in crate::engine) last_error: Option<Untrusted>,
}

impl Webseed {
    pub(super) fn new(key: WebseedKey, info: &Info, named: &NamedWebseed) -> Self {
        let host = url::host_key(&named.url);
        Self {
            key,
            url: named.url.clone(),
            kind: named.kind,
            origin: named.origin,
            banned: host.as_ref().err().map(|why| Untrusted::new(why.as_str())),
            host: host.unwrap_or_else(|_| HostKey::from("")),
            have: Bits::full(info.piece_count()),
            lacking: BTreeSet::new(),
            resting: BTreeMap::new(),
            enabled: true,
            allowed: true,
            requests_max: limits::WEBSEED_REQUESTS,
            cursor: PieceIndex(0),
            starved_at: None,
            waits: false,
            down: RateMeter::default(),
            fetch_bps: None,
            downloaded_bytes: 0,
            wasted_bytes: 0,
            last_head: None,
            last_error: None,
        }
    }

    /// Whether it is the one at this URL.
    pub(super) fn is(&self, url: &str, kind: WebseedKind) -> bool {
        self.url == url && self.kind == kind
    }

    /// Whether it may be asked at all, its host's rest aside.
    pub(in crate::engine) fn is_usable(&self) -> bool {
        self.enabled && self.allowed && self.banned.is_none()
    }

    /// The pieces it may be asked for.
    pub(in crate::engine) fn have(&self) -> &Bits {
        &self.have
    }

    /// How many files it lacks.
    pub(in crate::engine) fn lacking(&self) -> u32 {
        u32::try_from(self.lacking.len()).unwrap_or(u32::MAX)
    }

    /// It does not have a file, or has another in its place.
    pub(in crate::engine) fn lacks(&mut self, info: &Info, file: FileIndex) {
        self.resting.remove(&file);
        if self.lacking.insert(file) {
            self.without(info, file);
        }
    }

    /// A piece of several files came wrong: which of them is wrong is not known.
    pub(in crate::engine) fn lacks_piece(&mut self, piece: PieceIndex) {
        self.have.set(piece, false);
    }

    /// A file is left alone for a while, longer each time in a row.
    pub(in crate::engine) fn rest_file(
        &mut self,
        now: Time,
        info: &Info,
        file: FileIndex,
        rng: &mut fastrand::Rng,
    ) {
        let failures = self.resting.get(&file).map_or(1, |(failures, _)| failures + 1);
        self.resting.insert(file, (failures, now + back_off(failures, rng)));
        self.without(info, file);
    }

    /// A file was given.
    pub(in crate::engine) fn file_works(&mut self, file: FileIndex) {
        if !self.resting.is_empty() {
            self.resting.remove(&file);
        }
    }

    /// Files whose rest is over may be asked for again.
    pub(in crate::engine) fn wake(&mut self, now: Time, info: &Info) {
        let over = |(_, (_, until)): &(&FileIndex, &(u32, Time))| *until <= now && *until > Time::ZERO;
        let rested: Vec<FileIndex> = self.resting.iter().filter(over).map(|(file, _)| *file).collect();
        for file in rested {
            if let Some((_, until)) = self.resting.get_mut(&file) {
                // The row of failures is kept until it works.
                *until = Time::ZERO;
            }
            self.with(now, info, file);
        }
    }

    pub(in crate::engine) fn next_rest_ends_at(&self) -> Option<Time> {
        self.resting.values().map(|(_, until)| *until).filter(|until| *until > Time::ZERO).min()
    }

    /// All that failed is forgotten.
    pub(in crate::engine) fn forgive(&mut self, info: &Info) {
        if url::host_key(&self.url).is_ok() {
            self.banned = None;
        }
        self.lacking.clear();
        self.resting.clear();
        self.have = Bits::full(info.piece_count());
        self.starved_at = None;
    }

    /// Where the bytes of blocks that follow each other lie, in order.
    pub(in crate::engine) fn parts(
        &self,
        info: &Info,
        blocks: &[(PieceIndex, BlockIndex, u32)],
    ) -> Vec<FetchPart> {
        match self.kind {
            WebseedKind::UrlList => self.file_parts(info, blocks),
            WebseedKind::HttpSeed => self.piece_parts(info, blocks),
        }
    }

    fn file_parts(&self, info: &Info, blocks: &[(PieceIndex, BlockIndex, u32)]) -> Vec<FetchPart> {
        let mut parts: Vec<FetchPart> = Vec::new();
        for &(piece, block, length) in blocks {
            for span in info.spans(piece, block.0 * limits::BLOCK_BYTES, length) {
                let more = u64::from(span.bytes);
                match parts.last_mut() {
                    Some(FetchPart::Zeros { bytes }) if span.pad => *bytes += more,
                    Some(FetchPart::File { file, offset, bytes, .. })
                        if !span.pad && *file == span.file && *offset + *bytes == span.file_offset =>
                    {
                        *bytes += more;
                    }
                    Some(_) | None if span.pad => parts.push(FetchPart::Zeros { bytes: more }),
                    Some(_) | None => {
                        let file = &info.files[span.file.at()];
                        parts.push(FetchPart::File {
                            file: span.file,
                            url: url::file_url(&self.url, file),
                            offset: span.file_offset,
                            bytes: more,
                            file_bytes: file.bytes,
                        });
                    }
                }
            }
        }
        parts
    }

    fn piece_parts(&self, info: &Info, blocks: &[(PieceIndex, BlockIndex, u32)]) -> Vec<FetchPart> {
        let hash = info.swarm_hashes().first().copied().unwrap_or_default();
        let follows = |one: &(PieceIndex, BlockIndex, u32), next: &(PieceIndex, BlockIndex, u32)| {
            one.0 == next.0 && one.1.0 + 1 == next.1.0
        };
        // Blocks of padding are left out, and lie between others.
        blocks
            .chunk_by(follows)
            .map(|blocks| {
                let (piece, first, _) = blocks[0];
                let bytes: u32 = blocks.iter().map(|(_, _, length)| length).sum();
                let from = first.0 * limits::BLOCK_BYTES;
                let url = url::piece_url(&self.url, &hash, piece, (from, from + bytes));
                FetchPart::Piece { url, bytes: u64::from(bytes) }
            })
            .collect()
    }

    fn without(&mut self, info: &Info, file: FileIndex) {
        let Some(pieces) = info.pieces_of(file) else { return };
        for piece in (pieces.start().0..=pieces.end().0).map(PieceIndex) {
            self.have.set(piece, false);
        }
    }

    /// The pieces of a file that touch no other file that is lacking or rests.
    fn with(&mut self, now: Time, info: &Info, file: FileIndex) {
        let Some(pieces) = info.pieces_of(file) else { return };
        for piece in (pieces.start().0..=pieces.end().0).map(PieceIndex) {
            let mut spans = info.spans(piece, 0, info.piece_bytes(piece));
            let good = spans.all(|span| {
                let rests = self.resting.get(&span.file).is_some_and(|(_, until)| *until > now);
                !self.lacking.contains(&span.file) && !rests
            });
            if good {
                self.have.set(piece, true);
            }
        }
        self.starved_at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::BLOCK_BYTES;
    use crate::metainfo;

    #[test]
    fn ranges_of_a_piece_leave_out_what_lies_between_the_blocks_that_are_asked_for() {
        let torrent = format!(
            "d4:infod6:lengthi{}e4:name1:t12:piece lengthi65536e6:pieces40:{}ee",
            6 * BLOCK_BYTES,
            "x".repeat(40)
        );
        let info = metainfo::parse(torrent.into()).unwrap().info;
        let (kind, origin) = (WebseedKind::HttpSeed, WebseedOrigin::Torrent);
        let named = NamedWebseed { url: "http://h/s".to_owned(), kind, origin };
        let webseed = Webseed::new(WebseedKey(0), &info, &named);
        let block = |piece, block| (PieceIndex(piece), BlockIndex(block), BLOCK_BYTES);
        let parts = webseed.parts(&info, &[block(0, 0), block(0, 2), block(0, 3), block(1, 0)]);
        let asked = parts.into_iter().map(|part| match part {
            FetchPart::Piece { url, bytes } => {
                (url.split_once("&piece=").unwrap().1.to_owned(), bytes / u64::from(BLOCK_BYTES))
            }
            other => panic!("{other:?}"),
        });
        let due = [("0&ranges=0-16383", 1), ("0&ranges=32768-65535", 2), ("1&ranges=0-16383", 1)];
        assert!(asked.eq(due.map(|(url, blocks)| (url.to_owned(), blocks))));
    }
}
