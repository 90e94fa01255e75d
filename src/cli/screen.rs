//! The terminal UI over an engine in this process: what it is given, and what its end means to the shell.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write, stdin, stdout};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};

use super::Exit;
use super::args::EngineOptions;
use super::config::Effective;
use super::dump::Telling;
use super::engine::{self, Engine};
use super::signals::Signals;
use crate::contract::AddRequest;
use crate::inspect;
use crate::session::{Restore, Settings};
use crate::tui::{self, ColourDepth, Glyphs, Link, Options, Save, TuiError, WriteDump, format};

/// Runs `unchoke [SRC...]`.
pub(super) async fn run(
    sources: &[String],
    options: &EngineOptions,
    effective: Effective,
) -> anyhow::Result<Exit> {
    engine::check_available(options)?;
    effective.check()?;
    if !is_possible() {
        return Err(TuiError::NotATerminal.into());
    }
    let requests = engine::add_requests(sources, options)?;
    let diagnostics = engine::bind_diagnostics(effective.diagnostics)?;
    let seed = engine::switch(effective.seed);
    let state_dir = effective.state_dir.clone();
    let settings = engine::settings(effective, seed, Restore::SavedList);
    let engine = Engine::start(Settings { debug: engine::debug(options), ..settings }).await?;
    let watched = engine.watch(diagnostics, Telling::Events)?;
    let exit = show(&engine, requests, None, Some(state_dir)).await;
    drop(watched);
    // Made after the screen's own have seen what came before: only a new signal is impatience.
    let mut signals = Signals::new().context("cannot listen for signals")?;
    let stopped = engine.stop(&mut signals).await;
    exit.and_then(|exit| stopped.map(|()| exit))
}

/// Whether there is a terminal to draw on and to read from.
pub(super) fn is_possible() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

/// Shows the engine until the user quits; asks it to add the torrents first. Texts are saved in `save_dir`, else in the
/// current folder.
pub(super) async fn show(
    engine: &Engine,
    adds: Vec<AddRequest>,
    chaos: Option<tui::Chaos>,
    save_dir: Option<PathBuf>,
) -> anyhow::Result<Exit> {
    let (handle, dumping) = (&engine.handle, engine.dumping(save_dir.clone()));
    let (asked, telling) = (handle.clone(), handle.clone());
    let link = Link {
        ask: Arc::new(move |command| {
            let handle = asked.clone();
            Box::pin(async move { handle.request(command).await })
        }),
        snapshots: handle.snapshots(),
        events: handle.events(),
        // Whoever tells takes a lock, which the screen must not wait for: it is there to show who holds it.
        tell: Arc::new(move |kind| {
            let handle = telling.clone();
            inspect::spawn("screen: tell of a slow turn", async move { handle.tell_event(kind) }).detach();
        }),
    };
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let options = Options {
        colours: colours(&variable),
        glyphs: glyphs(&variable),
        adds,
        save: Some(Save(Arc::new(move |name, text| save(save_dir.as_deref(), name, text)))),
        dump: Some(WriteDump(Arc::new(dumping))),
        chaos,
        home: directories::BaseDirs::new().map(|user| user.home_dir().to_owned()),
        ..Options::default()
    };
    match tui::run(link, options).await? {
        tui::Exit::Signal("SIGINT") => Ok(Exit::Interrupted),
        tui::Exit::Quit | tui::Exit::Signal(_) | tui::Exit::TerminalGone => Ok(Exit::Done),
        tui::Exit::EngineGone => bail!("the engine has ended by itself; this is a defect, please report it"),
    }
}

/// Writes a text to a new file that has the time in its name; which one. Only its user may read it: it holds names.
fn save(folder: Option<&Path>, name: &str, text: &str) -> io::Result<PathBuf> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = format::date_time(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    let time: String =
        time.chars().map(|letter| if letter.is_ascii_digit() { letter } else { '-' }).collect();
    let time = time.trim_end_matches('-');
    let folder = match folder {
        Some(folder) => folder.to_owned(),
        None => std::env::current_dir()?,
    };
    let path = folder.join(format!("unchoke-{name}-{time}-{:03}.txt", now.subsec_millis()));
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(&path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    let told = |source: io::Error| {
        io::Error::new(source.kind(), format!("cannot write {}: {source}", path.display()))
    };
    written.map_err(told).map(|()| path.clone())
}

/// How many colours the terminal says that it has.
fn colours(variable: &impl Fn(&str) -> String) -> ColourDepth {
    let (term, depth) = (variable("TERM"), variable("COLORTERM"));
    if !variable("NO_COLOR").is_empty() || term == "dumb" {
        ColourDepth::None
    } else if matches!(depth.as_str(), "truecolor" | "24bit") || term.ends_with("-direct") {
        ColourDepth::True
    } else if term.contains("256color") {
        ColourDepth::Ansi256
    } else {
        ColourDepth::Ansi16
    }
}

/// Whether the locale says that the terminal shows UTF-8. The first variable that is set decides (POSIX).
fn glyphs(variable: &impl Fn(&str) -> String) -> Glyphs {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(variable).into_iter().find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    if locale.contains("utf-8") || locale.contains("utf8") { Glyphs::Unicode } else { Glyphs::Ascii }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Variables as `NAME=value` words.
    fn variables(words: &'static str) -> impl Fn(&str) -> String {
        move |name| {
            let pairs = words.split(' ').filter_map(|word| word.split_once('='));
            pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).collect()
        }
    }

    #[test]
    fn a_text_is_saved_under_a_name_with_its_time_and_a_failure_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let path = save(Some(folder.path()), "inspector-tasks", "text\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "text\n");
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("unchoke-inspector-tasks-20") && name.ends_with(".txt"), "{name}");
        let gone = folder.path().join("gone");
        let error = save(Some(&gone), "a", "b").unwrap_err().to_string();
        assert!(error.contains(gone.to_str().unwrap()), "{error}");
    }

    #[test]
    fn colours_are_what_the_environment_says() {
        for (words, expected) in [
            ("TERM=xterm-256color COLORTERM=truecolor", ColourDepth::True),
            ("TERM=xterm-256color COLORTERM=truecolor NO_COLOR=1", ColourDepth::None),
            ("TERM=tmux-256color", ColourDepth::Ansi256),
            ("TERM=linux", ColourDepth::Ansi16),
            ("TERM=dumb", ColourDepth::None),
        ] {
            assert_eq!(colours(&variables(words)), expected, "{words}");
        }
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides_on_glyphs() {
        for (words, expected) in [
            ("LANG=en_GB.UTF-8", Glyphs::Unicode),
            ("LANG=C.utf8", Glyphs::Unicode),
            ("LC_ALL=C LANG=en_GB.UTF-8", Glyphs::Ascii),
            ("", Glyphs::Ascii),
        ] {
            assert_eq!(glyphs(&variables(words)), expected, "{words}");
        }
    }
}
