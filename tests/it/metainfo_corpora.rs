//! Real .torrent files with known outcomes. The files are not part of the project: `UNCHOKE_CORPORA` names their folder;
//! without it the tests say so and pass.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bytes::Bytes;
use unchoke::metainfo::{Kind, Metainfo, MetainfoError, parse};

/// Rows of a table with a header line, as maps from column to text.
fn table(text: &str) -> Vec<BTreeMap<&str, &str>> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    lines.map(|line| header.iter().copied().zip(line.split('\t')).collect()).collect()
}

fn corpora() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("UNCHOKE_CORPORA") {
        return Some(PathBuf::from(folder));
    }
    let _ = std::io::Write::write_all(&mut std::io::stderr(), b"skipped: no corpora (set UNCHOKE_CORPORA)\n");
    None
}

/// What libtorrent calls errors of this class.
fn class(error: &MetainfoError) -> &'static str {
    match error {
        MetainfoError::MissingName { .. } => "torrent_missing_name",
        MetainfoError::TooManyDuplicates => "too_many_duplicate_filenames",
        MetainfoError::InvalidLength { .. } => "torrent_invalid_length",
        MetainfoError::MissingInfo => "torrent_missing_info",
        MetainfoError::InvalidName { .. } => "torrent_invalid_name",
        MetainfoError::MissingPieceLength => "torrent_missing_piece_length",
        MetainfoError::MissingPiecesRoot => "torrent_missing_pieces_root",
        MetainfoError::MissingPieces => "torrent_missing_pieces",
        MetainfoError::TooManyPieces { .. } => "too_many_pieces_in_torrent",
        MetainfoError::NoFiles => "no_files_in_torrent",
        MetainfoError::NotADictionary => "torrent_is_no_dict",
        MetainfoError::IncorrectHashes { .. } => "torrent_invalid_hashes",
        MetainfoError::InconsistentFiles => "torrent_inconsistent_files",
        MetainfoError::DepthExceeded { .. } => "depth_exceeded",
        MetainfoError::InvalidFileEntry { .. } => "torrent_file_parse_failed",
        MetainfoError::InvalidPadFile => "torrent_invalid_pad_file",
        MetainfoError::InvalidPieceLayer { .. } => "torrent_invalid_piece_layer",
        MetainfoError::InvalidBencoding { .. } => "invalid_bencoding",
        MetainfoError::UnsupportedVersion { .. } => "unsupported_protocol_version",
        MetainfoError::MissingFileTree => "torrent_missing_file_tree",
        MetainfoError::TooLarge { .. }
        | MetainfoError::TooManyTokens { .. }
        | MetainfoError::TooManyFiles { .. } => "limit",
    }
}

/// Whether the error is of the class that the row names. A row that quotes no class (`...::name`) takes any.
fn is_class(error: &MetainfoError, why: &str) -> bool {
    let named = why.rsplit_once("::").map(|(_, name)| name.split(' ').next().unwrap_or_default());
    named.is_none_or(|name| name == class(error))
}

/// Every difference between a torrent and its row.
fn differences(torrent: &Metainfo, row: &BTreeMap<&str, &str>) -> Vec<String> {
    let info = &torrent.info;
    let real = info.files.iter().filter(|file| !file.pad).count();
    let hex = |hash: Option<String>| hash.unwrap_or_default();
    let mut found = vec![
        ("v1_infohash", hex(info.info_hash_v1.map(|hash| hash.to_string()))),
        ("v2_infohash", hex(info.info_hash_v2.map(|hash| hash.to_string()))),
        ("payload_size", info.payload_bytes().to_string()),
        ("num_real_files", real.to_string()),
        ("num_pieces", info.piece_count().to_string()),
        ("piece_length", info.piece_length.to_string()),
        ("webseeds_bep19", torrent.webseeds.len().to_string()),
    ];
    if !row["flags"].contains("name-sanitised") {
        found.push(("name", info.name.raw().to_owned()));
    }
    let mut differences: Vec<String> = found
        .into_iter()
        .filter(|(column, got)| row[column] != got)
        .map(|(column, got)| format!("{column}: {got} instead of {}", row[column]))
        .collect();
    let trackers: usize = torrent.trackers.iter().map(Vec::len).sum();
    if row["trackers"].parse().is_ok_and(|least: usize| trackers < least) {
        differences.push(format!("trackers: {trackers} instead of {}", row["trackers"]));
    }
    differences
}

#[test]
fn every_row_has_its_outcome() {
    let Some(folder) = corpora() else { return };
    let expected = std::fs::read_to_string(folder.join("EXPECTED.tsv")).unwrap();
    let mut wrong = Vec::new();
    let rows = table(&expected);
    for row in &rows {
        let outcome = parse(Bytes::from(std::fs::read(folder.join(row["file"])).unwrap()));
        match (row["outcome"], &outcome) {
            ("valid", Ok(torrent)) => {
                wrong.extend(
                    differences(torrent, row).into_iter().map(|text| format!("{}: {text}", row["file"])),
                );
            }
            ("invalid", Err(error)) if is_class(error, row["why"]) => {}
            ("disputed", _) => {}
            _ => wrong.push(format!(
                "{}: {} ({}), got {:?}",
                row["file"],
                row["outcome"],
                row["why"],
                outcome.err()
            )),
        }
    }
    assert!(rows.len() >= 100, "the table is short: {} rows", rows.len());
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// Paths are safe and unique; where libtorrent keeps or renames a path, ours is the same.
#[test]
fn every_file_has_its_path() {
    let Some(folder) = corpora() else { return };
    let expected = std::fs::read_to_string(folder.join("EXPECTED_FILES.tsv")).unwrap();
    let mut by_torrent: BTreeMap<&str, Vec<BTreeMap<&str, &str>>> = BTreeMap::new();
    for row in table(&expected) {
        by_torrent.entry(row["file"]).or_default().push(row);
    }
    let mut wrong = Vec::new();
    for (name, rows) in by_torrent {
        let Ok(torrent) = parse(Bytes::from(std::fs::read(folder.join(name)).unwrap())) else {
            wrong.push(format!("{name}: not read"));
            continue;
        };
        let files = || torrent.info.files.iter().filter(|file| !file.pad);
        let mut seen = BTreeSet::new();
        for file in files() {
            if !seen.insert(file.path.as_str().to_lowercase()) {
                wrong.push(format!("{name}: {} twice", file.path));
            }
        }
        for (file, row) in files().zip(rows.iter().filter(|row| !row["attr"].contains('p'))) {
            let renamed = row.get("renamed_to").copied().filter(|path| !path.is_empty());
            let path = renamed.unwrap_or(row["path"]);
            let symlink = file.symlink.is_some() == row["attr"].contains('l');
            if file.path.as_str() != path || file.bytes.to_string() != row["size"] || !symlink {
                wrong.push(format!("{name}: {} of {} bytes instead of {path}", file.path, file.bytes));
            }
        }
        if torrent.info.kind == Kind::V2 && torrent.info.files.iter().any(|file| file.pad) {
            wrong.push(format!("{name}: a v2 torrent has no pad files of its own"));
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// Whatever happens to a file on its way to us, it is read or refused, and what is read holds together.
#[test]
fn fault_75_mutated_corpora_never_panic() {
    const MUTANTS_PER_FILE: u64 = 40;
    const FILE_BYTES_MAX: usize = 200_000;
    let Some(folder) = corpora() else { return };
    let expected = std::fs::read_to_string(folder.join("EXPECTED.tsv")).unwrap();
    let mut read = 0;
    for row in table(&expected) {
        let original = std::fs::read(folder.join(row["file"])).unwrap();
        if original.len() > FILE_BYTES_MAX {
            continue;
        }
        for seed in 0..MUTANTS_PER_FILE {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut bytes = original.clone();
            for _ in 0..random.usize(1..5) {
                let at = random.usize(..bytes.len());
                match random.u8(..4) {
                    0 => bytes[at] = random.u8(..),
                    1 => bytes[at] = b"0123456789deil:-"[random.usize(..16)],
                    2 => bytes.insert(at, random.u8(..)),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            let Ok(torrent) = parse(Bytes::from(bytes)) else { continue };
            let info = &torrent.info;
            let last = unchoke::units::PieceIndex(info.piece_count() - 1);
            let spans: u32 = info.spans(last, 0, u32::MAX).map(|span| span.bytes).sum();
            assert_eq!(spans, info.piece_bytes(last), "seed={seed} of {}", row["file"]);
            let _ = info.verifier_of_all(last);
            read += 1;
        }
    }
    assert!(read > 0, "some mutants are still torrents");
}
