//! Integration tests.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic as tests may; clippy knows only the tests themselves"
)]

mod architecture;
mod cli_args;
mod cli_ctl;
mod cli_errors;
mod cli_signals;
mod demo;
mod dumps;
mod healthy;
mod hostile_peers;
mod injected;
mod magnets;
mod metainfo_corpora;
mod parts;
mod reading;
mod real;
mod recorder;
mod screens;
mod session;
mod trackers;
mod watchdog;
mod webseed_ends;
