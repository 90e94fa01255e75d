//! Webseeds: what their keys ask of the engine, and what is said of them elsewhere on the screen.

use std::sync::Arc;

use unchoke::contract::*;
use unchoke::tui::Message;
use unchoke::units::{PieceIndex, WebseedKey};

use super::Screen;
use super::canned::{detail, id, library, snapshot, webseed, with_detail};

fn screen() -> Screen {
    Screen::new(80, 24, with_detail(library(), 0))
}

/// A screen of the first torrent with these webseeds.
fn with(webseeds: Vec<WebseedRow>) -> Snapshot {
    let mut snapshot = snapshot(library());
    let mut detail = detail(Arc::clone(&snapshot.torrents[0]));
    detail.webseeds = webseeds;
    snapshot.detail = Some(Arc::new(detail));
    snapshot
}

/// What was asked to be done with webseeds of the first torrent.
fn actions(screen: &mut Screen) -> Vec<WebseedAction> {
    let action = |command| match command {
        Command::Webseed { torrent, action } => {
            assert_eq!(torrent, id(1));
            action
        }
        other => panic!("{other:?}"),
    };
    screen.asked().into_iter().map(action).collect()
}

fn said(screen: &Screen) -> String {
    screen.picture().lines().rev().nth(1).unwrap().to_owned()
}

#[test]
fn the_selected_one_is_retried_at_once() {
    let mut screen = screen();
    screen.press("4jR");
    assert!(matches!(screen.asked[..], [_, (_, Command::Webseed { .. })]));
    screen.answer(Ok(Answer::Done));
    assert_eq!(said(&screen), " The webseed is asked again now.");
    screen.press("R");
    assert_eq!(actions(&mut screen), [WebseedAction::Retry(WebseedKey(1))]);
}

#[test]
fn one_key_disables_and_enables() {
    let mut screen = screen();
    screen.press("4ejje");
    let expected = [WebseedAction::Disable(WebseedKey(0)), WebseedAction::Enable(WebseedKey(2))];
    assert_eq!(actions(&mut screen), expected);
}

#[test]
fn removing_asks_first() {
    let mut screen = screen();
    screen.press("4jXn").press("<Del>");
    assert!(screen.asked().is_empty());
    assert!(screen.picture().contains("http://mirror.example.org/debian/"), "{}", screen.picture());
    // The list moves under the question: it is about the one that it names.
    screen.show(with(vec![webseed(7, "http://other.example/", WebseedState::Idle)])).press("y");
    assert_eq!(actions(&mut screen), [WebseedAction::Remove(WebseedKey(1))]);
}

#[test]
fn a_url_is_typed_or_pasted_and_only_one_of_a_web_server_is_asked_for() {
    let mut screen = screen();
    screen.press("4wftp://w.example/<Enter>");
    assert!(screen.asked().is_empty() && screen.picture().contains("correct it"), "{}", screen.picture());
    screen.press("<^u>").send(Message::Paste("http://w.example/pub/\nhttp://second.example/".to_owned()));
    screen.press("<Enter>");
    assert_eq!(actions(&mut screen), [WebseedAction::Add("http://w.example/pub/".to_owned())]);
    screen.press("whttp://w.example/<Esc>");
    assert!(actions(&mut screen).is_empty() && !screen.picture().contains("Add a webseed"));
}

#[test]
fn presses_of_the_limit_add_up_before_a_snapshot_has_the_first() {
    let mut screen = screen();
    screen.press("4++-");
    let limit = |requests| WebseedAction::Limit(WebseedKey(0), requests);
    assert!(said(&screen).contains("At most 5 requests at a time"), "{}", said(&screen));
    for _ in 0..2 {
        screen.answer(Ok(Answer::Done)).show(with_detail(library(), 0));
    }
    screen.press("+");
    assert_eq!(actions(&mut screen), [limit(5), limit(6)], "an answer is still to come");
    // All are answered or forgotten with the snapshot after them; then what it says counts.
    let mut screen = self::screen();
    screen.press("4+").answer(Err(Refusal::new("no more than 4"))).show(with_detail(library(), 0)).press("-");
    assert_eq!(actions(&mut screen), [limit(3)]);
}

#[test]
fn there_is_always_one_request() {
    let one = WebseedRow { requests_max: 1, ..webseed(3, "http://w.example/", WebseedState::Idle) };
    let mut screen = Screen::new(80, 24, with(vec![one]));
    screen.press("4-");
    assert_eq!(actions(&mut screen), [WebseedAction::Limit(WebseedKey(3), 1)]);
}

#[test]
fn a_torrent_without_webseeds_says_what_to_do() {
    let mut screen = Screen::new(80, 24, with(Vec::new()));
    screen.press("4");
    assert!(screen.picture().contains("Press w to add the URL of one."), "{}", screen.picture());
    screen.press("RXe+");
    assert!(screen.asked().is_empty());
    assert!(said(&screen).contains("No webseed is selected."));
    screen.press("whttp://w.example/<Enter>");
    assert_eq!(actions(&mut screen), [WebseedAction::Add("http://w.example/".to_owned())]);
}

#[test]
fn more_requests_than_rows_are_counted() {
    let request = |first: u32| WebseedRequestRow {
        first: PieceIndex(first),
        last: PieceIndex(first + 3),
        file: None,
        bytes: 1 << 20,
        received_bytes: 1 << 18,
        age_ms: 10,
        silent_ms: 10,
        status: None,
        stalled: false,
    };
    let many = WebseedRow {
        requests: (0..32).map(|at| request(500 + 4 * at)).collect(),
        requests_max: 32,
        ..webseed(0, "http://w.example/", WebseedState::Active)
    };
    let mut screen = Screen::new(80, 24, with(vec![many]));
    screen.press("4");
    let picture = screen.picture();
    let shown = picture.matches("256K/1.00M").count();
    assert!(shown > 3 && picture.contains(&format!("and {} more", 32 - shown)), "{picture}");
}

#[test]
fn hidden_names_hide_urls_and_what_errors_say_of_files() {
    let mut screen = screen();
    screen.press("x4j");
    let picture = screen.picture();
    assert!(picture.contains("webseed 1") && picture.contains("webseed 5"), "{picture}");
    for name in ["mirror", "debian", "liar", "198.51"] {
        assert!(!picture.contains(name), "{name}: {picture}");
    }
    screen.press("X");
    assert!(!screen.picture().contains("mirror"));
}

#[test]
fn the_map_tells_pieces_of_webseeds_apart() {
    let mut screen = Screen::new(200, 60, with_detail(library(), 0));
    screen.press("5");
    let picture = screen.picture();
    assert!(picture.contains("^wwwwwwwwww") && picture.contains("w webseed"), "{picture}");
}

#[test]
fn why_webseeds_bring_nothing_is_said_in_words() {
    for (cause, words) in [
        ("webseeds_backing_off", "every webseed failed and is left alone for a while"),
        ("webseeds_banned", "nothing good is left on any webseed"),
    ] {
        let mut row = library().remove(0);
        row.cause = Some(Untrusted::new(cause));
        let screen = Screen::new(80, 24, snapshot(vec![row]));
        assert!(said(&screen).contains(words), "{}", said(&screen));
    }
}
