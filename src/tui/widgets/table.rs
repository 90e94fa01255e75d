//! Columns that give way when the screen is narrow.
//!
//! Each column has a rank; rank 0 always stays, the others come in by rank while there is room, and one column takes
//! what is left. Only the rows that are seen are ever formatted.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::look::{Look, Span};
use crate::tui::format::{self, Align};
use crate::tui::theme::Role;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// Its width, or its least width if it grows.
    pub width: u16,
    /// The width it grows to while there is room; `width` for most.
    pub width_max: u16,
    /// Where its text sits.
    pub align: Align,
    /// 0 stays always; the others give way, highest first.
    pub rank: u8,
}

impl Column {
    /// A column of words.
    pub const fn words(title: &'static str, width: u16, rank: u8) -> Self {
        Self { title, width, width_max: width, align: Align::Left, rank }
    }

    /// A column of numbers.
    pub const fn number(title: &'static str, width: u16, rank: u8) -> Self {
        Self { title, width, width_max: width, align: Align::Right, rank }
    }

    /// A column that takes the room that is left.
    pub const fn growing(title: &'static str, width: u16, width_max: u16, rank: u8) -> Self {
        Self { title, width, width_max, align: Align::Left, rank }
    }
}

/// A column that has room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FittedColumn {
    /// Its place among all columns.
    pub index: usize,
    /// Where it starts, from the left of the table.
    pub x: u16,
    /// How wide it is.
    pub width: u16,
}

/// The text of one cell.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What it says.
    pub text: String,
    /// What it means.
    pub role: Role,
}

impl Cell {
    /// A cell.
    pub fn new(text: impl Into<String>, role: Role) -> Self {
        Self { text: text.into(), role }
    }
}

/// Chooses the columns for `width`; the first `skipped` of those that may give way are left out (scrolled away).
pub fn fit(columns: &[Column], width: u16, skipped: usize) -> Vec<FittedColumn> {
    let unscrolled = choose(columns, width, &[]);
    let chosen = match scrolled_away(columns, &unscrolled, skipped) {
        scrolled if scrolled.is_empty() => unscrolled,
        scrolled => choose(columns, width, &scrolled),
    };
    place(columns, width, &chosen)
}

/// The columns that are scrolled away. Each step takes one that is seen, and with it those before it that are not: a
/// step that changed nothing would look like a key that does nothing.
fn scrolled_away(columns: &[Column], unscrolled: &[bool], skipped: usize) -> Vec<usize> {
    let gives_way: Vec<usize> = (0..columns.len()).filter(|&index| columns[index].rank > 0).collect();
    let last_seen = unscrolled.iter().rposition(|chosen| *chosen).unwrap_or(0);
    let steps: Vec<usize> =
        gives_way.iter().copied().filter(|&index| unscrolled[index] || index > last_seen).collect();
    let Some(to) = skipped.min(steps.len().saturating_sub(1)).checked_sub(1) else { return Vec::new() };
    gives_way.into_iter().filter(|&index| index <= steps[to]).collect()
}

/// Which columns have room beside those of higher rank.
fn choose(columns: &[Column], width: u16, scrolled: &[usize]) -> Vec<bool> {
    let mut by_rank: Vec<usize> = (0..columns.len()).collect();
    by_rank.sort_by_key(|&index| columns[index].rank);
    let mut chosen = vec![false; columns.len()];
    let mut used = 0u16;
    for index in by_rank {
        let column = &columns[index];
        let gap = u16::from(used > 0);
        let fits = used + gap + column.width <= width;
        if column.rank == 0 || (fits && !scrolled.contains(&index)) {
            chosen[index] = true;
            used += gap + column.width;
        } else if !fits && scrolled.is_empty() {
            // A lower rank must not slip in where a higher one had no room: the order of giving way is fixed.
            break;
        }
    }
    chosen
}

/// Puts the chosen columns side by side; the growing ones take the room that is left.
fn place(columns: &[Column], width: u16, chosen: &[bool]) -> Vec<FittedColumn> {
    let widths =
        columns.iter().zip(chosen).filter(|(_, chosen)| **chosen).map(|(column, _)| column.width + 1);
    let mut spare = width.saturating_sub(widths.sum::<u16>().saturating_sub(1));
    let mut x = 0;
    let mut fitted = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate().filter(|(index, _)| chosen[*index]) {
        let grown = spare.min(column.width_max.saturating_sub(column.width));
        spare -= grown;
        let room = (column.width + grown).min(width.saturating_sub(x));
        fitted.push(FittedColumn { index, x, width: room });
        x = (x + room + 1).min(width);
    }
    fitted
}

/// Draws the headings; `sorted` is the column the rows are sorted by and the mark for its direction.
pub fn draw_heading(
    look: &Look,
    buffer: &mut Buffer,
    area: Rect,
    columns: &[Column],
    fitted: &[FittedColumn],
    sorted: Option<(usize, &str)>,
) {
    buffer.set_style(area, look.style(Role::Bar));
    for place in fitted {
        let column = &columns[place.index];
        let text = match sorted {
            Some((index, mark)) if index == place.index => format!("{}{mark}", column.title),
            Some(_) | None => column.title.to_owned(),
        };
        draw_cell(look, buffer, area, *place, column.align, &Cell::new(text, Role::Bar));
    }
}

/// Draws one row; `ground` is the role of a row that is selected.
pub fn draw_row(
    look: &Look,
    buffer: &mut Buffer,
    area: Rect,
    columns: &[Column],
    fitted: &[FittedColumn],
    ground: Option<Role>,
    mut cell: impl FnMut(FittedColumn) -> Cell,
) {
    for place in fitted {
        let cell = cell(*place);
        draw_cell(look, buffer, area, *place, columns[place.index].align, &cell);
    }
    if let Some(ground) = ground {
        look.select(buffer, area, ground);
    }
}

fn draw_cell(look: &Look, buffer: &mut Buffer, area: Rect, place: FittedColumn, align: Align, cell: &Cell) {
    let text = format::cut(&cell.text, usize::from(place.width), look.more());
    let indent = match align {
        Align::Left => 0,
        Align::Right => place.width.saturating_sub(u16::try_from(format::width(&text)).unwrap_or(u16::MAX)),
    };
    let x = area.x + place.x + indent;
    let room = Rect { x, width: area.right().saturating_sub(x).min(place.width), ..area };
    look.line(buffer, room, &[Span::new(text, cell.role)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column::words("State", 5, 0),
        Column::growing("Name", 6, u16::MAX, 0),
        Column::number("Size", 5, 1),
        Column::number("Peers", 5, 2),
    ];

    fn names(width: u16, skipped: usize) -> Vec<&'static str> {
        fit(&COLUMNS, width, skipped).iter().map(|place| COLUMNS[place.index].title).collect()
    }

    #[test]
    fn columns_give_way_by_rank_and_the_needed_ones_stay() {
        assert_eq!(names(80, 0), ["State", "Name", "Size", "Peers"]);
        assert_eq!(names(20, 0), ["State", "Name", "Size"]);
        assert_eq!(names(3, 0), ["State", "Name"]);
    }

    #[test]
    fn a_column_that_had_no_room_is_reached_by_scrolling() {
        assert_eq!(names(20, 1), ["State", "Name", "Peers"]);
    }

    #[test]
    fn nothing_is_wider_than_the_table() {
        for width in 0..100 {
            for place in fit(&COLUMNS, width, 0) {
                assert!(place.x + place.width <= width, "{width}: {place:?}");
            }
        }
    }
}
