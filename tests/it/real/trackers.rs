//! Two of our instances find each other through opentracker, which alone tells them of one another.

use super::clients::{Client, Opentracker, require_or_skip};
use super::payload::Payload;
use super::unchoke::{DOWNLOAD_TIMEOUT_S, Download};

/// `None` where it was skipped.
fn two_instances_find_each_other(urls: impl FnOnce(&Opentracker) -> Vec<String>) -> Option<()> {
    let program = require_or_skip(Client::Opentracker)?;
    let arena = tempfile::tempdir().unwrap();
    let payload = Payload::borders(arena.path());
    let tracker = Opentracker::start(&program, &arena.path().join("tracker"), &[&payload.info_hash]);
    let torrent = payload.torrent(&arena.path().join("t.torrent"), &urls(&tracker));
    let (mut seed, _) = Download::seed(&arena.path().join("seed"), &torrent, &payload.folder, &[]);
    let target = arena.path().join("target");
    let timeout = DOWNLOAD_TIMEOUT_S.to_string();
    let mut leech = Download::start(
        &arena.path().join("leech"),
        &torrent,
        &target,
        &["--no-seed", "--timeout", &timeout],
    );
    leech.wait_done();
    payload.assert_only_this_in(&target);
    assert!(seed.is_running(), "the seed goes on");
    Some(())
}

#[test]
fn two_instances_find_each_other_by_an_http_tracker() {
    two_instances_find_each_other(|tracker| vec![tracker.http()]);
}

#[test]
fn two_instances_find_each_other_by_a_udp_tracker() {
    two_instances_find_each_other(|tracker| vec![tracker.udp()]);
}

/// The first tier answers with HTML; the second is a tracker.
#[test]
fn a_web_page_in_the_first_tier_does_not_hide_the_tracker_in_the_second() {
    let page = super::stub_tracker::StubTracker::answering("text/html", b"<html>moved</html>".to_vec());
    if two_instances_find_each_other(|tracker| vec![page.url(), tracker.http()]).is_some() {
        assert!(!page.requests().is_empty(), "the first tier was asked first");
    }
}
