//! A mixed swarm: one slow seed, four leeches, and opentracker as the only one to introduce them.

use super::clients::{
    AddOptions, Client, Job, Libtorrent, Opentracker, Role, require_or_skip, start, wait_complete,
};
use super::payload::Payload;
use super::unchoke::{DOWNLOAD_TIMEOUT_S, Download};

/// Of the payload, and what the seed uploads a second: the swarm lasts long enough for all to meet.
const PAYLOAD_BYTES: usize = 12 << 20;
const SEED_BYTES_PER_SECOND: u32 = 2 << 20;

#[test]
fn us_and_three_rivals_finish_from_one_slow_seed() {
    let rivals = [Client::Transmission, Client::Aria2, Client::Libtorrent];
    let Some(programs) = rivals.into_iter().map(require_or_skip).collect::<Option<Vec<_>>>() else { return };
    let Some(tracker_program) = require_or_skip(Client::Opentracker) else { return };
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::large(arena.path(), PAYLOAD_BYTES);
    let tracker = Opentracker::start(&tracker_program, &arena.path().join("tracker"), &[&payload.info_hash]);
    let torrent = payload.torrent(&arena.path().join("t.torrent"), &[tracker.http()]);

    let mut seed = Libtorrent::session(&programs[2], &arena.path().join("seed"));
    seed.add(&torrent, &payload.folder, &AddOptions { upload_limit: SEED_BYTES_PER_SECOND });
    wait_complete(&mut seed, Client::Libtorrent);

    let our_target = arena.path().join("us/target");
    let timeout = (2 * DOWNLOAD_TIMEOUT_S).to_string();
    let mut us = Download::start(&arena.path().join("us"), &torrent, &our_target, &["--timeout", &timeout]);
    let homes: Vec<_> = rivals.iter().map(|client| arena.path().join(format!("{client:?}"))).collect();
    let targets: Vec<_> = homes.iter().map(|home| home.join("target")).collect();
    let mut running = Vec::new();
    for index in 0..rivals.len() {
        let job = Job {
            home: &homes[index],
            torrent: &torrent,
            info_hash: &payload.info_hash,
            folder: &targets[index],
            role: Role::Leech,
        };
        let rival = start(rivals[index], &programs[index], &job);
        // transmission ignores peers on 127/8 that a tracker names; it must be dialled.
        if rivals[index] == Client::Transmission {
            seed.connect(rival.port());
        }
        running.push(rival);
    }

    us.wait_status("is complete", |status| (status["state"] == "seeding").then_some(()));
    for (index, rival) in running.iter_mut().enumerate() {
        wait_complete(&mut **rival, rivals[index]);
        payload.assert_same_in(&targets[index]);
    }
    payload.assert_only_this_in(&our_target);
}
