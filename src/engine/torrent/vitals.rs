//! What a torrent tells beyond its detail to whoever asks for a report: costs by the piece, so nothing publishes it.

use std::collections::BTreeMap;

use super::Torrent;
use crate::contract::{PeerVitals, TorrentVitals};
use crate::engine::peers::ban::Sender;
use crate::units::{PieceIndex, Time};

impl Torrent {
    /// What is known of it and its peers beyond [`Self::detail`].
    pub fn vitals(&self, now: Time) -> TorrentVitals {
        let mut touched: BTreeMap<Sender, u32> = BTreeMap::new();
        let unfinished = self.pieces.partials().map(|(_, partial)| partial.senders());
        for sender in unfinished.chain(self.storing.senders()).flatten() {
            *touched.entry(sender).or_default() += 1;
        }
        let metadata_bytes = self.info.raw().len() as u64;
        let millis = |at: Time| u64::try_from(at.since(now).as_millis()).unwrap_or(u64::MAX);
        let deadline = self.next_deadline();
        TorrentVitals {
            info_hash_v2: self.info.info_hash_v2.map(|hash| hash.to_string()),
            announce_key: self.trackers.announce_key(),
            metadata_bytes: Some(metadata_bytes),
            metadata_have_bytes: metadata_bytes,
            order_length: u32::try_from(self.pieces.order().len()).unwrap_or(u32::MAX),
            availability: self.availability(),
            readers: self.readers.spans(self.info.piece_length),
            next_deadline: deadline.map(|(at, reason)| (reason.words().to_owned(), millis(at))),
            webseed_pieces: webseeds(&touched),
            peers: self.peer_vitals(now, &touched),
        }
    }

    fn peer_vitals(&self, now: Time, touched: &BTreeMap<Sender, u32>) -> Vec<PeerVitals> {
        let pieces_of = |address| touched.get(&Sender::Peer(address)).copied().unwrap_or(0);
        self.connections.values().map(|peer| peer.vitals(now, pieces_of(peer.address))).collect()
    }

    /// How many pieces so many connected peers have.
    fn availability(&self) -> Vec<(u32, u32)> {
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        for piece in (0..self.info.piece_count()).map(PieceIndex) {
            *counts.entry(self.pieces.sources(piece)).or_default() += 1;
        }
        counts.into_iter().collect()
    }
}

fn webseeds(touched: &BTreeMap<Sender, u32>) -> Vec<(crate::units::WebseedKey, u32)> {
    let of_webseeds = touched.iter().filter_map(|(sender, pieces)| match sender {
        Sender::Webseed(key) => Some((*key, *pieces)),
        Sender::Peer(_) => None,
    });
    of_webseeds.collect()
}
