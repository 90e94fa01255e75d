//! What the registry tells and no front end asks for.

use std::borrow::Cow;

use serde::Serialize;

use crate::contract::TaskId;

/// One semaphore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SemaphoreReport {
    /// Its name.
    pub name: Cow<'static, str>,
    /// File and line that made it.
    pub site: String,
    /// Permits there are.
    pub permits: u64,
    /// Permits that are out.
    pub taken: u64,
    /// How often one was taken.
    pub acquisitions: u64,
    /// How often a taker found none.
    pub contended: u64,
}

/// A panic that ended a task or thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskPanic {
    /// Which one.
    pub id: TaskId,
    /// Its name.
    pub name: Cow<'static, str>,
    /// File and line that started it.
    pub site: String,
    /// The panic's text.
    pub text: String,
}
