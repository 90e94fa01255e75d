//! Clients that are served side by side within a bound, each by a task of its own.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::Future;

use crate::inspect;

/// Those that are served. Where there are as many as may be, the oldest makes room: no number of slow ones keeps a new one
/// out.
#[derive(Debug)]
pub(super) struct Clients {
    served: VecDeque<inspect::TaskHandle<()>>,
    at_once: usize,
}

impl Clients {
    /// Serves so many at once.
    pub(super) const fn new(at_once: usize) -> Self {
        Self { served: VecDeque::new(), at_once }
    }

    /// Serves one more.
    #[track_caller]
    pub(super) fn serve(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        client: impl Future<Output = ()> + Send + 'static,
    ) {
        self.served.retain(|client| !client.is_finished());
        if self.served.len() == self.at_once
            && let Some(oldest) = self.served.pop_front()
        {
            oldest.abort();
        }
        self.served.push_back(inspect::spawn(name, client));
    }
}
