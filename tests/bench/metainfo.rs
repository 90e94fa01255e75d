//! How long large and hostile torrents take to read: `cargo bench --bench metainfo`.

use std::io::Write;
use std::time::{Duration, Instant};

use bytes::Bytes;
use unchoke::metainfo::merkle::{Merkle, height_for, padding_at};
use unchoke::metainfo::parse;

/// Best of this many runs, for the machine may be shared.
const RUNS: u32 = 7;

fn text(bytes: &[u8]) -> Vec<u8> {
    [format!("{}:", bytes.len()).as_bytes(), bytes].concat()
}

/// A v1 torrent of one file with this many pieces.
fn pieces(count: usize) -> Vec<u8> {
    let head = format!("d4:infod6:lengthi{}e4:name1:n12:piece lengthi16384e6:pieces", count * 16_384);
    [head.as_bytes(), &text(&vec![7; count * 20]), b"ee"].concat()
}

/// A v1 torrent of this many files of one piece each.
fn files(count: usize) -> Vec<u8> {
    let list: String = (0..count)
        .map(|at| {
            let name = format!("file-{at:07}.dat");
            format!("d6:lengthi16384e4:pathl3:dir{}:{name}ee", name.len())
        })
        .collect();
    let head = format!("d4:infod5:filesl{list}e4:name1:n12:piece lengthi16384e6:pieces");
    [head.as_bytes(), &text(&vec![7; count * 20]), b"ee"].concat()
}

/// A v2 torrent of one file with this many pieces, and its piece layer.
fn layer(count: usize) -> Vec<u8> {
    let mut tree = Merkle::default();
    (0..count).for_each(|_| tree.push([7; 32]));
    let root = tree.root(height_for(count as u64), padding_at(0));
    let leaf = format!("d6:lengthi{}e11:pieces root", count * 16_384);
    let info = b"eee12:meta versioni2e4:name1:n12:piece lengthi16384ee12:piece layersd";
    let head = [b"d4:infod9:file treed1:nd0:", leaf.as_bytes(), &text(&root), info].concat();
    [&head[..], &text(&root), &text(&vec![7; count * 32]), b"ee"].concat()
}

fn bench(name: &str, input: Vec<u8>) {
    let input = Bytes::from(input);
    let mut best = Duration::MAX;
    let mut outcome = String::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let read = parse(input.clone());
        best = best.min(start.elapsed());
        outcome = read.map_or_else(
            |error| error.to_string(),
            |torrent| format!("{} pieces", torrent.info.piece_count()),
        );
    }
    let line =
        format!("{name:<28} {:>9} bytes {:>9.3} ms  {outcome}\n", input.len(), best.as_secs_f64() * 1e3);
    let _ = std::io::stdout().write_all(line.as_bytes());
}

fn main() {
    bench("333,000 pieces", pieces(333_000));
    bench("333,000 pieces, v2", layer(333_000));
    bench("2,000,000 pieces", pieces(2_000_000));
    bench("100,000 files", files(100_000));
    bench("1,000,000 files", files(1_000_000));
    bench("1,000,000 open lists", vec![b'l'; 1_000_000]);
    bench("5,000,000 empty lists", [b"d1:al".to_vec(), b"le".repeat(5_000_000), b"ee".to_vec()].concat());
    bench(
        "2,500,000 empty entries",
        [b"d4:infod5:filesl".to_vec(), b"de".repeat(2_500_000), b"eee".to_vec()].concat(),
    );
}
