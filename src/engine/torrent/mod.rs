//! One torrent's owner: a pure machine that every input of that torrent goes through.
//!
//! A turn is: [`Torrent::handle`] for each input that waits, then [`Torrent::end_turn`], which derives from state what
//! is to be done (there is no "needs update" flag that somebody must remember to process), then
//! [`Torrent::poll_effect`] until it is empty. [`Torrent::next_deadline`] says how long it may be left alone, and why.

mod announcing;
mod auditing;
mod checks;
mod lifecycle;
mod messages;
mod partial;
mod pieces;
mod planning;
mod readers;
mod recording;
mod serving;
mod slots;
mod start;
mod storing;
mod swarm;
mod view;
mod vitals;
mod webseeds;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::contract::{DownloadOrder, EventKind, Priority, TorrentState};
use crate::engine::io::{BlockReader, Effect, Input, TorrentCommand};
use crate::engine::peers::ban::Bans;
use crate::engine::peers::choker::Choker;
use crate::engine::peers::connection::Connection;
use crate::engine::peers::known::KnownPeers;
use crate::engine::peers::rate::RateMeter;
use crate::engine::trackers::Trackers;
use crate::engine::webseeds::Webseeds;
use crate::metainfo::Info;
use crate::units::{ConnectionId, FileIndex, PeerId, Time, TorrentId};

use auditing::Audit;
use checks::Checks;
use lifecycle::Phase;
use pieces::{Pieces, RunCache};
use readers::Readers;
use slots::Slots;
use storing::Storing;

pub use recording::BlockDigests;
pub use start::{Origin, Policy, Setup, StartingPoint, WhenComplete};
pub use view::DetailExtras;

/// The owner of one torrent.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Torrent {
    id: TorrentId,
    #[serde(skip, default = "Info::none")]
    info: Arc<Info>,
    peer_id: PeerId,
    listen_port: u16,
    pieces: Pieces,
    connections: BTreeMap<ConnectionId, Connection>,
    known: KnownPeers,
    order: DownloadOrder,
    readers: Readers,
    #[serde(skip)]
    runs: RunCache,
    /// Where the walk is that compares what is derived, while that is asked for.
    #[serde(skip)]
    audit: Audit,
    bans: Bans,
    choker: Choker,
    trackers: Trackers,
    webseeds: Webseeds,
    checks: Checks,
    storing: Storing,
    phase: Phase,
    when_complete: WhenComplete,
    /// The state that front ends were told last.
    told_state: TorrentState,
    totals: Totals,
    down: RateMeter,
    up: RateMeter,
    allowance: Allowance,
    slots: Slots,
    /// When connections are looked at for silence, overdue requests and keep-alives.
    next_housekeeping_at: Time,
    #[serde(skip)]
    effects: VecDeque<Effect>,
    #[serde(with = "crate::engine::random")]
    rng: fastrand::Rng,
}

/// Payload bytes that flowed.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Totals {
    /// Over all runs.
    downloaded_bytes: u64,
    uploaded_bytes: u64,
    /// In this run, as trackers are told.
    session_downloaded_bytes: u64,
    session_uploaded_bytes: u64,
    wasted_bytes: u64,
    /// Pieces that came whole and failed their hash, in this run.
    hash_failures: u64,
}

/// Bytes the shared budget lets flow; `None`: no limit.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Allowance {
    up_bytes: Option<u64>,
    down_bytes: Option<u64>,
    /// Something waits for a grant; said at the end of each turn that met the limit.
    wants_up: bool,
    wants_down: bool,
}

/// What a deadline is for: the answer to "what is it waiting for".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Overdue requests, silence and keep-alives are looked at.
    Housekeeping,
    /// Whom to unchoke is chosen anew.
    ChokeRound,
    /// An address may be called.
    Call,
    /// An idle peer may be asked for a busy block.
    EndGame,
    /// What was stored is claimed in a record.
    Save,
    /// The disk refused and is tried again.
    DiskRetry,
    /// More pieces are to be marked for a check of everything.
    Recheck,
    /// A reader that asks no more is forgotten.
    Reader,
    /// A tracker is due.
    Tracker,
    /// A webseed may be asked again, or a request of one is to be looked at.
    Webseed,
    /// A stop has waited long enough.
    StopGrace,
}

impl Reason {
    /// It in words, after "waits for".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Housekeeping => "the next look at overdue requests and silent peers",
            Self::ChokeRound => "the next choke round",
            Self::Call => "an address that may be called",
            Self::EndGame => "the next look for a busy block for an idle peer",
            Self::Save => "the next save of its record",
            Self::DiskRetry => "the next try of the disk",
            Self::Recheck => "more pieces to check",
            Self::Reader => "a reader that asks no more",
            Self::Tracker => "a tracker",
            Self::Webseed => "a webseed",
            Self::StopGrace => "the end of the time to stop in",
        }
    }
}

impl Torrent {
    /// Its identity.
    pub fn id(&self) -> TorrentId {
        self.id
    }

    /// What it is.
    pub fn info(&self) -> &Arc<Info> {
        &self.info
    }

    /// In which order its pieces are fetched.
    pub fn order(&self) -> DownloadOrder {
        self.order
    }

    /// Takes one input. Nothing is planned before [`Self::end_turn`].
    pub fn handle(&mut self, now: Time, input: Input) {
        match input {
            Input::Command(command) => self.command(now, command),
            Input::PeersFound { source, addresses } => self.known.found(now, source, &addresses),
            Input::Connected(new) => self.connected(now, &new),
            Input::ConnectFailed { address, reason } => self.call_failed(now, address, &reason),
            Input::Messages { connection, messages } => self.messages(now, connection, messages),
            Input::Sent { connection, payload_bytes } => self.sent(now, connection, payload_bytes),
            Input::Closed { connection, reason } => self.closed(now, connection, &reason),
            Input::PieceStored { piece } => self.piece_stored(now, piece),
            Input::PieceMismatch { piece } => self.piece_mismatch(now, piece),
            Input::StoreFailed { piece, error } => self.store_failed(now, piece, error),
            Input::WriteFailed { piece, error } => self.write_failed(now, piece, error),
            Input::BlocksWritten { piece, begins } => self.blocks_written(now, piece, &begins),
            Input::PieceHashed { piece, outcome } => self.piece_hashed(now, piece, outcome),
            Input::BlocksRead { reader, range, result } => match reader {
                BlockReader::Peer(connection) => self.blocks_read(now, connection, range, result),
                BlockReader::Local(read) => self.range_read(now, read, range, result),
            },
            Input::ResumeSaved { generation, result } => self.resume_saved(now, generation, result),
            Input::Announced { tracker, result } => self.announced(now, tracker, result),
            Input::Scraped { tracker, result } => self.trackers.scraped(tracker, &result),
            Input::Granted { up_bytes, down_bytes } => {
                // A new limit begins with nothing: what was asked for before it would flow for many seconds.
                if down_bytes == Some(0) {
                    self.trim_pipelines(now);
                    self.end_unpaced_fetches(now);
                }
                self.allowance.granted(up_bytes, down_bytes);
            }
            Input::Slots { most } => self.slots.granted(most),
            Input::FetchAnswered { fetch, head } => self.fetch_answered(now, fetch, head),
            Input::Fetched { fetch, blocks } => self.fetched(now, fetch, blocks),
            Input::FetchEnded { fetch, result } => self.fetch_ended(now, fetch, result),
            Input::Host { host, news } => self.hear_of_host(now, &host, news),
            Input::Deadline => {}
            Input::TaskFailed { cause } => self.break_off(now, cause),
        }
    }

    /// Derives from state everything that is to be done. Called once after the inputs of a turn.
    pub fn end_turn(&mut self, now: Time) {
        self.retry_disk(now);
        self.mark_for_recheck(now);
        self.store_whole_partials();
        self.housekeeping(now);
        self.follow_readers(now);
        if self.phase.transfers() {
            self.keep_to_share(now);
            self.call_peers(now);
            self.follow_interest(now);
            self.share_with_others(now);
            self.plan_requests(now);
            self.choke_round(now);
            self.serve(now);
        }
        self.plan_webseeds(now);
        self.pump_checks();
        self.spill_and_save(now);
        self.pump_trackers(now);
        self.ask_for_grants();
        self.ask_for_slots();
        self.finish_stop(now);
        self.tell_state(now);
    }

    /// The next thing it wants done, in order.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Until when it may be left alone, and what for.
    pub fn next_deadline(&self) -> Option<(Time, Reason)> {
        let transfers = self.phase.transfers();
        let calls = transfers && self.room_for_calls() > 0;
        let serves = transfers && !self.connections.is_empty();
        let due = [
            (self.trackers.next_deadline(), Reason::Tracker),
            (self.save_at(), Reason::Save),
            (self.disk_retry_at(), Reason::DiskRetry),
            (self.recheck_goes_on_at(), Reason::Recheck),
            (self.readers.expire_at(), Reason::Reader),
            (self.stop_grace_at(), Reason::StopGrace),
            (if calls { self.known.next_call_at() } else { None }, Reason::Call),
            (serves.then_some(self.next_housekeeping_at), Reason::Housekeeping),
            (serves.then(|| self.choker.next_round_at()), Reason::ChokeRound),
            (if serves { self.end_game_at() } else { None }, Reason::EndGame),
            (self.webseeds.next_deadline(), Reason::Webseed),
        ];
        due.into_iter().filter_map(|(at, reason)| Some((at?, reason))).min_by_key(|(at, _)| *at)
    }

    fn command(&mut self, now: Time, command: TorrentCommand) {
        match command {
            TorrentCommand::Pause => self.pause(now),
            TorrentCommand::Resume => self.resume(now),
            TorrentCommand::SetPriority(changes) => self.set_priorities(now, &changes),
            TorrentCommand::SetOrder(order) => {
                self.order = order;
                self.pieces.set_sequence(order.sequence);
                self.pieces.set_first_last(order.first_last);
                self.storing.mark_dirty(now);
            }
            TorrentCommand::Recheck => self.recheck(now),
            TorrentCommand::Read(read) => self.read(now, read),
            TorrentCommand::EndRead(id) => self.readers.end(id),
            TorrentCommand::Announce => self.trackers.announce_now(now),
            TorrentCommand::AddTrackers(urls) => {
                urls.into_iter().for_each(|url| self.trackers.add(&url, now));
            }
            TorrentCommand::Webseed(action) => self.webseed_command(now, action),
            TorrentCommand::Stop => self.stop(now),
        }
    }

    /// Sets levels of files, and says which of them became wanted or unwanted by that.
    fn set_priorities(&mut self, now: Time, changes: &[(FileIndex, Priority)]) {
        let turned = self.pieces.set_priorities(changes).into_iter();
        self.storing.mark_dirty(now);
        let (unwanted, wanted): (Vec<_>, Vec<_>) = turned.partition(|(_, level)| *level == Priority::Off);
        let files = |turned: Vec<(FileIndex, Priority)>| turned.into_iter().map(|(file, _)| file).collect();
        let (wanted, unwanted): (Vec<FileIndex>, Vec<FileIndex>) = (files(wanted), files(unwanted));
        if !wanted.is_empty() || !unwanted.is_empty() {
            self.effects.push_back(Effect::FilesWanted { wanted, unwanted });
        }
    }

    fn notify(&mut self, event: EventKind) {
        self.effects.push_back(Effect::Notify(event));
    }

    /// Asks the shared budget once for what waits for a grant.
    fn ask_for_grants(&mut self) {
        let (up, down) = (self.allowance.wants_up, self.allowance.wants_down);
        if up || down {
            self.allowance.wants_up = false;
            self.allowance.wants_down = false;
            self.effects.push_back(Effect::WantGrant { up, down });
        }
    }
}

impl Allowance {
    fn granted(&mut self, up_bytes: Option<u64>, down_bytes: Option<u64>) {
        self.up_bytes = up_bytes.map(|bytes| bytes.saturating_add(self.up_bytes.unwrap_or(0)));
        self.down_bytes = down_bytes.map(|bytes| bytes.saturating_add(self.down_bytes.unwrap_or(0)));
    }

    /// Blocks that may be requested now, of at most `wanted`; asks for more where the limit cuts.
    fn requestable(&mut self, wanted: u32) -> u32 {
        let Some(left) = self.down_bytes else { return wanted };
        let blocks = u32::try_from(left / u64::from(crate::limits::BLOCK_BYTES)).unwrap_or(u32::MAX);
        if blocks < wanted {
            self.wants_down = true;
        }
        wanted.min(blocks)
    }

    /// Takes up to so many bytes; asks for more where the limit cuts.
    fn take_down(&mut self, bytes: u64) -> u64 {
        let Some(left) = &mut self.down_bytes else { return bytes };
        let taken = bytes.min(*left);
        *left -= taken;
        self.wants_down |= taken < bytes;
        taken
    }

    fn spend_down(&mut self, bytes: u64) {
        self.down_bytes = self.down_bytes.map(|left| left.saturating_sub(bytes));
    }

    /// Bytes that were spent on a request that is taken back.
    fn refund_down(&mut self, bytes: u64) {
        self.down_bytes = self.down_bytes.map(|left| left.saturating_add(bytes));
    }

    /// Bytes that may be sent now; asks for more where there are none for a block.
    fn sendable(&mut self) -> u64 {
        match self.up_bytes {
            None => u64::MAX,
            Some(left) if left < u64::from(crate::limits::BLOCK_BYTES) => {
                self.wants_up = true;
                0
            }
            Some(left) => left,
        }
    }

    fn spend_up(&mut self, bytes: u64) {
        self.up_bytes = self.up_bytes.map(|left| left.saturating_sub(bytes));
    }
}

#[cfg(test)]
mod tests;
