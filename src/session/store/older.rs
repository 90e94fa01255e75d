//! Forms of values that earlier releases wrote: kept as they were, and read into those of today.

use std::net::SocketAddr;

use serde::Deserialize;

use super::record::SavedResume;
use crate::contract::{DownloadOrder, Priority};
use crate::engine::BannedPeer;
use crate::engine::io::{ResumeRecord, WebseedChoices};
use crate::session::disk::FileStamp;
use crate::units::PieceIndex;

/// [`SavedResume`] before torrents had an order.
#[derive(Deserialize)]
pub(super) struct ResumeV1 {
    record: RecordV1,
    stamps: Vec<Option<FileStamp>>,
}

#[derive(Deserialize)]
struct RecordV1 {
    have: Vec<u8>,
    known: Vec<u8>,
    partial: Vec<(PieceIndex, Vec<u8>)>,
    priorities: Vec<Priority>,
    paused: bool,
    downloaded_bytes: u64,
    uploaded_bytes: u64,
    peers: Vec<SocketAddr>,
    banned: Vec<BannedPeer>,
}

impl From<ResumeV1> for SavedResume {
    fn from(old: ResumeV1) -> Self {
        let ResumeV1 { record, stamps } = old;
        let RecordV1 {
            have,
            known,
            partial,
            priorities,
            paused,
            downloaded_bytes,
            uploaded_bytes,
            peers,
            banned,
        } = record;
        let record = ResumeRecord {
            have,
            known,
            partial,
            priorities,
            order: DownloadOrder::default(),
            paused,
            downloaded_bytes,
            uploaded_bytes,
            peers,
            banned,
            webseeds: WebseedChoices::default(),
        };
        Self { record, stamps }
    }
}

/// [`SavedResume`] before webseeds.
#[derive(Deserialize)]
pub(super) struct ResumeV2 {
    record: RecordV2,
    stamps: Vec<Option<FileStamp>>,
}

#[derive(Deserialize)]
struct RecordV2 {
    have: Vec<u8>,
    known: Vec<u8>,
    partial: Vec<(PieceIndex, Vec<u8>)>,
    priorities: Vec<Priority>,
    order: DownloadOrder,
    paused: bool,
    downloaded_bytes: u64,
    uploaded_bytes: u64,
    peers: Vec<SocketAddr>,
    banned: Vec<BannedPeer>,
}

impl From<ResumeV2> for SavedResume {
    fn from(old: ResumeV2) -> Self {
        let ResumeV2 { record: old, stamps } = old;
        let record = ResumeRecord {
            have: old.have,
            known: old.known,
            partial: old.partial,
            priorities: old.priorities,
            order: old.order,
            paused: old.paused,
            downloaded_bytes: old.downloaded_bytes,
            uploaded_bytes: old.uploaded_bytes,
            peers: old.peers,
            banned: old.banned,
            webseeds: WebseedChoices::default(),
        };
        Self { record, stamps }
    }
}
