//! What clients call themselves in the 20 bytes of a peer id (BEP 20), ours included.

use crate::contract::Untrusted;
use crate::units::PeerId;

/// The commonest clients by the two letters of an Azureus-style id.
const CLIENTS: [(&[u8; 2], &str); 29] = [
    (b"7T", "aTorrent"),
    (b"AZ", "Vuze"),
    (b"BC", "BitComet"),
    (b"BI", "BiglyBT"),
    (b"BT", "BitTorrent"),
    (b"DE", "Deluge"),
    (b"FD", "Free Download Manager"),
    (b"FL", "Flud"),
    (b"FW", "FrostWire"),
    (b"GT", "anacrolix/torrent"),
    (b"KT", "KTorrent"),
    (b"LP", "Lphant"),
    (b"LT", "libtorrent"),
    (b"LW", "LimeWire"),
    (b"PI", "PicoTorrent"),
    (b"QD", "QQDownload"),
    (b"SD", "Xunlei"),
    (b"TL", "Tribler"),
    (b"TR", "Transmission"),
    (b"TX", "Tixati"),
    (b"UK", "unchoke"),
    (b"UM", "µTorrent Mac"),
    (b"UT", "µTorrent"),
    (b"UW", "µTorrent Web"),
    (b"WW", "WebTorrent"),
    (b"XL", "Xunlei"),
    (b"lt", "libTorrent (rTorrent)"),
    (b"qB", "qBittorrent"),
    (b"rQ", "rqbit"),
];

/// Our peer id for one run: `-UK`, the version as two digits of major and one each of minor and patch, `-`, and 12
/// random letters and digits.
pub fn ours(rng: &mut fastrand::Rng) -> PeerId {
    let digit = |text: &str, most: u32| text.parse().unwrap_or(0).min(most);
    let prefix = format!(
        "-UK{:02}{}{}-",
        digit(env!("CARGO_PKG_VERSION_MAJOR"), 99),
        digit(env!("CARGO_PKG_VERSION_MINOR"), 9),
        digit(env!("CARGO_PKG_VERSION_PATCH"), 9),
    );
    let mut id = [0; 20];
    for (at, byte) in id.iter_mut().enumerate() {
        *byte = prefix.as_bytes().get(at).copied().unwrap_or_else(|| rng.alphanumeric() as u8);
    }
    PeerId(id)
}

/// The name and version a peer id tells, or its readable part, or its bytes in hex.
pub fn client_name(id: &PeerId) -> Untrusted {
    azureus_style(&id.0).or_else(|| mainline_style(&id.0)).unwrap_or_else(|| raw(&id.0))
}

/// `-qB4630-` and twelve bytes of anything.
fn azureus_style(id: &[u8; 20]) -> Option<Untrusted> {
    if id[0] != b'-' || !id[1..7].iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let code = &id[1..3];
    let known = CLIENTS.iter().find(|(letters, _)| letters.as_slice() == code);
    let name = known.map_or_else(|| String::from_utf8_lossy(code), |(_, name)| (*name).into());
    let version = if code == b"UK" {
        format!("{}.{}.{}", number(id[3]) * 10 + number(id[4]), number(id[5]), number(id[6]))
    } else {
        let version = format!("{}.{}.{}", number(id[3]), number(id[4]), number(id[5]));
        match number(id[6]) {
            0 => version,
            build => format!("{version}.{build}"),
        }
    };
    Some(Untrusted::new(format!("{name} {version}")))
}

/// `M7-10-1--`, `A2-1-36-0-`: letters, then numbers with dashes between.
fn mainline_style(id: &[u8; 20]) -> Option<Untrusted> {
    let (name, rest): (_, &[u8]) = match id {
        [b'A', b'2', b'-', rest @ ..] => ("aria2", rest),
        [b'M', rest @ ..] if rest[0].is_ascii_digit() => ("Mainline", rest),
        _ => return None,
    };
    let numbers: Vec<&str> = rest
        .split(|byte| *byte == b'-')
        .take(3)
        .map_while(|part| std::str::from_utf8(part).ok())
        .take_while(|part| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    (numbers.len() >= 2).then(|| Untrusted::new(format!("{name} {}", numbers.join("."))))
}

fn raw(id: &[u8; 20]) -> Untrusted {
    let readable: Vec<u8> = id.iter().copied().take_while(u8::is_ascii_graphic).collect();
    if readable.len() >= 4 {
        return Untrusted::from_bytes(&readable);
    }
    Untrusted::new(id.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// A version part: 0-9, then A is 10 as in `-lt0D60-`.
fn number(byte: u8) -> u32 {
    char::from(byte).to_digit(36).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(prefix: &[u8]) -> String {
        let mut id = [0xff; 20];
        id[..prefix.len()].copy_from_slice(prefix);
        client_name(&PeerId(id)).raw().to_owned()
    }

    #[test]
    fn ours_names_us_and_differs_from_run_to_run() {
        let first = ours(&mut fastrand::Rng::with_seed(1));
        let second = ours(&mut fastrand::Rng::with_seed(2));
        assert!(first.0.starts_with(b"-UK") && first != second);
        assert_eq!(client_name(&first).raw(), concat!("unchoke ", env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn known_clients_are_named() {
        assert_eq!(name(b"-TR4050-"), "Transmission 4.0.5");
        assert_eq!(name(b"-qB4630-"), "qBittorrent 4.6.3");
        assert_eq!(name(b"-lt0D60-"), "libTorrent (rTorrent) 0.13.6");
        assert_eq!(name(b"-LT20B1-"), "libtorrent 2.0.11.1");
        assert_eq!(name(b"A2-1-36-0-"), "aria2 1.36.0");
        assert_eq!(name(b"M7-10-1--"), "Mainline 7.10.1");
        assert_eq!(name(b"-XY1200-"), "XY 1.2.0");
    }

    #[test]
    fn anything_else_is_shown_as_it_is() {
        assert_eq!(name(b"exbc"), "exbc");
        assert_eq!(name(b"\x1b[2J"), format!("1b5b324a{}", "ff".repeat(16)));
    }
}
