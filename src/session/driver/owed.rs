//! The answer that a task owes its torrent's owner: it comes even where the task panics, so that the owner waits for
//! nobody who is gone.

use super::ToDriver;
use crate::engine::io::Input;
use crate::inspect;

/// What is said in place of an answer.
pub(in crate::session) const TASK_FAILED: &str = "our own task failed, which is a bug; the log has its panic";

/// Held by the task that owes the answer.
#[derive(Debug)]
pub(in crate::session) struct Owed {
    driver: inspect::Sender<ToDriver>,
    /// What the owner is told where nothing else is.
    failed: Option<Input>,
}

impl Owed {
    pub(in crate::session) fn new(driver: inspect::Sender<ToDriver>, failed: Input) -> Self {
        Self { driver, failed: Some(failed) }
    }

    /// Gives the answer. A torrent that has ended needs none.
    pub(in crate::session) async fn pay(mut self, answer: ToDriver) {
        let _ = self.driver.send(answer).await;
        self.failed = None;
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        // A task that ends in another way has answered, or was ended by the owner.
        if !std::thread::panicking() {
            return;
        }
        let Some(failed) = self.failed.take() else { return };
        if let Err(inspect::TrySendError::Full(said)) = self.driver.try_send(ToDriver::Input(failed)) {
            let driver = self.driver.clone();
            let telling = async move { drop(driver.send(said).await) };
            inspect::spawn("last word of a task that panicked", telling).detach();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::ConnectionId;

    fn closed() -> Input {
        Input::Closed { connection: ConnectionId(3), reason: TASK_FAILED.to_owned() }
    }

    async fn panic_with(owed: Owed) {
        let task = inspect::spawn("test: a task that panics", async move {
            let _owed = owed;
            panic!("on purpose");
        });
        assert!(task.await.is_err());
    }

    fn is_closed(said: Option<ToDriver>) -> bool {
        matches!(said, Some(ToDriver::Input(Input::Closed { connection: ConnectionId(3), .. })))
    }

    #[tokio::test]
    async fn a_task_that_panics_has_a_last_word_even_where_the_queue_is_full() {
        let (driver, mut inbox) = inspect::channel("test: driver", 1);
        panic_with(Owed::new(driver.clone(), closed())).await;
        // There is one word in a queue of one.
        panic_with(Owed::new(driver, closed())).await;
        assert!(is_closed(inbox.recv().await));
        assert!(is_closed(inbox.recv().await));
    }

    #[tokio::test]
    async fn one_that_answered_or_was_aborted_says_no_more() {
        let (driver, mut inbox) = inspect::channel("test: driver", 4);
        Owed::new(driver.clone(), Input::Deadline).pay(ToDriver::Input(closed())).await;
        let owed = Owed::new(driver.clone(), closed());
        let aborted = inspect::spawn("test: a task that is aborted", async move {
            let _owed = owed;
            std::future::pending::<()>().await;
        });
        aborted.abort();
        assert!(aborted.await.is_err());
        drop(driver);
        assert!(is_closed(inbox.recv().await));
        assert!(inbox.recv().await.is_none());
    }
}
