use std::time::Duration;

use super::*;
use crate::codec::tracker::RetryIn;
use crate::contract::TrackerState;

fn at(seconds: u64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

fn tiers(urls: &[&[&str]]) -> Vec<Vec<String>> {
    urls.iter().map(|tier| tier.iter().map(|url| (*url).to_owned()).collect()).collect()
}

fn trackers(urls: &[&[&str]]) -> Trackers {
    let mut trackers = Trackers::new(&tiers(urls), 7, fastrand::Rng::with_seed(1));
    trackers.start(at(0));
    trackers
}

fn answer(interval_s: u64) -> Result<AnnounceAnswer, TrackerError> {
    let counts = Some(1);
    Ok(AnnounceAnswer {
        interval_s: Some(interval_s),
        seeds: counts,
        leeches: counts,
        ..AnnounceAnswer::default()
    })
}

fn network() -> Result<AnnounceAnswer, TrackerError> {
    Err(TrackerError::Network("connection refused".to_owned()))
}

fn refused(retry: Option<RetryIn>) -> Result<AnnounceAnswer, TrackerError> {
    Err(TrackerError::Refused { reason: "no".to_owned(), retry })
}

/// Everything due now, as (key, event).
fn due(trackers: &mut Trackers, now: Time) -> Vec<(TrackerKey, AnnounceEvent)> {
    let announce = |due| match due {
        Due::Announce { tracker, event, .. } => Some((tracker, event)),
        Due::Scrape { .. } => None,
    };
    std::iter::from_fn(|| trackers.poll(now)).filter_map(announce).collect()
}

/// The one announce due now.
fn one(trackers: &mut Trackers, now: Time) -> (TrackerKey, AnnounceEvent) {
    let all = due(trackers, now);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0]
}

const FIRST: TrackerKey = TrackerKey(0);

#[test]
fn every_tier_is_asked_through_one_tracker() {
    let mut trackers = trackers(&[&["http://a/announce", "http://b/announce"], &["udp://c:1"]]);
    let started = due(&mut trackers, at(0));
    assert_eq!(started.len(), 2);
    assert!(started.iter().all(|(_, event)| *event == AnnounceEvent::Started));
    assert_eq!(started[1].0, TrackerKey(2));
    assert_eq!(trackers.next_deadline(), None, "both tiers wait for an answer");
}

#[test]
fn a_failure_goes_to_the_next_of_the_tier_and_a_success_to_its_front() {
    let mut trackers = trackers(&[&["http://a/announce", "http://b/announce"]]);
    let (first, _) = one(&mut trackers, at(0));
    trackers.answered(at(1), first, &network());
    let (second, event) = one(&mut trackers, at(1));
    assert_ne!(first, second);
    assert_eq!(event, AnnounceEvent::Started);
    trackers.answered(at(2), second, &answer(1800));
    assert_eq!(trackers.next_deadline(), Some(at(1802)), "the failed one is not retried meanwhile");
    assert_eq!(one(&mut trackers, at(1802)), (second, AnnounceEvent::Periodic));
    let rows = trackers.rows(at(1802));
    assert_eq!((rows[0].state, rows[1].state), (TrackerState::Announcing, TrackerState::Failing));
}

#[test]
fn intervals_are_clamped() {
    for (sent, expected) in [(0, 60), (59, 60), (1800, 1800), (1 << 40, 3600)] {
        let mut trackers = trackers(&[&["http://a/announce"]]);
        one(&mut trackers, at(0));
        trackers.answered(at(0), FIRST, &answer(sent));
        assert_eq!(trackers.next_deadline(), Some(at(expected)), "interval {sent}");
    }
    let mut trackers = trackers(&[&["http://a/announce"]]);
    one(&mut trackers, at(0));
    let long_minimum = AnnounceAnswer {
        interval_s: Some(60),
        min_interval_s: Some(900),
        seeds: Some(0),
        ..AnnounceAnswer::default()
    };
    trackers.answered(at(0), FIRST, &Ok(long_minimum));
    assert_eq!(trackers.next_deadline(), Some(at(900)));
}

#[test]
fn failures_back_off_with_jitter_up_to_an_hour() {
    let mut trackers = trackers(&[&["http://a/announce"]]);
    let mut now = at(0);
    let mut waits = Vec::new();
    for _ in 0..10 {
        one(&mut trackers, now);
        trackers.answered(now, FIRST, &network());
        let next = trackers.next_deadline().unwrap();
        waits.push(next.since(now).as_secs_f64());
        now = next;
    }
    for (wait, middle) in waits.iter().zip([15.0, 37.5, 93.75, 234.375, 585.9, 1464.8, 3600.0, 3600.0]) {
        assert!((middle * 0.79..=middle * 1.21).contains(wait), "{waits:?}");
    }
    assert!(waits[8] != waits[9], "there is no jitter: {waits:?}");
}

#[test]
fn a_refusal_is_not_repeated_within_a_minute() {
    let mut trackers = trackers(&[&["http://a/announce"]]);
    one(&mut trackers, at(0));
    trackers.answered(at(0), FIRST, &refused(None));
    assert_eq!(trackers.next_deadline(), Some(at(60)));
    assert_eq!(trackers.retry_in_s(at(20), FIRST), Some(40));
}

#[test]
fn retry_in_is_obeyed() {
    let mut trackers = trackers(&[&["http://a/announce"]]);
    one(&mut trackers, at(0));
    trackers.answered(at(0), FIRST, &refused(Some(RetryIn::Minutes(5))));
    assert_eq!(trackers.next_deadline(), Some(at(300)));
    one(&mut trackers, at(300));
    trackers.answered(at(300), FIRST, &refused(Some(RetryIn::Minutes(u64::MAX))));
    assert_eq!(trackers.next_deadline(), Some(at(300 + 24 * 3600)), "at most a day");
    trackers.announce_now(at(400));
    one(&mut trackers, at(400));
    trackers.answered(at(400), FIRST, &refused(Some(RetryIn::Never)));
    trackers.announce_now(at(500));
    assert_eq!((trackers.next_deadline(), trackers.retry_in_s(at(500), FIRST)), (None, None));
    let row = &trackers.rows(at(500))[0];
    assert_eq!((row.state, row.next_announce_s), (TrackerState::Off, None));
    assert_eq!(row.message.as_ref().unwrap().raw(), "refused: no");
}

#[test]
fn by_hand_is_at_once_but_obeys_a_named_minimum() {
    let mut trackers = trackers(&[&["http://a/announce"]]);
    one(&mut trackers, at(0));
    trackers.answered(at(0), FIRST, &network());
    assert_eq!(due(&mut trackers, at(1)), []);
    trackers.announce_now(at(1));
    one(&mut trackers, at(1));
    trackers.answered(at(1), FIRST, &answer(1800));
    trackers.announce_now(at(2));
    assert_eq!(one(&mut trackers, at(2)), (FIRST, AnnounceEvent::Periodic));
    let minimum = AnnounceAnswer {
        interval_s: Some(1800),
        min_interval_s: Some(300),
        seeds: Some(0),
        ..AnnounceAnswer::default()
    };
    trackers.answered(at(2), FIRST, &Ok(minimum));
    trackers.announce_now(at(10));
    assert_eq!(trackers.next_deadline(), Some(at(302)));
}

#[test]
fn a_need_for_peers_shortens_the_wait_to_the_minimum() {
    let mut trackers = trackers(&[&["http://a/announce"]]);
    one(&mut trackers, at(0));
    trackers.answered(at(0), FIRST, &answer(1800));
    trackers.set_need(PeerNeed::More);
    assert_eq!(trackers.next_deadline(), Some(at(300)));
    trackers.set_need(PeerNeed::Enough);
    assert_eq!(trackers.next_deadline(), Some(at(1800)));
}

#[test]
fn completion_is_told_once_to_those_that_know_us() {
    let mut trackers = trackers(&[&["http://a/announce"], &["http://b/announce"]]);
    due(&mut trackers, at(0));
    trackers.answered(at(1), FIRST, &answer(1800));
    trackers.answered(at(1), TrackerKey(1), &network());
    trackers.completed();
    assert_eq!(one(&mut trackers, at(2)), (FIRST, AnnounceEvent::Completed));
    trackers.answered(at(3), FIRST, &answer(1800));
    assert_eq!(one(&mut trackers, at(100)), (TrackerKey(1), AnnounceEvent::Started));
    trackers.answered(at(100), TrackerKey(1), &answer(1800));
    assert_eq!(one(&mut trackers, at(1803)), (FIRST, AnnounceEvent::Periodic));
}

#[test]
fn completion_while_the_start_is_under_way_is_not_lost() {
    let mut trackers = trackers(&[&["http://a/announce"]]);
    one(&mut trackers, at(0));
    trackers.completed();
    trackers.answered(at(1), FIRST, &answer(1800));
    assert_eq!(one(&mut trackers, at(1)), (FIRST, AnnounceEvent::Completed));
}

#[test]
fn goodbye_goes_only_to_those_that_know_us() {
    let mut trackers = trackers(&[&["http://a/announce"], &["http://b/announce"]]);
    due(&mut trackers, at(0));
    trackers.answered(at(1), FIRST, &answer(1800));
    trackers.answered(at(1), TrackerKey(1), &network());
    trackers.stop(at(2));
    assert_eq!(one(&mut trackers, at(2)), (FIRST, AnnounceEvent::Stopped));
    assert!(!trackers.all_stopped());
    trackers.answered(at(3), FIRST, &network());
    assert!(trackers.all_stopped());
    assert_eq!(due(&mut trackers, at(10_000)), []);
    assert_eq!(trackers.next_deadline(), None);
}

#[test]
fn a_silent_tracker_holds_up_the_end_for_five_seconds_at_most() {
    let mut trackers = trackers(&[&["http://a/announce"]]);
    one(&mut trackers, at(0));
    trackers.stop(at(2));
    assert_eq!(due(&mut trackers, at(2)), []);
    assert!(!trackers.all_stopped());
    assert_eq!(trackers.next_deadline(), Some(at(2) + Duration::from_secs(5)));
    assert_eq!(due(&mut trackers, at(7)), []);
    assert!(trackers.all_stopped());
}

#[test]
fn a_start_acknowledged_after_the_stop_is_still_taken_back() {
    let mut trackers = trackers(&[&["http://a/announce"]]);
    one(&mut trackers, at(0));
    trackers.stop(at(1));
    due(&mut trackers, at(6));
    trackers.answered(at(20), FIRST, &answer(1800));
    assert_eq!(one(&mut trackers, at(20)), (FIRST, AnnounceEvent::Stopped));
}

#[test]
fn stop_and_start_while_an_announce_is_under_way_leaves_nothing_stuck() {
    let mut trackers = trackers(&[&["http://a/announce"]]);
    one(&mut trackers, at(0));
    trackers.stop(at(1));
    trackers.start(at(2));
    assert_eq!(due(&mut trackers, at(2)), [], "one announce at a time");
    trackers.answered(at(3), FIRST, &answer(1800));
    assert_eq!(trackers.rows(at(3))[0].state, TrackerState::Working);
    assert_eq!(trackers.next_deadline(), Some(at(1803)));

    trackers.stop(at(10));
    assert_eq!(one(&mut trackers, at(10)), (FIRST, AnnounceEvent::Stopped));
    trackers.start(at(11));
    trackers.answered(at(12), FIRST, &answer(1800));
    assert_eq!(one(&mut trackers, at(12)), (FIRST, AnnounceEvent::Started));
}

#[test]
fn unusable_urls_are_off_with_a_reason() {
    let mut trackers = trackers(&[&["wss://t/announce"], &["t.example"], &["http:///x"], &["HTTP://ok/a"]]);
    assert_eq!(one(&mut trackers, at(0)).0, TrackerKey(3));
    let rows = trackers.rows(at(0));
    assert!(rows[..3].iter().all(|row| row.state == TrackerState::Off && row.message.is_some()));
    assert_eq!(
        rows[0].message.as_ref().unwrap().raw(),
        "wss trackers are not supported: http, https and udp are"
    );
}

#[test]
fn duplicates_and_floods_are_left_out() {
    let many: Vec<Vec<String>> = (0..10_000).map(|number| vec![format!("udp://t{number}:1")]).collect();
    let mut trackers = Trackers::new(&many, 7, fastrand::Rng::with_seed(1));
    assert_eq!(trackers.rows(at(0)).len(), TRACKERS_ASKED_MAX);
    trackers = Trackers::new(&tiers(&[&["udp://a:1", "udp://a:1"]]), 7, fastrand::Rng::with_seed(1));
    trackers.add("udp://a:1", at(0));
    trackers.add("udp://b:1", at(0));
    assert_eq!(trackers.rows(at(0)).len(), 2);
}

#[test]
fn an_added_tracker_is_asked_at_once() {
    let mut trackers = trackers(&[]);
    assert_eq!(trackers.next_deadline(), None);
    trackers.add("udp://b:1", at(50));
    assert_eq!(trackers.next_deadline(), Some(at(50)));
    assert_eq!(one(&mut trackers, at(50)), (FIRST, AnnounceEvent::Started));
}

#[test]
fn only_a_tracker_without_counts_is_scraped_and_seldom() {
    let mut trackers = trackers(&[&["http://a/announce"]]);
    one(&mut trackers, at(0));
    let no_counts = AnnounceAnswer { interval_s: Some(60), ..AnnounceAnswer::default() };
    trackers.answered(at(0), FIRST, &Ok(no_counts.clone()));
    assert_eq!(trackers.poll(at(0)), Some(Due::Scrape { tracker: FIRST, url: "http://a/announce".into() }));
    trackers.scraped(FIRST, &Ok(ScrapeAnswer { seeds: 4, leeches: 5, downloads: 6 }));
    one(&mut trackers, at(60));
    trackers.answered(at(60), FIRST, &Ok(no_counts));
    assert_eq!(trackers.poll(at(60)), None);
    let row = &trackers.rows(at(60))[0];
    assert_eq!((row.seeds, row.leeches, row.downloads), (Some(4), Some(5), Some(6)));
}

#[test]
fn rows_count_down() {
    let mut trackers = trackers(&[&["http://t.example/announce?passkey=1"]]);
    one(&mut trackers, at(0));
    let row = &trackers.rows(at(0))[0];
    assert_eq!((row.state, row.next_announce_s), (TrackerState::Announcing, None));
    trackers.answered(at(1), FIRST, &answer(1800));
    let row = &trackers.rows(at(11))[0];
    assert_eq!((row.next_announce_s, row.last_answer_s), (Some(1790), Some(10)));
    assert_eq!(row.url.raw(), "http://t.example/announce?…");
    trackers.stop(at(12));
    assert_eq!(trackers.rows(at(12))[0].next_announce_s, None);
}
