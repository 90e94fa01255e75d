//! Files as a tree, with progress and priority.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{pane_role, quiet, rows, say, size, split_heading};
use crate::contract::Priority;
use crate::tui::format;
use crate::tui::model::Model;
use crate::tui::text::{self, heading};
use crate::tui::theme::Role;
use crate::tui::widgets::{
    Cell, Column, FileTree, FittedColumn, Level, Look, NodeKind, draw_heading, draw_row, fit,
};

#[derive(Clone, Copy)]
enum Field {
    Mark,
    Name,
    Progress,
    Size,
    Done,
    Left,
    Priority,
}

const FIELDS: [Field; 7] =
    [Field::Mark, Field::Name, Field::Progress, Field::Size, Field::Done, Field::Left, Field::Priority];

const COLUMNS: [Column; 7] = [
    Column::words("", 1, 0),
    Column::growing(heading::NAME, 16, u16::MAX, 0),
    Column::growing(heading::PROGRESS, 10, 20, 3),
    Column::number(heading::SIZE, 5, 1),
    Column::number(heading::DONE, 5, 2),
    Column::number(heading::LEFT, 5, 4),
    Column::words(heading::PRIORITY, 6, 0),
];

/// Deepest indent: past it the name matters more than the depth.
const INDENT_MAX: usize = 12;

/// Draws the files pane.
pub(super) fn draw(model: &Model, buffer: &mut Buffer, area: Rect) {
    let tree = &model.pane.files;
    if tree.files() == 0 {
        return say(&model.look, buffer, area, text::NO_FILES);
    }
    draw_tree(&model.look, buffer, area, tree, pane_role(model));
}

/// Rows of a tree that are seen in an area.
pub(in crate::tui) fn tree_page(area: Rect) -> usize {
    usize::from(area.height.saturating_sub(1))
}

/// Draws a tree with its headings; `ground` is how the row of the cursor looks.
pub(in crate::tui) fn draw_tree(look: &Look, buffer: &mut Buffer, area: Rect, tree: &FileTree, ground: Role) {
    let (heading, area) = split_heading(area);
    let fitted = fit(&COLUMNS, area.width, 0);
    draw_heading(look, buffer, heading, &COLUMNS, &fitted, None);
    if tree.rows() == 0 {
        return say(look, buffer, area, &text::hints::no_file_match());
    }
    rows(area, tree.seen(usize::from(area.height)), |row, area| {
        let Some((_, at_cursor, _)) = tree.row(row) else { return };
        let ground = at_cursor.then_some(ground);
        draw_row(look, buffer, area, &COLUMNS, &fitted, ground, |place| cell(look, tree, row, place));
    });
}

fn cell(look: &Look, tree: &FileTree, row: usize, place: FittedColumn) -> Cell {
    let Some((node, _, marked)) = tree.row(row) else { return quiet(look) };
    let role = match node.level {
        Level::All(Priority::Off) => Role::Off,
        Level::All(_) | Level::Mixed => Role::Text,
    };
    match FIELDS[place.index] {
        Field::Mark => Cell::new(if marked { "*" } else { " " }, Role::Mark),
        Field::Name => {
            let sign = match node.kind {
                NodeKind::Folder { open: true } => "- ",
                NodeKind::Folder { open: false } => "+ ",
                NodeKind::File(_) => "  ",
            };
            let indent = "  ".repeat(node.depth.min(INDENT_MAX));
            let name = look.name(&node.name, || hidden(node.kind, row));
            let name = if name.is_empty() { text::NO_NAME.to_owned() } else { name };
            let slash = if matches!(node.kind, NodeKind::Folder { .. }) { "/" } else { "" };
            Cell::new(format!("{indent}{sign}{name}{slash}"), role)
        }
        Field::Progress => Cell::new(
            look.bar(node.done_bytes, node.bytes, place.width),
            done_role(node.done_bytes, node.bytes),
        ),
        Field::Size => size(look, node.bytes, role),
        Field::Done if node.done_bytes == 0 && node.bytes > 0 => quiet(look),
        Field::Done => {
            Cell::new(format::percent(node.done_bytes, node.bytes), done_role(node.done_bytes, node.bytes))
        }
        Field::Left => size(look, node.bytes.saturating_sub(node.done_bytes), role),
        Field::Priority => level(node.level),
    }
}

fn hidden(kind: NodeKind, row: usize) -> String {
    match kind {
        NodeKind::Folder { .. } => format!("{} {}", text::HIDDEN_FOLDER, row + 1),
        NodeKind::File(position) => format!("{} {}", text::HIDDEN_FILE, position + 1),
    }
}

fn done_role(done: u64, whole: u64) -> Role {
    match done {
        0 => Role::Quiet,
        _ if done >= whole => Role::Good,
        _ => Role::Active,
    }
}

fn level(level: Level) -> Cell {
    match level {
        Level::Mixed => Cell::new(text::MIXED, Role::Waiting),
        Level::All(priority) => {
            let role = match priority {
                Priority::Off => Role::Off,
                Priority::Low => Role::Low,
                Priority::Normal => Role::Quiet,
                Priority::High => Role::High,
            };
            Cell::new(text::priority(priority), role)
        }
    }
}
