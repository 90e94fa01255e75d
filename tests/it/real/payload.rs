//! Deterministic payloads, their .torrent files (written here, so that no client under test made them), and the
//! comparison by SHA-256.

use std::path::{Path, PathBuf};

use sha1::{Digest as _, Sha1};
use sha2::Sha256;

/// A payload on disk, with the torrent that describes it.
pub(crate) struct Payload {
    /// The folder that holds the torrent's own folder: what clients call the download directory.
    pub(crate) folder: PathBuf,
    pub(crate) total_bytes: u64,
    /// Hex of the v1 info-hash.
    pub(crate) info_hash: String,
    name: String,
    info: Vec<u8>,
    files: Vec<(Vec<String>, [u8; 32])>,
}

impl Payload {
    /// Files whose sizes lie at the borders of pieces, an empty one, a single byte, and names beyond ASCII.
    pub(crate) fn borders(arena: &Path) -> Self {
        const PIECE: usize = 32 * 1024;
        let files = [
            ("borders/exact.bin", 4 * PIECE),
            ("borders/one more.bin", PIECE + 1),
            ("borders/one less.bin", PIECE - 1),
            ("empty.dat", 0),
            ("one.byte", 1),
            ("Zażółć/日本語 📦.bin", 37 * PIECE + 12_345),
            ("zz-block-border.bin", 2 * PIECE + 16 * 1024),
        ];
        Self::write(&arena.join("payload"), "Übung für alle", PIECE, &files, 0x0bad_5eed)
    }

    /// One large file beside a small one, for tests that need a download to last.
    pub(crate) fn large(arena: &Path, bytes: usize) -> Self {
        const PIECE: usize = 128 * 1024;
        let files = [("large.bin", bytes), ("small.bin", 1000)];
        Self::write(&arena.join("payload"), "large", PIECE, &files, 0x00c0_ffee)
    }

    /// A file between two large ones, for tests that choose it while they are under way.
    pub(crate) fn between(arena: &Path) -> Self {
        const PIECE: usize = 64 * 1024;
        let files = [("before.bin", 12_000_000), ("raised.bin", 1_000_000), ("behind.bin", 12_000_000)];
        Self::write(&arena.join("payload"), "between", PIECE, &files, 0x0be7_3ee2)
    }

    fn write(folder: &Path, name: &str, piece_bytes: usize, files: &[(&str, usize)], seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut all = Vec::new();
        let mut entries = Vec::new();
        let mut digests = Vec::new();
        for (path, bytes) in files {
            let content: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(*bytes).collect();
            let file = folder.join(name).join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &content).unwrap();
            let parts: Vec<String> = path.split('/').map(str::to_owned).collect();
            let mut entry = format!("d6:lengthi{bytes}e4:pathl").into_bytes();
            for part in &parts {
                byte_string(&mut entry, part.as_bytes());
            }
            entry.extend_from_slice(b"ee");
            entries.extend_from_slice(&entry);
            digests.push((parts, Sha256::digest(&content).into()));
            all.extend_from_slice(&content);
        }
        let hashes: Vec<u8> =
            all.chunks(piece_bytes).flat_map(|piece| <[u8; 20]>::from(Sha1::digest(piece))).collect();
        let mut info = b"d5:filesl".to_vec();
        info.extend_from_slice(&entries);
        info.extend_from_slice(b"e4:name");
        byte_string(&mut info, name.as_bytes());
        info.extend_from_slice(format!("12:piece lengthi{piece_bytes}e6:pieces").as_bytes());
        byte_string(&mut info, &hashes);
        info.push(b'e');
        let info_hash = hex(&<[u8; 20]>::from(Sha1::digest(&info)));
        let total_bytes = all.len() as u64;
        Self {
            folder: folder.to_owned(),
            total_bytes,
            info_hash,
            name: name.to_owned(),
            info,
            files: digests,
        }
    }

    /// Where the torrent's files are.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// Writes the .torrent with these trackers, each in a tier of its own. The info-hash does not depend on them.
    pub(crate) fn torrent(&self, file: &Path, trackers: &[String]) -> PathBuf {
        let mut bytes = b"d".to_vec();
        if let Some(first) = trackers.first() {
            bytes.extend_from_slice(b"8:announce");
            byte_string(&mut bytes, first.as_bytes());
        }
        if trackers.len() > 1 {
            bytes.extend_from_slice(b"13:announce-listl");
            for tracker in trackers {
                bytes.push(b'l');
                byte_string(&mut bytes, tracker.as_bytes());
                bytes.push(b'e');
            }
            bytes.push(b'e');
        }
        bytes.extend_from_slice(b"4:info");
        bytes.extend_from_slice(&self.info);
        bytes.push(b'e');
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
        file.to_owned()
    }

    /// Fails unless every file below `folder` has the bytes of this payload. Empty ones may be missing: transmission
    /// does not make them.
    pub(crate) fn assert_same_in(&self, folder: &Path) {
        let empty: [u8; 32] = Sha256::digest([]).into();
        for (parts, expected) in &self.files {
            let file = self.place(folder, parts);
            if *expected != empty || file.exists() {
                assert_digest(&file, expected);
            }
        }
    }

    /// Fails unless the file at this path of the torrent has its bytes.
    pub(crate) fn assert_file_in(&self, folder: &Path, path: &str) {
        let (parts, expected) = self.files.iter().find(|(parts, _)| parts.join("/") == path).unwrap();
        assert_digest(&self.place(folder, parts), expected);
    }

    fn place(&self, folder: &Path, parts: &[String]) -> PathBuf {
        parts.iter().fold(folder.join(&self.name), |path, part| path.join(part))
    }

    /// As `assert_same_in`, and the folder holds exactly the files of the torrent, the empty ones too.
    pub(crate) fn assert_only_this_in(&self, folder: &Path) {
        self.assert_same_in(folder);
        let found = list_files(folder);
        assert_eq!(found.len(), self.files.len(), "the files in {}: {found:?}", folder.display());
    }
}

fn assert_digest(file: &Path, expected: &[u8; 32]) {
    let content = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let digest: [u8; 32] = Sha256::digest(&content).into();
    assert_eq!(hex(&digest), hex(expected), "SHA-256 of {} ({} bytes)", file.display(), content.len());
}

/// All regular files below a folder.
pub(crate) fn list_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap_or_else(|error| panic!("{}: {error}", next.display())) {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn byte_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(format!("{}:", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
}
