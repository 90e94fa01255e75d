//! Payload on disk: hashing, reading and writing on threads of their own, never on a task and never mapped.
//!
//! A torrent's owner submits a [`Job`] and gets its answer through the job's own closure; a job belongs to one
//! [`Storage`], which opens files below the save folder without following links and makes them only when the first
//! byte is written; what comes of a file that nobody wants goes into a part file instead. One whose device never answers keeps neither threads nor room from the others. [`DiskBudget`]
//! holds back the sockets while too many bytes wait here. A sync covers every piece whose `PieceStored` was told before it was submitted, so a resume record never claims what is not on the disk.

mod beneath;
mod budget;
mod crew;
mod error;
mod files;
mod handles;
mod job;
mod parts;
mod piece;
mod pool;
mod storage;
#[cfg(test)]
mod tests;

pub use budget::DiskBudget;
pub use files::{FileStamp, Gathered, free_bytes};
pub use handles::Handles;
pub(in crate::session) use handles::descriptors;
pub use job::{Done, Job, PieceWork};
pub use pool::DiskPool;
pub use storage::{Storage, Wanted};
