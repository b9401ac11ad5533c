//! Shared vocabulary of every zwasm tier: types, numeric semantics, VM-context layout, trap codes.
#![forbid(unsafe_code)]

pub mod num;
mod trap;

pub use num::V128;
pub use trap::TrapCode;
