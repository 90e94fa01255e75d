//! What the screen says beside its tables: causes, filters, messages.

use std::sync::Arc;

use unchoke::contract::*;
use unchoke::tui::{Message, Size};
use unchoke::units::Rate;

use super::Screen;
use super::canned::{id, library, preview, row, snapshot, with_detail};

/// The last but one line of the screen.
fn banner(screen: &Screen) -> String {
    screen.picture().lines().rev().nth(1).unwrap().to_owned()
}

#[test]
fn the_cause_comes_first_in_words_with_the_key_that_helps() {
    let mut held = library().remove(0);
    held.cause = Some(Untrusted::new("rate_limit"));
    held.wasted_bytes = 3 << 20;
    let screen = Screen::new(80, 24, snapshot(vec![held]));
    assert!(
        banner(&screen).starts_with(" downloading: held by the download limit; ] raises it   9 of 34 peers")
    );
}

#[test]
fn a_healthy_download_says_what_no_column_says() {
    let mut healthy = library().remove(0);
    healthy.peers = PeerCounts { connected: 1, seeds: 1, half_open: 0, unchoked_us: 1, known: 1, banned: 0 };
    healthy.requests_in_flight = 1;
    healthy.wasted_bytes = 3 << 20;
    let screen = Screen::new(80, 24, snapshot(vec![healthy]));
    let said = banner(&screen);
    assert!(said.contains("1 of 1 peer unchoke us, 1 request out, 3.00 MiB wasted"), "{said}");
    assert!(said.len() <= 80 && !said.contains('…'), "{said}");
}

#[test]
fn what_is_paused_has_neither_rates_nor_a_time_left() {
    let paused = TorrentRow {
        down_bps: Rate(5 << 20),
        up_bps: Rate(5 << 20),
        done_bytes: 1 << 20,
        ..row(1, "paused", TorrentState::Paused)
    };
    let picture = Screen::new(80, 24, snapshot(vec![paused])).picture();
    let line = picture.lines().nth(2).unwrap();
    assert!(!line.contains("5.00M") && line.matches('·').count() >= 3, "{line}");
}

#[test]
fn a_filter_is_said_while_messages_come_and_go() {
    let mut screen = Screen::new(80, 24, with_detail(library(), 0));
    screen.press("/arch<Enter>xx");
    let picture = screen.picture();
    assert!(picture.lines().next().unwrap().contains("1 of 8 shown, /arch"), "{picture}");
    assert!(banner(&screen).contains("Names and addresses are shown."));
    assert!(picture.lines().last().unwrap().contains("? help"), "{picture}");
}

#[test]
fn a_filter_of_files_is_said_beside_the_tabs() {
    let mut screen = Screen::new(80, 24, with_detail(library(), 0));
    screen.press("1/deb<Enter><Tab>");
    assert!(screen.picture().contains("/deb  "), "{}", screen.picture());
}

#[test]
fn the_list_is_sorted_from_the_pane_too() {
    let mut screen = Screen::new(80, 24, with_detail(library(), 0));
    screen.press("2s");
    assert!(screen.picture().contains("Sort the list by"));
    screen.press("<Esc>>");
    assert!(banner(&screen).contains("List sorted by state"));
}

#[test]
fn hidden_peers_of_the_log_are_those_of_the_pane_and_reasons_are_told() {
    let mut snapshot = with_detail(library(), 0);
    let mut detail = snapshot.detail.as_deref().unwrap().clone();
    let mut line = detail.log[0].clone();
    for address in [detail.peers[1].address, "203.0.113.9:6881".parse().unwrap()] {
        let reason = Untrusted::new("it sent nothing for too long");
        line.event.kind = EventKind::PeerGone { address, reason };
        detail.log.push(line.clone());
    }
    let gone = detail.peers.len() + 1;
    snapshot.detail = Some(Arc::new(detail));
    let mut screen = Screen::new(120, 40, snapshot);
    screen.press("x8");
    let picture = screen.picture();
    assert!(picture.contains("peer 2 gone: it sent nothing for too long"), "{picture}");
    assert!(picture.contains(&format!("peer {gone} gone")), "{picture}");
    assert!(picture.contains("peer 1 connected, qBittorrent/5.1.0"), "{picture}");
    assert!(picture.contains("tracker 1 named 50 peers"), "{picture}");
}

#[test]
fn hidden_columns_are_marked_and_scrolling_ends_where_all_are_shown() {
    let mut screen = Screen::new(80, 24, snapshot(library()));
    let heading = |screen: &Screen| screen.picture().lines().nth(1).unwrap().to_owned();
    assert!(heading(&screen).starts_with(" >"));
    screen.press("<Right>");
    assert!(heading(&screen).starts_with("<>"), "{}", heading(&screen));
    assert!(!heading(&screen).contains("Size"), "one press is seen: {}", heading(&screen));
    screen.press("<Right><Right><Right><Right><Right><Right><Right><Right><Right><Right><Right><Right>");
    let last = heading(&screen);
    assert!(last.starts_with("< ") && last.ends_with("Sent"), "{last}");
    screen.press("<Left>");
    assert!(heading(&screen).starts_with("<>"), "one press back is seen: {}", heading(&screen));
    screen.send(Message::Resize(Size { columns: 200, rows: 24 }));
    screen.send(Message::Resize(Size { columns: 80, rows: 24 }));
    assert!(heading(&screen).starts_with(" >"), "{}", heading(&screen));
}

#[test]
fn the_add_dialog_shows_its_keys_and_comes_back() {
    let mut screen = Screen::new(80, 24, with_detail(library(), 0));
    screen.press("a/srv/x?<F1>");
    assert!(screen.picture().contains("Text field"));
    screen.press("zz<Esc>");
    assert!(screen.picture().contains("/srv/x?") && !screen.picture().contains("zz"));
    screen.press("<Enter>").answer(Ok(preview())).press("?");
    assert!(screen.picture().contains("Add: files"));
    screen.press("?<Tab>?");
    assert!(screen.picture().contains("/srv/torrents?"), "a character of the folder");
    assert!(screen.picture().contains("F1 help"));
}

#[test]
fn the_add_dialog_says_that_a_torrent_is_there_and_offers_no_priorities_without_files() {
    let mut screen = Screen::new(80, 24, with_detail(library(), 0));
    screen.press("amagnet:?xt=urn:btih:d43e185e297421ea3f253ae04300e373aef9404e<Enter>");
    let Answer::Preview(known) = preview() else { panic!("a preview") };
    let without_files = TorrentPreview { torrent: id(3), files: Vec::new(), pieces: 0, ..(*known).clone() };
    screen.answer(Ok(Answer::Preview(Arc::new(without_files))));
    let picture = screen.picture();
    assert!(picture.contains("It is in the list already"), "{picture}");
    assert!(!picture.contains("+ - =") && !picture.contains("Tab"), "{picture}");
}
