//! Integration tests.

mod architecture;
mod cli_args;
