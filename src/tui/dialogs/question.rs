//! Questions before something that cannot be undone.

use ratatui::buffer::Buffer;

use super::{body, frame};
use crate::contract::{RemoveData, Untrusted};
use crate::tui::keymap::Context;
use crate::tui::layout;
use crate::tui::model::Model;
use crate::tui::text::hints;
use crate::tui::theme::Role;
use crate::tui::widgets::Span;
use crate::tui::{format, text};
use crate::units::TorrentId;

/// Whether to remove torrents, and their data.
#[derive(Clone, Debug)]
pub struct RemoveDialog {
    /// Which.
    pub torrents: Vec<TorrentId>,
    /// Whether their data goes too.
    pub data: RemoveData,
    /// The name, where it is one.
    pub name: Option<Untrusted>,
    /// Bytes that are on disk.
    pub done_bytes: u64,
}

impl RemoveDialog {
    /// Deleting data takes another key than forgetting a torrent, so that a habit does not delete.
    pub fn context(&self) -> Context {
        match self.data {
            RemoveData::Keep => Context::Question,
            RemoveData::Delete => Context::DeleteQuestion,
        }
    }
}

const COLUMNS: u16 = 64;

pub(super) fn draw_remove(model: &Model, dialog: &RemoveDialog, buffer: &mut Buffer) {
    let look = &model.look;
    let area = layout::centred(model.size, COLUMNS, 7);
    let what = match &dialog.name {
        Some(name) => look.name(name, || text::HIDDEN_TORRENT.to_owned()),
        None => text::torrents(dialog.torrents.len()),
    };
    let (title, role) = match dialog.data {
        RemoveData::Keep => (text::REMOVE_TITLE, Role::Text),
        RemoveData::Delete => (text::DELETE_TITLE, Role::Error),
    };
    frame(look, buffer, area, title);
    body(
        look,
        buffer,
        area,
        &[
            vec![],
            vec![Span::new(format::cut(&what, usize::from(COLUMNS) - 4, look.more()), Role::Title)],
            vec![Span::new(text::remove_effect(dialog.data, dialog.done_bytes), role)],
            vec![],
            vec![Span::new(hints::line(hints::remove(dialog.data)), Role::Key)],
        ],
    );
}

pub(super) fn draw_quit(model: &Model, transferring: usize, buffer: &mut Buffer) {
    let area = layout::centred(model.size, COLUMNS, 6);
    frame(&model.look, buffer, area, text::QUIT_TITLE);
    body(
        &model.look,
        buffer,
        area,
        &[
            vec![],
            vec![Span::new(text::quit_effect(transferring), Role::Text)],
            vec![],
            vec![Span::new(hints::line(hints::QUIT), Role::Key)],
        ],
    );
}
