//! What the torrent wants done, done: messages to peers, calls, announces, fetches, disk jobs, events.

use bytes::Bytes;

use super::Driver;
use crate::engine::budget::Flow;
use crate::engine::io::{Effect, ReadError, ReaderId};
use crate::inspect;
use crate::recorder::EffectTally;
use crate::session::budget::ToBudget;
use crate::session::disk::PieceWork;
use crate::session::net::OutgoingBlock;

impl Driver {
    /// Performs what the torrent wants done; what goes to peers is handed over by `Outside::flush`.
    /// Counts them.
    pub(super) fn perform_effects(&mut self) -> EffectTally {
        let mut tally = EffectTally::default();
        while let Some(effect) = self.torrent.poll_effect() {
            tally.note(&effect);
            match effect {
                Effect::Send { connection, message } => self.outside.send(connection, message),
                Effect::SendBlock { connection, piece, begin, data } => {
                    self.outside.send_block(connection, OutgoingBlock { piece, begin, data });
                }
                Effect::Disconnect { connection } => self.outside.close(connection),
                Effect::Connect { address } => self.outside.call(address),
                Effect::StorePiece { piece, blocks } => self.piece_job(PieceWork::Store { piece, blocks }),
                Effect::WriteBlocks { piece, blocks } => self.piece_job(PieceWork::Write { piece, blocks }),
                Effect::HashPiece { piece } => self.piece_job(PieceWork::Hash { piece }),
                Effect::ReadBlocks { reader, range } => {
                    self.piece_job(PieceWork::Read { reader, range });
                }
                Effect::FilesWanted { wanted, unwanted } => self.files_wanted(wanted, &unwanted),
                Effect::SaveResume { generation, record } => self.save(generation, *record),
                Effect::Announce { tracker, url, request } => self.outside.announce(tracker, url, request),
                Effect::Scrape { tracker, url, info_hash } => self.outside.scrape(tracker, url, info_hash),
                Effect::WantGrant { up, down } => self.want_grant(up, down),
                Effect::AskSlots(ask) => self.tell_budget(ToBudget::Slots(self.outside.id, ask)),
                Effect::AnswerRead { reader, result } => self.answer_read(reader, result),
                Effect::Notify(event) => self.tell(event),
                Effect::Stopped => self.stopped = true,
                Effect::Fetch(fetch) => self.outside.fetch(*fetch),
                Effect::FetchCredit { fetch, bytes } => self.outside.credit(fetch, bytes),
                Effect::EndFetch { fetch } => self.outside.end_fetch(fetch),
                Effect::Host { host, ask } => {
                    self.tell_budget(ToBudget::Host(self.outside.id, host, ask));
                }
            }
        }
        tally
    }

    /// A reader's bytes are here. One that waits no more is let go.
    fn answer_read(&mut self, reader: ReaderId, result: Result<Bytes, ReadError>) {
        if let Some(reply) = self.reads.remove(&reader) {
            reply.send(result);
        }
    }

    /// Tells the budget something that must not be lost. In order: once something waits, the rest waits behind it.
    fn tell_budget(&mut self, said: ToBudget) {
        self.unsaid.push_back(said);
        self.say_to_budget();
    }

    /// Says what the budget's queue had no room for.
    pub(super) fn say_to_budget(&mut self) {
        while let Some(said) = self.unsaid.pop_front() {
            match self.outside.shared.budget.try_send(said) {
                Ok(()) | Err(inspect::TrySendError::Closed(_)) => {}
                Err(inspect::TrySendError::Full(said)) => {
                    self.unsaid.push_front(said);
                    return;
                }
            }
        }
    }

    fn want_grant(&self, up: bool, down: bool) {
        for (wanted, flow) in [(up, Flow::Up), (down, Flow::Down)] {
            // The budget's queue holds one ask of each torrent many times over.
            if wanted {
                let _ = self.outside.shared.budget.try_send(ToBudget::Wants(self.outside.id, flow));
            }
        }
    }
}
