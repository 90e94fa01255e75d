//! Announces and scrapes over HTTP: the URL that asks and the bencode that answers (BEP 3, 7, 23, 24, 31, 48).

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::bencode::{BencodeError, Dict, Value, dict_and_rest};
use super::tracker::{AnnounceAnswer, AnnounceEvent, AnnounceRequest, RetryIn, ScrapeAnswer, TrackerError};
use super::tracker::{cut_text, left_as_sent, usable_peer};
use crate::limits::TRACKER_PEERS_MAX;

/// The URL of an announce: the tracker's own, its query kept, and ours behind it.
///
/// Built by hand because the info-hash and the peer id are bytes, not text: a URL library would encode them as UTF-8.
pub fn announce_url(tracker: &str, request: &AnnounceRequest) -> String {
    let mut url = with_info_hash(tracker, &request.info_hash);
    url.push_str("&peer_id=");
    push_percent_encoded(&mut url, &request.peer_id);
    let event = match request.event {
        AnnounceEvent::Periodic => "",
        AnnounceEvent::Started => "&event=started",
        AnnounceEvent::Completed => "&event=completed",
        AnnounceEvent::Stopped => "&event=stopped",
    };
    let written = write!(
        url,
        "&port={}&uploaded={}&downloaded={}&left={}&compact=1&no_peer_id=1&numwant={}&key={:08X}{event}",
        request.port,
        request.uploaded_bytes,
        request.downloaded_bytes,
        left_as_sent(request.left_bytes),
        request.num_want,
        request.key,
    );
    written.expect("writing to a String cannot fail");
    url
}

/// The URL of a scrape; `None` where the tracker has none: its last path part must start with `announce` (BEP 48).
pub fn scrape_url(tracker: &str, info_hash: &[u8; 20]) -> Option<String> {
    let path_end = tracker.find(['?', '#']).unwrap_or(tracker.len());
    let last_part = tracker[..path_end].rfind('/')? + 1;
    let tail = tracker[last_part..].strip_prefix("announce")?;
    Some(with_info_hash(&format!("{}scrape{tail}", &tracker[..last_part]), info_hash))
}

/// Reads the body of an answer to an announce.
pub fn decode_announce(body: &[u8]) -> Result<AnnounceAnswer, TrackerError> {
    let dict = answer(body)?;
    let mut peers = Vec::new();
    match dict.get(b"peers") {
        Some(Value::Bytes(compact)) => push_compact_v4(&mut peers, compact),
        Some(Value::List(list)) => {
            let listed = list.iter().filter_map(Value::as_dict).filter_map(peer_of_dict);
            peers.extend(listed.take(TRACKER_PEERS_MAX));
        }
        Some(Value::Integer(_) | Value::Dict(_)) | None => {}
    }
    push_compact_v6(&mut peers, dict.bytes(b"peers6").unwrap_or_default());
    Ok(AnnounceAnswer {
        interval_s: dict.unsigned(b"interval"),
        min_interval_s: dict.unsigned(b"min interval"),
        seeds: dict.unsigned(b"complete"),
        leeches: dict.unsigned(b"incomplete"),
        downloads: dict.unsigned(b"downloaded"),
        peers,
        warning: dict.bytes(b"warning message").filter(|text| !text.is_empty()).map(cut_text),
        external_address: dict.bytes(b"external ip").and_then(ip_of_bytes),
    })
}

/// Reads the body of an answer to a scrape of one torrent.
pub fn decode_scrape(body: &[u8], info_hash: &[u8; 20]) -> Result<ScrapeAnswer, TrackerError> {
    let dict = answer(body)?;
    let counts = dict.get(b"files").and_then(Value::as_dict).and_then(|files| files.get(info_hash));
    let Some(counts) = counts.and_then(Value::as_dict) else {
        return Err(TrackerError::Malformed("the scrape does not list this torrent".to_owned()));
    };
    let count = |key: &[u8]| counts.unsigned(key).unwrap_or(0);
    Ok(ScrapeAnswer {
        seeds: count(b"complete"),
        leeches: count(b"incomplete"),
        downloads: count(b"downloaded"),
    })
}

/// Whether a body has the look of a web page, which is what a host that is no longer a tracker sends.
pub fn looks_like_html(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    let is_tag = |tag: &[u8]| start.get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag));
    is_tag(b"<!doctype") || is_tag(b"<html") || is_tag(b"<head") || is_tag(b"<?xml")
}

/// Appends the peers of a compact string; a tail that is not a whole peer is dropped (BEP 23).
pub(super) fn push_compact_v4(peers: &mut Vec<SocketAddr>, compact: &[u8]) {
    let (whole, _tail) = compact.as_chunks::<6>();
    let addresses = whole.iter().map(|&[a, b, c, d, high, low]| {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), u16::from_be_bytes([high, low]))
    });
    push_usable(peers, addresses);
}

/// The same for IPv6, 18 bytes a peer (BEP 7).
pub(super) fn push_compact_v6(peers: &mut Vec<SocketAddr>, compact: &[u8]) {
    let (whole, _tail) = compact.as_chunks::<18>();
    let addresses = whole.iter().filter_map(|peer| {
        let octets: [u8; 16] = peer[..16].try_into().ok()?;
        let ip = IpAddr::V6(Ipv6Addr::from(octets)).to_canonical();
        Some(SocketAddr::new(ip, u16::from_be_bytes([peer[16], peer[17]])))
    });
    push_usable(peers, addresses);
}

fn push_usable(peers: &mut Vec<SocketAddr>, addresses: impl Iterator<Item = SocketAddr>) {
    let room = TRACKER_PEERS_MAX.saturating_sub(peers.len());
    peers.extend(addresses.filter(usable_peer).take(room));
}

/// A peer in the dictionary form (BEP 3). A host name instead of an address is left out: resolving names that a
/// tracker hands out would let it choose whom we look up.
fn peer_of_dict(peer: &Dict<'_>) -> Option<SocketAddr> {
    let ip: IpAddr = std::str::from_utf8(peer.bytes(b"ip")?).ok()?.parse().ok()?;
    Some(SocketAddr::new(ip.to_canonical(), peer.unsigned(b"port")?)).filter(usable_peer)
}

fn ip_of_bytes(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
    let v6 = || <[u8; 16]>::try_from(bytes).ok().map(|octets| IpAddr::V6(Ipv6Addr::from(octets)));
    v4().or_else(v6)
}

/// The dictionary of an answer, unless it is a refusal.
fn answer(body: &[u8]) -> Result<Dict<'_>, TrackerError> {
    let (dict, _) = dict_and_rest(body).map_err(|error| malformed(body, error))?;
    match dict.bytes(b"failure reason") {
        None => Ok(dict),
        Some(reason) => {
            Err(TrackerError::Refused { reason: cut_text(reason), retry: retry_in(dict.get(b"retry in")) })
        }
    }
}

fn malformed(body: &[u8], error: BencodeError) -> TrackerError {
    TrackerError::Malformed(if body.is_empty() {
        "the answer is empty".to_owned()
    } else if looks_like_html(body) {
        "the answer is a web page".to_owned()
    } else {
        error.to_string()
    })
}

/// BEP 31: minutes as a positive number, in the examples also as text, or `never`.
fn retry_in(value: Option<&Value<'_>>) -> Option<RetryIn> {
    let minutes = match value? {
        Value::Integer(minutes) => u64::try_from(*minutes).ok(),
        Value::Bytes(b"never") => return Some(RetryIn::Never),
        Value::Bytes(text) => std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()),
        Value::List(_) | Value::Dict(_) => None,
    };
    minutes.filter(|minutes| *minutes > 0).map(RetryIn::Minutes)
}

fn with_info_hash(tracker: &str, info_hash: &[u8; 20]) -> String {
    let without_fragment = tracker.split('#').next().unwrap_or_default();
    let mut url = without_fragment.to_owned();
    match without_fragment.split_once('?') {
        None => url.push('?'),
        Some((_, query)) if query.is_empty() || query.ends_with('&') => {}
        Some(_) => url.push('&'),
    }
    url.push_str("info_hash=");
    push_percent_encoded(&mut url, info_hash);
    url
}

fn push_percent_encoded(url: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            url.push(char::from(byte));
        } else {
            write!(url, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
}

#[cfg(test)]
mod tests;
