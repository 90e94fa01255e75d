//! SIGUSR1, or a key of the inspector: everything that the inspector sees, as text in a file of the state folder.
//!
//! The signal is waited for, and the file written, on a thread of its own, so it comes also while every worker of the
//! engine's runtime is held. The files belong to the user alone, and only the latest few are kept.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use signal_hook::consts::SIGUSR1;
use signal_hook::iterator::{Handle as SignalHandle, Signals};

use super::super::output::complain;
use crate::contract::{Answer, Command, DumpKind, Severity};
use crate::inspect::{self, WaitKind};
use crate::limits::SIGNAL_DUMPS_KEPT;
use crate::report;
use crate::session::Handle;
use crate::tui::inspector;

/// Who is told of what a front end did beside its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Telling {
    /// Whoever listens to events: standard error is under the screen.
    Events,
    /// Those, and whoever reads standard error.
    StandardErrorToo,
}

/// Dumps on SIGUSR1 until this is dropped.
#[derive(Debug)]
pub(in crate::cli) struct SignalDumps {
    signals: SignalHandle,
}

impl Drop for SignalDumps {
    fn drop(&mut self) {
        self.signals.close();
    }
}

impl SignalDumps {
    /// From now on the signal does not kill the program.
    pub(in crate::cli) fn start(state_dir: &Path, handle: Handle, telling: Telling) -> io::Result<Self> {
        let mut waiting = Signals::new([SIGUSR1])?;
        let signals = waiting.handle();
        let state_dir = state_dir.to_owned();
        inspect::spawn_thread("SIGUSR1: dumps", move || {
            let mut coming = waiting.forever();
            while inspect::blocking(WaitKind::Signal, || coming.next()).is_some() {
                let (severity, message) = match write(&state_dir, &handle) {
                    Ok(path) => (Severity::Info, format!("SIGUSR1: the dump is in {}", path.display())),
                    Err(error) => {
                        let folder = state_dir.display();
                        (Severity::Error, format!("SIGUSR1: cannot write a dump into {folder}: {error}"))
                    }
                };
                if telling == Telling::StandardErrorToo {
                    complain("dump", &message);
                }
                handle.tell(severity, message);
            }
        })?;
        Ok(Self { signals })
    }
}

/// Writes a dump, and removes the oldest of those there are too many of.
pub(in crate::cli) fn write(state_dir: &Path, handle: &Handle) -> io::Result<PathBuf> {
    let text = text(handle)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // The time comes first and has one width, so names are in the order of time.
    let name = format!("{PREFIX}{:013}-{}{SUFFIX}", since.as_millis(), std::process::id());
    let path = state_dir.join(name);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(text.as_bytes())?;
    let mut kept = dumps(state_dir)?;
    kept.sort();
    for old in kept.iter().rev().skip(SIGNAL_DUMPS_KEPT) {
        // Another dump may have been written at the same time, and have removed it.
        match fs::remove_file(old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(path)
}

fn dumps(state_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let is_dump = |name: &str| name.starts_with(PREFIX) && name.ends_with(SUFFIX);
    let mut found = Vec::new();
    for entry in fs::read_dir(state_dir)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_dump) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn text(handle: &Handle) -> io::Result<String> {
    let kinds = [
        ("tasks", DumpKind::Tasks),
        ("locks", DumpKind::Locks),
        ("queues", DumpKind::Queues),
        ("semaphores", DumpKind::Semaphores),
        ("owners", DumpKind::Owners),
        ("waits", DumpKind::Waits),
    ];
    let mut text = String::new();
    let tasks = inspect::tasks();
    let names = inspector::names(&tasks);
    for (title, kind) in kinds {
        let lines = super::lines(&inspect::dump(kind), &names);
        text.push_str(&format!("== {title}\n{}\n\n", lines.join("\n")));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let torrents = match runtime.block_on(handle.request(Command::Report)) {
        Ok(Answer::Report(report)) => report::status(&report),
        Ok(_) => "something else than a report came\n".to_owned(),
        Err(refusal) => format!("{refusal}\n"),
    };
    text.push_str(&format!("== torrents\n{torrents}\n== stacks\n{}", report::blocks(&tasks)));
    Ok(text)
}

const PREFIX: &str = "dump-";
const SUFFIX: &str = ".txt";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_latest_dumps_are_kept_and_belong_to_the_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (handle, _ends) = Handle::new(7);
        for age in 0..2 * SIGNAL_DUMPS_KEPT {
            fs::write(folder.path().join(format!("dump-{age:013}-1.txt")), "").unwrap();
        }
        fs::write(folder.path().join("dump-of-mine"), "").unwrap();
        let path = write(folder.path(), &handle).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let kept = dumps(folder.path()).unwrap();
        assert_eq!(kept.len(), SIGNAL_DUMPS_KEPT);
        assert!(kept.contains(&path), "{kept:?}");
        assert!(folder.path().join("dump-of-mine").exists(), "another's file");
        let text = fs::read_to_string(&path).unwrap();
        for part in ["== tasks\n", "== locks\n", "== owners\n", "== torrents\nunchoke ", "== stacks\n"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
