//! The loop on a real terminal: a pseudo-terminal, this test binary run again as the program, and what comes out.
//!
//! `child` is that program: it does nothing unless the environment asks for it. By hand:
//! `UNCHOKE_TEST_SCREEN=1 target/debug/deps/it-... screens::live::child --exact --nocapture`.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use unchoke::contract::{Answer, Command, Event, EventKind, Severity, Untrusted};
use unchoke::inspect;
use unchoke::tui::{Exit, Link, Options, WriteDump};
use unchoke::units::Time;

use super::canned::{library, snapshot, with_detail};

/// What tells the child to be the program, and how to behave.
const ASKED: &str = "UNCHOKE_TEST_SCREEN";

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A turn of this length is the longest one, also of a debug build on a busy machine.
const SLOW: Duration = Duration::from_millis(600);

#[test]
fn child() {
    let Ok(asked) = std::env::var(ASKED) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (set, snapshots) = inspect::watch("test: snapshots", Arc::new(snapshot(library())));
    let (telling, events) = inspect::channel("test: events", 8);
    let tell = Arc::new(move |kind: EventKind| {
        let EventKind::SlowTurn { input, .. } = kind else { return };
        // As an error it is shown, whatever else is.
        let kind = EventKind::Notice {
            severity: Severity::Error,
            message: Untrusted::new(format!("slow: {input}")),
        };
        telling.try_send(Event { at: Time::ZERO, torrent: None, kind }).unwrap();
    });
    let (panics, slow) = (asked == "panic", asked == "slow");
    let ask = Arc::new(move |command: Command| -> unchoke::tui::Asking {
        assert!(!panics || !matches!(command, Command::Announce(_)), "the test asked for it");
        if slow && matches!(command, Command::Announce(_)) {
            std::thread::sleep(SLOW);
        }
        if let Command::Dump(kind) = command {
            let dump = Ok(Answer::Dump(Box::new(inspect::dump(kind))));
            return Box::pin(async { dump });
        }
        if let Command::Watch(Some(_)) = command {
            set.set(Arc::new(with_detail(library(), 0)));
        }
        Box::pin(async { Ok(Answer::Done) })
    });
    let mut watchdog = None;
    if asked == "held" {
        watchdog = Some(inspect::watch_over(inspect::Bounds::default(), drop).unwrap());
        let _runs_here = runtime.enter();
        for _ in 0..2 {
            inspect::spawn("test: holds a worker", async { std::thread::park() }).detach();
        }
    }
    let dump = WriteDump(Arc::new(|| Ok("/state/dump-7.txt".into())));
    let options = Options { dump: Some(dump), ..Options::default() };
    let link = Link { ask, snapshots, events, tell };
    let exit = runtime.block_on(unchoke::tui::run(link, options)).unwrap();
    drop(watchdog);
    let word = match exit {
        Exit::Quit => "quit",
        Exit::Signal(name) => name,
        Exit::TerminalGone => "gone",
        Exit::EngineGone => "engine",
    };
    writeln!(std::io::stdout(), "ended: {word}.").unwrap();
    // A reader of the terminal may be stuck in its thread; the program ends all the same.
    std::process::exit(0);
}

/// The program on a pseudo-terminal of 80x24.
pub(crate) struct Program {
    child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    keys: Option<Box<dyn Write + Send>>,
    output: Option<inspect::Receiver<Vec<u8>>>,
    screen: vt100::Parser,
    raw: Vec<u8>,
}

impl Program {
    fn start(behaviour: &str) -> Self {
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        command.args(["screens::live::child", "--exact", "--nocapture", "--test-threads=1"]);
        command.env(ASKED, behaviour);
        Self::run(command)
    }

    /// Any program.
    pub(crate) fn run(command: CommandBuilder) -> Self {
        Self::run_on(command, 24, 80)
    }

    /// Any program, on a terminal of that many rows and columns.
    pub(crate) fn run_on(mut command: CommandBuilder, rows: u16, cols: u16) -> Self {
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = inspect::channel("test: terminal", 64);
        inspect::spawn_thread("test: terminal", move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                if sender.send_blocking(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        })
        .unwrap();
        let keys = Some(pair.master.take_writer().unwrap());
        let screen = vt100::Parser::new(rows, cols, 0);
        Self { child, master: Some(pair.master), keys, output: Some(output), screen, raw: Vec::new() }
    }

    pub(crate) fn press(&mut self, keys: &str) -> &mut Self {
        let writer = self.keys.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
        self
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.process_id().unwrap()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Reads until the screen is as wanted.
    pub(crate) fn wait(&mut self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) -> &mut Self {
        let deadline = Instant::now() + PATIENCE;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let output = self.output.as_mut().unwrap();
        while !wanted(self.screen.screen()) {
            let left = deadline.saturating_duration_since(Instant::now());
            let bytes =
                runtime.block_on(async { tokio::time::timeout(left, output.recv()).await.ok().flatten() });
            let Some(bytes) = bytes else {
                panic!("never saw {what}:\n{}", self.screen.screen().contents());
            };
            self.screen.process(&bytes);
            self.raw.extend(bytes);
        }
        self
    }

    pub(crate) fn wait_text(&mut self, text: &str) -> &mut Self {
        self.wait(text, |screen| screen.contents().contains(text))
    }

    /// Waits until the program has ended, and gives its exit status.
    pub(crate) fn exit_status(&mut self) -> u32 {
        // The terminal must be drained, or the program could not write its last.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let output = self.output.as_mut().unwrap();
        let drain = async { while output.recv().await.is_some() {} };
        runtime.block_on(async { tokio::time::timeout(PATIENCE, drain).await.unwrap() });
        self.child.wait().unwrap().exit_code()
    }

    /// Waits for the end, which leaves the alternate screen, and says why.
    fn wait_end(&mut self, why: &str) {
        self.wait_text(&format!("ended: {why}."));
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn keys_reach_the_screen_and_quitting_leaves_it() {
    let mut program = Program::start("1");
    program.wait_text("debian-12").wait("the alternate screen", vt100::Screen::alternate_screen);
    program.press("1").wait_text("README");
    program.press("Q").wait_text("y quits").press("y").wait_end("quit");
}

#[test]
fn the_screen_is_an_owner_and_a_slow_turn_of_it_is_told() {
    let mut program = Program::start("slow");
    program.wait_text("debian-12").press("t").wait_text("slow: screen: key");
    program.press("I5").wait_text("ms key");
    let shown = program.screen.screen().contents();
    let row = shown.lines().find(|line| line.contains("ms key")).unwrap();
    assert!(row.contains("screen") && row.contains("turning"), "it makes this look in a turn: {shown}");
}

#[test]
fn with_every_worker_held_the_inspector_goes_on_and_a_dump_is_written() {
    let mut program = Program::start("held");
    program.wait_text("debian-12").press("I");
    // What takes a second to be seen comes with a later look, which no timer of the runtime brings.
    program.wait_text("has held its thread for");
    program.press("D").wait_text("Saved as /state/dump-7.txt");
    program.press("q").wait("the list", |screen| !screen.contents().contains("Inspector"));
}

#[test]
fn each_ending_signal_restores_the_terminal() {
    use rustix::process::Signal;
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::HUP, "SIGHUP"), (Signal::INT, "SIGINT")] {
        let mut program = Program::start("1");
        program.wait_text("debian-12").signal(signal);
        program.wait_end(name);
    }
}

#[test]
fn a_panic_restores_the_terminal_before_it_is_told() {
    let mut program = Program::start("panic");
    program.wait_text("debian-12").press("t").wait_text("the test asked for it");
    let told = String::from_utf8_lossy(&program.raw).into_owned();
    let (before, after) = told.split_once("\u{1b}[?1049l").expect("the alternate screen was left");
    assert!(!before.contains("the test asked for it") && after.contains("the test asked for it"));
    // A second time would put the cursor back above the text, to be written over.
    program.wait_text("test result: FAILED");
    assert_eq!(String::from_utf8_lossy(&program.raw).matches("\u{1b}[?1049l").count(), 1);
}

#[test]
fn a_paste_is_one_event() {
    let mut program = Program::start("1");
    program.wait_text("debian-12").press("\u{1b}[200~magnet:?xt=urn:btih:0123\nQ\u{1b}[201~");
    program.wait_text("Add a torrent").wait_text("btih:0123");
}

#[test]
fn a_terminal_that_goes_away_ends_the_program() {
    let mut program = Program::start("1");
    program.wait_text("debian-12");
    // Our thread that reads holds the terminal open too, until it has something to hand on and nobody takes it:
    // with a screen at rest that would be never.
    program.output = None;
    let size = PtySize { rows: 20, cols: 70, pixel_width: 0, pixel_height: 0 };
    program.master.as_ref().unwrap().resize(size).unwrap();
    program.keys = None;
    program.master = None;
    let deadline = Instant::now() + PATIENCE;
    while program.child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it runs on without a terminal");
        std::thread::yield_now();
    }
}

#[test]
fn a_stopped_program_draws_everything_when_it_goes_on() {
    use rustix::process::Signal;
    let mut program = Program::start("1");
    program.wait_text("debian-12").signal(Signal::STOP);
    program.raw.clear();
    program.signal(Signal::CONT);
    program.press("j").wait("a new picture", |_| true);
    let deadline = Instant::now() + PATIENCE;
    while !String::from_utf8_lossy(&program.raw).contains("\u{1b}[?1049h") {
        assert!(Instant::now() < deadline);
        let bytes = program.output.as_mut().unwrap().recv_blocking().unwrap();
        program.raw.extend(bytes);
    }
}

#[test]
fn a_new_size_is_drawn() {
    let mut program = Program::start("1");
    program.wait_text("debian-12");
    let size = PtySize { rows: 5, cols: 20, pixel_width: 0, pixel_height: 0 };
    program.master.as_ref().unwrap().resize(size).unwrap();
    program.screen.screen_mut().set_size(5, 20);
    program.wait_text("too small");
}
