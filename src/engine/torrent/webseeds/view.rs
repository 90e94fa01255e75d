//! How webseeds look from outside.

use super::super::Torrent;
use crate::contract::{WebseedRequestRow, WebseedRow, WebseedState, redact_url};
use crate::engine::webseeds::source::Webseed;
use crate::engine::webseeds::underway::Underway;
use crate::limits;
use crate::units::Time;

impl Torrent {
    /// Why nothing comes, where there are webseeds and no peers.
    pub(in crate::engine::torrent) fn webseed_cause(&self, now: Time) -> Option<&'static str> {
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
    pub(in crate::engine::torrent) fn webseed_rows(&self, now: Time) -> Vec<WebseedRow> {
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
            retry_s: rests_until
                .filter(|_| state == WebseedState::BackingOff)
                .map(|until| until.since(now).as_secs().max(1)),
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
            connections: if webseed.last_head.is_some_and(|head| head.protocol == "HTTP/2") {
                count.min(1)
            } else {
                count
            },
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
