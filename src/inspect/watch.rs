//! The latest value of something; older ones are lost on purpose.

use std::borrow::Cow;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use tokio::sync::watch as inner;

use super::waits::{Wait, noted};
use crate::contract::WaitKind;

/// The other end is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} has ended")]
pub struct WatchClosed {
    /// The watch's name.
    pub name: Cow<'static, str>,
}

/// The end that sets.
#[derive(Debug)]
pub struct WatchSender<T> {
    inner: inner::Sender<T>,
    name: Arc<Cow<'static, str>>,
}

impl<T> WatchSender<T> {
    /// Sets the value and wakes all who wait.
    pub fn set(&self, value: T) {
        drop(self.inner.send_replace(value));
    }

    /// Changes the value in place; wakes those who wait only if `change` says that it did.
    pub fn set_if(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        self.inner.send_if_modified(change)
    }

    /// A new end that reads; it has seen the value as it is now.
    pub fn subscribe(&self) -> WatchReceiver<T> {
        WatchReceiver { inner: self.inner.subscribe(), name: Arc::clone(&self.name) }
    }

    /// Whether nobody reads.
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Waits until nobody reads.
    #[track_caller]
    pub fn closed(&self) -> impl Future<Output = ()> {
        noted(Wait::new(WaitKind::Watch, 0, Location::caller()), self.inner.closed())
    }
}

impl<T: Clone> WatchSender<T> {
    /// The value as it is now.
    pub fn latest(&self) -> T {
        self.inner.borrow().clone()
    }
}

/// An end that reads.
#[derive(Debug)]
pub struct WatchReceiver<T> {
    inner: inner::Receiver<T>,
    name: Arc<Cow<'static, str>>,
}

impl<T> WatchReceiver<T> {
    /// Waits for a value that this end has not seen.
    #[track_caller]
    pub fn changed(&mut self) -> impl Future<Output = Result<(), WatchClosed>> {
        let wait = Wait::new(WaitKind::Watch, 0, Location::caller()).named(&self.name);
        async move {
            let changed = noted(wait, self.inner.changed()).await;
            changed.map_err(|_| self.closed())
        }
    }

    /// Waits until the value is as wanted; at once where it is.
    #[track_caller]
    pub fn wait_until(
        &mut self,
        wanted: impl FnMut(&T) -> bool,
    ) -> impl Future<Output = Result<(), WatchClosed>> {
        let wait = Wait::new(WaitKind::Watch, 0, Location::caller()).named(&self.name);
        async move {
            let reached = noted(wait, self.inner.wait_for(wanted)).await.map(drop);
            reached.map_err(|_| self.closed())
        }
    }

    /// Whether there is a value that this end has not seen.
    pub fn has_changed(&self) -> bool {
        self.inner.has_changed().unwrap_or(false)
    }

    fn closed(&self) -> WatchClosed {
        WatchClosed { name: Cow::clone(&self.name) }
    }
}

impl<T: Clone> WatchReceiver<T> {
    /// The value as it is now, which counts as seen.
    pub fn latest(&mut self) -> T {
        self.inner.borrow_and_update().clone()
    }
}

impl<T> Clone for WatchReceiver<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), name: Arc::clone(&self.name) }
    }
}

/// A value that some read and one sets.
pub fn watch<T>(name: impl Into<Cow<'static, str>>, initial: T) -> (WatchSender<T>, WatchReceiver<T>) {
    let name = Arc::new(name.into());
    let (sender, receiver) = inner::channel(initial);
    (WatchSender { inner: sender, name: Arc::clone(&name) }, WatchReceiver { inner: receiver, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_reader_sees_the_latest_value() {
        let (sender, mut receiver) = watch("level", 0);
        sender.set(1);
        sender.set(2);
        receiver.changed().await.unwrap();
        assert_eq!(receiver.latest(), 2);
        assert!(!receiver.has_changed());
        assert!(!sender.set_if(|_| false));
        assert!(!receiver.has_changed());
        drop(sender);
        assert_eq!(receiver.changed().await, Err(WatchClosed { name: "level".into() }));
    }
}
