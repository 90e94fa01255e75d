//! `unchoke replay`: a recording run through the engine again, turn by turn.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;

use super::Exit;
use super::args::ReplayArgs;
use super::output::Output;
use crate::codec::peer::Message;
use crate::contract::{EventKind, Severity, TorrentRow, TorrentState};
use crate::engine::io::{Effect, Input};
use crate::limits::{RECORDING_FILE_BYTES_MAX, REPLAY_STALL};
use crate::recorder::{Recording, Replay, Turn};
use crate::tui::text::{self, Outside};
use crate::units::Time;

/// Runs the command.
pub(super) fn run(arguments: &ReplayArgs) -> anyhow::Result<Exit> {
    let path = arguments.file.display();
    let length = std::fs::metadata(&arguments.file).map(|data| data.len());
    let length = length.with_context(|| format!("cannot read the recording {path}"))?;
    anyhow::ensure!(length <= RECORDING_FILE_BYTES_MAX, "{path} is too long to be a recording");
    let bytes =
        std::fs::read(&arguments.file).with_context(|| format!("cannot read the recording {path}"))?;
    let recording = Recording::from_bytes(&bytes).with_context(|| format!("cannot replay {path}"))?;
    let mut replay = Replay::new(&recording).with_context(|| format!("cannot replay {path}"))?;
    let mut output = Output::new();
    let mut stall = Stall::new(recording.began);
    let mut differs_at = None;
    let mut turns = 0;
    let stopped = loop {
        let Some(turn) = replay.turn().with_context(|| format!("cannot replay {path}"))? else { break false };
        turns = turn.number;
        let since = turn.at.since(recording.began);
        let line = line_of(&turn, since);
        let mut findings: Vec<String> = turn.effects.iter().filter_map(finding).collect();
        findings.extend(stall.look(turn.at, &replay.torrent().row(turn.at, 0)));
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
    let row = replay.torrent().row(recording.ended, 0);
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
    let inputs = counted(turn.inputs.iter().flat_map(input_words));
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

/// Watches for times in which a torrent downloads and nothing comes.
struct Stall {
    since: Time,
    bytes: u64,
    told: bool,
}

impl Stall {
    const fn new(since: Time) -> Self {
        Self { since, bytes: 0, told: false }
    }

    fn look(&mut self, now: Time, row: &TorrentRow) -> Option<String> {
        if row.downloaded_bytes != self.bytes || row.state != TorrentState::Downloading {
            *self = Self { bytes: row.downloaded_bytes, ..Self::new(now) };
            return None;
        }
        let silent = now.since(self.since);
        if self.told || silent < REPLAY_STALL {
            return None;
        }
        self.told = true;
        let (peers, pieces) = (row.peers, row.pieces);
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
