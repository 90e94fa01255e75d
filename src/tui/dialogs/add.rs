//! Adding a torrent: its source, then what of it, where to and whether at once.

use std::path::PathBuf;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::{body, draw_field, frame};
use crate::contract::{AddRequest, FileChoice, Priority, PriorityChange, Source, StartState, TorrentPreview};
use crate::tui::model::Model;
use crate::tui::panels;
use crate::tui::text::hints;
use crate::tui::theme::Role;
use crate::tui::widgets::{FileTree, Leaf, LineInput, Span};
use crate::tui::{layout, text};

/// A torrent on its way into the list.
#[derive(Debug)]
pub struct AddDialog {
    /// Tells this dialog from earlier ones, whose answers may still come.
    pub number: u64,
    /// How far it is.
    pub step: AddStep,
}

/// How far the add dialog is.
#[derive(Debug)]
pub enum AddStep {
    /// The source is typed.
    Source {
        /// What is typed.
        input: LineInput,
        /// Why the last one was refused.
        error: Option<String>,
    },
    /// The engine reads it.
    Reading {
        /// What was typed.
        input: LineInput,
        /// What it was taken for.
        source: Source,
    },
    /// Its files are known, or known not to be.
    Choice(Box<AddChoice>),
}

/// What to add of a source that was read.
#[derive(Debug)]
pub struct AddChoice {
    /// The source.
    pub source: Source,
    /// What it holds.
    pub preview: Arc<TorrentPreview>,
    /// Its files.
    pub tree: FileTree,
    /// The folder to save into.
    pub folder: LineInput,
    /// Whether it starts at once.
    pub start: StartState,
    /// Which part has the keys.
    pub field: AddField,
}

/// The parts of the choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddField {
    /// The files.
    Files,
    /// The folder.
    Folder,
}

impl AddChoice {
    /// The choice of a source, everything at its default.
    pub fn new(source: Source, preview: Arc<TorrentPreview>, folder: &str) -> Self {
        let mut tree = FileTree::new(preview.files.iter().map(|file| &file.path));
        tree.refresh(preview.files.iter().map(|file| Leaf {
            file: file.index,
            bytes: file.bytes,
            done_bytes: 0,
            priority: Priority::Normal,
        }));
        let folder = LineInput::new(folder);
        Self { source, preview, tree, folder, start: StartState::Running, field: AddField::Files }
    }

    /// Gives these files a level.
    pub fn set(&mut self, changes: &[(Vec<usize>, Priority)]) {
        let mut leaves = self.tree.leaves().to_vec();
        for (positions, level) in changes {
            for &position in positions {
                if let Some(leaf) = leaves.get_mut(position) {
                    leaf.priority = *level;
                }
            }
        }
        self.tree.refresh(leaves.into_iter());
    }

    /// Bytes of the files that are wanted.
    pub fn wanted_bytes(&self) -> u64 {
        let wanted = self.tree.leaves().iter().filter(|leaf| leaf.priority != Priority::Off);
        wanted.fold(0, |sum, leaf| sum.saturating_add(leaf.bytes))
    }

    /// The request to the engine.
    pub fn request(&self, home: Option<&PathBuf>) -> AddRequest {
        let change = |level: Priority| {
            let files: Vec<_> = self
                .tree
                .leaves()
                .iter()
                .filter(|leaf| leaf.priority == level)
                .map(|leaf| leaf.file)
                .collect();
            (!files.is_empty()).then_some(PriorityChange { files: FileChoice::Indices(files), level })
        };
        let folder = self.folder.text().trim();
        AddRequest {
            save_dir: (!folder.is_empty()).then(|| in_home(folder, home)),
            priorities: [Priority::Off, Priority::Low, Priority::High]
                .into_iter()
                .filter_map(change)
                .collect(),
            start: self.start,
            ..AddRequest::of(self.source.clone())
        }
    }
}

/// A path as typed, `~/` being the home folder.
pub fn in_home(path: &str, home: Option<&PathBuf>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        (Some(_), None) | (None, _) => PathBuf::from(path),
    }
}

pub(super) fn draw(model: &Model, dialog: &AddDialog, buffer: &mut Buffer) -> Option<Position> {
    let look = &model.look;
    match &dialog.step {
        AddStep::Source { input, error } => {
            let area = layout::centred(model.size, 100, 8);
            frame(look, buffer, area, text::ADD_TITLE);
            let error = error.as_deref().map_or(vec![], |error| vec![Span::new(error, Role::Error)]);
            let lines = [
                vec![Span::new(text::ADD_FIELD, Role::Quiet)],
                vec![],
                vec![],
                error,
                vec![],
                vec![Span::new(hints::line(hints::ADD_SOURCE), Role::Quiet)],
            ];
            body(look, buffer, area, &lines);
            let field = Rect { x: area.x + 2, y: area.y + 2, width: area.width.saturating_sub(4), height: 1 };
            Some(draw_field(look, buffer, field, input))
        }
        AddStep::Reading { input, .. } => {
            let area = layout::centred(model.size, 100, 6);
            frame(look, buffer, area, text::ADD_TITLE);
            let (source, _) = input.window(usize::from(area.width.saturating_sub(4)));
            let lines = [
                vec![Span::new(look.plain(source), Role::Text)],
                vec![],
                vec![Span::new(text::ADD_READING, Role::Waiting)],
                vec![Span::new(hints::line(hints::ADD_READING), Role::Quiet)],
            ];
            body(look, buffer, area, &lines);
            None
        }
        AddStep::Choice(choice) => draw_choice(model, choice, buffer),
    }
}

fn draw_choice(model: &Model, choice: &AddChoice, buffer: &mut Buffer) -> Option<Position> {
    let look = &model.look;
    let sheet = layout::sheet(model.size);
    frame(look, buffer, sheet, text::ADD_TITLE);
    let name = look.name(&choice.preview.name, || text::HIDDEN_TORRENT.to_owned());
    let summary = text::add_summary(&choice.preview, choice.wanted_bytes());
    body(look, buffer, sheet, &[vec![Span::new(name, Role::Title)], vec![Span::new(summary, Role::Quiet)]]);
    let tree = layout::add_tree(model.size);
    if choice.tree.files() == 0 {
        look.line(buffer, tree, &[Span::new(text::ADD_NO_FILES, Role::Waiting)]);
    } else {
        let with_keys = choice.field == AddField::Files && model.filter.is_none();
        panels::files::draw_tree(look, buffer, tree, &choice.tree, panels::selected_role(with_keys));
    }
    let row = |from_bottom: u16| Rect {
        x: sheet.x + 2,
        y: sheet.bottom().saturating_sub(from_bottom),
        width: sheet.width.saturating_sub(4),
        height: 1,
    };
    if model.snapshot.torrents.iter().any(|torrent| torrent.id == choice.preview.torrent) {
        look.line(buffer, row(5), &[Span::new(text::ADD_IN_LIST, Role::Warning)]);
    }
    let label = Span::new(text::ADD_FOLDER, Role::Quiet);
    let label_columns = u16::try_from(label.width()).unwrap_or(0);
    look.line(buffer, row(4), &[label]);
    let field =
        Rect { x: row(4).x + label_columns, width: row(4).width.saturating_sub(label_columns), ..row(4) };
    let cursor = draw_field(look, buffer, field, &choice.folder);
    let start =
        [Span::new(text::ADD_START, Role::Quiet), Span::new(text::add_start(choice.start), Role::Text)];
    look.line(buffer, row(3), &start);
    let keys = match choice.field {
        _ if choice.tree.files() == 0 => hints::ADD_WITHOUT_FILES,
        AddField::Files => hints::ADD_CHOICE,
        AddField::Folder => hints::ADD_FOLDER,
    };
    look.line(buffer, row(2), &[Span::new(hints::line(keys), Role::Quiet)]);
    (choice.field == AddField::Folder).then_some(cursor)
}
