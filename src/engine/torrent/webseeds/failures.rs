//! What goes wrong with webseeds, and what follows from it.

use std::time::Duration;

use super::super::Torrent;
use crate::contract::{EventKind, Untrusted, redact_url};
use crate::engine::io::{Effect, FetchError, FetchErrorKind, HostAsk, HostKey, HostRest};
use crate::engine::peers::ban::{Sender, SentBlock};
use crate::engine::webseeds::underway::Underway;
use crate::units::{FetchId, FileIndex, PieceIndex, Time, WebseedKey};

/// Failures of a server with some file that cost its others no wait: the next one does.
const PATIENCE_WITH_A_FILE: u32 = 1;

/// Things in a row that a server does not have, with none between that it has, and that cost no wait: a folder that was
/// moved has none of ten thousand files.
const PATIENCE_WITH_WHAT_IS_NOT_THERE: u32 = 8;

impl Torrent {
    /// A request is over.
    pub(in crate::engine::torrent) fn fetch_ended(
        &mut self,
        now: Time,
        id: FetchId,
        result: Result<(), FetchError>,
    ) {
        let Some(fetch) = self.forget_fetch(now, id) else { return };
        if let Some(webseed) = self.webseeds.get_mut(fetch.webseed).filter(|_| result.is_ok()) {
            fetch.files.iter().for_each(|file| webseed.file_works(*file));
        }
        if let Err(error) = result {
            self.fetch_failed(now, &fetch, error);
        }
    }

    fn fetch_failed(&mut self, now: Time, fetch: &Underway, error: FetchError) {
        let message = self.with_file_name(&error);
        let Some(webseed) = self.webseeds.get_mut(fetch.webseed) else { return };
        webseed.last_error = Some(message.clone());
        let url = redact_url(&webseed.url);
        match error.kind {
            FetchErrorKind::NotThere => {
                match error.file {
                    Some(file) => webseed.lacks(&self.info, file),
                    None => webseed.lacks_piece(fetch.next_place().map_or(fetch.first, |(piece, _)| piece)),
                }
                let nothing_left = webseed.have().is_empty();
                let (_, retry_s) = self.host_failed(now, &fetch.host, PATIENCE_WITH_WHAT_IS_NOT_THERE, None);
                self.notify(EventKind::WebseedFailed { url, error: message, retry_s });
                if nothing_left {
                    self.ban_webseed(now, fetch.webseed, "it has none of the files");
                }
            }
            FetchErrorKind::Trouble => {
                let of_file =
                    error.file.filter(|_| error.status.is_some_and(|status| status >= 500 && status != 503));
                if let Some(file) = of_file {
                    webseed.rest_file(now, &self.info, file, &mut self.rng);
                }
                let patience = if of_file.is_some() { PATIENCE_WITH_A_FILE } else { 0 };
                let (rested, retry_s) = self.host_failed(now, &fetch.host, patience, error.retry_after_s);
                if !rested {
                    self.notify(EventKind::WebseedFailed { url, error: message, retry_s });
                }
            }
            FetchErrorKind::Forbidden => self.ban_webseed(now, fetch.webseed, message.raw()),
        }
    }

    /// A host failed, and rests from now on where that is due. Says whether it rested already, and how many seconds it
    /// will.
    fn host_failed(
        &mut self,
        now: Time,
        key: &HostKey,
        patience: u32,
        retry_after_s: Option<u64>,
    ) -> (bool, Option<u64>) {
        let host = self.webseeds.hosts.entry(key.clone()).or_default();
        let rested = host.rests_until(now);
        host.failed(now, patience, retry_after_s.map(Duration::from_secs), &mut self.rng);
        let (rests, failures) = (host.rests_until(now), host.failures);
        if let Some(until) = rests.filter(|_| rests != rested) {
            let ask = HostAsk::Rest(HostRest { until, failures });
            self.effects.push_back(Effect::Host { host: key.clone(), ask });
        }
        (rested.is_some(), rests.map(|until| until.since(now).as_secs()))
    }

    fn with_file_name(&self, error: &FetchError) -> Untrusted {
        let file = error.file.and_then(|file| self.info.files.get(file.at()));
        match file {
            Some(file) => Untrusted::new(format!("{}: {}", file.path, error.message.raw())),
            None => error.message.clone(),
        }
    }

    fn ban_webseed(&mut self, now: Time, key: WebseedKey, reason: &str) {
        let Some(webseed) = self.webseeds.get_mut(key).filter(|webseed| webseed.banned.is_none()) else {
            return;
        };
        let reason = Untrusted::new(reason);
        webseed.banned = Some(reason.clone());
        let url = redact_url(&webseed.url);
        self.notify(EventKind::WebseedBanned { url, reason });
        self.end_fetches_of(now, key);
    }

    /// A piece failed: what webseeds gave of it was of no use.
    pub(in crate::engine::torrent) fn count_webseeds_waste(&mut self, sent: &[SentBlock]) {
        for block in sent {
            if let Sender::Webseed(key) = block.from
                && let Some(webseed) = self.webseeds.get_mut(key)
            {
                webseed.wasted_bytes += block.data.len() as u64;
            }
        }
    }

    /// A webseed gave bytes of a piece that are wrong: it has another version of that file.
    pub(in crate::engine::torrent) fn webseed_lied(&mut self, now: Time, key: WebseedKey, piece: PieceIndex) {
        let spans = self.info.spans(piece, 0, self.info.piece_bytes(piece)).filter(|span| !span.pad);
        let files: Vec<FileIndex> = spans.map(|span| span.file).collect();
        let lone = self.info.files.iter().filter(|file| !file.pad && file.bytes > 0).count() == 1;
        let Some(webseed) = self.webseeds.get_mut(key) else { return };
        if !webseed.have().has(piece) {
            // Of pieces that were under way together several fail after each other.
            return;
        }
        let names: Vec<&str> = files.iter().map(|file| self.info.files[file.at()].path.as_str()).collect();
        let message =
            format!("gave wrong bytes of {}: piece {} failed its hash", names.join(" or "), piece.0);
        let error = Untrusted::new(message);
        webseed.last_error = Some(error.clone());
        match files.as_slice() {
            [file] => webseed.lacks(&self.info, *file),
            // Which of them is wrong is not known.
            _ => webseed.lacks_piece(piece),
        }
        let (url, nothing_left) = (redact_url(&webseed.url), webseed.have().is_empty());
        if lone || nothing_left {
            self.ban_webseed(now, key, error.raw());
        } else {
            self.notify(EventKind::WebseedFailed { url, error, retry_s: None });
            self.end_fetches_of(now, key);
        }
    }
}
