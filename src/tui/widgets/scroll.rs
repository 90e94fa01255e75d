//! A cursor over rows of which only a page is seen.

use std::ops::Range;

/// Where a key sends the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// The first row.
    First,
    /// The last row.
    Last,
}

/// The row of the cursor and the first row that is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scroll {
    at: usize,
    top: usize,
}

impl Scroll {
    /// The row of the cursor.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Puts the cursor on a row.
    pub fn set(&mut self, at: usize) {
        self.at = at;
    }

    /// Moves the cursor within `rows` rows of which `page` are seen.
    pub fn step(&mut self, motion: Motion, rows: usize, page: usize) {
        let last = rows.saturating_sub(1);
        let page = page.max(2) - 1;
        self.at = match motion {
            Motion::Up => self.at.saturating_sub(1),
            Motion::Down => self.at.saturating_add(1),
            Motion::PageUp => self.at.saturating_sub(page),
            Motion::PageDown => self.at.saturating_add(page),
            Motion::First => 0,
            Motion::Last => last,
        }
        .min(last);
    }

    /// Brings cursor and page back into `rows` rows of which `page` are seen.
    pub fn settle(&mut self, rows: usize, page: usize) {
        self.at = self.at.min(rows.saturating_sub(1));
        self.top = self.top.min(rows.saturating_sub(page)).min(self.at);
        if page > 0 && self.at >= self.top + page {
            self.top = self.at + 1 - page;
        }
    }

    /// The rows that are seen.
    pub fn seen(&self, rows: usize, page: usize) -> Range<usize> {
        let top = self.top.min(rows);
        top..rows.min(top.saturating_add(page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_is_always_on_a_row_that_is_seen() {
        for rows in [0usize, 1, 5, 100] {
            for page in [0usize, 1, 3, 200] {
                let mut scroll = Scroll::default();
                let motions =
                    [Motion::Last, Motion::PageUp, Motion::Up, Motion::First, Motion::PageDown, Motion::Down];
                for motion in motions {
                    scroll.step(motion, rows, page);
                    scroll.settle(rows, page);
                    let seen = scroll.seen(rows, page);
                    assert!(seen.end <= rows);
                    assert!(
                        rows == 0 || page == 0 || seen.contains(&scroll.at()),
                        "{rows} {page} {scroll:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_list_that_shrinks_keeps_its_page_full() {
        let mut scroll = Scroll::default();
        scroll.step(Motion::Last, 100, 10);
        scroll.settle(100, 10);
        scroll.settle(20, 10);
        assert_eq!(scroll.seen(20, 10), 10..20);
    }
}
