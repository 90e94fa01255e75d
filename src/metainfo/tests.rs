//! Hostile and odd torrents, one for each class of refusal, and properties over many.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::create::from_memory;
use super::*;
use crate::limits::{FILE_BYTES_MAX, METAINFO_DEPTH_MAX, PIECE_LENGTH_MAX};
use crate::units::{FileIndex, PieceIndex};
use bytes::Bytes;

/// A bencoded string.
fn text(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [format!("{}:", bytes.len()).as_bytes(), bytes].concat()
}

/// A bencoded dictionary of entries in the order given.
fn dictionary(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let inner: Vec<u8> =
        entries.iter().flat_map(|(key, value)| [text(key), value.clone()].concat()).collect();
    [b"d".as_slice(), &inner, b"e"].concat()
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [b"l".as_slice(), &items.concat(), b"e"].concat()
}

fn number(value: impl std::fmt::Display) -> Vec<u8> {
    format!("i{value}e").into_bytes()
}

fn torrent(info: &[(&str, Vec<u8>)]) -> Vec<u8> {
    dictionary(&[("info", dictionary(info))])
}

fn read(bytes: Vec<u8>) -> Result<Metainfo, MetainfoError> {
    parse(Bytes::from(bytes))
}

/// The info of a v1 torrent of one file, with one entry replaced (or removed where the value is empty).
fn v1_but(key: &str, value: Vec<u8>) -> Vec<u8> {
    let mut entries = BTreeMap::from([
        ("length", number(5)),
        ("name", text("n")),
        ("piece length", number(16_384)),
        ("pieces", text([7; 20])),
    ]);
    entries.insert(key, value);
    entries.retain(|_, value| !value.is_empty());
    torrent(&entries.into_iter().collect::<Vec<_>>())
}

fn v1_files(files: &[Vec<u8>]) -> Vec<u8> {
    let info = [
        ("files", list(files)),
        ("name", text("n")),
        ("piece length", number(16_384)),
        ("pieces", text([7; 20])),
    ];
    torrent(&info)
}

/// The info of a v2 torrent of one file, with its leaf and one entry of the info replaced.
fn v2_but(leaf: &[(&str, Vec<u8>)], key: &str, value: Vec<u8>) -> Vec<u8> {
    let tree = dictionary(&[("n", dictionary(&[("", dictionary(leaf))]))]);
    let mut entries = BTreeMap::from([
        ("file tree", tree),
        ("meta version", number(2)),
        ("name", text("n")),
        ("piece length", number(16_384)),
    ]);
    entries.insert(key, value);
    entries.retain(|_, value| !value.is_empty());
    torrent(&entries.into_iter().collect::<Vec<_>>())
}

fn leaf() -> [(&'static str, Vec<u8>); 2] {
    [("length", number(5)), ("pieces root", text([9; 32]))]
}

fn class(bytes: Vec<u8>) -> String {
    let error = read(bytes).expect_err("it is hostile");
    let debug = format!("{error:?}");
    debug.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
}

#[test]
fn fault_67_each_broken_rule_of_v1_has_its_class() {
    assert_eq!(class(b"4:spam".to_vec()), "NotADictionary");
    assert_eq!(class(b"d4:info".to_vec()), "InvalidBencoding");
    assert_eq!(class(dictionary(&[("info", text("x"))])), "MissingInfo");
    assert_eq!(class(b"de".to_vec()), "MissingInfo");
    assert_eq!(class(v1_but("name", Vec::new())), "MissingName");
    assert_eq!(class(v1_but("name", number(3))), "MissingName");
    assert_eq!(class(v1_but("name", text(".."))), "MissingName");
    for length in [number(-5), number(0), text("5"), number(FILE_BYTES_MAX + 1), Vec::new()] {
        assert_eq!(class(v1_but("length", length)), "InvalidLength");
    }
    for length in [number(0), number(-1), text("16384"), number(u64::from(PIECE_LENGTH_MAX) + 1), Vec::new()]
    {
        assert_eq!(class(v1_but("piece length", length)), "MissingPieceLength");
    }
    assert_eq!(class(v1_but("pieces", Vec::new())), "MissingPieces");
    assert_eq!(class(v1_but("pieces", number(3))), "MissingPieces");
    assert_eq!(class(v1_but("pieces", text([0; 21]))), "IncorrectHashes");
    assert_eq!(class(v1_but("pieces", text([0; 40]))), "IncorrectHashes");
    assert_eq!(class(v1_but("length", number(FILE_BYTES_MAX))), "TooManyPieces");
    assert_eq!(class(v1_but("meta version", number(3))), "UnsupportedVersion");
}

#[test]
fn fault_67_each_broken_file_entry_has_its_class() {
    let path = |parts: &[&str]| list(&parts.iter().map(text).collect::<Vec<_>>());
    let file = |entries: &[(&str, Vec<u8>)]| dictionary(entries);
    assert_eq!(class(v1_files(&[])), "NoFiles");
    assert_eq!(class(v1_files(&[number(1)])), "InvalidFileEntry");
    assert_eq!(class(v1_files(&[file(&[("length", number(5))])])), "MissingName");
    assert_eq!(class(v1_files(&[file(&[("length", number(5)), ("path", list(&[]))])])), "MissingName");
    assert_eq!(
        class(v1_files(&[file(&[("length", number(5)), ("path", list(&[number(1)]))])])),
        "InvalidName"
    );
    assert_eq!(class(v1_files(&[file(&[("path", path(&["a"]))])])), "InvalidLength");
    assert_eq!(class(v1_files(&[file(&[("length", number(0)), ("path", path(&["a"]))])])), "InvalidLength");
    let link = [("attr", text("l")), ("path", path(&["a"])), ("symlink path", list(&[number(1)]))];
    assert_eq!(class(v1_files(&[file(&link)])), "InvalidName");
    let same = file(&[("length", number(1)), ("path", path(&["a"]))]);
    assert_eq!(class(v1_files(&vec![same; 40])), "TooManyDuplicates");
    let huge = |name| file(&[("length", number(FILE_BYTES_MAX)), ("path", path(&[name]))]);
    assert_eq!(class(v1_files(&[huge("a"), huge("b")])), "TooManyPieces");
}

#[test]
fn fault_67_each_broken_rule_of_v2_has_its_class() {
    assert!(read(v2_but(&leaf(), "private", number(1))).is_ok());
    assert_eq!(class(v2_but(&leaf(), "file tree", Vec::new())), "MissingFileTree");
    assert_eq!(class(v2_but(&leaf(), "file tree", dictionary(&[]))), "NoFiles");
    assert_eq!(class(v2_but(&leaf(), "file tree", dictionary(&[("n", number(1))]))), "InvalidFileEntry");
    assert_eq!(
        class(v2_but(&leaf(), "file tree", dictionary(&[("", dictionary(&leaf()))]))),
        "InvalidFileEntry"
    );
    for length in [8_192, 16_385, 24_576] {
        assert_eq!(class(v2_but(&leaf(), "piece length", number(length))), "MissingPieceLength");
    }
    assert_eq!(class(v2_but(&[("length", number(5))], "x", Vec::new())), "MissingPiecesRoot");
    let zero = [("length", number(5)), ("pieces root", text([0; 32]))];
    assert_eq!(class(v2_but(&zero, "x", Vec::new())), "MissingPiecesRoot");
    let short = [("length", number(5)), ("pieces root", text([1; 31]))];
    assert_eq!(class(v2_but(&short, "x", Vec::new())), "MissingPiecesRoot");
    let pad = [("attr", text("p")), ("length", number(5)), ("pieces root", text([1; 32]))];
    assert_eq!(class(v2_but(&pad, "x", Vec::new())), "InvalidPadFile");
    assert_eq!(class(v2_but(&[("length", number(-1))], "x", Vec::new())), "InvalidLength");
    let unsorted = [("pieces root", text([9; 32])), ("length", number(5))];
    assert_eq!(class(v2_but(&unsorted, "x", Vec::new())), "InvalidBencoding");
    assert_eq!(class(v2_but(&leaf(), "x", b"i05e".to_vec())), "InvalidBencoding");
}

#[test]
fn fault_74_halves_of_a_hybrid_that_disagree_are_refused() {
    let with_length = |length: u64| {
        let v1 = [("length", number(length)), ("pieces", text([7; 20]))];
        let mut bytes = v2_but(&leaf(), "x", Vec::new());
        // "length" sorts after "file tree" and before "meta version"; "pieces" sorts last.
        let at =
            bytes.windows(14).position(|window| window == b"12:meta versio").expect("it is a v2 torrent");
        bytes.splice(at..at, [text(v1[0].0), v1[0].1.clone()].concat());
        let end = bytes.len() - 2;
        bytes.splice(end..end, [text(v1[1].0), v1[1].1.clone()].concat());
        bytes
    };
    assert_eq!(read(with_length(5)).unwrap().info.kind, Kind::Hybrid);
    assert_eq!(class(with_length(6)), "InconsistentFiles");
}

#[test]
fn fault_67_piece_layers_must_fit_their_files() {
    let whole = from_memory("t", 16_384, &[("a", &[1; 50_000]), ("b", &[2; 5])], Kind::V2).unwrap();
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let at = whole.windows(12).position(|window| window == b"piece layers").expect("a v2 torrent has layers");
    let layers = &whole[at + 12..whole.len() - 1];
    let good = read(whole.clone()).unwrap();
    assert_eq!(good.info.piece_layer(FileIndex(0)).map(Bytes::len), Some(4 * 32));
    let with = |layers: &[u8]| [&whole[..at + 12], layers, b"e"].concat();

    let flipped = {
        let mut layers = layers.to_vec();
        *layers.get_mut(60).unwrap() ^= 1;
        layers
    };
    assert_eq!(class(with(&flipped)), "InvalidPieceLayer", "{}", text(&flipped));
    assert_eq!(class(with(b"d1:x1:ye")), "InvalidPieceLayer");
    assert_eq!(
        class(with(&[b"d32:".as_slice(), &[5; 32], b"32:", &[6; 32], b"e"].concat())),
        "InvalidPieceLayer"
    );
    assert_eq!(class(with(b"le")), "InvalidPieceLayer");

    // Without its layer a file loads, and its pieces wait for hashes from peers.
    let bare = read(with(b"de")).unwrap();
    assert!(bare.info.verifier(PieceIndex(0)).is_none());
    assert!(bare.info.verifier(PieceIndex(4)).is_some(), "a file of one piece needs no layer");
    let mut info = (*bare.info).clone();
    let root = info.files[0].pieces_root.unwrap();
    let layer = good.info.piece_layer(FileIndex(0)).unwrap().clone();
    assert!(info.add_piece_layer(&root, layer.slice(..96)).is_err());
    assert!(info.add_piece_layer(&[3; 32], layer.clone()).is_err());
    info.add_piece_layer(&root, layer).unwrap();
    assert!(info.verifier(PieceIndex(0)).is_some());
}

#[test]
fn fault_71_depth_counts_and_lengths_are_bounded() {
    for depth in [METAINFO_DEPTH_MAX + 1, 30_000, 1_000_000] {
        assert_eq!(class(vec![b'l'; depth]), "DepthExceeded");
        assert_eq!(class([vec![b'l'; depth], vec![b'e'; depth]].concat()), "DepthExceeded");
    }
    assert_eq!(class(b"d99999999999999999999999999:".to_vec()), "InvalidBencoding");
    assert_eq!(class(b"d9223372036854775807:a".to_vec()), "InvalidBencoding");
    assert_eq!(class(v1_but("length", b"i99999999999999999999999e".to_vec())), "InvalidBencoding");
}

#[test]
fn fields_of_the_outer_dictionary_are_read_leniently() {
    let info = v1_but("private", number(1));
    let info = info[7..info.len() - 1].to_vec();
    let tier = |urls: &[&str]| list(&urls.iter().map(text).collect::<Vec<_>>());
    let bytes = dictionary(&[
        ("announce", text("http://one.example/a")),
        (
            "announce-list",
            list(&[
                tier(&[" udp://a.example ", "", "udp://a.example"]),
                number(1),
                tier(&["http://b.example"]),
            ]),
        ),
        ("comment", text(b"\x1b[2J\xff")),
        ("creation date", text("now")),
        ("httpseeds", text("http://h.example")),
        ("info", info),
        (
            "nodes",
            list(&[
                list(&[text("n.example"), number(1)]),
                list(&[text("x")]),
                list(&[text("y"), number(-1)]),
            ]),
        ),
        ("url-list", tier(&["http://w.example/", "http://w.example/", ""])),
    ]);
    let torrent = read([bytes, b"trailing".to_vec()].concat()).unwrap();
    assert_eq!(torrent.trackers, [vec!["udp://a.example".to_owned()], vec!["http://b.example".to_owned()]]);
    assert_eq!(torrent.webseeds, ["http://w.example/"]);
    assert_eq!(torrent.httpseeds, ["http://h.example"]);
    assert_eq!(torrent.nodes, [("n.example".to_owned(), 1)]);
    assert_eq!(torrent.creation_date, None);
    assert_eq!(torrent.comment.unwrap().to_string(), "␛[2J\u{fffd}");
    assert!(torrent.info.private);
}

#[test]
fn an_info_dictionary_alone_gives_the_same_torrent() {
    let whole = read(from_memory("t", 16_384, &[("a", &[1; 50_000])], Kind::Hybrid).unwrap()).unwrap();
    let alone = parse_info(whole.info.raw().clone()).unwrap();
    assert_eq!(alone.swarm_hashes(), whole.info.swarm_hashes());
    assert_eq!(alone.files, whole.info.files);
    assert!(parse_info(Bytes::from([whole.info.raw(), b"x".as_slice()].concat())).is_err());
    assert_eq!(alone.id(), whole.info.id());
}

#[test]
fn one_file_in_a_folder_keeps_its_folder_where_the_torrent_can_say_so() {
    let paths = |kind, name| {
        let info = read(from_memory("t", 16_384, &[(name, &[1; 5])], kind).unwrap()).unwrap().info;
        (info.name.raw().to_owned(), info.files[0].path.to_string())
    };
    for kind in [Kind::V1, Kind::Hybrid] {
        assert_eq!(paths(kind, "a"), ("t".into(), "t/a".into()));
        assert_eq!(paths(kind, "t"), ("t".into(), "t".into()));
    }
    assert_eq!(paths(Kind::V2, "a"), ("a".into(), "a".into()), "as libtorrent reads it");
    assert_eq!(paths(Kind::V2, "b/a"), ("t".into(), "t/b/a".into()));
}

#[test]
fn fault_87_questions_about_hashes_that_are_not_there_have_no_answer() {
    let files: [(&str, &[u8]); 3] = [("a", &[1; 50_000]), ("b", b""), ("c", &[2; 9])];
    for kind in [Kind::V1, Kind::V2, Kind::Hybrid] {
        let info = read(from_memory("t", 16_384, &files, kind).unwrap()).unwrap().info;
        let count = info.piece_count();
        for piece in [PieceIndex(count), PieceIndex(u32::MAX)] {
            assert!(info.verifier(piece).is_none() && info.verifier_of_all(piece).is_none());
            assert_eq!(info.piece_bytes(piece), 0);
            assert_eq!(info.spans(piece, 0, u32::MAX).count(), 0);
        }
        assert_eq!(info.verifier_v1(PieceIndex(0)).is_some(), kind != Kind::V2);
        assert_eq!(info.verifier_v2(PieceIndex(0)).is_some(), kind != Kind::V1);
        assert_eq!(info.pieces_of(FileIndex(u32::MAX)), None);
        assert!(info.piece_layer(FileIndex(99)).is_none());
    }
}

/// A v1 torrent with these lengths; its hashes are nobody's.
fn v1_layout(lengths: &[u64], piece_length: u32) -> Option<Metainfo> {
    let total: u64 = lengths.iter().sum();
    let pieces = usize::try_from(total.div_ceil(piece_length.into())).unwrap();
    let file = |(at, bytes): (usize, &u64)| {
        let path = list(&[text(at.to_string())]);
        dictionary(&[("length", number(bytes)), ("path", path)])
    };
    let files: Vec<Vec<u8>> = lengths.iter().enumerate().map(file).collect();
    let info = [
        ("files", list(&files)),
        ("name", text("n")),
        ("piece length", number(piece_length)),
        ("pieces", text(vec![1; 20 * pieces])),
    ];
    read(torrent(&info)).ok()
}

/// The same for v2.
fn v2_layout(lengths: &[u64]) -> Option<Metainfo> {
    let file = |(at, bytes): (usize, &u64)| {
        let root = if *bytes > 0 { [text("pieces root"), text([1; 32])].concat() } else { Vec::new() };
        let leaf = [b"d6:length".as_slice(), &number(bytes), &root, b"e"].concat();
        [text(format!("{at:02}")), dictionary(&[("", leaf)])].concat()
    };
    let tree: Vec<u8> = lengths.iter().enumerate().flat_map(file).collect();
    read(v2_but(&leaf(), "file tree", [b"d".as_slice(), &tree, b"e"].concat())).ok()
}

/// Every byte of every file is in exactly one piece at exactly one place, and every question agrees with
/// that.
fn check_layout(info: &Info) {
    let mut next = vec![0u64; info.files.len()];
    let mut touched: Vec<Vec<u32>> = vec![Vec::new(); info.files.len()];
    for piece in (0..info.piece_count()).map(PieceIndex) {
        let bytes = info.piece_bytes(piece);
        assert!(bytes > 0 && bytes <= info.piece_length);
        let spans: Vec<Span> = info.spans(piece, 0, bytes).collect();
        let mut at = 0;
        for span in &spans {
            assert_eq!(span.piece_offset, at);
            assert!(span.bytes > 0);
            assert_eq!(span.file_offset, next[span.file.at()], "bytes of a file come in order");
            next[span.file.at()] += u64::from(span.bytes);
            touched[span.file.at()].push(piece.0);
            at += span.bytes;
        }
        assert_eq!(at, bytes, "spans fill the piece");
        for cut in [0, 1, bytes / 2, bytes] {
            let halves: u32 = info
                .spans(piece, 0, cut)
                .chain(info.spans(piece, cut, bytes - cut))
                .map(|span| span.bytes)
                .sum();
            assert_eq!(halves, bytes);
        }
    }
    for (index, file) in info.file_indices().zip(&info.files) {
        assert_eq!(next[index.at()], file.bytes, "{file:?}");
        let pieces: Vec<u32> =
            info.pieces_of(index).map_or(Vec::new(), |range| (range.start().0..=range.end().0).collect());
        assert_eq!(pieces, touched[index.at()]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn layout_maps_every_byte_once(
        lengths in prop::collection::vec(prop_oneof![Just(0u64), 0u64..40, Just(16u64)], 1..12),
        piece_length in 1u32..20,
    ) {
        if let Some(torrent) = v1_layout(&lengths, piece_length) {
            check_layout(&torrent.info);
        } else {
            prop_assert!(lengths.iter().all(|length| *length == 0));
        }
    }

    #[test]
    fn layout_of_v2_maps_every_byte_once(
        lengths in prop::collection::vec(prop_oneof![Just(0u64), 1u64..70_000, Just(16_384u64), Just(32_768u64)], 1..12),
    ) {
        if let Some(torrent) = v2_layout(&lengths) {
            check_layout(&torrent.info);
            let pieces: u64 = lengths.iter().map(|length| length.div_ceil(16_384)).sum();
            prop_assert_eq!(u64::from(torrent.info.piece_count()), pieces);
        } else {
            prop_assert!(lengths.iter().all(|length| *length == 0));
        }
    }

    #[test]
    fn fault_75_mutated_torrents_never_panic(
        kind in prop_oneof![Just(Kind::V1), Just(Kind::V2), Just(Kind::Hybrid)],
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 0..6),
    ) {
        let files: [(&str, &[u8]); 3] = [("a/b", &[1; 20_000]), ("a/c", &[2; 40_000]), ("d", b"")];
        let mut bytes = from_memory("t", 16_384, &files, kind).unwrap();
        for (at, byte, how) in edits {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes[at] = b"0123456789deil:-"[usize::from(byte % 16)],
                2 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        if let Ok(torrent) = read(bytes) {
            check_layout(&torrent.info);
            for piece in (0..torrent.info.piece_count()).map(PieceIndex) {
                if let Some(mut hasher) = torrent.info.verifier_of_all(piece) {
                    hasher.update(&vec![0; torrent.info.piece_length as usize]);
                    hasher.finish();
                }
            }
        }
    }
}
