//! URLs of what a webseed has, byte for byte: every part of a path encoded, nothing else touched.

use std::fmt::Write as _;

use url::{Host, Url};

use crate::engine::io::HostKey;
use crate::metainfo::File;
use crate::units::PieceIndex;

/// Scheme, host and port of a URL, or why it is no URL of a webseed.
pub(super) fn host_key(url: &str) -> Result<HostKey, String> {
    let parsed = Url::parse(url).map_err(|error| format!("not a URL: {error}"))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(format!("{} is not http or https", parsed.scheme()));
    }
    let host = parsed.host().ok_or("it names no host")?;
    let port = parsed.port_or_known_default().unwrap_or_default();
    let host = match host {
        Host::Domain(name) => name.trim_end_matches('.').to_ascii_lowercase(),
        Host::Ipv4(ip) => ip.to_string(),
        Host::Ipv6(ip) => format!("[{ip}]"),
    };
    Ok(format!("{}://{host}:{port}", parsed.scheme()).into())
}

/// The URL of a file (BEP 19). A torrent of one file is at the URL itself, or below it where it ends in `/`; the files of
/// others are below it, under the torrent's name.
pub(super) fn file_url(base: &str, file: &File) -> String {
    let parts = file.spelled_parts();
    let is_lone = parts.len() == 1;
    // A query belongs behind the path.
    let (path, query) = base.split_once('?').map_or((base, None), |(path, query)| (path, Some(query)));
    let mut url = path.to_owned();
    if !is_lone && !url.ends_with('/') {
        url.push('/');
    }
    if url.ends_with('/') {
        for (at, part) in parts.into_iter().enumerate() {
            if at > 0 {
                url.push('/');
            }
            encode(part, &mut url);
        }
    }
    if let Some(query) = query {
        url.push('?');
        url.push_str(query);
    }
    url
}

/// The URL of a range of a piece (BEP 17).
pub(super) fn piece_url(base: &str, info_hash: &[u8], piece: PieceIndex, (from, to): (u32, u32)) -> String {
    let mut url = base.to_owned();
    url.push(if base.contains('?') { '&' } else { '?' });
    url.push_str("info_hash=");
    encode(info_hash, &mut url);
    // The end is that of the last byte, not behind it.
    let _ = write!(url, "&piece={}&ranges={from}-{}", piece.0, to.saturating_sub(1));
    url
}

/// Percent-encodes all but what RFC 3986 calls unreserved.
fn encode(bytes: &[u8], url: &mut String) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metainfo::{self, Info};

    fn info(torrent: &[u8]) -> std::sync::Arc<Info> {
        metainfo::parse(bytes::Bytes::copy_from_slice(torrent)).unwrap().info
    }

    fn one_file(name: &str) -> std::sync::Arc<Info> {
        let hash = [0u8; 20];
        let mut torrent =
            format!("d4:infod6:lengthi5e4:name{}:{name}12:piece lengthi16384e6:pieces20:", name.len())
                .into_bytes();
        torrent.extend(hash);
        torrent.extend(b"ee");
        info(&torrent)
    }

    fn in_folder(name: &str, parts: &[&str]) -> std::sync::Arc<Info> {
        let path: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
        let mut torrent = format!(
            "d4:infod5:filesld6:lengthi5e4:pathl{path}eee4:name{}:{name}12:piece lengthi16384e6:pieces20:",
            name.len()
        )
        .into_bytes();
        torrent.extend([0u8; 20]);
        torrent.extend(b"ee");
        info(&torrent)
    }

    #[test]
    fn fault_45_every_path_part_is_encoded_and_slashes_decide_what_is_appended() {
        let lone = one_file("a b#c.iso");
        let at = |base: &str| file_url(base, &lone.files[0]);
        assert_eq!(at("http://h/x.iso"), "http://h/x.iso", "the URL is the file");
        assert_eq!(at("http://h/d/"), "http://h/d/a%20b%23c.iso");
        assert_eq!(at("http://h/get?f=1"), "http://h/get?f=1");
        let deep = in_folder("t t", &["50%?", "ü & ~.bin"]);
        let at = |base: &str| file_url(base, &deep.files[0]);
        assert_eq!(at("http://h/d"), "http://h/d/t%20t/50%25%3F/%C3%BC%20%26%20~.bin");
        assert_eq!(at("http://h/d/"), "http://h/d/t%20t/50%25%3F/%C3%BC%20%26%20~.bin");
        assert_eq!(at("http://h/d?k=1"), "http://h/d/t%20t/50%25%3F/%C3%BC%20%26%20~.bin?k=1");
    }

    #[test]
    fn fault_45_files_are_asked_for_as_the_torrent_spells_them_not_as_they_are_made_safe() {
        let odd = in_folder("a\\b", &["c\u{202e}d", "e\u{7}.bin"]);
        assert_eq!(odd.files[0].path.as_str(), "ab/cd/e.bin");
        let url = file_url("http://h/", &odd.files[0]);
        assert_eq!(url, "http://h/a%5Cb/c%E2%80%AEd/e%07.bin");
        // What leads out of the server's folder stays in it.
        let url = file_url("http://h/", &in_folder("t", &["..", "x"]).files[0]);
        assert_eq!(url, "http://h/t/_/x");
    }

    #[test]
    fn ranges_of_pieces_name_their_last_byte() {
        let url = piece_url("http://h/seed.php", &[0, b'a', 0xff], PieceIndex(3), (0, 16384));
        assert_eq!(url, "http://h/seed.php?info_hash=%00a%FF&piece=3&ranges=0-16383");
        let url = piece_url("http://h/s?x=1", b"z", PieceIndex(0), (16384, 16389));
        assert_eq!(url, "http://h/s?x=1&info_hash=z&piece=0&ranges=16384-16388");
    }

    #[test]
    fn a_host_is_its_scheme_name_and_port() {
        assert_eq!(&*host_key("http://User:pw@Host.example./a").unwrap(), "http://host.example:80");
        assert_eq!(&*host_key("https://[2001:DB8::1]:8443/").unwrap(), "https://[2001:db8::1]:8443");
        assert!(host_key("ftp://h/").unwrap_err().contains("ftp"));
        assert!(host_key("no url").is_err());
    }
}
