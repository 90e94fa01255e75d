//! The command line: what people type, what scripts depend on, and the front ends without a terminal.

pub mod args;
pub mod config;
pub mod create;
pub mod json;
pub mod show;
