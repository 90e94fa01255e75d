//! From bytes to [`Metainfo`]: the outer dictionary, the info dictionary, and what both must agree on.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::error::MetainfoError;
use super::info::{File, Info, Kind, Name};
use super::path::safe_part;
use super::scan::scan;
use super::unique::make_unique;
use super::v2::LoneFile;
use super::{read, v1, v2};
use crate::contract::Untrusted;
use crate::limits::{
    BLOCK_BYTES, NODES_MAX, PIECE_LENGTH_MAX, PIECES_MAX, TORRENT_BYTES_MAX, TRACKERS_MAX, URL_BYTES_MAX,
    WEBSEEDS_MAX,
};
use crate::units::{InfoHashV1, InfoHashV2};

/// A .torrent file.
#[derive(Clone, Debug)]
pub struct Metainfo {
    /// What is shared.
    pub info: Arc<Info>,
    /// Announce URLs, tier by tier (BEP 12).
    pub trackers: Vec<Vec<String>>,
    /// Web servers that hold the files (BEP 19).
    pub webseeds: Vec<String>,
    /// Web servers that speak the older protocol (BEP 17).
    pub httpseeds: Vec<String>,
    /// DHT nodes to start from (BEP 5).
    pub nodes: Vec<(String, u16)>,
    /// What its maker says of it.
    pub comment: Option<Untrusted>,
    /// The program that made it.
    pub created_by: Option<Untrusted>,
    /// When it was made, in seconds since the Unix epoch.
    pub creation_date: Option<i64>,
    /// The whole file as it came.
    pub raw: Bytes,
}

/// Reads a .torrent file. Bytes after its dictionary are ignored.
pub fn parse(bytes: Bytes) -> Result<Metainfo, MetainfoError> {
    let outer = scanned(&bytes)?;
    let keys: [&[u8]; 12] = [
        b"info",
        b"announce",
        b"announce-list",
        b"url-list",
        b"httpseeds",
        b"nodes",
        b"comment",
        b"comment.utf-8",
        b"created by",
        b"created by.utf-8",
        b"creation date",
        b"piece layers",
    ];
    let [
        info,
        announce,
        announce_list,
        url_list,
        httpseeds,
        nodes,
        comment,
        comment_utf8,
        created_by,
        created_by_utf8,
        creation_date,
        layers,
    ] = read::fields(&outer, keys);
    let info = info.filter(|info| read::is_dictionary(info)).ok_or(MetainfoError::MissingInfo)?;
    let mut info = read_info(bytes.slice_ref(info))?;
    if let Some(layers) = layers.filter(|_| info.info_hash_v2.is_some()) {
        v2::read_layers(&bytes, layers, &mut info)?;
    }
    Ok(Metainfo {
        info: Arc::new(info),
        trackers: read_trackers(announce, announce_list),
        webseeds: read_urls(url_list),
        httpseeds: read_urls(httpseeds),
        nodes: nodes.map(read_nodes).unwrap_or_default(),
        comment: text(comment_utf8).or_else(|| text(comment)),
        created_by: text(created_by_utf8).or_else(|| text(created_by)),
        creation_date: creation_date.and_then(read::integer),
        raw: bytes,
    })
}

/// Reads an info dictionary alone, as peers send it (BEP 9). Piece layers are not part of it.
pub fn parse_info(raw_info: Bytes) -> Result<Info, MetainfoError> {
    let info = scanned(&raw_info)?;
    if info.len() != raw_info.len() {
        return Err(MetainfoError::InvalidBencoding {
            at: info.len(),
            what: "bytes follow the info dictionary",
        });
    }
    read_info(info)
}

/// The dictionary that `bytes` starts with, proved safe to read.
fn scanned(bytes: &Bytes) -> Result<Bytes, MetainfoError> {
    if bytes.len() > TORRENT_BYTES_MAX {
        return Err(MetainfoError::TooLarge { bytes: bytes.len(), bytes_max: TORRENT_BYTES_MAX });
    }
    let end = scan(bytes)?.end;
    if !read::is_dictionary(bytes) {
        return Err(MetainfoError::NotADictionary);
    }
    Ok(bytes.slice(..end))
}

/// Reads an info dictionary that was scanned.
fn read_info(raw: Bytes) -> Result<Info, MetainfoError> {
    let keys: [&[u8]; 10] = [
        b"meta version",
        b"piece length",
        b"name",
        b"name.utf-8",
        b"pieces",
        b"files",
        b"length",
        b"file tree",
        b"private",
        b"source",
    ];
    let [version, piece_length, name, name_utf8, pieces, files, length, tree, private, source] =
        read::fields(&raw, keys);
    let kind = read_kind(&raw, version, pieces)?;
    let piece_length = read_piece_length(piece_length, kind)?;
    let info_hash_v1 = (kind != Kind::V2).then(|| InfoHashV1(Sha1::digest(&raw).into()));
    let info_hash_v2 = (kind != Kind::V1).then(|| InfoHashV2(Sha256::digest(&raw).into()));
    let name = name_utf8.and_then(read::string).or_else(|| name.and_then(read::string));
    let spelled = name.ok_or(MetainfoError::MissingName { of: "the torrent has none" })?;
    let own_name = Some(safe_part(spelled)).filter(|name| !name.is_empty());
    // As in libtorrent, the info-hash may name a folder, but a lone file must have a name of its own.
    let list = files.filter(|files| read::is_list(files));
    if own_name.is_none() && kind == Kind::V1 && list.is_none() {
        return Err(MetainfoError::MissingName { of: "nothing of the torrent's name is usable" });
    }
    let name = own_name
        .or_else(|| info_hash_v1.map(|hash| hash.to_string()))
        .or_else(|| info_hash_v2.map(|hash| hash.to_string()))
        .unwrap_or_default();
    let own = Name { safe: &name, spelled };
    let mut files = read_files(kind, FileFields { list, length, tree }, own, piece_length)?;
    let name = match files.as_slice() {
        [file] if file.path.parts().count() == 1 => file.path.to_string(),
        _ => name,
    };
    let piece_count = count_pieces(&files, piece_length)?;
    let pieces = match kind {
        Kind::V1 | Kind::Hybrid => {
            let hashes = pieces.and_then(read::string).ok_or(MetainfoError::MissingPieces)?;
            if hashes.len() as u64 != u64::from(piece_count) * 20 {
                return Err(MetainfoError::IncorrectHashes { bytes: hashes.len(), pieces: piece_count });
            }
            raw.slice_ref(hashes)
        }
        Kind::V2 => Bytes::new(),
    };
    make_unique(&mut files)?;
    Ok(Info {
        name: Untrusted::new(name),
        kind,
        info_hash_v1,
        info_hash_v2,
        piece_length,
        private: private.and_then(read::integer).is_some_and(|flag| flag != 0),
        source: text(source),
        files,
        pieces,
        layers: BTreeMap::new(),
        piece_count,
        raw,
    })
}

/// The entries of an info dictionary that describe its files.
struct FileFields<'a> {
    list: Option<&'a [u8]>,
    length: Option<&'a [u8]>,
    tree: Option<&'a [u8]>,
}

/// The files with their offsets, the two halves of a hybrid joined.
fn read_files(
    kind: Kind,
    fields: FileFields<'_>,
    name: Name<'_>,
    piece_length: u32,
) -> Result<Vec<File>, MetainfoError> {
    let FileFields { list, length, tree } = fields;
    let v1_files = || match list {
        Some(list) => v1::read_files(list, name),
        None => v1::read_single(length, name),
    };
    let lone = if list.is_some() { LoneFile::IsInAFolder } else { LoneFile::IsTheTorrent };
    let v2_files = || v2::read_tree(tree.ok_or(MetainfoError::MissingFileTree)?, name, lone);
    match kind {
        Kind::V1 => side_by_side(v1_files()?),
        Kind::V2 => piece_aligned(v2_files()?, piece_length),
        Kind::Hybrid => {
            let tree = v2_files()?;
            joined(side_by_side(v1_files()?)?, tree, piece_length)
        }
    }
}

fn read_kind(raw: &[u8], version: Option<&[u8]>, pieces: Option<&[u8]>) -> Result<Kind, MetainfoError> {
    let version = version.and_then(read::integer).unwrap_or(1);
    if version > 2 {
        return Err(MetainfoError::UnsupportedVersion { version });
    }
    if version < 2 {
        return Ok(Kind::V1);
    }
    // BEP 52 makes order and spelling matter, so that one torrent has one info-hash.
    if let Some(irregular) = scan(raw)?.irregular {
        return Err(MetainfoError::InvalidBencoding { at: irregular.at, what: irregular.what });
    }
    Ok(if pieces.is_some() { Kind::Hybrid } else { Kind::V2 })
}

fn read_piece_length(raw: Option<&[u8]>, kind: Kind) -> Result<u32, MetainfoError> {
    let length = raw.and_then(read::integer).and_then(|length| u32::try_from(length).ok());
    length
        .filter(|length| (1..=PIECE_LENGTH_MAX).contains(length))
        .filter(|length| kind == Kind::V1 || (length.is_power_of_two() && *length >= BLOCK_BYTES))
        .ok_or(MetainfoError::MissingPieceLength)
}

/// Sets offsets so that each file starts where the last one ended.
fn side_by_side(files: Vec<File>) -> Result<Vec<File>, MetainfoError> {
    aligned_to(files, 1)
}

/// Sets offsets so that each file starts a piece (BEP 52).
fn piece_aligned(files: Vec<File>, piece_length: u32) -> Result<Vec<File>, MetainfoError> {
    aligned_to(files, u64::from(piece_length))
}

fn aligned_to(mut files: Vec<File>, alignment: u64) -> Result<Vec<File>, MetainfoError> {
    let mut end = 0u64;
    for file in &mut files {
        // An empty file takes no place, so it does not move what follows it.
        let start = if file.bytes > 0 { end.checked_next_multiple_of(alignment) } else { Some(end) };
        let placed = start.and_then(|start| Some((start, start.checked_add(file.bytes)?)));
        let (start, file_end) = placed.ok_or(MetainfoError::InvalidLength { of: "all files together" })?;
        file.offset = start;
        end = file_end;
    }
    Ok(files)
}

/// The v1 list of a hybrid with the roots of its v2 tree, after proving that both describe the same files.
fn joined(mut files: Vec<File>, tree: Vec<File>, piece_length: u32) -> Result<Vec<File>, MetainfoError> {
    let mut tree = tree.into_iter();
    for file in files.iter_mut().filter(|file| !file.pad) {
        let twin = tree.next().ok_or(MetainfoError::InconsistentFiles)?;
        let aligned = file.bytes == 0 || file.offset.is_multiple_of(u64::from(piece_length));
        if twin.path != file.path || twin.bytes != file.bytes || !aligned {
            return Err(MetainfoError::InconsistentFiles);
        }
        file.pieces_root = twin.pieces_root;
    }
    if tree.next().is_some() { Err(MetainfoError::InconsistentFiles) } else { Ok(files) }
}

fn count_pieces(files: &[File], piece_length: u32) -> Result<u32, MetainfoError> {
    let end = files.last().map_or(0, File::end);
    if end == 0 {
        return Err(MetainfoError::InvalidLength { of: "the torrent: every file is empty" });
    }
    u32::try_from(end.div_ceil(u64::from(piece_length)))
        .ok()
        .filter(|count| *count <= PIECES_MAX)
        .ok_or(MetainfoError::TooManyPieces { pieces_max: PIECES_MAX })
}

/// `announce-list` where it holds anything, else `announce` (BEP 12).
fn read_trackers(announce: Option<&[u8]>, announce_list: Option<&[u8]>) -> Vec<Vec<String>> {
    let mut tiers: Vec<Vec<String>> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    if let Some(list) = announce_list {
        read::items(list, |tier| {
            let mut urls = Vec::new();
            read::items(tier, |item| {
                if let Some(url) = url(item).filter(|url| seen.insert(url.clone())) {
                    urls.push(url);
                }
                bounded(seen.len(), TRACKERS_MAX)
            });
            if !urls.is_empty() {
                tiers.push(urls);
            }
            bounded(seen.len(), TRACKERS_MAX)
        });
    }
    if tiers.is_empty() {
        tiers.extend(announce.and_then(url).map(|url| vec![url]));
    }
    tiers
}

/// A string or a list of strings, repeated ones left out.
fn read_urls(raw: Option<&[u8]>) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    let Some(raw) = raw else { return urls };
    urls.extend(url(raw));
    read::items(raw, |item| {
        if let Some(url) = url(item).filter(|url| seen.insert(url.clone())) {
            urls.push(url);
        }
        bounded(urls.len(), WEBSEEDS_MAX)
    });
    urls
}

/// Lists of host and port; those of another shape are left out.
fn read_nodes(raw: &[u8]) -> Vec<(String, u16)> {
    let mut nodes = Vec::new();
    read::items(raw, |node| {
        let mut parts = Vec::with_capacity(2);
        read::items(node, |part| {
            parts.push(part);
            bounded(parts.len(), 2)
        });
        if let [host, port] = parts[..]
            && let Some(host) = read::string(host).and_then(|host| std::str::from_utf8(host).ok())
            && let Some(port) = read::integer(port).and_then(|port| u16::try_from(port).ok())
        {
            nodes.push((host.to_owned(), port));
        }
        bounded(nodes.len(), NODES_MAX)
    });
    nodes
}

fn bounded(count: usize, count_max: usize) -> ControlFlow<()> {
    if count < count_max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

fn url(raw: &[u8]) -> Option<String> {
    let url = String::from_utf8_lossy(read::string(raw)?).trim().to_owned();
    (!url.is_empty() && url.len() <= URL_BYTES_MAX).then_some(url)
}

fn text(raw: Option<&[u8]>) -> Option<Untrusted> {
    raw.and_then(read::string).map(Untrusted::from_bytes)
}
