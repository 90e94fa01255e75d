//! How the selected torrent stands, in words: why it is not doing more, and what no column says.

use super::super::format;
use crate::contract::{
    DownloadOrder, FirstLast, PieceSequence, TorrentRow, TorrentState, Untrusted, WebseedCounts,
};
use crate::tui::keymap::{Action, Context, key_name};

/// The download limit is what holds it.
const HELD: &str = "held by the download limit";

/// A stable word of the engine in a sentence; `None` for a text that is no such word.
pub fn cause_word(word: &str) -> Option<String> {
    let sentence = match word {
        "rate_limit" => {
            let key = key_name(Context::Screen, Action::DownRaise);
            return Some(format!("{HELD}; {key} raises it"));
        }
        "no_peers_known" => "no peers are known yet",
        "no_connection_slots" => "other torrents have all connections there may be",
        "no_peer_reachable" => "none of the known peers can be reached",
        "no_source_for_wanted_pieces" => "no connected peer has what is missing",
        "all_peers_choke_us" => "every peer chokes us",
        "requests_overdue" => "peers are late with what was requested",
        "webseeds_backing_off" => "every webseed failed and is left alone for a while",
        "webseeds_banned" => "nothing good is left on any webseed",
        "nothing_wanted" => "all files are off",
        "asking_peers" => "asking peers for the metadata",
        "peers_without_metadata" => "no connected peer has the metadata",
        // A word that has no sentence here is still a word.
        _ => {
            let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit();
            return word.bytes().all(is_letter).then(|| word.replace('_', " "));
        }
    };
    Some(sentence.to_owned())
}

/// Why a torrent does not do more, where there are no keys to name.
pub fn cause(cause: &Untrusted) -> String {
    match cause.raw() {
        "rate_limit" => HELD.to_owned(),
        word => cause_word(word).unwrap_or_else(|| cause.shown()),
    }
}

/// What the columns do not say of a torrent, the most telling first.
pub fn facts(row: &TorrentRow) -> Vec<String> {
    let mut facts = Vec::new();
    let peers = &row.peers;
    match row.state {
        TorrentState::Downloading if peers.connected > 0 => {
            facts.push(format!("{} of {} unchoke us", peers.unchoked_us, count(peers.connected, "peer")));
            facts.push(format!("{} out", count(row.requests_in_flight, "request")));
        }
        TorrentState::Downloading
        | TorrentState::Metadata
        | TorrentState::Checking
        | TorrentState::Seeding
        | TorrentState::Finished
        | TorrentState::Paused
        | TorrentState::Error => {}
    }
    if row.state != TorrentState::Seeding {
        let DownloadOrder { sequence, first_last } = row.order;
        if sequence == PieceSequence::InOrder {
            facts.push("in order".to_owned());
        }
        if first_last == FirstLast::First {
            facts.push("first/last first".to_owned());
        }
    }
    if row.wasted_bytes > 0 {
        facts.push(format!("{} wasted", format::bytes(row.wasted_bytes)));
    }
    facts.extend(webseeds(row.webseeds));
    if row.wanted_bytes < row.total_bytes {
        facts.push(format!("{} off", format::bytes(row.total_bytes - row.wanted_bytes)));
    }
    if let Some(ratio) = format::ratio(row.uploaded_bytes, row.downloaded_bytes) {
        facts.push(format!("ratio {ratio}"));
    }
    if peers.connected > 0 {
        facts.push(count(peers.seeds, "seed"));
    }
    if peers.known > 0 {
        facts.push(format!("{} known", count(peers.known, "peer")));
    }
    facts
}

/// How many webseeds are of use or might be soon; nothing where none is.
fn webseeds(counts: WebseedCounts) -> Option<String> {
    let WebseedCounts { active, backing_off } = counts;
    match (active.saturating_add(backing_off), backing_off) {
        (0, _) => None,
        (all, 0) => Some(format!("ws {all}")),
        (all, backing_off) => Some(format!("ws {all} ({backing_off} backing off)")),
    }
}

/// Some of a thing, in the singular where it is one.
pub fn count(number: u32, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_sentences_and_errors_are_not_taken_for_words() {
        let held = cause_word("rate_limit").unwrap();
        assert!(held.contains("] raises it"), "{held}");
        assert_eq!(cause_word("a_new_word").as_deref(), Some("a new word"));
        assert_eq!(cause_word("cannot write to /srv/x"), None);
        let without_keys = |word| cause(&Untrusted::new(word));
        assert_eq!(without_keys("rate_limit"), HELD);
        assert_eq!(without_keys("no_peers_known"), "no peers are known yet");
        assert_eq!(without_keys("no room on /\u{1b}"), "no room on /␛");
    }

    #[test]
    fn webseeds_are_told_where_they_are_of_use() {
        let said = |active, backing_off| webseeds(WebseedCounts { active, backing_off });
        assert_eq!(said(0, 0), None);
        assert_eq!(said(2, 0).as_deref(), Some("ws 2"));
        assert_eq!(said(1, 2).as_deref(), Some("ws 3 (2 backing off)"));
        assert_eq!(cause_word("webseeds_banned").as_deref(), Some("nothing good is left on any webseed"));
    }

    #[test]
    fn one_is_singular() {
        assert_eq!((count(1, "peer"), count(0, "seed")), ("1 peer".to_owned(), "0 seeds".to_owned()));
    }
}
