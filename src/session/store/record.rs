//! The values of the store and their bytes.
//!
//! A value is a version, the first bytes of a SHA-1 over its key and payload, and the payload in postcard. The key is
//! in the checksum so that a value under another torrent's key is seen. A reader refuses versions newer than its own and
//! reads every older one: postcard has no names of fields, so each change of a form is a new version ([`Value`]).

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use super::older;
use crate::contract::PriorityChange;
use crate::engine::io::ResumeRecord;
use crate::limits::STORE_VALUE_BYTES_MAX;
use crate::session::disk::FileStamp;
use crate::units::{FileIndex, Rate, TorrentId};

const CHECKSUM_BYTES: usize = 8;
const HEAD_BYTES: usize = 1 + CHECKSUM_BYTES;

/// What a torrent was added from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SavedSource {
    /// The bytes of its .torrent file.
    Torrent(Bytes),
    /// A magnet whose metadata is not here yet.
    Magnet(SavedMagnet),
}

/// A magnet of the list whose metadata is not here yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedMagnet {
    /// The link.
    pub link: String,
    /// Levels for the files that it may turn out to have, in the order they were asked for.
    pub wishes: Vec<PriorityChange>,
}

/// A torrent of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedTorrent {
    /// What it was added from.
    pub source: SavedSource,
    /// Its payload is saved into this folder.
    pub save_dir: PathBuf,
    /// Milliseconds since the Unix epoch when it was added; gives the order of the list.
    pub added_unix_ms: u64,
    /// Trackers beyond those of its source, each a tier of its own.
    pub trackers: Vec<String>,
}

/// What is known of a torrent's progress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedResume {
    /// The engine's record.
    pub record: ResumeRecord,
    /// One stamp a file, taken after the sync that the record rests on.
    pub stamps: Vec<Option<FileStamp>>,
}

/// A torrent as it comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its identity.
    pub id: TorrentId,
    /// What it is.
    pub torrent: SavedTorrent,
    /// Its progress; `None` where none was saved or it could not be read: everything is unknown.
    pub resume: Option<SavedResume>,
}

/// Limits that were set by hand while the program ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedLimits {
    /// Bytes per second from all peers.
    pub down: Option<Rate>,
    /// Bytes per second to all peers.
    pub up: Option<Rate>,
}

/// Something that could not be read and was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// The torrent it belonged to, where that is known.
    pub torrent: Option<TorrentId>,
    /// What it was.
    pub part: DamagedPart,
    /// What is wrong, where it is kept and what happens now.
    pub message: String,
}

/// What can be damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DamagedPart {
    /// The whole file.
    Database,
    /// A torrent of the list.
    Torrent,
    /// A torrent's progress.
    Resume,
    /// The limits set by hand.
    Limits,
}

/// Files of which the record says nothing that can be believed: another program changed, made or removed them since it
/// was saved. Both lists have one entry a file; where their lengths differ nothing is believed.
pub fn untrusted_files(saved: &[Option<FileStamp>], found: &[Option<FileStamp>]) -> BTreeSet<FileIndex> {
    let same_list = saved.len() == found.len();
    let differs = |index: &usize| !same_list || saved[*index] != found[*index];
    (0..found.len())
        .filter(differs)
        .map(|index| FileIndex(u32::try_from(index).expect("files are bounded by FILES_MAX")))
        .collect()
}

/// What can be a value of the store. To change the form of one, or of a part of it: count its version up, keep the form
/// that is left in [`older`], read it in `from_older`, and give the golden values of the tests a new one.
pub(super) trait Value: Serialize + DeserializeOwned {
    /// The version that is written.
    const VERSION: u8;

    /// Reads the payload of a version before [`Self::VERSION`]; `None` where it has not the form of that version.
    fn from_older(version: u8, payload: &[u8]) -> Option<Self>;
}

impl Value for SavedTorrent {
    const VERSION: u8 = 1;

    fn from_older(_version: u8, _payload: &[u8]) -> Option<Self> {
        None
    }
}

impl Value for SavedLimits {
    const VERSION: u8 = 1;

    fn from_older(_version: u8, _payload: &[u8]) -> Option<Self> {
        None
    }
}

impl Value for SavedResume {
    const VERSION: u8 = 3;

    fn from_older(version: u8, payload: &[u8]) -> Option<Self> {
        match version {
            1 => whole::<older::ResumeV1>(payload).map(Self::from),
            2 => whole::<older::ResumeV2>(payload).map(Self::from),
            _ => None,
        }
    }
}

/// Why a value cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    TooShort,
    TooLarge,
    Newer(u8),
    WrongChecksum,
    WrongShape,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooShort => f.write_str("it is cut short"),
            Self::TooLarge => f.write_str("it is too large"),
            Self::Newer(version) => write!(f, "it was written by a newer unchoke (record version {version})"),
            Self::WrongChecksum => f.write_str("its checksum is wrong"),
            Self::WrongShape => f.write_str("its fields cannot be read"),
        }
    }
}

pub(super) fn encode<T: Value>(key: &[u8], value: &T) -> Vec<u8> {
    let mut bytes = vec![0; HEAD_BYTES];
    bytes[0] = T::VERSION;
    let mut bytes = postcard::to_extend(value, bytes).expect("every type of the store has a postcard form");
    let checksum = checksum(T::VERSION, key, &bytes[HEAD_BYTES..]);
    bytes[1..HEAD_BYTES].copy_from_slice(&checksum);
    bytes
}

pub(super) fn decode<T: Value>(key: &[u8], bytes: &[u8]) -> Result<T, Unreadable> {
    if bytes.len() > STORE_VALUE_BYTES_MAX {
        return Err(Unreadable::TooLarge);
    }
    let (head, payload) = bytes.split_at_checked(HEAD_BYTES).ok_or(Unreadable::TooShort)?;
    let version = head[0];
    // The version comes first: a newer one may have another kind of checksum.
    if version > T::VERSION {
        return Err(Unreadable::Newer(version));
    }
    if head[1..] != checksum(version, key, payload) {
        return Err(Unreadable::WrongChecksum);
    }
    let value = if version == T::VERSION { whole(payload) } else { T::from_older(version, payload) };
    value.ok_or(Unreadable::WrongShape)
}

/// A value that all of the payload is taken for.
fn whole<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
    match postcard::take_from_bytes(payload) {
        Ok((value, [])) => Some(value),
        Ok(_) | Err(_) => None,
    }
}

/// From version 2 on the version is covered too, so that damage to it is not taken for an older form.
fn checksum(version: u8, key: &[u8], payload: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let covered: &[u8] = if version >= 2 { &[version] } else { &[] };
    let sum = Sha1::new().chain_update(covered).chain_update(key).chain_update(payload);
    let digest: [u8; 20] = sum.finalize().into();
    *digest.first_chunk().expect("a SHA-1 has 20 bytes")
}

/// A [`SavedTorrent`] with its folder as bytes, which need not be UTF-8.
#[derive(Deserialize)]
struct TorrentBytes {
    source: SavedSource,
    save_dir: Vec<u8>,
    added_unix_ms: u64,
    trackers: Vec<String>,
}

/// The same, to be written: tens of megabytes are not copied for it.
#[derive(Serialize)]
struct TorrentBytesOf<'a> {
    source: &'a SavedSource,
    save_dir: &'a [u8],
    added_unix_ms: u64,
    trackers: &'a [String],
}

impl Serialize for SavedTorrent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { source, save_dir, added_unix_ms, trackers } = self;
        let (save_dir, added_unix_ms) = (save_dir.as_os_str().as_bytes(), *added_unix_ms);
        TorrentBytesOf { source, save_dir, added_unix_ms, trackers }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SavedTorrent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let TorrentBytes { source, save_dir, added_unix_ms, trackers } =
            TorrentBytes::deserialize(deserializer)?;
        Ok(Self { source, save_dir: OsString::from_vec(save_dir).into(), added_unix_ms, trackers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{DownloadOrder, FileChoice, FirstLast, PieceSequence, Priority};
    use crate::engine::io::WebseedChoices;
    use crate::units::PieceIndex;

    fn torrent() -> SavedTorrent {
        SavedTorrent {
            source: SavedSource::Torrent(Bytes::from_static(b"d4:infoe")),
            save_dir: OsString::from_vec(b"/save/\xff".to_vec()).into(),
            added_unix_ms: 1_700_000_000_123,
            trackers: vec!["udp://t.example:80".to_owned()],
        }
    }

    #[test]
    fn values_come_back_and_every_cut_or_flipped_bit_is_seen() {
        let bytes = encode(b"key", &torrent());
        assert_eq!(decode::<SavedTorrent>(b"key", &bytes), Ok(torrent()));
        let wishes =
            vec![PriorityChange { files: FileChoice::Glob("*.iso".to_owned()), level: Priority::High }];
        let source = SavedSource::Magnet(SavedMagnet { link: "magnet:?".to_owned(), wishes });
        let magnet = SavedTorrent { source, ..torrent() };
        assert_eq!(decode::<SavedTorrent>(b"key", &encode(b"key", &magnet)), Ok(magnet));
        assert_eq!(decode::<SavedTorrent>(b"other", &bytes), Err(Unreadable::WrongChecksum));
        for length in 0..bytes.len() {
            assert!(decode::<SavedTorrent>(b"key", &bytes[..length]).is_err(), "cut to {length}");
        }
        let progress = encode(b"key", &resume(DownloadOrder::default()));
        assert!(decode::<SavedResume>(b"key", &progress).is_ok());
        for bit in 0..bytes.len().max(progress.len()) * 8 {
            let flipped = |bytes: &[u8]| {
                let mut flipped = bytes.to_vec();
                if let Some(byte) = flipped.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
                flipped
            };
            let (torrent, progress) = (flipped(&bytes), flipped(&progress));
            assert!(torrent == bytes || decode::<SavedTorrent>(b"key", &torrent).is_err(), "bit {bit}");
            let same = bit / 8 >= progress.len();
            assert!(same || decode::<SavedResume>(b"key", &progress).is_err(), "bit {bit}");
        }
    }

    fn resume(order: DownloadOrder) -> SavedResume {
        let record = ResumeRecord {
            have: vec![0xa0, 0x40],
            known: vec![0xff, 0xc0],
            partial: vec![(PieceIndex(5), vec![0x90])],
            priorities: vec![Priority::High, Priority::Off, Priority::Normal],
            order,
            paused: true,
            downloaded_bytes: 300,
            uploaded_bytes: 70_000,
            peers: vec!["192.0.2.7:6881".parse().unwrap(), "[2001:db8::1]:51413".parse().unwrap()],
            banned: vec![serde_json::from_str(r#"{"address":"198.51.100.9","port":null}"#).unwrap()],
            webseeds: WebseedChoices::default(),
        };
        let stamp = |bytes, modified_s, modified_ns| Some(FileStamp { bytes, modified_s, modified_ns });
        let stamps = vec![stamp(160_000, 1_700_000_000, 999_999_999), None, stamp(0, -1, 0)];
        SavedResume { record, stamps }
    }

    fn bytes_of(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    /// Written under the key "key" by the commit e2f16de, the last one with version 1 of all values.
    const RESUME_V1: &str = "013b63397e42dcb5b402a04002ffc0010501900303000201ac02f0a2040200c0000207e1350120010db8\
        000000000000000000000001d591030100c633640900030180e20980c49fd50cff93ebdc030001000100";
    const TORRENT_V1: &str = "018a2aab0fd5fb1bd9000864343a696e666f65072f736176652ffffbd095ffbc3101127564703a2f2f74\
        2e6578616d706c653a3830";
    const LIMITS_V1: &str = "0137caa510af7e89bb01f40300";
    /// Written by the code that brought version 2.
    const RESUME_V2: &str = "02c05bc0712cc3343e02a04002ffc00105019003030002010101ac02f0a2040200c0000207e135012001\
        0db8000000000000000000000001d591030100c633640900030180e20980c49fd50cff93ebdc030001000100";

    /// Written by the code that brought version 3.
    const RESUME_V3: &str = "033cdcda3d7d2f4edd02a04002ffc00105019003030002010101ac02f0a2040200c0000207e1350120010db800\
        0000000000000000000001d591030100c6336409000111687474703a2f2f772e6578616d706c652f0001116874\
        74703a2f2f782e6578616d706c652f030180e20980c49fd50cff93ebdc030001000100";

    #[test]
    fn fault_94_what_an_earlier_release_wrote_is_read() {
        let order = DownloadOrder { sequence: PieceSequence::InOrder, first_last: FirstLast::First };
        let read = |hex| decode::<SavedResume>(b"key", &bytes_of(hex));
        assert_eq!(read(RESUME_V1), Ok(resume(DownloadOrder::default())));
        assert_eq!(read(RESUME_V2), Ok(resume(order)));
        assert_eq!(decode(b"key", &bytes_of(TORRENT_V1)), Ok(torrent()));
        let limits = SavedLimits { down: Some(Rate(500)), up: None };
        assert_eq!(decode(b"limits", &bytes_of(LIMITS_V1)), Ok(limits));
        // A form that changes without a new version fails here.
        let mut newest = resume(order);
        newest.record.webseeds.added.push("http://w.example/".to_owned());
        newest.record.webseeds.disabled.push("http://x.example/".to_owned());
        assert_eq!(read(RESUME_V3), Ok(newest.clone()));
        assert_eq!(encode(b"key", &newest), bytes_of(RESUME_V3));
        assert_eq!(encode(b"key", &torrent()), bytes_of(TORRENT_V1));
        assert_eq!(encode(b"limits", &limits), bytes_of(LIMITS_V1));
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut bytes = encode(b"key", &torrent());
        bytes[0] = SavedTorrent::VERSION + 1;
        let newer = Err(Unreadable::Newer(SavedTorrent::VERSION + 1));
        assert_eq!(decode::<SavedTorrent>(b"key", &bytes), newer);
    }

    #[test]
    fn a_changed_new_or_removed_file_is_not_trusted() {
        let stamp = |bytes| Some(FileStamp { bytes, modified_s: 5, modified_ns: 6 });
        let saved = [stamp(1), stamp(2), None, stamp(4), None];
        let found = [stamp(1), stamp(3), stamp(1), None, None];
        assert_eq!(untrusted_files(&saved, &found), [1, 2, 3].map(FileIndex).into());
        assert_eq!(untrusted_files(&saved[..2], &found[..1]), [FileIndex(0)].into());
    }
}
