//! `unchoke show`: what a torrent or magnet says, for people or as one JSON object with stable keys.

use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, bail};
use bytes::Bytes;
use serde::Serialize;

use super::json;
use crate::contract::{Source, Untrusted, redact_url};
use crate::limits::TORRENT_BYTES_MAX;
use crate::metainfo::{Kind, Magnet, Metainfo, SafePath, parse};
use crate::tui::format;

/// How the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Writes what the source says. A URL is fetched by the caller, who passes the bytes.
pub fn run(source: &Source, form: Form, out: &mut dyn Write) -> anyhow::Result<()> {
    let (shown, notes) = match source {
        Source::Path(path) => {
            let name = Untrusted::new(path.to_string_lossy());
            let torrent = read(path).with_context(|| format!("cannot read {name}"))?;
            let torrent = parse(torrent).with_context(|| format!("{name} is not a valid torrent"))?;
            (Shown::of_torrent(&torrent), Vec::new())
        }
        Source::Bytes(bytes) => {
            let torrent = parse(Bytes::copy_from_slice(bytes)).context("this is not a valid torrent")?;
            (Shown::of_torrent(&torrent), Vec::new())
        }
        Source::Magnet(link) => {
            let magnet = Magnet::parse(link)?;
            let note = |out: &crate::metainfo::magnet::LeftOut| {
                format!("ignored {}={}: {}", out.parameter, out.value, out.reason)
            };
            (Shown::of_magnet(&magnet), magnet.left_out.iter().map(note).collect())
        }
        Source::Url(url) => bail!("{} must be fetched first: save it and give the file", redact_url(url)),
    };
    match form {
        Form::Json => writeln!(out, "{}", json::line(&shown)?)?,
        Form::Text => {
            shown.write(out)?;
            notes.iter().try_for_each(|note| writeln!(out, "note           {note}"))?;
        }
    }
    Ok(())
}

/// The bytes of a file, if it is not larger than any torrent.
pub fn read(path: &Path) -> anyhow::Result<Bytes> {
    let mut bytes = Vec::new();
    let longest = TORRENT_BYTES_MAX as u64 + 1;
    std::fs::File::open(path)?.take(longest).read_to_end(&mut bytes)?;
    Ok(Bytes::from(bytes))
}

/// The keys of `show --json`. What a magnet cannot know is null, or empty.
#[derive(Debug, Serialize)]
struct Shown {
    name: Option<Untrusted>,
    kind: &'static str,
    info_hash_v1: Option<String>,
    info_hash_v2: Option<String>,
    total_bytes: Option<u64>,
    piece_length: Option<u32>,
    pieces: Option<u32>,
    private: Option<bool>,
    files: Vec<ShownFile>,
    trackers: Vec<Vec<String>>,
    webseeds: Vec<String>,
    httpseeds: Vec<String>,
    nodes: Vec<(String, u16)>,
    comment: Option<Untrusted>,
    created_by: Option<Untrusted>,
    creation_date: Option<i64>,
    source: Option<Untrusted>,
}

#[derive(Debug, Serialize)]
struct ShownFile {
    path: String,
    bytes: u64,
    pad: bool,
    /// Where it points.
    symlink: Option<String>,
}

impl Shown {
    fn of_torrent(torrent: &Metainfo) -> Self {
        let info = &torrent.info;
        let file = |file: &crate::metainfo::File| ShownFile {
            path: file.path.to_string(),
            bytes: file.bytes,
            pad: file.pad,
            symlink: file.symlink.as_ref().map(SafePath::to_string),
        };
        Self {
            name: Some(info.name.clone()),
            kind: info.kind.word(),
            info_hash_v1: info.info_hash_v1.map(|hash| hash.to_string()),
            info_hash_v2: info.info_hash_v2.map(|hash| hash.to_string()),
            total_bytes: Some(info.payload_bytes()),
            piece_length: Some(info.piece_length),
            pieces: Some(info.piece_count()),
            private: Some(info.private),
            files: info.files.iter().map(file).collect(),
            trackers: torrent.trackers.clone(),
            webseeds: torrent.webseeds.clone(),
            httpseeds: torrent.httpseeds.clone(),
            nodes: torrent.nodes.clone(),
            comment: torrent.comment.clone(),
            created_by: torrent.created_by.clone(),
            creation_date: torrent.creation_date,
            source: info.source.clone(),
        }
    }

    fn of_magnet(magnet: &Magnet) -> Self {
        let kind = match (magnet.info_hash_v1, magnet.info_hash_v2) {
            (Some(_), Some(_)) => Kind::Hybrid,
            (None, Some(_)) => Kind::V2,
            (Some(_) | None, None) => Kind::V1,
        };
        Self {
            name: magnet.name.clone(),
            kind: kind.word(),
            info_hash_v1: magnet.info_hash_v1.map(|hash| hash.to_string()),
            info_hash_v2: magnet.info_hash_v2.map(|hash| hash.to_string()),
            total_bytes: None,
            piece_length: None,
            pieces: None,
            private: None,
            files: Vec::new(),
            trackers: magnet.trackers.iter().map(|url| vec![url.clone()]).collect(),
            webseeds: magnet.webseeds.clone(),
            httpseeds: Vec::new(),
            nodes: Vec::new(),
            comment: None,
            created_by: None,
            creation_date: None,
            source: None,
        }
    }

    /// For people: one fact a line, secrets in URLs hidden.
    fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let mut fact = |name: &str, value: Option<String>| match value {
            Some(value) => writeln!(out, "{name:<14} {value}"),
            None => Ok(()),
        };
        let shown = |text: &Option<Untrusted>| text.as_ref().map(Untrusted::shown);
        fact("name", shown(&self.name))?;
        fact("kind", Some(self.kind.to_owned()))?;
        fact("info-hash v1", self.info_hash_v1.clone())?;
        fact("info-hash v2", self.info_hash_v2.clone())?;
        let exact = |bytes: u64| if bytes < 1000 { String::new() } else { format!(" ({bytes} bytes)") };
        fact("size", self.total_bytes.map(|bytes| format::bytes(bytes) + &exact(bytes)))?;
        let pieces = self.pieces.zip(self.piece_length);
        fact("pieces", pieces.map(|(count, length)| format!("{count} of {}", format::bytes(length.into()))))?;
        fact(
            "private",
            self.private.filter(|private| *private).map(|_| "yes: peers from its trackers only".to_owned()),
        )?;
        fact("comment", shown(&self.comment))?;
        fact("created by", shown(&self.created_by))?;
        fact(
            "creation date",
            self.creation_date.map(|date| format!("{} ({date})", format::date_time(date))),
        )?;
        fact("source", shown(&self.source))?;
        for (tier, urls) in self.trackers.iter().enumerate() {
            urls.iter()
                .try_for_each(|url| fact("tracker", Some(format!("{} (tier {tier})", redact_url(url)))))?;
        }
        self.webseeds.iter().try_for_each(|url| fact("webseed", Some(redact_url(url).shown())))?;
        let httpseed = |url: &String| Some(format!("{} (BEP 17)", redact_url(url)));
        self.httpseeds.iter().try_for_each(|url| fact("httpseed", httpseed(url)))?;
        let node = |(host, port): &(String, u16)| Some(format!("{}:{port}", Untrusted::new(host.as_str())));
        self.nodes.iter().try_for_each(|at| fact("DHT node", node(at)))?;
        for file in self.files.iter().filter(|file| !file.pad) {
            let target =
                file.symlink.as_ref().map(|target| format!(" -> {}", Untrusted::new(target.as_str())));
            let path = Untrusted::new(file.path.as_str());
            fact(
                "file",
                Some(format!("{:>10}  {path}{}", format::bytes(file.bytes), target.unwrap_or_default())),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metainfo::create::{Options, from_memory, from_memory_with};

    fn shown(source: &Source, form: Form) -> String {
        let mut out = Vec::new();
        run(source, form, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_has_exactly_the_stable_keys() {
        let torrent = from_memory("t", 32_768, &[("a", &[1; 5]), ("b", &[2; 40_000])], Kind::Hybrid).unwrap();
        let value: serde_json::Value =
            serde_json::from_str(&shown(&Source::Bytes(torrent), Form::Json)).unwrap();
        let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        let stable = [
            "comment",
            "created_by",
            "creation_date",
            "files",
            "httpseeds",
            "info_hash_v1",
            "info_hash_v2",
            "kind",
            "name",
            "nodes",
            "piece_length",
            "pieces",
            "private",
            "source",
            "total_bytes",
            "trackers",
            "webseeds",
        ];
        assert_eq!(keys, stable);
        assert_eq!(value["total_bytes"], 40_005);
        assert_eq!(value["files"][1]["pad"], true);
        assert_eq!(
            value["files"][2],
            serde_json::json!({"path": "t/b", "bytes": 40_000, "pad": false, "symlink": null})
        );
    }

    #[test]
    fn text_hides_passkeys_and_marks_hostile_names() {
        let link = format!(
            "magnet:?xt=urn:btih:{}&dn=a%1b[2J&tr=http://t.example/announce?passkey=x&ws=file:///x",
            "ab".repeat(20)
        );
        let text = shown(&Source::Magnet(link.clone()), Form::Text);
        assert!(text.contains("a␛[2J") && !text.contains('\u{1b}'));
        assert!(text.contains("http://t.example/announce?…") && !text.contains("passkey"));
        assert!(text.contains("ignored ws="));
        let value: serde_json::Value =
            serde_json::from_str(&shown(&Source::Magnet(link), Form::Json)).unwrap();
        assert_eq!(value["trackers"][0][0], "http://t.example/announce?passkey=x");
        assert_eq!(value["total_bytes"], serde_json::Value::Null);
    }

    #[test]
    fn what_is_not_valid_is_named() {
        let fails = |source| {
            run(&source, Form::Json, &mut Vec::new()).map_err(|error| format!("{error:#}")).unwrap_err()
        };
        assert!(fails(Source::Bytes(b"d4:infodee".to_vec())).contains("piece length"));
        assert!(fails(Source::Path("/nonexistent/x.torrent".into())).contains("/nonexistent/x.torrent"));
        assert!(fails(Source::Magnet("magnet:?dn=x".into())).contains("names no torrent"));
    }

    #[test]
    fn people_read_a_date_and_sizes_as_elsewhere() {
        let options = Options { creation_date: Some(1_234_567_890), ..Options::default() };
        let torrent = from_memory_with("t", &[("a", &[1; 40_000])], &options).unwrap();
        let text = shown(&Source::Bytes(torrent), Form::Text);
        assert!(text.contains("creation date  2009-02-13 23:31:30 UTC (1234567890)"), "{text}");
        assert!(text.contains("size           39.0 KiB (40000 bytes)"), "{text}");
    }
}
