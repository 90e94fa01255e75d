//! Where each part of the screen is: a pure function of its size and of what is open.
//!
//! Both `update` (how far a page is) and `view` ask here, so that they cannot disagree. No part that is shown has
//! height 0: where there is no room for list and pane, the one that has the keys is shown alone.

use ratatui::layout::Rect;

use super::message::Size;
use super::model::{Focus, PaneSize, Tab};
use crate::limits;

/// The parts of the screen; a part that is not shown has height 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Areas {
    /// Rates, limits, counts.
    pub totals: Rect,
    /// Headings of the list.
    pub heading: Rect,
    /// Rows of the list.
    pub list: Rect,
    /// Names of the panes.
    pub tabs: Rect,
    /// The open pane.
    pub pane: Rect,
    /// Messages, else what is to be said of the selected torrent.
    pub banner: Rect,
    /// Hints.
    pub status: Rect,
}

/// Rows of the body below which list and pane do not share it.
const SHARED_ROWS_MIN: u16 = 12;

/// Divides the screen; `None` where it is too small for anything.
pub fn areas(size: Size, pane: PaneSize, focus: Focus, torrents: usize) -> Option<Areas> {
    if size.columns < limits::SCREEN_COLUMNS_MIN || size.rows < limits::SCREEN_ROWS_MIN {
        return None;
    }
    let row = |y: u16, height: u16| Rect { x: 0, y, width: size.columns, height };
    let body_rows = size.rows - 3;
    let list_rows = match (pane, focus) {
        (PaneSize::Closed, _) => body_rows,
        (PaneSize::Shared, _) if body_rows >= SHARED_ROWS_MIN => {
            let wanted = u16::try_from(torrents.max(1)).unwrap_or(u16::MAX).saturating_add(1);
            (body_rows / 3).min(wanted)
        }
        (PaneSize::Shared, Focus::List) => body_rows,
        (PaneSize::Shared, Focus::Pane) | (PaneSize::Zoomed, _) => 0,
    };
    let pane_rows = body_rows - list_rows;
    Some(Areas {
        totals: row(0, 1),
        heading: row(1, list_rows.min(1)),
        list: row(2, list_rows.saturating_sub(1)),
        tabs: row(1 + list_rows, pane_rows.min(1)),
        pane: row(2 + list_rows, pane_rows.saturating_sub(1)),
        banner: row(size.rows - 2, 1),
        status: row(size.rows - 1, 1),
    })
}

/// The parts of the pieces pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PiecesAreas {
    /// Counts.
    pub counts: Rect,
    /// The map.
    pub map: Rect,
    /// What the cells of the map mean.
    pub legend: Rect,
    /// Headings and rows of the runs.
    pub runs: Rect,
}

/// Columns that the meaning of all cells takes in one row.
pub(super) const LEGEND_COLUMNS: u16 = 132;

/// Divides the pieces pane: the map has a quarter of it, or less where there are too few pieces to fill that.
pub fn pieces(pane: Rect, pieces: u32) -> PiecesAreas {
    let mut y = pane.y;
    let mut take = |rows: u16| {
        let rows = rows.min(pane.bottom().saturating_sub(y));
        let area = Rect { y, height: rows, ..pane };
        y += rows;
        area
    };
    let legend_rows = if pane.width < LEGEND_COLUMNS { 2 } else { 1 };
    let counts = take(1);
    let filled = pieces.div_ceil(u32::from(pane.width.saturating_sub(2)).max(1));
    let map = take((pane.height / 4).min(u16::try_from(filled).unwrap_or(u16::MAX)).max(1));
    let legend = take(if pane.height >= 8 { legend_rows } else { 0 });
    let runs = take(u16::MAX);
    PiecesAreas { counts, map, legend, runs }
}

/// Rows at the foot of the trackers pane: URL and message of the selected one in full.
pub const TRACKER_FOOT_ROWS: u16 = 2;

/// The parts of the webseeds pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebseedsAreas {
    /// Headings and rows of the webseeds.
    pub table: Rect,
    /// The selected one in words.
    pub facts: Rect,
    /// Headings and rows of its requests.
    pub requests: Rect,
}

/// URL, facts and last error of the selected webseed.
const WEBSEED_FACTS_ROWS: u16 = 3;
/// Rows of requests, and their heading, that a long list of webseeds leaves room for.
const WEBSEED_REQUESTS_ROWS: u16 = 4;
/// Rows of the pane below which only the list is shown.
const WEBSEED_PARTS_ROWS_MIN: u16 = 9;

/// Divides the webseeds pane. The list is as long as it must be, so that what is said of the selected one stays in its
/// place whatever that is, and leaves half of a large pane to its requests.
pub fn webseeds(pane: Rect, webseeds: usize) -> WebseedsAreas {
    let wanted = u16::try_from(webseeds).unwrap_or(u16::MAX).saturating_add(1);
    let rows_max = if pane.height < WEBSEED_PARTS_ROWS_MIN {
        pane.height
    } else {
        pane.height - WEBSEED_FACTS_ROWS - WEBSEED_REQUESTS_ROWS.max(pane.height / 3)
    };
    let table = Rect { height: wanted.min(rows_max), ..pane };
    let below = pane.height - table.height;
    let facts = Rect { y: table.bottom(), height: below.min(WEBSEED_FACTS_ROWS), ..pane };
    let requests = Rect { y: facts.bottom(), height: below - facts.height, ..pane };
    WebseedsAreas { table, facts, requests }
}

/// What the division of a pane depends on beside its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Pieces of the torrent.
    pub pieces: u32,
    /// Its webseeds.
    pub webseeds: usize,
}

/// How many rows of its content a pane shows at once.
pub fn page(tab: Tab, pane: Rect, content: Content) -> usize {
    let rows = match tab {
        Tab::Files => pane.height.saturating_sub(1),
        Tab::Peers => pane.height.saturating_sub(2),
        Tab::Trackers => pane.height.saturating_sub(1 + TRACKER_FOOT_ROWS),
        Tab::Webseeds => webseeds(pane, content.webseeds).table.height.saturating_sub(1),
        Tab::Pieces => pieces(pane, content.pieces).runs.height.saturating_sub(1),
        Tab::Log => pane.height,
    };
    usize::from(rows)
}

/// A box in the middle of the screen, at most this large.
pub fn centred(size: Size, columns: u16, rows: u16) -> Rect {
    let width = columns.min(size.columns);
    let height = rows.min(size.rows);
    Rect { x: (size.columns - width) / 2, y: (size.rows - height) / 2, width, height }
}

/// The large box of the add dialog and the help.
pub fn sheet(size: Size) -> Rect {
    centred(size, size.columns.saturating_sub(4).min(110), size.rows.saturating_sub(2).min(44))
}

/// Rows of the file tree in the add dialog.
pub fn add_tree(size: Size) -> Rect {
    let sheet = sheet(size);
    Rect {
        x: sheet.x + 2,
        y: sheet.y + 3,
        width: sheet.width.saturating_sub(4),
        height: sheet.height.saturating_sub(8),
    }
}

/// Rows of text in the help.
pub fn help_text(size: Size) -> Rect {
    let sheet = sheet(size);
    Rect {
        x: sheet.x + 2,
        y: sheet.y + 1,
        width: sheet.width.saturating_sub(4),
        height: sheet.height.saturating_sub(3),
    }
}

/// Places of the help's lines: one column, or two on a wide screen.
pub fn help_rows(text: Rect) -> impl Iterator<Item = Rect> {
    const TWO_COLUMNS_MIN: u16 = 100;
    let columns = if text.width >= TWO_COLUMNS_MIN { 2 } else { 1 };
    let width = text.width / columns;
    (0..columns).flat_map(move |at| Rect { x: text.x + at * width, width, ..text }.rows())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(columns: u16, rows: u16, pane: PaneSize) -> Areas {
        areas(Size { columns, rows }, pane, Focus::Pane, 1000).unwrap()
    }

    #[test]
    fn the_usual_terminal_shows_fourteen_torrents_or_list_and_pane() {
        assert!(at(80, 24, PaneSize::Closed).list.height >= 14);
        let shared = at(80, 24, PaneSize::Shared);
        assert!(shared.list.height >= 5 && shared.pane.height >= 12, "{shared:?}");
    }

    #[test]
    fn the_webseeds_pane_is_divided_without_gaps_and_a_long_list_leaves_room_for_requests() {
        for height in 0..60 {
            for count in [1, 2, 5, 1_000] {
                let pane = Rect { x: 0, y: 9, width: 80, height };
                let WebseedsAreas { table, facts, requests } = webseeds(pane, count);
                assert_eq!(table.height + facts.height + requests.height, height);
                assert_eq!((table.y, facts.y, requests.y), (9, table.bottom(), facts.bottom()));
                assert!(height < 2 || table.height >= 2, "{height}");
                assert!(height < 9 || requests.height >= 4, "{height} {count}");
            }
        }
    }

    #[test]
    fn parts_never_overlap_nor_leave_the_screen() {
        for rows in 0..80 {
            for columns in [0, 1, 29, 30, 80, 200] {
                for pane in [PaneSize::Closed, PaneSize::Shared, PaneSize::Zoomed] {
                    let Some(areas) = areas(Size { columns, rows }, pane, Focus::List, 7) else { continue };
                    let Areas { totals, heading, list, tabs, pane, banner, status } = areas;
                    let parts = [totals, heading, list, tabs, pane, banner, status];
                    let rows_used: u16 = parts.iter().map(|part| part.height).sum();
                    assert_eq!(rows_used, rows);
                    for (at, part) in parts.iter().enumerate() {
                        assert!(part.bottom() <= rows && part.right() <= columns);
                        assert!(parts[..at].iter().all(|other| !part.intersects(*other)));
                    }
                }
            }
        }
    }
}
