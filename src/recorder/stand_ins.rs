//! What stands for what in a redacted recording: collected in one pass over it, replaced in a second.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::hosts::Hosts;
use super::names::Names;
use super::redacting::Replace;
use super::texts::{self, Words};
use crate::codec::extension::{Extension, ExtensionHandshake, HANDSHAKE_ID};
use crate::codec::peer_id::client_name;
use crate::contract::Untrusted;
use crate::limits::CLIENT_NAME_BYTES_MAX;
use crate::units::PeerId;

/// Bytes of a peer id that name the client (BEP 20); the rest names the run of it.
const CLIENT_BYTES: usize = 8;

/// Replaces nothing, and remembers all that is to be replaced.
#[derive(Default)]
pub(super) struct Seen {
    addresses: RefCell<BTreeSet<IpAddr>>,
    peer_ids: RefCell<BTreeSet<PeerId>>,
    /// What clients call themselves in extension handshakes.
    clients: RefCell<BTreeSet<String>>,
    hosts: RefCell<BTreeSet<String>>,
    secrets: RefCell<BTreeSet<String>>,
    /// Those that are looked for in other texts, too.
    telling: RefCell<BTreeSet<String>>,
}

impl Replace for Seen {
    fn ip(&self, ip: IpAddr) -> IpAddr {
        self.addresses.borrow_mut().insert(ip);
        ip
    }

    fn peer_id(&self, id: PeerId) -> PeerId {
        self.peer_ids.borrow_mut().insert(id);
        id
    }

    fn text(&self, text: &str) -> String {
        texts::rewrite(text, self)
    }

    fn extended(&self, id: u8, payload: &[u8]) -> Vec<u8> {
        let said = (id == HANDSHAKE_ID).then(|| ExtensionHandshake::decode(payload));
        if let Some(Ok(ExtensionHandshake { client: Some(client), .. })) = said {
            self.clients.borrow_mut().insert(client.raw().to_owned());
        }
        payload.to_vec()
    }
}

impl Words for Seen {
    fn ip(&self, ip: IpAddr) -> IpAddr {
        Replace::ip(self, ip)
    }

    fn host(&self, host: &str) -> String {
        self.hosts.borrow_mut().insert(host.to_owned());
        host.to_owned()
    }

    fn secret(&self, part: &str) -> String {
        let telling: Vec<&str> = texts::telling(part).collect();
        self.telling.borrow_mut().extend(telling.iter().map(|part| (*part).to_owned()));
        self.secrets.borrow_mut().extend(telling.into_iter().chain([part]).map(str::to_owned));
        part.to_owned()
    }

    fn known_host(&self, _word: &str) -> Option<String> {
        None
    }

    fn known_secret(&self, _word: &str) -> Option<String> {
        None
    }

    fn known_part(&self, _word: &str) -> Option<Range<usize>> {
        None
    }
}

/// What stands for what.
pub(super) struct StandIns {
    addresses: BTreeMap<IpAddr, IpAddr>,
    peer_ids: BTreeMap<PeerId, PeerId>,
    /// What clients are called, which is derived again from what they say: the same, where their peer id or handshake
    /// names them, or what the stand-in of their peer id says.
    clients: BTreeMap<String, String>,
    hosts: Hosts,
    names: Names,
    secrets: BTreeMap<String, String>,
    /// Those that are looked for in other texts, too.
    telling: BTreeSet<String>,
    /// Those of them that are no word, longest first, by how they begin.
    parts: BTreeMap<[u8; texts::TELLING_BYTES_MIN], Vec<String>>,
}

impl StandIns {
    /// For all that was seen, in a torrent with these files.
    pub(super) fn of(seen: Seen, names: Names) -> Self {
        let peer_ids = peer_ids(&seen.peer_ids.into_inner());
        let name = |id: &PeerId| client_name(id).raw().to_owned();
        let said = seen.clients.into_inner().into_iter().map(|client| {
            let kept = as_it_can_be_said(&client).to_owned();
            (client, kept)
        });
        // Those of peer ids last: a handshake may say what a peer id that names no client says.
        let clients = said.chain(peer_ids.iter().map(|(id, stand_in)| (name(id), name(stand_in)))).collect();
        let secrets = seen.secrets.into_inner().into_iter();
        let telling = seen.telling.into_inner();
        Self {
            addresses: addresses(&seen.addresses.into_inner()),
            clients,
            peer_ids,
            hosts: Hosts::of(&seen.hosts.into_inner()),
            names,
            secrets: secrets.zip(1u32..).map(|(part, number)| (part, format!("hidden{number}"))).collect(),
            parts: parts(&telling),
            telling,
        }
    }
}

/// The name of a client as far as a handshake has room for it: bytes that are no text take more room when they are text.
fn as_it_can_be_said(client: &str) -> &str {
    let mut end = client.len().min(CLIENT_NAME_BYTES_MAX);
    while !client.is_char_boundary(end) {
        end -= 1;
    }
    &client[..end]
}

fn parts(telling: &BTreeSet<String>) -> BTreeMap<[u8; texts::TELLING_BYTES_MIN], Vec<String>> {
    let mut parts: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for part in telling.iter().filter(|part| !texts::is_word(part)) {
        if let Some(first) = part.as_bytes().first_chunk() {
            parts.entry(*first).or_default().push(part.clone());
        }
    }
    parts.values_mut().for_each(|parts| parts.sort_by_key(|part| std::cmp::Reverse(part.len())));
    parts
}

/// In the order of the addresses.
fn addresses(seen: &BTreeSet<IpAddr>) -> BTreeMap<IpAddr, IpAddr> {
    let mut counts = [0u32; Kind::COUNT];
    let mut stand_in = |ip: IpAddr| {
        let Some(kind) = kind(ip) else { return ip };
        counts[kind as usize] += 1;
        nth(kind, counts[kind as usize])
    };
    seen.iter().map(|ip| (*ip, stand_in(*ip))).collect()
}

/// Addresses that are alike to the engine and lie between the same ones that stay or are treated otherwise.
#[derive(Clone, Copy)]
enum Kind {
    BelowLoopback,
    AboveLoopback,
    Group,
    AboveGroups,
    V6,
    V6Group,
}

impl Kind {
    const COUNT: usize = Self::V6Group as usize + 1;
}

/// `None`: it says nothing, and stays.
fn kind(ip: IpAddr) -> Option<Kind> {
    if ip.is_loopback() || ip.is_unspecified() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
        return None;
    }
    Some(match ip {
        IpAddr::V4(ip) if ip.is_multicast() => Kind::Group,
        IpAddr::V4(ip) if ip < Ipv4Addr::LOCALHOST => Kind::BelowLoopback,
        IpAddr::V4(ip) if ip.octets()[0] < 224 => Kind::AboveLoopback,
        IpAddr::V4(_) => Kind::AboveGroups,
        IpAddr::V6(ip) if ip.is_multicast() => Kind::V6Group,
        IpAddr::V6(_) => Kind::V6,
    })
}

/// A stand-in of a kind; 0: of those that nothing stands for.
fn nth(kind: Kind, number: u32) -> IpAddr {
    let v4 = |base: u32| IpAddr::V4(Ipv4Addr::from_bits(base + number));
    let v6 = |base: u32| IpAddr::V6(Ipv6Addr::from_bits((u128::from(base) << 96) + u128::from(number)));
    match kind {
        Kind::BelowLoopback => v4(0x0a80_0000),
        Kind::AboveLoopback => v4(0xac00_0000),
        Kind::Group => v4(0xe000_0000),
        Kind::AboveGroups => v4(0xf000_0000),
        // Documentation (RFC 3849).
        Kind::V6 => v6(0x2001_0db8),
        Kind::V6Group => v6(0xff0e_0db8),
    }
}

/// In the order of the ids: what names the client stays. What follows is told from it by a byte that no name has: ids
/// with one name have stand-ins with one name.
fn peer_ids(seen: &BTreeSet<PeerId>) -> BTreeMap<PeerId, PeerId> {
    let stand_in = |(number, id): (u64, &PeerId)| {
        let mut bytes = id.0;
        let tail = format!("\0{number:011}");
        bytes[CLIENT_BYTES..].copy_from_slice(&tail.as_bytes()[..20 - CLIENT_BYTES]);
        (*id, PeerId(bytes))
    };
    (1u64..).zip(seen).map(stand_in).collect()
}

impl Replace for StandIns {
    /// Between stand-ins an address may be read that was none in the text before.
    fn ip(&self, ip: IpAddr) -> IpAddr {
        let unseen = || kind(ip).map_or(ip, |kind| nth(kind, 0));
        self.addresses.get(&ip).copied().unwrap_or_else(unseen)
    }

    fn peer_id(&self, id: PeerId) -> PeerId {
        self.peer_ids.get(&id).copied().unwrap_or(id)
    }

    fn text(&self, text: &str) -> String {
        let client = |text: &str| self.clients.get(text).cloned();
        client(text).unwrap_or_else(|| {
            let (names, rest) = text.split_at(self.names.end_in(text));
            names.to_owned() + &client(rest).unwrap_or_else(|| texts::rewrite(rest, self))
        })
    }

    /// Peer exchange names peers, and a handshake says where we are; the engine looks at neither.
    fn extended(&self, id: u8, payload: &[u8]) -> Vec<u8> {
        if id == HANDSHAKE_ID {
            return match ExtensionHandshake::decode(payload) {
                Ok(said) => {
                    let client = said.client.as_ref().and_then(|client| self.clients.get(client.raw()));
                    let client = client.map(|client| Untrusted::new(client.as_str()));
                    ExtensionHandshake { your_address: None, client, ..said }.encode().to_vec()
                }
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

impl Words for StandIns {
    fn ip(&self, ip: IpAddr) -> IpAddr {
        Replace::ip(self, ip)
    }

    fn host(&self, host: &str) -> String {
        self.hosts.of_url(host).cloned().unwrap_or_else(|| "host.invalid".to_owned())
    }

    fn secret(&self, part: &str) -> String {
        self.secrets.get(part).cloned().unwrap_or_else(|| "hidden".to_owned())
    }

    fn known_host(&self, word: &str) -> Option<String> {
        self.hosts.of_word(word)
    }

    fn known_secret(&self, word: &str) -> Option<String> {
        self.telling.contains(word).then(|| Words::secret(self, word))
    }
    fn known_part(&self, word: &str) -> Option<Range<usize>> {
        if self.parts.is_empty() {
            return None;
        }
        let begins = |at: usize| {
            let rest = word.as_bytes().get(at..)?;
            let part =
                self.parts.get(rest.first_chunk()?)?.iter().find(|part| rest.starts_with(part.as_bytes()))?;
            Some(at..at + part.len())
        };
        (0..word.len()).find_map(begins)
    }
}
