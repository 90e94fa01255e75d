//! What survives the program: the list of torrents, their resume records and the limits set by hand.
//!
//! One redb file in the state directory, of which [`StateDirLock`] lets one process at a time be the owner. Each value
//! carries its version and a checksum over key and bytes; one that cannot be read is set aside, named, and harms no
//! other. A commit is synced before it is answered. The driver talks to [`StoreHandle`], whose thread joins the
//! changes that wait into one commit; what a record claims must be synced before it is handed over.

mod actor;
mod database;
mod error;
mod lock;
mod older;
mod record;

pub use actor::{LoadedResume, StoreHandle};
pub use database::{Change, Store};
pub use error::StoreError;
pub use lock::{StateDirError, StateDirLock};
pub use record::{
    Damaged, DamagedPart, SavedLimits, SavedMagnet, SavedResume, SavedSource, SavedTorrent, Stored,
    untrusted_files,
};
