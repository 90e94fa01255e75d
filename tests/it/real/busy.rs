//! Two minutes of a healthy engine that has much to do with real clients: whoever watches over it has nothing to tell.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::clients::{Client, Job, Nginx, Rival, Role, Transmission, require_or_skip, start};
use super::payload::Payload;
use super::process::{loopback, say, wait_for};
use super::selection::ctl;
use super::stub_tracker::StubTracker;
use super::unchoke::{DOWNLOAD_MAX, Download};
use crate::watchdog::dump_blocking;

/// How long it is looked at.
const BUSY_FOR: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// In as many looks something must have come in and gone out.
const LOOKS_PER_PROGRESS: usize = 5;
/// What we take and give a second: as much as all payloads have for longer than two minutes.
const DOWN_LIMIT: &str = "850k";
const UP_LIMIT: &str = "330k";
/// What transmission gives, kilobytes a second.
const TRANSMISSION_KB_S: u32 = 180;
/// What each look is at.
const KINDS: [&str; 6] = ["tasks", "locks", "queues", "semaphores", "owners", "waits"];

/// One torrent of the scene and its payload, in a folder of its own.
struct Member {
    home: PathBuf,
    payload: Payload,
    torrent: PathBuf,
}

impl Member {
    fn new(arena: &Path, name: &str, payload: impl FnOnce(&Path) -> Payload) -> Self {
        let home = arena.join(name);
        let payload = payload(&home);
        let torrent = payload.torrent(&home.join("t.torrent"), &[]);
        Self { home, payload, torrent }
    }

    fn job<'a>(&'a self, home: &'a Path, folder: &'a Path, torrent: &'a Path, role: Role) -> Job<'a> {
        Job { home, torrent, info_hash: &self.payload.info_hash, folder, role }
    }

    /// Gives it to the running engine, to save into `folder`.
    fn add(&self, us: &Path, folder: &Path, more: &[&str]) {
        let (torrent, folder) = (self.torrent.to_string_lossy(), folder.to_string_lossy());
        ctl(us, &[&["add", &torrent, "--dir", &folder], more].concat());
    }

    /// A client that has all of it.
    fn seed(&self, client: Client, program: &Path) -> Box<dyn Rival> {
        let home = self.home.join("seed");
        start(client, program, &self.job(&home, &self.payload.folder, &self.torrent, Role::Seed))
    }

    /// A client that wants all of it; who has no other way to learn of us does by a tracker.
    fn leech(&self, client: Client, program: &Path, tracker: &StubTracker) -> Box<dyn Rival> {
        let (home, target) =
            (self.home.join(format!("{client:?}")), self.home.join(format!("{client:?} target")));
        let torrent = self.payload.torrent(&home.join("theirs.torrent"), &[tracker.url()]);
        start(client, program, &self.job(&home, &target, &torrent, Role::Leech))
    }
}

/// What all torrents have, and what goes out a second.
fn flow(us: &Path) -> (u64, u64) {
    let rows = ctl(us, &["list"]);
    let sum = |key: &str| rows.as_array().unwrap().iter().filter_map(|row| row[key].as_u64()).sum();
    (sum("done_bytes"), sum("up_bps"))
}

/// Looks at the engine until the time is over: nothing is stuck in any look, and bytes flow all the while.
fn look_on(us: &mut Download, home: &Path, raised: &str, rechecked: &str) {
    let (began, mut had) = (Instant::now(), flow(home).0);
    for look in 0.. {
        let kind = KINDS[look % KINDS.len()];
        let (status, json, error) = dump_blocking(&home.join("state"), &format!("{kind} --json"));
        assert_eq!(status, Some(0), "{kind}: {error}");
        let dump: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(dump["stuck"], serde_json::json!([]), "{kind} after {:?}", began.elapsed());
        match look % 4 {
            0 => drop(ctl(home, &["priority", raised, "raised.bin", "high", "behind.bin", "low"])),
            2 => drop(ctl(home, &["priority", raised, "raised.bin", "off", "behind.bin", "normal"])),
            _ => {}
        }
        if look % LOOKS_PER_PROGRESS == LOOKS_PER_PROGRESS - 1 {
            let (have, up_bps) = flow(home);
            assert!(have > had && up_bps > 0, "{had} then {have} bytes, {up_bps} up, {:?}", began.elapsed());
            had = have;
            ctl(home, &["recheck", rechecked]);
        }
        assert!(us.is_running());
        if began.elapsed() >= BUSY_FOR {
            return;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

#[test]
fn two_busy_minutes_with_transmission_aria2_and_nginx_and_not_one_report_of_the_watchdog() {
    let programs = [Client::Transmission, Client::Aria2, Client::Nginx].map(require_or_skip);
    let [Some(transmission), Some(aria2), Some(nginx)] = programs else { return };
    let arena = tempfile::tempdir().unwrap();
    let member =
        |name: &str, mib: usize| Member::new(arena.path(), name, |folder| Payload::large(folder, mib << 20));
    let idle = Member::new(arena.path(), "idle", Payload::borders);
    let of_transmission = Member::new(arena.path(), "from transmission", Payload::between);
    let (of_aria2, of_nginx) = (member("from aria2", 48), member("from nginx", 40));
    let (to_both, at_rest) = (member("to both", 24), member("at rest", 8));

    let seed_home = of_transmission.home.join("seed");
    let job = of_transmission.job(
        &seed_home,
        &of_transmission.payload.folder,
        &of_transmission.torrent,
        Role::Seed,
    );
    let mut first = Transmission::start_limited(&transmission, &job, TRANSMISSION_KB_S);
    wait_for("transmission seeds", DOWNLOAD_MAX, || first.is_complete().then_some(()));
    let second = of_aria2.seed(Client::Aria2, &aria2);
    let web = Nginx::start(&nginx, &arena.path().join("nginx"), &of_nginx.payload.folder, "");

    let home = arena.path().join("us");
    let limits = ["--events", "--no-trackers", "--down", DOWN_LIMIT, "--up", UP_LIMIT];
    let mut us = Download::start(&home, &idle.torrent, &home.join("idle"), &limits);
    let port = us.wait_status("listens", |status| {
        status["listen_port"].as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0)
    });
    let tracker = StubTracker::with_peer(loopback(port));
    at_rest.add(&home, &at_rest.payload.folder, &[]);
    let by_aria2 = to_both.leech(Client::Aria2, &aria2, &tracker);
    let by_transmission = to_both.leech(Client::Transmission, &transmission, &tracker);
    let address = |rival: &dyn Rival| format!("127.0.0.1:{}", rival.port());
    to_both.add(&home, &to_both.payload.folder, &["--peer", &address(&*by_transmission)]);
    of_transmission.add(&home, &home.join("one"), &["--peer", &address(&first)]);
    of_aria2.add(&home, &home.join("two"), &["--peer", &address(&*second)]);
    of_nginx.add(&home, &home.join("three"), &["--webseed", &web.url()]);
    wait_for("bytes flow both ways", DOWNLOAD_MAX, || (flow(&home).1 > 0).then_some(()));

    look_on(&mut us, &home, &of_transmission.payload.info_hash, &at_rest.payload.info_hash);

    let events = us.events();
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).collect::<Vec<_>>();
    assert!(!events.is_empty(), "it tells of what it does");
    assert_eq!(of("stuck"), Vec::<&Value>::new(), "the watchdog has nothing to tell");
    assert_eq!(of("dropped"), Vec::<&Value>::new(), "nothing was told in vain");
    say(&format!("busy: {} events, slow turns: {:?}", events.len(), of("slow_turn")));
    drop((by_aria2, by_transmission));
}
