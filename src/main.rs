//! unchoke
fn main() {}
