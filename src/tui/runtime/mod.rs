//! The loop round the model, and the only part that touches the terminal.
//!
//! It waits for a key, a snapshot, an event, an answer, a signal or the clock, lets `update` take it in, carries out
//! the effects and draws when something changed: at most every `limits::FRAME_INTERVAL`, and only once the terminal has
//! taken the frame before. Whatever way it ends, the terminal is as it was. Called by `cli`.

mod clipboard;
mod painter;
mod reader;
mod saving;
mod signals;
mod terminal;
mod turns;
mod writer;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use ratatui::crossterm::event::Event as Input;
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::painter::Painter;
use self::signals::{SignalKind, Signals};
use self::terminal::Terminal;
use self::turns::Turns;
use super::message::{Effect, Message, Purpose, Size};
use super::model::Model;
use super::text;
use super::theme::{ColourDepth, Theme, ThemeError, ThemeSource};
use super::update::update;
use super::widgets::{Glyphs, Look, Names};
use crate::contract::{
    AddRequest, Answer, Command, Event, EventKind, Refusal, Severity, Snapshot, Untrusted,
};
use crate::{inspect, limits};

/// A command under way.
pub type Asking = Pin<Box<dyn Future<Output = Result<Answer, Refusal>> + Send>>;

/// How the engine is asked. A command counts as given when its future is first polled, which happens in the order of
/// the keys.
pub type Ask = Arc<dyn Fn(Command) -> Asking + Send + Sync>;

/// The engine, as the screen knows it.
pub struct Link {
    /// Asks it.
    pub ask: Ask,
    /// How things stand.
    pub snapshots: inspect::WatchReceiver<Arc<Snapshot>>,
    /// What happens.
    pub events: inspect::Receiver<Event>,
    /// Tells everybody who listens to events, the screen too.
    pub tell: Tell,
}

/// Tells of something that happened in the screen itself.
pub type Tell = Arc<dyn Fn(EventKind) + Send + Sync>;

/// How the screen looks and what it begins with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The theme.
    pub theme: ThemeSource,
    /// How many colours the terminal shows.
    pub colours: ColourDepth,
    /// Which characters it shows.
    pub glyphs: Glyphs,
    /// Torrents to add at once.
    pub adds: Vec<AddRequest>,
    /// What `~/` in a typed path stands for.
    pub home: Option<PathBuf>,
    /// Writes texts to files; `None`: nothing can be saved.
    pub save: Option<Save>,
    /// Writes a dump of everything to a file; `None`: there is nobody who can.
    pub dump: Option<WriteDump>,
    /// Trouble that can be made on purpose; the demo has some.
    pub chaos: Option<Chaos>,
}

/// Writes a text to a new file and says which: `(name, text)`, the name without an ending. It is called where it may block.
#[derive(Clone)]
pub struct Save(pub Arc<SaveText>);

/// What a [`Save`] does.
pub type SaveText = dyn Fn(&str, &str) -> std::io::Result<PathBuf> + Send + Sync;

impl std::fmt::Debug for Save {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Save")
    }
}

/// Writes a dump of everything to a new file and says which. It is called where it may block, and works while every
/// worker of the engine is held.
#[derive(Clone)]
pub struct WriteDump(pub Arc<dyn Fn() -> std::io::Result<PathBuf> + Send + Sync>);

impl std::fmt::Debug for WriteDump {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("WriteDump")
    }
}

/// Trouble that can be made on purpose.
#[derive(Clone, Debug)]
pub struct Chaos {
    /// What there is, in words.
    pub names: Vec<String>,
    /// Takes the place of the one to make.
    pub make: inspect::Sender<usize>,
}

/// Why the screen ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The user quit.
    Quit,
    /// A signal asked for it.
    Signal(&'static str),
    /// The terminal went away.
    TerminalGone,
    /// The engine went away.
    EngineGone,
}

/// Why the screen could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// Input or output is not a terminal.
    #[error("the screen needs a terminal on standard input and output; without one, use `unchoke download`")]
    NotATerminal,
    /// The theme is not usable.
    #[error(transparent)]
    Theme(#[from] ThemeError),
    /// The system refused something.
    #[error("cannot {what}: {source}; try `unchoke download`, which needs no terminal")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Runs the screen until it is quit. It is to be polled on the thread it was started on (`block_on`), so that a panic
/// of its own is told from one of the engine's tasks.
pub async fn run(link: Link, options: Options) -> Result<Exit, TuiError> {
    let theme = Theme::load(&options.theme, options.colours)?;
    let look = Look { theme, glyphs: options.glyphs, names: Names::Shown };
    let signals =
        Signals::listen().map_err(|source| TuiError::System { what: "listen to signals", source })?;
    let terminal = Terminal::enter()?;
    let input = reader::start()
        .map_err(|source| TuiError::System { what: "start the thread that reads the terminal", source })?;
    let (answers_in, answers) = inspect::channel("screen: answers", limits::ASKS_MAX);
    let (saved_in, saved) = inspect::channel("screen: saved", limits::SAVES_MAX);
    let mut model = Model::new(look, options.home);
    model.chaos.names = options.chaos.as_ref().map_or_else(Vec::new, |chaos| chaos.names.clone());
    let mut screen = Screen {
        model,
        link,
        terminal,
        painter: Painter::default(),
        answers_in,
        save: options.save,
        dump: options.dump,
        saved_in,
        writing: false,
        chaos: options.chaos,
        asks: 0,
        waiting: VecDeque::new(),
        started: Instant::now(),
        ticked: Instant::now(),
        dirty: true,
        drawn: None,
        suspends: false,
    };
    let life = async move {
        for request in options.adds {
            screen.ask(Purpose::Open, Command::Add(Box::new(request))).await;
        }
        let exit = screen.live(input, signals, answers, saved).await;
        screen.terminal.leave().await;
        exit
    };
    Ok(inspect::in_place("screen", life).await)
}

/// The answer to a command, and what it was sent for.
type Answered = (Purpose, Result<Answer, Refusal>);

/// The loop's own state.
struct Screen {
    model: Model,
    link: Link,
    terminal: Terminal,
    painter: Painter,
    answers_in: inspect::Sender<Answered>,
    save: Option<Save>,
    dump: Option<WriteDump>,
    saved_in: inspect::Sender<Result<PathBuf, String>>,
    /// A file is being written; one at a time, however long a key is held down.
    writing: bool,
    chaos: Option<Chaos>,
    /// Commands whose answer is still to come.
    asks: usize,
    /// Commands that wait until there are fewer of those.
    waiting: VecDeque<(Purpose, Command)>,
    started: Instant,
    /// When the last tick was.
    ticked: Instant,
    /// Whether the picture is older than the model.
    dirty: bool,
    /// When the last frame was drawn.
    drawn: Option<Instant>,
    /// Whether the terminal is to be given back: after the turn, for that takes as long as the user likes.
    suspends: bool,
}

impl Screen {
    async fn live(
        &mut self,
        mut input: inspect::Receiver<reader::Read>,
        mut signals: Signals,
        mut answers: inspect::Receiver<Answered>,
        mut saved: inspect::Receiver<Result<PathBuf, String>>,
    ) -> Exit {
        let mut turns = Turns::of(&input, Arc::clone(&self.link.tell));
        let mut panics = inspect::subscribe_panics();
        let mut ticks = interval(limits::SCREEN_TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let first = self.link.snapshots.latest();
        self.resize();
        let mut exit = turns.make("snapshot", self.take(Message::Snapshot(first))).await;
        while exit.is_none() {
            let next_frame = self.next_frame();
            exit = tokio::select! {
                event = input.recv() => match event {
                    Some(Ok(Some(event))) => {
                        let exit = turns.make("key", self.input(event)).await;
                        // What it changed is seen also while nobody drives the timers.
                        if self.is_frame_due() {
                            turns.make("draw", async { self.draw() }).await;
                        }
                        exit
                    }
                    Some(Ok(None)) => turns.make("tick", self.beat()).await,
                    Some(Err(_)) | None => Some(Exit::TerminalGone),
                },
                signal = signals.next() => turns.make("signal", async { self.signal(signal) }).await,
                Some(answered) = answers.recv() => turns.make("answer", self.answered(answered)).await,
                changed = self.link.snapshots.changed() => match changed {
                    Ok(()) => {
                        let snapshot = self.link.snapshots.latest();
                        turns.make("snapshot", self.take(Message::Snapshot(snapshot))).await
                    }
                    Err(_) => Some(Exit::EngineGone),
                },
                Some(event) = self.link.events.recv() => {
                    turns.make("event", self.take(Message::Event(event))).await
                }
                Some(saved) = saved.recv() => {
                    self.writing = false;
                    turns.make("saved", self.take(Message::Saved(saved))).await
                }
                // Of the others the engine tells.
                Some(panic) = panics.recv() => match panic.torrent {
                    None => turns.make("panic", self.take(Message::Event(told_of(&panic)))).await,
                    Some(_) => None,
                },
                due = inspect::ticking(ticks.tick()) => {
                    turns.was_due(due);
                    turns.make("tick", self.tick()).await
                }
                written = self.terminal.written() => written.err().map(|_| Exit::TerminalGone),
                () = inspect::sleep_until(next_frame.unwrap_or_else(Instant::now)), if next_frame.is_some() => {
                    turns.make("draw", async { self.draw() }).await;
                    None
                }
            };
            if std::mem::take(&mut self.suspends) {
                exit = exit.or(self.suspend().await);
                // How long the user was away is no lateness of the screen.
                ticks.reset();
            }
        }
        exit.unwrap_or(Exit::Quit)
    }

    async fn answered(&mut self, (purpose, result): Answered) -> Option<Exit> {
        self.asks -= 1;
        self.ask_waiting().await;
        self.take(Message::Answered { purpose, result }).await
    }

    /// When to draw: as soon as the pace allows, if there is anything to draw and the terminal has taken the last frame.
    fn next_frame(&self) -> Option<Instant> {
        let due = self.drawn.map_or_else(Instant::now, |drawn| drawn + limits::FRAME_INTERVAL);
        (self.dirty && self.terminal.is_idle()).then_some(due)
    }

    fn is_frame_due(&self) -> bool {
        self.next_frame().is_some_and(|due| due <= Instant::now())
    }

    fn draw(&mut self) {
        self.dirty = false;
        self.drawn = Some(Instant::now());
        if let Some(frame) = self.painter.paint(&self.model) {
            self.terminal.write(frame);
        }
    }

    async fn input(&mut self, input: Input) -> Option<Exit> {
        match input {
            Input::Key(key) => self.take(Message::Key(key)).await,
            Input::Paste(pasted) => self.take(Message::Paste(pasted)).await,
            Input::Resize(..) => {
                // The event is one of a burst; what counts is the size now.
                self.resize();
                None
            }
            Input::FocusGained | Input::FocusLost | Input::Mouse(_) => None,
        }
    }

    fn signal(&mut self, signal: SignalKind) -> Option<Exit> {
        match signal {
            SignalKind::End(name) => Some(Exit::Signal(name)),
            SignalKind::Stop => {
                self.suspends = true;
                None
            }
            SignalKind::Continue => self.repaint(),
        }
    }

    /// Time passes, whether or not anybody drives the timers: what they should have done by now is done.
    async fn beat(&mut self) -> Option<Exit> {
        let is_overdue = self.ticked.elapsed() >= limits::SCREEN_TICK + limits::TERMINAL_POLL;
        let exit = if is_overdue { self.tick().await } else { None };
        if self.is_frame_due() {
            self.draw();
        }
        exit
    }

    async fn tick(&mut self) -> Option<Exit> {
        self.ticked = Instant::now();
        if Terminal::is_gone() {
            return Some(Exit::TerminalGone);
        }
        let shown = self.model.toasts.shown().map(|(toast, behind)| (toast.text.clone(), behind));
        let was_dirty = self.dirty;
        let exit = self.take(Message::Tick(self.started.elapsed())).await;
        // Time alone changes nothing but the message that is shown.
        let changed = shown != self.model.toasts.shown().map(|(toast, behind)| (toast.text.clone(), behind));
        self.dirty = was_dirty || changed;
        exit
    }

    /// Lets the model take a message in and carries out what comes of it.
    async fn take(&mut self, message: Message) -> Option<Exit> {
        self.dirty = true;
        for effect in update(&mut self.model, message) {
            let exit = match effect {
                Effect::Ask { purpose, command } => {
                    self.ask(purpose, command).await;
                    None
                }
                Effect::Copy(text) => {
                    self.painter.append(clipboard::copy(&text));
                    None
                }
                Effect::Save { name, text } => {
                    self.save(name, text);
                    None
                }
                Effect::Chaos(which) => {
                    self.make(which);
                    None
                }
                Effect::Repaint => self.repaint(),
                Effect::Suspend => {
                    self.suspends = true;
                    None
                }
                Effect::Dump => {
                    self.write_dump();
                    None
                }
                Effect::Quit => Some(Exit::Quit),
            };
            if exit.is_some() {
                return exit;
            }
        }
        None
    }

    /// Has trouble made.
    fn make(&mut self, which: usize) {
        let Some(chaos) = &self.chaos else { return };
        let said = match chaos.make.try_send(which) {
            Ok(()) => chaos.names.get(which).cloned().unwrap_or_default(),
            Err(_) => text::CHAOS_BUSY.to_owned(),
        };
        self.model.toasts.push(Severity::Info, said);
    }

    /// Asks the engine. The screen never waits for an answer: beyond the first poll, which gives the command, a task
    /// does.
    async fn ask(&mut self, purpose: Purpose, command: Command) {
        if self.waiting.len() >= limits::ASKS_WAITING_MAX {
            return self.model.toasts.push(Severity::Error, text::BUSY);
        }
        self.waiting.push_back((purpose, command));
        self.ask_waiting().await;
    }

    async fn ask_waiting(&mut self) {
        while self.asks < limits::ASKS_MAX
            && let Some((purpose, command)) = self.waiting.pop_front()
        {
            self.asks += 1;
            let mut asking = (self.link.ask)(command);
            let given = poll_fn(|context| Poll::Ready(asking.as_mut().poll(context))).await;
            let answers = self.answers_in.clone();
            match given {
                // At once, and by no task: a look of the inspector is wanted most when no worker is free to run one.
                // There is room, for it holds as many as there are asks.
                Poll::Ready(result) => drop(answers.try_send((purpose, result))),
                Poll::Pending => inspect::spawn("screen: command", async move {
                    // The screen may have ended meanwhile; then nobody wants the answer.
                    let _ = answers.send((purpose, asking.await)).await;
                })
                .detach(),
            }
        }
    }

    fn resize(&mut self) {
        let (columns, rows) = Terminal::size();
        let size = Size { columns, rows };
        update(&mut self.model, Message::Resize(size));
        self.dirty = true;
    }

    fn repaint(&mut self) -> Option<Exit> {
        Terminal::raw_again();
        self.painter.append(Terminal::enter_sequence());
        self.painter.forget();
        self.resize();
        None
    }

    async fn suspend(&mut self) -> Option<Exit> {
        if self.terminal.suspend().await {
            return self.repaint();
        }
        self.model.toasts.push(Severity::Warning, text::NO_SHELL);
        self.dirty = true;
        None
    }
}

/// A panic of a task elsewhere, as an event: it is the engine's, and the screen goes on.
fn told_of(panic: &inspect::TaskPanic) -> Event {
    let message = Untrusted::new(text::panicked(&panic.name, &panic.text));
    let kind = EventKind::Notice { severity: Severity::Error, message };
    Event { at: crate::units::Time::from_micros(0), torrent: None, kind }
}
