//! Torrents that we make, as libtorrent reads them: the same hashes, files and pieces, for trees of every awkward shape.

use bytes::Bytes;
use unchoke::metainfo::create::{Options, create};
use unchoke::metainfo::{Kind, parse};

use super::clients::{Client, require_or_skip};

/// Prints what libtorrent reads: v1 and v2 info-hash (zeros where absent), piece length, pieces, payload bytes.
const READ: &str = "
import sys, libtorrent
info = libtorrent.torrent_info(sys.argv[1])
files = info.files()
payload = sum(files.file_size(i) for i in range(files.num_files()) if not files.file_flags(i) & libtorrent.file_flags_t.flag_pad_file)
print(info.info_hashes().v1, info.info_hashes().v2, info.piece_length(), info.num_pieces(), payload)
";

/// Trees by name: paths with sizes. Pieces have 32 KiB.
const TREES: [(&str, &[(&str, usize)]); 7] = [
    ("one in folder", &[("a", 40_000)]),
    ("single.bin", &[("", 100_000)]),
    ("tiny", &[("", 1)]),
    ("nested", &[("a/b/c/d.bin", 70_000), ("a/b/e", 16_384), ("z", 5)]),
    ("empties", &[("0", 0), ("1", 40_000), ("2", 0), ("3", 10), ("4", 0)]),
    ("borders", &[("a", 32_767), ("b", 32_768), ("c", 32_769), ("d", 65_536), ("e", 65_537), ("f", 16_385)]),
    ("one in folders", &[("sub dir/ä ö.txt", 33_000)]),
];

#[test]
fn libtorrent_reads_the_hashes_that_we_read() {
    let Some(python) = require_or_skip(Client::Libtorrent) else { return };
    let arena = tempfile::tempdir().unwrap();
    for (name, files) in TREES {
        let root = arena.path().join(name);
        for (at, (file, bytes)) in files.iter().enumerate() {
            let path = if file.is_empty() { root.clone() } else { root.join(file) };
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, vec![u8::try_from(at).unwrap() + 1; *bytes]).unwrap();
        }
        for kind in [Kind::V1, Kind::V2, Kind::Hybrid] {
            let options = Options { kind, piece_length: Some(32 * 1024), ..Options::default() };
            let made = create(&root, &options, &mut |_, _| ()).unwrap().torrent;
            let file = arena.path().join("made.torrent");
            std::fs::write(&file, &made).unwrap();
            let out = std::process::Command::new(&python).args(["-c", READ]).arg(&file).output().unwrap();
            assert!(out.status.success(), "{name} {kind:?}: {}", String::from_utf8_lossy(&out.stderr));
            let info = parse(Bytes::from(made)).unwrap().info;
            let v1 = info.info_hash_v1.map_or("0".repeat(40), |hash| hash.to_string());
            let v2 = info.info_hash_v2.map_or("0".repeat(64), |hash| hash.to_string());
            let (pieces, payload) = (info.piece_count(), info.payload_bytes());
            let ours = format!("{v1} {v2} {} {pieces} {payload}", info.piece_length);
            assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), ours, "{name} {kind:?}");
        }
    }
}
