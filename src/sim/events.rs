//! What will happen, and when: a heap in which equal times keep their order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::disk::Job;
use super::world::NodeId;
use crate::codec::peer::Message;
use crate::engine::io::Input;
use crate::units::{ConnectionId, FetchId, Time};

/// Something that will happen.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// An input reaches an engine. It is lost if the engine was restarted since (`epoch`).
    Input { node: NodeId, epoch: u32, input: Box<Input> },
    /// An engine's deadline, or a puppet's.
    Wake { node: NodeId },
    /// Messages reach one end of a connection.
    Delivery { connection: ConnectionId, to: NodeId, messages: Vec<Message>, bytes: u64 },
    /// What one end sent has left it: it may send on.
    WireFree { connection: ConnectionId, from: NodeId, blocks: usize },
    /// One end closes, for all it had to say has arrived.
    HangUp { connection: ConnectionId, from: NodeId },
    /// A call comes through at the called end, and then at the caller's.
    CallArrives { caller: NodeId, called: NodeId, epoch: u32 },
    /// A disk job of an engine is done.
    DiskDone { node: NodeId, epoch: u32, job: Box<Job> },
    /// The next bytes of a webseed's answer arrive.
    WebStep { node: NodeId, epoch: u32, fetch: FetchId },
    /// The budget of a node grants what waits.
    Grants { node: NodeId },
    /// The checkers look.
    Look,
}

#[derive(Debug)]
struct Entry {
    at: Time,
    order: u64,
    what: Happening,
}

/// The heap.
#[derive(Debug, Default)]
pub(super) struct Events {
    heap: BinaryHeap<Reverse<Entry>>,
    next_order: u64,
}

impl Events {
    pub(super) fn push(&mut self, at: Time, what: Happening) {
        self.heap.push(Reverse(Entry { at, order: self.next_order, what }));
        self.next_order += 1;
    }

    /// When the next one happens.
    pub(super) fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    pub(super) fn pop(&mut self) -> Option<(Time, Happening)> {
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.what))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
