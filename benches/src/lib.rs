//! Criterion and callgrind benches of zwasm.
