//! x86_64, System V flavour: registers and the macro-assembler.
//!
//! SSE4.1 is assumed (every x86-64 processor since 2008 has it); `lzcnt`, `tzcnt`, `popcnt` and the
//! flag-free shifts are used where [`Features`] says so and replaced by sequences that run
//! everywhere otherwise.

mod encode;
mod float;
mod int;
mod masm;
mod regs;

pub use masm::{Features, X64Masm};
