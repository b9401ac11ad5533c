//! The instruction sets. Each folder mirrors the other file for file: `regs` says which register
//! is for what, `encode` knows instruction formats, `masm` implements the trait and holds moves,
//! memory accesses and control flow, `int` and `float` hold the arithmetic.

pub mod aarch64;
pub mod x86_64;
