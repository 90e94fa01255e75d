//! A recording for others: passkeys and addresses have stand-ins, and it replays all the same.
//!
//! The same address has the same stand-in everywhere, and stand-ins sort as the addresses do, for a torrent goes through
//! its peers in the order of their addresses. Loopback and group addresses say nothing and stay: they are treated
//! otherwise. Of a URL the scheme and the host stay (an address as a host does not), and each part of its path that is no
//! usual word, its query and its user have stand-ins.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::entry::Entry;
use super::file::{Part, Recording};
use super::redacting::{Redacted, Replace};
use super::replay::ReplayError;
use crate::codec::extension::{Extension, ExtensionHandshake, HANDSHAKE_ID};
use crate::engine::torrent::Torrent;
use crate::metainfo::{self, Info};

/// Why a recording could not be redacted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedactError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] ReplayError),
    /// It could not be written again, which is a bug.
    #[error("the redacted recording could not be encoded")]
    Encode,
}

/// The recording with stand-ins.
///
/// # Errors
/// It is none of this program's.
pub fn redact(recording: &Recording) -> Result<Recording, RedactError> {
    let seen = Seen::default();
    rewrite(recording, &seen)?;
    rewrite(recording, &StandIns::of(&seen.0.into_inner()))
}

fn rewrite(recording: &Recording, with: &impl Replace) -> Result<Recording, RedactError> {
    let version = || recording.version.clone();
    let info = metainfo::parse_info(recording.info.clone().into()).map_err(ReplayError::Info)?;
    let info = Arc::new(info);
    let state = |state: &[u8]| -> Result<Vec<u8>, RedactError> {
        let read = |state: &[u8]| {
            Torrent::read_state(Arc::<Info>::clone(&info), state).map_err(|_| ReplayError::State(version()))
        };
        let redacted =
            postcard::to_allocvec(&Redacted(&read(state)?, with)).map_err(|_| RedactError::Encode)?;
        // Once more, for a map is written in the order of its old keys.
        read(&redacted)?.write_state().map_err(|_| RedactError::Encode)
    };
    let entries = |mut rest: &[u8]| -> Result<Vec<u8>, RedactError> {
        let mut written = Vec::with_capacity(rest.len());
        while !rest.is_empty() {
            let (entry, after) =
                postcard::take_from_bytes::<Entry>(rest).map_err(|_| ReplayError::Entry(version()))?;
            rest = after;
            written =
                postcard::to_extend(&Redacted(&entry, with), written).map_err(|_| RedactError::Encode)?;
        }
        Ok(written)
    };
    let mut redacted = Recording { redacted: true, parts: Vec::new(), ..recording.clone() };
    for part in &recording.parts {
        redacted.parts.push(Part { state: state(&part.state)?, entries: entries(&part.entries)? });
    }
    redacted.end_state = state(&recording.end_state)?;
    Ok(redacted)
}

/// Replaces nothing, and remembers all addresses.
#[derive(Default)]
struct Seen(RefCell<BTreeSet<IpAddr>>);

impl Replace for Seen {
    fn ip(&self, ip: IpAddr) -> IpAddr {
        self.0.borrow_mut().insert(ip);
        ip
    }

    fn text(&self, text: &str) -> String {
        with_addresses(text, |ip| self.ip(ip))
    }

    fn extended(&self, _id: u8, payload: &[u8]) -> Vec<u8> {
        payload.to_vec()
    }
}

/// What stands for what.
struct StandIns {
    addresses: BTreeMap<IpAddr, IpAddr>,
    /// Secret parts of URLs, by the order in which they came.
    secrets: RefCell<BTreeMap<String, usize>>,
}

impl StandIns {
    /// For all these addresses, in their order.
    fn of(seen: &BTreeSet<IpAddr>) -> Self {
        let mut counts = [0u32; 3];
        let mut stand_in = |ip: IpAddr| {
            if ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() {
                return ip;
            }
            // Below and above loopback, and below groups, as it was; documentation addresses (RFC 3849).
            let (count, base) = match ip {
                IpAddr::V4(ip) if ip < Ipv4Addr::LOCALHOST => (0, Some(0x0a80_0000)),
                IpAddr::V4(ip) if ip.octets()[0] < 224 => (1, Some(0xac00_0000)),
                IpAddr::V4(_) => (1, None),
                IpAddr::V6(_) => (2, None),
            };
            if matches!(ip, IpAddr::V4(_)) && base.is_none() {
                return ip;
            }
            counts[count] += 1;
            match base {
                Some(base) => IpAddr::V4(Ipv4Addr::from_bits(base + counts[count])),
                None => {
                    let base = u128::from(0x2001_0db8_u32) << 96;
                    IpAddr::V6(Ipv6Addr::from_bits(base + u128::from(counts[count])))
                }
            }
        };
        let addresses = seen.iter().map(|ip| (*ip, stand_in(*ip))).collect();
        Self { addresses, secrets: RefCell::default() }
    }

    fn secret(&self, part: &str) -> String {
        let mut secrets = self.secrets.borrow_mut();
        let next = secrets.len() + 1;
        format!("hidden{}", secrets.entry(part.to_owned()).or_insert(next))
    }

    fn url(&self, url: &str) -> String {
        let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
        let path_end = rest.find(['?', '#']).unwrap_or(rest.len());
        let (path, query) = rest.split_at(path_end);
        let mut parts = path.split('/');
        let authority = parts.next().unwrap_or_default();
        let host = match authority.rsplit_once('@') {
            Some((user, host)) => format!("{}@{host}", self.secret(user)),
            None => authority.to_owned(),
        };
        let mut redacted = format!("{scheme}://{host}");
        for part in parts {
            redacted.push('/');
            redacted.push_str(&if is_usual(part) { part.to_owned() } else { self.secret(part) });
        }
        if let Some(query) = query.get(1..).filter(|query| !query.is_empty()) {
            redacted.push('?');
            redacted.push_str(&self.secret(query));
        }
        redacted
    }
}

impl Replace for StandIns {
    fn ip(&self, ip: IpAddr) -> IpAddr {
        self.addresses.get(&ip).copied().unwrap_or(ip)
    }

    fn text(&self, text: &str) -> String {
        if !text.contains("://") {
            return with_addresses(text, |ip| self.ip(ip));
        }
        let words = text.split_inclusive(char::is_whitespace);
        let words = words.map(|word| {
            let bare = word.trim_end();
            let after = &word[bare.len()..];
            if bare.contains("://") { format!("{}{after}", self.url(bare)) } else { word.to_owned() }
        });
        with_addresses(&words.collect::<String>(), |ip| self.ip(ip))
    }

    /// Peer exchange names peers, and a handshake says where we are; the engine looks at neither.
    fn extended(&self, id: u8, payload: &[u8]) -> Vec<u8> {
        if id == HANDSHAKE_ID {
            return match ExtensionHandshake::decode(payload) {
                Ok(said) => ExtensionHandshake { your_address: None, ..said }.encode().to_vec(),
                // As wrong as it was.
                Err(_) => Vec::new(),
            };
        }
        match Extension::from_our_id(id) {
            Some(Extension::LtDonthave | Extension::UtMetadata) => payload.to_vec(),
            Some(Extension::UtPex) | None => b"de".to_vec(),
        }
    }
}

/// Whether a part of a path is what many URLs have.
fn is_usual(part: &str) -> bool {
    let stem = part.strip_suffix(".php").unwrap_or(part);
    part.is_empty() || matches!(stem, "announce" | "scrape" | "tracker")
}

/// The text with every address in it replaced, whether or not a port follows.
fn with_addresses(text: &str, replace: impl Fn(IpAddr) -> IpAddr) -> String {
    let is_part = |letter: char| letter.is_ascii_hexdigit() || matches!(letter, '.' | ':' | '[' | ']');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word_end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        if word_end == 0 {
            let end = rest.find(is_part).unwrap_or(rest.len());
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        let word = &rest[..word_end];
        let bare = word.trim_end_matches(['.', ':']);
        match (bare.parse::<SocketAddr>(), bare.trim_matches(['[', ']']).parse::<IpAddr>()) {
            (Ok(address), _) => {
                out.push_str(&SocketAddr::new(replace(address.ip()), address.port()).to_string());
            }
            (_, Ok(ip)) if bare.starts_with('[') => out.push_str(&format!("[{}]", replace(ip))),
            (_, Ok(ip)) => out.push_str(&replace(ip).to_string()),
            (Err(_), Err(_)) => out.push_str(bare),
        }
        out.push_str(&word[bare.len()..]);
        rest = &rest[word_end..];
    }
    out
}
