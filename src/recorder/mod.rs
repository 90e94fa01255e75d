//! The flight recorder: what a torrent's owner was told, bounded and always on, and its replay through the same engine.
//!
//! The engine is pure, so its state at some instant and the inputs since then are all that is needed to see again what it
//! did. [`Recorder`] keeps both for the last minutes, without payload; [`Recording`] is the file that comes of it;
//! [`Replay`] runs it. Whoever drives a torrent (the session, the simulator) tells the recorder of each input and turn.
//!
//! It is a layer of its own above the engine: `inspect` must not know what an input is, and session, sim and cli all
//! need it.

mod entry;
mod file;
mod hosts;
mod machine;
mod names;
mod redact;
mod redacting;
mod replay;
mod ring;
mod stand_ins;
mod texts;

pub use entry::{DriverWord, EffectTally};
pub use file::{FileError, Part, Recording};
pub use machine::{Recorded, Subject};
pub use redact::{RedactError, redact};
pub use replay::{Replay, ReplayError, Turn};
pub use ring::{NotRecorded, Recorder};

#[cfg(test)]
mod tests;
