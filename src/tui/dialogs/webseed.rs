//! Adding a webseed by its URL, and the question before one is removed.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::{body, draw_field, frame};
use crate::contract::Untrusted;
use crate::tui::model::Model;
use crate::tui::text::hints;
use crate::tui::theme::Role;
use crate::tui::widgets::{LineInput, Span};
use crate::tui::{format, layout, text};
use crate::units::{TorrentId, WebseedKey};

/// A webseed that is typed.
#[derive(Clone, Debug)]
pub struct WebseedDialog {
    /// Of this torrent.
    pub torrent: TorrentId,
    /// Its URL.
    pub input: LineInput,
    /// What is wrong with it.
    pub error: Option<&'static str>,
}

/// Whether to remove a webseed.
#[derive(Clone, Debug)]
pub struct RemoveWebseedDialog {
    /// Of this torrent.
    pub torrent: TorrentId,
    /// Which.
    pub key: WebseedKey,
    /// Its URL, redacted.
    pub url: Untrusted,
}

pub(super) fn draw_add(model: &Model, dialog: &WebseedDialog, buffer: &mut Buffer) -> Position {
    let look = &model.look;
    let area = layout::centred(model.size, 100, 8);
    frame(look, buffer, area, text::WEBSEED_ADD_TITLE);
    let error = dialog.error.map_or(vec![], |error| vec![Span::new(error, Role::Error)]);
    let lines = [
        vec![Span::new(text::WEBSEED_ADD_FIELD, Role::Quiet)],
        vec![],
        vec![],
        error,
        vec![],
        vec![Span::new(hints::line(hints::WEBSEED_ADD), Role::Quiet)],
    ];
    body(look, buffer, area, &lines);
    let field = Rect { x: area.x + 2, y: area.y + 2, width: area.width.saturating_sub(4), height: 1 };
    draw_field(look, buffer, field, &dialog.input)
}

pub(super) fn draw_remove(model: &Model, dialog: &RemoveWebseedDialog, buffer: &mut Buffer) {
    let look = &model.look;
    let area = layout::centred(model.size, 76, 7);
    frame(look, buffer, area, text::WEBSEED_REMOVE_TITLE);
    let url = look.name(&dialog.url, || text::HIDDEN_TEXT.to_owned());
    let columns = usize::from(area.width.saturating_sub(4));
    let lines = [
        vec![],
        vec![Span::new(format::cut(&url, columns, look.more()), Role::Title)],
        vec![Span::new(text::WEBSEED_REMOVE_EFFECT, Role::Text)],
        vec![],
        vec![Span::new(hints::line(hints::WEBSEED_REMOVE), Role::Key)],
    ];
    body(look, buffer, area, &lines);
}
