//! A v1 torrent through lava_torrent's builder, which hashes on all cores.

use std::path::Path;

use lava_torrent::bencode::BencodeElem;
use lava_torrent::torrent::v1::TorrentBuilder;

use super::tree::Plan;
use super::{CreateError, Options, Privacy, shown};

/// The whole .torrent file. The plan has proved that the folder holds nothing the builder would trip over.
pub(super) fn build(
    path: &Path,
    plan: &Plan,
    piece_length: u32,
    options: &Options,
) -> Result<Vec<u8>, CreateError> {
    let failed = |reason: String| CreateError::Builder { path: shown(path), reason };
    let mut builder = TorrentBuilder::new(path, i64::from(piece_length))
        .set_name(plan.name.clone())
        .set_privacy(options.privacy == Privacy::Private)
        .set_announce(options.trackers.first().cloned());
    if options.trackers.len() > 1 {
        builder = builder.set_announce_list(options.trackers.iter().map(|url| vec![url.clone()]).collect());
    }
    if !options.webseeds.is_empty() {
        let urls = options.webseeds.iter().cloned().map(BencodeElem::String).collect();
        builder = builder.add_extra_field("url-list".to_owned(), BencodeElem::List(urls));
    }
    let texts = [("comment", &options.comment), ("created by", &options.created_by)];
    for (key, text) in texts {
        if let Some(text) = text {
            builder = builder.add_extra_field(key.to_owned(), BencodeElem::String(text.clone()));
        }
    }
    if let Some(date) = options.creation_date {
        builder = builder.add_extra_field("creation date".to_owned(), BencodeElem::Integer(date));
    }
    let torrent = builder.build().map_err(|error| failed(error.to_string()))?;
    torrent.encode().map_err(|error| failed(error.to_string()))
}
