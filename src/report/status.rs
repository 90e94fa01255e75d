//! All torrents as text: one section each, those with most bytes left first.
//!
//! Pieces are runs of a count and a letter: `C` complete, `c` being checked, `?` not known, `-` not wanted, `R` requested,
//! `P` partly here, `!` wanted and not requestable now, `.` wanted and missing.

mod sources;

use std::fmt::Write as _;

use super::{seconds, shown};
use crate::contract::{
    DownloadOrder, FirstLast, OwnerReport, OwnerSays, PieceSequence, ReservedBits, StatusReport, StuckThing,
    TaskName, TorrentInside, TorrentReport, TorrentRow, TorrentVitals,
};
use crate::limits::{BLOCK_BYTES, STATUS_AVAILABILITIES_MAX};
use crate::units::Rate;

/// The report as text, safe to show.
pub fn status(report: &StatusReport) -> String {
    let StatusReport { at, engine, control_silent_ms, stuck, owners, torrents } = report;
    let mut text = String::new();
    let limit = |limit: Option<Rate>| limit.map_or("none".to_owned(), |rate| rate.0.to_string());
    let incomplete = torrents.iter().filter(|torrent| bytes_left(&torrent.row) > 0).count();
    let _ = writeln!(text, "unchoke {}", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "Running for: {} s", at.as_micros() / 1_000_000);
    let _ = writeln!(text, "Listen port: {}", engine.listen_port);
    let _ = writeln!(text, "Peer ID: \"{}\"", engine.peer_id);
    let _ = writeln!(text, "Extension bits: {}", bits(&engine.reserved));
    let banned: u64 = torrents.iter().map(|torrent| u64::from(torrent.row.peers.banned)).sum();
    let connections: u64 = torrents
        .iter()
        .map(|torrent| u64::from(torrent.row.peers.connected) + u64::from(torrent.row.peers.half_open))
        .sum();
    let _ = writeln!(text, "Connections: {connections} of {}", engine.connections_max);
    let _ = writeln!(text, "Banned IPs: {banned}, each torrent's own counted");
    let _ = writeln!(
        text,
        "Rates: {} B/s down (limit {}), {} B/s up (limit {})",
        engine.down_bps.0,
        limit(engine.down_limit),
        engine.up_bps.0,
        limit(engine.up_limit)
    );
    let free = engine.disk_free_bytes.map_or("unknown".to_owned(), |bytes| format!("{bytes} bytes"));
    let _ = writeln!(text, "Disk: {} bytes wait, {free} free", engine.disk_queue_bytes);
    let _ = writeln!(text, "Save folder: {}", shown(&engine.save_dir.to_string_lossy()));
    if let Some(waited) = control_silent_ms {
        let _ = writeln!(
            text,
            "THE TASK \"control\" HAS NOT ANSWERED for {waited} ms: what follows was published before"
        );
    }
    for stuck in stuck {
        let _ = writeln!(text, "STUCK for {}: {}", seconds(stuck.lasted_ms), stuck_words(&stuck.what));
    }
    if engine.debug {
        text.push_str("Debug: the engine's own state is compared with what follows from scratch\n");
    }
    for row in owners.iter().filter(|row| row.task.torrent.is_none()) {
        let _ = writeln!(text, "Owner \"{}\": {}", shown(&row.task.name), owner_words(row));
    }
    let _ = writeln!(text, "# Torrents: {} ({incomplete} incomplete)", torrents.len());
    for torrent in torrents {
        text.push('\n');
        let owner = owners.iter().find(|owner| owner.task.torrent == Some(torrent.row.id));
        section(&mut text, torrent, owner);
    }
    text
}

fn owner_words(row: &OwnerReport) -> String {
    let oldest = row.oldest_ms.map_or(String::new(), |oldest| format!(", the oldest for {oldest} ms"));
    let turn = row.turn_ms.map_or(String::new(), |turn| format!(", in a turn for {turn} ms"));
    let input = match &*row.longest_turn_input {
        "" => String::new(),
        input => format!(" ({})", shown(input)),
    };
    format!(
        "{} wait{oldest}{turn}; {} turns, the longest {} us{input}, late by {} us at most",
        row.depth, row.turns, row.longest_turn_us, row.latest_us
    )
}

fn stuck_words(what: &StuckThing) -> String {
    let named = |task: &TaskName| format!("task {} \"{}\" of {}", task.id.0, shown(&task.name), task.site);
    match what {
        StuckThing::Poll { task, waits_for } => {
            let lock = waits_for.as_ref().map(|lock| format!(", and waits for lock \"{}\"", shown(lock)));
            format!("{} has not come back from its poll{}", named(task), lock.unwrap_or_default())
        }
        StuckThing::Hold { lock, site, taken_at, holder, waiters } => {
            let holder = holder.as_ref().map_or("a thread of somebody else".to_owned(), named);
            let at = taken_at.as_ref().map(|site| format!(", taken at {site}")).unwrap_or_default();
            format!("lock \"{}\" of {site} is held by {holder}{at}; {} wait", shown(lock), waiters.len())
        }
        StuckThing::Forgotten { task, queue, site, items } => {
            format!("{} was not woken for {items} items in queue \"{}\" of {site}", named(task), shown(queue))
        }
        StuckThing::Late { task, queue, items } => {
            format!("{} does not serve queue \"{}\", in which are {items} items", named(task), shown(queue))
        }
        StuckThing::Deadlock { chain } => {
            let names: Vec<_> = chain.iter().map(|step| named(&step.task)).collect();
            format!("they wait for each other: {}", names.join(", "))
        }
        StuckThing::Full { queue, site, capacity } => {
            format!("nobody takes from queue \"{}\" of {site}, which is full with {capacity}", shown(queue))
        }
    }
}

/// Bytes of wanted files that are missing.
fn bytes_left(row: &TorrentRow) -> u64 {
    row.wanted_bytes.saturating_sub(row.done_bytes)
}

fn section(text: &mut String, TorrentReport { row, owner }: &TorrentReport, lag: Option<&OwnerReport>) {
    // A magnet has no bytes yet; a whole that is nothing is not done.
    let millionths = u128::from(row.done_bytes) * 100_000_000 / u128::from(row.wanted_bytes.max(1));
    let _ = writeln!(text, "{}", row.name.shown());
    let (whole, rest) = (millionths / 1_000_000, millionths % 1_000_000);
    let _ = writeln!(
        text,
        "{whole}.{rest:06}% of {} wanted bytes ({} in all)",
        row.wanted_bytes, row.total_bytes
    );
    let cause = row.cause.as_ref().map(|cause| format!(", {}", cause.shown())).unwrap_or_default();
    let _ = writeln!(text, "Infohash: {}", row.id);
    if let OwnerSays::Inside(inside) = owner {
        identity(text, &inside.vitals);
    }
    let _ = writeln!(text, "State: {}{cause}", row.state.word());
    match owner {
        OwnerSays::Inside(_) => {}
        OwnerSays::Silent { waited_ms } => {
            let _ = writeln!(
                text,
                "ITS OWNER HAS NOT ANSWERED for {waited_ms} ms: this is what it published last"
            );
        }
        OwnerSays::Gone => text.push_str("It is just being removed\n"),
        OwnerSays::NotAsked => text.push_str("Its owner was not asked: this is what it published last\n"),
    }
    if let Some(lag) = lag {
        let _ = writeln!(text, "Owner: {}", owner_words(lag));
    }
    let _ = writeln!(text, "Order: {}, added {} s after the Unix epoch", order(row.order), row.added_unix_s);
    flows(text, row);
    if let OwnerSays::Inside(inside) = owner {
        self::inside(text, inside);
    }
    let _ = writeln!(
        text,
        "{} peer conns ({} seeds, {} unchoke us), {} half open, {} known, {} banned",
        row.peers.connected,
        row.peers.seeds,
        row.peers.unchoked_us,
        row.peers.half_open,
        row.peers.known,
        row.peers.banned
    );
    if let OwnerSays::Inside(inside) = owner {
        sources::peers(text, inside, row.pieces.total);
        if let Some((what, millis)) = &inside.vitals.next_deadline {
            let _ = writeln!(text, "timer next: {millis} ms, for {what}");
        }
    }
}

/// What flows, what is on its way, and how its pieces stand.
fn flows(text: &mut String, row: &TorrentRow) {
    let _ = writeln!(
        text,
        "Transfer: {} B/s down, {} B/s up, {} bytes down, {} bytes up, {} wasted, {} pieces failed their hash",
        row.down_bps.0,
        row.up_bps.0,
        row.downloaded_bytes,
        row.uploaded_bytes,
        row.wasted_bytes,
        row.hash_failures
    );
    let _ = writeln!(
        text,
        "Requests in flight: {}, bytes that wait for the disk: {}",
        row.requests_in_flight, row.disk_queue_bytes
    );
    let pieces = row.pieces;
    let _ = writeln!(
        text,
        "Num Pieces: {} ({} completed, {} wanted, {} requestable, {} requested, {} checking, {} unknown)",
        pieces.total,
        pieces.have,
        pieces.wanted,
        pieces.requestable,
        pieces.requested,
        pieces.checking,
        pieces.unknown
    );
}

/// What a torrent is known by, and how much of its metadata is here.
fn identity(text: &mut String, vitals: &TorrentVitals) {
    if let Some(hash) = &vitals.info_hash_v2 {
        let _ = writeln!(text, "Infohash v2: {hash}");
    }
    let (have, bytes) = (vitals.metadata_have_bytes, vitals.metadata_bytes);
    let _ = match bytes {
        Some(bytes) if bytes == have => writeln!(text, "Metadata length: {bytes}"),
        Some(bytes) => writeln!(text, "Metadata length: {bytes}, as a peer claims; {have} bytes of it here"),
        None => writeln!(text, "Metadata length: not known yet"),
    };
    let _ = writeln!(text, "Announce key: {:08x}", vitals.announce_key);
}

/// Reserved bytes in hex, with the names of what is known of them.
fn bits(reserved: &ReservedBits) -> String {
    format!("{:016x} ({})", reserved.bits, reserved.names.join(", "))
}

fn order(order: DownloadOrder) -> String {
    let sequence = match order.sequence {
        PieceSequence::RarestFirst => "rarest first",
        PieceSequence::InOrder => "in order",
    };
    let ends = match order.first_last {
        FirstLast::Alike => "",
        FirstLast::First => ", before that first and last pieces",
    };
    format!("{sequence}{ends}")
}

fn inside(text: &mut String, inside: &TorrentInside) {
    let chunks = inside.piece_length.div_ceil(BLOCK_BYTES);
    let _ = writeln!(text, "Piece length: {} ({chunks} chunks)", inside.piece_length);
    let _ = writeln!(text, "Piece request order length: {}", inside.vitals.order_length);
    let _ = writeln!(text, "Piece States: {}", inside.piece_states);
    if !inside.vitals.availability.is_empty() {
        let _ = writeln!(text, "Piece availability frequency: {}", availability(&inside.vitals.availability));
    }
    if !inside.vitals.readers.is_empty() {
        let spans = inside.vitals.readers.iter().map(|(first, last)| format!("{}:{}", first.0, last.0 + 1));
        let _ = writeln!(text, "Reader Pieces: {}", spans.collect::<Vec<_>>().join(" "));
    }
    if !inside.blocked.is_empty() {
        let blocked = inside.blocked.iter().map(|(why, count)| format!("{} {count}", why.word()));
        let _ = writeln!(text, "Wanted and not requestable: {}", blocked.collect::<Vec<_>>().join(", "));
    }
    if let Some(rarest) = inside.rarest_availability {
        let _ = writeln!(text, "Availability of the rarest missing piece: {rarest}");
    }
    let private = if inside.private { ", private" } else { "" };
    let folder = shown(&inside.save_dir.to_string_lossy());
    let _ = writeln!(text, "Files: {} in {folder}{private}", inside.files);
    let failures = inside.failures.iter().map(|(kind, count)| format!("{} {count}", kind.words()));
    let failures: Vec<_> = failures.collect();
    let failures = if failures.is_empty() { "nothing failed".to_owned() } else { failures.join(", ") };
    let _ = writeln!(text, "Among its last {} events: {failures}", inside.log_events);
    if !inside.trackers.is_empty() {
        text.push_str("Enabled trackers:\n");
    }
    inside.trackers.iter().for_each(|row| sources::tracker(text, row));
    if !inside.webseeds.is_empty() {
        text.push_str("webseeds:\n");
    }
    for row in &inside.webseeds {
        let touched = inside.vitals.webseed_pieces.iter().find(|(key, _)| *key == row.key);
        sources::webseed(text, row, touched.map_or(0, |(_, pieces)| *pieces));
    }
}

/// How many pieces so many peers have, `1: 12, 5: 660`; those that more have than are told apart are one entry.
fn availability(counts: &[(u32, u32)]) -> String {
    let (told, rest) = counts.split_at(counts.len().min(STATUS_AVAILABILITIES_MAX));
    let mut words: Vec<_> = told.iter().map(|(peers, pieces)| format!("{peers}: {pieces}")).collect();
    if let Some((fewest, _)) = rest.first() {
        words.push(format!(
            "{fewest} and more: {}",
            rest.iter().map(|(_, pieces)| u64::from(*pieces)).sum::<u64>()
        ));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests;
