//! Pure stream machines, one per connection: bytes in, frames out.
//!
//! They own the buffers of a connection and know nothing of sockets; the session's connection tasks feed them.

mod framer;

pub use framer::{FrameError, Framer};
