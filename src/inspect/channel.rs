//! Bounded queues between tasks.

use std::borrow::Cow;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc;

use super::counters::QueueEntry;
use super::task::while_blocked;
use super::waits::{Said, Wait, noted};
use crate::contract::{QueueKind, WaitKind};

/// The receiver is gone; the value comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendError<T>(pub T);

/// The value could not be put in at once; it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// No room.
    Full(T),
    /// The receiver is gone.
    Closed(T),
}

/// Nothing could be taken at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// Nothing is there yet.
    Empty,
    /// Nothing is there and all senders are gone.
    Closed,
}

/// The end that puts in.
#[derive(Debug)]
pub struct Sender<T> {
    inner: mpsc::Sender<T>,
    entry: Arc<QueueEntry>,
}

impl<T> Sender<T> {
    /// Puts a value in, waiting for room.
    #[track_caller]
    pub fn send(&self, value: T) -> impl Future<Output = Result<(), SendError<T>>> {
        let wait = Wait::new(WaitKind::QueueSend, self.entry.id, Location::caller());
        async move {
            let value = match self.try_send(value) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Closed(value)) => return Err(SendError(value)),
                Err(TrySendError::Full(value)) => value,
            };
            match noted(wait, self.inner.reserve()).await {
                Ok(permit) => {
                    self.entry.sent();
                    permit.send(value);
                    Ok(())
                }
                Err(_) => Err(SendError(value)),
            }
        }
    }

    /// Puts a value in if there is room.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        match self.inner.try_reserve() {
            Ok(permit) => {
                self.entry.sent();
                permit.send(value);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(())) => {
                self.entry.found_full();
                Err(TrySendError::Full(value))
            }
            Err(mpsc::error::TrySendError::Closed(())) => Err(TrySendError::Closed(value)),
        }
    }

    /// Puts a value in from a thread, waiting for room. Never call it on a task.
    #[track_caller]
    pub fn send_blocking(&self, value: T) -> Result<(), SendError<T>> {
        let value = match self.try_send(value) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(value)) => return Err(SendError(value)),
            Err(TrySendError::Full(value)) => value,
        };
        self.entry.sent();
        let wait = Wait::new(WaitKind::QueueSend, self.entry.id, Location::caller());
        while_blocked(wait, || self.inner.blocking_send(value)).map_err(|mpsc::error::SendError(value)| {
            self.entry.received(1);
            SendError(value)
        })
    }

    /// Whether the receiver is gone.
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Waits until the receiver is gone.
    #[track_caller]
    pub fn closed(&self) -> impl Future<Output = ()> {
        noted(Wait::new(WaitKind::Watch, 0, Location::caller()), self.inner.closed())
    }

    /// How many values would fit now.
    pub fn room(&self) -> usize {
        self.inner.capacity()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), entry: Arc::clone(&self.entry) }
    }
}

/// The end that takes out.
#[derive(Debug)]
pub struct Receiver<T> {
    inner: mpsc::Receiver<T>,
    entry: Arc<QueueEntry>,
    said: Said,
}

impl<T> Receiver<T> {
    /// Takes a value, waiting for one; `None` when all senders are gone and nothing is left.
    #[track_caller]
    pub fn recv(&mut self) -> impl Future<Output = Option<T>> {
        let wait = self.wait(Location::caller());
        async move {
            let value = noted(wait, self.inner.recv()).await;
            self.entry.received(usize::from(value.is_some()));
            value
        }
    }

    /// Takes up to `limit` values into `values`, waiting for the first; 0 when all senders are gone.
    #[track_caller]
    pub fn recv_many(&mut self, values: &mut Vec<T>, limit: usize) -> impl Future<Output = usize> {
        let wait = self.wait(Location::caller());
        async move {
            let taken = noted(wait, self.inner.recv_many(values, limit)).await;
            self.entry.received(taken);
            taken
        }
    }

    /// Takes a value if one is there.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match self.inner.try_recv() {
            Ok(value) => {
                self.entry.received(1);
                Ok(value)
            }
            Err(mpsc::error::TryRecvError::Empty) => Err(TryRecvError::Empty),
            Err(mpsc::error::TryRecvError::Disconnected) => Err(TryRecvError::Closed),
        }
    }

    /// Takes a value on a thread, waiting for one. Never call it on a task.
    #[track_caller]
    pub fn recv_blocking(&mut self) -> Option<T> {
        let wait = self.wait(Location::caller());
        let value = match self.inner.try_recv() {
            Ok(value) => Some(value),
            Err(_) => while_blocked(wait, || self.inner.blocking_recv()),
        };
        self.entry.received(usize::from(value.is_some()));
        value
    }

    /// As [`Receiver::recv`], for futures written by hand.
    #[track_caller]
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        let polled = self.inner.poll_recv(context);
        if polled.is_pending() {
            self.said.say(self.wait(Location::caller()));
        }
        self.entry.received(usize::from(matches!(polled, Poll::Ready(Some(_)))));
        polled
    }

    pub(super) const fn entry(&self) -> &Arc<QueueEntry> {
        &self.entry
    }

    /// What waiting for a value is, in the task on this thread.
    fn wait(&self, site: &'static Location<'static>) -> Wait {
        self.entry.is_received_here();
        Wait::new(WaitKind::QueueReceive, self.entry.id, site)
    }

    /// Takes no more from senders; what is in the queue can still be taken.
    pub fn close(&mut self) {
        self.entry.close();
        self.inner.close();
    }

    /// How many values are there now.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether nothing is there now.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.entry.lose_reader();
    }
}

/// A queue for at most `capacity` values (at least one).
#[track_caller]
pub fn channel<T>(name: impl Into<Cow<'static, str>>, capacity: usize) -> (Sender<T>, Receiver<T>) {
    let capacity = capacity.max(1);
    let entry = QueueEntry::register(name.into(), Location::caller(), QueueKind::Channel, capacity);
    let (sender, receiver) = mpsc::channel(capacity);
    (
        Sender { inner: sender, entry: Arc::clone(&entry) },
        Receiver { inner: receiver, entry, said: Said::default() },
    )
}

#[cfg(test)]
mod tests {
    use super::super::{QueueReport, queues};
    use super::*;

    fn report(name: &str) -> Option<QueueReport> {
        queues().into_iter().find(|queue| queue.name == name)
    }

    #[tokio::test]
    async fn a_full_queue_gives_the_value_back_and_is_counted() {
        let (sender, mut receiver) = channel("full queue test", 2);
        sender.send(1).await.unwrap();
        sender.try_send(2).unwrap();
        assert_eq!(sender.try_send(3), Err(TrySendError::Full(3)));
        let seen = report("full queue test").unwrap();
        assert_eq!((seen.depth, seen.capacity, seen.sends, seen.full, seen.high_water), (2, 2, 2, 1, 2));
        let mut values = Vec::new();
        assert_eq!(receiver.recv_many(&mut values, 10).await, 2);
        assert_eq!(values, [1, 2]);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(report("full queue test").unwrap().depth, 0);
        drop(receiver);
        assert_eq!(sender.try_send(4), Err(TrySendError::Closed(4)));
        assert_eq!(sender.send(5).await, Err(SendError(5)));
        drop(sender);
        assert_eq!(report("full queue test"), None);
    }
}
