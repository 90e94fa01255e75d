//! The terminal front end, after Elm: keys and snapshots become [`Message`]s, [`update`] is the only writer of the
//! [`Model`], [`view`] draws it and [`run`] is the loop round them.
//!
//! It knows the engine by the contract only: it asks with commands, draws the latest snapshot and never waits for an
//! answer. `runtime` is the only part that touches the terminal; keys are in `keymap`, colours in `theme`, words in
//! `text`.

pub mod dialogs;
pub mod format;
pub mod inspector;
pub mod keymap;
pub mod layout;
pub mod message;
pub mod model;
mod panels;
mod runtime;
pub mod text;
pub mod theme;
pub mod torrents;
mod update;
mod view;
pub mod widgets;

pub use message::{Done, Effect, Message, Purpose, Size, WebseedChange};
pub use model::Model;
pub use runtime::{Ask, Asking, Chaos, Exit, Link, Options, Save, SaveText, Tell, TuiError, WriteDump, run};
pub use theme::{ColourDepth, Theme, ThemeError, ThemeSource};
pub use update::update;
pub use view::view;
pub use widgets::{Glyphs, Look, Names};
