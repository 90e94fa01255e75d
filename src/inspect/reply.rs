//! One answer to one question.

use std::borrow::Cow;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::waits::{Said, Wait, noted};
use crate::contract::WaitKind;

/// The one who was to answer is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer came: {name} was dropped")]
pub struct NoReply {
    /// The reply's name.
    pub name: Cow<'static, str>,
}

/// The end that answers, once.
#[derive(Debug)]
pub struct ReplySender<T> {
    inner: oneshot::Sender<T>,
}

impl<T> ReplySender<T> {
    /// Answers. Nobody may be waiting any more, which is no error for the one who answers.
    pub fn send(self, value: T) {
        drop(self.inner.send(value));
    }

    /// Waits until nobody waits for the answer any more.
    #[track_caller]
    pub fn closed(&mut self) -> impl Future<Output = ()> {
        noted(Wait::new(WaitKind::Watch, 0, Location::caller()), self.inner.closed())
    }

    /// Whether nobody waits any more.
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }
}

/// The end that waits for the answer.
#[derive(Debug)]
pub struct ReplyReceiver<T> {
    inner: oneshot::Receiver<T>,
    name: Cow<'static, str>,
    site: &'static Location<'static>,
    said: Said,
}

impl<T> ReplyReceiver<T> {
    /// Waits on a thread. Never call it on a task.
    pub fn wait_blocking(self) -> Result<T, NoReply> {
        let Self { inner, name, .. } = self;
        inner.blocking_recv().map_err(|_| NoReply { name })
    }
}

impl<T> Future for ReplyReceiver<T> {
    type Output = Result<T, NoReply>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = Pin::new(&mut self.inner).poll(context);
        if polled.is_pending() {
            self.said.say(Wait::new(WaitKind::Reply, 0, self.site).named(&self.name));
        }
        polled.map(|result| result.map_err(|_| NoReply { name: self.name.clone() }))
    }
}

/// A place for one answer.
#[track_caller]
pub fn reply<T>(name: impl Into<Cow<'static, str>>) -> (ReplySender<T>, ReplyReceiver<T>) {
    let (sender, receiver) = oneshot::channel();
    (
        ReplySender { inner: sender },
        ReplyReceiver { inner: receiver, name: name.into(), site: Location::caller(), said: Said::default() },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_answerer_is_named() {
        let (sender, receiver) = reply::<u8>("answer to a command");
        drop(sender);
        assert_eq!(receiver.await, Err(NoReply { name: "answer to a command".into() }));
    }
}
