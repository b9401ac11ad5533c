//! The compare command: one corpus under every tier and under other engines.

fn main() {}
