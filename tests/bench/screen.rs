//! What a frame costs with two thousand torrents in the list: `cargo bench --bench screen`.
//!
//! A frame is what happens after a new picture of the engine came: it is taken over, sorted and filtered, and the screen
//! is drawn. Fault 89 allows 50 ms.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use unchoke::contract::*;
use unchoke::tui::{ColourDepth, Glyphs, Look, Message, Model, Names, Size, Theme, ThemeSource};
use unchoke::units::*;

const TORRENTS: u64 = 2_000;
const FRAMES: u32 = 100;
/// What fault 89 allows.
const MOST: Duration = Duration::from_millis(50);

fn row(number: u64, frame: u32) -> TorrentRow {
    let mut id = [0xab; 20];
    id[..8].copy_from_slice(&number.to_be_bytes());
    // One in forty is active: its numbers change from frame to frame.
    let active = number.is_multiple_of(40);
    let moved = if active { u64::from(frame) << 18 } else { 0 };
    TorrentRow {
        id: TorrentId(id),
        name: Untrusted::new(format!("torrent {number} of a fleet server, with a name of usual length")),
        state: if active { TorrentState::Downloading } else { TorrentState::Seeding },
        cause: None,
        order: DownloadOrder::default(),
        done_bytes: (number << 20) + moved,
        wanted_bytes: 1 << 34,
        total_bytes: 1 << 34,
        down_bps: Rate(moved / 10),
        up_bps: Rate(number * 13 % 977),
        downloaded_bytes: moved,
        uploaded_bytes: number,
        peers: PeerCounts { connected: 100, ..PeerCounts::default() },
        webseeds: WebseedCounts::default(),
        pieces: PieceCounts { total: 1024, ..PieceCounts::default() },
        requests_in_flight: 0,
        disk_queue_bytes: 0,
        wasted_bytes: 0,
        hash_failures: 0,
        listen_port: 51413,
        added_unix_s: number,
    }
}

fn snapshot(frame: u32) -> Snapshot {
    let torrents = (0..TORRENTS).map(|number| Arc::new(row(number, frame))).collect();
    Snapshot { torrents, ..Snapshot::default() }
}

/// Median and worst frame at a size; `filter`: a filter is typed.
fn frames(columns: u16, rows: u16, filter: &str) -> (Duration, Duration) {
    let theme = Theme::load(&ThemeSource::Default, ColourDepth::True).expect("the default theme is sound");
    let look = Look { theme, glyphs: Glyphs::Unicode, names: Names::Shown };
    let mut model = Model::new(look, None);
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a terminal in memory");
    unchoke::tui::update(&mut model, Message::Resize(Size { columns, rows }));
    unchoke::tui::update(&mut model, Message::Snapshot(Arc::new(snapshot(0))));
    for character in filter.chars() {
        let code = ratatui::crossterm::event::KeyCode::Char(character);
        unchoke::tui::update(&mut model, Message::Key(code.into()));
    }
    let mut took = Vec::new();
    for frame in 1..=FRAMES {
        let picture = Arc::new(snapshot(frame));
        let began = Instant::now();
        unchoke::tui::update(&mut model, Message::Snapshot(picture));
        let drawn = terminal.draw(|frame| {
            unchoke::tui::view(&model, frame.buffer_mut());
        });
        drawn.expect("it has room");
        took.push(began.elapsed());
    }
    took.sort_unstable();
    (took[took.len() / 2], took[took.len() - 1])
}

fn main() {
    let mut out = std::io::stdout();
    let mut over = false;
    for (columns, rows, filter) in [(80, 24, ""), (120, 40, ""), (200, 60, ""), (200, 60, "/fleet")] {
        let (median, worst) = frames(columns, rows, filter);
        let words = if filter.is_empty() { "" } else { ", filtered" };
        let _ = writeln!(
            out,
            "{columns}x{rows}{words}: median {median:.1?}, worst {worst:.1?} of {FRAMES} frames"
        );
        over |= median > MOST;
    }
    std::process::exit(i32::from(over));
}
