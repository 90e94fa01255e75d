//! What webseeds did and what is done with them: failures, lies, commands, and how they look from outside.

use super::Torrent;
use crate::contract::{
    EventKind, Untrusted, WebseedAction, WebseedKind, WebseedOrigin, WebseedRequestRow, WebseedRow,
    WebseedState, redact_url,
};
use crate::engine::io::{FetchError, FetchErrorKind};
use crate::engine::webseeds::NamedWebseed;
use crate::engine::webseeds::source::Webseed;
use crate::engine::webseeds::underway::Underway;
use crate::limits;
use crate::units::{FetchId, FileIndex, PieceIndex, Time, WebseedKey};

/// Failures of a server with some file that cost its others no wait: the next one does.
const PATIENCE_WITH_A_FILE: u32 = 1;

impl Torrent {
    /// A request is over.
    pub(super) fn fetch_ended(&mut self, now: Time, id: FetchId, result: Result<(), FetchError>) {
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
                let rested = host.rests(now);
                host.failed(now, patience, asked, &mut self.rng);
                let wait = host.rests_until(now).map(|until| until.since(now).as_secs());
                if !rested {
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
    pub(super) fn webseed_lied(&mut self, now: Time, key: WebseedKey, piece: PieceIndex) {
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

    /// A person does something with webseeds.
    pub(super) fn webseed_command(&mut self, now: Time, action: WebseedAction) {
        match action {
            WebseedAction::Add(url) => {
                let (kind, origin) = (WebseedKind::UrlList, WebseedOrigin::Manual);
                let key = self.webseeds.add(&self.info, &NamedWebseed { url, kind, origin });
                key.into_iter().for_each(|key| self.ask_again(key));
            }
            WebseedAction::Remove(key) => {
                self.end_fetches_of(now, key);
                self.webseeds.remove(key);
            }
            WebseedAction::Retry(key) => self.ask_again(key),
            WebseedAction::Disable(key) => {
                self.end_fetches_of(now, key);
                self.with_webseed(key, |webseed| webseed.enabled = false);
            }
            WebseedAction::Enable(key) => self.with_webseed(key, |webseed| {
                (webseed.enabled, webseed.allowed) = (true, true);
                webseed.starved_at = None;
            }),
            WebseedAction::Limit(key, requests) => self.with_webseed(key, |webseed| {
                webseed.requests_max = requests.clamp(1, limits::WEBSEED_REQUESTS_CAP);
            }),
        }
        self.storing.mark_dirty(now);
    }

    fn with_webseed(&mut self, key: WebseedKey, act: impl FnOnce(&mut Webseed)) {
        if let Some(webseed) = self.webseeds.get_mut(key) {
            act(webseed);
        }
    }

    /// Forgets what failed: it is asked again at once.
    fn ask_again(&mut self, key: WebseedKey) {
        let Some(webseed) = self.webseeds.get_mut(key) else { return };
        webseed.forgive(&self.info);
        (webseed.enabled, webseed.allowed) = (true, true);
        let host = webseed.host.clone();
        self.webseeds.host_mut(&host).forgive();
    }

    /// A limit begins: requests that may bring all they were asked for at once end, and begin again at its pace.
    pub(super) fn end_unpaced_fetches(&mut self, now: Time) {
        let unpaced = self.webseeds.underway.values().filter(|fetch| fetch.credit.is_none());
        let ids: Vec<FetchId> = unpaced.map(|fetch| fetch.id).collect();
        ids.into_iter().for_each(|id| self.end_fetch(now, id));
    }

    /// Why nothing comes, where there are webseeds and no peers.
    pub(super) fn webseed_cause(&self, now: Time) -> Option<&'static str> {
        let mut usable = self.webseeds.iter().filter(|webseed| webseed.is_usable()).peekable();
        if usable.peek().is_none() {
            let disabled = self.webseeds.iter().any(|webseed| webseed.banned.is_none());
            return Some(if disabled { "no_peers_known" } else { "webseeds_banned" });
        }
        let asked = usable.clone().any(|webseed| self.webseeds.may_ask(webseed, now));
        if !asked {
            return Some("webseeds_backing_off");
        }
        let needed = self.pieces.needed();
        let has_something = usable.any(|webseed| needed.count_common(webseed.have()) > 0);
        if !has_something {
            return Some("no_source_for_wanted_pieces");
        }
        self.webseeds.underway.values().any(|fetch| fetch.stalled).then_some("requests_overdue")
    }

    /// Its webseeds.
    pub(super) fn webseed_rows(&self, now: Time) -> Vec<WebseedRow> {
        self.webseeds.iter().map(|webseed| self.webseed_row(webseed, now)).collect()
    }

    fn webseed_row(&self, webseed: &Webseed, now: Time) -> WebseedRow {
        let requests: Vec<WebseedRequestRow> =
            self.webseeds.of(webseed.key).map(|fetch| self.request_row(fetch, now)).collect();
        let host = self.webseeds.host_of(webseed);
        let rests_until = host.and_then(|host| host.rests_until(now));
        let state = if webseed.banned.is_some() {
            WebseedState::Banned
        } else if !webseed.is_usable() {
            WebseedState::Disabled
        } else if !requests.is_empty() {
            WebseedState::Active
        } else if rests_until.is_some() {
            WebseedState::BackingOff
        } else {
            WebseedState::Idle
        };
        let count = u32::try_from(requests.len()).unwrap_or(u32::MAX);
        let waiting = if webseed.waits { webseed.requests_max.saturating_sub(count) } else { 0 };
        WebseedRow {
            key: webseed.key,
            url: redact_url(&webseed.url),
            kind: webseed.kind,
            origin: webseed.origin,
            state,
            retry_s: rests_until.map(|until| until.since(now).as_secs().max(1)),
            requests,
            requests_max: webseed.requests_max,
            waiting_for_host: waiting,
            down_bps: webseed.down.rate(now),
            downloaded_bytes: webseed.downloaded_bytes,
            wasted_bytes: webseed.wasted_bytes,
            last_status: webseed.last_head.map(|head| head.status),
            last_error: webseed.banned.clone().or_else(|| webseed.last_error.clone()),
            latency_ms: webseed
                .last_head
                .map(|head| u32::try_from(head.latency_us / 1000).unwrap_or(u32::MAX)),
            protocol: webseed.last_head.map(|head| head.protocol.to_owned()),
            failures: host.map_or(0, |host| host.failures),
            files_lacking: webseed.lacking(),
        }
    }

    fn request_row(&self, fetch: &Underway, now: Time) -> WebseedRequestRow {
        let millis = |since: Time| u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
        let (first, last) = fetch.pieces_to_come().unwrap_or((fetch.first, fetch.first));
        let file = fetch.next_place().and_then(|(piece, block)| {
            let mut spans = self.info.spans(piece, block.0 * limits::BLOCK_BYTES, 1);
            spans.next().filter(|span| !span.pad).map(|span| span.file)
        });
        WebseedRequestRow {
            first,
            last,
            file,
            bytes: fetch.bytes,
            received_bytes: fetch.received_bytes,
            age_ms: millis(fetch.began),
            silent_ms: millis(fetch.last_byte_at),
            status: fetch.status,
            stalled: fetch.stalled,
        }
    }
}
