//! The vocabulary shared by every zwasm tier.
//!
//! What lives here is what a compiler, an interpreter and the runtime must agree on, and nothing
//! else: the types of the WebAssembly specification, the decoded shape of a module
//! ([`module::ModuleInfo`]), the layout of the VM context ([`vmctx`]), trap codes ([`TrapCode`])
//! and how else runs end ([`Outcome`]), the pieces that fuel is charged in ([`fuel`]), which loops fill
//! memory ([`fill`]), what atomic instructions do ([`atomic`]), the numeric semantics of every operator
//! ([`num`]) and how text from outside is shown ([`Printable`]). No operating system, no `unsafe`.

#![forbid(unsafe_code)]

pub mod atomic;
pub mod fill;
pub mod fuel;
pub mod module;
pub mod num;
mod outcome;
mod printable;
pub mod tier_up;
mod trap;
pub mod types;
pub mod vmctx;

pub use num::V128;
pub use outcome::Outcome;
pub use printable::Printable;
pub use trap::TrapCode;
pub use types::{
    BlockSignature, FuncType, GlobalType, HeapType, MemoryType, Mutability, RefType, SigId,
    TableType, ValType,
};

/// A number of this crate's sources. Machine code that was kept fits where it is the same.
pub const SOURCES: &str = env!("ZWASM_SOURCES");
