//! Between the torrent and its trackers: what is announced, and what an answer changes.

use super::Torrent;
use crate::codec::tracker::{AnnounceAnswer, AnnounceRequest, TrackerError};
use crate::contract::PeerSource;
use crate::engine::io::{Effect, TrackerKey};
use crate::engine::trackers::{Due, PeerNeed};
use crate::limits;
use crate::units::Time;

impl Torrent {
    pub(super) fn pump_trackers(&mut self, now: Time) {
        let lonely = self.connections.len() < limits::CONNECTIONS_WANTED && !self.pieces.is_finished();
        self.trackers.set_need(if lonely { PeerNeed::More } else { PeerNeed::Enough });
        while let Some(due) = self.trackers.poll(now) {
            let effect = match due {
                Due::Announce { tracker, url, event, num_want, key } => {
                    let request = AnnounceRequest {
                        info_hash: self.id.0,
                        peer_id: self.peer_id.0,
                        port: self.listen_port,
                        uploaded_bytes: self.totals.session_uploaded_bytes,
                        downloaded_bytes: self.totals.session_downloaded_bytes,
                        left_bytes: self.pieces.missing_bytes(),
                        event,
                        num_want,
                        key,
                    };
                    Effect::Announce { tracker, url, request }
                }
                Due::Scrape { tracker, url } => Effect::Scrape { tracker, url, info_hash: self.id.0 },
            };
            self.effects.push_back(effect);
        }
    }

    pub(super) fn announced(
        &mut self,
        now: Time,
        tracker: TrackerKey,
        result: Result<AnnounceAnswer, TrackerError>,
    ) {
        let (peers, event) = self.trackers.take_answer(now, tracker, result);
        if !self.phase.transfers() {
            return;
        }
        self.known.found(now, PeerSource::Tracker, &peers);
        self.notify(event);
    }
}
