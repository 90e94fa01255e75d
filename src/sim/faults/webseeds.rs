//! Faults 36 to 44, as far as the engine decides: what servers do is scripted.

use std::time::Duration;

use super::*;
use crate::contract::{Priority, WebseedAction, WebseedState};
use crate::engine::io::{HostNews, HostRest, Input, TorrentCommand};
use crate::limits;
use crate::sim::web::{WebFault, WebServer};
use crate::units::{FileIndex, Time, WebseedKey};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An engine that has nothing, and these servers as its webseeds.
fn leecher_with(seed: u64, shape: &Shape, servers: &[WebServer]) -> (World, NodeId) {
    let mut world = World::new(seed, shape);
    // Thousands of turns over thousands of pieces.
    world.set_audit_every(16);
    let webseeds = servers.iter().map(|server| world.add_web_server(server.clone())).collect();
    let leecher = world.add_engine(EngineOptions { webseeds, ..EngineOptions::leecher() });
    (world, leecher)
}

fn webseed(world: &mut World, id: NodeId, number: usize) -> crate::contract::WebseedRow {
    world.detail(id).webseeds[number].clone()
}

fn act(world: &mut World, id: NodeId, action: WebseedAction) {
    world.command(id, TorrentCommand::Webseed(action));
}

#[test]
fn fault_36_a_webseed_alone_brings_everything_while_priorities_change() {
    let shape = Shape::files(&[3_000_000, 40, 0, 2_000_000]);
    let (mut world, leecher) = leecher_with(36, &shape, &[WebServer::good()]);
    for second in 0..20u32 {
        let level = [Priority::Off, Priority::High, Priority::Low, Priority::Normal][second as usize % 4];
        let file = FileIndex([0, 3][second as usize / 4 % 2]);
        world.command(leecher, TorrentCommand::SetPriority(vec![(file, level)]));
        world.pass(Duration::from_millis(200));
    }
    world.completes(leecher, seconds(30));
    let sent = world.web_server(0).sent_bytes;
    // What is cancelled is under way for a round trip.
    assert!(sent <= 5_000_040 * 3 / 2, "{sent} bytes were sent");
    assert_eq!(world.row(leecher).wasted_bytes, 0);
}

#[test]
fn fault_36_pieces_far_more_than_one_request_come_in_requests_of_bounded_size() {
    let fast = WebServer { bps: 50_000_000, ..WebServer::good() };
    let (mut world, leecher) = leecher_with(36, &Shape::files(&[60_000_000]), &[fast]);
    world.completes(leecher, seconds(60));
    let asked = world.web_server(0).asked.len() as u64;
    assert!((60_000_000 / limits::FETCH_BYTES_MAX..60).contains(&asked), "{asked} requests");
    assert_eq!(world.web_server(0).sent_bytes, 60_000_000);
}

#[test]
fn fault_37_two_webseeds_share_the_work_and_nothing_comes_twice() {
    let (mut world, leecher) =
        leecher_with(37, &Shape::files(&[20_000_000]), &[WebServer::good(), WebServer::good()]);
    world.completes(leecher, seconds(30));
    let sent = [world.web_server(0).sent_bytes, world.web_server(1).sent_bytes];
    assert_eq!(sent[0] + sent[1], 20_000_000, "{sent:?}");
    assert!(sent.iter().all(|sent| *sent > 3_000_000), "{sent:?}");
}

#[test]
fn fault_37_overlapping_requests_are_two_holders_of_the_same_blocks() {
    // The first is so slow that a peer is asked for the same blocks in the end, and it is cancelled then.
    let slow = WebServer { bps: 20_000, ..WebServer::good() };
    let (mut world, leecher) = leecher_with(37, &Shape::files(&[2_000_000]), &[slow]);
    world.pass(seconds(1));
    let peer = world.add_puppet(Manners::seed());
    world.introduce(leecher, peer);
    world.completes(leecher, seconds(20));
    assert!(world.row(leecher).wasted_bytes <= 20 * u64::from(BLOCK_BYTES), "{:?}", world.row(leecher));
}

#[test]
fn fault_38_a_body_that_ends_early_counts_as_far_as_it_came() {
    let closes = WebServer { fault: WebFault::ClosesAfter(300_000), ..WebServer::good() };
    let (mut world, leecher) = leecher_with(38, &Shape::files(&[3_000_000]), &[closes]);
    world.completes(leecher, seconds(120));
    let sent = world.web_server(0).sent_bytes;
    assert!(sent <= 3_200_000, "{sent} bytes for 3,000,000");
    assert!(webseed(&mut world, leecher, 0).last_error.is_some());
}

#[test]
fn fault_39_without_one_file_the_others_come_and_the_cause_is_named() {
    let mut lacking = WebServer::good();
    lacking.lacking.insert(FileIndex(1));
    let (mut world, leecher) = leecher_with(39, &Shape::files(&[400_000, 400_000, 400_000]), &[lacking]);
    world.pass(seconds(20));
    let detail = world.detail(leecher);
    let done: Vec<bool> = detail.files.iter().map(|file| file.done_bytes + 32_768 >= file.bytes).collect();
    assert_eq!(done, [true, false, true]);
    assert_eq!(detail.webseeds[0].files_lacking, 1);
    let error = detail.webseeds[0].last_error.clone().expect("a file is not there");
    assert!(error.raw().contains("f1: HTTP status 404"), "{error}");
    assert_eq!(world.cause(leecher).as_deref(), Some("no_source_for_wanted_pieces"));
    assert_eq!(world.told(leecher, |event| matches!(event, EventKind::WebseedFailed { .. })), 1);
    // A peer has it.
    let peer = world.add_puppet(Manners::seed());
    world.introduce(leecher, peer);
    world.completes(leecher, seconds(20));
}

#[test]
fn fault_40_a_busy_server_is_left_alone_for_as_long_as_it_asks() {
    let fault = WebFault::Refuses { status: 503, retry_after_s: Some(120) };
    let (mut world, leecher) =
        leecher_with(40, &Shape::files(&[400_000]), &[WebServer { fault, ..WebServer::good() }]);
    world.pass(seconds(119));
    let asked = world.web_server(0).asked.len();
    assert!(asked <= limits::WEBSEED_REQUESTS as usize, "asked {asked} times");
    let row = webseed(&mut world, leecher, 0);
    assert_eq!((row.state, row.last_status), (WebseedState::BackingOff, Some(503)));
    assert!(row.retry_s.is_some_and(|wait| wait <= 2), "{:?}", row.retry_s);
    assert_eq!(world.cause(leecher).as_deref(), Some("webseeds_backing_off"));
    assert_eq!(world.row(leecher).webseeds.backing_off, 1);
    world.web_server(0).fault = WebFault::None;
    world.completes(leecher, seconds(5));
}

#[test]
fn fault_40_a_host_that_another_torrent_saw_fail_is_left_alone_and_found_again() {
    let (mut world, leecher) = leecher_with(40, &Shape::files(&[4_000_000]), &[WebServer::good()]);
    world.pass(Duration::from_millis(200));
    let rest = HostRest { until: world.now() + seconds(60), failures: 5 };
    let news = HostNews::Rests(rest);
    world.input_after(Duration::ZERO, leecher, Input::Host { host: "http://web0.sim:80".into(), news });
    world.pass(seconds(59));
    let asked = world.web_server(0).asked.clone();
    assert!(asked.iter().all(|(at, _)| *at < Time::ZERO + seconds(1)), "{asked:?}");
    let row = webseed(&mut world, leecher, 0);
    assert_eq!(row.state, WebseedState::BackingOff);
    world.completes(leecher, seconds(10));
    assert_eq!(world.row(leecher).wasted_bytes, 0);
}

#[test]
fn fault_40_instant_errors_make_no_tight_loop() {
    let refuses = |status| WebFault::Refuses { status, retry_after_s: None };
    for fault in [refuses(500), WebFault::Down] {
        let server = WebServer { fault, latency: Duration::from_micros(100), ..WebServer::good() };
        let (mut world, leecher) = leecher_with(40, &Shape::files(&[50_000; 40]), &[server]);
        world.pass(seconds(60));
        let asked = world.web_server(0).asked.len();
        assert!(
            asked <= 10 * limits::WEBSEED_REQUESTS as usize,
            "{fault:?}: asked {asked} times in a minute"
        );
        assert!(asked >= 3, "{fault:?}: asked {asked} times in a minute");
        assert!(world.cause(leecher).is_some());
    }
}

#[test]
fn fault_40_a_server_that_has_nothing_is_not_asked_for_each_of_a_thousand_files_in_one_go() {
    let lacking = (0..1_000).map(FileIndex).collect();
    let server = WebServer { lacking, latency: Duration::from_micros(100), ..WebServer::good() };
    let (mut world, leecher) = leecher_with(40, &Shape::files(&[33_000; 1_000]), &[server]);
    world.pass(seconds(60));
    let asked = world.web_server(0).asked.len();
    assert!((8..=10 * limits::WEBSEED_REQUESTS as usize).contains(&asked), "asked {asked} times in a minute");
    let row = webseed(&mut world, leecher, 0);
    assert_eq!((row.state, row.last_status), (WebseedState::BackingOff, Some(404)));
}

#[test]
fn fault_41_an_old_version_of_one_file_is_not_had_and_the_rest_goes_on() {
    let mut old = WebServer::good();
    old.stale.insert(FileIndex(1));
    let (mut world, leecher) = leecher_with(41, &Shape::files(&[400_000, 400_000, 400_000]), &[old.clone()]);
    world.pass(seconds(20));
    let row = webseed(&mut world, leecher, 0);
    assert_eq!((row.state, row.files_lacking), (WebseedState::Idle, 1));
    assert!(
        row.wasted_bytes > 0 && row.last_error.expect("a piece failed").raw().contains("failed its hash")
    );
    let sent = world.web_server(0).sent_bytes;
    world.pass(seconds(300));
    assert_eq!(world.web_server(0).sent_bytes, sent, "it is not asked for it again");
    let peer = world.add_puppet(Manners::seed());
    world.introduce(leecher, peer);
    world.completes(leecher, seconds(20));
    assert_eq!(world.banned(leecher), []);

    // A torrent of one file: there is nothing left on it.
    old.stale.insert(FileIndex(0));
    let (mut world, leecher) = leecher_with(41, &Shape::files(&[400_000]), &[old]);
    world.pass(seconds(20));
    assert_eq!(webseed(&mut world, leecher, 0).state, WebseedState::Banned);
    assert_eq!(world.cause(leecher).as_deref(), Some("webseeds_banned"));
    assert_eq!(world.told(leecher, |event| matches!(event, EventKind::WebseedBanned { .. })), 1);
}

#[test]
fn fault_42_what_a_silent_server_holds_goes_to_peers() {
    let stalls = WebServer { fault: WebFault::StallsAfter(100_000), ..WebServer::good() };
    let (mut world, leecher) = leecher_with(42, &Shape::files(&[3_000_000]), &[stalls]);
    world.pass(seconds(1));
    let peer = world.add_puppet(Manners::seed());
    world.introduce(leecher, peer);
    let began = world.now();
    world.completes(leecher, limits::FETCH_STALL + seconds(5));
    assert!(world.now().since(began) < seconds(10));
    world.pass(MOMENT);
    assert_eq!(webseed(&mut world, leecher, 0).requests, [], "nothing is waited for");
}

#[test]
fn fault_44_removed_and_added_while_answers_arrive_it_ends_at_once() {
    for wait in (0..30).map(|step| Duration::from_millis(1 + step * 10)) {
        let (mut world, leecher) = leecher_with(44, &Shape::files(&[2_000_000]), &[WebServer::good()]);
        world.pass(wait);
        act(&mut world, leecher, WebseedAction::Remove(WebseedKey(0)));
        assert!(world.detail(leecher).webseeds.is_empty());
        assert_eq!(world.row(leecher).webseeds.active, 0);
        world.pass(wait);
        act(&mut world, leecher, WebseedAction::Add("http://web0.sim/".to_owned()));
        world.pass(wait);
        act(&mut world, leecher, WebseedAction::Disable(WebseedKey(1)));
        assert_eq!(webseed(&mut world, leecher, 0).state, WebseedState::Disabled);
        let sent = world.web_server(0).asked.len();
        world.pass(wait);
        assert_eq!(world.web_server(0).asked.len(), sent, "it is not asked");
        act(&mut world, leecher, WebseedAction::Enable(WebseedKey(1)));
        if wait.as_millis() % 2 == 0 {
            world.completes(leecher, seconds(20));
        }
        world.command(leecher, TorrentCommand::Stop);
        world.reach(seconds(1), "stopped", |world| world.node(leecher).is_stopped());
        assert!(world.node(leecher).fetches.is_empty());
    }
}

#[test]
fn what_a_slow_webseed_holds_goes_to_a_fast_one_that_is_idle() {
    let slow = WebServer { bps: 10_000, ..WebServer::good() };
    let (mut world, leecher) = leecher_with(1, &Shape::files(&[8_000_000]), &[slow, WebServer::good()]);
    // Alone the slow one would take minutes for what it is asked for first.
    world.completes(leecher, seconds(12));
    assert!(world.row(leecher).wasted_bytes * 100 <= 8_000_000, "{:?}", world.row(leecher));
}

#[test]
fn a_host_is_asked_for_eight_things_at_a_time_and_a_limit_holds() {
    let slow = WebServer { bps: 50_000, ..WebServer::good() };
    let mut world = World::new(1, &Shape::files(&[30_000_000]));
    world.set_audit_every(64);
    let url = world.add_web_server(slow);
    let webseeds = (0..4).map(|folder| format!("{url}{folder}/")).collect();
    let leecher = world.add_engine(EngineOptions { webseeds, ..EngineOptions::leecher() });
    world.pass(seconds(3));
    let under_way = |world: &mut World| {
        world.detail(leecher).webseeds.iter().map(|row| row.requests.len()).collect::<Vec<_>>()
    };
    assert_eq!(under_way(&mut world).iter().sum::<usize>(), limits::HOST_REQUESTS as usize);
    assert!(world.detail(leecher).webseeds.iter().any(|row| row.waiting_for_host > 0));
    act(&mut world, leecher, WebseedAction::Limit(WebseedKey(0), 1));
    (1..4).for_each(|key| act(&mut world, leecher, WebseedAction::Disable(WebseedKey(key))));
    world.pass(seconds(200));
    assert_eq!(under_way(&mut world)[0], 1);
}

#[test]
fn a_rate_limit_holds_for_webseeds() {
    let fast = WebServer { bps: 50_000_000, ..WebServer::good() };
    let (mut world, leecher) = leecher_with(1, &Shape::files(&[6_000_000]), &[fast]);
    world.set_limits(leecher, Some(crate::units::Rate(500_000)), None);
    world.pass(seconds(4));
    let came = world.row(leecher).downloaded_bytes;
    assert!((1_200_000..2_500_000).contains(&came), "{came} bytes in 4 s");
    world.set_limits(leecher, None, None);
    world.completes(leecher, seconds(2));
}

#[test]
fn a_download_from_a_webseed_ends_under_a_rate_limit() {
    // Whatever part of a block the last of the allowance covers.
    for bps in [60_000, 77_777, 100_000, 123_457, 200_000] {
        let (mut world, leecher) = leecher_with(bps, &Shape::files(&[700_000, 99]), &[WebServer::good()]);
        world.set_limits(leecher, Some(crate::units::Rate(bps)), None);
        world.completes(leecher, seconds(700_000 / bps * 3 / 2 + 5));
    }
}

#[test]
fn under_a_limit_of_less_than_a_block_in_its_patience_a_webseed_is_not_taken_for_silent() {
    let (mut world, leecher) = leecher_with(2, &Shape::files(&[100_000]), &[WebServer::good()]);
    world.set_limits(leecher, Some(crate::units::Rate(2_000)), None);
    for _ in 0..60 {
        world.pass(seconds(1));
        let requests = webseed(&mut world, leecher, 0).requests;
        assert!(requests.iter().all(|request| !request.stalled), "{requests:?}");
    }
    world.completes(leecher, seconds(30));
}

#[test]
fn pieces_of_very_many_files_are_asked_for_a_part_at_a_time_or_left_to_peers() {
    // 300 files in a block, each of which has to be asked for by itself; then one block of a thousand.
    let few = Shape::files(&[54; 1_200]);
    let (mut world, leecher) = leecher_with(6, &few, &[WebServer::good()]);
    world.completes(leecher, seconds(30));
    assert!(world.web_server(0).asked.len() >= 4);
    let many = Shape::files(&[16; 3_000]);
    let (mut world, leecher) = leecher_with(7, &many, &[WebServer::good()]);
    world.pass(seconds(5));
    assert_eq!(world.web_server(0).asked.len(), 0);
    assert_eq!(world.cause(leecher).as_deref(), Some("no_source_for_wanted_pieces"));
    let seed = world.add_puppet(Manners::seed());
    world.introduce(leecher, seed);
    world.completes(leecher, seconds(30));
}

#[test]
fn pieces_of_nothing_but_padding_are_not_asked_for_and_keep_nothing_from_its_end() {
    for piece_length in [16 * 1024, 32 * 1024] {
        let shape = Shape { piece_length, pads: vec![1], ..Shape::files(&[20_000, 200_000, 100_000, 7]) };
        let (mut world, leecher) = leecher_with(5, &shape, &[WebServer::good()]);
        world.completes(leecher, seconds(20));
        assert_eq!(webseed(&mut world, leecher, 0).downloaded_bytes, 120_007);
    }
}

#[test]
fn the_last_webseed_taken_away_leaves_no_place_held_and_no_deadline() {
    let (mut world, leecher) = leecher_with(3, &Shape::files(&[2_000_000]), &[WebServer::good()]);
    world.pass(Duration::from_millis(100));
    assert!(world.places_held(leecher) > 0);
    act(&mut world, leecher, WebseedAction::Remove(WebseedKey(0)));
    world.pass(seconds(2));
    assert_eq!(world.places_held(leecher), 0);
    assert!(world.turns < 1_000, "{} turns", world.turns);
    act(&mut world, leecher, WebseedAction::Add("http://web0.sim/".to_owned()));
    world.completes(leecher, seconds(10));
}

#[test]
fn fault_41_a_slow_liar_is_found_though_its_pieces_take_longer_than_the_time_between_two_saves() {
    let mut old = WebServer { bps: 20_000, ..WebServer::good() };
    old.stale.insert(FileIndex(0));
    let shape = Shape { piece_length: 256 * 1024, ..Shape::files(&[512 * 1024]) };
    let (mut world, leecher) = leecher_with(4, &shape, &[old]);
    let mut waited = 0;
    while webseed(&mut world, leecher, 0).state != WebseedState::Banned {
        world.pass(seconds(1));
        waited += 1;
        assert!(waited < 120, "the liar is not found: {:?}", webseed(&mut world, leecher, 0));
    }
    assert!(world.row(leecher).wasted_bytes > 0);
}

#[test]
fn webseeds_and_peers_together_are_faster_and_waste_little() {
    let shape = Shape::files(&[12_000_000]);
    let time = |webseed: bool, peer: bool| {
        let mut world = World::new(1, &shape);
        world.set_audit_every(16);
        world.set_quality(super::super::LinkQuality { rate: 1_000_000, ..super::super::LinkQuality::FAR });
        let url = world.add_web_server(WebServer { bps: 250_000, ..WebServer::good() });
        let webseeds = if webseed { vec![url] } else { Vec::new() };
        let leecher = world.add_engine(EngineOptions { webseeds, ..EngineOptions::leecher() });
        let puppet = world.add_puppet(Manners::seed());
        if peer {
            world.introduce(leecher, puppet);
        }
        world.completes(leecher, seconds(60));
        let wasted = world.row(leecher).wasted_bytes;
        assert!(wasted * 100 <= 12_000_000, "webseed {webseed} peer {peer}: {wasted} bytes wasted");
        world.now().since(Time::ZERO).as_secs_f64()
    };
    let (webseed, peer, both) = (time(true, false), time(false, true), time(true, true));
    let sum = 1.0 / (1.0 / webseed + 1.0 / peer);
    assert!(both <= sum / 0.9, "alone {webseed:.1} s and {peer:.1} s, together {both:.1} s");
}
