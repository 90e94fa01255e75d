//! What keys do, seen in the commands that go out and on the screen.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use unchoke::contract::*;
use unchoke::tui::{Effect, Message};
use unchoke::units::{FileIndex, Rate, Time};

use super::Screen;
use super::canned::{id, library, preview, snapshot, with_detail};

fn screen() -> Screen {
    Screen::new(80, 24, with_detail(library(), 0))
}

fn changes(screen: &mut Screen) -> Vec<PriorityChange> {
    screen
        .asked()
        .into_iter()
        .flat_map(|command| match command {
            Command::SetPriority { torrent, changes } => {
                assert_eq!(torrent, id(1));
                changes
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

fn change(files: &[u32], level: Priority) -> PriorityChange {
    PriorityChange { files: FileChoice::Indices(files.iter().map(|at| FileIndex(*at)).collect()), level }
}

#[test]
fn the_cursor_stays_on_its_torrent_when_the_list_moves() {
    let mut screen = screen();
    screen.press("jj");
    let mut rows = library();
    rows.remove(0);
    screen.show(snapshot(rows)).press("t");
    assert!(matches!(screen.asked()[..], [Command::Announce(torrent)] if torrent == id(3)));
}

#[test]
fn pause_stops_what_runs_and_resumes_what_does_not() {
    let mut screen = screen();
    screen.press("p");
    assert!(matches!(screen.asked()[..], [Command::Pause(torrent)] if torrent == id(1)));
    screen.press("jjjjp");
    assert!(matches!(screen.asked()[..], [Command::Resume(torrent)] if torrent == id(5)));
    screen.press("g  p");
    assert!(matches!(screen.asked()[..], [Command::Pause(_), Command::Pause(_)]));
}

#[test]
fn pause_all_leaves_the_paused_alone() {
    let mut screen = screen();
    screen.press("P");
    let asked = screen.asked();
    assert_eq!(asked.len(), 6, "all but the paused and the failed: {asked:?}");
    assert!(asked.iter().all(|command| matches!(command, Command::Pause(_))));
}

#[test]
fn removing_asks_first_and_deleting_takes_a_capital() {
    let mut screen = screen();
    screen.press("dn").press("dY");
    assert!(screen.asked().is_empty());
    screen.press("<Esc>dy");
    assert!(matches!(screen.asked()[..], [Command::Remove { data: RemoveData::Keep, .. }]));
    screen.press("Dy");
    assert!(screen.asked().is_empty(), "a small y must not delete data");
    screen.press("Y");
    assert!(matches!(screen.asked()[..], [Command::Remove { data: RemoveData::Delete, .. }]));
}

#[test]
fn marks_make_a_command_one_for_each() {
    let mut screen = screen();
    screen.press("VjjV").press("v");
    assert_eq!(screen.asked().len(), 3);
    screen.press("iv");
    assert_eq!(screen.asked().len(), 5);
    screen.press("uAv");
    assert_eq!(screen.asked().len(), 8);
}

#[test]
fn order_keys_change_one_thing_and_take_it_back_where_all_have_it() {
    let in_order = DownloadOrder { sequence: PieceSequence::InOrder, first_last: FirstLast::First };
    let mut rows = library();
    rows[1].order = in_order;
    let mut screen = Screen::new(120, 40, snapshot(rows));
    let change = |sequence, first_last| OrderChange { sequence, first_last };
    for (keys, torrent, due) in [
        ("o", 1, change(Some(PieceSequence::InOrder), None)),
        ("O", 1, change(None, Some(FirstLast::First))),
        ("jo", 2, change(Some(PieceSequence::RarestFirst), None)),
        ("O", 2, change(None, Some(FirstLast::Alike))),
    ] {
        screen.press(keys);
        let asked = screen.asked();
        let [Command::SetOrder { torrent: of, order }] = asked[..] else { panic!("{keys}: {asked:?}") };
        assert_eq!((of, order), (id(torrent), due), "{keys}");
    }
    assert!(screen.picture().contains("in order, first/last first"), "{}", screen.picture());
    // One of the marked is not in order: all are to be.
    screen.press("g  o");
    let asked = screen.asked();
    let in_order = |command: &Command| matches!(command, Command::SetOrder { order, .. } if order.sequence == Some(PieceSequence::InOrder));
    assert!(asked.len() == 2 && asked.iter().all(in_order), "{asked:?}");
}

#[test]
fn the_filter_narrows_as_it_is_typed() {
    let mut screen = screen();
    screen.press("/ISO ar");
    let picture = screen.picture();
    assert!(picture.contains("archlinux") && !picture.contains("debian-12"), "{picture}");
    screen.press("<Enter>t");
    assert!(matches!(screen.asked()[..], [Command::Announce(torrent)] if torrent == id(3)));
    screen.press("<Esc>");
    assert!(screen.picture().contains("debian-12"));
}

#[test]
fn sorting_puts_the_fastest_first() {
    let mut screen = screen();
    screen.press(">>>>>S");
    let picture = screen.picture();
    assert!(picture.contains("List sorted by download rate, greatest first."), "{picture}");
    assert!(picture.lines().nth(2).unwrap().contains("debian-12"));
    screen.press("sG<Enter>");
    assert!(screen.picture().contains("List sorted by ratio"));
}

#[test]
fn a_priority_key_is_for_the_file_under_the_cursor() {
    let mut screen = screen();
    // debian/, README, "a file...": the tree is sorted.
    screen.press("1G");
    screen.press("<Up>M");
    assert_eq!(changes(&mut screen).len(), 1);
}

#[test]
fn a_folder_stands_for_its_files() {
    let mut screen = screen();
    screen.press("1=");
    let all = changes(&mut screen);
    assert_eq!(all, [PriorityChange { files: FileChoice::All, level: Priority::Normal }]);
}

#[test]
fn raising_moves_each_file_from_its_own_level() {
    let mut screen = screen();
    screen.press("1+");
    assert_eq!(
        changes(&mut screen),
        [change(&[3], Priority::Low), change(&[4], Priority::Normal), change(&[0, 5, 6], Priority::High)],
        "the one that is high already is left out"
    );
}

#[test]
fn marked_files_are_changed_together() {
    let mut screen = screen();
    screen.press("1/deb<Enter>").press("<Esc>");
    screen.press("/c.deb<Enter>G 0<Esc><Esc>");
    assert_eq!(changes(&mut screen), [change(&[3], Priority::Off)]);
}

#[test]
fn the_detail_of_another_torrent_takes_no_keys() {
    let mut screen = screen();
    screen.press("1<Tab>j<Tab>M");
    assert!(screen.asked().is_empty());
    assert!(screen.picture().contains("Loading"));
}

#[test]
fn the_engine_is_told_what_to_watch_one_at_a_time() {
    let mut screen = Screen::new(80, 24, snapshot(library()));
    screen.press("1<Tab>jjjj");
    let watches = |screen: &mut Screen| {
        let asked = std::mem::take(&mut screen.asked);
        asked
            .into_iter()
            .map(|(purpose, command)| match command {
                Command::Watch(torrent) => (purpose, torrent),
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    let first = watches(&mut screen);
    assert_eq!(first.iter().map(|(_, torrent)| *torrent).collect::<Vec<_>>(), [Some(id(1))]);
    screen.send(Message::Answered { purpose: first[0].0, result: Ok(Answer::Done) });
    assert_eq!(watches(&mut screen).iter().map(|(_, torrent)| *torrent).collect::<Vec<_>>(), [Some(id(5))]);
}

#[test]
fn a_magnet_pasted_anywhere_opens_the_dialog_with_it() {
    let mut screen = screen();
    let magnet = "magnet:?xt=urn:btih:d43e185e297421ea3f253ae04300e373aef9404e&dn=x";
    screen.press("2").send(Message::Paste(format!("  {magnet}\n")));
    assert!(screen.picture().contains("magnet:?xt=urn:btih:d43e"));
    screen.press("<Enter>");
    assert!(matches!(&screen.asked()[..], [Command::Preview(Source::Magnet(asked))] if asked == magnet));
}

#[test]
fn a_magnet_is_added_before_its_files_are_known() {
    let mut screen = screen();
    screen.press("amagnet:?xt=urn:btih:d43e185e297421ea3f253ae04300e373aef9404e<Enter>");
    let unknown = TorrentPreview {
        torrent: id(9),
        name: Untrusted::new("a link"),
        total_bytes: 0,
        piece_length: 0,
        pieces: 0,
        private: false,
        files: Vec::new(),
    };
    screen.answer(Ok(Answer::Preview(Arc::new(unknown))));
    screen.press("jG0+");
    assert!(screen.picture().contains("a link") && screen.picture().contains("not known yet"));
    screen.press("<Enter>");
    let asked = screen.asked();
    let Some(Command::Add(request)) = asked.last() else { panic!("{asked:?}") };
    assert!(matches!(request.source, Source::Magnet(_)) && request.priorities.is_empty());
}

#[test]
fn several_pasted_lines_are_added_one_after_the_other() {
    let mut screen = screen();
    screen.send(Message::Paste("/srv/a.torrent\nnonsense\n~/b.torrent".to_owned()));
    screen.press("<Enter><Enter>");
    screen.press("<Enter>");
    let asked = screen.asked();
    let [Command::Preview(first), Command::Add(_), Command::Preview(second)] = &asked[..] else {
        panic!("{asked:?}");
    };
    assert_eq!(*first, Source::Path(PathBuf::from("/srv/a.torrent")));
    assert_eq!(*second, Source::Path(PathBuf::from("/home/ada/b.torrent")));
}

#[test]
fn a_paste_that_is_no_torrent_is_told() {
    let mut screen = screen();
    screen.send(Message::Paste("hello".to_owned()));
    assert!(screen.picture().contains("no magnet"));
    screen.send(Message::Paste("x".repeat(1 << 20)));
    assert!(screen.picture().contains("longer than any magnet"));
}

#[test]
fn the_choice_of_files_goes_out_with_the_torrent() {
    let mut screen = screen();
    screen.press("ahttp://x.example/debian.torrent<Enter>").answer(Ok(preview()));
    screen.press("G0p<Tab>").press("/x<Enter>");
    let asked = screen.asked();
    let [Command::Add(request)] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(request.source, Source::Url("http://x.example/debian.torrent".to_owned()));
    assert_eq!(request.priorities.len(), 1);
    assert_eq!(request.priorities[0].level, Priority::Off);
    assert_eq!(request.start, StartState::Paused);
    assert_eq!(request.save_dir, Some(PathBuf::from("/srv/torrents/x")));
}

#[test]
fn a_late_preview_does_not_reach_another_dialog() {
    let mut screen = screen();
    screen.press("a/srv/a.torrent<Enter><Esc>").press("a/srv/b.torrent<Enter>");
    screen.answer(Ok(preview()));
    assert!(screen.picture().contains("Reading..."));
}

#[test]
fn limits_move_by_steps_and_are_sent() {
    let mut screen = screen();
    screen.press("[[");
    let asked = screen.asked();
    assert!(
        matches!(asked[1], Command::SetLimits { down: Some(Rate(rate)), up: Some(_) } if rate == 50 << 20),
        "the second press starts from the first: {asked:?}"
    );
    assert!(screen.picture().contains("of 50.0M"));
    screen.press("}");
    assert!(
        matches!(screen.asked()[..], [Command::SetLimits { up: Some(Rate(rate)), .. }] if rate == 5 << 20)
    );
}

#[test]
fn quitting_asks_while_torrents_transfer() {
    let mut screen = screen();
    screen.press("q");
    assert!(screen.effects().is_empty());
    screen.press("Qn");
    assert!(screen.effects().is_empty());
    screen.press("<^c>y");
    assert!(matches!(screen.effects()[..], [Effect::Quit]));
    let mut idle = Screen::new(80, 24, snapshot(library().into_iter().skip(3).collect()));
    idle.press("Q");
    assert!(matches!(idle.effects()[..], [Effect::Quit]));
}

#[test]
fn a_frozen_screen_keeps_its_picture_and_then_shows_the_latest() {
    let mut screen = screen();
    screen.press("z").show(snapshot(vec![]));
    assert!(screen.picture().contains("debian-12") && screen.picture().contains("FROZEN"));
    screen.press("z");
    assert!(screen.picture().contains("No torrents."));
}

#[test]
fn hidden_names_are_nowhere_on_the_screen() {
    let mut screen = screen();
    screen.press("x");
    for tab in ["1", "2", "3", "5", "8", "<Esc>d"] {
        screen.press(tab);
        let picture = screen.picture();
        for secret in ["debian", "README", "192.0.2", "bttracker", "archlinux", "/srv/x"] {
            assert!(!picture.contains(secret), "{secret} after {tab}:\n{picture}");
        }
    }
}

#[test]
fn the_hash_is_copied_and_shown() {
    let mut screen = screen();
    screen.press("Y");
    let hash = id(1).to_string();
    assert!(matches!(&screen.effects()[..], [Effect::Copy(copied)] if *copied == hash));
    assert!(screen.picture().contains(&hash));
}

#[test]
fn every_refusal_is_shown_one_after_the_other() {
    let mut screen = screen();
    screen.press("vt");
    screen
        .answer(Err(Refusal::new("cannot check: busy")))
        .answer(Err(Refusal::new("cannot announce: no trackers")));
    assert!(screen.picture().contains("cannot check: busy"));
    screen.send(Message::Tick(Duration::from_secs(1))).send(Message::Tick(Duration::from_secs(9)));
    assert!(screen.picture().contains("cannot announce: no trackers"));
}

#[test]
fn a_failure_of_the_engine_is_told_with_its_torrent() {
    let mut screen = screen();
    let message = Untrusted::new("disk full");
    let kind = EventKind::DiskFailed { message };
    screen.send(Message::Event(Event { at: Time::ZERO, torrent: Some(id(3)), kind }));
    assert!(screen.picture().contains("archlinux-2026.11.01-x86_64.iso: disk full"));
}

#[test]
fn the_log_follows_until_the_cursor_leaves_its_end() {
    let mut screen = screen();
    let mut grown = with_detail(library(), 0);
    let mut detail = grown.detail.as_deref().unwrap().clone();
    detail.log = (0..100).flat_map(|_| detail.log.clone()).collect();
    grown.detail = Some(Arc::new(detail));
    screen.press("8").show(grown.clone());
    assert!(screen.picture().contains("700/700"));
    screen.press("kk").show(with_detail(library(), 0)).show(grown);
    assert!(!screen.picture().contains("700/700"));
}

#[test]
fn enter_opens_zooms_and_escape_steps_back() {
    let mut screen = screen();
    screen.press("<Enter><Enter>");
    assert!(!screen.picture().contains("State"), "zoomed");
    screen.press("<Esc>");
    assert!(screen.picture().contains("State") && screen.picture().contains("[1 files]"));
    screen.press("<Esc>");
    assert!(!screen.picture().contains("[1 files]"));
}

#[test]
fn the_help_is_for_the_part_that_has_the_keys() {
    let mut screen = Screen::new(100, 60, with_detail(library(), 0));
    screen.press("?");
    assert!(
        screen.picture().contains("mark and step on") && !screen.picture().contains("raise the priority")
    );
    screen.press("<Esc>1?");
    assert!(screen.picture().contains("raise the priority"));
}
