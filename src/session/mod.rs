//! The shell: turns what the engine wants into IO and what IO brings into inputs. It decides nothing.
//!
//! Front ends hold a [`Handle`]; each running engine can also be asked over its Unix socket ([`remote`]). Payload goes
//! through the threads of [`disk`], what outlives the program through [`store`].

mod budget;
mod clients;
mod clock;
mod control;
pub mod diagnostics;
mod directory;
pub mod discovery;
pub mod disk;
mod driver;
mod handle;
mod net;
pub mod remote;
mod settings;
mod start;
mod status;
pub mod store;
#[cfg(test)]
mod tests;
mod webseed;

pub use handle::{EngineEnds, EventHub, Handle, Request};
pub use net::BindError;
pub use settings::{Restore, Settings, Switch};
pub use start::{Running, StartError, start};
