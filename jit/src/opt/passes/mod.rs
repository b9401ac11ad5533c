//! The passes: each takes a function in intermediate form, and leaves one that does the same with less.
//!
//! What they ask about instructions, they ask the macro-assembler's `Target`: of the floor behind them, that
//! makes instructions, they know nothing.

pub(crate) mod dce;
pub(crate) mod fold;
pub(crate) mod fuse;
pub(crate) mod gvn;
pub(crate) mod hoist;
pub(crate) mod idiom;
pub(crate) mod prune;
pub(crate) mod sums;
pub(crate) mod swaps;
pub(crate) mod unroll;
