//! The torrent that a word of the command line names, read before anything else is done: a mistyped name must not leave
//! a started engine or a state folder behind.

use std::path::Path;

use anyhow::{Context, bail};
use bytes::Bytes;

use super::show;
use crate::contract::{Source, Untrusted};
use crate::metainfo::{Magnet, Metainfo, parse};
use crate::session::discovery::{DiscoverySettings, Http, fetch_torrent};

/// What the word names, and the torrent where it can be known at once. A URL is only asked for by the engine.
pub(super) fn check(word: &str) -> anyhow::Result<(Source, Option<Metainfo>)> {
    let source = Source::guess(word);
    let torrent = match &source {
        Source::Path(path) => Some(parse_named(read_file(path)?, word)?),
        Source::Magnet(link) => {
            Magnet::parse(link)?;
            None
        }
        Source::Url(_) | Source::Bytes(_) => None,
    };
    Ok((source, torrent))
}

/// What the word names; what it names on the web is fetched.
pub(super) fn fetch(word: &str) -> anyhow::Result<Source> {
    match Source::guess(word) {
        Source::Url(url) => {
            let http = Http::new(DiscoverySettings::default());
            let bytes = super::runtime()?.block_on(fetch_torrent(&http, &url))?;
            Ok(Source::Bytes(bytes))
        }
        source @ (Source::Path(_) | Source::Magnet(_) | Source::Bytes(_)) => Ok(source),
    }
}

/// The torrent itself. A magnet will not do: it holds no hashes of pieces.
pub(super) fn read_torrent(word: &str) -> anyhow::Result<Metainfo> {
    match fetch(word)? {
        Source::Path(path) => parse_named(read_file(&path)?, word),
        Source::Bytes(bytes) => parse_named(bytes.into(), word),
        Source::Magnet(_) | Source::Url(_) => {
            bail!("{} holds no hashes to compare with: name the .torrent file instead", Untrusted::new(word))
        }
    }
}

fn parse_named(bytes: Bytes, word: &str) -> anyhow::Result<Metainfo> {
    parse(bytes).with_context(|| format!("{} is not a valid torrent", Untrusted::new(word)))
}

fn read_file(path: &Path) -> anyhow::Result<Bytes> {
    show::read(path).map_err(|error| {
        let name = Untrusted::new(path.to_string_lossy());
        let is_missing = error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        let hint = match is_missing {
            true => " (a SRC is a .torrent file, a URL of one, a magnet link or an info-hash)",
            false => "",
        };
        error.context(format!("cannot read {name}{hint}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_names_nothing_is_told_with_what_would() {
        let error = format!("{:#}", check("downlaod").unwrap_err());
        assert!(error.contains("downlaod") && error.contains("a SRC is"), "{error}");
        assert!(check("magnet:?dn=nothing").is_err());
        assert!(check("http://127.0.0.1:1/a.torrent").is_ok(), "left to the engine");
    }
}
