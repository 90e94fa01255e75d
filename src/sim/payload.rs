//! Torrents made for a world: files, pieces and the right bytes of each.

use std::sync::Arc;

use bytes::Bytes;
use sha1::{Digest, Sha1};

use crate::metainfo::{self, Info, Kind, create};
use crate::units::PieceIndex;

/// What a torrent of the world looks like.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Bytes of each file; 0 is allowed.
    pub files: Vec<u64>,
    /// Bytes of a piece: a power of two, 16 KiB or more.
    pub piece_length: u32,
    /// Files that are padding (BEP 47), by position.
    pub pads: Vec<usize>,
    /// Draws the bytes.
    pub seed: u64,
}

impl Shape {
    /// One file of so many pieces of 32 KiB.
    pub fn pieces(count: u32) -> Self {
        Self { files: vec![u64::from(count) * 32 * 1024], piece_length: 32 * 1024, pads: Vec::new(), seed: 1 }
    }

    /// Files of these sizes in pieces of 32 KiB.
    pub fn files(files: &[u64]) -> Self {
        Self { files: files.to_vec(), ..Self::pieces(0) }
    }
}

/// A torrent and its right bytes.
#[derive(Clone, Debug)]
pub struct Payload {
    /// What it is.
    pub info: Arc<Info>,
    bytes: Bytes,
}

impl Payload {
    /// Makes a torrent. Its pad files hold zeros, all others random bytes.
    ///
    /// # Panics
    /// Where the shape is not that of a valid torrent, which is a mistake of whoever made it.
    pub fn new(shape: &Shape) -> Self {
        let mut rng = fastrand::Rng::with_seed(shape.seed);
        let mut bytes = Vec::new();
        let mut torrent = b"d4:infod5:filesl".to_vec();
        for (at, &length) in shape.files.iter().enumerate() {
            let pad = shape.pads.contains(&at);
            let attributes = if pad { "4:attr1:p" } else { "" };
            let name = format!("f{at}");
            torrent.extend(format!("d{attributes}6:lengthi{length}e4:pathl{}:{name}ee", name.len()).bytes());
            bytes.extend((0..length).map(|_| if pad { 0 } else { rng.u8(..) }));
        }
        let hashes: Vec<u8> = bytes
            .chunks(shape.piece_length as usize)
            .flat_map(|piece| Sha1::digest(piece).to_vec())
            .collect();
        let length = shape.piece_length;
        torrent.extend(format!("e4:name3:sim12:piece lengthi{length}e6:pieces{}:", hashes.len()).bytes());
        torrent.extend(hashes);
        torrent.extend(b"ee");
        let info = metainfo::parse(Bytes::from(torrent)).expect("a shape makes a valid torrent").info;
        Self { info, bytes: bytes.into() }
    }

    /// A hybrid torrent of one file (BEP 52).
    ///
    /// # Panics
    /// Where the piece length is none, which is a mistake of whoever chose it.
    pub fn hybrid(bytes: u32, piece_length: u32) -> Self {
        let mut rng = fastrand::Rng::with_seed(u64::from(bytes));
        let bytes: Vec<u8> = (0..bytes).map(|_| rng.u8(..)).collect();
        let torrent = create::from_memory("sim", piece_length, &[("sim", &bytes)], Kind::Hybrid);
        let torrent = torrent.expect("one file in legal pieces makes a torrent");
        let info = metainfo::parse(Bytes::from(torrent)).expect("what we make is valid").info;
        Self { info, bytes: bytes.into() }
    }

    /// The right bytes of a range of a piece.
    pub fn range(&self, piece: PieceIndex, begin: u32, length: u32) -> Bytes {
        let from = piece.at() * self.info.piece_length as usize + begin as usize;
        self.bytes.slice(from..from + length as usize)
    }

    /// The right bytes of a range of a file.
    pub fn file_range(&self, file: usize, offset: u64, length: usize) -> Bytes {
        let from = usize::try_from(self.info.files[file].offset + offset).expect("a small torrent");
        self.bytes.slice(from..from + length)
    }

    /// Bytes of all files, pads included.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Whether it has no byte, which no torrent has.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}
