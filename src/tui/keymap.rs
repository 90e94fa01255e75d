//! Which key does what where: the one table, from which the help is made too.
//!
//! A key has one meaning everywhere it has a meaning. The model says which contexts hold now, innermost first; the
//! first that binds the key wins. Inside a text field, what no context binds is typed.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// Where a binding holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Everywhere, dialogs included.
    Anywhere,
    /// Everywhere but in dialogs.
    Screen,
    /// Wherever rows are walked.
    Rows,
    /// Wherever rows can be marked.
    Marks,
    /// The torrent list.
    Torrents,
    /// A detail pane.
    Pane,
    /// The webseeds pane.
    Webseeds,
    /// A tree of files.
    Tree,
    /// A text field.
    Text,
    /// The add dialog while its source is read.
    AddReading,
    /// The add dialog once its source is read.
    AddChoice,
    /// The file choice of the add dialog.
    AddFiles,
    /// A question answered with y or n.
    Question,
    /// The question before data is deleted.
    DeleteQuestion,
    /// The sort menu.
    SortMenu,
    /// The help.
    Help,
    /// The peers pane.
    Peers,
    /// The inspector.
    Inspector,
    /// Where trouble can be made: in the demo only.
    Chaos,
    /// The menu of troubles.
    ChaosMenu,
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "text::action says what each does, to the user as well")]
pub enum Action {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Left,
    Right,
    NextPane,
    PreviousPane,
    Files,
    Peers,
    Trackers,
    Webseeds,
    Pieces,
    Log,
    Open,
    Back,
    Quit,
    Mark,
    MarkRange,
    MarkAll,
    MarkInvert,
    MarkNone,
    Add,
    Pause,
    PauseAll,
    Remove,
    RemoveData,
    Verify,
    Announce,
    Sequential,
    FirstLast,
    Raise,
    Lower,
    Normal,
    Skip,
    Max,
    FoldAll,
    Filter,
    SortMenu,
    SortPrevious,
    SortNext,
    SortReverse,
    DownLower,
    DownRaise,
    UpLower,
    UpRaise,
    Freeze,
    HideNames,
    Redraw,
    Suspend,
    CopyHash,
    Help,
    Accept,
    Yes,
    No,
    DeleteData,
    StartPaused,
    NextField,
    AddUnread,
    WebseedAdd,
    WebseedRemove,
    WebseedRetry,
    WebseedToggle,
    Inspector,
    InspectTasks,
    InspectLocks,
    InspectQueues,
    InspectSemaphores,
    InspectOwners,
    InspectWaits,
    InspectPeer,
    Follow,
    GoBack,
    PeerRow,
    KeepLook,
    Compare,
    CopyText,
    CopyRow,
    SaveText,
    WriteDump,
    Chaos,
}

/// A key of the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character, as typed (shifted or not).
    Char(char),
    /// Control with a letter.
    Ctrl(char),
    /// A named key.
    Named(KeyCode),
}

/// Some keys, one meaning.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// Where it holds.
    pub context: Context,
    /// Any of these.
    pub keys: &'static [Key],
    /// Does this.
    pub action: Action,
}

use Action as A;
use Context as C;
use Key::{Char, Ctrl, Named};

const fn bind(context: Context, keys: &'static [Key], action: Action) -> Binding {
    Binding { context, keys, action }
}

/// Every binding, in the order the help shows them.
pub const BINDINGS: &[Binding] = &[
    bind(C::Rows, &[Named(KeyCode::Up), Char('k')], A::Up),
    bind(C::Rows, &[Named(KeyCode::Down), Char('j')], A::Down),
    bind(C::Rows, &[Named(KeyCode::PageUp), Ctrl('u')], A::PageUp),
    bind(C::Rows, &[Named(KeyCode::PageDown), Ctrl('d')], A::PageDown),
    bind(C::Rows, &[Char('g'), Named(KeyCode::Home)], A::First),
    bind(C::Rows, &[Char('G'), Named(KeyCode::End)], A::Last),
    bind(C::Marks, &[Char(' ')], A::Mark),
    bind(C::Marks, &[Char('V')], A::MarkRange),
    bind(C::Marks, &[Char('A')], A::MarkAll),
    bind(C::Marks, &[Char('i')], A::MarkInvert),
    bind(C::Marks, &[Char('u')], A::MarkNone),
    bind(C::Marks, &[Char('/')], A::Filter),
    bind(C::Tree, &[Char('+')], A::Raise),
    bind(C::Tree, &[Char('-')], A::Lower),
    bind(C::Tree, &[Char('=')], A::Normal),
    bind(C::Tree, &[Char('0')], A::Skip),
    bind(C::Tree, &[Char('M')], A::Max),
    bind(C::Tree, &[Named(KeyCode::Left), Char('h')], A::Left),
    bind(C::Tree, &[Named(KeyCode::Right), Char('l')], A::Right),
    bind(C::Tree, &[Char('e')], A::FoldAll),
    bind(C::Webseeds, &[Char('w')], A::WebseedAdd),
    bind(C::Webseeds, &[Char('R')], A::WebseedRetry),
    bind(C::Webseeds, &[Char('e')], A::WebseedToggle),
    bind(C::Webseeds, &[Char('+')], A::Raise),
    bind(C::Webseeds, &[Char('-')], A::Lower),
    bind(C::Webseeds, &[Char('X'), Named(KeyCode::Delete)], A::WebseedRemove),
    bind(C::Peers, &[Char('T')], A::InspectPeer),
    bind(C::Torrents, &[Named(KeyCode::Left), Char('h')], A::Left),
    bind(C::Torrents, &[Named(KeyCode::Right), Char('l')], A::Right),
    bind(C::Pane, &[Named(KeyCode::Left), Char('h')], A::Left),
    bind(C::Pane, &[Named(KeyCode::Right), Char('l')], A::Right),
    bind(C::Screen, &[Char('a')], A::Add),
    bind(C::Screen, &[Char('p')], A::Pause),
    bind(C::Screen, &[Char('P')], A::PauseAll),
    bind(C::Screen, &[Char('d')], A::Remove),
    bind(C::Screen, &[Char('D')], A::RemoveData),
    bind(C::Screen, &[Char('v')], A::Verify),
    bind(C::Screen, &[Char('t')], A::Announce),
    bind(C::Screen, &[Char('o')], A::Sequential),
    bind(C::Screen, &[Char('O')], A::FirstLast),
    bind(C::Screen, &[Char('Y')], A::CopyHash),
    bind(C::Screen, &[Char('s')], A::SortMenu),
    bind(C::Screen, &[Char('<')], A::SortPrevious),
    bind(C::Screen, &[Char('>')], A::SortNext),
    bind(C::Screen, &[Char('S')], A::SortReverse),
    bind(C::Screen, &[Named(KeyCode::Enter)], A::Open),
    bind(C::Screen, &[Named(KeyCode::Esc), Char('q')], A::Back),
    bind(C::Screen, &[Named(KeyCode::Tab)], A::NextPane),
    bind(C::Screen, &[Named(KeyCode::BackTab)], A::PreviousPane),
    bind(C::Screen, &[Char('1')], A::Files),
    bind(C::Screen, &[Char('2')], A::Peers),
    bind(C::Screen, &[Char('3')], A::Trackers),
    bind(C::Screen, &[Char('4')], A::Webseeds),
    bind(C::Screen, &[Char('5')], A::Pieces),
    bind(C::Screen, &[Char('8')], A::Log),
    bind(C::Screen, &[Char('[')], A::DownLower),
    bind(C::Screen, &[Char(']')], A::DownRaise),
    bind(C::Screen, &[Char('{')], A::UpLower),
    bind(C::Screen, &[Char('}')], A::UpRaise),
    bind(C::Screen, &[Char('z')], A::Freeze),
    bind(C::Screen, &[Char('x')], A::HideNames),
    bind(C::Screen, &[Char('I')], A::Inspector),
    bind(C::Screen, &[Char('?')], A::Help),
    bind(C::Screen, &[Char('Q')], A::Quit),
    bind(C::Text, &[Named(KeyCode::Esc)], A::Back),
    bind(C::Text, &[Named(KeyCode::Enter)], A::Accept),
    bind(C::AddReading, &[Named(KeyCode::Enter)], A::AddUnread),
    bind(C::AddReading, &[Named(KeyCode::Esc), Char('q')], A::Back),
    bind(C::AddReading, &[Char('?')], A::Help),
    bind(C::AddChoice, &[Named(KeyCode::Enter)], A::Accept),
    bind(C::AddChoice, &[Named(KeyCode::Tab), Named(KeyCode::BackTab)], A::NextField),
    bind(C::AddChoice, &[Ctrl('p')], A::StartPaused),
    bind(C::AddChoice, &[Named(KeyCode::Esc)], A::Back),
    bind(C::AddFiles, &[Char('p')], A::StartPaused),
    bind(C::AddFiles, &[Char('q')], A::Back),
    bind(C::AddFiles, &[Char('?')], A::Help),
    bind(C::Question, &[Char('y')], A::Yes),
    bind(C::Question, &[Char('n'), Named(KeyCode::Esc), Char('q')], A::No),
    bind(C::DeleteQuestion, &[Char('Y')], A::DeleteData),
    bind(C::DeleteQuestion, &[Char('n'), Named(KeyCode::Esc), Char('q')], A::No),
    bind(C::SortMenu, &[Named(KeyCode::Enter)], A::Accept),
    bind(C::SortMenu, &[Char('S')], A::SortReverse),
    bind(C::SortMenu, &[Named(KeyCode::Esc), Char('q'), Char('s')], A::Back),
    bind(C::Help, &[Named(KeyCode::Esc), Char('q'), Char('?'), Named(KeyCode::F(1))], A::Back),
    bind(C::Inspector, &[Char('1')], A::InspectTasks),
    bind(C::Inspector, &[Char('2')], A::InspectLocks),
    bind(C::Inspector, &[Char('3')], A::InspectQueues),
    bind(C::Inspector, &[Char('4')], A::InspectSemaphores),
    bind(C::Inspector, &[Char('5')], A::InspectOwners),
    bind(C::Inspector, &[Char('6')], A::InspectWaits),
    bind(C::Inspector, &[Named(KeyCode::Tab)], A::NextPane),
    bind(C::Inspector, &[Named(KeyCode::BackTab)], A::PreviousPane),
    bind(C::Inspector, &[Named(KeyCode::Enter)], A::Open),
    bind(C::Inspector, &[Char('f')], A::Follow),
    bind(C::Inspector, &[Char('b'), Named(KeyCode::Backspace)], A::GoBack),
    bind(C::Inspector, &[Char('p')], A::PeerRow),
    bind(C::Inspector, &[Char('/')], A::Filter),
    bind(C::Inspector, &[Char('s')], A::SortMenu),
    bind(C::Inspector, &[Char('<')], A::SortPrevious),
    bind(C::Inspector, &[Char('>')], A::SortNext),
    bind(C::Inspector, &[Char('S')], A::SortReverse),
    bind(C::Inspector, &[Named(KeyCode::Left), Char('h')], A::Left),
    bind(C::Inspector, &[Named(KeyCode::Right), Char('l')], A::Right),
    bind(C::Inspector, &[Char('z')], A::Freeze),
    bind(C::Inspector, &[Char('m')], A::KeepLook),
    bind(C::Inspector, &[Char('=')], A::Compare),
    bind(C::Inspector, &[Char('y')], A::CopyText),
    bind(C::Inspector, &[Char('Y')], A::CopyRow),
    bind(C::Inspector, &[Char('w'), Char('W')], A::SaveText),
    bind(C::Inspector, &[Char('D')], A::WriteDump),
    bind(C::Inspector, &[Char('x')], A::HideNames),
    bind(C::Inspector, &[Named(KeyCode::Esc)], A::Back),
    bind(C::Inspector, &[Char('q'), Char('I')], A::Inspector),
    bind(C::Inspector, &[Char('?')], A::Help),
    bind(C::Chaos, &[Char('!')], A::Chaos),
    bind(C::ChaosMenu, &[Named(KeyCode::Enter)], A::Accept),
    bind(C::ChaosMenu, &[Named(KeyCode::Esc), Char('q'), Char('!')], A::Back),
    bind(C::Anywhere, &[Named(KeyCode::F(1))], A::Help),
    bind(C::Anywhere, &[Named(KeyCode::F(12))], A::Inspector),
    bind(C::Anywhere, &[Ctrl('l')], A::Redraw),
    bind(C::Anywhere, &[Ctrl('z')], A::Suspend),
    bind(C::Anywhere, &[Ctrl('c')], A::Quit),
];

impl Key {
    /// The key of a terminal event; `None` for a release and for keys that nothing is bound to.
    pub fn of(event: &KeyEvent) -> Option<Self> {
        if event.kind == KeyEventKind::Release || event.modifiers.contains(KeyModifiers::ALT) {
            return None;
        }
        Some(match event.code {
            KeyCode::Char(letter) if event.modifiers.contains(KeyModifiers::CONTROL) => {
                Self::Ctrl(letter.to_ascii_lowercase())
            }
            KeyCode::Char(letter) => Self::Char(letter),
            code => Self::Named(code),
        })
    }

    /// Its name in the help.
    pub fn name(self) -> String {
        match self {
            Self::Char(' ') => "Space".to_owned(),
            Self::Char(letter) => letter.to_string(),
            Self::Ctrl(letter) => format!("^{letter}"),
            Self::Named(KeyCode::PageUp) => "PgUp".to_owned(),
            Self::Named(KeyCode::PageDown) => "PgDn".to_owned(),
            Self::Named(KeyCode::BackTab) => "Shift-Tab".to_owned(),
            Self::Named(code) => code.to_string(),
        }
    }
}

/// What `key` does where these contexts hold, innermost first.
pub fn find(contexts: &[Context], key: Key) -> Option<Action> {
    contexts.iter().find_map(|context| {
        BINDINGS
            .iter()
            .find(|binding| binding.context == *context && binding.keys.contains(&key))
            .map(|binding| binding.action)
    })
}

/// The first key that does `action` in `context`, by name; empty where none does.
pub fn key_name(context: Context, action: Action) -> String {
    BINDINGS
        .iter()
        .find(|binding| binding.context == context && binding.action == action)
        .map_or(String::new(), |binding| binding.keys[0].name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_context_binds_a_key_twice() {
        for (at, binding) in BINDINGS.iter().enumerate() {
            for other in &BINDINGS[at + 1..] {
                let clash = binding.context == other.context
                    && binding.keys.iter().any(|key| other.keys.contains(key));
                assert!(!clash, "{binding:?} and {other:?}");
            }
        }
    }

    #[test]
    fn a_key_has_one_meaning_on_the_screen() {
        let parts = [
            vec![Context::Torrents],
            vec![Context::Tree],
            vec![Context::Pane],
            vec![Context::Webseeds, Context::Pane],
            vec![Context::Peers, Context::Pane],
        ];
        let shared = [Context::Chaos, Context::Screen, Context::Marks, Context::Rows, Context::Anywhere];
        for part in parts {
            let all: Vec<&Binding> = BINDINGS
                .iter()
                .filter(|binding| part.contains(&binding.context) || shared.contains(&binding.context))
                .collect();
            for (at, binding) in all.iter().enumerate() {
                let again = all[at + 1..]
                    .iter()
                    .find(|other| binding.keys.iter().any(|key| other.keys.contains(key)));
                assert!(again.is_none(), "{binding:?} and {again:?}");
            }
        }
    }

    #[test]
    fn a_shifted_letter_is_itself_and_a_release_is_nothing() {
        let shifted = KeyEvent::new(KeyCode::Char('D'), KeyModifiers::SHIFT);
        assert_eq!(Key::of(&shifted), Some(Key::Char('D')));
        let release = KeyEvent { kind: KeyEventKind::Release, ..shifted };
        assert_eq!(Key::of(&release), None);
    }

    #[test]
    fn the_innermost_context_wins() {
        let contexts = [Context::AddFiles, Context::Screen];
        assert_eq!(find(&contexts, Key::Char('p')), Some(Action::StartPaused));
        assert_eq!(find(&contexts[1..], Key::Char('p')), Some(Action::Pause));
    }
}
