//! Whole screens, compared with the pictures beside this file.

use unchoke::contract::{Refusal, Snapshot};
use unchoke::tui::{ColourDepth, Glyphs};

use super::Screen;
use super::canned::{library, preview, row, snapshot, with_detail};

/// The usual sizes: SSH, a window, a large one.
const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// Compares the screen after these keys at each of the usual sizes.
fn at_all_sizes(name: &str, snapshot: &Snapshot, keys: &str) {
    for (columns, rows) in SIZES {
        let mut screen = Screen::new(columns, rows, snapshot.clone());
        screen.press(keys);
        insta::assert_snapshot!(format!("{name}-{columns}x{rows}"), screen.picture());
    }
}

#[test]
fn the_list_alone() {
    at_all_sizes("list", &snapshot(library()), "");
}

#[test]
fn each_tab_of_the_pane() {
    let snapshot = with_detail(library(), 0);
    for (key, name) in
        [("1", "files"), ("2", "peers"), ("3", "trackers"), ("4", "webseeds"), ("5", "pieces"), ("8", "log")]
    {
        at_all_sizes(name, &snapshot, key);
    }
}

#[test]
fn an_empty_list_says_what_to_do() {
    let screen = Screen::new(80, 24, snapshot(vec![]));
    assert!(screen.picture().contains("No torrents. Press a to add one."));
    insta::assert_snapshot!("empty-80x24", screen.picture());
}

#[test]
fn everything_reads_in_ascii_and_without_colour() {
    for (key, name) in [("", "list"), ("1", "files"), ("4", "webseeds"), ("5", "pieces")] {
        let mut screen = Screen::with(80, 24, with_detail(library(), 0), ColourDepth::None, Glyphs::Ascii);
        screen.press(key);
        assert!(screen.picture().is_ascii());
        insta::assert_snapshot!(format!("ascii-{name}-80x24"), screen.picture());
    }
}

#[test]
fn the_dialogs() {
    let snapshot = with_detail(library(), 0);
    for (keys, name) in
        [("?", "help"), ("d", "remove"), (" D", "delete"), ("Q", "quit"), ("s", "sort"), ("a", "add")]
    {
        let mut screen = Screen::new(80, 24, snapshot.clone());
        screen.press(keys);
        insta::assert_snapshot!(format!("dialog-{name}-80x24"), screen.picture());
    }
    for (keys, name) in [("4wftp://w.example/<Enter>", "webseed-add"), ("4jX", "webseed-remove")] {
        let mut screen = Screen::new(80, 24, snapshot.clone());
        screen.press(keys);
        insta::assert_snapshot!(format!("dialog-{name}-80x24"), screen.picture());
    }
    let mut screen = Screen::new(80, 24, snapshot);
    screen.press("a/srv/debian.torrent<Enter>");
    insta::assert_snapshot!("dialog-add-reading-80x24", screen.picture());
    screen.answer(Ok(preview())).press("<Down><Down>0<Down>+");
    insta::assert_snapshot!("dialog-add-files-80x24", screen.picture());
}

#[test]
fn a_refused_source_can_be_corrected() {
    let mut screen = Screen::new(80, 24, snapshot(library()));
    screen.press("a/srv/debain.torrent<Enter>");
    screen.answer(Err(Refusal::new(
        "cannot read /srv/debain.torrent: No such file or directory; check the path",
    )));
    insta::assert_snapshot!("dialog-add-refused-80x24", screen.picture());
}

#[test]
fn the_selected_webseed_is_told_in_full() {
    for (keys, name) in [("4j", "backing-off"), ("4jjj", "banned"), ("4<Right><Right><Right>", "scrolled")] {
        let mut screen = Screen::new(80, 24, with_detail(library(), 0));
        screen.press(keys);
        insta::assert_snapshot!(format!("webseeds-{name}-80x24"), screen.picture());
    }
}

#[test]
fn small_screens_say_so_or_show_what_they_can() {
    for (columns, rows) in [(1, 1), (20, 5), (30, 8), (40, 16)] {
        let mut screen = Screen::new(columns, rows, with_detail(library(), 0));
        screen.press("1");
        insta::assert_snapshot!(format!("small-{columns}x{rows}"), screen.picture());
    }
}

#[test]
fn fourteen_torrents_fit_the_usual_terminal() {
    let rows = (0..30).map(|n| row(n, &format!("torrent number {n:02}"), Default::default())).collect();
    let picture = Screen::new(80, 24, snapshot(rows)).picture();
    assert!(picture.matches("torrent number").count() >= 14, "{picture}");
}
