//! Who sent wrong bytes, and who is not talked to again.
//!
//! A failed piece names its only contributor at once. With several contributors the blocks' digests are kept; the piece
//! is then fetched from one peer alone, and when it passes, whoever sent other bytes is the liar. An IO error never
//! bans anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::units::{PieceIndex, WebseedKey};

/// An address that is banned. On loopback one address is many peers, so there the port counts too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BannedPeer {
    address: IpAddr,
    port: Option<u16>,
}

impl BannedPeer {
    fn of(address: SocketAddr) -> Self {
        Self { address: address.ip(), port: address.ip().is_loopback().then_some(address.port()) }
    }
}

/// The banned, and the evidence against those not banned yet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::engine) struct Bans {
    banned: BTreeSet<BannedPeer>,
    /// For each piece that failed: what each contributor sent for each block.
    evidence: BTreeMap<PieceIndex, Vec<Contribution>>,
    salt: u64,
    #[serde(skip, default = "Digests::carried")]
    digests: Digests,
}

/// How blocks are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Digests {
    /// By their bytes.
    #[default]
    OfBytes,
    /// In a replay, which has no payload: by what [`SentBlock::carry`] put there.
    Carried,
}

/// Where a block came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(in crate::engine) enum Sender {
    /// A peer.
    Peer(SocketAddr),
    /// A webseed. What follows from its lies is `webseeds`' matter.
    Webseed(WebseedKey),
}

/// A block of a piece that failed, as one sender sent it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Contribution {
    begin: u32,
    from: Sender,
    digest: u64,
}

/// A block that took part in a piece.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::engine) struct SentBlock {
    pub(in crate::engine) begin: u32,
    pub(in crate::engine) from: Sender,
    #[serde(with = "crate::codec::payload")]
    pub(in crate::engine) data: Bytes,
}

impl Bans {
    pub(in crate::engine) fn new(banned: impl IntoIterator<Item = BannedPeer>, salt: u64) -> Self {
        Self {
            banned: banned.into_iter().collect(),
            evidence: BTreeMap::new(),
            salt,
            digests: Digests::OfBytes,
        }
    }

    pub(in crate::engine) fn is_banned(&self, address: SocketAddr) -> bool {
        self.banned.contains(&BannedPeer::of(address))
    }

    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.banned.is_empty()
    }

    pub(in crate::engine) fn count(&self) -> usize {
        self.banned.len()
    }

    pub(in crate::engine) fn list(&self) -> Vec<BannedPeer> {
        self.banned.iter().copied().collect()
    }

    /// Whether the piece failed before and must come from one peer alone.
    pub(in crate::engine) fn is_suspect(&self, piece: PieceIndex) -> bool {
        self.evidence.contains_key(&piece)
    }

    /// A piece failed its hash; gives those who are now banned for it. `blocks` are those whose senders are known;
    /// `of` is how many the piece has: blocks of an earlier run, or written out meanwhile, have no sender any more.
    pub(in crate::engine) fn piece_failed(
        &mut self,
        piece: PieceIndex,
        blocks: &[SentBlock],
        of: usize,
    ) -> Vec<Sender> {
        let contributors: BTreeSet<Sender> = blocks.iter().map(|block| block.from).collect();
        if contributors.len() == 1 && blocks.len() == of {
            return self.ban(contributors);
        }
        if self.is_suspect(piece) || self.evidence.len() < limits::SUSPECT_PIECES_MAX {
            let (salt, digests) = (self.salt, self.digests);
            let seen = self.evidence.entry(piece).or_default();
            seen.truncate(limits::EVIDENCE_BLOCKS_MAX.saturating_sub(blocks.len()));
            seen.extend(blocks.iter().map(|block| Contribution {
                begin: block.begin,
                from: block.from,
                digest: digests.digest(salt, &block.data),
            }));
        }
        Vec::new()
    }

    /// A piece passed; gives those whose earlier blocks for it were wrong, now banned.
    pub(in crate::engine) fn piece_passed(&mut self, piece: PieceIndex, blocks: &[SentBlock]) -> Vec<Sender> {
        let Some(evidence) = self.evidence.remove(&piece) else { return Vec::new() };
        let right: BTreeMap<u32, u64> =
            blocks.iter().map(|block| (block.begin, self.digest(&block.data))).collect();
        let liars: BTreeSet<Sender> = evidence
            .iter()
            .filter(|sent| right.get(&sent.begin).is_some_and(|right| *right != sent.digest))
            .map(|sent| sent.from)
            .collect();
        self.ban(liars)
    }

    /// The digest of a block.
    pub(in crate::engine) fn digest(&self, data: &[u8]) -> u64 {
        self.digests.digest(self.salt, data)
    }

    /// Gives those that were not banned before: of one liar's pieces several may fail after each other.
    fn ban(&mut self, mut senders: BTreeSet<Sender>) -> Vec<Sender> {
        senders.retain(|sender| match sender {
            Sender::Peer(address) => !self.is_banned(*address),
            Sender::Webseed(_) => true,
        });
        for sender in &senders {
            if let Sender::Peer(address) = sender
                && self.banned.len() < limits::BANNED_PEERS_MAX
            {
                self.banned.insert(BannedPeer::of(*address));
            }
        }
        senders.into_iter().collect()
    }
}

impl Digests {
    const fn carried() -> Self {
        Self::Carried
    }

    /// A digest that a peer cannot aim at without knowing the salt; no longer than the block, so that a block can carry it.
    fn digest(self, salt: u64, data: &[u8]) -> u64 {
        let mut digest = match self {
            Self::OfBytes => {
                let mut hasher = DefaultHasher::new();
                hasher.write_u64(salt);
                hasher.write(data);
                hasher.finish().to_le_bytes()
            }
            Self::Carried => [0; 8],
        };
        let length = data.len().min(digest.len());
        if self == Self::Carried {
            digest[..length].copy_from_slice(&data[..length]);
        }
        digest[length..].fill(0);
        u64::from_le_bytes(digest)
    }
}

impl SentBlock {
    /// Puts a block of the same length in its place that carries this digest.
    pub(in crate::engine) fn carry(&mut self, digest: u64) {
        let mut data = vec![0; self.data.len()];
        data.iter_mut().zip(digest.to_le_bytes()).for_each(|(to, from)| *to = from);
        self.data = data.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: PieceIndex = PieceIndex(0);

    fn peer(last: u8) -> Sender {
        Sender::Peer(SocketAddr::from(([10, 0, 0, last], 6881)))
    }

    fn block(begin: u32, from: Sender, data: &'static [u8]) -> SentBlock {
        SentBlock { begin, from, data: Bytes::from_static(data) }
    }

    #[test]
    fn a_sole_contributor_is_banned_at_once() {
        let mut bans = Bans::new([], 1);
        assert_eq!(bans.piece_failed(PIECE, &[block(0, peer(1), b"bad")], 1), [peer(1)]);
        assert!(bans.is_banned(SocketAddr::from(([10, 0, 0, 1], 9))));
    }

    #[test]
    fn of_two_contributors_only_the_liar_is_banned_once_the_piece_passes() {
        let mut bans = Bans::new([], 1);
        let failed = [block(0, peer(1), b"good"), block(16, peer(2), b"bad")];
        assert!(bans.piece_failed(PIECE, &failed, 2).is_empty());
        assert!(bans.is_suspect(PIECE));
        let passed = [block(0, peer(1), b"good"), block(16, peer(1), b"right")];
        assert_eq!(bans.piece_passed(PIECE, &passed), [peer(2)]);
        assert!(!bans.is_banned(SocketAddr::from(([10, 0, 0, 1], 6881))) && !bans.is_suspect(PIECE));
    }

    #[test]
    fn the_only_known_sender_is_not_blamed_for_blocks_without_one() {
        let mut bans = Bans::new([], 1);
        assert!(bans.piece_failed(PIECE, &[block(0, peer(1), b"good")], 2).is_empty());
        assert!(bans.is_suspect(PIECE));
    }

    #[test]
    fn on_loopback_only_the_port_is_banned() {
        let mut bans = Bans::new([], 1);
        let liar = SocketAddr::from(([127, 0, 0, 1], 1));
        bans.piece_failed(PIECE, &[block(0, Sender::Peer(liar), b"bad")], 1);
        assert!(bans.is_banned(liar));
        assert!(!bans.is_banned(SocketAddr::from(([127, 0, 0, 1], 2))));
    }
}
