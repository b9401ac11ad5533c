//! The zwasm command.

fn main() {}
