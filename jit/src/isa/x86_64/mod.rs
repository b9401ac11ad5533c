//! x86_64, System V flavour: registers and the macro-assembler.
//!
//! SSE2 is assumed, as the architecture has it. `lzcnt`, `tzcnt`, `popcnt` and the flag-free shifts
//! are used where [`Features`] says so and replaced by sequences that run everywhere otherwise;
//! vector operations and roundings of floats need SSE4.2, fused multiplications FMA.

mod encode;
mod float;
mod int;
mod lanes;
mod masm;
mod regs;
mod vector;

pub use masm::{Features, X64Masm};
