//! A bounded queue that feeds a pool of threads.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::panic::Location;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::counters::QueueEntry;
use super::task::while_blocked;
use super::waits::Wait;
use crate::contract::{QueueKind, WaitKind};

/// The item could not be put in; it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError<T> {
    /// No room.
    Full(T),
    /// The queue was closed.
    Closed(T),
}

/// A first-in first-out queue for threads. Cloning gives another handle to the same queue.
#[derive(Debug)]
pub struct WorkQueue<T> {
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    item_came: Condvar,
    room_came: Condvar,
    capacity: usize,
    entry: Arc<QueueEntry>,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    closed: bool,
}

impl<T> WorkQueue<T> {
    /// Puts an item in, blocking the thread while there is no room; the item comes back if the queue is closed.
    #[track_caller]
    pub fn push_blocking(&self, item: T) -> Result<(), T> {
        let mut state = self.shared.state.lock();
        if !state.closed && state.items.len() >= self.shared.capacity {
            self.shared.entry.found_full();
            let full = |state: &mut State<T>| !state.closed && state.items.len() >= self.shared.capacity;
            let wait = Wait::new(WaitKind::QueueSend, self.shared.entry.id, Location::caller());
            while_blocked(wait, || self.shared.room_came.wait_while(&mut state, full));
        }
        if state.closed {
            return Err(item);
        }
        self.put(&mut state, item);
        Ok(())
    }

    /// Puts an item in if there is room.
    pub fn try_push(&self, item: T) -> Result<(), PushError<T>> {
        let mut state = self.shared.state.lock();
        if state.closed {
            return Err(PushError::Closed(item));
        }
        if state.items.len() >= self.shared.capacity {
            self.shared.entry.found_full();
            return Err(PushError::Full(item));
        }
        self.put(&mut state, item);
        Ok(())
    }

    /// Takes the oldest item, blocking until there is one; `None` when the queue is closed and drained.
    #[track_caller]
    pub fn pop_blocking(&self) -> Option<T> {
        let mut state = self.shared.state.lock();
        let empty = |state: &mut State<T>| !state.closed && state.items.is_empty();
        if empty(&mut state) {
            let wait = Wait::new(WaitKind::QueueReceive, self.shared.entry.id, Location::caller());
            while_blocked(wait, || self.shared.item_came.wait_while(&mut state, empty));
        }
        let item = state.items.pop_front()?;
        self.shared.entry.received(1);
        self.shared.room_came.notify_one();
        Some(item)
    }

    /// Takes no more items; those inside are still given out.
    pub fn close(&self) {
        self.shared.state.lock().closed = true;
        self.shared.item_came.notify_all();
        self.shared.room_came.notify_all();
    }

    /// How many items are inside.
    pub fn len(&self) -> usize {
        self.shared.state.lock().items.len()
    }

    /// Whether nothing is inside.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn put(&self, state: &mut State<T>, item: T) {
        self.shared.entry.sent();
        state.items.push_back(item);
        self.shared.item_came.notify_one();
    }
}

impl<T> Clone for WorkQueue<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// A queue for at most `capacity` items (at least one).
#[track_caller]
pub fn work_queue<T>(name: impl Into<Cow<'static, str>>, capacity: usize) -> WorkQueue<T> {
    let capacity = capacity.max(1);
    let entry = QueueEntry::register(name.into(), Location::caller(), QueueKind::WorkQueue, capacity);
    let state = Mutex::new(State { items: VecDeque::new(), closed: false });
    WorkQueue {
        shared: Arc::new(Shared {
            state,
            item_came: Condvar::new(),
            room_came: Condvar::new(),
            capacity,
            entry,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::spawn_thread;
    use super::*;

    #[test]
    fn a_closed_queue_is_drained_and_then_ends() {
        let queue = work_queue("drained", 4);
        queue.try_push(1).unwrap();
        queue.push_blocking(2).unwrap();
        queue.close();
        assert_eq!(queue.try_push(3), Err(PushError::Closed(3)));
        assert_eq!(queue.push_blocking(4), Err(4));
        assert_eq!(
            (queue.pop_blocking(), queue.pop_blocking(), queue.pop_blocking()),
            (Some(1), Some(2), None)
        );
    }

    #[test]
    fn every_item_goes_to_one_thread_through_a_narrow_queue() {
        let queue = work_queue("narrow", 1);
        let takers: Vec<_> = (0..3)
            .map(|_| {
                let queue = queue.clone();
                spawn_thread("taker", move || {
                    std::iter::from_fn(|| queue.pop_blocking()).collect::<Vec<u32>>()
                })
                .unwrap()
            })
            .collect();
        for item in 0..200 {
            queue.push_blocking(item).unwrap();
        }
        queue.close();
        let mut all: Vec<u32> = takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..200).collect::<Vec<_>>());
    }

    #[test]
    fn a_full_queue_gives_the_item_back() {
        let queue = work_queue("small", 1);
        queue.try_push('a').unwrap();
        assert_eq!(queue.try_push('b'), Err(PushError::Full('b')));
        assert_eq!(queue.len(), 1);
    }
}
