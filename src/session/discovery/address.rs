//! Which addresses a URL from outside may lead to.
//!
//! A torrent names trackers, and a tracker names redirects; neither may use us to reach services that only we can
//! reach. What counts is the address connected to, not the name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Where an address is, seen from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Public,
    /// Our own network.
    Private,
    /// This machine.
    Loopback,
    /// Nobody's, or where clouds keep their secrets (169.254.169.254 and its like).
    Forbidden,
}

/// Which addresses a request may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum Allowed {
    /// All but the forbidden.
    Any,
    /// The same without this machine.
    NoLoopback,
    /// Public ones.
    PublicOnly,
}

impl Allowed {
    pub(super) const ALL: [Self; 3] = [Self::Any, Self::NoLoopback, Self::PublicOnly];

    pub(super) fn permits(self, ip: IpAddr) -> bool {
        match place(ip) {
            Place::Public => true,
            Place::Private => self != Self::PublicOnly,
            Place::Loopback => self == Self::Any,
            Place::Forbidden => false,
        }
    }

    /// Whether a URL may be asked: names are checked again when they are resolved.
    pub(super) fn permits_url(self, url: &Url) -> bool {
        match literal_ip(url) {
            Some(ip) => self.permits(ip),
            None => self == Self::Any || !is_localhost(url),
        }
    }
}

/// Whether an address is on the open internet.
pub(super) fn is_public(ip: IpAddr) -> bool {
    place(ip) == Place::Public
}

/// Whether a URL names this machine outright.
pub(super) fn names_loopback(url: &Url) -> bool {
    is_localhost(url) || literal_ip(url).is_some_and(|ip| place(ip) == Place::Loopback)
}

/// The address a URL names in place of a host name.
pub(super) fn literal_ip(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(ip) => Some(IpAddr::V4(ip)),
        Host::Ipv6(ip) => Some(IpAddr::V6(ip)),
        // Of schemes that the URL standard does not know, such as udp, even an address is a name.
        Host::Domain(name) => name.parse().ok(),
    }
}

fn is_localhost(url: &Url) -> bool {
    url.host_str().is_some_and(|host| host.trim_end_matches('.').eq_ignore_ascii_case("localhost"))
}

fn place(ip: IpAddr) -> Place {
    match ip.to_canonical() {
        IpAddr::V4(ip) => place_v4(ip),
        IpAddr::V6(ip) => place_v6(ip),
    }
}

fn place_v4(ip: Ipv4Addr) -> Place {
    let [first, second, ..] = ip.octets();
    if first == 0 || ip.is_link_local() || ip.is_multicast() || ip.is_broadcast() {
        Place::Forbidden
    } else if ip.is_loopback() {
        Place::Loopback
    } else if ip.is_private() || (first == 100 && second & 0xc0 == 64) {
        Place::Private
    } else {
        Place::Public
    }
}

fn place_v6(ip: Ipv6Addr) -> Place {
    /// Where one large cloud keeps its metadata.
    const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match ip.segments() {
        // NAT64 carries an IPv4 address in its tail.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            place_v4(Ipv4Addr::new(a, b, c, d))
        }
        _ if ip.is_unspecified() || ip.is_multicast() || ip == METADATA_V6 => Place::Forbidden,
        _ if ip.is_loopback() => Place::Loopback,
        _ if ip.is_unique_local() || ip.is_unicast_link_local() => Place::Private,
        _ => Place::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_where_they_are() {
        let cases = [
            ("8.8.8.8", Place::Public),
            ("2001:db8::1", Place::Public),
            ("10.1.2.3", Place::Private),
            ("192.168.0.1", Place::Private),
            ("100.64.0.1", Place::Private),
            ("fd12::1", Place::Private),
            ("fe80::1", Place::Private),
            ("127.0.0.2", Place::Loopback),
            ("::1", Place::Loopback),
            ("::ffff:127.0.0.1", Place::Loopback),
            ("169.254.169.254", Place::Forbidden),
            ("::ffff:169.254.169.254", Place::Forbidden),
            ("64:ff9b::a9fe:a9fe", Place::Forbidden),
            ("fd00:ec2::254", Place::Forbidden),
            ("0.0.0.0", Place::Forbidden),
            ("::", Place::Forbidden),
            ("224.0.0.1", Place::Forbidden),
        ];
        for (text, expected) in cases {
            assert_eq!(place(text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn a_redirect_from_a_public_host_stays_public() {
        let permits = |allowed: Allowed, url| allowed.permits_url(&Url::parse(url).unwrap());
        assert!(permits(Allowed::PublicOnly, "http://t.example/announce"));
        assert!(!permits(Allowed::PublicOnly, "http://127.0.0.1/announce"));
        assert!(!permits(Allowed::PublicOnly, "http://2130706433/announce"), "127.0.0.1 as one number");
        assert!(!permits(Allowed::PublicOnly, "http://localhost./announce"));
        assert!(!permits(Allowed::PublicOnly, "http://[::ffff:10.0.0.1]/announce"));
        assert!(!permits(Allowed::Any, "http://169.254.169.254/latest/meta-data"));
        assert!(!permits(Allowed::Any, "udp://169.254.169.254:80"));
        assert!(permits(Allowed::Any, "http://localhost:1/announce"));
    }
}
