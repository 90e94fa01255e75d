//! `unchoke replay`: a recording run through the engine again, turn by turn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};

use super::Exit;
use super::args::ReplayArgs;
use super::output::Output;
use crate::codec::peer::Message;
use crate::contract::{EventKind, Severity, TorrentRow, TorrentState, Untrusted};
use crate::engine::io::{Effect, Input};
use crate::inspect;
use crate::limits::{RECORDING_FILE_BYTES_MAX, REPLAY_STALL, REPLAY_TURN_TIME_MAX};
use crate::recorder::{Recording, Replay, Turn};
use crate::tui::text::{self, Outside};
use crate::units::Time;

/// Runs the command. The engine runs on a thread of its own: a file may hold what makes it run forever, and then this
/// program ends without it.
pub(super) async fn run(arguments: &ReplayArgs) -> anyhow::Result<Exit> {
    let path = arguments.file.display();
    let length = std::fs::metadata(&arguments.file).map(|data| data.len());
    let length = length.with_context(|| format!("cannot read the recording {path}"))?;
    anyhow::ensure!(length <= RECORDING_FILE_BYTES_MAX, "{path} is too long to be a recording");
    let bytes =
        std::fs::read(&arguments.file).with_context(|| format!("cannot read the recording {path}"))?;
    let recording = Recording::from_bytes(&bytes).with_context(|| format!("cannot replay {path}"))?;
    drop(bytes);
    let pace = Arc::new(Pace::default());
    let (reply, mut done) = inspect::reply("the end of the replay");
    let (options, of_engine) = (arguments.clone(), Arc::clone(&pace));
    inspect::spawn_thread("replay", move || {
        tell_no_panics_of_this_thread();
        reply.send(replay(&options, &recording, &of_engine));
    })
    .with_context(|| format!("cannot replay {path}: the system gives no thread"))?;
    loop {
        let turn = pace.turn();
        let wait = inspect::timeout(REPLAY_TURN_TIME_MAX, &mut done);
        match wait.await {
            Ok(Ok(exit)) => return exit,
            Ok(Err(_)) => bail!("cannot replay {path}: the replay panicked; please report it with the file"),
            Err(_) if turn.is_some() && turn == pace.turn() => bail!(
                "cannot replay {path}: turn {} takes longer than {} s: the state in the file does not fit the engine or \
                 its inputs; make it again with `unchoke dump recorder`",
                turn.unwrap_or_default(),
                REPLAY_TURN_TIME_MAX.as_secs(),
            ),
            Err(_) => {}
        }
    }
}

/// Which turn the engine is at, if it is at one: what is printed may wait for a reader.
#[derive(Default)]
struct Pace(AtomicU64);

impl Pace {
    fn turn(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|turn| *turn > 0)
    }

    fn at<T>(&self, turn: u64, run: impl FnOnce() -> T) -> T {
        self.0.store(turn, Ordering::Relaxed);
        let done = run();
        self.0.store(0, Ordering::Relaxed);
        done
    }
}

/// What the engine says when it panics is told once, as an error about the file.
fn tell_no_panics_of_this_thread() {
    let (replaying, before) = (std::thread::current().id(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() != replaying {
            before(info);
        }
    }));
}

fn replay(arguments: &ReplayArgs, recording: &Recording, pace: &Pace) -> anyhow::Result<Exit> {
    let cannot = || format!("cannot replay {}", arguments.file.display());
    let mut replay = pace.at(1, || Replay::new(recording)).with_context(cannot)?;
    let mut output = Output::new();
    let mut stall = Stall::new(recording.began);
    let mut differs_at = None;
    let mut turns = 0;
    let stopped = loop {
        let turn = pace.at(turns + 1, || replay.turn()).with_context(cannot)?;
        let Some(turn) = turn else { break false };
        turns = turn.number;
        let since = turn.at.since(recording.began);
        let line = line_of(&turn, since);
        let mut findings: Vec<String> = turn.effects.iter().filter_map(finding).collect();
        let row = pace.at(turns, || replay.row(turn.at)).with_context(cannot)?;
        findings.extend(stall.look(turn.at, &row));
        if !turn.same && differs_at.is_none() {
            differs_at = Some((turn.number, since));
            findings.push("other effects or another state than was recorded".to_owned());
        }
        if !arguments.quiet {
            output.line(&line)?;
        }
        for finding in &findings {
            output.line(format_args!("{:>10.3} s  finding: {finding}", since.as_secs_f64()))?;
        }
        let has =
            |word: &String| line.contains(word.as_str()) || findings.iter().any(|one| one.contains(word));
        let is_late = arguments.until.is_some_and(|until| since >= until);
        if is_late || arguments.stop_on.as_ref().is_some_and(has) {
            break true;
        }
    };
    let row = pace.at(turns + 1, || replay.row(recording.ended)).with_context(cannot)?;
    output.line(row_line(&row, replay.state_digest()))?;
    let verdict = match differs_at {
        Some((turn, since)) => format!("differs from turn {turn} on, at {:.3} s", since.as_secs_f64()),
        None if stopped => format!("stopped behind turn {turns}; identical so far"),
        None if replay.is_identical() => format!("identical: {turns} turns, and the state at the end"),
        None => "every turn is the same, and the state at the end is another".to_owned(),
    };
    output.line(&verdict)?;
    let is_same = differs_at.is_none() && (stopped || replay.is_identical());
    Ok(if is_same { Exit::Done } else { Exit::Failed })
}

fn line_of(turn: &Turn, since: Duration) -> String {
    let driver = turn.driver.iter().map(|word| word.kind().to_owned());
    let inputs = counted(turn.inputs.iter().flat_map(input_words).chain(driver));
    let effects = counted(turn.effects.iter().map(effect_word));
    format!("{:>10.3} s  turn {}: {inputs} -> {effects}", since.as_secs_f64(), turn.number)
}

/// Words with how often each came.
fn counted(words: impl Iterator<Item = String>) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    words.for_each(|word| *counts.entry(word).or_default() += 1);
    if counts.is_empty() {
        return "nothing".to_owned();
    }
    let shown =
        counts.into_iter().map(|(word, count)| if count == 1 { word } else { format!("{word} x{count}") });
    shown.collect::<Vec<_>>().join(", ")
}

fn input_words(input: &Input) -> Vec<String> {
    match input {
        Input::Messages { messages, .. } => {
            messages.iter().map(|one| format!("got {}", word_of(one))).collect()
        }
        other => vec![other.kind().to_owned()],
    }
}

fn effect_word(effect: &Effect) -> String {
    match effect {
        Effect::Send { message, .. } => format!("send {}", word_of(message)),
        other => other.kind().to_owned(),
    }
}

const fn word_of(message: &Message) -> &'static str {
    match message {
        Message::KeepAlive => "keep-alive",
        Message::Choke => "choke",
        Message::Unchoke => "unchoke",
        Message::Interested => "interested",
        Message::NotInterested => "not-interested",
        Message::Have(_) => "have",
        Message::Bitfield(_) => "bitfield",
        Message::Request(_) => "request",
        Message::Piece { .. } => "piece",
        Message::Cancel(_) => "cancel",
        Message::Port(_) => "port",
        Message::Suggest(_) => "suggest",
        Message::HaveAll => "have-all",
        Message::HaveNone => "have-none",
        Message::Reject(_) => "reject",
        Message::AllowedFast(_) => "allowed-fast",
        Message::Extended { .. } => "extended",
        Message::Unknown { .. } => "unknown",
    }
}

/// What an event says, where it is worth a look; safe to show.
fn finding(effect: &Effect) -> Option<String> {
    let Effect::Notify(event) = effect else { return None };
    let matters = match event {
        EventKind::State { .. } => true,
        other => matches!(other.severity(), Severity::Warning | Severity::Error),
    };
    let show = |outside: Outside<'_>| match outside {
        Outside::Peer(address) => address.to_string(),
        Outside::Tracker(text) | Outside::Webseed(text) | Outside::Named(text) | Outside::Open(text) => {
            text.shown()
        }
    };
    matters.then(|| text::event(event, show))
}

/// Watches for times in which a torrent downloads, or looks for its metadata, and nothing comes.
struct Stall {
    since: Time,
    bytes: u64,
    /// How much of the metadata is here, in words.
    cause: Option<Untrusted>,
    told: bool,
}

impl Stall {
    const fn new(since: Time) -> Self {
        Self { since, bytes: 0, cause: None, told: false }
    }

    fn look(&mut self, now: Time, row: &TorrentRow) -> Option<String> {
        let for_metadata = row.state == TorrentState::Metadata;
        let may_stall = for_metadata || row.state == TorrentState::Downloading;
        let cause = row.cause.as_ref().filter(|_| for_metadata);
        if row.downloaded_bytes != self.bytes || cause != self.cause.as_ref() || !may_stall {
            let cause = cause.cloned();
            *self = Self { bytes: row.downloaded_bytes, cause, ..Self::new(now) };
            return None;
        }
        let silent = now.since(self.since);
        if self.told || silent < REPLAY_STALL {
            return None;
        }
        self.told = true;
        let (peers, pieces) = (row.peers, row.pieces);
        if for_metadata {
            return Some(format!(
                "stalled: no metadata for {:.1} s ({}); {} peers, {} requests on the wire",
                silent.as_secs_f64(),
                cause.map_or_else(String::new, Untrusted::shown),
                peers.connected,
                row.requests_in_flight,
            ));
        }
        Some(format!(
            "stalled: no payload for {:.1} s; {} peers, {} of them unchoke us, {} requests on the wire, {} pieces wanted, \
             {} requestable, {} being checked",
            silent.as_secs_f64(),
            peers.connected,
            peers.unchoked_us,
            row.requests_in_flight,
            pieces.wanted,
            pieces.requestable,
            pieces.checking,
        ))
    }
}

fn row_line(row: &TorrentRow, digest: String) -> String {
    format!(
        "{}: {}, {} of {} wanted bytes, {} peers, {} requests on the wire; state {digest}",
        row.name.shown(),
        row.state.word(),
        row.done_bytes,
        row.wanted_bytes,
        row.peers.connected,
        row.requests_in_flight,
    )
}
