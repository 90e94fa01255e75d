//! What stands for what in a redacted recording: collected in one pass over it, replaced in a second.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::redacting::Replace;
use super::texts::{self, Words};
use crate::codec::extension::{Extension, ExtensionHandshake, HANDSHAKE_ID};
use crate::codec::peer_id::client_name;
use crate::units::PeerId;

/// Bytes of a peer id that name the client (BEP 20); the rest names the run of it.
const CLIENT_BYTES: usize = 8;

/// Replaces nothing, and remembers all that is to be replaced.
#[derive(Default)]
pub(super) struct Seen {
    addresses: RefCell<BTreeSet<IpAddr>>,
    peer_ids: RefCell<BTreeSet<PeerId>>,
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

    fn extended(&self, _id: u8, payload: &[u8]) -> Vec<u8> {
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
}

/// What stands for what.
pub(super) struct StandIns {
    addresses: BTreeMap<IpAddr, IpAddr>,
    peer_ids: BTreeMap<PeerId, PeerId>,
    /// What clients are called by a peer id that names none, by what they were called.
    clients: BTreeMap<String, String>,
    hosts: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
    /// Those that are looked for in other texts, too.
    telling: BTreeSet<String>,
}

impl StandIns {
    /// For all that was seen.
    pub(super) fn of(seen: Seen) -> Self {
        let peer_ids = peer_ids(&seen.peer_ids.into_inner());
        let name = |id: &PeerId| client_name(id).raw().to_owned();
        let clients = peer_ids.iter().map(|(id, stand_in)| (name(id), name(stand_in)));
        let secrets = seen.secrets.into_inner().into_iter();
        Self {
            addresses: addresses(&seen.addresses.into_inner()),
            clients: clients.filter(|(before, after)| before != after).collect(),
            peer_ids,
            hosts: hosts(&seen.hosts.into_inner()),
            secrets: secrets.zip(1u32..).map(|(part, number)| (part, format!("hidden{number}"))).collect(),
            telling: seen.telling.into_inner(),
        }
    }
}

/// In the order of the addresses.
fn addresses(seen: &BTreeSet<IpAddr>) -> BTreeMap<IpAddr, IpAddr> {
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
    seen.iter().map(|ip| (*ip, stand_in(*ip))).collect()
}

/// In the order of the ids: what names the client stays.
fn peer_ids(seen: &BTreeSet<PeerId>) -> BTreeMap<PeerId, PeerId> {
    let stand_in = |(number, id): (u64, &PeerId)| {
        let mut bytes = id.0;
        let tail = format!("{number:012}");
        bytes[CLIENT_BYTES..].copy_from_slice(&tail.as_bytes()[..20 - CLIENT_BYTES]);
        (*id, PeerId(bytes))
    };
    (1u64..).zip(seen).map(stand_in).collect()
}

/// In the order in which they come as keys of webseeds, where a port follows. Spellings of one host stay spellings of one
/// host, and what is none stays none.
fn hosts(seen: &BTreeSet<String>) -> BTreeMap<String, String> {
    let canonical = |host: &str| match url::Host::parse(host) {
        Ok(parsed) => (parsed.to_string().trim_end_matches('.').to_owned() + ":", ""),
        Err(_) => (host.to_owned() + ":", "^"),
    };
    let mut spellings: BTreeMap<(String, &str), Vec<&String>> = BTreeMap::new();
    for host in seen {
        spellings.entry(canonical(host)).or_default().push(host);
    }
    let mut stand_ins = BTreeMap::new();
    for (number, ((canonical, wrong), spelled)) in (1u32..).zip(spellings) {
        let others = spelled.iter().filter(|host| format!("{host}:") != canonical);
        let first = spelled.iter().filter(|host| format!("{host}:") == canonical);
        let variants = first.map(|host| (0, host)).chain((1u32..).zip(others));
        for (variant, host) in variants {
            let dot = if host.ends_with('.') { "." } else { "" };
            let name = spelling(&format!("host-{number:05}{wrong}.invalid"), variant);
            stand_ins.insert((*host).clone(), name + dot);
        }
    }
    stand_ins
}

/// The same name in another spelling: the letters that the number says are large.
fn spelling(name: &str, mut number: u32) -> String {
    let mut spell = |letter: char| {
        if !letter.is_ascii_lowercase() {
            return letter;
        }
        let large = number % 2 == 1;
        number /= 2;
        if large { letter.to_ascii_uppercase() } else { letter }
    };
    name.chars().map(&mut spell).collect()
}

impl Replace for StandIns {
    fn ip(&self, ip: IpAddr) -> IpAddr {
        self.addresses.get(&ip).copied().unwrap_or(ip)
    }

    fn peer_id(&self, id: PeerId) -> PeerId {
        self.peer_ids.get(&id).copied().unwrap_or(id)
    }

    fn text(&self, text: &str) -> String {
        self.clients.get(text).cloned().unwrap_or_else(|| texts::rewrite(text, self))
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

impl Words for StandIns {
    fn ip(&self, ip: IpAddr) -> IpAddr {
        Replace::ip(self, ip)
    }

    fn host(&self, host: &str) -> String {
        self.hosts.get(host).cloned().unwrap_or_else(|| host.to_owned())
    }

    fn secret(&self, part: &str) -> String {
        self.secrets.get(part).cloned().unwrap_or_else(|| "hidden".to_owned())
    }

    /// A host without a dot is a word like others.
    fn known_host(&self, word: &str) -> Option<String> {
        self.hosts.get(word).filter(|_| word.contains('.')).cloned()
    }

    fn known_secret(&self, word: &str) -> Option<String> {
        self.telling.contains(word).then(|| Words::secret(self, word))
    }
}
