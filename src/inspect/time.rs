//! Waiting for a point in time.

use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use tokio::time::Instant;

use super::waits::{Wait, noted};
use crate::contract::WaitKind;

/// Waits for so long.
#[track_caller]
pub fn sleep(duration: Duration) -> impl Future<Output = ()> {
    noted(Wait::new(WaitKind::Timer, 0, Location::caller()), tokio::time::sleep(duration))
}

/// Waits for a future, but no longer than this.
#[track_caller]
pub fn timeout<F: Future>(
    duration: Duration,
    future: F,
) -> impl Future<Output = Result<F::Output, tokio::time::error::Elapsed>> {
    noted(Wait::new(WaitKind::Timer, 0, Location::caller()), tokio::time::timeout(duration, future))
}

/// Waits for a future, but no longer than until then.
#[track_caller]
pub fn timeout_at<F: Future>(
    instant: Instant,
    future: F,
) -> impl Future<Output = Result<F::Output, tokio::time::error::Elapsed>> {
    noted(Wait::new(WaitKind::Timer, 0, Location::caller()), tokio::time::timeout_at(instant, future))
}

/// Waits until then.
#[track_caller]
pub fn sleep_until(instant: Instant) -> impl Future<Output = ()> {
    noted(Wait::new(WaitKind::Timer, 0, Location::caller()), tokio::time::sleep_until(instant))
}
