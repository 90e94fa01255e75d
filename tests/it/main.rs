//! Integration tests.

mod architecture;
mod cli_args;
mod metainfo_corpora;
