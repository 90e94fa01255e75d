//! Connections: two directions each, with latency, a rate, loss and ends that may stop reading.
//!
//! A connection keeps its order, as TCP does: loss is a delay of everything behind it. Messages other than blocks go first,
//! as in the program. What has left an end and was not read at the other fills the socket; a full socket takes no more.

use std::collections::VecDeque;
use std::time::Duration;

use super::world::NodeId;
use crate::codec::peer::Message;
use crate::units::Time;

/// Bytes that a socket takes before the other end reads.
const SOCKET_BYTES: u64 = 256 * 1024;
/// Blocks that leave in one write.
const BLOCKS_PER_WRITE: usize = 4;
/// How long a lost packet holds everything behind it.
const RETRANSMIT: Duration = Duration::from_millis(250);
/// Bytes of a message's head, about.
const HEAD_BYTES: u64 = 13;

/// How good a connection is, the same both ways.
#[derive(Clone, Copy, Debug)]
pub struct LinkQuality {
    /// From one end to the other.
    pub latency: Duration,
    /// Bytes per second.
    pub rate: u64,
    /// Of a thousand writes, how many lose a packet.
    pub lost_per_mille: u32,
}

impl LinkQuality {
    /// A connection in one building.
    pub const NEAR: Self = Self { latency: Duration::from_millis(1), rate: 50_000_000, lost_per_mille: 0 };
    /// A connection across a continent.
    pub const FAR: Self = Self { latency: Duration::from_millis(40), rate: 2_000_000, lost_per_mille: 0 };
}

/// A connection between two participants.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) quality: LinkQuality,
    /// The ends: who called, and who was called.
    pub(super) ends: [NodeId; 2],
    lanes: [Lane; 2],
    /// Cut, without either end being told.
    pub(super) cut: bool,
    /// This end closes when everything that it has said has left.
    closing: Option<NodeId>,
}

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    control: VecDeque<Message>,
    blocks: VecDeque<Message>,
    /// Something is leaving.
    busy: bool,
    in_socket_bytes: u64,
    /// When what left last arrives: later things arrive later.
    arrives_at: Time,
    /// The other end does not read: what arrived and waits for it.
    unread: Option<Vec<(Vec<Message>, u64)>>,
}

/// What leaves one end with one write.
#[derive(Debug)]
pub(super) struct Departure {
    pub(super) messages: Vec<Message>,
    pub(super) bytes: u64,
    /// Payload bytes among them.
    pub(super) payload_bytes: u64,
    /// Blocks among them.
    pub(super) blocks: usize,
    /// When the end may send on.
    pub(super) free_at: Time,
    pub(super) arrives_at: Time,
}

impl Link {
    pub(super) fn new(ends: [NodeId; 2], quality: LinkQuality) -> Self {
        Self { quality, ends, lanes: [Lane::default(), Lane::default()], cut: false, closing: None }
    }

    /// The other end.
    pub(super) fn peer_of(&self, node: NodeId) -> NodeId {
        if self.ends[0] == node { self.ends[1] } else { self.ends[0] }
    }

    fn lane(&mut self, from: NodeId) -> &mut Lane {
        let index = usize::from(self.ends[0] != from);
        &mut self.lanes[index]
    }

    pub(super) fn queue(&mut self, from: NodeId, message: Message) {
        let lane = self.lane(from);
        match message {
            Message::Piece { .. } => lane.blocks.push_back(message),
            other => lane.control.push_back(other),
        }
    }

    /// Messages that wait to leave one end.
    pub(super) fn waiting(&self, from: NodeId) -> usize {
        let index = usize::from(self.ends[0] != from);
        self.lanes[index].control.len() + self.lanes[index].blocks.len()
    }

    /// One end says nothing more, and closes when the rest has left.
    pub(super) fn close_when_sent(&mut self, from: NodeId) {
        self.closing = Some(from);
    }

    /// When an end that closes has sent everything: when the last of it arrives.
    pub(super) fn closes_at(&self, from: NodeId) -> Option<Time> {
        let lane = &self.lanes[usize::from(self.ends[0] != from)];
        let sent = lane.control.is_empty() && lane.blocks.is_empty() && !lane.busy;
        (self.closing == Some(from) && sent).then_some(lane.arrives_at)
    }

    /// One end begins or ceases to read; gives what waited for it.
    pub(super) fn set_reading(&mut self, reader: NodeId, reads: bool) -> Vec<(Vec<Message>, u64)> {
        let from = self.peer_of(reader);
        let lane = self.lane(from);
        if reads {
            lane.unread.take().unwrap_or_default()
        } else {
            lane.unread.get_or_insert_default();
            Vec::new()
        }
    }

    /// What arrives at an end that does not read waits there; what is read makes room in the socket.
    pub(super) fn arrive(&mut self, to: NodeId, messages: Vec<Message>, bytes: u64) -> Option<Vec<Message>> {
        let from = self.peer_of(to);
        let lane = self.lane(from);
        if let Some(unread) = &mut lane.unread {
            unread.push((messages, bytes));
            return None;
        }
        lane.in_socket_bytes = lane.in_socket_bytes.saturating_sub(bytes);
        Some(messages)
    }

    /// The end may send on.
    pub(super) fn set_free(&mut self, from: NodeId) {
        self.lane(from).busy = false;
    }

    /// The next write of one end, if it has something to send and its socket takes it.
    pub(super) fn depart(&mut self, now: Time, from: NodeId, rng: &mut fastrand::Rng) -> Option<Departure> {
        let (quality, cut) = (self.quality, self.cut);
        let lane = self.lane(from);
        if cut || lane.busy || lane.in_socket_bytes >= SOCKET_BYTES {
            return None;
        }
        let messages: Vec<Message> = if lane.control.is_empty() {
            let count = lane.blocks.len().min(BLOCKS_PER_WRITE);
            lane.blocks.drain(..count).collect()
        } else {
            lane.control.drain(..).collect()
        };
        if messages.is_empty() {
            return None;
        }
        let payload = |message: &Message| match message {
            Message::Piece { data, .. } => data.len() as u64,
            _ => 0,
        };
        let payload_bytes: u64 = messages.iter().map(payload).sum();
        let blocks = messages.iter().filter(|message| matches!(message, Message::Piece { .. })).count();
        let bytes = payload_bytes + messages.len() as u64 * HEAD_BYTES;
        lane.busy = true;
        lane.in_socket_bytes += bytes;
        let leaving = Duration::from_micros((bytes * 1_000_000 / quality.rate.max(1)).max(1));
        let lost = rng.u32(0..1000) < quality.lost_per_mille;
        let late = if lost { RETRANSMIT } else { Duration::ZERO };
        lane.arrives_at = lane.arrives_at.max(now + leaving + quality.latency + late);
        Some(Departure {
            messages,
            bytes,
            payload_bytes,
            blocks,
            free_at: now + leaving,
            arrives_at: lane.arrives_at,
        })
    }
}
