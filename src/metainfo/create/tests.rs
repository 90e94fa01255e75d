use std::fs;

use super::*;
use crate::metainfo::{Metainfo, parse};
use crate::units::PieceIndex;

const PIECE: u32 = 32 * 1024;

fn bytes(length: usize, seed: u8) -> Vec<u8> {
    (0..length)
        .map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed).wrapping_add((at >> 8) as u8))
        .collect()
}

/// Files of every awkward size, in torrent order.
fn payload() -> Vec<(&'static str, Vec<u8>)> {
    let sizes = [0, 1, 16_384, 16_385, 32_768, 32_769, 100_000, 0, 65_536, 5];
    let names = ["a", "b/1", "b/2", "b/3", "b/c/d", "e", "f", "g", "h", "z"];
    names.into_iter().zip(sizes).enumerate().map(|(at, (name, size))| (name, bytes(size, at as u8))).collect()
}

fn read(torrent: Vec<u8>) -> Metainfo {
    parse(Bytes::from(torrent)).unwrap()
}

/// The bytes of a piece as the layout says, pads as zeros.
fn piece_of(torrent: &Metainfo, files: &[(&str, Vec<u8>)], piece: PieceIndex) -> Vec<u8> {
    let info = &torrent.info;
    let mut whole = Vec::new();
    for span in info.spans(piece, 0, info.piece_bytes(piece)) {
        let file = &info.files[span.file.at()];
        let end = span.file_offset as usize + span.bytes as usize;
        match files.iter().find(|(name, _)| file.path.as_str() == format!("t/{name}")) {
            Some((_, bytes)) => whole.extend(&bytes[span.file_offset as usize..end]),
            None => whole.resize(whole.len() + span.bytes as usize, 0),
        }
    }
    whole
}

#[test]
fn what_is_made_from_memory_verifies_its_own_bytes_and_no_others() {
    let files = payload();
    let borrowed: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    for kind in [Kind::V1, Kind::V2, Kind::Hybrid] {
        let torrent = read(from_memory("t", PIECE, &borrowed, kind).unwrap());
        assert_eq!(torrent.info.kind, kind);
        assert_eq!(
            torrent.info.payload_bytes(),
            files.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>()
        );
        for piece in (0..torrent.info.piece_count()).map(PieceIndex) {
            let mut bytes = piece_of(&torrent, &files, piece);
            assert_eq!(bytes.len(), torrent.info.piece_bytes(piece) as usize);
            let judge = |bytes: &[u8]| {
                let mut hasher = torrent.info.verifier_of_all(piece).unwrap();
                bytes.chunks(1_000).for_each(|part| hasher.update(part));
                hasher.finish()
            };
            assert!(judge(&bytes), "{kind:?} {piece:?}");
            bytes[0] ^= 1;
            assert!(!judge(&bytes), "{kind:?} {piece:?} with a flipped bit");
            assert!(!judge(&bytes[..bytes.len() - 1]), "{kind:?} {piece:?} cut short");
        }
    }
}

#[test]
fn a_folder_on_disk_gives_the_info_hash_of_the_same_bytes_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let files = payload();
    for (name, bytes) in &files {
        let path = folder.path().join("t").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    fs::write(folder.path().join("t/.hidden"), b"x").unwrap();
    let borrowed: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    for kind in [Kind::V1, Kind::V2, Kind::Hybrid] {
        let options = Options { kind, piece_length: Some(PIECE), ..Options::default() };
        let mut told = Vec::new();
        let created =
            create(&folder.path().join("t"), &options, &mut |done, all| told.push((done, all))).unwrap();
        assert_eq!(created.left_out.len(), 1);
        assert_eq!(told.first().map(|(done, _)| *done), Some(0));
        assert!(told.last().is_some_and(|(done, all)| done == all));
        let memory = read(from_memory("t", PIECE, &borrowed, kind).unwrap());
        assert_eq!(read(created.torrent).info.swarm_hashes(), memory.info.swarm_hashes(), "{kind:?}");
    }
}

#[test]
fn a_single_file_has_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.iso");
    fs::write(&path, bytes(40_000, 1)).unwrap();
    for kind in [Kind::V1, Kind::V2, Kind::Hybrid] {
        let options = Options { kind, ..Options::default() };
        let torrent = read(create(&path, &options, &mut |_, _| ()).unwrap().torrent);
        assert_eq!(torrent.info.files.len(), 1);
        assert_eq!(torrent.info.files[0].path.as_str(), "disk.iso");
        assert_eq!(torrent.info.piece_length, BLOCK_BYTES);
    }
}

#[test]
fn every_option_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("f"), b"hello").unwrap();
    for kind in [Kind::V1, Kind::V2, Kind::Hybrid] {
        let options = Options {
            kind,
            piece_length: Some(65_536),
            trackers: vec!["udp://a.example:1/announce".into(), "http://b.example/announce".into()],
            webseeds: vec!["http://w.example/".into()],
            privacy: Privacy::Private,
            comment: Some("häh".into()),
            created_by: Some("test".into()),
            creation_date: Some(17),
        };
        let torrent = read(create(&folder.path().join("f"), &options, &mut |_, _| ()).unwrap().torrent);
        assert_eq!(
            torrent.trackers,
            options.trackers.iter().map(|url| vec![url.clone()]).collect::<Vec<_>>()
        );
        assert_eq!(torrent.webseeds, options.webseeds);
        assert!(torrent.info.private);
        assert_eq!(torrent.info.piece_length, 65_536);
        assert_eq!(torrent.comment.unwrap().raw(), "häh");
        assert_eq!(torrent.created_by.unwrap().raw(), "test");
        assert_eq!(torrent.creation_date, Some(17));
    }
}

#[test]
fn what_cannot_be_shared_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let make = |path: &Path, piece_length| {
        create(path, &Options { piece_length, ..Options::default() }, &mut |_, _| ()).unwrap_err()
    };
    assert!(matches!(make(folder.path(), None), CreateError::Empty { .. }));
    assert!(matches!(make(&folder.path().join("none"), None), CreateError::Unreadable { .. }));
    fs::write(folder.path().join("f"), b"hello").unwrap();
    for length in [0, 1, 8_192, 16_385, 1 << 30] {
        assert!(matches!(make(folder.path(), Some(length)), CreateError::PieceLength { .. }), "{length}");
    }
    std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
    assert!(matches!(make(folder.path(), None), CreateError::NotAFile { .. }));
    fs::remove_file(folder.path().join("loop")).unwrap();
    fs::write(folder.path().join("a\\b"), b"x").unwrap();
    assert!(matches!(make(folder.path(), None), CreateError::UnusableName { .. }));
}

#[test]
fn the_piece_length_grows_with_the_payload() {
    let chosen = |bytes| {
        let files = vec![Source { parts: vec!["f".into()], path: "f".into(), bytes }];
        let plan = Plan { name: "f".into(), shape: tree::Shape::Single, files };
        choose_piece_length(&plan, &Options::default()).unwrap()
    };
    assert_eq!(chosen(1), 16 << 10);
    assert_eq!(chosen(1 << 30), 1 << 20);
    assert_eq!(chosen(8 << 30), 8 << 20);
    assert_eq!(chosen(1 << 40), 16 << 20);
}
