//! The shell: turns what the engine wants into IO and what IO brings into inputs. It decides nothing.
//!
//! Front ends hold a [`Handle`]; each running engine can also be asked over its Unix socket ([`remote`]). Payload goes
//! through the threads of [`disk`], what outlives the program through [`store`].

pub mod discovery;
pub mod disk;
mod handle;
pub mod remote;
mod settings;
pub mod store;

pub use handle::{EngineEnds, EventHub, Handle, Request};
pub use settings::{Restore, Settings, Switch};
