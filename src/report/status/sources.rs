//! Whom a torrent gets its bytes and addresses from, in words: trackers, webseeds and peers.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{bits, shown};
use crate::contract::{PeerRow, PeerVitals, TorrentInside, TrackerRow, WebseedRow};
use crate::limits::{BLOCK_BYTES, STATUS_PIECES_MAX, UPLOAD_QUEUE_MAX};

pub(super) fn tracker(text: &mut String, row: &TrackerRow) {
    let next = row.next_announce_s.map_or("none planned".to_owned(), |seconds| format!("{seconds}s"));
    let last = row
        .last_answer_s
        .map_or(String::new(), |seconds| format!(", last ann: {} peers {seconds}s ago", row.peers));
    let counted = [(row.seeds, "seeds"), (row.leeches, "leeches"), (row.downloads, "downloads")];
    let counted =
        counted.map(|(count, word)| count.map_or(String::new(), |count| format!(", {count} {word}")));
    let message = row.message.as_ref().map(|message| format!(", {}", message.shown())).unwrap_or_default();
    let _ = writeln!(
        text,
        "    \"{}\"  tier {}, {:?}, next ann: {next}{last}{}{message}",
        row.url.shown(),
        row.tier,
        row.state,
        counted.concat()
    );
}

pub(super) fn webseed(text: &mut String, row: &WebseedRow, touched: u32) {
    let _ = writeln!(text, "- {}", row.url.shown());
    let retry = row.retry_s.map(|seconds| format!(", asked again in {seconds}s")).unwrap_or_default();
    let _ = writeln!(text, "  {}{retry}, failures in a row: {}", row.state.word(), row.failures);
    if let Some(error) = &row.last_error {
        let _ = writeln!(text, "  last error: {}", error.shown());
    }
    let answer = [
        row.protocol.as_ref().map(|protocol| format!(", over {}", shown(protocol))),
        row.last_status.map(|status| format!(", last status {status}")),
        row.latency_ms.map(|latency| format!(", {latency} ms to its head")),
    ];
    let answer = answer.map(Option::unwrap_or_default).concat();
    let _ = writeln!(
        text,
        "  {} connections{answer}, {} files lacking, {} requests wait for its host",
        row.connections, row.files_lacking, row.waiting_for_host
    );
    for request in &row.requests {
        let _ = writeln!(
            text,
            "  active request: pieces {} to {}, {} of {} bytes, {} ms old, silent for {} ms",
            request.first.0,
            request.last.0,
            request.received_bytes,
            request.bytes,
            request.age_ms,
            request.silent_ms
        );
    }
    let _ = writeln!(
        text,
        "  {} of {} requests, {touched} pieces touched, {} bytes ({} wasted), dr: {} B/s",
        row.requests.len(),
        row.requests_max,
        row.downloaded_bytes,
        row.wasted_bytes,
        row.down_bps.0
    );
}

/// All connections; a row and what is known beyond it go together by the connection.
pub(super) fn peers(text: &mut String, inside: &TorrentInside, pieces: u32) {
    let vitals: BTreeMap<_, _> =
        inside.vitals.peers.iter().map(|vitals| (vitals.connection, vitals)).collect();
    for row in &inside.peers {
        peer(text, row, vitals.get(&row.connection).copied(), pieces);
    }
}

fn peer(text: &mut String, row: &PeerRow, vitals: Option<&PeerVitals>, pieces: u32) {
    let _ = writeln!(text, "- {} ({:?}, {:?})", row.address, row.direction, row.source);
    let _ = writeln!(text, "  client: \"{}\"", row.client.shown());
    if let Some(vitals) = vitals {
        let spoken = vitals.extensions.iter().map(|(name, number)| format!("{}:{number}", shown(name)));
        let _ = writeln!(text, "  peer id: \"{}\"", vitals.peer_id.shown());
        let _ = writeln!(text, "  extensions: {}", bits(&vitals.reserved));
        let _ = writeln!(text, "  ltep extensions: {}", spoken.collect::<Vec<_>>().join(" "));
    }
    let (given_up, requests_max) = match vitals {
        Some(vitals) => (vitals.given_up.to_string(), vitals.requests_max.to_string()),
        None => ("?".to_owned(), "?".to_owned()),
    };
    let _ = writeln!(
        text,
        "  reqq: {}+{given_up}/({}/{requests_max}):{}/{UPLOAD_QUEUE_MAX}, flags: {}",
        row.requests_out,
        row.pipeline,
        row.requests_in,
        flags(row)
    );
    let _ = writeln!(
        text,
        "  last msg: {}s ago, connected: {}s ago, {}/{pieces} completed",
        row.last_message_s, row.connected_s, row.pieces_have
    );
    if let Some(vitals) = vitals {
        past(text, vitals);
    }
    let _ = writeln!(
        text,
        "  {} bytes down at {} B/s, {} bytes up at {} B/s",
        row.downloaded_bytes, row.down_bps.0, row.uploaded_bytes, row.up_bps.0
    );
}

/// Choke and interest, ours and theirs, and the rest in words.
fn flags(row: &PeerRow) -> String {
    let flags = row.flags;
    let letter = |set, letter| if set { letter } else { "" };
    let ours = [letter(flags.we_are_interested, "i"), letter(flags.we_choke, "c")].concat();
    let theirs = [letter(flags.they_are_interested, "i"), letter(flags.they_choke, "c")].concat();
    let extra = [
        letter(flags.snubbed, " snubbed"),
        letter(flags.optimistic, " optimistic"),
        letter(flags.seed, " seed"),
        letter(flags.fast, " fast"),
        letter(flags.extended, " ltep"),
    ];
    format!("{ours}:{theirs}{}", extra.concat())
}

/// What a connection came to so far, and what it is asked for. `itime`: while it had something for us; `etime`: while
/// requests were on the wire to it; `dr`: what was of use, by `etime`.
fn past(text: &mut String, vitals: &PeerVitals) {
    let useful = vitals.last_useful_s.map_or("never".to_owned(), |seconds| format!("{seconds}s ago"));
    let rate = vitals.blocks_useful * u64::from(BLOCK_BYTES) / vitals.expecting_s.max(1);
    let _ = writeln!(
        text,
        "  last helpful: {useful}, itime: {}s, etime: {}s, chunks uploaded: {}",
        vitals.interested_s, vitals.expecting_s, vitals.blocks_out
    );
    if !vitals.requested.is_empty() {
        let told = vitals.requested.iter().take(STATUS_PIECES_MAX);
        let told = told.map(|(piece, blocks)| format!("{}({blocks})", piece.0));
        let more = if vitals.requested.len() > STATUS_PIECES_MAX { " and more" } else { "" };
        let _ = writeln!(text, "  requested pieces: {}{more}", told.collect::<Vec<_>>().join(" "));
    }
    let _ = writeln!(
        text,
        "  {} pieces touched, good chunks: {}/{}, dr: {rate} B/s",
        vitals.pieces_touched, vitals.blocks_useful, vitals.blocks_in
    );
}
