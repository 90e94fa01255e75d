//! The parts that screens are made of: a table, a scrolled cursor, a file tree, a text field, a bar.
//!
//! A widget knows numbers and text, not torrents. All drawing goes through [`Look`], which knows the theme, the glyphs
//! and how text from outside is shown; it never writes outside the area it is given.

mod input;
mod look;
mod scroll;
mod table;
mod tree;

pub use input::LineInput;
pub use look::{Glyphs, Look, Names, Span};
pub use scroll::{Motion, Scroll};
pub use table::{Cell, Column, FittedColumn, draw_heading, draw_row, fit};
pub use tree::{FileTree, Leaf, Level, NodeKind};
