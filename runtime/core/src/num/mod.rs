//! What every numeric instruction of WebAssembly computes, as one pure function each.
//!
//! A function carries the specification's name of the instruction with `_` for `.`
//! (`i32.div_s` is [`i32_div_s`]), takes the operands in stack order and returns the result. The
//! interpreter's handlers, the optimizer's constant folder and the tests of the compiling tiers all
//! call these functions, so the tiers cannot disagree about a value.
//!
//! - Comparisons and tests return an `i32` that is 0 or 1.
//! - What can trap returns a `Result` with the [`TrapCode`](crate::TrapCode).
//! - Vector instructions work on [`V128`]; lane immediates follow the vector operand.
//! - The part of a vector load or store that is not the memory access is here too, as a function
//!   of the bytes read (`v128_load8x8_s(u64)`).
//!
//! NaN results carry whatever payload the host's arithmetic gives them, which the specification
//! allows: canonical for canonical inputs, quiet always.
//!
//! The `for_each_…!` macros list every operator with its function and its types: see
//! [`for_each_unary`](crate::for_each_unary) and the rest of `table.rs`.
//!
//! Deliberately absent: plain loads, stores and constants, which compute nothing, and atomics,
//! which are not pure.
#![allow(
    missing_docs,
    reason = "the functions are the specification's instructions under their own names"
)]

mod convert;
mod float;
mod int;
mod relaxed;
mod simd_convert;
mod simd_float;
mod simd_int;
mod simd_lane;
mod table;
mod v128;

#[cfg(test)]
mod tests;

pub use convert::*;
pub use float::*;
pub use int::*;
pub use relaxed::*;
pub use simd_convert::*;
pub use simd_float::*;
pub use simd_int::*;
pub use simd_lane::*;
pub use v128::V128;
