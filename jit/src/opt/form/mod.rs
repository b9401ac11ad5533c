//! The intermediate form: SSA with block parameters, as data, as text, and checked; and what is asked
//! of it by more than one pass.
//!
//! The lowest floor of the optimizing compiler: it knows neither passes nor what comes behind them.

pub(crate) mod ancestors;
mod display;
pub(crate) mod dominators;
pub(crate) mod immediate;
pub(crate) mod ir;
pub(crate) mod lists;
pub(crate) mod loops;
pub(crate) mod memory;
pub(crate) mod params;
#[cfg(any(test, feature = "lab"))]
pub(crate) mod parse;
pub(crate) mod predecessors;
pub(crate) mod verify;
