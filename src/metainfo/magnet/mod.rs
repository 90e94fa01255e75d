//! Magnet links (BEP 9, BEP 52, BEP 53): what to look for, and where.
//!
//! A link without a usable info-hash, or with a broken one, is refused whole. Any other parameter that is
//! broken or unsafe is left out, with a line in `left_out` that says why. Counts are bounded and file ranges
//! stay ranges, however long the link claims they are.

mod encoding;
mod selection;
mod torrent;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use self::encoding::{base32_hash, percent_decoded, write_percent_encoded};
pub use self::selection::Selection;
use super::parse::Metainfo;
use crate::contract::{Untrusted, redact_url};
use crate::limits::{
    LEFT_OUT_CHARS_MAX, MAGNET_BYTES_MAX, NODES_MAX, TRACKERS_MAX, URL_BYTES_MAX, WEBSEEDS_MAX,
};
use crate::units::{InfoHashV1, InfoHashV2, TorrentId};

/// A magnet link that was understood. As bytes, for recordings, it is what finding the metadata depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Magnet {
    /// `xt=urn:btih:`.
    pub info_hash_v1: Option<InfoHashV1>,
    /// `xt=urn:btmh:`.
    pub info_hash_v2: Option<InfoHashV2>,
    /// `dn`: a name to show until the metadata is here.
    pub name: Option<Untrusted>,
    /// `tr`: announce URLs, each a tier of its own.
    pub trackers: Vec<String>,
    /// `ws`: web servers that hold the files (BEP 19).
    #[serde(skip)]
    pub webseeds: Vec<String>,
    /// `xs` and `as`: http(s) URLs of the .torrent itself.
    #[serde(skip)]
    pub sources: Vec<String>,
    /// `x.pe`: peers to start from.
    pub peers: Vec<SocketAddr>,
    /// `so`: the files that are wanted (BEP 53); `None`: all.
    #[serde(skip)]
    pub selection: Option<Selection>,
    /// What was left out, and why.
    #[serde(skip)]
    pub left_out: Vec<LeftOut>,
}

/// A parameter that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Which parameter.
    pub parameter: &'static str,
    /// What it says, fit for showing.
    pub value: Untrusted,
    /// Why it was left out.
    pub reason: &'static str,
}

/// Why a text is not a usable magnet link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MagnetError {
    /// It starts otherwise.
    #[error("not a magnet link: it does not start with 'magnet:?'")]
    NotAMagnet,
    /// Longer than any link needs to be.
    #[error("the magnet link has {bytes} bytes; at most {bytes_max} are read")]
    TooLong {
        /// How many there are.
        bytes: usize,
        /// How many are read.
        bytes_max: usize,
    },
    /// No `xt` names a torrent.
    #[error("the magnet link names no torrent: it has no 'xt=urn:btih:' and no 'xt=urn:btmh:'")]
    MissingHash,
    /// A v1 info-hash of the wrong form.
    #[error("the magnet link's btih info-hash is broken: it must be 40 hex digits or 32 base32 letters")]
    BadHashV1,
    /// A v2 info-hash of the wrong form.
    #[error("the magnet link's btmh info-hash is broken: it must be '1220' (SHA-256) and 64 hex digits")]
    BadHashV2,
    /// Two info-hashes of one version.
    #[error("the magnet link names two different torrents")]
    TwoTorrents,
}

impl Magnet {
    /// Reads a link.
    pub fn parse(link: &str) -> Result<Self, MagnetError> {
        let link = link.trim();
        if link.len() > MAGNET_BYTES_MAX {
            return Err(MagnetError::TooLong { bytes: link.len(), bytes_max: MAGNET_BYTES_MAX });
        }
        let query = link.split_at_checked(8).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("magnet:?"));
        let (_, query) = query.ok_or(MagnetError::NotAMagnet)?;
        let mut magnet = Self::default();
        for (key, value) in query.split('&').filter_map(|parameter| parameter.split_once('=')) {
            magnet.take(key, value)?;
        }
        if magnet.info_hash_v1.is_none() && magnet.info_hash_v2.is_none() {
            return Err(MagnetError::MissingHash);
        }
        Ok(magnet)
    }

    /// The link to a torrent that is known.
    pub fn of(torrent: &Metainfo) -> Self {
        Self {
            info_hash_v1: torrent.info.info_hash_v1,
            info_hash_v2: torrent.info.info_hash_v2,
            name: Some(torrent.info.name.clone()),
            trackers: torrent.trackers.iter().flatten().cloned().collect(),
            webseeds: torrent.webseeds.clone(),
            ..Self::default()
        }
    }

    /// What the torrent is known by. Metadata may show that a v2 link is to a hybrid, whose id is its v1
    /// info-hash.
    pub fn id(&self) -> TorrentId {
        TorrentId(self.swarm_hashes().first().copied().expect("a magnet has at least one info-hash"))
    }

    /// The info-hashes to announce and to shake hands with, v1 first; a v2 one cut to 20 bytes (BEP 52).
    pub fn swarm_hashes(&self) -> Vec<[u8; 20]> {
        let v1 = self.info_hash_v1.map(|hash| hash.0);
        v1.into_iter().chain(self.info_hash_v2.map(|hash| hash.truncated())).collect()
    }

    fn take(&mut self, key: &str, value: &str) -> Result<(), MagnetError> {
        // Repeated keys may be numbered: tr.1, tr.2.
        let name = match key.rsplit_once('.') {
            Some((name, number))
                if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                name
            }
            Some(_) | None => key,
        };
        let decoded = percent_decoded(value);
        let text = String::from_utf8_lossy(&decoded);
        match name {
            "xt" => self.take_topic(&text)?,
            "dn" => self.name = Some(Untrusted::from_bytes(&percent_decoded(&value.replace('+', " ")))),
            "tr" => match checked_url(&text, &["http", "https", "udp"]) {
                Ok(url) => self.keep_url("tr", url, TRACKERS_MAX, |magnet| &mut magnet.trackers),
                Err(reason) => self.leave_out("tr", &text, reason),
            },
            "ws" => match checked_web_url(&text) {
                Ok(url) => self.keep_url("ws", url, WEBSEEDS_MAX, |magnet| &mut magnet.webseeds),
                Err(reason) => self.leave_out("ws", &text, reason),
            },
            "xs" | "as" => match checked_web_url(&text) {
                Ok(url) => self.keep_url("xs", url, WEBSEEDS_MAX, |magnet| &mut magnet.sources),
                Err(reason) => self.leave_out("xs", &text, reason),
            },
            "x.pe" => match text.parse::<SocketAddr>() {
                Ok(peer) if peer.port() == 0 => self.leave_out("x.pe", &text, "port 0 cannot be called"),
                Ok(_) if self.peers.len() >= NODES_MAX => self.leave_out("x.pe", &text, "there are too many"),
                Ok(peer) if self.peers.contains(&peer) => {}
                Ok(peer) => self.peers.push(peer),
                Err(_) => {
                    self.leave_out(
                        "x.pe",
                        &text,
                        "it is not an address with a port; names are not looked up",
                    );
                }
            },
            "so" => match Selection::parse(&text) {
                Some(selection) => self.selection = Some(selection),
                None => self.leave_out("so", &text, "it is not a list of file numbers and ranges"),
            },
            _ => {}
        }
        Ok(())
    }

    fn take_topic(&mut self, topic: &str) -> Result<(), MagnetError> {
        let after = |prefix: &str| {
            let (start, rest) = topic.split_at_checked(prefix.len())?;
            start.eq_ignore_ascii_case(prefix).then_some(rest)
        };
        if let Some(hash) = after("urn:btih:") {
            let hash = match hash.len() {
                32 => base32_hash(hash).map(InfoHashV1),
                _ => hash.parse().ok(),
            };
            let hash = hash.ok_or(MagnetError::BadHashV1)?;
            if self.info_hash_v1.replace(hash).is_some_and(|other| other != hash) {
                return Err(MagnetError::TwoTorrents);
            }
        } else if let Some(hash) = after("urn:btmh:") {
            // A multihash: 0x12 is SHA-256, 0x20 its length.
            let hash = hash.strip_prefix("1220").and_then(|hash| hash.parse().ok());
            let hash: InfoHashV2 = hash.ok_or(MagnetError::BadHashV2)?;
            if self.info_hash_v2.replace(hash).is_some_and(|other| other != hash) {
                return Err(MagnetError::TwoTorrents);
            }
        }
        Ok(())
    }

    fn keep_url(
        &mut self,
        parameter: &'static str,
        url: String,
        count_max: usize,
        list: fn(&mut Self) -> &mut Vec<String>,
    ) {
        let kept = list(self);
        if kept.len() >= count_max {
            self.leave_out(parameter, &url, "there are too many");
        } else if !kept.contains(&url) {
            kept.push(url);
        }
    }

    fn leave_out(&mut self, parameter: &'static str, value: &str, reason: &'static str) {
        // One line a parameter and reason tells enough; ten thousand tell less.
        if !self.left_out.iter().any(|known| known.parameter == parameter && known.reason == reason) {
            let value = redact_url(&value.chars().take(LEFT_OUT_CHARS_MAX).collect::<String>());
            self.left_out.push(LeftOut { parameter, value, reason });
        }
    }
}

/// Writes the link. What was left out when it was read stays out.
impl fmt::Display for Magnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "magnet:?";
        let mut parameter = |f: &mut fmt::Formatter<'_>, start: fmt::Arguments<'_>, value: &str| {
            f.write_str(std::mem::replace(&mut separator, "&"))?;
            f.write_fmt(start)?;
            write_percent_encoded(f, value)
        };
        if let Some(hash) = self.info_hash_v1 {
            parameter(f, format_args!("xt=urn:btih:{hash}"), "")?;
        }
        if let Some(hash) = self.info_hash_v2 {
            parameter(f, format_args!("xt=urn:btmh:1220{hash}"), "")?;
        }
        if let Some(name) = &self.name {
            parameter(f, format_args!("dn="), name.raw())?;
        }
        let lists = [("tr=", &self.trackers), ("ws=", &self.webseeds), ("xs=", &self.sources)];
        for (key, list) in lists {
            list.iter().try_for_each(|url| parameter(f, format_args!("{key}"), url))?;
        }
        self.peers.iter().try_for_each(|peer| parameter(f, format_args!("x.pe={peer}"), ""))?;
        self.selection.iter().try_for_each(|selection| parameter(f, format_args!("so={selection}"), ""))
    }
}

/// A URL of one of these schemes.
fn checked_url(text: &str, schemes: &[&str]) -> Result<String, &'static str> {
    let text = text.trim();
    if text.len() > URL_BYTES_MAX {
        return Err("it is too long");
    }
    let url = url::Url::parse(text).map_err(|_| "it is not a URL")?;
    if !schemes.contains(&url.scheme()) {
        return Err("its scheme is not one that may be fetched");
    }
    if url.host().is_none() {
        return Err("it names no host");
    }
    Ok(text.to_owned())
}

/// A URL that a link may make us fetch: not of this machine or its neighbours, which a stranger cannot ask
/// for himself. The address behind a host name is checked when it is fetched.
fn checked_web_url(text: &str) -> Result<String, &'static str> {
    let text = checked_url(text, &["http", "https"])?;
    let own = match url::Url::parse(&text).ok().as_ref().and_then(url::Url::host) {
        Some(url::Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
        }
        Some(url::Host::Ipv4(address)) => is_own(IpAddr::V4(address)),
        Some(url::Host::Ipv6(address)) => is_own(IpAddr::V6(address)),
        None => true,
    };
    if own { Err("it points at this machine or its local network") } else { Ok(text) }
}

fn is_own(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_unspecified() || v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests;
