//! ARM64: registers and the macro-assembler.
//!
//! The baseline of ARMv8.0 is all that is used. Data never sits in the code but for the tables of
//! `jump_table`, which follow their branch so that an `adr` reaches them however large a function is.

mod encode;
mod float;
mod int;
mod lanes;
mod masm;
mod regs;
mod vector;

pub use masm::A64Masm;
