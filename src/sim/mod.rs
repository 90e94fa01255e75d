//! The engine in a world of its own: virtual time, a network, disks and trackers that can fail, and a seed for all of it.
//!
//! The same owners as in the program are driven here by a heap of timed events. [`World`] holds the participants: engines
//! with their disks, and puppets, scripted peers of every kind of manners. What happens is drawn from one seed, so a failure
//! replays. After each step checkers look from outside: bytes equal, nothing stored twice, nothing served that is not here,
//! bounds held, everything derived equal to what follows from scratch, and no request missing that could be on the wire.
//!
//! [`scenario`] draws whole scenarios: a time of faults, then everything heals and every download must end.

mod checks;
mod disk;
mod effects;
mod engine_node;
mod events;
#[cfg(test)]
mod faults;
mod hands;
mod manners;
mod network;
mod pace;
mod payload;
mod puppet;
pub mod scenario;
mod trail;
mod web;
mod world;

pub use checks::Failure;
pub use disk::{DiskFault, DiskPace};
pub use engine_node::{EngineNode, EngineOptions};
pub use manners::{Answers, Flood, Holding, Manners, Unchokes};
pub use network::LinkQuality;
pub use payload::{Payload, Shape};
pub use web::{WebFault, WebServer};
pub use world::{NodeId, World};

#[cfg(test)]
mod tests;
