//! The terminal: entering it, leaving it on every way out, and telling when it is gone.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::ThreadId;

use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use ratatui::crossterm::queue;
use ratatui::crossterm::style::ResetColor;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use rustix::process::Signal;

use super::TuiError;
use super::writer::Writer;
use crate::inspect;
use crate::limits;

/// The terminal while the screen is open. Dropping it leaves the terminal too, as far as that goes without waiting.
pub(super) struct Terminal {
    writer: Writer,
    /// Whether it has still to be left. Twice would be wrong: the second time puts the cursor back to where it was before,
    /// and what is printed next writes over the text of the panic.
    entered: Arc<AtomicBool>,
    hook_before: PanicHook,
}

type PanicHook = Arc<dyn Fn(&std::panic::PanicHookInfo<'_>) + Send + Sync>;

impl Terminal {
    /// Enters the alternate screen in raw mode, and has a panic leave it first.
    pub(super) fn enter() -> Result<Self, TuiError> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(TuiError::NotATerminal);
        }
        let system = |what| move |source| TuiError::System { what, source };
        let mut writer =
            Writer::start(Output).map_err(system("start the thread that writes to the terminal"))?;
        enable_raw_mode().map_err(system("switch the terminal to raw mode"))?;
        let entered = Arc::new(AtomicBool::new(true));
        let hook_before = restore_on_panic(std::thread::current().id(), Arc::clone(&entered));
        writer.write(Self::enter_sequence());
        Ok(Self { writer, entered, hook_before })
    }

    /// Raw mode again after a stop, whatever became of the terminal meanwhile.
    pub(super) fn raw_again() {
        // A terminal that refuses is gone, which the next write or tick finds out.
        let _ = disable_raw_mode();
        let _ = enable_raw_mode();
    }

    /// What enters the alternate screen, with paste in brackets and no cursor.
    pub(super) fn enter_sequence() -> Vec<u8> {
        let mut bytes = Vec::new();
        queue!(bytes, EnterAlternateScreen, EnableBracketedPaste, Hide)
            .expect("writing to a byte vector cannot fail");
        bytes
    }

    /// Leaves. A terminal that does not read is waited for a little, then left as it is.
    pub(super) async fn leave(&mut self) {
        self.entered.store(false, Relaxed);
        if self.drain().await {
            self.writer.write(leave_sequence());
            self.drain().await;
        }
        let _ = disable_raw_mode();
        // A later panic is not to be written round a screen that is closed.
        let before = Arc::clone(&self.hook_before);
        std::panic::set_hook(Box::new(move |info| before(info)));
    }

    /// Gives the terminal back and stops this process group until it is continued; whether there is a shell to
    /// continue it.
    pub(super) async fn suspend(&mut self) -> bool {
        let leads_session =
            rustix::process::getsid(None).is_ok_and(|leader| leader == rustix::process::getpid());
        if leads_session || !self.drain().await {
            return false;
        }
        self.writer.write(leave_sequence());
        self.drain().await;
        let _ = disable_raw_mode();
        // SIGTSTP is ours now and would come back to us; SIGSTOP cannot be caught.
        let stopped = rustix::process::kill_current_process_group(Signal::STOP);
        stopped.is_ok()
    }

    /// Waits, for a bounded time, until the frame under way is written; whether it was.
    async fn drain(&mut self) -> bool {
        if self.writer.is_idle() {
            return true;
        }
        let written = inspect::timeout(limits::TERMINAL_LEAVE_WAIT, self.writer.written()).await;
        matches!(written, Ok(Ok(())))
    }

    /// Whether the last frame is with the terminal.
    pub(super) fn is_idle(&self) -> bool {
        self.writer.is_idle()
    }

    /// Hands a frame over; the caller has asked `is_idle`.
    pub(super) fn write(&mut self, frame: Vec<u8>) {
        self.writer.write(frame);
    }

    /// Waits until the frame under way is written.
    pub(super) async fn written(&mut self) -> io::Result<()> {
        self.writer.written().await
    }

    /// Columns and rows now. The call of crossterm would start a process where the terminal does not answer.
    pub(super) fn size() -> (u16, u16) {
        rustix::termios::tcgetwinsize(rustix::stdio::stdout())
            .map(|size| (size.ws_col, size.ws_row))
            .ok()
            // A serial line knows no size; then it is a terminal of the usual one.
            .filter(|size| *size != (0, 0))
            .unwrap_or((80, 24))
    }

    /// Whether the terminal has hung up. Reading does not tell: a closed terminal reads as nothing for ever.
    pub(super) fn is_gone() -> bool {
        rustix::termios::tcgetwinsize(rustix::stdio::stdout()).is_err()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore_now(&self.entered);
    }
}

fn leave_sequence() -> Vec<u8> {
    let mut bytes = Vec::new();
    queue!(bytes, ResetColor, DisableBracketedPaste, Show, LeaveAlternateScreen)
        .expect("writing to a byte vector cannot fail");
    bytes
}

/// Leaves the terminal from wherever we are, where that has not been done; for panics only, where the writer may be lost.
fn restore_now(entered: &AtomicBool) {
    if !entered.swap(false, Relaxed) {
        return;
    }
    let _ = Output.write_all(&leave_sequence());
    let _ = disable_raw_mode();
}

/// A panic of the screen restores the terminal before it is told. One of another thread is caught and kept by
/// `inspect`, and shown as a message: printing it here would only break the picture.
fn restore_on_panic(screen: ThreadId, entered: Arc<AtomicBool>) -> PanicHook {
    let before: PanicHook = Arc::from(std::panic::take_hook());
    let told = Arc::clone(&before);
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == screen {
            restore_now(&entered);
            told(info);
        }
    }));
    before
}

/// Standard output without a buffer: a frame is one write.
struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(rustix::stdio::stdout(), bytes) {
                // Some parent left the terminal non-blocking; only this thread has to wait for it.
                Err(rustix::io::Errno::AGAIN) => std::thread::sleep(limits::TERMINAL_RETRY),
                result => return result.map_err(io::Error::from),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
