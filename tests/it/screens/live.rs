//! The loop on a real terminal: a pseudo-terminal, this test binary run again as the program, and what comes out.
//!
//! `child` is that program: it does nothing unless the environment asks for it. By hand:
//! `UNCHOKE_TEST_SCREEN=1 target/debug/deps/it-... screens::live::child --exact --nocapture`.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use unchoke::contract::{Answer, Command};
use unchoke::inspect;
use unchoke::tui::{Exit, Link, Options};

use super::canned::{library, snapshot, with_detail};

/// What tells the child to be the program, and how to behave.
const ASKED: &str = "UNCHOKE_TEST_SCREEN";

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn child() {
    let Ok(asked) = std::env::var(ASKED) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (set, snapshots) = inspect::watch("test: snapshots", Arc::new(snapshot(library())));
    let (_events, events) = inspect::channel("test: events", 8);
    let panics = asked == "panic";
    let ask = Arc::new(move |command: Command| -> unchoke::tui::Asking {
        assert!(!panics || !matches!(command, Command::Announce(_)), "the test asked for it");
        if let Command::Watch(Some(_)) = command {
            set.set(Arc::new(with_detail(library(), 0)));
        }
        Box::pin(async { Ok(Answer::Done) })
    });
    let exit =
        runtime.block_on(unchoke::tui::run(Link { ask, snapshots, events }, Options::default())).unwrap();
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
    pub(crate) fn run(mut command: CommandBuilder) -> Self {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
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
        let screen = vt100::Parser::new(24, 80, 0);
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
    fn wait(&mut self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) -> &mut Self {
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
    let left = told.rfind("\u{1b}[?1049l").expect("the alternate screen was left");
    assert!(told[left..].contains("the test asked for it"));
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
