//! What the flight recorder costs: nanoseconds an input and a turn, bytes an input, and a state: `cargo bench --bench recorder`.

use std::io::Write;
use std::time::Instant;

use bytes::Bytes;
use unchoke::codec::peer::Message;
use unchoke::engine::io::Input;
use unchoke::engine::torrent::Torrent;
use unchoke::recorder::{EffectTally, Recorder};
use unchoke::sim::{EngineOptions, Shape, World};
use unchoke::units::{ConnectionId, PieceIndex, Time};

const INPUTS: u64 = 1_000_000;
/// Inputs of one turn of a torrent that downloads fast.
const INPUTS_A_TURN: u64 = 8;
const ROUNDS: usize = 5;
const BLOCK_BYTES: usize = 16 * 1024;

fn main() {
    let mut world = World::new(1, &Shape::pieces(2_000));
    let node = world.add_engine(EngineOptions::leecher());
    let torrent = world.engine(node).expect("it is there").torrent();
    let block = Bytes::from(vec![7; BLOCK_BYTES]);
    for blocks in [1, 4, 16] {
        let messages: Vec<Message> = (0..blocks)
            .map(|at| Message::Piece { piece: PieceIndex(1_234), begin: at * 16_384, data: block.clone() })
            .collect();
        let input = Input::Messages { connection: ConnectionId(77), messages };
        let best = (0..ROUNDS).map(|_| nanos_an_input(torrent, &input)).fold(f64::MAX, f64::min);
        let bytes = bytes_an_input(torrent, &input);
        say(&format!(
            "an input of {blocks} blocks of 16 KiB: {best:.0} ns, {bytes:.1} bytes; states and ends of turns included"
        ));
    }
    let best = (0..ROUNDS).map(|_| nanos_a_turn(torrent)).fold(f64::MAX, f64::min);
    say(&format!("the end of a turn without inputs: {best:.0} ns; states included"));
    let begun = Instant::now();
    let mut recorder = Recorder::default();
    recorder.settle(Time::ZERO, torrent);
    let took = begun.elapsed().as_secs_f64() * 1e6;
    say(&format!("a state of 2,000 pieces: {took:.0} us, {} bytes", recorder.bytes()));
}

fn at(number: u64) -> Time {
    // As 100 MB/s of blocks come.
    Time::from_micros(number * 160)
}

fn nanos_an_input(torrent: &Torrent, input: &Input) -> f64 {
    let mut recorder = Recorder::default();
    recorder.settle(Time::ZERO, torrent);
    let begun = Instant::now();
    for number in 0..INPUTS {
        recorder.input(at(number), torrent, input);
        if number % INPUTS_A_TURN == 0 {
            recorder.turn_ended(at(number), EffectTally::default());
            recorder.settle(at(number), torrent);
        }
    }
    begun.elapsed().as_secs_f64() * 1e9 / INPUTS as f64
}

fn nanos_a_turn(torrent: &Torrent) -> f64 {
    let mut recorder = Recorder::default();
    recorder.settle(Time::ZERO, torrent);
    let begun = Instant::now();
    for number in 0..INPUTS {
        recorder.turn_ended(
            at(number),
            EffectTally { count: 3, kinds: number.wrapping_mul(0x9e37_79b9_7f4a_7c15) },
        );
        recorder.settle(at(number), torrent);
    }
    begun.elapsed().as_secs_f64() * 1e9 / INPUTS as f64
}

/// Of those that are kept.
fn bytes_an_input(torrent: &Torrent, input: &Input) -> f64 {
    let mut recorder = Recorder::default();
    recorder.settle(Time::ZERO, torrent);
    let inputs = 10_000;
    (0..inputs).for_each(|number| recorder.input(at(number), torrent, input));
    let recording = recorder.recording(at(inputs), torrent).expect("it is small");
    recording.parts[0].entries.len() as f64 / inputs as f64
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
