//! What the demo shares: torrents of made-up files, the same on every run.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use memmap2::Mmap;

use crate::codec::peer::BlockRequest;
use crate::metainfo::create::{self, Options};
use crate::metainfo::{self, Info};
use crate::units::FileIndex;

/// A torrent of the demo.
pub(super) struct DemoTorrent {
    /// What it is.
    pub(super) info: Arc<Info>,
    /// Its .torrent file.
    pub(super) path: PathBuf,
}

/// A folder of the demo before it is a torrent: its name, and its files with their sizes in KiB.
struct Collection {
    name: &'static str,
    piece_length: u32,
    files: &'static [(&'static str, usize)],
}

/// Some tens of megabytes in all: with the seeds' rates, enough for a look at every screen.
const COLLECTIONS: [Collection; 3] = [
    Collection {
        name: "Tide tables and soundings",
        piece_length: 64 * 1024,
        files: &[
            ("soundings/north channel.csv", 5_300),
            ("soundings/south channel.csv", 4_100),
            ("charts/harbour.svg", 2_400),
            ("charts/estuary.svg", 3_700),
            ("raw/echo log.bin", 6_000),
            ("README.txt", 3),
        ],
    },
    Collection {
        name: "Field recordings, marsh at dawn",
        piece_length: 256 * 1024,
        files: &[
            ("01 reed warbler.flac", 7_200),
            ("02 bittern.flac", 5_900),
            ("03 rain on water.flac", 6_400),
            ("notes.txt", 12),
        ],
    },
    Collection {
        name: "Herbarium sheets 1891",
        piece_length: 32 * 1024,
        files: &[
            ("sheet 001.tif", 2_100),
            ("sheet 002.tif", 2_050),
            ("sheet 003.tif", 2_200),
            ("sheet 004.tif", 1_950),
            ("raw/sheet 001.dng", 3_000),
        ],
    },
];

/// Which of the torrents has a webseed, by its place.
pub(super) const WITH_WEBSEED: usize = 1;

/// Which files the demo leaves out, so that levels have something to show.
pub(super) const LEFT_OUT: &str = "**/raw/*";

/// Which files it wants before all others.
pub(super) const WANTED_FIRST: &str = "**/charts/*";

/// Makes the payload in `payload_dir` and the .torrent files in `torrent_dir`.
pub(super) fn make(
    payload_dir: &Path,
    torrent_dir: &Path,
    trackers: &[String],
    webseed: &str,
) -> anyhow::Result<Vec<DemoTorrent>> {
    let made = COLLECTIONS.iter().enumerate().map(|(number, collection)| {
        let options = Options {
            piece_length: Some(collection.piece_length),
            trackers: trackers.to_vec(),
            webseeds: if number == WITH_WEBSEED { vec![webseed.to_owned()] } else { Vec::new() },
            comment: Some("made up by unchoke --demo".to_owned()),
            ..Options::default()
        };
        let torrent = make_one(number, collection, payload_dir, torrent_dir, &options);
        torrent.with_context(|| format!("cannot make the demo's files in {}", payload_dir.display()))
    });
    made.collect()
}

fn make_one(
    number: usize,
    collection: &Collection,
    payload_dir: &Path,
    torrent_dir: &Path,
    options: &Options,
) -> anyhow::Result<DemoTorrent> {
    let mut random = fastrand::Rng::with_seed(number as u64);
    let mut files = Vec::with_capacity(collection.files.len());
    for (name, kib) in collection.files {
        let mut bytes = vec![0; kib * 1024];
        random.fill(&mut bytes);
        let path = payload_dir.join(collection.name).join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, &bytes)?;
        files.push((*name, bytes));
    }
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    let torrent = create::from_memory_with(collection.name, &files, options)?;
    let path = torrent_dir.join(format!("{}.torrent", collection.name));
    fs::write(&path, &torrent)?;
    Ok(DemoTorrent { info: metainfo::parse(torrent.into())?.info, path })
}

/// The payload of a torrent, mapped.
pub(super) struct MappedPayload {
    info: Arc<Info>,
    files: BTreeMap<FileIndex, Mmap>,
}

impl MappedPayload {
    /// Maps the files of a torrent that [`make`] made.
    pub(super) fn new(info: &Arc<Info>, payload_dir: &Path) -> anyhow::Result<Self> {
        let mut files = BTreeMap::new();
        for index in info.file_indices() {
            let path = payload_dir.join(info.files[index.at()].path.as_str());
            let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
            #[expect(unsafe_code, reason = "mapping is unsafe where others may cut the file short")]
            // SAFETY: the file is ours, in a folder that only this user may enter; it is written once, before this,
            // and deleted, never cut, after the map is gone.
            let map = unsafe { Mmap::map(&file)? };
            ensure!(map.len() as u64 == info.files[index.at()].bytes, "{} has changed", path.display());
            files.insert(index, map);
        }
        Ok(Self { info: Arc::clone(info), files })
    }

    /// What the torrent is.
    pub(super) fn info(&self) -> &Info {
        &self.info
    }

    /// The files by their paths, as a URL has them below the webseed's.
    pub(super) fn files_by_path(&self) -> BTreeMap<String, &[u8]> {
        let named = self.files.iter();
        named.map(|(index, map)| (self.info.files[index.at()].path.as_str().to_owned(), &map[..])).collect()
    }

    /// The bytes of a block; fewer than asked for where the range goes beyond the piece.
    pub(super) fn block(&self, range: BlockRequest) -> Vec<u8> {
        let mut block = Vec::new();
        for span in self.info.spans(range.piece, range.begin, range.length) {
            let start = usize::try_from(span.file_offset).expect("an offset in a map fits into memory");
            block.extend_from_slice(&self.files[&span.file][start..start + span.bytes as usize]);
        }
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::PieceIndex;

    #[test]
    fn the_torrents_describe_the_files_beside_them_and_are_the_same_on_every_run() {
        let folder = tempfile::tempdir().unwrap();
        let make_in = |name: &str| {
            let folder = folder.path().join(name);
            fs::create_dir_all(&folder).unwrap();
            make(&folder, &folder, &["http://127.0.0.1:1/announce".to_owned()], "http://127.0.0.1:1/")
                .unwrap()
        };
        let (one, two) = (make_in("one"), make_in("two"));
        assert!(one.len() >= 3 && one.iter().all(|torrent| torrent.info.files.len() >= 3));
        for (one, two) in one.iter().zip(&two) {
            assert_eq!(one.info.id(), two.info.id());
        }
        let payload = MappedPayload::new(&one[0].info, &folder.path().join("one")).unwrap();
        let mut hasher = one[0].info.verifier(PieceIndex(0)).unwrap();
        let length = one[0].info.piece_bytes(PieceIndex(0));
        hasher.update(&payload.block(BlockRequest { piece: PieceIndex(0), begin: 0, length }));
        assert!(hasher.finish());
    }
}
