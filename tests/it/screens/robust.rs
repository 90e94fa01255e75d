//! Hostile text, odd sizes and large numbers.

use std::sync::Arc;

use unchoke::contract::*;
use unchoke::tui::{ColourDepth, Glyphs, Message, Size};

use super::Screen;
use super::canned::{detail, file, library, row, snapshot, with_detail};

const HOSTILE: [&str; 8] = [
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "a\u{202e}cod.exe",
    "line\nbreak\r\ttab",
    "\u{200b}\u{feff}\u{2066}",
    "日本語日本語日本語日本語日本語日本語日本語",
    "👨‍👩‍👧‍👦👨‍👩‍👧‍👦👨‍👩‍👧‍👦",
    "e\u{301}\u{301}\u{301}\u{301}\u{301}",
    "",
];

const TABS: [&str; 6] = ["1", "2", "3", "4", "5", "8"];

/// A snapshot in which all text from outside is `text`.
fn hostile(text: &str) -> Snapshot {
    let text = || Untrusted::new(text);
    let rows =
        library().into_iter().map(|row| TorrentRow { name: text(), cause: Some(text()), ..row }).collect();
    let mut snapshot = snapshot(rows);
    let mut detail = detail(Arc::clone(&snapshot.torrents[0]));
    detail.comment = Some(text());
    detail
        .files
        .iter_mut()
        .for_each(|file| file.path = Untrusted::new(format!("{}/{}", text().raw(), text().raw())));
    detail.peers.iter_mut().for_each(|peer| peer.client = text());
    for tracker in &mut detail.trackers {
        tracker.url = text();
        tracker.message = Some(text());
    }
    for webseed in &mut detail.webseeds {
        webseed.url = text();
        webseed.last_error = Some(text());
        webseed.protocol = Some(text().raw().to_owned());
    }
    for line in &mut detail.log {
        line.event.kind = EventKind::Notice { severity: Severity::Error, message: text() };
    }
    snapshot.detail = Some(Arc::new(detail));
    snapshot
}

fn assert_tame(screen: &Screen) {
    for cell in screen.cells().content() {
        let acts = |letter: char| {
            letter.is_control()
                || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!cell.symbol().chars().any(acts), "{:?}", cell.symbol());
    }
}

#[test]
fn no_control_character_reaches_the_screen() {
    for text in HOSTILE {
        for (columns, rows) in [(80, 24), (37, 13), (200, 60)] {
            let mut screen = Screen::new(columns, rows, hostile(text));
            assert_tame(&screen);
            for keys in TABS.into_iter().chain(["D", "<Esc>a", "<Esc><Esc>/", "<Esc><Esc>4w", "<Esc>X"]) {
                screen.press(keys);
                assert_tame(&screen);
                screen.send(Message::Paste(text.to_owned()));
                assert_tame(&screen);
            }
            let message = Untrusted::new(text);
            let kind = EventKind::DiskFailed { message };
            screen.send(Message::Event(Event { at: Default::default(), torrent: None, kind }));
            assert_tame(&screen);
        }
    }
}

#[test]
fn wide_names_never_push_the_columns_out_of_line() {
    for text in HOSTILE {
        let picture = Screen::new(80, 24, hostile(text)).cells();
        let heading: String = (0..80).map(|x| picture[(x, 1)].symbol().to_owned()).collect();
        let right = heading.find("Size").map(|at| at + 3).unwrap() as u16;
        for y in 2..9 {
            assert_eq!(picture[(right + 1, y)].symbol(), " ", "{text:?} row {y}");
        }
    }
}

#[test]
fn no_size_and_no_key_panics() {
    let keys = [
        "1",
        "2",
        "3",
        "4",
        "+",
        "-",
        "e",
        "R",
        "X",
        "y",
        "w",
        "<Enter>",
        "<Esc>",
        "5",
        "8",
        "<Enter>",
        "<Tab>",
        "G",
        "g",
        "<PgDn>",
        "<Right>",
        "<Left>",
        "e",
        " ",
        "V",
        "j",
        "+",
        "/x<Enter>",
        "?",
        "<End>",
        "<Esc>",
        "s",
        "<Down>",
        "<Esc>",
        "d",
        "n",
        "D",
        "n",
        "z",
        "z",
        "x",
        "[",
        "}",
        "a",
        "x<Enter>",
        "<Esc>",
        "<Esc>",
    ];
    for (columns, rows) in [(0, 0), (1, 1), (2, 30), (30, 8), (31, 9), (20, 5), (40, 16), (300, 8), (30, 100)]
    {
        for source in [snapshot(vec![]), with_detail(library(), 0)] {
            let mut screen =
                Screen::with(columns, rows, source.clone(), ColourDepth::Ansi16, Glyphs::Unicode);
            for key in keys {
                screen.press(key);
                screen.cells();
                screen.send(Message::Resize(Size { columns: rows, rows: columns }));
                screen.cells();
                screen.send(Message::Resize(Size { columns, rows }));
                screen.show(source.clone());
            }
        }
    }
}

#[test]
fn a_claimed_size_is_bounded() {
    let mut screen = Screen::new(80, 24, snapshot(library()));
    screen.send(Message::Resize(Size { columns: u16::MAX, rows: u16::MAX }));
    assert!(screen.model.size.columns <= 1_000 && screen.model.size.rows <= 500);
    screen.cells();
}

#[test]
fn ten_thousand_torrents_are_walked_and_sorted() {
    let rows = (0..10_000).map(|n| row(n, &format!("torrent {n}"), TorrentState::Seeding)).collect();
    let mut screen = Screen::new(80, 24, snapshot(rows));
    screen.press("Gs<Down><Down><Enter>/ 99<Enter>G");
    assert!(screen.picture().contains("torrent 9999"));
}

#[test]
fn a_hundred_thousand_files_are_walked_and_changed() {
    let mut snapshot = snapshot(library());
    let mut detail = detail(Arc::clone(&snapshot.torrents[0]));
    detail.files = (0..100_000)
        .map(|n| file(n, &format!("root/folder {:03}/file {n:06}", n / 1000), 1 << 20, 0, Priority::Normal))
        .collect();
    snapshot.detail = Some(Arc::new(detail));
    let mut screen = Screen::new(80, 24, snapshot);
    screen.press("1");
    assert!(screen.picture().contains("1/101"), "only the outermost folder is open at first");
    screen.press("eG");
    assert!(screen.picture().contains("100101/100101") && screen.picture().contains("file 099999"));
    screen.press("0");
    assert!(matches!(&screen.asked()[..], [Command::SetPriority { changes, .. }] if changes.len() == 1));
}
