//! x86_64, System V flavour: registers and the macro-assembler.
//!
//! SSE4.1 is assumed (every x86-64 processor since 2008 has it); `lzcnt`, `tzcnt` and `popcnt` are
//! avoided in favour of sequences that run everywhere.

mod masm;
mod regs;

pub use masm::X64Masm;
