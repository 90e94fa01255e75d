//! What goes wrong with webseeds, and what follows from it.

use super::super::Torrent;
use crate::contract::{EventKind, Untrusted, redact_url};
use crate::engine::io::{Effect, FetchError, FetchErrorKind, HostAsk, HostRest};
use crate::engine::webseeds::underway::Underway;
use crate::units::{FetchId, FileIndex, PieceIndex, Time, WebseedKey};

/// Failures of a server with some file that cost its others no wait: the next one does.
const PATIENCE_WITH_A_FILE: u32 = 1;

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
                self.notify(EventKind::WebseedFailed { url, error: message, retry_s: None });
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
                let asked = error.retry_after_s.map(std::time::Duration::from_secs);
                let host = self.webseeds.hosts.entry(fetch.host.clone()).or_default();
                let rested = host.rests_until(now);
                host.failed(now, patience, asked, &mut self.rng);
                let (rests, failures) = (host.rests_until(now), host.failures);
                let wait = rests.map(|until| until.since(now).as_secs());
                if let Some(until) = rests.filter(|_| rests != rested) {
                    let rest = HostRest { until, failures };
                    self.effects
                        .push_back(Effect::Host { host: fetch.host.clone(), ask: HostAsk::Rest(rest) });
                }
                if rested.is_none() {
                    self.notify(EventKind::WebseedFailed { url, error: message, retry_s: wait });
                }
            }
            FetchErrorKind::Forbidden => self.ban_webseed(now, fetch.webseed, message.raw()),
        }
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

    /// A webseed gave bytes of a piece that are wrong: it has another version of that file.
    pub(in crate::engine::torrent) fn webseed_lied(&mut self, now: Time, key: WebseedKey, piece: PieceIndex) {
        let spans = self.info.spans(piece, 0, self.info.piece_bytes(piece)).filter(|span| !span.pad);
        let files: Vec<FileIndex> = spans.map(|span| span.file).collect();
        let lone = self.info.files.iter().filter(|file| !file.pad && file.bytes > 0).count() == 1;
        let bytes = u64::from(self.info.piece_bytes(piece));
        let Some(webseed) = self.webseeds.get_mut(key) else { return };
        webseed.wasted_bytes += bytes;
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
