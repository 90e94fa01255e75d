//! SIGKILL at any moment: the same call goes on with what is on disk, and fetches little twice.

use std::time::{Duration, Instant};

use super::clients::{AddOptions, Client, Libtorrent, Rival as _, require_or_skip, wait_complete};
use super::payload::Payload;
use super::process::say;
use super::unchoke::Download;

const PAYLOAD_BYTES: usize = 24 << 20;
/// What the seed uploads a second: the download lasts some eight seconds.
const SEED_BYTES_PER_SECOND: u32 = 3 << 20;
const KILLS: usize = 3;
/// A kill comes this long after the start, or earlier; with the payload and the rate above none comes too late.
const KILL_AFTER_MAX: Duration = Duration::from_millis(2500);
/// Pieces begun, requests on the way and pieces not yet written when the kill comes: 32 pieces of 128 KiB. What is on
/// disk is not lost, claimed or not: the next run hashes it.
const IN_FLIGHT_BYTES_MAX: u64 = 4 << 20;

#[test]
fn kill_9_and_resume() {
    let Some(python) = require_or_skip(Client::Libtorrent) else { return };
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::large(arena.path(), PAYLOAD_BYTES);
    let torrent = payload.torrent(&arena.path().join("t.torrent"), &[]);
    let mut seed = Libtorrent::session(&python, &arena.path().join("seed"));
    seed.add(&torrent, &payload.folder, &AddOptions { upload_limit: SEED_BYTES_PER_SECOND });
    wait_complete(&mut seed, Client::Libtorrent);

    let moment = std::env::var("UNCHOKE_SEED").ok().and_then(|text| text.parse().ok());
    let random_seed = moment.unwrap_or_else(|| fastrand::u64(..));
    say(&format!("kill_9_and_resume: UNCHOKE_SEED={random_seed}"));
    let mut random = fastrand::Rng::with_seed(random_seed);

    let (home, target) = (arena.path().join("us"), arena.path().join("target"));
    for _ in 0..KILLS {
        let mut us = Download::from_peer(&home, &torrent, &target, seed.port());
        let deadline = Instant::now() + KILL_AFTER_MAX.mul_f64(random.f64());
        // The moment of the kill is the test's input, not a wait for something.
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        us.kill();
    }
    let uploaded_before = seed.status()["uploaded"].as_u64().unwrap();
    Download::from_peer(&home, &torrent, &target, seed.port()).wait_done();
    payload.assert_only_this_in(&target);

    let uploaded = seed.status()["uploaded"].as_u64().unwrap();
    let bound = payload.total_bytes + KILLS as u64 * IN_FLIGHT_BYTES_MAX;
    say(&format!(
        "kill_9_and_resume: uploaded {uploaded} of {} bytes, {uploaded_before} before the last kill",
        payload.total_bytes
    ));
    assert!(
        uploaded <= bound,
        "the seed uploaded {uploaded} bytes, more than {bound}: resume fetched too much again"
    );
}
