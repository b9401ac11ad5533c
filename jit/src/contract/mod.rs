//! What compilers and the runtime have in common: what a compiler is told of a module, what it gives
//! back, and what code asks of the runtime while it runs.
//!
//! Every compiler takes an [`Env`] and a body, and makes [`Compiled`] code or says in a
//! [`CompileError`] why there is none. Which compiler is asked, and who steps in for one that is at
//! its end, is the runtime's business.

mod code;
pub mod feedback;
pub mod helpers;
mod limits;
pub mod midway;
mod scope;
mod stress;
mod usage;

pub use code::{CODE_ALIGN_BYTES, CatchClause, CatchRange, Compiled, Relocation, Site};
pub use limits::{CompileError, MAX_CODE_BYTES, MAX_FRAME_BYTES};
pub use scope::{InlinedCall, Scope};
pub use stress::Stress;
pub use usage::{Scanner, TypeSet, Usage, Usages};

use core::sync::atomic::AtomicU64;
use std::sync::Arc;
use wasmparser::WasmFeatures;
use zwasm_core::module::ModuleInfo;
use zwasm_core::{FuncType, ValType};

/// What a compiler needs to know of the module and the runtime.
#[derive(Clone, Copy, Debug)]
pub struct Env<'m> {
    /// The decoded module.
    pub info: &'m ModuleInfo,
    /// Its bytes, up to the bodies of its functions at least.
    pub bytes: &'m [u8],
    /// The features that its bodies were validated with.
    pub features: WasmFeatures,
    /// Its types by type index.
    pub types: &'m [Arc<FuncType>],
    /// Converts a value type of a body to a canonical one.
    pub val_type: fn(wasmparser::ValType, &ModuleInfo) -> ValType,
    /// Whether memories are reserved with guard regions, so that 32-bit accesses need no check.
    pub guarded: bool,
    /// How many bytes of code a function may have, at most [`MAX_CODE_BYTES`].
    pub max_code_bytes: u32,
    /// What validation found in the body.
    pub usage: Usage<'m>,
    /// Whether code charges for its operators.
    pub consume_fuel: bool,
    /// Whether the baseline compiler's code counts calls and iterations down in the function's entry,
    /// and asks for better code ([`helpers::TIER_UP`]) when nothing is left.
    pub tiers_up: bool,
    /// What code of the baseline compiler has seen of the module's functions, if anything.
    pub observed: Option<&'m dyn feedback::Observed>,
    /// The loop that the optimizing compiler's code is entered at, with the state that [`midway`] describes; none
    /// for code that is called.
    pub enter_at: Option<midway::Place>,
    /// Detours, for tests.
    pub stress: Stress,
    /// Whether to record where the code of each operator begins, for people to look at.
    pub record_operators: bool,
    /// Is other than zero once compilation is to end with [`CompileError::Interrupted`].
    pub interrupt: Option<&'m AtomicU64>,
}

impl Env<'_> {
    /// The most bytes of code that a function may have.
    pub(crate) fn code_limit(&self) -> u32 {
        self.max_code_bytes.min(MAX_CODE_BYTES)
    }
}
