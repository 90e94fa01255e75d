//! What the registry tells and no front end asks for.

use std::borrow::Cow;

use serde::Serialize;

use crate::contract::TaskId;
use crate::units::TorrentId;

/// A panic that ended a task or thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskPanic {
    /// Which one.
    pub id: TaskId,
    /// Its name.
    pub name: Cow<'static, str>,
    /// File and line that started it.
    pub site: String,
    /// The torrent it worked for.
    pub torrent: Option<TorrentId>,
    /// The panic's text.
    pub text: String,
}
